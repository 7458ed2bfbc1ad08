"""What the repository keeps of a message beside its octets: by what it is found, and what was found in it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

LONGEST_VALUE: Final = 256
"""Longer values are indexed and shown up to here; the octets keep them whole."""

KINDS: Final = (
    "user",  # UserID
    "user-name",  # UserName, AlternativeUserID, each AE title of an "AETITLES=" list
    "address",  # NetworkAccessPointID of a participant
    "patient",  # ParticipantObjectID of a patient
    "patient-name",
    "study",  # Study Instance UID
    "object",  # any other ParticipantObjectID
    "node",  # AuditSourceID; without one the host that the header names, or the sender's address
    "site",  # AuditEnterpriseSiteID
    "source-type",
    "host",  # HOSTNAME of the syslog header
    "application",  # APP-NAME
    "peer",  # address from which the message came
    "event",  # code of EventID
    "event-type",  # code of each EventTypeCode
    "action",
    "outcome",
    "level",  # shall, should, open, note: the levels of what was found
    "rule",  # id of each rule that a finding cites
    "mark",
)
"""The kinds of values by which messages are found."""

MARKS: Final = {
    "own": "the repository's own message",
    "not-syslog": "no syslog message of RFC 5424",
    "legacy-syslog": "a syslog message of the older form (RFC 3164)",
    "not-audit": "no audit message: what is carried is not XML, or its root is another element",
    "refused-xml": "XML that is not read: a document type, or beyond the limits",
    "invalid-utf-8": "octets that are no UTF-8",
    "nul": "holds a NUL character",
    "broken-xml": "XML that is not well-formed, or cut off; what could be read of it is indexed",
    "no-time": "no readable EventDateTime; the time of arrival stands in its place",
    "future": "EventDateTime lies in the future; the time of arrival stands in its place",
    "no-source": "names no AuditSourceID; host or sender stand in its place",
    "many-values": "more values than are indexed",
    "not-examined": "could not be examined: the examination ended or took too long",
}
"""What is remarkable about how a message came, beside what is found in its content."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Facts(NamedTuple):
    """What is indexed of one message. Times are microseconds since 1970 UTC; counts are of findings by level."""

    event_time: int | None = None
    event: str = ""
    event_system: str = ""
    event_name: str = ""
    action: str = ""
    outcome: str = ""
    node: str = ""
    site: str = ""
    host: str = ""
    application: str = ""
    users: str = ""  # as shown: the first few, separated by ", "
    patients: str = ""
    shall: int = 0
    should: int = 0
    open: int = 0
    notes: int = 0
    marks: tuple[str, ...] = ()
    values: bytes = b""
    """Everything by which the message is found, as `packed` writes it: most messages are only handed on."""

    @property
    def terms(self) -> tuple[tuple[str, str], ...]:
        """(kind, value) of everything by which the message is found, each pair once."""
        return tuple((kind, value) for kind, _, value in (key.partition("=") for key in unpacked(self.values)))


class Received(NamedTuple):
    """A message on its way into the store: octets as they came, when, how and from whom, and what was told of them."""

    octets: bytes
    arrived: int
    transport: str  # "tls", "tcp", "udp", "own", "file"
    peer: str  # address, without port
    connection: int | None
    facts: Facts


def packed(terms: Iterable[tuple[str, str]]) -> bytes:
    """Kinds and values, which hold no NUL, in one piece."""
    return "\0".join(map("=".join, terms)).encode()


def unpacked(values: bytes) -> list[str]:
    """Each kind, "=" and value of what `packed` wrote."""
    return values.decode().split("\0") if values else []


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 UTC. Raises ValueError for a time without zone."""
    if moment.tzinfo is None:
        raise ValueError("a time without zone")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment_of(value: int) -> datetime:
    """The time that is `value` microseconds after 1970, in UTC."""
    return _EPOCH + timedelta(microseconds=value)


def clean(text: str, longest: int = LONGEST_VALUE) -> str:
    """`text` as it is indexed: no NUL and no half surrogates (no database takes them), and no longer than `longest`."""
    cut = text[:longest]
    if cut.isascii() and "\0" not in cut:
        return cut
    return cut.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
