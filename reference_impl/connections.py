"""Connections at work, each in a thread of its own; and a TCP port whose connections are served so."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

_BREATH = 0.2  # seconds before the next try where nothing more can be accepted for now


class Connections:
    """Connections that are being served, and how they all are ended. `name` is that of their threads."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._running: dict[threading.Thread, socket.socket] = {}

    def __len__(self) -> int:
        return len(self._running)

    def begin(self, connection: socket.socket, work: Callable[[], None]) -> None:
        """Let `work` serve `connection` in a thread; returns at once. Raises RuntimeError where there is no thread."""

        def serve() -> None:
            try:
                work()
            finally:
                with self._lock:
                    self._running.pop(thread, None)

        thread = threading.Thread(target=serve, name=self._name, daemon=True)
        with self._lock:  # whoever ends them finds none that has not begun
            thread.start()
            self._running[thread] = connection

    def end(self, timeout: float) -> None:
        """Shut every connection down, and wait up to `timeout` seconds for the threads to end."""
        with self._lock:
            running = dict(self._running)
        for connection in running.values():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + timeout
        for thread in running:
            thread.join(max(0.0, deadline - time.monotonic()))


class Listener:
    """A TCP port. What comes goes to :meth:`_admit`, which serves it by `connections` or closes it.

    Raises OSError when the address cannot be bound. Use it as a context manager, or :meth:`start` and :meth:`stop`.
    """

    def __init__(self, host: str, port: int, *, name: str, backlog: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=backlog)
        self._listener.settimeout(None)
        self._stopping = threading.Event()
        self._acceptor = threading.Thread(target=self._accept, name=name, daemon=True)
        self.connections = Connections(f"{name}-worker")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that are listened on."""
        host, port = self._listener.getsockname()[:2]
        return str(host), int(port)

    def start(self) -> None:
        """Begin to accept connections."""
        self._acceptor.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Close the port and every connection, and wait up to `timeout` seconds for the threads to end."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._acceptor.is_alive():
            self._acceptor.join(timeout)
        self.connections.end(timeout)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                client, address = self._listener.accept()
            except OSError:
                if self._stopping.wait(_BREATH):
                    return
                continue
            self._admit(client, (str(address[0]), int(address[1])))

    def _admit(self, client: socket.socket, address: tuple[str, int]) -> None:
        """Serve a connection from `address`, or close it."""
        raise NotImplementedError
