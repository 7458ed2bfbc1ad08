"""What a report says of an audit trail: messages that a SUT sent, over which connections, what became of deliveries.

Messages are examined again from the octets in the record. What is found in them is told in words; verdicts, which
depend on the profile that is claimed, stand elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

from harness.record.facts import AuditMessages, ReceivedMessage, SyslogConnection
from reports.audit_ways import ORDER, ConnectionRow, DeliveryRow, connection_row, connections_of, delivery_row
from reports.facts import Endpoint
from reports.text import plural
from reports.trials import driver_of
from reports.words import VerdictWord, moment

if TYPE_CHECKING:
    from reference_impl.audit.events import Event
    from reference_impl.audit.findings import Finding
    from reference_impl.audit.model import EventIdentification
    from reference_impl.audit.syslog.messages import Parsed, SyslogMessage

MOST_MESSAGES = 200
MOST_EXAMINED = 5_000
MOST_FINDINGS = 12
"""Of one message; so many are shown."""
MOST_ROWS = 400
SHOWN_OCTETS = 3_500
"""Of one message; its first ones are shown."""
_EXAMINED_OCTETS = 1 << 20  # of one message; longer ones are in the record and not examined here
_CHARACTERS = 400_000
_BARE_MESSAGE = 900  # characters of markup that a message takes without its words
_MOST_UNREADABLE = 20

STANDINGS: Mapping[str, VerdictWord] = {
    "breaks": VerdictWord("fail", "does not conform", "✕", "a shall of A.5 or of RFC 5424 is not met"),
    "open": VerdictWord("inconclusive", "cannot be judged", "?", "the findings say what is missing"),
    "should": VerdictWord("warning", "could be better", "▲", "a should is not met"),
    "conforms": VerdictWord("pass", "conforms", "✓", "nothing was found in it"),
    "other": VerdictWord("not_applicable", "another purpose", "○", "it is no message of the audit trail"),
}
"""What examining a message finds, worst first. No verdicts: the profile decides what is demanded."""
_MANY = {
    "breaks": ("does not conform", "do not conform"),
    "open": ("cannot be judged", "cannot be judged"),
    "should": ("could be better", "could be better"),
    "conforms": ("conforms", "conform"),
    "other": ("has another purpose", "have another purpose"),
}
_LEVELS = {"shall": "fail", "open": "inconclusive", "should": "warning", "note": "not_applicable"}
_LEVEL_WORDS = {
    "shall": VerdictWord("fail", "shall", "✕", ""),
    "open": VerdictWord("inconclusive", "open", "?", ""),
    "should": VerdictWord("warning", "should", "▲", ""),
    "note": VerdictWord("not_applicable", "note", "○", ""),
}


@dataclass(frozen=True)
class FindingRow:
    """One thing found: `word` is its level, `place` where it is, in the file's or message's lines."""

    word: VerdictWord
    rule: str
    place: str
    text: str
    expected: str
    found: str
    remedy: str


@dataclass(frozen=True)
class MessageEntry:
    """One message that came. `header` are the fields of the syslog message; `octets` the first ones as text."""

    name: str
    text: str
    word: VerdictWord
    meta: str
    header: tuple[tuple[str, str], ...]
    findings: tuple[FindingRow, ...]
    findings_left_out: int
    forms: tuple[str, ...]
    octets: str
    cut: int
    exchange: str

    @property
    def characters(self) -> int:
        """So many it takes in the report, nearly."""
        told = sum(len(repr(each)) for each in self.findings)
        return _BARE_MESSAGE + told + len(self.octets) + sum(len(value) + 20 for _, value in self.header)


@dataclass(frozen=True)
class StepRow:
    """What was done in one step, and how many messages came of it."""

    name: str
    text: str
    done: str
    came: str


@dataclass(frozen=True)
class Trail:
    """What is shown for one endpoint."""

    name: str
    says: str
    steps: tuple[StepRow, ...]
    messages: tuple[MessageEntry, ...]
    messages_left_out: int
    connections: tuple[ConnectionRow, ...]
    connections_left_out: int
    deliveries: tuple[DeliveryRow, ...]
    deliveries_left_out: int
    unreadable: tuple[str, ...]


def trail_of(at: Endpoint, cited: Mapping[str, str]) -> Trail | None:
    """What the facts of an endpoint say of its audit trail; None where there are none. `cited`: `reports.trials`."""
    if not (at.received or at.delivered):
        return None
    connections = connections_of(at.received)
    pairs = [(step, one) for step in at.received for one in step.messages]
    examined = [_Examined(step, one, number) for number, (step, one) in enumerate(pairs[:MOST_EXAMINED], 1)]
    entries = _entries(examined, connections)
    rows = sorted((connection_row(each, cited) for each in connections.values()), key=lambda row: ORDER[row.kind])
    deliveries = sorted(
        (delivery_row(each, cited) for each in at.delivered), key=lambda row: (ORDER[row.kind], not row.striking)
    )
    fitting = _fitting(deliveries)
    unreadable = [each for step in at.received for each in step.unreadable]
    return Trail(
        name=at.name,
        says=_summary(examined) if at.received else "",
        steps=_steps(at.received, examined),
        messages=entries,
        messages_left_out=len(pairs) - len(entries) + sum(step.left_out for step in at.received),
        connections=tuple(rows[:MOST_ROWS]),
        connections_left_out=max(0, len(rows) - MOST_ROWS),
        deliveries=fitting,
        deliveries_left_out=len(deliveries) - len(fitting),
        unreadable=tuple(unreadable[:_MOST_UNREADABLE]),
    )


class _Examined:
    """A message of the record, held against A.5, RFC 5424 and what A.6 or A.7 say of its header once more."""

    def __init__(self, step: AuditMessages, facts: ReceivedMessage, number: int) -> None:
        from reference_impl.audit.findings import MessageResult
        from reference_impl.audit.syslog.messages import parse
        from reference_impl.audit.syslog.profiles import profile_findings
        from reference_impl.audit.validator import validate

        self.step, self.facts, self.number = step, facts, number
        self.octets = facts.raw
        self.parsed: Parsed | None = parse(self.octets) if facts.header else None
        body = self.body = self.parsed.body if self.parsed else self.octets
        whole = not facts.truncated and len(body) <= _EXAMINED_OCTETS
        self.result = validate(body) if whole else MessageResult()
        header: tuple[Finding, ...] = ()
        if self.parsed is not None and whole:
            more, _ = profile_findings(self.parsed, "A.7" if step.transport == "udp" else "A.6")
            header = (*self.parsed.findings, *more)
        self.findings = (*header, *self.result.findings)
        self.standing = self._standing(whole, body)
        if self.standing == "other":
            self.findings = ()

    @cached_property
    def event(self) -> EventIdentification | None:
        """What it says of the event; None where it cannot be read."""
        from reference_impl.audit.parsing import UnreadableMessageError, read

        try:
            return None if self.standing == "other" else read(self.body).event
        except UnreadableMessageError:
            return None

    def reports(self, event: Event) -> bool:
        """Whether it reports `event`."""
        one = self.event
        types = tuple(each.code for each in one.types) if one else ()
        return one is not None and event.is_reported_by(one.id.code, types, one.action, one.outcome)

    def _standing(self, whole: bool, body: bytes) -> str:
        from reference_impl.audit.syslog.purpose import is_of_audit

        if not whole:
            return "open"
        if not is_of_audit(self.parsed, body):
            return "other"
        levels = {each.level for each in self.findings}
        return next((s for level, s in _STANDING_OF if level in levels), "conforms")


_STANDING_OF = (("shall", "breaks"), ("open", "open"), ("should", "should"))


def _summary(examined: Sequence[_Examined]) -> str:
    if not examined:
        return "No message came from the device."
    counts = {standing: sum(each.standing == standing for each in examined) for standing in STANDINGS}
    told = (f"{number} {_MANY[standing][number > 1]}" for standing, number in counts.items() if number)
    return f"{plural(len(examined), 'message')}: {', '.join(told)}."


def _entries(examined: Sequence[_Examined], connections: Mapping[int, SyslogConnection]) -> tuple[MessageEntry, ...]:
    """The messages, those in which most was found first, as far as they fit."""
    standings = list(STANDINGS)
    found: list[MessageEntry] = []
    budget = _CHARACTERS
    for each in sorted(examined, key=lambda one: (standings.index(one.standing), one.number)):
        if len(found) >= MOST_MESSAGES or budget <= 0:
            break
        entry = _message(each, connections.get(each.facts.connection), octets=min(SHOWN_OCTETS, max(budget // 4, 400)))
        budget -= entry.characters
        found.append(entry)
    return tuple(found)


def _message(one: _Examined, connection: SyslogConnection | None, *, octets: int) -> MessageEntry:
    facts, result = one.facts, one.result
    message = one.parsed.message if one.parsed else None
    rows = tuple(_finding(each) for each in sorted(one.findings, key=lambda each: list(_LEVELS).index(each.level)))
    legacy = (one.parsed.legacy,) if one.parsed and one.parsed.legacy else ()
    return MessageEntry(
        name=_place(one),
        text=_event(result.section, result.event),
        word=STANDINGS[one.standing],
        meta="; ".join(_meta(one, connection)),
        header=tuple(_header(message)) if message is not None else (),
        findings=rows[:MOST_FINDINGS],
        findings_left_out=max(0, len(rows) - MOST_FINDINGS),
        forms=(*legacy, *result.forms),
        octets=one.octets[:octets].decode("utf-8", "backslashreplace"),
        cut=max(0, facts.length - min(octets, len(one.octets))),
        exchange=connection.exchange if connection else "",
    )


def _place(one: _Examined) -> str:
    facts = one.facts
    if facts.name:
        return f"{facts.name}, line {facts.first_line}" if facts.first_line > 1 else facts.name
    return f"Message {one.number}"


def _event(section: str, event: str) -> str:
    from reference_impl.audit.codes import groups

    if not section:
        return "no message of A.5.3"
    return f"{section} {groups()[400].codes.get(event, event)}"


def _meta(one: _Examined, connection: SyslogConnection | None) -> Iterable[str]:
    facts = one.facts
    if one.step.event:
        yield f"on {one.step.event}"
    if facts.at is not None:
        yield moment(facts.at)
    if connection is not None:
        yield f"from {connection.peer}"
    yield plural(facts.length, "octet")
    if facts.truncated:
        yield "recorded in part"
    broken = dict.fromkeys(each.rule for each in one.findings if each.level in {"shall", "should"})
    if broken:
        yield ", ".join(list(broken)[:4]) + (f" and {len(broken) - 4} more" if len(broken) > 4 else "")


def _header(message: SyslogMessage) -> Iterable[tuple[str, str]]:
    facility, severity = divmod(message.pri, 8)
    yield "PRI", f"{message.pri}: facility {facility}, severity {severity}"
    yield "VERSION", str(message.version)
    for name, value in (
        ("TIMESTAMP", message.timestamp),
        ("HOSTNAME", message.hostname),
        ("APP-NAME", message.app_name),
        ("PROCID", message.procid),
        ("MSGID", message.msgid),
    ):
        yield name, value or "-"
    yield "STRUCTURED-DATA", ", ".join(each.name for each in message.structured_data) or "-"
    yield "BOM", "there" if message.bom else "not there"


def _finding(one: Finding) -> FindingRow:
    line = f"line {one.line}" if one.line else ""
    return FindingRow(
        word=_LEVEL_WORDS[one.level],
        rule=one.rule,
        place=", ".join(filter(None, (one.place, line))),
        text=one.text,
        expected=one.expected,
        found=one.found,
        remedy=one.remedy,
    )


def _steps(steps: Sequence[AuditMessages], examined: Sequence[_Examined]) -> tuple[StepRow, ...]:
    """What was done, and whether any message reports the event; that is left open where not all were examined."""
    from reference_impl.audit.events import events

    known = events() if sum(len(each.messages) for each in steps) == len(examined) else {}
    claimed = {each.event: known[each.event] for each in steps if each.event in known}
    silent = {name for name, event in claimed.items() if not any(each.reports(event) for each in examined)}
    return tuple(_step(each, reported=each.event not in silent) for each in steps[:MOST_ROWS])


def _step(step: AuditMessages, *, reported: bool) -> StepRow:
    done = driver_of(step.driver) if step.driver is not None else ""
    if step.away:
        times = f" It was brought about {step.provoked} times." if step.provoked > 1 else ""
        done = f"{done} Nobody listened meanwhile.{times}".strip()
    came = plural(len(step.messages), "message")
    if step.messages and not reported:
        came += ", none of which reports it" if len(step.messages) > 1 else ", which does not report it"
    return StepRow(
        name=step.event or ("captured" if step.transport == "files" else "of itself"),
        text=step.text.removeprefix(f"{step.event}: "),
        done=done or ("nothing was to be done" if not step.event else "done"),
        came=f"{came}, and {step.left_out} more that are not recorded" if step.left_out else came,
    )


def _fitting(rows: Sequence[DeliveryRow]) -> tuple[DeliveryRow, ...]:
    sizes = accumulate(len(repr(row)) for row in rows[:MOST_ROWS])
    return tuple(row for row, size in zip(rows, sizes, strict=False) if size <= _CHARACTERS)
