"""The server that a client SUT connects to: it plays one trial at a time and keeps what each connection showed."""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from fixtures.pki.zoo import Zoo
from harness.listeners.base import Trial as AnyTrial
from harness.listeners.transport.conversation import Conversation, Part
from harness.listeners.transport.trials import TRIALS, Trial
from harness.observations import Exchange
from harness.observations.clients import ClientConnection
from harness.probes.base import Deadlines
from reference_impl.connections import Listener
from reference_impl.transport.trials import GOOD, SERVER_SCRIPTS, Server

LOGGER = logging.getLogger(__name__)

MAXIMUM_CONNECTIONS = 50
"""Connections that one trial serves; later ones are closed at once."""
MAXIMUM_STRANGERS = 50
_BACKLOG = 64
_AT_ONCE = 16
_TICK = 0.2
_PROTOCOLS = {"https": ("http/1.1",)}
_ELLIPTIC = "p-256"  # a good certificate of the zoo, for clients that verify no RSA signature
_FOREIGN = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "PS315 Authority That Issued Nothing")]).public_bytes(),)


@dataclass
class _Playing:
    """A trial on the stage: what came to it. Guarded by the server's condition."""

    trial: Trial
    part: Part
    began: float
    connections: list[ClientConnection] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    taken: int = 0
    open: int = 0
    last: float = 0.0


def _always() -> bool:
    return True


class TrialServer(Listener):
    """A listener for one endpoint of a SUT. Use it as a context manager, or :meth:`start` and :meth:`stop`.

    `protocol` is that of the SUT file ("dicom-tls", "https", "syslog-tls"). Connections from other addresses than
    `sut_addresses` (empty: anybody may come) are closed at once and noted. `next_exchange_id` and `on_exchange` are
    called from worker threads. What the SUT stores is dropped; nothing is written to `directory`.

    Raises OSError if the address cannot be bound.
    """

    def __init__(
        self,
        *,
        endpoint: str,
        protocol: str,
        address: str,
        port: int,
        zoo: Zoo,
        sut_addresses: frozenset[str],
        called_aet: str,
        deadlines: Deadlines,
        on_exchange: Callable[[Exchange], None],
        next_exchange_id: Callable[[], str],
        keep_secrets: bool = False,
        directory: Path | None = None,
    ) -> None:
        super().__init__(address, port, name="trial-server", backlog=_BACKLOG)
        self.directory = directory
        self._endpoint = endpoint
        self._protocol = protocol
        self._zoo = zoo
        self._sut_addresses = frozenset(_plain(each) for each in sut_addresses)
        self._called_aet = called_aet
        self._deadlines = deadlines
        self._on_exchange = on_exchange
        self._next_exchange_id = next_exchange_id
        self._keep_secrets = keep_secrets
        self._changed = threading.Condition()
        self._playing: _Playing | None = None
        self._authorities = (zoo.pki.issue("ca").certificate.subject.public_bytes(),)

    def stop(self, timeout: float = 5.0) -> None:
        """Close the port and every connection; wait up to `timeout` seconds for what is being recorded."""
        super().stop(timeout)

    # -- trials --------------------------------------------------------------------------------------------------

    def play(self, trial: AnyTrial) -> None:
        """From now on connections get `trial`; what came before belongs to the trial before.

        Raises KeyError for a trial that this listener does not know.
        """
        known = trial if isinstance(trial, Trial) else TRIALS[trial.id]
        part = self._part(known)
        with self._changed:
            self._playing = _Playing(known, part, time.monotonic())
            self._changed.notify_all()

    def _part(self, trial: Trial) -> Part:
        shown = self._zoo.present(trial.case, "server") if trial.case else self._zoo.good("server")
        script = GOOD if trial.case else SERVER_SCRIPTS[trial.id]
        if trial.case and trial.version is not None:
            script = replace(script, versions=(trial.version,))
        other = None if trial.case else self._zoo.present(_ELLIPTIC, "server")
        server = Server(shown, self._authorities, _FOREIGN, _PROTOCOLS.get(self._protocol, ()), other)
        return Part(
            trial=trial.id,
            server=server,
            script=script,
            refuse=trial.treatment == "refuse",
            protocol=self._protocol,
            called_aet=self._called_aet,
            ssl2=trial.id == "ssl-2.0",
        )

    def wait(self, seconds: float, *, until: Callable[[], bool] = _always, settle: float = 0.5) -> None:
        """Wait for the trial to be over: a connection has come, all have ended, `until()` holds, `settle` has passed.

        `settle` seconds without a new connection, that is. At the latest after `seconds`. :meth:`poke` has `until`
        asked again at once; without, it is asked several times a second.
        """
        deadline = time.monotonic() + seconds
        with self._changed:
            playing = self._playing
            while playing is not None and not self._stopping.is_set():
                now = time.monotonic()
                if now >= deadline:
                    return
                quiet = playing.last + settle - now if playing.taken and not playing.open else None
                if quiet is not None and quiet <= 0 and until():
                    return
                left = deadline - now
                self._changed.wait(min(left, _TICK) if quiet is None or quiet <= 0 else min(left, quiet))

    def poke(self) -> None:
        """Something that `until` of :meth:`wait` looks at has changed."""
        with self._changed:
            self._changed.notify_all()

    def result(self) -> tuple[tuple[ClientConnection, ...], tuple[str, ...]]:
        """The connections of the trial being played that have ended, by arrival, and the strangers turned away."""
        with self._changed:
            if self._playing is None:
                return (), ()
            ordered = sorted(self._playing.connections, key=lambda connection: connection.after_ms)
            return tuple(ordered), tuple(self._playing.strangers)

    # -- connections -----------------------------------------------------------------------------------------------

    def _admit(self, client: socket.socket, address: tuple[str, int]) -> None:
        host, port = _plain(address[0]), address[1]
        with self._changed:
            playing = self._playing
            stranger = bool(self._sut_addresses) and host not in self._sut_addresses
            full = playing is None or playing.taken >= MAXIMUM_CONNECTIONS or playing.open >= _AT_ONCE
            if stranger and playing is not None and host not in playing.strangers:
                playing.strangers[MAXIMUM_STRANGERS - 1 :] = [host]
            if stranger or full or playing is None:
                client.close()
                return
            playing.taken += 1
            playing.open += 1
            playing.last = time.monotonic()
        try:
            self.connections.begin(client, lambda: self._serve(playing, client, _peer(host, port)))
        except RuntimeError:  # no more threads: this one is not served
            LOGGER.warning("no thread for a connection from %s", host)
            self._leave(playing, client)

    def _serve(self, playing: _Playing, client: socket.socket, peer: str) -> None:
        connection: ClientConnection | None = None
        try:
            conversation = Conversation(
                client=client,
                peer=peer,
                part=playing.part,
                deadlines=self._deadlines,
                exchange=self._next_exchange_id(),
                endpoint=self._endpoint,
                after_ms=round((time.monotonic() - playing.began) * 1000, 3),
                keep_secrets=self._keep_secrets,
            )
            connection, exchange = conversation.run()
            self._on_exchange(exchange)
        except Exception:
            LOGGER.exception("a connection from %s in trial %s could not be recorded", peer, playing.trial.id)
        finally:
            self._leave(playing, client, connection)

    def _leave(
        self,
        playing: _Playing,
        client: socket.socket,
        connection: ClientConnection | None = None,
    ) -> None:
        """The connection is over; `connection` is what it showed."""
        client.close()
        with self._changed:
            playing.open -= 1
            playing.last = time.monotonic()
            if connection is not None:
                playing.connections.append(connection)
            self._changed.notify_all()


def _plain(address: str) -> str:
    """An address in one spelling: IPv4 as such, also where it came mapped into IPv6, and without a zone."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)


def _peer(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
