"""The repository's ears: syslog over TLS and UDP, and the web page, in one event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from reference_impl.audit.repository.examining import Arrival
from reference_impl.audit.repository.facts import microseconds
from reference_impl.audit.repository.ingest import Ingest
from reference_impl.audit.repository.settings import Addresses, Settings
from reference_impl.audit.repository.store import ConnectionFacts, Store
from reference_impl.audit.syslog.receiver import Arrived, Connection, Receiver
from reference_impl.audit.syslog.tls import ServerTls, Trust

if TYPE_CHECKING:
    from reference_impl.audit.repository.web.serving import WebServer

LOG: Final = logging.getLogger("ps315.audit")
_TICK: Final = 1.0
_MOST_REFUSED: Final = 60  # connections without a message that are stored each minute; more are only counted
_STOP_SECONDS: Final = 5.0

Refused = Callable[[Connection, int], None]
"""Told of a connection whose handshake failed, and of how many more failed since the last time."""


class Listening:
    """Listens for `settings` while it is started, and hands to `ingest` what comes; `tick` is called each second.

    `refused` hears of senders that could not prove who they are.
    """

    def __init__(
        self,
        settings: Settings,
        ingest: Ingest,
        store: Store,
        *,
        web: WebServer | None,
        tick: Callable[[], None],
        refused: Refused,
    ) -> None:
        self._ingest, self._web, self._tick = ingest, web, tick
        self._connections = _Connections(ingest, store, refused)
        self._receiver = _receiver(settings, self._take, self._connections.ended)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="audit-listening", daemon=True)
        self._ticking: asyncio.Task[None] | None = None

    @property
    def addresses(self) -> Addresses:
        """Where it listens."""
        bound = self._receiver.addresses if self._receiver is not None else {}
        return Addresses(bound.get("tls"), bound.get("udp"), self._web.address if self._web is not None else None)

    def start(self) -> None:
        """Listen. Raises OSError where an address cannot be had, ssl.SSLError where a file is no certificate or key."""
        self._thread.start()
        try:
            self._do(self._start())
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Listen no more; what came is handed over."""
        if not self._thread.is_alive():
            return
        try:
            self._do(self._stop())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    async def _start(self) -> None:
        if self._web is not None:
            await self._web.start()
        if self._receiver is not None:
            await self._receiver.start()
        self._ticking = asyncio.create_task(self._keep_ticking())

    async def _stop(self) -> None:
        try:
            if self._receiver is not None:
                await self._receiver.stop(_STOP_SECONDS)
            if self._ticking is not None:
                self._ticking.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._ticking
        finally:
            if self._web is not None:
                await self._web.stop()

    async def _keep_ticking(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            self._tick()

    async def _take(self, batch: Sequence[Arrived]) -> None:
        _, connection, at = batch[0]
        arrived, number = microseconds(at), self._connections.number(connection)
        transport, host = connection.transport, connection.host
        await self._ingest.put([Arrival(each.octets, arrived, transport, host, number) for each in batch])


def _receiver(
    settings: Settings,
    take: Callable[[Sequence[Arrived]], Coroutine[Any, Any, None]],
    ended: Callable[[Connection], None],
) -> Receiver | None:
    tls = None
    if settings.tls_port is not None:
        if settings.certificate is None or settings.key is None:
            raise ValueError("syslog over TLS needs a certificate and a key")
        tls = ServerTls(settings.certificate, settings.key, Trust(anchors=settings.client_ca, revoked=settings.revoked))
    udp = None if settings.udp_port is None else (settings.host, settings.udp_port)
    tcp = None if settings.tls_port is None else (settings.host, settings.tls_port)
    if tcp is None and udp is None:
        return None
    return Receiver(take, tls=tls, tcp=tcp, udp=udp, on_connection=ended)


@dataclass(slots=True)
class _Minute:
    begun: float = 0.0
    stored: int = 0
    counted: int = 0


class _Connections:
    """Gives connections their ids in the store, and stores how they began and ended. Used in the event loop only."""

    def __init__(self, ingest: Ingest, store: Store, refused: Refused) -> None:
        self._ingest, self._store, self._refused = ingest, store, refused
        self._ids: dict[Connection, int] = {}
        self._next = store.next_connection()
        self._minute = _Minute()

    def number(self, connection: Connection) -> int:
        """The id of a connection that brings messages."""
        known = self._ids.get(connection)
        if known is None:
            known = self._ids[connection] = self._begin(connection)
        return known

    def ended(self, connection: Connection) -> None:
        """Store how it ended; one that brought nothing is stored too, as long as they are few."""
        known = self._ids.pop(connection, None)
        if known is None:
            if not self._may_be_stored():
                return
            known = self._begin(connection)
        told = (connection.refused, connection.framing, connection.ended_because)
        problem = "; ".join(each for each in told if each)
        ended, messages = microseconds(connection.closed or datetime.now(UTC)), connection.messages
        ending = connection.ending
        self._ingest.put_job(
            lambda: self._store.end_connection(known, ended=ended, ending=ending, problem=problem, messages=messages)
        )
        spoke = connection.no_frame or connection.version  # whoever said nothing did not try to prove anything
        if connection.refused and spoke:
            more, self._minute.counted = self._minute.counted, 0
            self._refused(connection, more)

    def _begin(self, connection: Connection) -> int:
        number = self._next
        self._next += 1
        _, _, port = connection.peer.rpartition(":")
        facts = ConnectionFacts(
            transport=connection.transport,
            peer=connection.host,
            port=int(port) if port.isdecimal() else 0,
            began=microseconds(connection.opened),
            tls_version=connection.version,
            cipher=connection.suite,
            subject=_subject(connection.certificate),
            certificate=connection.certificate or None,
        )
        self._ingest.put_job(lambda: self._store.begin_connection(number, facts))
        return number

    def _may_be_stored(self) -> bool:
        minute, now = self._minute, asyncio.get_running_loop().time()
        if now - minute.begun >= 60:
            if minute.counted:
                LOG.warning("%d more connections brought nothing", minute.counted)
            minute.begun, minute.stored = now, 0
        if minute.stored >= _MOST_REFUSED:
            minute.counted += 1
            return False
        minute.stored += 1
        return True


def _subject(certificate: bytes) -> str:
    """The subject of a client certificate, as RFC 4514 writes it; empty where there is none, or no reading it."""
    if not certificate:
        return ""
    from cryptography import x509

    try:
        return x509.load_der_x509_certificate(certificate).subject.rfc4514_string()
    except ValueError:
        return ""
