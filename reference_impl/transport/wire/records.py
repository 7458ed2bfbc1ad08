"""The record layer and the reassembly of handshake messages: bytes in, values out (RFC 5246 6.2, RFC 8446 5.1)."""

from __future__ import annotations

from typing import NamedTuple

from reference_impl.transport.wire.codes import ContentType
from reference_impl.transport.wire.octets import WireError

MAX_PLAINTEXT = 2**14
MAX_RECORD = MAX_PLAINTEXT + 2048
_HEADER = 5
_CONTENT_TYPES = frozenset(ContentType)


class Record(NamedTuple):
    """One record: `content_type`, `version` as on the record, `payload` (protected or not)."""

    content_type: int
    version: int
    payload: bytes

    def encode(self) -> bytes:
        """The record on the wire. Raises `OverflowError` if the payload does not fit."""
        return encode_record(self.content_type, self.payload, self.version)


def encode_record(content_type: int, payload: bytes, version: int = 0x0303) -> bytes:
    """One record, not split: header (type, version, length) and `payload` of at most 65535 octets."""
    return bytes((content_type,)) + version.to_bytes(2, "big") + len(payload).to_bytes(2, "big") + payload


def encode_records(content_type: int, payload: bytes, version: int = 0x0303, limit: int = MAX_PLAINTEXT) -> bytes:
    """`payload` split over records of at most `limit` octets each; an empty payload gives one empty record."""
    starts = range(0, max(len(payload), 1), limit)
    return b"".join(encode_record(content_type, payload[at : at + limit], version) for at in starts)


class RecordReader:
    """Splits a stream into records.

    `feed` returns the records that are complete. A stream that stops being TLS sets `broken`, and `feed` raises it
    unless it has records to return first. Limits: `max_octets` fed and `max_records` returned in all.
    """

    def __init__(self, max_octets: int = 1 << 20, max_records: int = 4096) -> None:
        self._buffer = bytearray()
        self._octets_left = max_octets
        self._records_left = max_records
        self.broken: WireError | None = None

    @property
    def pending(self) -> int:
        """Octets of an unfinished record that are waiting for the rest."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Record]:
        """The records completed by `data`. Raises `WireError`."""
        if self.broken:
            raise self.broken
        self._octets_left -= len(data)
        if self._octets_left < 0:
            self.broken = WireError("more octets than the limit allows", "record layer")
            raise self.broken
        self._buffer += data
        records: list[Record] = []
        try:
            while (record := self._next()) is not None:
                records.append(record)
        except WireError as error:
            self.broken = error
            if not records:
                raise
        return records

    def _next(self) -> Record | None:
        buffer = self._buffer
        if buffer and buffer[0] not in _CONTENT_TYPES:
            raise WireError(f"0x{buffer[0]:02X} is no record type", "record header")
        if len(buffer) > 1 and buffer[1] != 3:
            raise WireError(f"0x{buffer[1]:02X} is no major version of TLS", "record header")
        if len(buffer) < _HEADER:
            return None
        length = int.from_bytes(buffer[3:5], "big")
        if length > MAX_RECORD:
            raise WireError(f"record of {length} octets, {MAX_RECORD} are allowed", "record header")
        end = _HEADER + length
        if len(buffer) < end:
            return None
        self._records_left -= 1
        if self._records_left < 0:
            raise WireError("more records than the limit allows", "record layer")
        record = Record(buffer[0], int.from_bytes(buffer[1:3], "big"), bytes(buffer[_HEADER:end]))
        del buffer[:end]
        return record


class HandshakeMessage(NamedTuple):
    """One handshake message: `type` (HandshakeType) and `body` without the four octets of header."""

    type: int
    body: bytes

    def encode(self) -> bytes:
        """The message with its header."""
        return bytes((self.type,)) + len(self.body).to_bytes(3, "big") + self.body


class HandshakeReader:
    """Reassembles handshake messages from the payloads of handshake records.

    Limits: `max_message` octets in one message, `max_messages` in all.
    """

    def __init__(self, max_message: int = 1 << 18, max_messages: int = 64) -> None:
        self._buffer = bytearray()
        self._max_message = max_message
        self._messages_left = max_messages

    @property
    def pending(self) -> int:
        """Octets of an unfinished message that are waiting for the rest."""
        return len(self._buffer)

    def feed(self, payload: bytes) -> list[HandshakeMessage]:
        """The messages completed by `payload`. Raises `WireError` at a limit."""
        buffer = self._buffer
        buffer += payload
        messages: list[HandshakeMessage] = []
        while len(buffer) >= 4:
            length = int.from_bytes(buffer[1:4], "big")
            if length > self._max_message:
                raise WireError(f"message of {length} octets, the limit is {self._max_message}", "handshake header")
            if len(buffer) < 4 + length:
                break
            self._messages_left -= 1
            if self._messages_left < 0:
                raise WireError("more messages than the limit allows", "handshake")
            messages.append(HandshakeMessage(buffer[0], bytes(buffer[4 : 4 + length])))
            del buffer[: 4 + length]
        return messages


class Alert(NamedTuple):
    """An alert: `level` 1 warning, 2 fatal; `description` an AlertDescription."""

    level: int
    description: int

    def encode(self) -> bytes:
        """The two octets of the alert."""
        return bytes(self)

    @property
    def fatal(self) -> bool:
        """Whether the level is fatal."""
        return self.level == 2


def parse_alert(payload: bytes) -> Alert:
    """The (first) alert of an alert record's payload. Raises `WireError` if it is no plain alert."""
    if len(payload) < 2 or len(payload) % 2:
        raise WireError(f"alert record of {len(payload)} octets", "alert")
    if payload[0] not in {1, 2}:
        raise WireError(f"alert level {payload[0]}", "alert")
    return Alert(payload[0], payload[1])
