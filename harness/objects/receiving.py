"""A storage SCP for SUTs that send us what they signed: at a plain port or behind TLS, open to the SUT alone."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.drivers.base import Stimulus
from harness.drivers.choice import driver_for
from harness.errors import UsageProblem
from harness.listeners.base import Opening
from harness.listeners.opening import port_problem
from harness.listeners.patience import Patience
from harness.listeners.tls import addresses_of
from harness.objects.base import Found, InterruptedStepError, Work
from harness.objects.creating import looked_at
from harness.objects.folders import contents_of
from harness.observations.signatures import CreatedObjects
from harness.plan import FileStep
from reference_impl.connections import Listener
from reference_impl.storage.archive import Archive
from reference_impl.storage.instances import InstanceStore

if TYPE_CHECKING:
    from reference_impl.transport.front import FrontSettings

RECEIVED_OCTETS = 1 << 30
"""So much is taken from a SUT in one run; what is beyond is refused as out of resources."""
_AT_ONCE = 16
_BACKLOG = 64
_STRANGERS = 16
_TICK = 0.02


class _Gate:
    """Who may come in: the SUT, so many at a time."""

    def __init__(self, addresses: frozenset[str]) -> None:
        self._addresses = addresses
        self.strangers: list[str] = []
        self.admitted = 0

    def lets_in(self, address: str, at_work: int) -> bool:
        """Whether a connection from `address` is served while `at_work` others are."""
        address = address.removeprefix("::ffff:")
        if address not in self._addresses:
            if address not in self.strangers:
                self.strangers[_STRANGERS - 1 :] = [address]
            return False
        if at_work >= _AT_ONCE:
            return False
        self.admitted += 1
        return True


class _PlainPort(Listener):
    """A port of `archive` without TLS."""

    def __init__(self, host: str, port: int, gate: _Gate, archive: Archive) -> None:
        super().__init__(host, port, name="storage", backlog=_BACKLOG)
        self._gate, self._archive = gate, archive

    @property
    def at_work(self) -> int:
        """Connections that are being served."""
        return len(self._archive.connections)

    def _admit(self, client: socket.socket, address: tuple[str, int]) -> None:
        if self._gate.lets_in(address[0], self.at_work):
            self._archive.take(client, address)
        else:
            client.close()


def _secure_port(host: str, port: int, gate: _Gate, archive: Archive, settings: FrontSettings) -> Listener:
    """A port of `archive` behind TLS."""
    from cryptography import x509

    from reference_impl.transport.front import Front, Router

    class SecurePort(Front):
        def _admit(self, client: socket.socket, address: tuple[str, int]) -> None:
            if gate.lets_in(address[0], len(self.connections)):
                super()._admit(client, address)
            else:
                client.close()

    def serve(connection: socket.socket, address: tuple[str, int], certificate: x509.Certificate | None) -> None:
        del certificate
        archive.take(connection, address)

    return SecurePort(Router(settings, [], []), serve, host, port)


class Receiving:
    """Has the SUT send, and looks at what came. A `harness.objects.base.Handler`.

    Raises `UsageProblem` for a port that cannot be had, and for a SUT whose address is not known.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        listen = work.where.listen
        assert listen is not None  # noqa: S101 - only endpoints that listen are received at
        try:
            self._gate = _Gate(addresses_of(work.where.host))
        except (OSError, UnicodeError):
            raise UsageProblem(
                f"{work.sut.source}: endpoints.{work.endpoint}.host: {work.where.host!r} cannot be resolved to an "
                "address; check the name"
            ) from None
        self._listen = listen
        self._folder = work.folder / "received"
        self._archive = Archive(work.where.called_aet, InstanceStore(self._folder, RECEIVED_OCTETS))
        self._driver = driver_for(work.sut, work.endpoint, work.board)
        self._patience = Patience(work.stopping)
        self._port = self._open(listen.bound_to(work.where.host))

    def _open(self, address: str) -> Listener:
        work, port = self._work, self._listen.port
        try:
            if work.where.protocol == "dicom":
                return _PlainPort(address, port, self._gate, self._archive)
            return _secure_port(address, port, self._gate, self._archive, self._settings())
        except OSError as problem:
            opening = Opening(
                work.sut, work.endpoint, port, work.conduct.deadlines, work.on_exchange, work.next_exchange_id
            )
            raise UsageProblem(port_problem(opening, problem)) from None

    def _settings(self) -> FrontSettings:
        """How we serve TLS: it is not what is judged here, so any client may come that trusts our authority."""
        from cryptography.x509 import load_der_x509_certificate

        from fixtures.pki.zoo import Zoo
        from reference_impl.transport.front import FrontSettings, Identity
        from reference_impl.transport.front.settings import IdentityKey

        name = self._listen.called(self._work.where.host)
        by_address = name.replace(".", "").isdecimal() or ":" in name
        zoo = Zoo(
            self._work.material.pki,
            dns_names=() if by_address else (name,),
            ip_addresses=(name,) if by_address else (),
        )
        shown = zoo.good("server")
        chain = tuple(load_der_x509_certificate(octets) for octets in shown.chain)
        assert isinstance(shown.key, IdentityKey)  # noqa: S101 - nothing is wrong with it
        identity = Identity(chain, shown.key)
        return FrontSettings(identities=(identity,), unknown_name_alert=None)

    def start(self) -> None:
        """Let the SUT in."""
        self._port.start()

    def stop(self) -> None:
        """Close the port."""
        self._port.stop(5.0)
        self._archive.stop(5.0)

    def do(self, step: FileStep) -> Found:
        """Have the SUT send once, and look at every object that came."""
        work = self._work
        driving = self._driver.start(self._stimulus(step))
        try:
            ended = self._patience.wait(self, driving, step.seconds, busy=self._driver.busy)
        finally:
            outcome = driving.stop()
        if ended == "interrupted":
            raise InterruptedStepError
        contents = contents_of(self._folder, work.objects.most, step.seconds) if self._folder.is_dir() else None
        if contents is None or not contents.files:
            facts = CreatedObjects(text=step.text, driver=outcome)
            return Found(facts, self._nothing_came(), "Let the SUT send signed objects to the harness once.")
        return looked_at(work, step, contents, self._folder, outcome=outcome, peer=work.where.host)

    def wait(self, seconds: float, *, until: Callable[[], bool], settle: float) -> None:
        """Return when a connection has come, all have ended and `until()` holds; at the latest after `seconds`."""
        del settle
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and not self._work.stopping.wait(_TICK):
            idle = not len(self._port.connections) and not len(self._archive.connections)
            if self._gate.admitted and idle and until():
                return

    def _stimulus(self, step: FileStep) -> Stimulus:
        work = self._work
        return Stimulus(
            endpoint=work.endpoint,
            protocol=work.where.protocol,
            host=self._listen.called(work.where.host),
            port=self._port.address[1],
            called_aet=work.where.called_aet,
            calling_aet=work.where.calling_aet,
            text="Signed objects are awaited.",
            seconds=step.seconds,
            trust_anchors=work.material.trust_anchors,
            of=work.count,
        )

    def _nothing_came(self) -> str:
        turned_away = ", ".join(self._gate.strangers)
        told = f" Turned away, because it is not the SUT's address: {turned_away}." if turned_away else ""
        if self._gate.admitted:
            return f"The SUT connected and stored no object.{told}"
        return f"The SUT never connected.{told}"


__all__ = ["RECEIVED_OCTETS", "Receiving"]
