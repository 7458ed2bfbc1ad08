"""One connection to a SUT: stimulus out, answer in, within bounds, every octet kept as evidence.

Nothing that a SUT does raises here: it becomes a `Reaction`. A transport hiccup (reset, silence, no connection) is
tried once more, and both tries are recorded. A server that has stopped answering is asked less and less patiently.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from harness.observations import Exchange, Reaction, ReactionKind
from harness.probes.base import ProbeContext
from harness.probes.transport.control import settled
from harness.probes.transport.listening import Listener, TlsListener
from reference_impl.transport.wire import HandshakeMessage, HandshakeType, ServerHello

HICCUPS = frozenset({ReactionKind.SILENCE, ReactionKind.UNREACHABLE})
"""Reactions after which the same stimulus is sent once more; for ends without an answer see `control`."""
_PATIENCE = 3  # exchanges in a row without any answer before patience is shortened
_GIVE_UP = 12  # and before the server is no longer asked at all
_SHORT = 0.5  # seconds: shortened patience, and the wait for the end of a connection after an alert


@dataclass(frozen=True, slots=True)
class Answer:
    """What one stimulus brought. `hello`, `retry` (HelloRetryRequest) and `messages` are filled for TLS only."""

    reaction: Reaction
    hello: ServerHello | None = None
    retry: ServerHello | None = None
    messages: tuple[HandshakeMessage, ...] = ()
    exchanges: tuple[str, ...] = ()  # of all attempts, the decisive one last

    def message(self, message_type: int) -> HandshakeMessage | None:
        """The first handshake message of that type."""
        return next((message for message in self.messages if message.type == message_type), None)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a stimulus is sent and its answer awaited.

    `silence_likely`: wait for `Deadlines.silence` only, and take silence as the answer. `see_end`: after an alert, wait
    shortly for the end of the connection. `once`: no second try. `reply` is asked what to send on the same connection
    once the listener is satisfied (a second ClientHello after a HelloRetryRequest), None to end it.
    """

    until: int = HandshakeType.SERVER_HELLO
    silence_likely: bool = False
    see_end: bool = False
    once: bool = False
    reply: Callable[[TlsListener], bytes | None] | None = None


PLAIN = Manner()
WHOLE_FLIGHT = Manner(until=HandshakeType.SERVER_HELLO_DONE)
UP_TO_KEY_EXCHANGE = Manner(until=HandshakeType.SERVER_KEY_EXCHANGE)


def converse(context: ProbeContext, purpose: str, stimulus: bytes, manner: Manner = PLAIN) -> Answer:
    """Send a ClientHello (records) and read the TLS answer. Never raises for what the SUT does.

    That the connection ended without an answer is believed only if an ordinary hello was answered meanwhile.
    """
    answer = _try(context, purpose, stimulus, manner)
    if manner.once:
        return answer

    def again() -> Answer:
        nonlocal answer
        tried = answer.exchanges
        answer = _try(context, purpose, stimulus, replace(manner, once=True))
        answer = replace(answer, exchanges=tried + answer.exchanges)
        return answer

    return settled(context, answer, again, lambda each: each.reaction, partial(_unanswered, context))


def _unanswered(context: ProbeContext, answer: Answer, reaction: Reaction) -> Answer:
    """`answer` from a server that admits nobody for now."""
    _Health.of(context).failures += 1
    return replace(answer, reaction=reaction)


def _try(context: ProbeContext, purpose: str, stimulus: bytes, manner: Manner) -> Answer:
    tried: list[str] = []
    for attempt in range(2):
        listener = TlsListener(manner.until, context.deadlines.received_octets)
        reaction = attend(context, purpose, stimulus, listener, manner)
        tried += [reaction.exchange] if reaction.exchange else []
        hiccup = reaction.kind in HICCUPS and not (manner.silence_likely or _impatient(context))
        final = manner.once or not hiccup
        if final or attempt:
            break
    return Answer(reaction, listener.hello, listener.retry, tuple(listener.messages), tuple(tried))


def attend(
    context: ProbeContext, purpose: str, stimulus: bytes, listener: Listener, manner: Manner = PLAIN
) -> Reaction:
    """One connection: send `stimulus`, feed `listener` until it is satisfied or a bound is reached, record it all."""
    health = _Health.of(context)
    if health.failures >= _GIVE_UP:
        return Reaction(kind=ReactionKind.UNREACHABLE, detail="the server has stopped answering and is asked no more")
    line = _Line(context, purpose)
    with context.budget.connection():
        began = time.monotonic()
        reaction = line.run(stimulus, listener, manner, _SHORT if health.failures >= _PATIENCE else None)
    if not manner.silence_likely or reaction.kind is ReactionKind.UNREACHABLE:
        health.note(reaction, began)
    exchange = context.record(line.evidence(reaction))
    return reaction.model_copy(update={"exchange": exchange.id})


class _Health:
    """How many exchanges in a row brought no answer at all; shared by the probes of an endpoint.

    Exchanges that waited at the same time count once: a server that serves one connection at a time keeps them all
    waiting while it waits for somebody else.
    """

    def __init__(self) -> None:
        self.failures = 0
        self._counted = 0.0  # when the last silence that counted ended

    @classmethod
    def of(cls, context: ProbeContext) -> _Health:
        health = context.shared.setdefault("health", cls())
        assert isinstance(health, cls)  # noqa: S101 - the key is ours
        return health

    def note(self, reaction: Reaction, began: float) -> None:
        if reaction.kind not in {ReactionKind.SILENCE, ReactionKind.UNREACHABLE}:
            self.failures = 0
        elif began >= self._counted:
            self.failures += 1
            self._counted = time.monotonic()


def _impatient(context: ProbeContext) -> bool:
    return _Health.of(context).failures >= _PATIENCE


class _Line:
    """The socket of one exchange and the record of what went over it."""

    def __init__(self, context: ProbeContext, purpose: str) -> None:
        self._context = context
        self._purpose = purpose
        self._id = context.next_exchange_id()
        self._segments: list[tuple[str, float, str]] = []
        self._received = 0
        self._truncated = False
        self._peer = f"{context.target.host}:{context.target.port}"
        self._start = time.perf_counter()
        self._at = datetime.now(UTC)

    def _elapsed(self) -> float:
        return time.perf_counter() - self._start

    def run(self, stimulus: bytes, listener: Listener, manner: Manner, patience: float | None) -> Reaction:
        self._start, self._at = time.perf_counter(), datetime.now(UTC)
        deadlines = self._context.deadlines
        connected = self._connect(min(deadlines.connect, patience or deadlines.connect))
        if isinstance(connected, Reaction):
            return connected
        with connected:
            wait = deadlines.silence if manner.silence_likely else deadlines.exchange
            deadline = self._start + min(wait, patience or wait)
            ended, detail = self._talk(connected, stimulus, listener, manner, deadline)
            reaction = listener.reaction(ended, detail)
            if reaction.kind is ReactionKind.ALERT and manner.see_end and reaction.closed is None:
                reaction = reaction.model_copy(update={"closed": self._see_end(connected)})
        return reaction

    def _connect(self, timeout: float) -> socket.socket | Reaction:
        target = self._context.target
        address = self._context.shared.get("address") or (target.host, target.port)
        try:
            connected = socket.create_connection(address, timeout)
        except TimeoutError:
            return _unreachable("timeout")
        except ConnectionRefusedError:
            return _unreachable("refused")
        except (socket.gaierror, UnicodeError) as error:
            return _unreachable(f"unresolved: {error}")
        except OSError as error:
            return _unreachable(f"unreachable: {error.strerror or error}")
        with suppress(OSError):
            host, port = connected.getpeername()[:2]
            self._context.shared["address"] = (host, port)
            self._peer = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return connected

    def _talk(
        self, connected: socket.socket, stimulus: bytes, listener: Listener, manner: Manner, deadline: float
    ) -> tuple[ReactionKind, str]:
        try:
            self._send(connected, stimulus, deadline)
            while True:
                ended = self._listen(connected, listener, manner, deadline)
                if ended is not None:
                    return ended
                further = manner.reply(listener) if manner.reply and isinstance(listener, TlsListener) else None
                if further is None:
                    return ReactionKind.CLOSE, ""
                self._send(connected, further, deadline)
        except TimeoutError:
            return ReactionKind.SILENCE, f"no answer within {deadline - self._start:.1f} s"
        except ConnectionError as error:
            return ReactionKind.RESET, error.strerror or "connection reset"
        except OSError as error:
            return ReactionKind.RESET, error.strerror or str(error)

    def _send(self, connected: socket.socket, data: bytes, deadline: float) -> None:
        if not data:
            return
        connected.settimeout(max(deadline - time.perf_counter(), 0.001))
        self._segments.append(("sent", round(self._elapsed() * 1000, 3), data.hex()))
        connected.sendall(data)

    def _listen(
        self, connected: socket.socket, listener: Listener, manner: Manner, deadline: float
    ) -> tuple[ReactionKind, str] | None:
        """Feed the listener; None once it is satisfied, otherwise how the connection ended."""
        chunk = 1024 if manner.until == HandshakeType.SERVER_HELLO else 16_384
        limit = self._context.deadlines.received_octets
        while True:
            left = deadline - time.perf_counter()
            if left <= 0:
                raise TimeoutError
            connected.settimeout(left)
            data = connected.recv(chunk)
            if not data:
                return ReactionKind.CLOSE, "the connection was closed"
            self._keep(data)
            if listener.feed(data):
                return None
            if self._received > limit:
                self._truncated = True
                return ReactionKind.MALFORMED, f"more than {limit} octets without an end"

    def _keep(self, data: bytes) -> None:
        self._received += len(data)
        at = round(self._elapsed() * 1000, 3)
        if len(self._segments) > 64 and self._segments[-1][0] == "received":
            _direction, began, text = self._segments[-1]
            self._segments[-1] = ("received", began, text + data.hex())
        else:
            self._segments.append(("received", at, data.hex()))

    def _see_end(self, connected: socket.socket) -> bool | None:
        try:
            connected.settimeout(_SHORT)
            while data := connected.recv(1024):
                self._keep(data)
                if self._received > self._context.deadlines.received_octets:
                    return None
        except TimeoutError:
            return False
        except OSError:
            return True
        return True

    def evidence(self, reaction: Reaction) -> Exchange:
        """The record of this connection."""
        return Exchange(
            id=self._id,
            purpose=self._purpose,
            endpoint=self._context.target.endpoint,
            started=self._at,
            duration_ms=round(self._elapsed() * 1000, 3),
            peer=self._peer,
            segments=tuple(self._segments),
            outcome=in_words(reaction),
            truncated=self._truncated,
        )


def _unreachable(why: str) -> Reaction:
    return Reaction(kind=ReactionKind.UNREACHABLE, detail=why)


def in_words(reaction: Reaction) -> str:
    """A reaction as one sentence."""
    from reference_impl.transport import registry

    version = registry.version_name(reaction.version) if reaction.version is not None else ""
    suite = registry.suite(reaction.suite).name if reaction.suite is not None else "no suite"
    alert = registry.alert_name(reaction.alert) if reaction.alert is not None else ""
    match reaction.kind:
        case ReactionKind.SERVER_HELLO:
            if reaction.version == 2:
                return "SSL 2.0 SERVER-HELLO."
            return f"ServerHello: {version}, {suite}" + (f", after alert {alert}." if alert else ".")
        case ReactionKind.HELLO_RETRY_REQUEST:
            return f"HelloRetryRequest: {version}, {suite}."
        case ReactionKind.ALERT:
            return f"Alert {'fatal' if reaction.fatal else 'warning'} {alert or reaction.detail}."
        case ReactionKind.CLOSE:
            return "The connection was closed without a TLS answer."
        case ReactionKind.RESET:
            return "The connection was reset."
        case ReactionKind.SILENCE:
            return f"Silence: {reaction.detail}."
        case ReactionKind.PLAINTEXT:
            return f"Octets that are not TLS came: {reaction.detail}."
        case ReactionKind.MALFORMED:
            return f"TLS that breaks the wire format: {reaction.detail}."
        case ReactionKind.UNREACHABLE:
            return f"No connection: {reaction.detail}."
    return reaction.kind.value
