"""The listener: one worker thread per connection, each with deadlines, so that an idle client blocks nobody."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from cryptography import x509

from reference_impl.transport.front.channel import Channel, end_gently, relay
from reference_impl.transport.front.hello import OpeningKind, read_opening
from reference_impl.transport.front.router import Router

LOGGER = logging.getLogger(__name__)

Application = Callable[[socket.socket, "tuple[str, int]", "x509.Certificate | None"], None]
"""Takes over one end of a socket pair, with the client's address and certificate."""

_BACKLOG = 256
_MAXIMUM_CONNECTIONS = 512


class Front:
    """A TLS server in front of an application: `application` gets a plain socket for every secured connection.

    Raises OSError when the address cannot be bound. Use it as a context manager, or :meth:`start` and :meth:`stop`.
    """

    def __init__(
        self,
        router: Router,
        application: Application,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.router = router
        self._application = application
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        self._listener.settimeout(None)
        self._lock = threading.Lock()
        self._clients: set[socket.socket] = set()
        self._workers: set[threading.Thread] = set()
        self._stopping = threading.Event()
        self._acceptor = threading.Thread(target=self._accept, name="tls-front", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that the front listens on."""
        host, port = self._listener.getsockname()[:2]
        return str(host), int(port)

    def start(self) -> None:
        """Begin to accept connections."""
        self._acceptor.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Close the listener and every connection, and wait up to `timeout` seconds for the threads to end."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._acceptor.is_alive():
            self._acceptor.join(timeout)
        with self._lock:
            clients, workers = list(self._clients), list(self._workers)
        for client in clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for worker in workers:
            worker.join(timeout)

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
                if self._stopping.is_set():
                    return
                continue
            with self._lock:
                crowded = len(self._clients) >= _MAXIMUM_CONNECTIONS
                if not crowded:
                    self._clients.add(client)
            if crowded:
                client.close()
                continue
            worker = threading.Thread(
                target=self._serve, args=(client, address[:2]), name="tls-front-worker", daemon=True
            )
            with self._lock:
                self._workers.add(worker)
            worker.start()

    def _serve(self, client: socket.socket, address: tuple[str, int]) -> None:
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._converse(client, address)
        except OSError as problem:
            LOGGER.debug("connection from %s ended: %s", address, problem)
        except Exception:
            LOGGER.exception("connection from %s failed", address)
        finally:
            with self._lock:
                self._clients.discard(client)
                self._workers.discard(threading.current_thread())
            client.close()

    def _converse(self, client: socket.socket, address: tuple[str, int]) -> None:
        limits = self.router.settings.limits
        opening = read_opening(client, limits.opening)
        if opening.kind is OpeningKind.NOTHING or self._stopping.is_set():
            return
        channel = self.router.channel(opening)

        def open_application(secured: Channel) -> socket.socket:
            ours, theirs = socket.socketpair()
            self._application(theirs, address, secured.peer_certificate)
            return ours

        relay(client, channel, opening.data, open_application, limits)
        if not self._stopping.is_set():
            end_gently(client, limits.linger)
