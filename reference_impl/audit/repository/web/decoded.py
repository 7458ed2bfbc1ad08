"""One message in plain words: what happened, who took part, what it was about, and who reports it.

Everything here is text that came from elsewhere: it is shown as text only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reference_impl.audit.codes import value_sets
from reference_impl.audit.model import ActiveParticipant, AuditMessage, Code, ObjectDescription, ParticipantObject
from reference_impl.audit.parsing import UnreadableMessageError, read
from reference_impl.audit.syslog.messages import Parsed, SyslogMessage

_MOST_PARTS = 50
_MOST_VALUES = 100
_MOST_LINES = 300
_MOST_CHARACTERS = 2_000
_MOST_RAW = 256 * 1024
FACILITIES = {10: "security/authorization messages", 4: "security/authorization messages", 13: "log audit"}
SEVERITIES = ("emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug")


@dataclass(frozen=True, slots=True)
class Line:
    """One fact: what it is called, its value, and what the value means where it is a code."""

    label: str
    value: str
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a message: a participant or an object. `patient` and `user` are what it may be followed by."""

    title: str
    lines: tuple[Line, ...]
    note: str = ""
    patient: str = ""
    user: str = ""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A message as far as it can be read; `unreadable` says why it cannot, `more` how many parts are left out."""

    event: tuple[Line, ...] = ()
    participants: tuple[Part, ...] = ()
    objects: tuple[Part, ...] = ()
    source: tuple[Line, ...] = ()
    unreadable: str = ""
    more: int = 0


def decode(body: bytes) -> Decoded:
    """The audit message in `body`, in words; never raises for its content."""
    try:
        message = read(body)
    except UnreadableMessageError as problem:
        place = f" (line {problem.line})" if problem.line else ""
        return Decoded(unreadable=f"{problem.text}{place}")
    return Decoded(
        event=tuple(_event(message)),
        participants=tuple(_participant(each) for each in message.participants[:_MOST_PARTS]),
        objects=tuple(_object(each) for each in message.objects[:_MOST_PARTS]),
        source=tuple(_source(message)),
        more=max(0, len(message.participants) - _MOST_PARTS) + max(0, len(message.objects) - _MOST_PARTS),
    )


def header(parsed: Parsed) -> tuple[Line, ...]:
    """The header of the syslog message, in words; empty where there is none."""
    message = parsed.message
    if message is None:
        return (Line("Form", parsed.legacy),) if parsed.legacy else ()
    lines = [
        Line("Facility and severity", f"<{message.pri}>", _priority(message)),
        Line("Time", _cut(message.timestamp) or "-"),
        Line("Host", _cut(message.hostname) or "-"),
        Line("Application", _cut(message.app_name) or "-"),
        Line("Process", _cut(message.procid) or "-"),
        Line("Kind of message (MSGID)", _cut(message.msgid) or "-"),
    ]
    for element in message.structured_data[:20]:
        values = " ".join(f'{name}="{value}"' for name, value in element.parameters[:50])
        lines.append(Line(f"Structured data {_cut(element.name, 80)}", _cut(values)))
    return tuple(lines)


def raw_text(octets: bytes) -> str:
    """Octets as text: what is no UTF-8, or would not be seen, stands as an escape; cut where it is very long."""
    text = octets[:_MOST_RAW].decode("utf-8", "backslashreplace")
    text = "".join(
        each if each.isprintable() or each in "\n\t" else _escape(each) for each in text.replace("\r\n", "\n")
    )
    left = len(octets) - _MOST_RAW
    return text + (f"\n… {left} further octets" if left > 0 else "")


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}" if number < 65536 else f"\\U{number:08x}"


def _priority(message: SyslogMessage) -> str:
    facility = FACILITIES.get(message.facility, "")
    named = f"facility {message.facility}" + (f" ({facility})" if facility else "")
    return f"{named}, severity {message.severity} ({SEVERITIES[message.severity]})"


def _event(message: AuditMessage) -> Iterator[Line]:
    event = message.event
    yield _coded("Event", event.id)
    for code in event.types[:_MOST_VALUES]:
        yield _coded("Kind", code)
    yield from _valued("Action", event.action, "event-action")
    yield Line("When", _cut(event.date_time) or "not said")
    yield from _valued("Outcome", event.outcome, "event-outcome")
    yield from _plain("Outcome in words", event.outcome_description)


def _participant(each: ActiveParticipant) -> Part:
    lines: list[Line] = []
    lines += _plain("Identified as", each.user_id)
    lines += _plain("Name", each.user_name)
    lines += _plain("Also identified as", each.alternative_user_id)
    lines += (_coded("Role", code) for code in each.roles[:_MOST_VALUES])
    lines += _plain("Reached at", each.access_point, _meaning("network-access-point-type", each.access_point_type))
    if each.media_type is not None:
        lines.append(_coded("Medium", each.media_type))
    title = _cut(each.user_name or each.user_id or each.access_point, 120) or "not named"
    return Part(title, tuple(lines[:_MOST_LINES]), "started it" if each.is_requestor else "", user=each.user_id[:256])


def _object(each: ParticipantObject) -> Part:
    role, kind = _meaning("participant-object-role", each.role), _meaning("participant-object-type", each.type)
    lines: list[Line] = []
    lines += _plain("Identified as", each.id, each.id_type.text or each.id_type.code)
    lines += _plain("Name", each.name)
    lines += _valued("Kind", each.type, "participant-object-type")
    lines += _valued("Role", each.role, "participant-object-role")
    lines += _valued("What was done with it", each.life_cycle, "participant-object-life-cycle")
    lines += _plain("Sensitivity", each.sensitivity)
    if each.query is not None:
        lines.append(Line("Query", _cut(raw_text(each.query))))
    lines += (Line(_cut(detail.type, 80) or "Detail", _cut(raw_text(detail.value))) for detail in each.details[:20])
    for description in each.descriptions[:20]:
        lines += _description(description)
    title = "Study" if each.is_study else role or kind or "Object"
    return Part(title, tuple(lines[:_MOST_LINES]), patient=each.id[:256] if each.is_patient else "")


def _description(each: ObjectDescription) -> Iterator[Line]:
    yield from (Line("Accession number", _cut(number)) for number in each.accessions[:_MOST_VALUES])
    yield from (Line("Performed procedure step", _cut(uid)) for uid in each.mpps[:_MOST_VALUES])
    yield from (Line("Contains study", _cut(uid)) for uid in each.studies[:_MOST_VALUES])
    for sop_class in each.sop_classes[:_MOST_VALUES]:
        number = "" if sop_class.number is None else f"{sop_class.number} instances"
        yield Line("SOP Class", _cut(sop_class.uid) or "not named", number)
    for label, value in (("Encrypted", each.encrypted), ("Anonymized", each.anonymized)):
        if value is not None:
            yield Line(label, "yes" if value else "no")


def _source(message: AuditMessage) -> Iterator[Line]:
    source = message.source
    yield Line("Reported by", _cut(source.id) or "not said")
    yield from _plain("Site", source.enterprise_site)
    for code in source.types[:_MOST_VALUES]:
        meaning = code.text or _meaning("audit-source-type", code.code)
        yield Line("Kind of system", _cut(code.code), _cut(meaning))


def _coded(label: str, code: Code) -> Line:
    shown = code.text or code.display or code.code or "not said"
    system = f"{code.system} {code.code}".strip() if code.code and shown != code.code else code.system
    return Line(label, _cut(shown), _cut(system, 120))


def _valued(label: str, value: str, name: str) -> Iterator[Line]:
    """A value of one of the standard's value sets: what it means first, then how it is written."""
    if value:
        meaning = _meaning(name, value)
        yield Line(label, meaning or _cut(value), _cut(value, 40) if meaning else "not a value of the standard")


def _meaning(name: str, value: str) -> str:
    return value_sets()[name].values.get(value, "")


def _plain(label: str, value: str, meaning: str = "") -> Iterator[Line]:
    if value:
        yield Line(label, _cut(value), _cut(meaning, 200))


def _cut(text: str, most: int = _MOST_CHARACTERS) -> str:
    """`text` without what is not seen, and not longer than `most`."""
    shown = "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in text[:most])
    return shown + ("…" if len(text) > most else "")
