"""What came back on one connection, read as it arrives: TLS, SSL 2.0, or anything else. Sans-I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from harness.observations import Reaction, ReactionKind
from reference_impl.transport import registry
from reference_impl.transport.wire import (
    SSL2,
    ContentType,
    HandshakeMessage,
    HandshakeReader,
    HandshakeType,
    RecordReader,
    ServerHello,
    WireError,
    parse_alert,
    parse_server_hello,
    parse_ssl2_server_hello,
    ssl2_record,
)
from reference_impl.transport.wire.codes import TLS13

UNFINISHED = "an unfinished TLS message had come"
"""How the detail of a reaction ends where a TLS answer began and was not completed."""
_ENDS = frozenset({ReactionKind.CLOSE, ReactionKind.RESET})


class Listener(Protocol):
    """Reads one direction of a connection."""

    def feed(self, data: bytes) -> bool:
        """Take octets; True once no more are needed."""

    def reaction(self, ended: ReactionKind, detail: str) -> Reaction:
        """The reaction. `ended` and `detail` tell how the connection ended (no detail: the listener was satisfied)."""


@dataclass
class TlsListener:
    """Reads until the handshake message `until`, a ServerHelloDone, the ServerHello of TLS 1.3, or a fatal alert."""

    until: int = HandshakeType.SERVER_HELLO
    limit: int = 262_144
    hello: ServerHello | None = None
    retry: ServerHello | None = None
    messages: list[HandshakeMessage] = field(default_factory=list)
    alert: int | None = None
    fatal: bool | None = None
    problem: str = ""
    plaintext: bool = False

    def __post_init__(self) -> None:
        self._records = RecordReader(max_octets=self.limit, max_records=1024)
        self._handshake = HandshakeReader(max_message=self.limit, max_messages=64)
        self._recognised = False

    def feed(self, data: bytes) -> bool:
        """Take octets; True once no more are needed, the octets being wrong included."""
        try:
            for record in self._records.feed(data):
                self._recognised = True
                if self._take(record.content_type, record.payload):
                    return True
            if self._records.broken:
                raise self._records.broken
        except WireError as error:
            self.problem = str(error)
            self.plaintext = not self._recognised
            return True
        return False

    def _take(self, content_type: int, payload: bytes) -> bool:
        if content_type == ContentType.ALERT:
            alert = parse_alert(payload)
            self.alert, self.fatal = alert.description, alert.fatal
            return alert.fatal or alert.description == 0
        if content_type == ContentType.CHANGE_CIPHER_SPEC:
            return False
        if content_type != ContentType.HANDSHAKE:
            raise WireError(f"record of type {content_type} before the handshake ended", "handshake")
        return any(self._message(message) for message in self._handshake.feed(payload))

    def _message(self, message: HandshakeMessage) -> bool:
        self.messages.append(message)
        if message.type != HandshakeType.SERVER_HELLO:
            if self.hello is None and message.type != HandshakeType.HELLO_REQUEST:
                raise WireError(f"handshake message {message.type} instead of a ServerHello", "handshake")
            return message.type in {self.until, HandshakeType.SERVER_HELLO_DONE}
        hello = parse_server_hello(message.body)
        if hello.is_hello_retry_request:
            if self.retry is not None:
                raise WireError("a second HelloRetryRequest", "handshake")
            self.retry = hello
            return True
        self.hello = hello
        return self.until == HandshakeType.SERVER_HELLO or hello.version >= TLS13

    def reaction(self, ended: ReactionKind, detail: str) -> Reaction:
        """What the server did, the strongest first: a ServerHello outranks an alert that came with it."""
        if self.hello is not None:
            return Reaction(
                kind=ReactionKind.SERVER_HELLO,
                version=self.hello.version,
                suite=self.hello.cipher_suite,
                alert=self.alert,
                fatal=self.fatal,
                closed=True if detail and ended in _ENDS else None,
                detail=self.problem,
            )
        if self.alert is not None and (self.fatal or ended in _ENDS):
            return Reaction(
                kind=ReactionKind.ALERT,
                alert=self.alert,
                fatal=self.fatal,
                closed=True if detail and ended in _ENDS else None,
                detail=registry.alert_name(self.alert),
            )
        if self.problem:
            kind = ReactionKind.PLAINTEXT if self.plaintext else ReactionKind.MALFORMED
            return Reaction(kind=kind, detail=self.problem)
        if self.retry is not None:
            return Reaction(
                kind=ReactionKind.HELLO_RETRY_REQUEST,
                version=self.retry.version,
                suite=self.retry.cipher_suite,
                detail=detail,
            )
        if self._records.pending or self._handshake.pending:
            detail = f"{detail}; {UNFINISHED}".lstrip("; ")
        return Reaction(kind=ended, alert=self.alert, fatal=self.fatal, detail=detail)


@dataclass
class Ssl2Listener:
    """Reads the answer to an SSL 2.0 CLIENT-HELLO: a SERVER-HELLO, an SSL 2.0 error, or a TLS alert."""

    cipher_kinds: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self._data = b""
        self._tls: TlsListener | None = None
        self._reaction: Reaction | None = None

    def feed(self, data: bytes) -> bool:
        """Take octets; True once the answer is clear."""
        if self._tls is not None:
            return self._tls.feed(data)
        self._data += data
        if self._data[:1] in {b"\x15", b"\x16"} and self._data[1:2] in {b"", b"\x03"}:
            self._tls = TlsListener()
            return self._tls.feed(self._data)
        try:
            body = ssl2_record(self._data)
            if body is None:
                return False
            self._reaction = self._read(body)
        except WireError as error:
            self._reaction = Reaction(kind=ReactionKind.PLAINTEXT, detail=str(error))
        return True

    def _read(self, body: bytes) -> Reaction:
        if body[:1] == b"\x00":
            return Reaction(kind=ReactionKind.ALERT, fatal=True, detail=f"SSL 2.0 error {body[1:3].hex()}")
        self.cipher_kinds = parse_ssl2_server_hello(body).cipher_kinds
        return Reaction(
            kind=ReactionKind.SERVER_HELLO, version=SSL2, suite=self.cipher_kinds[0] if self.cipher_kinds else None
        )

    def reaction(self, ended: ReactionKind, detail: str) -> Reaction:
        """What the server did."""
        if self._tls is not None:
            return self._tls.reaction(ended, detail)
        return self._reaction or Reaction(kind=ended, detail=detail)


@dataclass
class RawListener:
    """Collects octets until `enough` says so; recognises TLS alerts as such, and leaves the rest to the caller."""

    enough: Callable[[bytes], bool]
    data: bytes = b""

    def feed(self, data: bytes) -> bool:
        """Take octets; True once there are enough."""
        self.data += data
        return self.enough(self.data)

    def reaction(self, ended: ReactionKind, detail: str) -> Reaction:
        """A TLS alert, plaintext, or how the connection ended."""
        if not self.data:
            return Reaction(kind=ended, detail=detail)
        if self.data[0] == ContentType.ALERT and self.data[1:2] == b"\x03":
            listener = TlsListener()
            listener.feed(self.data)
            return listener.reaction(ended, detail)
        return Reaction(kind=ReactionKind.PLAINTEXT, detail=detail)
