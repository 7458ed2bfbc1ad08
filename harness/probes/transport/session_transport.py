"""One TCP connection to a SUT within its bounds, every octet of it kept as evidence."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, suppress
from datetime import UTC, datetime

from harness.observations import Exchange, Reaction, ReactionKind
from harness.probes.base import ProbeContext

HICCUPS = frozenset({ReactionKind.SILENCE, ReactionKind.UNREACHABLE})
"""Ends before any answer after which a handshake is tried once more; for closed connections see `control`."""
_UNANSWERED = "sessions in a row without any answer"
_COUNTED = "when the last of them that counted ended"
_IMPATIENT, _GIVE_UP = 3, 6
_SHORT = 0.5  # seconds for a whole connection to a server that has stopped answering
_CHUNK = 16_384
_MAX_SEGMENTS = 256


class EndedError(Exception):
    """The conversation cannot go on: `kind` and `detail` say how it ended, `alert` and `fatal` where one was sent."""

    def __init__(
        self, kind: ReactionKind, detail: str = "", *, alert: int | None = None, fatal: bool | None = None
    ) -> None:
        super().__init__(detail or kind.value)
        self.kind = kind
        self.detail = detail
        self.alert = alert
        self.fatal = fatal

    def reaction(self, exchange: str, version: int | None = None, suite: int | None = None) -> Reaction:
        """This end as a recorded reaction."""
        return Reaction(
            kind=self.kind,
            version=version,
            suite=suite,
            alert=self.alert,
            fatal=self.fatal,
            detail=self.detail,
            exchange=exchange,
        )


def unanswered(context: ProbeContext) -> int:
    """How many handshakes in a row brought no answer at all; shared by the probes of an endpoint."""
    return int(context.shared.get(_UNANSWERED, 0))


def note_answer(context: ProbeContext, kind: ReactionKind, began: float | None = None) -> None:
    """Count a handshake that ended so. `began`: those that waited at the same time count once, as one starved server
    keeps them all waiting."""
    if kind not in {ReactionKind.SILENCE, ReactionKind.UNREACHABLE}:
        context.shared[_UNANSWERED] = 0
    elif began is None or began >= context.shared.get(_COUNTED, began):
        context.shared[_UNANSWERED] = unanswered(context) + 1
        context.shared[_COUNTED] = time.monotonic()


def worth_another_try(context: ProbeContext, kind: ReactionKind) -> bool:
    """Whether an end of that kind, before any answer, may have been a hiccup."""
    return kind in HICCUPS and unanswered(context) < _IMPATIENT


class Connection:
    """A TCP connection under the deadlines, the octet limit and the conduct budget of a probe context."""

    def __init__(self, context: ProbeContext, purpose: str) -> None:
        self.id = context.next_exchange_id()
        self._context = context
        self._purpose = purpose
        self._resources = ExitStack()
        self._socket: socket.socket | None = None
        self._segments: list[tuple[str, float, bytearray]] = []
        self._received = 0
        self._truncated = False
        self._started = datetime.now(UTC)
        self._clock = time.monotonic()
        self._seconds = 0.0
        self.deadline = self._clock + context.deadlines.exchange
        self._peer = f"{context.target.host}:{context.target.port}"

    def open(self) -> None:
        """Connect. Raises `EndedError` (unreachable)."""
        deadlines, silent = self._context.deadlines, unanswered(self._context)
        if silent >= _GIVE_UP:
            raise EndedError(ReactionKind.UNREACHABLE, "the server has stopped answering and is asked no more")
        patience = _SHORT if silent >= _IMPATIENT else deadlines.exchange
        self._resources.enter_context(self._context.budget.connection())
        self._started, self._clock = datetime.now(UTC), time.monotonic()
        self.deadline = self._clock + patience
        address = self._context.shared.get("address") or (self._context.target.host, self._context.target.port)
        try:
            connected = socket.create_connection(address, min(deadlines.connect, patience))
        except (OSError, UnicodeError) as error:
            why = error.strerror if isinstance(error, OSError) else None
            raise EndedError(ReactionKind.UNREACHABLE, why or str(error)) from error
        self._socket = self._resources.enter_context(connected)
        with suppress(OSError):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            host, port = connected.getpeername()[:2]
            self._peer = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def _note(self, direction: str, data: bytes) -> None:
        if len(self._segments) >= _MAX_SEGMENTS and self._segments[-1][0] == direction:
            self._segments[-1][2].extend(data)
            return
        self._segments.append((direction, round((time.monotonic() - self._clock) * 1000, 3), bytearray(data)))

    def after(self, seconds: float) -> float:
        """The moment `seconds` from now, but not after the connection's own deadline."""
        return min(time.monotonic() + seconds, self.deadline)

    def send(self, data: bytes) -> None:
        """Send all of `data`. Raises `EndedError` (reset, silence)."""
        if self._socket is None:
            raise EndedError(ReactionKind.UNREACHABLE, "not connected")
        self._note("sent", data)
        try:
            self._socket.settimeout(max(self.deadline - time.monotonic(), 0.001))
            self._socket.sendall(data)
        except TimeoutError as error:
            raise EndedError(ReactionKind.SILENCE, "the peer does not read") from error
        except OSError as error:
            raise EndedError(ReactionKind.RESET, "the connection was reset while sending") from error

    def receive(self, until: float | None = None) -> bytes:
        """What comes next, b"" at the end of the stream. Raises `EndedError` (silence, reset, malformed: too much)."""
        if self._socket is None:
            raise EndedError(ReactionKind.UNREACHABLE, "not connected")
        left = self._context.deadlines.received_octets - self._received
        if left <= 0:
            self._truncated = True
            raise EndedError(ReactionKind.MALFORMED, f"more than {self._received} octets were sent")
        patience = min(until if until is not None else self.deadline, self.deadline) - time.monotonic()
        if patience <= 0:
            raise EndedError(ReactionKind.SILENCE, "no answer until the deadline")
        try:
            if hasattr(socket, "TCP_QUICKACK"):  # a peer under Nagle's algorithm waits for our acknowledgement
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            self._socket.settimeout(patience)
            data = self._socket.recv(min(_CHUNK, left))
        except TimeoutError as error:
            raise EndedError(ReactionKind.SILENCE, "no answer until the deadline") from error
        except OSError as error:
            raise EndedError(ReactionKind.RESET, "the connection was reset") from error
        if data:
            self._received += len(data)
            self._note("received", data)
        return data

    def release(self) -> None:
        """Close, and leave the record for `close`: others may connect meanwhile."""
        self._resources.close()
        if self._socket is not None:
            self._seconds = time.monotonic() - self._clock
        self._socket = None

    def close(self, outcome: str, secrets: tuple[str, ...] = (), decoded: tuple[str, ...] = ()) -> Exchange:
        """Close and record the exchange."""
        self.release()
        exchange = Exchange(
            id=self.id,
            purpose=self._purpose,
            endpoint=self._context.target.endpoint,
            started=self._started,
            duration_ms=round(self._seconds * 1000, 3),
            peer=self._peer,
            segments=tuple((direction, at, bytes(data).hex()) for direction, at, data in self._segments),
            outcome=outcome,
            decoded=decoded,
            secrets=secrets if self._context.keep_secrets else (),
            truncated=self._truncated,
        )
        return self._context.record(exchange)
