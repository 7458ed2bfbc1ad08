"""The page behind TLS: uvicorn, with the certificate that a client showed at the side of each request."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

_HEADER_SECONDS = 15.0  # a request's header has come by then
_CONNECTIONS, _EACH = 256, 64  # in all, and from one address
_HANDSHAKE_SECONDS = 10.0
_LAST_SECONDS = 0.5
_BACKLOG = 128
_HEADER_OCTETS = 32_768
_READY = 10.0


class CertificateProtocol(H11Protocol):
    """HTTP/1.1 of one connection; bounds how long a client may take before it has asked anything."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep what the handshake showed; too many connections are closed again."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        octets = None if tls is None else tls.getpeercert(binary_form=True)
        self.app_state = {**self.app_state, "peer_certificate": octets}
        if len(self.connections) > _CONNECTIONS or self._of_one_place() > _EACH:
            transport.abort()
            return
        self._deadline = self.loop.call_later(_HEADER_SECONDS, self._too_slow)

    def _of_one_place(self) -> int:
        """How many connections there are from the same address."""
        places = [getattr(each, "client", None) for each in self.connections]
        return sum(place is not None and self.client is not None and place[0] == self.client[0] for place in places)

    def data_received(self, data: bytes) -> None:
        """Octets of a request."""
        super().data_received(data)
        if self._deadline is None and (self.cycle is None or self.cycle.response_complete):
            self._deadline = self.loop.call_later(_HEADER_SECONDS, self._too_slow)
        elif self.cycle is not None and not self.cycle.response_complete:
            self._leave_deadline()

    def on_response_complete(self) -> None:
        """The next request may begin; its time begins with its first octet."""
        super().on_response_complete()
        self._leave_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went away."""
        self._leave_deadline()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The server ends: what is being answered gets a moment, a live view would never end by itself."""
        super().shutdown()
        self.loop.call_later(_LAST_SECONDS, self.transport.abort)

    def _leave_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if self.transport is not None:
            self.transport.abort()


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs the repository."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is caught."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, as the original does, but wait less long for handshakes."""
        loop = asyncio.get_running_loop()

        def protocol() -> asyncio.Protocol:
            return CertificateProtocol(self.config, self.server_state, self.lifespan.state, loop)

        self.servers = [
            await loop.create_server(
                protocol, sock=each, ssl=self.config.ssl, ssl_handshake_timeout=_HANDSHAKE_SECONDS, backlog=_BACKLOG
            )
            for each in sockets or []
        ]
        self.started = True


class WebServer:
    """Serves `app` at `address` (port 0: any free one) in the event loop that runs.

    `await start()` returns when it can be asked; raises `OSError` where the address cannot be had.
    """

    def __init__(self, app: ASGIApp, address: tuple[str, int], context: ssl.SSLContext) -> None:
        self._address = address
        self._config = uvicorn.Config(
            app,
            http=CertificateProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=20,
            timeout_graceful_shutdown=2,
            h11_max_incomplete_event_size=_HEADER_OCTETS,
            ssl_context_factory=lambda config, default: context,  # noqa: ARG005 - names in the library
            ssl_certfile="",
        )
        self._server = _Server(self._config)
        self._socket: socket.socket | None = None
        self._task: asyncio.Task[Any] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        if self._socket is None:
            return self._address
        host, port = self._socket.getsockname()[:2]
        return str(host), int(port)

    async def start(self) -> None:
        """Listen and serve."""
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        self._socket = socket.create_server(self._address, family=family, backlog=_BACKLOG)
        self._socket.setblocking(False)
        self._task = asyncio.create_task(self._server.serve([self._socket]), name="web page of the audit trail")
        async with asyncio.timeout(_READY):
            while not self._server.started:
                if self._task.done():
                    await self._task
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Let what runs end, for two seconds, then cut it off."""
        if self._task is None:
            return
        self._server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._task = None
