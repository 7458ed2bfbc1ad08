"""The listener: one worker thread per connection, each with deadlines, so that an idle client blocks nobody."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable

from cryptography import x509

from reference_impl.connections import Listener
from reference_impl.transport.front.channel import Channel, end_gently, relay
from reference_impl.transport.front.hello import OpeningKind, read_opening
from reference_impl.transport.front.router import Router

LOGGER = logging.getLogger(__name__)

Application = Callable[[socket.socket, "tuple[str, int]", "x509.Certificate | None"], None]
"""Takes over one end of a socket pair, with the client's address and certificate."""

_BACKLOG = 256
_MAXIMUM_CONNECTIONS = 512


class Front(Listener):
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
        super().__init__(host, port, name="tls-front", backlog=_BACKLOG)
        self.router = router
        self._application = application

    def _admit(self, client: socket.socket, address: tuple[str, int]) -> None:
        if len(self.connections) >= _MAXIMUM_CONNECTIONS:
            client.close()
            return
        try:
            self.connections.begin(client, lambda: self._serve(client, address))
        except RuntimeError:  # no more threads: this one is not served
            client.close()

    def _serve(self, client: socket.socket, address: tuple[str, int]) -> None:
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._converse(client, address)
        except OSError as problem:
            LOGGER.debug("connection from %s ended: %s", address, problem)
        except Exception:
            LOGGER.exception("connection from %s failed", address)
        finally:
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
