"""Hand-made facts about audit messages that came, and their judgements without the engine around them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from inspect import signature

from harness import AuditMessages, DriverOutcome, ReceivedMessage, SyslogConnection
from harness.catalogue import load_catalogue
from harness.judging import Observations
from harness.judging.expect import recording
from harness.judging.findings import Case, Finding, finding_of
from harness.judging.lookup import Endpoints
from harness.judging.outcomes import Outcome
from harness.observations import Frozen, Observation
from harness.record.models import AuditRecord, ClaimRecord, EndpointRecord, ListenRecord, SutRecord
from reference_impl.audit.source_node import AuditSource as ReferenceSource
from reference_impl.audit.syslog.messages import audit_message, write
from reference_impl.audit.syslog.model import SyslogMessage
from suites.audit.view import AuditSource
from tests.unit.signature_judging import judgements, observed

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
LISTEN = ListenRecord(address="127.0.0.1", port=6514, name="127.0.0.1", seconds=5)
TLS = EndpointRecord(name="trail", protocol="syslog-tls", host="127.0.0.1", listen=LISTEN, audit=AuditRecord())
UDP = TLS.model_copy(update={"protocol": "syslog-udp"})
FILES = EndpointRecord(name="trail", protocol="files", host="", audit=AuditRecord(folder="captured"))
PEER = "127.0.0.1:40312"
MADE = DriverOutcome(kind="command", action="report", exit_status=0)
SECURE = SyslogConnection(
    number=1,
    transport="tls",
    peer=PEER,
    version="TLSv1.3",
    suite="TLS_AES_256_GCM_SHA384",
    ending="close-notify",
    exchange="trail.objects-0001",
)
DATAGRAMS = SyslogConnection(number=1, transport="udp", peer=PEER, exchange="trail.objects-0001")


def claim(profile: str) -> ClaimRecord:
    edition = "ITI-20.0" if profile.startswith("IHE") else "2026c"
    return ClaimRecord(profile=profile, edition=edition, role="audit-source", endpoint=TLS.name)


@cache
def body(event: str) -> bytes:
    """A valid audit message that reports `event`, as the reference source makes it."""
    return ReferenceSource(clock=lambda: NOW).audit_messages(event)[0]


def header(**changes: object) -> SyslogMessage:
    """The syslog message around nothing, as it should be, but for `changes`."""
    message = audit_message(b"", NOW, hostname="node.example.org", app_name="archive")
    return replace(message, **changes)  # type: ignore[arg-type]


def syslog(audit: bytes, **changes: object) -> bytes:
    """`audit` within a syslog message."""
    return write(header(body=audit, **changes))


def received(octets: bytes, **changes: object) -> ReceivedMessage:
    given = {"octets": base64.b64encode(octets).decode(), "length": len(octets), "connection": 1, **changes}
    return ReceivedMessage.model_validate(given)


def came(
    *octets: bytes, event: str = "login", over: SyslogConnection = SECURE, subject: str = "", **changes: object
) -> Observation:
    """An observation: `octets` came over one connection after `event` had been provoked."""
    facts = AuditMessages.model_validate(
        {
            "text": event,
            "event": event,
            "transport": over.transport,
            "messages": tuple(received(each) for each in octets),
            "connections": (over.model_copy(update={"messages": len(octets)}),),
            "provoked": 1,
            "driver": MADE,
            **changes,
        }
    )
    return observed(facts, TLS, subject or event)


def in_files(*octets: bytes, with_header: bool = False) -> Observation:
    """An observation: `octets` were found in files."""
    messages = tuple(
        received(each, connection=0, name=f"{number}.xml", first_line=1, header=with_header)
        for number, each in enumerate(octets, 1)
    )
    return observed(AuditMessages(transport="files", messages=messages), FILES, "")


def nothing(event: str = "login", driver: DriverOutcome = MADE, *connections: SyslogConnection) -> Observation:
    """An observation: no message came."""
    return observed(AuditMessages(event=event, driver=driver, provoked=1, connections=connections), TLS, event)


def verdicts(
    observations: Iterable[Observation], profile: str, endpoint: EndpointRecord = TLS, *alternates: EndpointRecord
) -> dict[str, Finding]:
    """What is found, by requirement, where `profile` is claimed at `endpoint` with `alternates`."""
    given, of = tuple(observations), claim(profile)
    parsed: dict[int, tuple[Observation, Frozen]] = {}
    sut = SutRecord(id="sut", claims=(of,), endpoints=(endpoint,))
    found = {}
    for requirement in load_catalogue().select(of.profile, of.edition, of.role, endpoint.protocol):
        if requirement.judged != "automatically":
            continue
        lookup = Observations({}, NOW, parsed=parsed)
        lookup.take(given)
        case = Case(of, requirement, Endpoints(endpoint, alternates))
        (function,) = judgements("audit")[requirement.id]
        sides: dict[str, Callable[[], object]] = {
            "source": lambda: AuditSource(lookup, case.endpoints, of),  # noqa: B023 - called at once
            "requirement": lambda: requirement,  # noqa: B023
            "endpoint": lambda: endpoint,
            "sut": lambda: sut,
        }
        raised: Outcome | None = None
        with recording() as ledger:
            try:
                function(**{name: sides[name]() for name in signature(function).parameters})
            except Outcome as outcome:
                raised = outcome
        found[requirement.id] = finding_of(case, raised, ledger, lookup.consulted)
    return found


def not_passed(found: dict[str, Finding]) -> dict[str, str]:
    """What neither passed nor was not applicable."""
    return {name: str(one.kind) for name, one in found.items() if str(one.kind) not in {"pass", "not_applicable"}}


def broken(found: dict[str, Finding]) -> dict[str, str]:
    """What failed or warned."""
    return {name: str(one.kind) for name, one in found.items() if str(one.kind) in {"fail", "warning", "error"}}


def split(octets: bytes, *sizes: int) -> Sequence[bytes]:
    """The first octets of a message, in these sizes."""
    return [octets[:size] for size in sizes]
