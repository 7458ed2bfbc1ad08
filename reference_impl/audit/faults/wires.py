"""A sender of syslog messages that frames, connects or ends as no conforming one does (RFC 5425, RFC 5426)."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

_SECONDS = 10.0
_PAUSE = 0.1


@dataclass(frozen=True)
class Wire:
    """How messages go out, where it is not as it should be. The defaults are as it should be."""

    tls: bool = True  # otherwise plain TCP
    version: str = ""  # "TLSv1.1"; empty: the best
    framing: str = "counted"  # one of `FRAMINGS`
    announces_end: bool = True  # by close_notify
    cut: int = 0  # messages end after so many octets; 0: nowhere
    reconnecting: Literal["nothing-lost", "lost", "doubled"] = "nothing-lost"
    datagrams: Literal["one", "joined", "split", "counted"] = "one"


PROPER = Wire()
FRAMINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "counted": lambda message: b"%d %b" % (len(message), message),
    "none": lambda message: message,
    "newline": lambda message: message + b"\n",
    "nul": lambda message: message + b"\0",
    "counted-and-newline": lambda message: b"%d %b\n" % (len(message), message),
    "newline-counted": lambda message: b"%d %b\n" % (len(message) + 1, message),
    "one-less": lambda message: b"%d %b" % (len(message) - 1, message),
    "one-more": lambda message: b"%d %b" % (len(message) + 1, message),
    "characters": lambda message: b"%d %b" % (len(message.decode("utf-8", "replace")), message),
    "leading-zero": lambda message: b"0%d %b" % (len(message), message),
    "binary": lambda message: struct.pack("!I", len(message)) + message,
}
"""How messages are put into the stream; the first is right."""


class FaultySender:
    """Sends messages to `address` as `wire` says, over TLS by `context` (None: plain), or as datagrams.

    It keeps the last message and, where nobody listens, those that wait, for which it tries again. Thread-safe.
    """

    def __init__(
        self,
        address: tuple[str, int],
        wire: Wire,
        context: ssl.SSLContext | None = None,
        *,
        server_name: str = "",
        udp: bool = False,
    ) -> None:
        self._address, self._wire, self._udp = address, wire, udp
        self._context = context if wire.tls and not udp else None
        self._server_name = server_name
        self._socket: socket.socket | None = None
        self._waiting: deque[bytes] = deque()
        self._last: deque[bytes] = deque(maxlen=1)
        self._lock = threading.Lock()
        self._was_away = False
        self._ending = threading.Event()
        self._trying = False

    def send(self, message: bytes) -> None:
        """Take `message`; it goes out with the next `flush`."""
        with self._lock:
            self._waiting.append(message[: self._wire.cut] if self._wire.cut else message)

    def flush(self, deadline: float = _SECONDS) -> bool:
        """Send what waits, and tell whether nothing waits any more."""
        with self._lock:
            try:
                self._flush(deadline)
            except OSError:
                self._hang_up()
                self._was_away = True
                if self._wire.reconnecting == "lost":
                    self._waiting.clear()
            if self._waiting and not self._trying:
                self._trying = True
                threading.Thread(target=self._try_again, name="faulty sender", daemon=True).start()
            return not self._waiting

    def _try_again(self) -> None:
        while not self._ending.wait(_PAUSE) and not self.flush():
            pass
        self._trying = False

    def close(self) -> None:
        """End the connection, as `wire` says."""
        self._ending.set()
        with self._lock, contextlib.suppress(OSError):
            self._end()
        self._hang_up()

    def _flush(self, deadline: float) -> None:
        if self._udp:
            self._send_datagrams()
            return
        if not self._waiting:
            return
        connection = self._connected(deadline)
        if self._was_away and self._wire.reconnecting == "doubled":
            self._waiting.extendleft(reversed(self._last))
            self._waiting.extend(list(self._waiting))
        self._was_away = False
        while self._waiting:
            connection.sendall(FRAMINGS[self._wire.framing](self._waiting[0]))
            self._last.append(self._waiting.popleft())

    def _connected(self, deadline: float) -> socket.socket:
        """The connection; a new one where the peer has ended the last."""
        if self._socket is not None and _ended(self._socket):
            self._hang_up()
        if self._socket is None:
            plain = socket.create_connection(self._address, timeout=deadline)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is None:
                self._socket = plain
            else:
                self._socket = self._context.wrap_socket(plain, server_hostname=self._server_name)
        return self._socket

    def _send_datagrams(self) -> None:
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            for datagram in self._datagrams():
                sender.sendto(datagram, self._address)

    def _datagrams(self) -> Iterator[bytes]:
        messages = list(self._waiting)
        self._waiting.clear()
        if self._wire.datagrams == "joined":
            yield b"".join(messages)
            return
        for message in messages:
            if self._wire.datagrams == "split":
                half = len(message) // 2
                yield from (message[:half], message[half:])
            else:
                yield FRAMINGS["counted"](message) if self._wire.datagrams == "counted" else message

    def _end(self) -> None:
        if self._socket is None:
            return
        if self._wire.announces_end and isinstance(self._socket, ssl.SSLSocket):
            self._socket.settimeout(2.0)
            self._socket = self._socket.unwrap()
        else:
            self._socket.shutdown(socket.SHUT_WR)

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _ended(connection: socket.socket) -> bool:
    """Whether the peer has ended `connection`: a collector says nothing else."""
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return False
    except OSError:
        return True
    finally:
        with contextlib.suppress(OSError):
            connection.settimeout(_SECONDS)
