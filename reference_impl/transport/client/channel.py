"""One connection of the client, sans-I/O: records in and out, alerts, and what comes after the handshake."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TypeAlias

from cryptography import x509

from reference_impl.transport.client.refusal import AlertDescription, RefusalError
from reference_impl.transport.client.settings import Check, ClientSettings, Dread
from reference_impl.transport.front.settings import Identity
from reference_impl.transport.protection.keys import KeyAgreementError
from reference_impl.transport.protection.records import ProtectionError, RecordProtection
from reference_impl.transport.registry import alert_name
from reference_impl.transport.wire import (
    MAX_PLAINTEXT,
    TLS12,
    TLS13,
    ContentType,
    HandshakeMessage,
    HandshakeReader,
    HandshakeType,
    Record,
    RecordReader,
    WireError,
    encode_records,
    parse_alert,
)

Steps: TypeAlias = Generator[None, HandshakeMessage, None]
"""A handshake: it is sent each message, in order, and ends when the handshake is complete."""

_CHANGE = encode_records(ContentType.CHANGE_CIPHER_SPEC, b"\x01", TLS12)
_MAX_WARNINGS = 16
_FRAGMENT = 1 << 14


@dataclass
class ClientChannel:
    """A TLS client. Satisfies `reference_impl.transport.front.Channel`; nothing that a server sends raises out of it.

    `verify` judges the certificates (DER, leaf first) and the stapled OCSP response by raising `RefusalError`;
    `identity` is shown when the server asks for a certificate, an empty list without one. After the end `problem` says
    in words what was wrong, `alert_sent` and `alert_received` are AlertDescriptions.
    """

    settings: ClientSettings
    verify: Callable[[tuple[bytes, ...], bytes | None], None]
    server_name: str = ""
    identity: Identity | None = None
    established: bool = False
    finished: bool = False
    problem: str = ""
    alert_sent: int | None = None
    alert_received: int | None = None
    closed_properly: bool = False
    version: int = 0
    suite: int | None = None
    protocol: str = ""
    peer_certificate: x509.Certificate | None = None
    # what the handshake sets
    transcript: bytes = field(default=b"", repr=False)
    read_protection: RecordProtection | None = field(default=None, repr=False)
    write_protection: RecordProtection | None = field(default=None, repr=False)
    pending_read: RecordProtection | None = field(default=None, repr=False)
    on_message: Callable[[HandshakeMessage], None] | None = field(default=None, repr=False)
    late: RefusalError | None = field(default=None, repr=False)
    _records: RecordReader = field(default_factory=lambda: RecordReader(max_octets=1 << 30, max_records=1 << 20))
    _messages: HandshakeReader = field(default_factory=lambda: HandshakeReader(max_messages=256))
    _output: bytearray = field(default_factory=bytearray)
    _plaintext: bytearray = field(default_factory=bytearray)
    _compatible: bool = False
    _warnings: int = 0

    def __post_init__(self) -> None:
        from reference_impl.transport.client.handshake import run

        self._handshake: Steps = run(self)
        next(self._handshake)

    # -- the shape of a channel ----------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Take octets from the wire; empty means that the server closed."""
        if self.finished:
            return
        if not data:
            self._end("" if self.established else "the server closed the connection within the handshake")
            return
        try:
            for record in self._records.feed(data):
                if not self.finished:
                    self._take(record)
        except RefusalError as refusal:
            self._refuse(refusal)
        except WireError as problem:
            self._refuse(RefusalError(AlertDescription.DECODE_ERROR, str(problem)))
        except ProtectionError as problem:
            self._refuse(RefusalError(AlertDescription.BAD_RECORD_MAC, str(problem)))
        except KeyAgreementError as problem:
            self._refuse(RefusalError(AlertDescription.ILLEGAL_PARAMETER, str(problem)))

    def data_to_send(self) -> bytes:
        """Return, and forget, the octets that go to the wire."""
        data = bytes(self._output)
        self._output.clear()
        return data

    def plaintext(self) -> bytes:
        """Return, and forget, what was decrypted."""
        data = bytes(self._plaintext)
        self._plaintext.clear()
        return data

    def send_plaintext(self, data: bytes) -> None:
        """Encrypt `data` for the server."""
        if not self.established or self.finished:
            return
        for at in range(0, len(data), _FRAGMENT):
            self.send(ContentType.APPLICATION_DATA, data[at : at + _FRAGMENT])
        if self.late is not None:
            self._refuse(self.late)

    def close(self) -> None:
        """Send close_notify."""
        if not self.finished and self.established:
            self._send_alert(1, AlertDescription.CLOSE_NOTIFY)
        self.finished = True

    # -- for the handshake ---------------------------------------------------------------------------------------

    def send(self, content_type: int, payload: bytes) -> None:
        """Put `payload` into records as they go out now."""
        if self.write_protection is None:
            version = min(self.version, TLS12) or 0x0301
            self._output += encode_records(content_type, payload, version)
            return
        if self.version >= TLS13:
            self.change_for_middleboxes()
        self._output += self.write_protection.seal(content_type, payload)

    def change_for_middleboxes(self) -> None:
        """The ChangeCipherSpec of RFC 8446 D.4, once."""
        if not self._compatible:
            self._compatible = True
            self._output += _CHANGE

    def send_change(self) -> None:
        """The ChangeCipherSpec of TLS 1.2 and less."""
        self._output += encode_records(ContentType.CHANGE_CIPHER_SPEC, b"\x01", min(self.version, TLS12))

    def require(self, check: Check, good: object, alert: AlertDescription, reason: str) -> None:
        """Raise `RefusalError` unless `good`, or the client leaves out `check`."""
        if not good and self.settings.checks(check):
            raise RefusalError(alert, reason)

    def heed(self, judge: Callable[[], None]) -> None:
        """Run `judge`; what it raises is put off by a client that verifies late."""
        try:
            judge()
        except RefusalError as refusal:
            if not self.settings.deviations.verifies_late:
                raise
            self.late = self.late or refusal

    # -- records -------------------------------------------------------------------------------------------------

    def _take(self, record: Record) -> None:
        opened = self._open(record)
        if opened is None:
            return
        content_type, payload = opened
        if len(payload) > MAX_PLAINTEXT:
            raise RefusalError(AlertDescription.RECORD_OVERFLOW, f"a record of {len(payload)} octets")
        if content_type == ContentType.ALERT:
            self._take_alert(payload)
        elif content_type == ContentType.HANDSHAKE:
            if self.settings.dreads(Dread.SPLIT_RECORDS) and len(payload) < 4:
                raise RefusalError(AlertDescription.UNEXPECTED_MESSAGE, "a handshake message in pieces")
            self._take_handshake(payload)
        elif content_type == ContentType.APPLICATION_DATA and self.established:
            self._plaintext += payload
        else:
            raise RefusalError(AlertDescription.UNEXPECTED_MESSAGE, f"a record of type {content_type} at this point")

    def _open(self, record: Record) -> tuple[int, bytes] | None:
        """Type and plaintext of `record`; None where it is passed over."""
        if record.content_type == ContentType.CHANGE_CIPHER_SPEC:
            self._take_change(record.payload)
            return None
        if self.read_protection is None:
            return record.content_type, record.payload
        if self.version >= TLS13 and record.content_type != ContentType.APPLICATION_DATA:
            if record.content_type == ContentType.ALERT and not self.established:
                return record.content_type, record.payload  # a server that could not make keys says so in the clear
            raise RefusalError(AlertDescription.UNEXPECTED_MESSAGE, "a record that is not protected")
        return self.read_protection.open(record)

    def _take_change(self, payload: bytes) -> None:
        if self.established or payload != b"\x01" or self._messages.pending:
            raise RefusalError(AlertDescription.UNEXPECTED_MESSAGE, "a ChangeCipherSpec at this point")
        if self.version >= TLS13 or not self.version:
            return
        if self.pending_read is None:
            raise RefusalError(AlertDescription.UNEXPECTED_MESSAGE, "a ChangeCipherSpec before its time")
        self.read_protection, self.pending_read = self.pending_read, None

    def _take_handshake(self, payload: bytes) -> None:
        if not payload:
            raise RefusalError(AlertDescription.UNEXPECTED_MESSAGE, "an empty handshake record")
        messages = self._messages.feed(payload)
        for at, message in enumerate(messages, 1):
            before = self.read_protection
            if self.established:
                self._take_later(message)
            elif message.type != HandshakeType.HELLO_REQUEST:  # to be passed over within a handshake (RFC 5246 7.4.1.1)
                self._advance(message)
            if self.read_protection is not before and (at < len(messages) or self._messages.pending):
                raise RefusalError(AlertDescription.UNEXPECTED_MESSAGE, "a message that spans a change of keys")

    def _advance(self, message: HandshakeMessage) -> None:
        try:
            self._handshake.send(message)
        except StopIteration:
            self.established = True

    def _take_later(self, message: HandshakeMessage) -> None:
        """A message after the handshake: renegotiation is declined, tickets and key updates are taken in."""
        if self.version < TLS13 and message.type == HandshakeType.HELLO_REQUEST:
            self._send_alert(1, AlertDescription.NO_RENEGOTIATION)
            self._count_warning()
        elif self.version >= TLS13 and self.on_message is not None:
            self.on_message(message)
        else:
            raise RefusalError(AlertDescription.UNEXPECTED_MESSAGE, f"handshake message {message.type} afterwards")

    # -- alerts and the end --------------------------------------------------------------------------------------

    def _take_alert(self, payload: bytes) -> None:
        alert = parse_alert(payload)
        if alert.description == AlertDescription.CLOSE_NOTIFY:
            self.closed_properly = self.established
            self._end("" if self.established else "the server closed the connection within the handshake")
            if self.established:
                self._send_alert(1, AlertDescription.CLOSE_NOTIFY)
        elif alert.fatal or self.version >= TLS13:
            self.alert_received = alert.description
            self._end(f"the server sent the alert {alert_name(alert.description)}")
        else:
            self._count_warning()

    def _count_warning(self) -> None:
        self._warnings += 1
        if self._warnings > _MAX_WARNINGS:
            raise RefusalError(AlertDescription.UNEXPECTED_MESSAGE, "too many warnings")

    def _refuse(self, refusal: RefusalError) -> None:
        self.alert_sent = int(refusal.alert)
        self._send_alert(2, refusal.alert)
        self._end(refusal.reason)

    def _send_alert(self, level: int, description: int) -> None:
        self.send(ContentType.ALERT, bytes((level, description)))

    def _end(self, problem: str) -> None:
        self.problem = self.problem or problem
        self.finished = True
