"""Audit messages of whatever sense, made of few words, for tests of the validator."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from reference_impl.audit.validator import validate

SOURCE, DESTINATION, APPLICATION = "110153", "110152", "110150"
TO_MEDIA, FROM_MEDIA = "110154", "110155"


def code(element: str, value: str, system: str = "DCM", meaning: str = "as PS3.16 has it") -> str:
    return f'<{element} csd-code="{value}" codeSystemName="{system}" originalText="{meaning}"/>'


@dataclass
class Who:
    """A participant of a message made here."""

    roles: tuple[str, ...] = ()
    requestor: bool = False
    media: str = ""
    point: str = ""
    kind: str = "1"
    more: str = ""

    def __str__(self) -> str:
        points = f' NetworkAccessPointID="{self.point}" NetworkAccessPointTypeCode="{self.kind}"' if self.point else ""
        media = f"<MediaIdentifier>{code('MediaType', self.media)}</MediaIdentifier>" if self.media else ""
        roles = "".join(code("RoleIDCode", role) for role in self.roles)
        return (
            f'<ActiveParticipant UserID="u" UserIsRequestor="{str(self.requestor).lower()}"{points}{self.more}>'
            f"{roles}{media}</ActiveParticipant>"
        )


def thing(type_: str, role: str, number: str, *, system: str = "RFC-3881", name: str = "n", id_: str = "1.2.3") -> str:
    return (
        f'<ParticipantObjectIdentification ParticipantObjectID="{id_}" ParticipantObjectTypeCode="{type_}" '
        f'ParticipantObjectTypeCodeRole="{role}">{code("ParticipantObjectIDTypeCode", number, system, "kind")}'
        f"<ParticipantObjectName>{name}</ParticipantObjectName></ParticipantObjectIdentification>"
    )


PATIENT, STUDY = thing("1", "1", "2"), thing("2", "3", "110180", system="DCM")


@dataclass
class Message:
    """A message made here, of whatever sense."""

    event: str
    action: str
    who: list[Who] = field(default_factory=list)
    what: tuple[str, ...] = ()
    types: str = ""

    def with_objects(self, *more: str) -> Message:
        """The same with further objects."""
        return replace(self, what=(*self.what, *more))

    @property
    def octets(self) -> bytes:
        return (
            f'<AuditMessage><EventIdentification EventActionCode="{self.action}" '
            'EventDateTime="2026-01-02T03:04:05Z" EventOutcomeIndicator="0">'
            f"{code('EventID', self.event)}{self.types}</EventIdentification>{''.join(map(str, self.who))}"
            f'<AuditSourceIdentification AuditSourceID="s"/>{"".join(self.what)}</AuditMessage>'
        ).encode()


def found(message: Message | bytes) -> dict[str, str]:
    """Rules with the levels of what is found, notes left out."""
    result = validate(message if isinstance(message, bytes) else message.octets)
    assert result.schema_valid
    return {each.rule: each.level for each in result.findings if each.level != "note"}


def export(*who: Who) -> Message:
    return Message("110106", "R", list(who), (PATIENT,))


def imported(*who: Who) -> Message:
    return Message("110107", "C", list(who), (PATIENT,))


def transferred(*who: Who) -> Message:
    return Message("110104", "R", list(who), (STUDY, PATIENT))


EXPORTER, CD = Who((SOURCE,), requestor=True), Who((TO_MEDIA,), media="110032")
