"""A receiver of syslog over TLS (RFC 5425, RFC 9662) and UDP (RFC 5426) in an event loop.

What it holds in memory is bounded: whoever takes its messages slowly slows the senders down. A connection that
misbehaves is ended alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Self

from reference_impl.audit.syslog.arrivals import DEFAULT_LIMITS, Arrived, Connection, Ended, Handler, ReceiverLimits
from reference_impl.audit.syslog.datagrams import Datagrams
from reference_impl.audit.syslog.flow import Flow
from reference_impl.audit.syslog.layers import layers
from reference_impl.audit.syslog.secure_connection import Hall, SecureConnection
from reference_impl.audit.syslog.tls import ServerTls

__all__ = ["Address", "Arrived", "Connection", "Handler", "Receiver", "ReceiverLimits"]

Address = tuple[str, int]
"""Host and port; port 0 takes any that is free."""

_BACKLOG = 512


def _ignore(_: Connection) -> None:
    pass


class Receiver:
    """Hands messages to `on_batch`, which is awaited before more is read from their connection.

    `on_connection` is told of each connection that has ended. Raises ValueError without any address, or for TCP without
    TLS. If `on_batch` raises, that is logged and the connection is ended, so that the sender may try again.
    """

    def __init__(
        self,
        on_batch: Handler,
        *,
        tls: ServerTls | None = None,
        tcp: Address | None = None,
        udp: Address | None = None,
        limits: ReceiverLimits = DEFAULT_LIMITS,
        on_connection: Ended = _ignore,
    ) -> None:
        if tcp is None and udp is None:
            raise ValueError("a receiver listens on TCP, on UDP, or both")
        if tcp is not None and tls is None:
            raise ValueError("syslog over TCP needs TLS: a certificate and a key")
        self._on_batch, self._on_connection = on_batch, on_connection
        self._tls, self._tcp, self._udp, self._limits = tls, tcp, udp, limits
        self._flow = Flow(limits.in_hand, limits.unfinished)
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._hall: Hall | None = None
        self._server: asyncio.Server | None = None
        self._datagrams: Datagrams | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._addresses: dict[str, Address] = {}

    @property
    def addresses(self) -> Mapping[str, Address]:
        """Where it listens, by transport: "tls", "udp"."""
        return self._addresses

    @property
    def peak(self) -> int:
        """The most octets of messages that have been in hand at once."""
        return self._flow.peak

    @property
    def connected(self) -> int:
        """How many senders are connected over TLS."""
        return len(self._hall.connections) if self._hall else 0

    async def start(self) -> None:
        """Listen. Raises OSError for an address that cannot be bound or a file that cannot be read."""
        try:
            if self._tls is not None and self._tcp is not None:
                await self._start_tls(self._tls, self._tcp)
            if self._udp is not None:
                self._start_udp(self._udp)
        except BaseException:
            await self.stop(0)
            raise

    async def stop(self, timeout: float = 5.0) -> None:
        """Listen no more, end every connection properly, and wait for the handler, all within `timeout` seconds."""
        if self._server is not None:
            self._server.close()
        connections = self._hall.connections if self._hall else set()
        for connection in tuple(connections):
            connection.close("the receiver was stopped")
        if self._datagrams is not None:
            self._datagrams.close()
            self._datagrams = None
        deadline = asyncio.get_running_loop().time() + timeout
        while (self._tasks or connections) and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        if self._watch is not None:
            self._watch.cancel()
        for connection in tuple(connections):
            connection.abort()
        for task in tuple(self._tasks):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # connections that were aborted say so

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _start_tls(self, tls: ServerTls, address: Address) -> None:
        hall = self._hall = Hall(
            tls.trust,
            layers(tls),
            self._limits,
            self._flow,
            self._on_batch,
            self._on_connection,
            self._begin,
            lambda: next(self._numbers),
        )
        listener = socket.create_server(address, family=_family(address), backlog=_BACKLOG)
        # What is acknowledged and not read yet is lost where this process dies: its connections inherit this.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._limits.stream_buffer)
        self._addresses["tls"] = _address(listener)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: SecureConnection(hall), sock=listener, backlog=_BACKLOG)
        limits = self._limits
        self._sweep(min(1.0, limits.handshake / 4, limits.idle / 4, limits.frame / 4, limits.closing / 4))

    def _start_udp(self, address: Address) -> None:
        bound = socket.socket(_family(address), socket.SOCK_DGRAM)
        try:
            bound.bind(address)
        except OSError:
            bound.close()
            raise
        self._addresses["udp"] = _address(bound)
        self._datagrams = Datagrams(
            bound,
            self._limits,
            self._flow,
            handler=self._on_batch,
            ended=self._on_connection,
            begin=self._begin,
            number=lambda: next(self._numbers),
        )

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _sweep(self, every: float) -> None:
        loop = asyncio.get_running_loop()
        if self._hall is not None:
            for connection in tuple(self._hall.connections):
                connection.watch(loop.time())
        self._watch = loop.call_later(every, self._sweep, every)


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


def _address(bound: socket.socket) -> Address:
    host, port = bound.getsockname()[:2]
    return str(host), int(port)
