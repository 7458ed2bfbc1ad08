"""What a receiver tells: messages that arrived, and the connections over which they came."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, NamedTuple

Ending = Literal["close-notify", "close", "reset", "open", ""]


@dataclass(eq=False)
class Connection:
    """One connection, or for UDP what came from one address and port. Facts only; they are complete once it ended.

    `ending` is what the sender did: announced the end of TLS ("close-notify"), closed without that, reset; "open"
    where the receiver ended it, for the reason in `ended_because`. `refused` says why a handshake failed. `framing`
    says what was no frame, of which `no_frame` has the first octets (where `refused`, those of the
    connection); `pending` counts octets of an unfinished frame.
    """

    number: int
    transport: Literal["tls", "udp"]
    peer: str  # host:port
    host: str
    opened: datetime = field(default_factory=lambda: datetime.now(UTC))
    version: str = ""  # "TLSv1.3"
    suite: str = ""  # OpenSSL's name
    certificate: bytes = field(default=b"", repr=False)  # DER; empty: none was presented
    messages: int = 0
    octets: int = 0  # of messages
    framing: str = ""
    no_frame: bytes = b""
    pending: int = 0
    ending: Ending = ""
    ended_because: str = ""
    refused: str = ""
    closed: datetime | None = None


class Arrived(NamedTuple):
    """One syslog message as it came, without its frame."""

    octets: bytes
    connection: Connection
    at: datetime


Handler = Callable[[Sequence[Arrived]], Awaitable[None]]
"""Takes messages of one connection in their order, which were read together: all have one time of arrival.

Nothing more is read from that connection until it returns.
"""

Ended = Callable[[Connection], None]
"""Is told of a connection that has ended, after all of its messages were handed over."""


@dataclass(frozen=True)
class ReceiverLimits:
    """How much a receiver takes: octets, seconds, connections.

    Memory stays within about `in_hand` + `unfinished`, and 64 KiB for each connection: shorter messages under way are
    not counted.
    """

    message: int = 1 << 20  # the longest one
    connections: int = 1000  # at once; more are closed, or first those whose handshake takes long
    handshake: float = 10.0  # seconds for TLS to come about
    idle: float = 900.0  # seconds without an octet
    frame: float = 300.0  # seconds from the first octet of a frame to its last
    closing: float = 5.0  # seconds for the peer to answer close_notify
    in_hand: int = 64 << 20  # octets of messages, over all connections, that the handler has not taken yet
    unfinished: int = 64 << 20  # octets of long messages under way, over all connections
    peers: int = 1000  # addresses told apart over UDP
    socket_buffer: int = 8 << 20  # octets of datagrams that the kernel keeps
    stream_buffer: int = 1 << 18  # octets of a connection that the kernel acknowledges before they are read


DEFAULT_LIMITS = ReceiverLimits()
