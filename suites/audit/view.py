"""An audit source as its judgements see it: the messages that came, the connections, the events that were provoked.

What was received is examined again whenever it is judged, so that a corrected rule counts for old records, too.
What was not obtained raises `Missing`; nothing here judges.
"""

from __future__ import annotations

import ipaddress
import re
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from harness import AuditMessages, ClaimRecord, Endpoints, Missing, Observations, ReceivedMessage, SyslogConnection
from reference_impl.audit.events import Event, events
from reference_impl.audit.findings import Finding, MessageResult
from reference_impl.audit.syslog.messages import Parsed
from suites.audit.examining import Codes, Examined, examined
from suites.driving import driven
from suites.wording import bounded, counted, in_a_row

SEND = "Let the source report events to the harness, by its drivers or by the operator, and run again."
HAND = "Hand over audit messages as XML, or captures of syslog or packets, and run again."
TRUST = (
    "Let the source trust the authority of the harness (`ps315 pki` makes one that it can be given; the SUT file names "
    "it as campaign), and write whom its own certificate leads to as credentials.trust_anchors."
)
LEAST_CUT = 480
"""Octets of a syslog message that every receiver takes (RFC 5424 6.1): what is shorter and ends within its XML was not
cut on its way."""
_ESCAPES = re.compile(rb"#0(?:11|12|15)(?=[\s<#]|$)")
UDP_PROFILES = frozenset({"A.7", "IHE-ATX-UDP-Syslog"})
_MOST_EVIDENCE = 20

Told = tuple[Sequence[Finding], frozenset[str]]
"""Findings, and the rules that could be told."""


@dataclass(frozen=True, eq=False)
class SeenMessage:
    """A message that came, in the step `step`; `number` counts from 1 over all of them."""

    facts: ReceivedMessage
    step: AuditMessages
    number: int
    connection: SyslogConnection | None

    def __str__(self) -> str:
        if self.facts.name:
            return f"{bounded(self.facts.name)}" + (f" line {self.facts.first_line}" if self.facts.first_line else "")
        return f"message {self.number}" + (f" ({self.step.event})" if self.step.event else "")

    @property
    def exchange(self) -> str:
        """What holds its octets, empty where none was recorded."""
        return self.connection.exchange if self.connection else ""

    @property
    def sender(self) -> str:
        """The address that it came from; empty where that is not known."""
        return self.connection.peer.rpartition(":")[0] if self.connection else ""

    @property
    def over_udp(self) -> bool:
        """Whether it came as a datagram."""
        return (self.connection.transport if self.connection else self.step.transport) == "udp"

    @cached_property
    def _examined(self) -> Examined:
        return examined(self.facts.octets, header=self.facts.header)

    @property
    def body(self) -> bytes:
        """The audit message, or what stands in its place."""
        return self._examined.body

    @property
    def result(self) -> MessageResult:
        """What was found in the audit message."""
        return self._examined.result

    @property
    def codes(self) -> Codes:
        """What tells which event it reports, and who says so."""
        return self._examined.codes

    @property
    def is_of_audit(self) -> bool:
        """Whether it is a message of the audit trail: others may go over the same connection (PS3.15 A.6, note)."""
        return self._examined.is_of_audit

    @property
    def is_cut(self) -> bool:
        """Whether its XML ends before its end though it is long enough to have been cut."""
        cut = self._examined.ends_early
        return cut and self.facts.length >= LEAST_CUT

    @property
    def is_of_a_log(self) -> bool:
        """Whether it was captured as a syslog message, by a program with limits of its own."""
        return self.step.transport == "files" and self.facts.header

    @property
    def is_escaped(self) -> bool:
        """Whether a program that captured it wrote control characters as escapes, so that its XML is spoilt."""
        spoilt = self.step.transport == "files" and not self.result.schema_valid
        return spoilt and _ESCAPES.search(self.body) is not None

    @property
    def may_be_spoilt(self) -> bool:
        """Whether what is wrong with it may not be its source's, but that of what transported or captured it."""
        return self.is_escaped or (self.is_cut and (self.over_udp or self.is_of_a_log))

    def syslog(self, profile: str) -> Told:
        """What was found in the syslog message around it, by RFC 5424 and by `profile`; nothing without a header."""
        return self._examined.syslog(profile)

    @property
    def parsed(self) -> Parsed | None:
        """The syslog message; None where no header was expected."""
        return self._examined.parsed

    @property
    def hostname(self) -> str:
        """HOSTNAME of the header; empty for "-" and where there is none."""
        return self.parsed.message.hostname if self.parsed and self.parsed.message else ""

    @property
    def host(self) -> str:
        """The same to compare: names are alike in any case."""
        return plain_place(self.hostname)

    @property
    def app_name(self) -> str:
        """APP-NAME of the header; empty for "-" and where there is none."""
        return self.parsed.message.app_name if self.parsed and self.parsed.message else ""

    def reports(self, event: Event) -> bool:
        """Whether it reports `event`."""
        codes = self.codes
        return event.is_reported_by(codes.event, codes.types, codes.action, codes.outcome)


def plain_place(name: str) -> str:
    """The name or address of a host as it is compared: in lower case, without the dot of the root, in one notation."""
    try:
        address = ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return name.casefold().removesuffix(".")
    return str(getattr(address, "ipv4_mapped", None) or address)


Steps = tuple[tuple[int, AuditMessages], ...]
"""What was done, each step with the number of its endpoint."""


class Gathered:
    """The messages and connections of some steps, put together once for all judgements of them."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps

    @cached_property
    def connections(self) -> dict[tuple[int, int], SyslogConnection]:
        """Every connection as it was seen last, by endpoint and number."""
        found: dict[tuple[int, int], SyslogConnection] = {}
        for at, step in self.steps:
            for each in step.connections:
                known = found.get((at, each.number))
                kept = {"messages": known.messages + each.messages, "exchange": known.exchange} if known else {}
                found[at, each.number] = each.model_copy(update=kept)
        return found

    @cached_property
    def everything(self) -> tuple[SeenMessage, ...]:
        """Every message that came."""
        came = [(at, step, facts) for at, step in self.steps for facts in step.messages]
        return tuple(
            SeenMessage(facts, step, number, self.connections.get((at, facts.connection)))
            for number, (at, step, facts) in enumerate(came, 1)
        )

    @cached_property
    def of_audit(self) -> tuple[SeenMessage, ...]:
        """Those of the audit trail that are recorded whole."""
        return tuple(each for each in self.everything if each.is_of_audit and not each.facts.truncated)

    @cached_property
    def unspoilt(self) -> tuple[SeenMessage, ...]:
        """Those of them that nobody else may have cut or altered."""
        return tuple(each for each in self.of_audit if not each.may_be_spoilt)

    @cached_property
    def uncut(self) -> tuple[SeenMessage, ...]:
        """Those of them that were not cut by anybody."""
        return tuple(each for each in self.unspoilt if not each.is_cut)


_gathered: deque[Gathered] = deque(maxlen=4)
"""Those that were asked for last: judgements come one after another, many about the same steps."""


def gathered(steps: Steps) -> Gathered:
    """What `steps` hold; the same object where the very same steps are asked for again."""
    for known in _gathered:
        if len(known.steps) == len(steps) and all(
            a is b and i == j for (i, a), (j, b) in zip(known.steps, steps, strict=True)
        ):
            return known
    _gathered.append(Gathered(steps))
    return _gathered[-1]


class AuditSource:
    """The audit source of the claim that is judged."""

    def __init__(self, observations: Observations, endpoints: Endpoints, claim: ClaimRecord) -> None:
        self._observations, self._endpoints, self.claim = observations, endpoints, claim

    @property
    def name(self) -> str:
        """The endpoint of the claim."""
        return self.claim.endpoint

    @cached_property
    def _obtained(self) -> tuple[Gathered, Missing | None]:
        """What was done, each step with the number of its endpoint, and why something is missing."""
        found: list[tuple[int, AuditMessages]] = []
        first: Missing | None = None
        for number, endpoint in enumerate(self._endpoints):
            steps, why = self._observations.of_subjects(Endpoints(endpoint), AuditMessages)
            found += [(number, step) for step in steps]
            first = first or why
        return gathered(tuple(found)), first

    @property
    def steps(self) -> tuple[AuditMessages, ...]:
        """What was done. Raises `Missing` where nothing was."""
        found, first = self._obtained
        if not found.steps:
            raise first or Missing(f"no audit message was awaited at {self.name}", SEND)
        return tuple(step for _, step in found.steps)

    @property
    def by_files(self) -> bool:
        """Whether captured messages were looked at, and no connection."""
        return all(step.transport == "files" for step in self.steps)

    @property
    def everything(self) -> tuple[SeenMessage, ...]:
        """Every message that came, those of other purposes included; none where nothing came."""
        return self._obtained[0].everything

    @property
    def connections(self) -> tuple[SyslogConnection, ...]:
        """Every connection as it was seen last."""
        return tuple(self._obtained[0].connections.values())

    @property
    def messages(self) -> tuple[SeenMessage, ...]:
        """The messages of the audit trail that are recorded whole.

        Raises `Missing` where none came, saying what was done so that one would.
        """
        if self.steps and self._obtained[0].of_audit:
            return self._obtained[0].of_audit
        if self.by_files:
            raise Missing(f"no audit message was found at {self.name}: {self._why_none()}", HAND, self._evidence())
        refused = any(each.refused for each in self.connections)
        remedy = TRUST if refused and not self.everything else SEND
        raise Missing(f"no audit message came at {self.name}: {self._why_none()}", remedy, self._evidence())

    @property
    def whole(self) -> tuple[SeenMessage, ...]:
        """The same without those that somebody else may have cut or altered: on their way (A.7), or in the capture.

        Raises `Missing` where none came, and where none came whole.
        """
        left_to_transport = self.claim.profile in UDP_PROFILES
        found = self._obtained[0].uncut if left_to_transport else self._obtained[0].unspoilt
        if self.messages and found:
            return found
        if any(each.is_escaped for each in self.messages):
            raise Missing(
                f"the messages at {self.name} hold escapes such as #012, which syslog daemons write for line ends",
                "Capture them unchanged (rsyslog: parser.escapeControlCharactersOnReceive off), or as packets.",
                evidence_of(self.messages),
            )
        raise Missing(
            f"none of {counted(len(self.messages), 'message')} at {self.name} is whole; something may have cut them",
            "Let the source report something shorter, or judge its messages as captured before they are sent.",
            evidence_of(self.messages),
        )

    def _why_none(self) -> str:
        """Why no message came, as far as that is known."""
        others = len(self.everything)
        if others:
            begins = bounded(_text(self.everything[0].facts.raw), 60)
            return f"{counted(others, 'message')} came, and none is an audit message; the first begins {begins}"
        for connection in self.connections:
            if connection.refused:
                return f"the TLS handshake with {connection.peer} failed: {bounded(connection.refused)}"
            if connection.framing:
                return f"{connection.peer} sent no frame of RFC 5425: {bounded(connection.framing)}"
        unread = [each for step in self.steps for each in step.unreadable]
        if unread:
            return bounded(unread[0])
        if self.by_files:
            return "the files hold none"
        return in_a_row(dict.fromkeys(done(step) for step in self.steps)) or "nothing was done"

    def _evidence(self) -> tuple[str, ...]:
        return tuple(each.exchange for each in self.connections if each.exchange)[:_MOST_EVIDENCE]

    @cached_property
    def unreported(self) -> tuple[tuple[Event, AuditMessages], ...]:
        """The claimed events that no message reports, with what was done to provoke them."""
        known = events()
        claimed = [(known[step.event], step) for step in self.steps if step.event in known and not step.away]
        everything = [each for each in self.everything if each.is_of_audit]
        return tuple((event, step) for event, step in claimed if not any(each.reports(event) for each in everything))

    @property
    def claimed_events(self) -> tuple[str, ...]:
        """The events that were to be provoked."""
        return tuple(dict.fromkeys(step.event for step in self.steps if step.event and not step.away))


def done(step: AuditMessages) -> str:
    """What was done so that a message would come, and how that ended."""
    how = driven(step.driver) if step.driver is not None else "nothing was done so that it would come"
    return f"{step.event}: {bounded(how, 200)}" if step.event else bounded(how, 200)


def evidence_of(seen: Iterable[SeenMessage]) -> tuple[str, ...]:
    """What witnesses messages: the first exchanges."""
    return tuple(dict.fromkeys(each.exchange for each in seen if each.exchange))[:_MOST_EVIDENCE]


def _text(octets: bytes) -> str:
    return octets[:200].decode("utf-8", "backslashreplace")


Reading = Callable[[SeenMessage], Told]
"""How what was found in a message is obtained."""
