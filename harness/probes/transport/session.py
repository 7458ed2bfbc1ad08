"""A TLS client whose every step can be steered: one handshake with one server, from TLS 1.0 to 1.3.

It stops where it is told to, shows or withholds a certificate, resumes with what it chooses, sends records with a
broken integrity check, and reads what other stacks keep to themselves. It authenticates nobody: what the server
shows is recorded, not trusted. Nothing that a server does raises out of it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Self

from harness.observations import Reaction, ReactionKind
from harness.probes.base import ProbeContext
from harness.probes.transport.control import MUTE, settled
from harness.probes.transport.session_credentials import ClientIdentity, SigningError
from harness.probes.transport.session_transport import Connection, EndedError, note_answer, worth_another_try
from reference_impl.transport.protection.keys import KeyAgreementError
from reference_impl.transport.protection.records import KeyShape, ProtectionError, RecordProtection
from reference_impl.transport.registry import ALERTS, SUITES
from reference_impl.transport.wire.codes import TLS12, TLS13, ContentType, HandshakeType
from reference_impl.transport.wire.extensions import Extension
from reference_impl.transport.wire.hello import ServerHello
from reference_impl.transport.wire.messages import CertificateRequest, NewSessionTicket, ServerKeyExchange
from reference_impl.transport.wire.octets import WireError
from reference_impl.transport.wire.records import (
    HandshakeMessage,
    HandshakeReader,
    Record,
    RecordReader,
    encode_records,
    parse_alert,
)

_CLOSE_NOTIFY = bytes((1, 0))
_MAX_LINES = 100
_SHOWN = 64


class Stop(Enum):
    """How far a handshake is taken."""

    SERVER_FLIGHT = "server flight"  # what the server says first, up to ServerHelloDone or CertificateVerify
    COMPLETED = "completed"


@dataclass(frozen=True)
class Resumable:
    """What a later session needs in order to resume an earlier one."""

    version: int
    suite: int
    secret: bytes = field(repr=False)  # master secret, or in TLS 1.3 the PSK of the ticket
    session_id: bytes = b""
    ticket: bytes = b""
    age_add: int = 0
    obtained: float = 0.0  # monotonic clock
    max_early_data: int | None = None
    extended_master_secret: bool = False


@dataclass(frozen=True)
class Offer:
    """What a session offers: exactly one `version`, and its suites in order of preference."""

    version: int
    suites: tuple[int, ...]
    schemes: tuple[int, ...]
    groups: tuple[int, ...]
    shares: tuple[int, ...] = ()  # groups with a key share in the first hello (TLS 1.3)
    server_name: str = ""
    extended_master_secret: bool = True
    encrypt_then_mac: bool = True
    renegotiation_info: bool = True
    certificate_schemes: tuple[int, ...] = ()  # signature_algorithms_cert
    status_request: bool = False
    session_ticket: bool = False  # TLS 1.2: ask for a ticket
    resume: Resumable | None = None
    psk_modes: tuple[int, ...] = (1,)  # TLS 1.3: 0 psk_ke, 1 psk_dhe_ke
    early_data: bytes = b""  # sent as 0-RTT data with `resume`
    alpn: tuple[str, ...] = ()
    identity: ClientIdentity | None = None


@dataclass
class ServerFlight:
    """What the server said in its part of the handshake."""

    hello: ServerHello | None = None
    retried: bool = False  # it sent a HelloRetryRequest first
    encrypted_extensions: tuple[Extension, ...] | None = None
    certificates: tuple[bytes, ...] | None = None
    ocsp: bytes | None = None
    key_exchange: ServerKeyExchange | None = None
    request: CertificateRequest | None = None
    scheme: int | None = None  # signature scheme of ServerKeyExchange or CertificateVerify
    resumed: bool = False
    early_data_accepted: bool = False


@dataclass(frozen=True)
class Incoming:
    """What came after the handshake: `data` (application), `message`, a warning `alert`, or the `end`."""

    data: bytes | None = None
    message: HandshakeMessage | None = None
    alert: int | None = None
    end: Reaction | None = None


class Session:
    """One connection. Use as a context manager; leaving it closes the connection and records the exchange."""

    def __init__(self, context: ProbeContext, offer: Offer, purpose: str) -> None:
        self.context = context
        self.offer = offer
        self._purpose = purpose
        self._begin()

    def _begin(self) -> None:
        """A new connection, and nothing said yet."""
        self.flight = ServerFlight()
        self.version = self.offer.version
        self.suite: int | None = None
        self.shape: KeyShape | None = None
        self.established = False
        self.tickets: list[NewSessionTicket] = []
        self.resumable: list[Resumable] = []
        self.explicit_nonces: list[bytes] = []
        self.early_data_sent = False
        self.secrets: list[str] = []
        self.decoded: list[str] = []
        self.outcome = ""
        self.transcript = b""
        self.client_verify_data = b""
        self.server_verify_data = b""
        self.on_message: Callable[[HandshakeMessage], None] | None = None  # key updates and tickets of TLS 1.3
        self.read_protection: RecordProtection | None = None
        self.pending_read: RecordProtection | None = None
        self.write_protection: RecordProtection | None = None
        self.connection = Connection(self.context, self._purpose)
        self._records: deque[Record] = deque()
        self._messages: deque[HandshakeMessage] = deque()
        limit = self.context.deadlines.received_octets
        self._record_reader = RecordReader(max_octets=limit)
        self._handshake_reader = HandshakeReader(max_message=limit)
        self._any_record = False
        self._write_closed = False

    @property
    def id(self) -> str:
        """Id of the exchange that witnesses this session."""
        return self.connection.id

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.established:
            self.close_writing()
        self.connection.close(self.outcome or "no handshake was tried", tuple(self.secrets), tuple(self.decoded))

    def handshake(self, stop: Stop = Stop.COMPLETED) -> Reaction:
        """Connect and shake hands as far as `stop`. The reaction is COMPLETED, SERVER_HELLO (stopped, or could not be
        taken further, then with a detail), or how the server refused or failed."""
        reaction = self._shake_hands(stop)
        if self.flight.hello is None and worth_another_try(self.context, reaction.kind):
            self._give_up(reaction)
            reaction = self._shake_hands(stop)
        if self.flight.hello is None and reaction.kind in MUTE:
            reaction = self._settled(stop, reaction)
        self.outcome = describe(reaction)
        return reaction

    def _give_up(self, reaction: Reaction) -> None:
        """End the connection and begin anew."""
        self.connection.close(describe(reaction), tuple(self.secrets), tuple(self.decoded))
        self._begin()

    def _settled(self, stop: Stop, reaction: Reaction) -> Reaction:
        """What becomes of a handshake that ended without an answer; the control needs the connection's place."""

        def again() -> Reaction:
            nonlocal reaction
            self._give_up(reaction)
            reaction = self._shake_hands(stop)
            if reaction.kind in MUTE:
                self.connection.release()
            return reaction

        def nobody(_tried: Reaction, outcome: Reaction) -> Reaction:
            note_answer(self.context, ReactionKind.UNREACHABLE)
            return outcome

        self.connection.release()
        return settled(self.context, reaction, again, lambda each: each, nobody)

    def _shake_hands(self, stop: Stop) -> Reaction:
        from harness.probes.transport.session_handshake import run_handshake

        began = time.monotonic()
        reaction = self._guarded(lambda: run_handshake(self, stop))
        note_answer(self.context, reaction.kind, began)
        return reaction

    def _guarded(self, step: Callable[[], None]) -> Reaction:
        kind = ReactionKind.SERVER_HELLO
        detail = ""
        try:
            step()
            if self.established:
                kind = ReactionKind.COMPLETED
        except EndedError as ended:
            return ended.reaction(self.id, self._seen_version(), self.suite)
        except (WireError, ProtectionError) as error:
            kind, detail = ReactionKind.MALFORMED, str(error)
        except (KeyAgreementError, SigningError) as error:
            detail = f"the handshake could not be taken further: {error}"
        return Reaction(kind=kind, version=self._seen_version(), suite=self.suite, detail=detail, exchange=self.id)

    def _seen_version(self) -> int | None:
        return self.version if self.flight.hello is not None else None

    # -- records and messages ------------------------------------------------------------------------------------

    def send_raw(self, data: bytes) -> None:
        """Send octets as they are. Raises `EndedError`."""
        self.connection.send(data)

    def sealed(self, content_type: int, payload: bytes, *, corrupt: bool = False) -> bytes:
        """`payload` in records as they go out now, protected or not."""
        if self.write_protection is None:
            return encode_records(content_type, payload, min(self.version, TLS12))
        return self.write_protection.seal(content_type, payload, corrupt=corrupt)

    def next_record(self, until: float | None = None) -> tuple[int, bytes]:
        """The next record, opened. Raises `EndedError`, `WireError`, `ProtectionError`."""
        while not self._records:
            data = self.connection.receive(until)
            if not data:
                raise EndedError(ReactionKind.CLOSE, "the connection was closed")
            try:
                self._records.extend(self._record_reader.feed(data))
            except WireError as error:
                kind = ReactionKind.MALFORMED if self._any_record else ReactionKind.PLAINTEXT
                raise EndedError(kind, str(error)) from error
        self._any_record = True
        record = self._records.popleft()
        plain_in_13 = self.version >= TLS13 and record.content_type != ContentType.APPLICATION_DATA
        if self.read_protection is None or plain_in_13:
            return record.content_type, record.payload
        if self._explicit_nonce_suite():
            self.explicit_nonces.append(record.payload[:8])
        return self.read_protection.open(record)

    def _explicit_nonce_suite(self) -> bool:
        return self.version == TLS12 and self.shape is not None and self.shape.tag > 0 and self.shape.fixed_iv == 4

    def note(self, line: str) -> None:
        """Keep a readable line for the evidence; what is encrypted cannot be decoded later."""
        if len(self.decoded) < _MAX_LINES:
            self.decoded.append(line)

    def _received(self, messages: list[HandshakeMessage]) -> None:
        self._messages.extend(messages)
        for message in messages:
            self.note(f"received {message_name(message.type)}, {len(message.body)} octets")

    def _alert(self, payload: bytes) -> int:
        alert = parse_alert(payload)
        name = ALERTS.get(alert.description, str(alert.description))
        self.note(f"received alert {'fatal' if alert.fatal else 'warning'} {name}")
        if alert.description == 0:
            raise EndedError(ReactionKind.CLOSE, "close_notify")
        if alert.fatal or self.version >= TLS13:
            raise EndedError(ReactionKind.ALERT, alert=alert.description, fatal=alert.fatal)
        return alert.description

    def _change_cipher_spec(self) -> None:
        if self.version >= TLS13:
            return
        if self.pending_read is None:
            raise EndedError(ReactionKind.MALFORMED, "an unexpected ChangeCipherSpec")
        self.read_protection, self.pending_read = self.pending_read, None

    def next_message(self, until: float | None = None) -> HandshakeMessage:
        """The next handshake message; HelloRequests and warnings are passed over. Raises as `next_record`."""
        while True:
            while self._messages:
                message = self._messages.popleft()
                if message.type != HandshakeType.HELLO_REQUEST:
                    return message
            content_type, payload = self.next_record(until)
            if content_type == ContentType.HANDSHAKE:
                self._received(self._handshake_reader.feed(payload))
            elif content_type == ContentType.ALERT:
                self._alert(payload)
            elif content_type == ContentType.CHANGE_CIPHER_SPEC:
                self._change_cipher_spec()
            elif content_type == ContentType.APPLICATION_DATA:
                raise EndedError(ReactionKind.MALFORMED, "application data within the handshake")

    # -- after the handshake -------------------------------------------------------------------------------------

    def send(self, data: bytes, *, content_type: int = ContentType.APPLICATION_DATA, corrupt: bool = False) -> bool:
        """Send protected data; False if the connection did not take it (what the server said can still be read)."""
        self.note(f"sent record of type {content_type}, {len(data)} octets{', its MAC broken' if corrupt else ''}")
        try:
            self.connection.send(self.sealed(content_type, data, corrupt=corrupt))
        except EndedError:
            return False
        return True

    def close_writing(self) -> None:
        """Say that nothing more will be sent (close_notify); reading goes on."""
        if not self._write_closed:
            self._write_closed = True
            self.send(_CLOSE_NOTIFY, content_type=ContentType.ALERT)

    def read(self, seconds: float) -> Incoming:
        """What comes next within `seconds`. Tickets and key updates are taken in on the way."""
        until = self.connection.after(seconds)
        incoming: list[Incoming] = []
        while not incoming:
            end = self._guarded(lambda: self._take_one(until, incoming))
            if end.kind is not ReactionKind.COMPLETED:
                return Incoming(end=end)
        return incoming[0]

    def _take_one(self, until: float, incoming: list[Incoming]) -> None:
        if not self._messages:
            content_type, payload = self.next_record(until)
            if content_type == ContentType.APPLICATION_DATA and payload:
                self.note(f"received application data, {len(payload)} octets: {payload[:_SHOWN].hex()}")
                incoming.append(Incoming(data=payload))
            elif content_type == ContentType.ALERT:
                incoming.append(Incoming(alert=self._alert(payload)))
            elif content_type == ContentType.HANDSHAKE:
                self._received(self._handshake_reader.feed(payload))
        while self._messages and not incoming:
            message = self._messages.popleft()
            if message.type in {HandshakeType.NEW_SESSION_TICKET, HandshakeType.KEY_UPDATE} and self.on_message:
                self.on_message(message)
            elif message.type != HandshakeType.HELLO_REQUEST:
                incoming.append(Incoming(message=message))

    def drain(self, seconds: float, *, until_data: bool = False) -> Reaction | None:
        """Close our side and read until the server ends the connection, at most `seconds`; how it ended.

        `until_data`: application data is the end, too (None): who sends it has judged us and sent its tickets.
        """
        self.close_writing()
        until = self.connection.after(seconds)
        while True:
            incoming = self.read(max(until - time.monotonic(), 0.0))
            if incoming.end is not None:
                return incoming.end
            if until_data and incoming.data is not None:
                return None


def message_name(code: int) -> str:
    """Name of a handshake message as the standards write it."""
    try:
        return HandshakeType(code).name.title().replace("_", "")
    except ValueError:
        return f"handshake message {code}"


def describe(reaction: Reaction) -> str:
    """One sentence for the evidence: how a connection went."""
    parts = {
        ReactionKind.COMPLETED: "handshake completed",
        ReactionKind.SERVER_HELLO: "the server's part of the handshake was read",
        ReactionKind.ALERT: f"refused with alert {reaction.alert}",
        ReactionKind.CLOSE: "closed by the server",
        ReactionKind.RESET: "reset by the server",
        ReactionKind.SILENCE: "no answer until the deadline",
        ReactionKind.PLAINTEXT: "the answer is no TLS",
        ReactionKind.MALFORMED: "the answer breaks the wire format",
        ReactionKind.UNREACHABLE: "no TCP connection",
    }
    text = parts.get(reaction.kind, reaction.kind.value)
    if reaction.suite is not None and reaction.accepted:
        known = SUITES.get(reaction.suite)
        text += f" with {known.name if known else f'suite 0x{reaction.suite:04X}'}"
    return f"{text}: {reaction.detail}" if reaction.detail else text


__all__ = [
    "Incoming",
    "Offer",
    "Resumable",
    "ServerFlight",
    "Session",
    "Stop",
    "describe",
]
