"""A storage SCP for SUTs that send us what they signed: at a plain port or behind TLS, open to the SUT alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

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
from harness.objects.ports import Gate, open_port
from harness.observations.signatures import CreatedObjects
from harness.plan import FileStep
from reference_impl.connections import Listener
from reference_impl.storage.archive import Archive
from reference_impl.storage.instances import InstanceStore

RECEIVED_OCTETS = 1 << 30
"""So much is taken from a SUT in one run; what is beyond is refused as out of resources."""
OBJECT_OCTETS = 1 << 29
"""Of one object: it is held in memory until it is stored."""
_TICK = 0.02


class Receiving:
    """Has the SUT send, and looks at what came. A `harness.objects.base.Handler`.

    Raises `UsageProblem` for a port that cannot be had, and for a SUT whose address is not known.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        listen = work.where.listen
        assert listen is not None  # noqa: S101 - only endpoints that listen are received at
        try:
            self._gate = Gate(addresses_of(work.where.host))
        except (OSError, UnicodeError):
            raise UsageProblem(
                f"{work.sut.source}: endpoints.{work.endpoint}.host: {work.where.host!r} cannot be resolved to an "
                "address; check the name"
            ) from None
        self._listen = listen
        self._paced = 0
        self._folder = work.folder / "received"
        self._archive = Archive(
            work.where.called_aet, InstanceStore(self._folder, RECEIVED_OCTETS), limit=OBJECT_OCTETS
        )
        self._driver = driver_for(work.sut, work.endpoint, work.board)
        self._patience = Patience(work.stopping)
        self._port = self._open(listen.bound_to(work.where.host))

    def _open(self, address: str) -> Listener:
        work, port = self._work, self._listen.port
        try:
            name = self._listen.called(work.where.host)
            return open_port(work, self._archive, self._gate, (address, port), name)
        except OSError as problem:
            opening = Opening(
                work.sut, work.endpoint, port, work.conduct.deadlines, work.on_exchange, work.next_exchange_id
            )
            raise UsageProblem(port_problem(opening, problem)) from None

    def start(self) -> None:
        """Let the SUT in."""
        self._port.start()

    def stop(self) -> None:
        """Close the port."""
        self._port.stop(5.0)
        self._archive.stop(5.0)
        self._work.budget.count(max(self._gate.admitted - self._paced, 0))

    def do(self, step: FileStep) -> Found:
        """Have the SUT send once, and look at every object that came."""
        work = self._work
        with self._pace():
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

    def _pace(self) -> AbstractContextManager[None]:
        """A SUT that is made to work is asked for one connection within its host's budget; a person is not hurried."""
        if not self._driver.busy:
            return nullcontext()
        self._paced += 1
        return self._work.budget.connection()

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
