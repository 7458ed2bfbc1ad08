"""Syslog over UDP (RFC 5426) in an event loop: every datagram is a message."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime

from reference_impl.audit.syslog.arrivals import Arrived, Connection, Ended, Handler, ReceiverLimits
from reference_impl.audit.syslog.flow import Flow

DEFAULT_PORT = 514
"""The port of syslog over UDP (RFC 5426 3.3; PS3.15 A.7)."""

_LARGEST = 1 << 16  # octets of a datagram, and one
_AT_ONCE = 500  # datagrams taken before others have a turn
_log = logging.getLogger(__name__)


class Datagrams:
    """A bound socket from which datagrams are taken. While the handler has some, the kernel keeps what comes."""

    def __init__(
        self,
        bound: socket.socket,
        limits: ReceiverLimits,
        flow: Flow,
        *,
        handler: Handler,
        ended: Ended,
        begin: Callable[[Coroutine[None, None, None]], None],
        number: Callable[[], int],
    ) -> None:
        self._socket, self._limits, self._flow = bound, limits, flow
        self._handler, self._ended, self._begin, self._number = handler, ended, begin, number
        self._peers: OrderedDict[tuple[str, int], Connection] = OrderedDict()
        self._loop = asyncio.get_running_loop()
        self._busy = self._reads = self._closed = False
        bound.setblocking(False)
        for option in (socket.SO_RCVBUF, getattr(socket, "SO_RCVBUFFORCE", None)):
            if option is not None:
                with contextlib.suppress(OSError):  # only root may have more than the system allows
                    bound.setsockopt(socket.SOL_SOCKET, option, limits.socket_buffer)
        flow.readers.add(self)
        self.update_reading()

    def update_reading(self) -> None:
        """Read, or do not, as things are now."""
        read = not (self._busy or self._flow.stopped or self._closed)
        if read == self._reads:
            return
        self._reads = read
        if read:
            self._loop.add_reader(self._socket, self._take)
        else:
            self._loop.remove_reader(self._socket)

    def close(self) -> None:
        """Take nothing more, and tell of every peer."""
        self._closed = True
        self.update_reading()
        self._flow.readers.discard(self)
        self._socket.close()
        for connection in self._peers.values():
            self._end(connection)
        self._peers.clear()

    def _take(self) -> None:
        arrived: dict[int, list[Arrived]] = {}  # by connection
        octets, at = 0, datetime.now(UTC)
        for _ in range(_AT_ONCE):
            try:
                message, address = self._socket.recvfrom(_LARGEST)
            except OSError:  # nothing more has come
                break
            connection = self._peer(address[0], address[1])
            connection.messages += 1
            connection.octets += len(message)
            octets += len(message)
            arrived.setdefault(connection.number, []).append(Arrived(message, connection, at))
            if octets >= self._limits.in_hand:
                break
        if arrived:
            self._busy = True
            self._flow.took(octets)
            self.update_reading()
            self._begin(self._deliver(list(arrived.values()), octets))

    async def _deliver(self, arrived: list[list[Arrived]], octets: int) -> None:
        for each in arrived:
            try:
                await self._handler(each)
            except Exception:
                _log.exception("%d datagrams from %s were not taken", len(each), each[0].connection.peer)
        self._busy = False
        self._flow.gave(octets)
        self.update_reading()

    def _peer(self, host: str, port: int) -> Connection:
        found = self._peers.get((host, port))
        if found is None:
            name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            found = self._peers[host, port] = Connection(self._number(), "udp", name, host)
            if len(self._peers) > self._limits.peers:
                self._end(self._peers.popitem(last=False)[1])
        return found

    def _end(self, connection: Connection) -> None:
        connection.ending = "open"
        connection.closed = datetime.now(UTC)
        self._ended(connection)
