"""An afternoon in a hospital as its audit trail tells it, and messages made to do harm to whoever shows them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from reference_impl.audit import builders
from reference_impl.audit.builders import Occasion
from reference_impl.audit.model import AuditMessage, AuditSource
from reference_impl.audit.parts import Party, address, audit_source, dicom_query, patient, study
from reference_impl.audit.syslog.messages import audit_message, write
from reference_impl.audit.writing import to_xml

SCRIPT = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
_ROOT = "1.2.826.0.1.3680043.10.1561.7"
_PATIENTS = (("P-100231", "Adams^Grace"), ("P-100784", "Ibrahim^Sami"), ("P-101002", "Müller^Änne"))
_USERS = (("jdoe", "Jane Doe"), ("r.lind", "Ruth Lind"), ("mk", "Mats Karlsson"))
_NODES = ("CT-1", "MR-2", "PACS-ARCHIVE", "RIS", "WORKSTATION-4")


def afternoon(end: datetime, number: int = 80, seed: int = 5) -> Iterator[bytes]:
    """Syslog messages of several nodes, the last of them at `end`; some are wrong in a way that is often seen."""
    chance = Random(seed)  # noqa: S311
    for place in range(number):
        at = end - timedelta(seconds=(number - 1 - place) * 97 + chance.randrange(60))
        node = chance.choice(_NODES)
        body = to_xml(_happening(chance, at, audit_source(node, site="Radiology")))
        if node == "MR-2" and chance.random() < 0.5:
            body = body.replace(b'csd-code="', b'code="')
        moment = at if node != "WORKSTATION-4" else at + timedelta(seconds=3)
        yield write(audit_message(body, moment, hostname=node.lower(), app_name="audit"))


def _happening(chance: Random, at: datetime, source: AuditSource) -> AuditMessage:
    name, full = chance.choice(_USERS)
    person = Party(name, requestor=True, name=full, access_point=address(f"192.0.2.{chance.randrange(20, 60)}"))
    process = Party(source.id, access_point=address(f"192.0.2.{chance.randrange(2, 9)}"))
    identifier, called = chance.choice(_PATIENTS)
    subject = patient(identifier, called)
    looked = study(f"{_ROOT}.{chance.randrange(1, 9)}", name="CT of the chest")
    kind = chance.choices(("login", "failed", "query", "read", "transfer", "start"), (3, 2, 4, 6, 6, 1))[0]
    failed = kind == "failed"
    description = "wrong password" if failed else ""
    occasion = Occasion(when=at, source=source, outcome="4" if failed else "0", description=description)
    if kind in {"login", "failed"}:
        return builders.user_authentication(occasion, attempt="login", person=person)
    if kind == "start":
        return builders.application_activity(occasion, activity="start", application=process)
    if kind == "query":
        asked = dicom_query("1.2.840.10008.5.1.4.1.2.2.1", b"\x10\x00\x20\x00LO\x08\x00P-100231", "1.2.840.10008.1.2.1")
        archive = Party("PACS-ARCHIVE", access_point=address("192.0.2.2"))
        return builders.query(occasion, issuer=person, responder=archive, queried=asked)
    if kind == "read":
        return builders.instances_accessed(
            occasion, action="R", person=person, process=None, patient=subject, studies=[looked]
        )
    return builders.instances_transferred(
        occasion,
        action="R",
        sender=Party("CT-1", requestor=True, access_point=address("192.0.2.3")),
        receiver=Party("PACS-ARCHIVE", access_point=address("192.0.2.2")),
        patient=subject,
        studies=[looked],
    )


def hostile(text: str = SCRIPT) -> bytes:
    """An audit message, and the syslog message around it, that has `text` in every place that takes any."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    code = f'csd-code="{escaped}" codeSystemName="{escaped}" originalText="{escaped}" displayName="{escaped}"'
    body = (
        f'<AuditMessage><EventIdentification EventActionCode="{escaped}" EventDateTime="{escaped}" '
        f'EventOutcomeIndicator="{escaped}"><EventID {code}/><EventTypeCode {code}/>'
        f"<EventOutcomeDescription>{escaped}</EventOutcomeDescription></EventIdentification>"
        f'<ActiveParticipant UserID="{escaped}" AlternativeUserID="{escaped}" UserName="{escaped}" '
        f'UserIsRequestor="{escaped}" NetworkAccessPointID="{escaped}" NetworkAccessPointTypeCode="{escaped}">'
        f"<RoleIDCode {code}/><MediaIdentifier><MediaType {code}/></MediaIdentifier></ActiveParticipant>"
        f'<AuditSourceIdentification AuditEnterpriseSiteID="{escaped}" AuditSourceID="{escaped}">'
        f"<AuditSourceTypeCode {code}/></AuditSourceIdentification>"
        f'<ParticipantObjectIdentification ParticipantObjectID="{escaped}" ParticipantObjectTypeCode="1" '
        f'ParticipantObjectTypeCodeRole="1" ParticipantObjectDataLifeCycle="{escaped}" '
        f'ParticipantObjectSensitivity="{escaped}"><ParticipantObjectIDTypeCode {code}/>'
        f"<ParticipantObjectName>{escaped}</ParticipantObjectName>"
        f'<ParticipantObjectDetail type="{escaped}" value="{escaped}"/>'
        f'<ParticipantObjectDescription><MPPS UID="{escaped}"/><Accession Number="{escaped}"/>'
        f'<SOPClass UID="{escaped}" NumberOfInstances="{escaped}"><Instance UID="{escaped}"/></SOPClass>'
        "</ParticipantObjectDescription></ParticipantObjectIdentification></AuditMessage>"
    )
    printable = "".join(each for each in text if 32 < ord(each) < 127)
    header = f"<85>1 - {printable[:200]} {printable[:40]} {printable[:100]} {printable[:30]} -"
    return f"{header} {body}".encode()
