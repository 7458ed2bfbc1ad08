"""A TLS server for trials, sans-I/O: SSL 3.0 to TLS 1.3, good by default, with every deviation that a script asks for.

It verifies nothing about a client certificate: what it is for is to see what clients do.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm

from reference_impl.transport.protection.keys import KeyAgreementError
from reference_impl.transport.protection.records import Aead13, ProtectionError, RecordProtection
from reference_impl.transport.registry import alert_name, suite
from reference_impl.transport.trials.notes import MAXIMUM_NONCES, Notes
from reference_impl.transport.trials.script import Presentation, Script
from reference_impl.transport.wire import (
    TLS13,
    Alert,
    ClientHello,
    ContentType,
    ExtensionType,
    HandshakeMessage,
    HandshakeReader,
    HandshakeType,
    Record,
    RecordReader,
    WireError,
    encode_record,
    parse_alert,
    parse_client_hello,
)
from reference_impl.transport.wire.extensions import find, parse_numbers

CLOSE_NOTIFY, UNEXPECTED_MESSAGE, BAD_RECORD_MAC, HANDSHAKE_FAILURE = 0, 10, 20, 40
ILLEGAL_PARAMETER, DECODE_ERROR, DECRYPT_ERROR, PROTOCOL_VERSION, INTERNAL_ERROR = 47, 50, 51, 70, 80
NO_RENEGOTIATION = 100
NOTHING_TO_SELECT = "the client does not offer what this trial selects"
MAXIMUM_OCTETS = 1 << 28
_MAXIMUM_RECORDS = 1 << 18
_MAXIMUM_EARLY_OCTETS = 1 << 16
_APPLICATION_RECORD = 1 << 14
_RECORD_TYPES = frozenset(int(kind) for kind in ContentType)

_TELLING = frozenset({int(HandshakeType.CLIENT_KEY_EXCHANGE), int(HandshakeType.FINISHED)})

Steps: TypeAlias = Generator[None, HandshakeMessage, None]
"""A handshake: it waits for one message after the other."""


class FailureError(Exception):
    """The server cannot go on, and says so by a fatal alert."""

    def __init__(self, alert: int, detail: str) -> None:
        super().__init__(detail)
        self.alert = alert


@dataclass(frozen=True)
class Server:
    """What a server has besides its script: its certificate, what it asks client certificates of, its ALPN names.

    `alternate` has the other kind of key (elliptic curve), for clients that verify no signature of the first.
    """

    shown: Presentation
    authorities: tuple[bytes, ...] = ()
    foreign_authorities: tuple[bytes, ...] = ()
    protocols: tuple[str, ...] = ()
    alternate: Presentation | None = None


@dataclass
class ServerStack:
    """One connection of the server: octets of the wire in and out, plaintext in and out."""

    server: Server
    script: Script = field(default_factory=Script)
    notes: Notes = field(default_factory=Notes)
    established: bool = False
    finished: bool = False

    def __post_init__(self) -> None:
        self._reader = RecordReader(MAXIMUM_OCTETS, _MAXIMUM_RECORDS)
        self._handshake = HandshakeReader()
        self._out = bytearray()
        self._plaintext = bytearray()
        self._early_left = 0
        self._unprotected = False  # the server has spoken without TLS
        self._hello_record_version = 0x0301
        self.read_protection: RecordProtection | None = None
        self.write_protection: RecordProtection | None = None
        self.pending_read: RecordProtection | None = None
        self.transcript = b""
        self.flight_sent = False
        self.blind = False  # what was selected cannot be computed here: only whether the client goes on is seen
        self.record_version = 0x0301
        self.afterwards: Callable[[HandshakeMessage], None] | None = None
        self.shown = self.server.shown
        self._corrupt = self.script.corrupt
        self._steps = self._converse()
        next(self._steps)

    # -- the wire ----------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Take octets of the client; empty means that it closed. Never raises for what the client does."""
        if not data:
            self.finished = True
        if self.finished:
            return
        if self._unprotected and data[0] not in _RECORD_TYPES:
            self._plaintext += data
            return
        try:
            for record in self._reader.feed(data):
                self._take(record)
                if self.finished:
                    return
            if self._reader.broken:
                raise self._reader.broken
        except FailureError as failure:
            self.fail(failure.alert, str(failure))
        except ProtectionError as problem:
            self.fail(BAD_RECORD_MAC, str(problem))
        except WireError as problem:
            self.fail(DECODE_ERROR, str(problem))
        except KeyAgreementError as problem:
            self.fail(ILLEGAL_PARAMETER, str(problem))
        except (UnsupportedAlgorithm, ValueError) as problem:
            self.fail(INTERNAL_ERROR, f"the listener cannot sign what the trial wants: {problem}")

    def _take(self, record: Record) -> None:
        if record.content_type == ContentType.CHANGE_CIPHER_SPEC:
            self._change_cipher()
            return
        opened = self._opened(record)
        if opened is None:
            return
        kind, payload = opened
        if kind == ContentType.ALERT:
            self._take_alert(parse_alert(payload))
        elif kind == ContentType.HANDSHAKE:
            self._hello_record_version = record.version
            for message in self._handshake.feed(payload):
                self._take_message(message)
                if self.finished:
                    return
        elif kind == ContentType.APPLICATION_DATA and self.established:
            self.notes.line(f"received application data, {len(payload)} octets")
            self._plaintext += payload
        elif kind == ContentType.APPLICATION_DATA and self._early_left > 0:
            self._early_left -= len(payload)
        else:
            raise FailureError(UNEXPECTED_MESSAGE, f"a record of type {kind} in the handshake")

    def _opened(self, record: Record) -> tuple[int, bytes] | None:
        """Content type and plaintext of `record`; None for early data, which is skipped."""
        protection = self.read_protection
        if protection is None:
            if self.blind and record.content_type == ContentType.APPLICATION_DATA:
                self.notes.went_on()
                raise FailureError(HANDSHAKE_FAILURE, "the client goes on; the listener cannot, with what it selected")
            return record.content_type, record.payload
        thirteen = self.notes.version == TLS13
        if thirteen and record.content_type == ContentType.ALERT and not self.established:
            return record.content_type, record.payload  # a client that did not come to its keys
        if not thirteen:
            self._note_nonce(record)
        try:
            return protection.open(record)
        except ProtectionError:
            if not thirteen or self.established or self._early_left <= 0:
                raise
            self._early_left -= len(record.payload)
            protection.sequence = 0
            return None

    def _note_nonce(self, record: Record) -> None:
        explicit = self.notes.suite is not None and suite(self.notes.suite).mode in {"GCM", "CCM", "CCM_8"}
        if explicit and len(self.notes.explicit_nonces) < MAXIMUM_NONCES:
            self.notes.explicit_nonces.append(record.payload[:8])

    def _change_cipher(self) -> None:
        if self.notes.version is None or self.notes.version >= TLS13:
            return
        if self.blind:
            self.notes.went_on()
            raise FailureError(HANDSHAKE_FAILURE, "the client goes on; the listener cannot, with what it selected")
        if self.pending_read is None:
            raise FailureError(UNEXPECTED_MESSAGE, "an early change_cipher_spec")
        self.read_protection, self.pending_read = self.pending_read, None

    def _take_alert(self, alert: Alert) -> None:
        self.notes.line(f"received alert {'fatal' if alert.fatal else 'warning'} {alert_name(alert.description)}")
        if alert.description == CLOSE_NOTIFY:
            self.notes.close_notify = True
            self.close()
        else:
            if self.notes.alert is None or not self.notes.alert.fatal:
                self.notes.alert = alert
            thirteen = self.notes.version == TLS13 and alert.description != 90  # user_canceled
            self.finished = self.finished or alert.fatal or thirteen

    # -- messages ----------------------------------------------------------------------------------

    def _take_message(self, message: HandshakeMessage) -> None:
        self.notes.message("received", message.encode(), protected=self.read_protection is not None)
        if self.established:
            if self.afterwards is not None:
                self.afterwards(message)
            return
        if self.flight_sent and message.type in self._telling():
            self.notes.went_on()
        try:
            self._steps.send(message)
        except StopIteration:
            self.established = True

    def _telling(self) -> frozenset[int]:
        """Messages that tell that the client goes on: below TLS 1.3 some send a Certificate before they have looked."""
        thirteen = (self.notes.version or 0) >= TLS13
        return _TELLING | {HandshakeType.CERTIFICATE} if thirteen else _TELLING

    def _converse(self) -> Steps:
        message = yield
        hello = self.take_hello(message)
        if find(hello.extensions or (), ExtensionType.EARLY_DATA) is not None:
            self._early_left = _MAXIMUM_EARLY_OCTETS
        if self.script.mute or not self.script.handshake:
            self._answer_otherwise()
            while True:
                yield
        version = self._choose_version(hello)
        self.notes.version = version
        if version >= TLS13:
            from reference_impl.transport.trials.tls13 import Handshake13

            yield from Handshake13(self, hello).run(message)
        else:
            from reference_impl.transport.trials.legacy import LegacyHandshake

            yield from LegacyHandshake(self, hello, version).run(message)

    def _answer_otherwise(self) -> None:
        """Say what stands in place of a handshake; where that is no TLS, the client's answer to it is of interest."""
        opening = self.script.opening
        self._out += opening
        self.notes.line(f"answered the ClientHello otherwise, by {len(opening)} octets")
        self._unprotected = bool(opening) and opening[0] != ContentType.ALERT
        if opening[:1] == bytes((ContentType.ALERT,)):
            self.notes.said = opening[-1]
        self.finished = not self.script.mute and not self._unprotected

    def take_hello(self, message: HandshakeMessage) -> ClientHello:
        """Note and read a ClientHello. Raises `FailureError`, `WireError`."""
        if message.type != HandshakeType.CLIENT_HELLO:
            raise FailureError(UNEXPECTED_MESSAGE, f"handshake message {message.type} instead of a ClientHello")
        self.notes.hellos.append((self._hello_record_version, message.encode()))
        hello = parse_client_hello(message.body)
        if self.notes.progress == "nothing":
            self.notes.progress = "hello"
        return hello

    def _choose_version(self, hello: ClientHello) -> int:
        if self.script.version is not None:
            return self.script.version
        listed = hello.extension(ExtensionType.SUPPORTED_VERSIONS)
        if listed is not None:
            offered = set(parse_numbers(listed, 1, 2, "supported_versions"))
        else:
            offered = set(range(0x0300, min(hello.client_version, 0x0303) + 1))
        chosen = next((version for version in self.script.versions if version in offered), None)
        if chosen is None:
            raise FailureError(PROTOCOL_VERSION, "the client offers no version that this trial is played in")
        return chosen

    def say(self, *messages: bytes) -> None:
        """Send handshake messages, changed as the script wants it, and keep them in the transcript."""
        changed = [self._changed(message) for message in messages]
        said = [message for message in changed if message]
        for message in said:
            self.notes.message("sent", message, protected=self.write_protection is not None)
        self.transcript += b"".join(said)
        self.put(ContentType.HANDSHAKE, self._cut(said))

    def _changed(self, message: bytes) -> bytes:
        hook = self.script.messages.get(message[0])
        return message if hook is None else hook(message)

    def _cut(self, messages: list[bytes]) -> list[bytes]:
        if self.script.records == "together":
            whole = b"".join(messages)
            return [whole[at : at + _APPLICATION_RECORD] for at in range(0, len(whole), _APPLICATION_RECORD)]
        if self.script.records == "octets":
            return [bytes((octet,)) for octet in b"".join(messages)]
        return [
            message[at : at + _APPLICATION_RECORD]
            for message in messages
            for at in range(0, len(message), _APPLICATION_RECORD)
        ]

    def put(self, content_type: int, payloads: Iterable[bytes]) -> None:
        """Send one record for each of `payloads`, protected once there are keys."""
        for payload in payloads:
            self._out += self._sealed(content_type, payload)

    def put_raw(self, octets: bytes) -> None:
        """Send octets as they are."""
        self._out += octets

    def _sealed(self, content_type: int, payload: bytes) -> bytes:
        protection = self.write_protection
        if protection is None:
            return encode_record(content_type, payload, self.record_version)
        wanted = "application" if content_type == ContentType.APPLICATION_DATA else "handshake"
        corrupt = self._corrupt == wanted
        if corrupt:
            self._corrupt = ""
        if self.script.padding and isinstance(protection, Aead13):
            room = min(self.script.padding, _APPLICATION_RECORD - len(payload))
            # The inner plaintext ends in its content type and zeros, the last of which `seal` puts there.
            return protection.seal(0, payload + bytes((content_type,)) + bytes(max(room - 1, 0)), corrupt=corrupt)
        return protection.seal(content_type, payload, corrupt=corrupt)

    def fail(self, alert: int, detail: str) -> None:
        """Send a fatal alert and end."""
        if not self.notes.detail:
            self.notes.detail = detail
        if not self.finished:
            self.notes.said = alert
            self.notes.line(f"sent alert fatal {alert_name(alert)}: {detail}")
            self.put(ContentType.ALERT, [Alert(2, alert).encode()])
        self.finished = True

    # -- application data --------------------------------------------------------------------------

    def data_to_send(self) -> bytes:
        """Return, and forget, the octets that go to the wire."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def plaintext(self) -> bytes:
        """Return, and forget, what was decrypted."""
        data = bytes(self._plaintext)
        self._plaintext.clear()
        return data

    def send_plaintext(self, data: bytes) -> None:
        """Protect application data for the client, cut as the script wants it."""
        if self.finished:
            return
        self.notes.line(f"sent application data, {len(data)} octets")
        length = self.script.application_octets or _APPLICATION_RECORD
        for at in range(0, len(data), length):
            if self.script.application_empty:
                self.put(ContentType.APPLICATION_DATA, [b""])
            self.put(ContentType.APPLICATION_DATA, [data[at : at + length]])

    def close(self) -> None:
        """Send close_notify, unless the script closes without, and end."""
        if not self.finished and not self.script.bare_close and self.established:
            self.put(ContentType.ALERT, [Alert(1, CLOSE_NOTIFY).encode()])
        self.finished = True
