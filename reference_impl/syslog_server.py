"""A receiver of syslog messages for sockets that somebody else accepted: it opens no port (RFC 5425 4.3, 4.4).

It stands apart from `audit.syslog.receiver`, with which it shares the frames: that one owns its port, and its TLS is
Python's, while the node's front has shaken hands already, with whatever stack and faults, and hands plain octets over.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque

from reference_impl.connections import Connections
from reference_impl.syslog_frames import FrameError, FrameReader

_CHUNK = 1 << 16
_KEPT = 100


class SyslogServer:
    """Swallows octet-counted messages, each connection in a thread of its own, until the sender ends it.

    The last hundred are kept in `messages`. What is no frame, or is too long, ends the connection; so do `idle` seconds
    without an octet.
    """

    def __init__(self, *, idle: float = 30.0) -> None:
        self._idle = idle
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._messages: deque[bytes] = deque(maxlen=_KEPT)
        self._connections = Connections("syslog-server")

    @property
    def messages(self) -> tuple[bytes, ...]:
        """The last messages that came, oldest first."""
        with self._lock:
            return tuple(self._messages)

    def await_messages(self, number: int, seconds: float) -> tuple[bytes, ...]:
        """The last messages as soon as there are `number` of them, at the latest after `seconds`."""
        with self._arrived:
            self._arrived.wait_for(lambda: len(self._messages) >= number, seconds)
            return tuple(self._messages)

    def take(self, connection: socket.socket) -> None:
        """Read messages from `connection` until it ends; returns at once."""
        self._connections.begin(connection, lambda: self._serve(connection))

    def stop(self, timeout: float = 5.0) -> None:
        """End every connection, and wait up to `timeout` seconds for the threads to end."""
        self._connections.end(timeout)

    def _serve(self, connection: socket.socket) -> None:
        reader = FrameReader()
        with contextlib.suppress(OSError, FrameError), connection:
            connection.settimeout(self._idle)
            while not reader.broken and (data := connection.recv(_CHUNK)):
                messages = reader.feed(data)
                with self._arrived:
                    self._messages.extend(messages)
                    self._arrived.notify_all()
