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
_WIDE = re.compile("[^\x00-\xff]")
_LEAP = re.compile(rb'EventDateTime="[^"]*:60[.Z+-]')
_KNOWN_MSGIDS = frozenset({b"DICOM+RFC3881", b"IHE+RFC-3881"})


@dataclass(frozen=True)
class Collecting:
    """How a repository collects. The defaults are as it should be.

    `reads` says how messages are found in a connection: by their octet count, by line ends, the first message of each
    TLS record, the messages that lie within one record, or those that came before garbage (which then ends the port).
    `datagram` is the longest datagram that is taken; 0: any.
    """

    keeps: tuple[Keeps, ...] = ()
    reads: Literal["counted", "lines", "first-of-record", "within-record"] = "counted"
    most: int = 0  # longer messages are skipped; 0: none
    datagram: int = 0
    answers_close: bool = True
    survives_garbage: bool = True
    patient: bool = True  # waits for the rest of a message
    one_at_a_time: bool = False
    joins_next: bool = False  # a message after a cut-off one is lost with it
    udp_counted: bool = False

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
            if each.name != "keeps" and getattr(one, each.name) != getattr(proper, each.name)
        }
        made = replace(made, keeps=made.keeps + one.keeps, **changes)
    return made


def _cut(octets: int) -> Keeps:
    return lambda message: message[:octets]


def _without(lost: Callable[[bytes], bool]) -> Keeps:
    return lambda message: None if lost(message) else message


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


def _unknown(message: bytes) -> bool:
    """Whether the message holds what no schema of DICOM has."""
    from reference_impl.audit.validator import validate

    return validate(_body(message)).schema_valid is False


BEHAVIOURS: Mapping[str, Collecting] = {
    # How much of a message is kept
    "cuts-at-1024-octets": Collecting((_cut(1024),)),
    "cuts-at-2048-octets": Collecting((_cut(2048),)),
    "cuts-at-8192-octets": Collecting((_cut(8192),)),
    "cuts-at-32767-octets": Collecting((_cut(32767),)),
    "loses-more-than-8192-octets": Collecting((_without(lambda message: len(message) > 8192),)),
    "loses-more-than-65536-octets": Collecting((_without(lambda message: len(message) > 65536),)),
    # What is kept of it
    "loses-leap-seconds": Collecting((_without(lambda message: _LEAP.search(message) is not None),)),
    "loses-log-outs": Collecting((_without(_reports("110114")),)),
    "loses-unknown-messages": Collecting((_without(_unknown),)),
    "loses-other-priorities": Collecting((_without(lambda message: not message.startswith(b"<85>")),)),
    "loses-other-facilities": Collecting((_without(lambda message: not re.match(rb"<8[0-7]>", message)),)),
    "loses-other-msgids": Collecting((_without(lambda message: _field(message, 5) not in _KNOWN_MSGIDS),)),
    "loses-structured-data": Collecting((_without(lambda message: not _field(message, 6).startswith(b"-")),)),
    "loses-byte-order-marks": Collecting((_without(lambda message: b"\xef\xbb\xbf" in message),)),
    "loses-nil-fields": Collecting((_without(lambda message: b"-" in (_field(message, 2), _field(message, 3))),)),
    "keeps-latin-1-alone": Collecting((_again(_WIDE),)),
    "keeps-one-plane-alone": Collecting((_again(_ASTRAL),)),
    "keeps-lines-alone": Collecting((lambda message: message.replace(b"\n", b" "),)),
    "keeps-up-to-nul": Collecting((lambda message: message.partition(b"\0")[0],)),
    # How it reads
    "reads-lines": Collecting(reads="lines"),
    "reads-the-first-message-of-a-record": Collecting(reads="first-of-record"),
    "reads-within-records": Collecting(reads="within-record"),
    "dies-of-garbage": Collecting(survives_garbage=False),
    "does-not-wait": Collecting(patient=False),
    "serves-one-at-a-time": Collecting(one_at_a_time=True),
    "does-not-answer-close": Collecting(answers_close=False),
    "takes-480-octets-of-datagrams": Collecting(datagram=480),
    "takes-1024-octets-of-datagrams": Collecting(datagram=1024),
    "takes-counted-datagrams": Collecting(udp_counted=True),
}
"""What each fault of the repository does."""


def collecting(names: Iterable[str]) -> Collecting:
    """How a repository with these faults collects. Raises `UnknownFaultError` for a name that is none."""
    from reference_impl.faults.tables import known_names

    return combined(BEHAVIOURS[name] for name in known_names(names, BEHAVIOURS))
