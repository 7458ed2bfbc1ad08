"""One connection of syslog over TLS, in an event loop: handshake, frames, back-pressure, deadlines, a proper end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import ssl
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from reference_impl.audit.syslog.arrivals import Arrived, Connection, Ended, Ending, Handler, ReceiverLimits
from reference_impl.audit.syslog.flow import Flow
from reference_impl.audit.syslog.layers import Layer
from reference_impl.audit.syslog.tls import Trust
from reference_impl.syslog_frames import FrameError, FrameReader

_CHUNK = 1 << 18  # octets read from a socket at once
_SMALL = 1 << 16  # messages up to this length have room without asking
_FAIR = 0.5  # seconds that a handshake may take where others wait for a place
_SHOWN = 64  # octets that are kept of what came instead of a handshake
_log = logging.getLogger(__name__)


@dataclass
class Hall:
    """What the connections of a receiver share. One buffer serves all: what is read is decrypted before others read."""

    trust: Trust
    layer: Callable[[], Layer]
    limits: ReceiverLimits
    flow: Flow
    handler: Handler
    ended: Ended
    begin: Callable[[Coroutine[None, None, None]], None]  # a task that somebody waits for
    number: Callable[[], int]

    def __post_init__(self) -> None:
        self.wire = memoryview(bytearray(_CHUNK))
        self.plain = memoryview(bytearray(2 * _CHUNK))  # more than one read of the wire and a begun record hold
        self.connections: set[SecureConnection] = set()

    def has_room(self, now: float) -> bool:
        """Whether there is room for all, if need be in the place of who has been shaking hands for longest."""
        if len(self.connections) <= self.limits.connections:
            return True
        slow = [each for each in self.connections if each.handshake_since < now - _FAIR]
        if slow:
            min(slow, key=lambda each: each.handshake_since).give_way()
        return bool(slow)


class SecureConnection(asyncio.BufferedProtocol):
    """A sender that is connected. While its messages are with the handler, nothing more is read from it."""

    def __init__(self, hall: Hall) -> None:
        self._hall, self._limits, self._flow = hall, hall.limits, hall.flow
        self._tls = hall.layer()
        self._frames = FrameReader(hall.limits.message)
        self._loop = asyncio.get_running_loop()
        self._began = self._heard = self._loop.time()
        self._frame_since = 0.0
        self._secured = self._busy = self._waits = self._paused = self._lost = self._closing = False
        self._drains = False  # what still comes is read and thrown away, so that what was said is not lost by a reset
        self._announced: Ending = ""
        self._reserved = 0

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or close it where there are too many."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self._transport = transport
        host, port = (transport.get_extra_info("peername") or ("", 0))[:2]
        self.facts = Connection(
            self._hall.number(), "tls", f"[{host}]:{port}" if ":" in host else f"{host}:{port}", host
        )
        self._hall.connections.add(self)
        self._flow.readers.add(self)
        if not self._hall.has_room(self._began):
            self.facts.refused = "there are too many connections"
            self._end("open")
            transport.abort()
        else:
            self.update_reading()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's interface
        """Where octets are put."""
        return self._hall.wire

    def buffer_updated(self, nbytes: int) -> None:
        """Octets have come."""
        if self._lost or self._transport.is_closing():
            return
        if self._drains:
            return
        self._heard = self._loop.time()
        self._tls.write(self._hall.wire[:nbytes])
        if not self._secured and len(self.facts.no_frame) < _SHOWN:
            self.facts.no_frame += bytes(self._hall.wire[: min(nbytes, _SHOWN)])
        if self._secured or self._shake_hands():
            self._read()

    def eof_received(self) -> bool:
        """The sender has closed its side."""
        if not self._secured and not self._closing:
            self.facts.refused = self.facts.refused or "the sender closed the connection during the handshake"
        self._end("close")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._lost = True
        self._end("reset" if isinstance(exc, OSError) else "open")
        if not self._secured and not self.facts.refused:
            self.facts.refused = "the sender reset the connection during the handshake"
        self._flow.leave(self, self._reserved)
        self._reserved = 0
        if not self._busy:
            self._finish()

    # What the receiver calls

    def update_reading(self) -> None:
        """Read, or do not, as things are now."""
        if self._waits and self._flow.was_admitted(self):
            self._waits = False
        pause = not self._drains and (self._busy or self._waits or self._flow.stopped)
        if pause != self._paused and not self._transport.is_closing():
            self._paused = pause
            self._heard = self._loop.time()
            (self._transport.pause_reading if pause else self._transport.resume_reading)()

    def watch(self, now: float) -> None:
        """End what takes too long."""
        limits = self._limits
        if self._closing:
            if now - self._heard > limits.closing:
                self._transport.abort()
        elif not self._secured:
            if now - self._began > limits.handshake:
                self._refuse(f"the handshake took more than {limits.handshake:g} s")
        elif self._busy or self._waits or self._flow.stopped:  # it is not the sender who takes so long
            self._heard = now
            self._frame_since = self._frame_since and now
        elif self._frame_since and now - self._frame_since > limits.frame:
            self.close(f"a message took more than {limits.frame:g} s")
        elif now - self._heard > limits.idle:
            self.close(f"nothing came for {limits.idle:g} s")

    def close(self, why: str) -> None:
        """End the connection from this side: close_notify is sent, and its answer awaited for a while."""
        if self._closing or self._lost:
            return
        self._closing = True
        self.facts.ended_because = self.facts.ended_because or why
        self._end("open")
        self._heard = self._loop.time()
        if not self._secured:
            self._transport.abort()
            return
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()
        if self._frames.broken or self.facts.refused:
            self._drain()  # what else comes is no answer

    @property
    def handshake_since(self) -> float:
        """When the handshake began that is still under way (seconds of the loop); infinite where none is."""
        return math.inf if self._secured or self._closing or self._lost else self._began

    def give_way(self) -> None:
        """End it at once, in favour of another."""
        self.facts.refused = "the handshake took long, and there were too many connections"
        self._end("open")
        self._closing = True
        self._hall.connections.discard(self)
        self._transport.abort()

    def abort(self) -> None:
        """End it at once."""
        self._transport.abort()

    # What happens in between

    def _shake_hands(self) -> bool:
        """Whether the handshake is over, and the sender is believed."""
        try:
            self._tls.do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            self._flush()
            return False
        except (OSError, ValueError) as problem:
            self._refuse(_in_words(problem))
            return False
        self._flush()
        self._secured, self.facts.no_frame = True, b""
        self.facts.version, self.facts.suite = self._tls.version(), self._tls.suite()
        self.facts.certificate = self._tls.certificate()
        objection = self._hall.trust.objection(self.facts.certificate) if self.facts.certificate else ""
        if objection:
            self.facts.refused = objection
            self.close(objection)
        return not objection

    def _read(self) -> None:
        """Decrypt what has come, cut it, and hand the messages over."""
        octets = self._decrypt()
        messages: tuple[bytes, ...] = ()
        with contextlib.suppress(FrameError):  # the reader tells, after the messages before it
            messages = self._frames.feed(self._hall.plain[:octets])
        self._flush()
        if not self._closing:
            self._watch_frame(bool(messages))
        if messages:
            self._hand_over(messages)
        else:
            self._go_on()

    def _decrypt(self) -> int:
        """How many plain octets there are now."""
        filled, plain = 0, self._hall.plain
        try:
            while octets := self._tls.read(len(plain) - filled, plain[filled:]):
                filled += octets
            self._announced = "close-notify"
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self._announced = "close-notify"
        except ssl.SSLError as problem:
            self._fail(problem)
        return filled

    def _fail(self, problem: ssl.SSLError) -> None:
        """TLS itself has failed: an alert has come, or a record that is none."""
        words = _in_words(problem)
        self.facts.ended_because = self.facts.ended_because or words
        if "alert" in words and not self.facts.messages:  # with TLS 1.3 a sender refuses us after the handshake
            self.facts.refused = words
        self._announced = "close"

    def _watch_frame(self, some_came: bool) -> None:
        """Notice when a frame began, and ask for room where it is long."""
        if not self._frames.pending:
            self._frame_since = 0.0
        elif some_came or not self._frame_since:
            self._frame_since = self._loop.time()
        if some_came and self._reserved:
            self._flow.release(self._reserved)
            self._reserved = 0
        if self._frames.announced > _SMALL and not self._reserved:
            self._reserved = min(self._frames.announced, self._limits.unfinished)
            self._waits = not self._flow.reserve(self, self._reserved)

    def _hand_over(self, messages: Sequence[bytes]) -> None:
        at = datetime.now(UTC)
        octets = sum(map(len, messages))
        self.facts.messages += len(messages)
        self.facts.octets += octets
        self._busy = True
        self._flow.took(octets)
        self.update_reading()
        self._hall.begin(self._deliver([Arrived(each, self.facts, at) for each in messages], octets))

    async def _deliver(self, arrived: list[Arrived], octets: int) -> None:
        try:
            await self._hall.handler(arrived)
        except Exception:
            _log.exception("%d messages from %s were not taken", len(arrived), self.facts.peer)
            self.facts.ended_because = "its messages could not be taken"
            self._transport.abort()
        finally:
            self._busy = False
            self._flow.gave(octets)
            if self._lost:
                self._finish()
            else:
                self._go_on()

    def _go_on(self) -> None:
        """What comes after messages have been taken: more, or the end."""
        if self._frames.broken:
            self.facts.framing, self.facts.no_frame = self._frames.broken, self._frames.unread()
            self.close("what came was no frame")
        elif self._announced:
            self._answer()
        else:
            self.update_reading()

    def _answer(self) -> None:
        """close_notify is answered by close_notify (RFC 5425 4.4), after all messages have been taken."""
        self._end(self._announced)
        self._closing = True
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()
        self._transport.close()

    def _refuse(self, why: str) -> None:
        self.facts.refused = why
        self._end("open")
        self._flush()
        self._closing = True
        self._drain()

    def _drain(self) -> None:
        self._drains = True
        self._heard = self._loop.time()
        self.update_reading()
        with contextlib.suppress(OSError):
            self._transport.write_eof()

    def _end(self, ending: Ending) -> None:
        self.facts.ending = self.facts.ending or ending

    def _flush(self) -> None:
        if octets := self._tls.outgoing():
            self._transport.write(octets)

    def _finish(self) -> None:
        self.facts.pending = self._frames.pending_octets if not self._frames.broken else 0
        self.facts.closed = datetime.now(UTC)
        self._hall.connections.discard(self)
        self._hall.ended(self.facts)


def _in_words(problem: Exception) -> str:
    """Why TLS failed, in OpenSSL's words without its numbers."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"the sender's certificate is not believed: {problem.verify_message}"
    reason = getattr(problem, "reason", "") or ""  # of ssl, in capitals
    return reason.replace("_", " ").lower() if reason else str(problem)
