"""A TCP connection with deadlines, for what is spoken without TLS: the same face as a secure connection."""

from __future__ import annotations

import socket
import ssl
import time
from types import TracebackType
from typing import Self

_CHUNK = 1 << 16


class EndedError(Exception):
    """The connection is over, or did not come about: why, in words."""


def read_before(deadline: float, connection: socket.socket, late: str) -> bytes:
    """What comes next; nothing where the other side has closed.

    Raises `EndedError` where the connection breaks, and with the words `late` after `deadline` (monotonic).
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise EndedError(late)
    connection.settimeout(left)
    try:
        return connection.recv(_CHUNK)
    except TimeoutError:
        raise EndedError(late) from None
    except OSError as problem:
        raise broken(problem) from None


def broken(problem: OSError) -> EndedError:
    """What is raised where a connection breaks."""
    return EndedError(f"the connection broke: {problem.strerror or problem}")


class PlainConnection:
    """Octets over `connection`. Each answer has to come within `seconds`. Leaving the context closes it.

    Every method raises `EndedError` where it cannot do what it is for.
    """

    def __init__(self, connection: socket.socket, seconds: float = 30.0) -> None:
        self._socket = connection
        self._seconds = seconds
        self._waiting = bytearray()
        if connection.family in _IP:  # a pair of sockets within this process is none
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @classmethod
    def to(cls, host: str, port: int, *, connect: float = 10.0, seconds: float = 30.0) -> Self:
        """A connection to `host`, which has `connect` seconds to come about."""
        try:
            return cls(socket.create_connection((host, port), timeout=connect), seconds)
        except (OSError, UnicodeError) as problem:
            reason = getattr(problem, "strerror", "") or problem
            raise EndedError(f"{host}:{port} cannot be reached: {reason}") from None

    def secure(self, context: ssl.SSLContext, server_name: str) -> None:
        """Go on over TLS. Raises OSError (`ssl.SSLError` is one) and ValueError where that does not come about."""
        self._socket = context.wrap_socket(self._socket, server_hostname=server_name)

    def send(self, data: bytes) -> None:
        """Send all of `data`."""
        self._socket.settimeout(self._seconds)
        try:
            self._socket.sendall(data)
        except OSError as problem:
            raise broken(problem) from None

    def receive(self, octets: int) -> bytes:
        """Return exactly that many octets."""
        deadline = time.monotonic() + self._seconds
        while len(self._waiting) < octets:
            more = self._read(deadline)
            if not more:
                raise EndedError("the other side closed the connection")
            self._waiting += more
        data = bytes(self._waiting[:octets])
        del self._waiting[:octets]
        return data

    def receive_some(self) -> bytes:
        """Return what comes next, at least one octet; nothing where the other side has closed."""
        data = bytes(self._waiting) or self._read(time.monotonic() + self._seconds)
        self._waiting.clear()
        return data

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, deadline: float) -> bytes:
        return read_before(deadline, self._socket, "no answer came in time")


_IP = frozenset({socket.AF_INET, socket.AF_INET6})
