"""What a trial's server takes down about the client while it serves it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from reference_impl.transport.wire import MAX_PLAINTEXT, TLS12, Alert, ContentType, HandshakeType, encode_record
from reference_impl.transport.wire.describe import describe

Progress = Literal["nothing", "hello", "went-on", "completed"]

MAXIMUM_NONCES = 64
_MAXIMUM_LINES = 200
_NAMES = {kind.value: kind.name.lower() for kind in HandshakeType}
_DETAILED = (HandshakeType.CLIENT_HELLO, HandshakeType.SERVER_HELLO, HandshakeType.CERTIFICATE_REQUEST)


@dataclass
class Notes:
    """Facts of one connection. Versions, suites, groups and schemes are IANA code points; None: not come to.

    `hellos` are the ClientHello messages with their headers, each with the version of its record. `certificates` are
    DER, leaf first; None where the client was not asked. `said` is the fatal alert that the server sent, `alert` the
    client's first that is not close_notify. `secrets` are NSS key log lines,
    `lines` what was said in both directions.
    """

    hellos: list[tuple[int, bytes]] = field(default_factory=list)
    version: int | None = None
    suite: int | None = None
    group: int | None = None
    progress: Progress = "nothing"
    alert: Alert | None = None
    close_notify: bool = False
    said: int | None = None
    certificates: tuple[bytes, ...] | None = None
    scheme: int | None = None
    dhe_public: bytes = b""
    explicit_nonces: list[bytes] = field(default_factory=list)
    detail: str = ""
    secrets: list[str] = field(default_factory=list, repr=False)
    lines: list[str] = field(default_factory=list, repr=False)

    def line(self, text: str) -> None:
        """Keep a readable line of what was said: what is protected cannot be read from the octets later."""
        if len(self.lines) < _MAXIMUM_LINES:
            self.lines.append(text)

    def message(self, direction: str, message: bytes, *, protected: bool) -> None:
        """Keep what a handshake message (with its header) says, hellos and certificate requests in detail."""
        kind = message[0]
        name = _NAMES.get(kind, f"handshake message {kind}")
        self.line(f"{direction} {name}, {len(message)} octets{', protected' if protected else ''}")
        if kind in _DETAILED and len(message) < MAX_PLAINTEXT:
            record = encode_record(ContentType.HANDSHAKE, message)
            for text in describe(record, suite=self.suite, version=self.version or TLS12)[2:]:
                self.line(text)

    def went_on(self) -> None:
        """The client has sent more than an alert after the server's flight."""
        if self.progress in ("nothing", "hello"):
            self.progress = "went-on"
