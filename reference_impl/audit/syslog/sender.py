"""A sender of syslog messages that loses none: what cannot be sent yet waits, over restarts too where it has a file.

There is no acknowledgement in syslog (RFC 5425 6.3). A message leaves the spool when the kernel has the receiver's
acknowledgement of it and the connection has stayed whole for a moment after, or when the receiver has answered
close_notify. What was under way when a connection broke is sent again.
"""

from __future__ import annotations

import contextlib
import random
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from reference_impl.audit.syslog.channels import (
    LARGEST_DATAGRAM,
    Channel,
    ChannelError,
    OrderlyEndError,
    TlsChannel,
    UdpChannel,
)
from reference_impl.audit.syslog.spool import Spool, SpoolError, SpoolFullError
from reference_impl.audit.syslog.tls import ClientTls

__all__ = ["Destination", "Sender", "SenderLimits", "SpoolError", "SpoolFullError"]

_BATCH = 1 << 18  # octets that are sent at once
_WINDOW = 1 << 20  # octets under way that nobody has acknowledged
_AGAIN = 1.0  # seconds until a file that failed is tried again
_MEMORY = 64 << 20  # octets that wait where there is no file


@dataclass(frozen=True)
class Destination:
    """Where messages go. Over TLS `tls` says what is shown and whom to believe."""

    host: str
    port: int
    transport: Literal["tls", "udp"] = "tls"
    tls: ClientTls | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"syslog-{self.transport}://{host}:{self.port}"


@dataclass(frozen=True)
class SenderLimits:
    """Seconds and octets of a sender."""

    spool: int = 1 << 30  # octets that may wait in a file
    connect: float = 10.0  # for a connection and its handshake
    stalled: float = 300.0  # that a receiver may take nothing
    grace: float = 0.2  # from an acknowledgement until it is believed: a refusal may come behind it
    first_pause: float = 0.5  # before the second try; each is twice as long as the one before
    longest_pause: float = 60.0
    closing: float = 5.0  # for the receiver to answer close_notify


DEFAULT_LIMITS = SenderLimits()


class Sender:
    """Sends in the background what it is given, in order. Threads may share it; use it as a context manager.

    `spool` is a file for what waits, so that it survives the program; without one it waits in memory, and what has not
    gone when the sender is closed is lost. Raises `SpoolError` where the file cannot be used or holds what no datagram
    does, and ValueError for TLS without a `ClientTls`.
    """

    def __init__(
        self, destination: Destination, spool: Path | None = None, limits: SenderLimits = DEFAULT_LIMITS
    ) -> None:
        if destination.transport == "tls" and destination.tls is None:
            raise ValueError("syslog over TLS needs to know whom to believe")
        self.destination, self._limits = destination, limits
        self._spool = Spool(spool, limits.spool if spool else _MEMORY)
        if destination.transport == "udp" and (longest := self._spool.longest()) > LARGEST_DATAGRAM:
            self._spool.close()
            raise SpoolError(
                f"a message of {longest} octets waits in the spool {spool}, which no datagram holds: send it over TLS"
            )
        self._changed = threading.Condition()
        self._closing = False
        self._last_try = True  # there is one left
        self._closed_by = 0.0
        self._confirmed = self._removed = 0  # the number of the last message that has gone, and of the last removed
        self._channel: Channel | None = None
        self._problem = ""
        self._nudge, self._nudged = socket.socketpair()
        self._nudge.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="syslog-sender", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many messages have not gone yet."""
        return self._spool.count

    @property
    def problem(self) -> str:
        """Why messages have not gone; empty: nothing has been wrong since some went."""
        return self._problem

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._channel is not None

    def send(self, *messages: bytes, patience: float = 0.0) -> None:
        """Take `messages`, all or none, to be sent in this order; with a file they are on the disk when this returns.

        Where there is no room for them, it is awaited for `patience` seconds. Raises `SpoolFullError` and `SpoolError`
        where they are not taken, ValueError for one that is empty or that no datagram holds, and RuntimeError after
        :meth:`close`.
        """
        for message in messages:
            if not message:
                raise ValueError("a syslog message has at least one octet")
            if self.destination.transport == "udp" and len(message) > LARGEST_DATAGRAM:
                raise ValueError(f"a datagram holds {LARGEST_DATAGRAM} octets, and not {len(message)}: send over TLS")
        if self._closing:
            raise RuntimeError("the sender is closed")
        deadline = time.monotonic() + patience
        while True:
            count = self._spool.count
            try:
                self._spool.put(messages)
            except SpoolFullError as full:
                if self._await_room(count, deadline - time.monotonic()):
                    continue
                raise SpoolFullError(f"{full}{f'; {self._problem}' if self._problem else ''}") from None
            self._wake()
            return

    def _await_room(self, count: int, seconds: float) -> bool:
        """Whether fewer than `count` messages wait before `seconds` are over."""
        with self._changed:
            return self._changed.wait_for(lambda: self._spool.count < count or self._closing, max(0.0, seconds))

    def flush(self, seconds: float) -> bool:
        """Wait until everything has gone, at most `seconds`; whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._spool.count, seconds)

    def close(self, seconds: float | None = None) -> None:
        """End it: what is there is sent if there is a connection, which is ended by close_notify, all in `seconds`.

        What has not gone by then stays in the file; `waiting` tells how much. More calls do nothing.
        """
        seconds = self._limits.closing if seconds is None else seconds
        self._closed_by = time.monotonic() + seconds
        self._closing = True
        self._wake()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(seconds + 0.5)
        if self._thread.is_alive():
            if self._channel is not None:
                self._channel.abort()
            self._thread.join(self._limits.connect)
        self._spool.close()
        for each in (self._nudge, self._nudged):
            each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # it is full: it wakes all the same
            self._nudge.send(b"!")
        with self._changed:
            self._changed.notify_all()

    # The thread

    def _run(self) -> None:
        pause = self._limits.first_pause
        while self._await_work():
            before = self._confirmed
            try:
                self._session()
            except OrderlyEndError as end:
                self._problem = str(end)
            except (ChannelError, SpoolError) as problem:
                self._problem = str(problem)
            pause = self._limits.first_pause if self._confirmed > before else pause
            self._rest(pause)
            pause = min(pause * 2, self._limits.longest_pause)

    def _await_work(self) -> bool:
        """Whether there is something to send; once the sender is closed, that is tried one last time."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._spool.count)
        if not self._closing:
            return True
        last, self._last_try = self._last_try, False
        return last and self._spool.count > 0 and time.monotonic() < self._closed_by

    def _rest(self, seconds: float) -> None:
        seconds *= random.uniform(0.8, 1.2)  # noqa: S311 - many senders do not come back at the same moment
        with self._changed:
            self._changed.wait_for(lambda: self._closing, seconds)

    def _session(self) -> None:
        """One connection: everything that waits is sent, until it breaks or the sender is closed."""
        channel = self._channel = self._connect()
        sent = _Sent(self._limits.grace, self._confirmed)
        try:
            self._pump(channel, sent)
            if channel.close(max(0.0, self._closed_by - time.monotonic())):
                self._confirm(sent.last)
        except OrderlyEndError:
            if channel.close(self._limits.closing):
                self._confirm(sent.last)
            raise
        finally:
            self._channel = None
            channel.close(0)

    def _connect(self) -> Channel:
        to, limits = self.destination, self._limits
        if to.tls is None or to.transport == "udp":
            return UdpChannel(to.host, to.port)
        seconds = min(limits.connect, max(0.1, self._closed_by - time.monotonic())) if self._closing else limits.connect
        return TlsChannel(to.host, to.port, to.tls, seconds=seconds, stalled=limits.stalled)

    def _pump(self, channel: Channel, sent: _Sent) -> None:
        while True:
            acknowledged = channel.acknowledged()
            channel.listen()
            self._confirm(sent.believed(acknowledged))
            batch = []
            if sent.written - acknowledged < _WINDOW:
                batch = self._spool.read(max(sent.last, self._confirmed), _BATCH)
            if batch:
                self._send(channel, sent, batch)
            elif self._closing and time.monotonic() < self._closed_by:
                return
            elif self._closing:
                raise ChannelError("the receiver did not take everything in time")
            else:
                self._await(channel, sent.next_look() if self._removed == self._confirmed else _AGAIN)

    def _send(self, channel: Channel, sent: _Sent, batch: Sequence[tuple[int, bytes]]) -> None:
        if self.destination.transport == "udp":
            try:
                for number, octets in batch:  # what is not taken is told of each
                    channel.send([octets])
                    sent.last = number
            finally:
                self._confirm(sent.last)
            return
        sent.note(channel.send([octets for _, octets in batch]), batch[-1][0])

    def _confirm(self, number: int) -> None:
        """The messages up to `number` have gone. Where the file does not let them be removed, that is tried again."""
        self._confirmed = max(self._confirmed, number)
        if self._removed < self._confirmed:
            try:
                self._spool.remove(self._confirmed)
                self._removed, self._problem = self._confirmed, ""
            except SpoolError as problem:
                self._problem = str(problem)
            with self._changed:
                self._changed.notify_all()

    def _await(self, channel: Channel, seconds: float | None) -> None:
        """Until there is more to send, the receiver says something, or `seconds` are over."""
        poll = select.poll()
        for each in (channel.fileno(), self._nudged.fileno()):
            poll.register(each, select.POLLIN)
        for found, _ in poll.poll(None if seconds is None else seconds * 1000):
            if found == self._nudged.fileno():
                self._nudged.recv(4096)


class _Sent:
    """What is under way on one connection, and when an acknowledgement of it is believed."""

    def __init__(self, grace: float, last: int) -> None:
        self._grace = grace
        self.last = last  # the number of the last message that was sent
        self.written = 0  # octets
        self._batches: deque[tuple[int, int]] = deque()  # octets written until then, number of the last message
        self._seen: deque[tuple[float, int]] = deque()  # since when, up to which number it is acknowledged

    def note(self, written: int, number: int) -> None:
        self.written, self.last = written, number
        self._batches.append((written, number))

    def believed(self, acknowledged: int) -> int:
        """The number of the last message of which it can be said that it has gone; 0: of none that is new."""
        now, number = time.monotonic(), 0
        while self._batches and self._batches[0][0] <= acknowledged:
            self._seen.append((now, self._batches.popleft()[1]))
        while self._seen and now - self._seen[0][0] >= self._grace:
            number = self._seen.popleft()[1]
        return number

    def next_look(self) -> float | None:
        """Seconds until it is worth looking again; None: nothing is under way."""
        if self._batches:
            return 0.005
        return max(0.001, self._seen[0][0] + self._grace - time.monotonic()) if self._seen else None
