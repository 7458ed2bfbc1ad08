"""What the faults of the reference repository do: what it keeps of a message, and how it reads a connection."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal

Keeps = Callable[[bytes], bytes | None]
"""What is kept of a syslog message; None: nothing."""

_SPLITS = re.compile(rb" +")
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_ASTRAL_OCTETS = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{3}")
_WIDE = re.compile("[^\x00-\xff]")
_LEAP = re.compile(rb'EventDateTime="[^"]*:60[.Z+-]')
_MSGIDS = frozenset({b"DICOM+RFC3881", b"IHE+RFC-3881", b"-"})
_EVENT = re.compile(rb"<EventID[^>]*csd-code=[\"']([^\"']*)[\"']")


Jams = Callable[[bytes, bool], bool]
"""Whether a syslog message, which came as a datagram or not, makes a repository stop for good."""


@dataclass(frozen=True)
class Collecting:
    """How a repository collects. The defaults are as it should be.

    `reads` says how messages are found in a connection: by their octet count, by line ends, the first message of each
    TLS record, or the messages that lie within one record. Once `jams` finds something, nothing more is kept.
    """

    keeps: tuple[Keeps, ...] = ()
    jams: tuple[Jams, ...] = ()
    reads: Literal["counted", "lines", "first-of-record", "within-record"] = "counted"
    answers_close: bool = True
    survives_garbage: bool = True
    survives_abrupt_ends: bool = True
    patient: bool = True  # waits for the rest of a message
    one_at_a_time: bool = False  # closes connections that come while there is one
    audit_alone: bool = False  # takes nothing more from a connection that brings something else, nor the next datagram
    one_port: bool = False  # takes no datagram from another port shortly after one

    def stops_at(self, message: bytes, *, udp: bool) -> bool:
        """Whether `message`, which came as a datagram or not, is the last."""
        return any(jam(message, udp) for jam in self.jams)

    def kept(self, message: bytes) -> bytes | None:
        """What is kept of `message`."""
        found: bytes | None = message
        for keep in self.keeps:
            if found is not None:
                found = keep(found)
        return found


def combined(behaviours: Iterable[Collecting]) -> Collecting:
    """All of `behaviours` together: what each changes."""
    proper = Collecting()
    made = proper
    for one in behaviours:
        changes = {
            each.name: getattr(one, each.name)
            for each in fields(Collecting)
            if each.name not in {"keeps", "jams"} and getattr(one, each.name) != getattr(proper, each.name)
        }
        made = replace(made, keeps=made.keeps + one.keeps, jams=made.jams + one.jams, **changes)
    return made


def _cut(octets: int) -> Keeps:
    return lambda message: message[:octets]


def _without(lost: Callable[[bytes], bool]) -> Keeps:
    return lambda message: None if lost(message) else message


def _of_length(octets: int) -> Callable[[bytes], bool]:
    """Messages of that length."""
    return lambda message: len(message) == octets


def _field(message: bytes, number: int) -> bytes:
    """A field of the header, by its place: 0 is PRI with VERSION."""
    parts = _SPLITS.split(message, number + 1)
    return parts[number] if len(parts) > number else b""


def _body(message: bytes) -> bytes:
    _, mark, body = message.partition(b"<AuditMessage")
    return mark + body


def _again(pattern: re.Pattern[str]) -> Keeps:
    """Characters that `pattern` finds are kept as question marks."""

    def keep(message: bytes) -> bytes:
        try:
            return pattern.sub("?", message.decode()).encode()
        except UnicodeDecodeError:
            return message

    return keep


def _reports(code: str) -> Callable[[bytes], bool]:
    named = re.compile(rb"<EventID[^>]*csd-code=[\"']%b[\"']" % code.encode())
    return lambda message: named.search(message) is not None


def _of_other_event(message: bytes) -> bool:
    """Whether the event is none that DICOM knows."""
    found = _EVENT.search(message)
    return found is not None and not found[1].startswith(b"1101")


def _against_schema(message: bytes, _udp: bool) -> bool:
    """Whether the message is XML, and does not follow the schema."""
    from reference_impl.audit.validator import validate

    result = validate(_body(message))
    return result.schema_valid is False and _is_xml(message)


def _is_xml(message: bytes) -> bool:
    from reference_impl.audit.parsing import UnreadableMessageError, parse_xml

    try:
        parse_xml(_body(message))
    except UnreadableMessageError:
        return False
    return True


def _of_broken_header(message: bytes, _udp: bool) -> bool:
    from reference_impl.audit.syslog.messages import examine

    return examine(message)[0] is None


def _of_broken_message(message: bytes, _udp: bool) -> bool:
    return not _is_xml(message) and message.startswith(b"<85>1 ")


def _ends_early(message: bytes, udp: bool) -> bool:
    return udp and not message.rstrip().endswith(b"</AuditMessage>")


def _of_other_facility(message: bytes, _udp: bool) -> bool:
    return re.match(rb"<8[0-7]>", message) is None


BEHAVIOURS: Mapping[str, Collecting] = {
    # How much of a message is kept
    "loses-480-octets": Collecting((_without(_of_length(480)),)),
    "loses-1180-octets": Collecting((_without(_of_length(1180)),)),
    "loses-2048-octets": Collecting((_without(_of_length(2048)),)),
    "loses-8192-octets": Collecting((_without(_of_length(8192)),)),
    "keeps-the-ends-of-long-messages": Collecting((lambda message: message[-32768:],)),
    "cuts-at-1024-octets": Collecting((_cut(1024),)),
    "cuts-at-2048-octets": Collecting((_cut(2048),)),
    "cuts-at-8192-octets": Collecting((_cut(8192),)),
    "cuts-at-32767-octets": Collecting((_cut(32767),)),
    # What is kept of it
    "loses-log-outs": Collecting((_without(_reports("110114")),)),
    "loses-other-events": Collecting((_without(_of_other_event),)),
    "loses-leap-seconds": Collecting((_without(lambda message: _LEAP.search(message) is not None),)),
    "loses-other-severities": Collecting((_without(lambda message: not message.startswith(b"<85>")),)),
    "loses-other-msgids": Collecting((_without(lambda message: _field(message, 5) not in _MSGIDS),)),
    "loses-msgids-of-ihe": Collecting((_without(lambda message: _field(message, 5) == b"IHE+RFC-3881"),)),
    "loses-structured-data": Collecting((_without(lambda message: not _field(message, 6).startswith(b"-")),)),
    "loses-byte-order-marks": Collecting((_without(lambda message: b"\xef\xbb\xbf" in message),)),
    "loses-nil-fields": Collecting((_without(lambda message: b"-" in (_field(message, 2), _field(message, 3))),)),
    "loses-other-planes": Collecting((_without(lambda message: _ASTRAL_OCTETS.search(message) is not None),)),
    "loses-xml-declarations": Collecting((_without(lambda message: b"<?xml" in message),)),
    "keeps-latin-1-alone": Collecting((_again(_WIDE),)),
    "keeps-one-plane-alone": Collecting((_again(_ASTRAL),)),
    # What stops it
    "jams-on-other-facilities": Collecting(jams=(_of_other_facility,)),
    "jams-on-broken-headers": Collecting(jams=(_of_broken_header,)),
    "jams-on-broken-messages": Collecting(jams=(_of_broken_message,)),
    "jams-on-what-no-schema-has": Collecting(jams=(_against_schema,)),
    "jams-on-large-datagrams": Collecting(jams=(lambda message, udp: udp and len(message) > 2048,)),
    "jams-on-truncated-datagrams": Collecting(jams=(_ends_early,)),
    "jams-on-garbage": Collecting(survives_garbage=False),
    "jams-on-abrupt-ends": Collecting(survives_abrupt_ends=False),
    # How it reads
    "reads-lines": Collecting(reads="lines"),
    "reads-the-first-message-of-a-record": Collecting(reads="first-of-record"),
    "reads-within-records": Collecting(reads="within-record"),
    "does-not-wait": Collecting(patient=False),
    "serves-one-at-a-time": Collecting(one_at_a_time=True),
    "takes-audit-messages-alone": Collecting(audit_alone=True),
    "takes-one-port-alone": Collecting(one_port=True),
    "does-not-answer-close": Collecting(answers_close=False),
}
"""What each fault of the repository does."""


def collecting(names: Iterable[str]) -> Collecting:
    """How a repository with these faults collects. Raises `UnknownFaultError` for a name that is none."""
    from reference_impl.faults.tables import known_names

    return combined(BEHAVIOURS[name] for name in known_names(names, BEHAVIOURS))


def repository_behaviours() -> Mapping[str, Collecting]:
    """What each fault of the repository does, by its name."""
    return BEHAVIOURS
