"""Runs the listen steps of plans: each plays one trial, makes the SUT connect, waits for an event or the deadline.

The trials of a SUT follow one another, several SUTs are examined side by side. What a trial showed is journaled before
the next begins, so that an interrupted run goes on with the first trial that is missing.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from harness.conduct import Budget
from harness.drivers.base import Driver, Stimulus
from harness.evidence import EvidenceCap
from harness.listeners.base import Domain, Opening
from harness.listeners.opening import Ports, open_ports
from harness.listeners.patience import Patience
from harness.observations import Exchange, Observation
from harness.observations.clients import ClientConnection, ClientTrial, DriverOutcome
from harness.observe import HARNESS_ERROR, Conduct, SutRun
from harness.plan import CLIENT_TRIAL, ListenStep
from harness.progress import Progress
from harness.record import RunRecord
from harness.record.models import ExchangeEvent, NoteEvent, ObservationEvent
from harness.workers import SUTS_AT_ONCE, Workers

ORDINARY = "ordinary"
_LAST = 1.0
_UNANSWERED = 3  # instructions in a row after which the operator is believed to have gone
_GONE = "Nobody followed the last instructions; go on when somebody can."


@dataclass
class _Listening:
    """An endpoint that the SUT connects from, under way."""

    run: SutRun
    endpoint: str
    ports: Ports
    driver: Driver
    budget: Budget
    waiting: list[ListenStep]
    count: int  # of all its trials
    patience: Patience
    ordinary: ClientConnection | None = None
    unanswered: int = 0
    connections: int = 0
    exchanges: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def where(self) -> str:
        return f"{self.run.sut.id}/{self.endpoint}"

    def next_exchange_id(self) -> str:
        with self.lock:
            self.exchanges += 1
            return f"{self.endpoint}-{self.exchanges:04d}"

    def next_step(self) -> ListenStep:
        """The first step that needs no other one that is waiting."""
        open_yet = {step.subject for step in self.waiting}
        return next((step for step in self.waiting if not open_yet.intersection(step.needs)), self.waiting[0])


class ListenExecutor:
    """Examines SUTs that connect. `driver_for` makes the driver of an endpoint, `budget_for` the budget of a host."""

    def __init__(
        self,
        domain: Domain,
        conduct: Conduct,
        progress: Progress,
        driver_for: Callable[[SutRun, str], Driver],
        budget_for: Callable[[str], Budget],
        *,
        patience: Callable[[threading.Event], Patience] = Patience,
    ) -> None:
        self._domain, self._conduct, self._progress = domain, conduct, progress
        self._driver_for, self._budget_for = driver_for, budget_for
        self._patience = patience
        self._entries: list[list[_Listening]] = []
        self._workers = Workers(1 if conduct.gentle else SUTS_AT_ONCE)
        self._stopping = self._workers.stopping

    def add(self, run: SutRun) -> None:
        """Take in a SUT and open its ports. Raises `UsageProblem` for a port that cannot be had."""
        by_endpoint: dict[str, list[ListenStep]] = {}
        for step in run.plan.listens():
            by_endpoint.setdefault(step.endpoint, []).append(step)
        entries: list[_Listening] = []
        self._entries.append(entries)
        for endpoint, steps in by_endpoint.items():
            entry = self._entry(run, endpoint, steps)
            if entry is not None:
                entries.append(entry)
                self._progress.expect(len(entry.waiting))

    def _entry(self, run: SutRun, endpoint: str, steps: Sequence[ListenStep]) -> _Listening | None:
        """`endpoint` with the steps that are still missing; None if none is."""
        recorded = {event.step: event.observation for event in run.before.observations} if run.before else {}
        waiting = [step for step in steps if step.id not in recorded]
        if not waiting:
            return None
        where = run.sut.file.endpoints[endpoint]
        assert where.listen is not None  # noqa: S101 - only endpoints that listen have listen steps
        cap = EvidenceCap(total=self._conduct.evidence_octets)
        entry = _Listening(
            run,
            endpoint,
            Ports({}),
            self._driver_for(run, endpoint),
            self._budget_for(where.host),
            waiting,
            len(steps),
            self._patience(self._stopping),
            ordinary=_first_hello(recorded.get(f"{endpoint}/{CLIENT_TRIAL}/{ORDINARY}")),
            exchanges=_exchanges_before(run.before, endpoint),
        )

        def on_exchange(exchange: Exchange) -> None:
            run.journal.append(ExchangeEvent(exchange=cap.cut(run.keep(exchange))))

        opening = Opening(
            run.sut,
            endpoint,
            where.listen.port,
            self._conduct.deadlines,
            on_exchange,
            entry.next_exchange_id,
            self._conduct.keep_secrets,
        )
        played = frozenset(step.subject for step in steps if step.id in recorded)
        entry.ports = open_ports(self._domain, opening, steps, played)
        return entry

    def start(self) -> None:
        """Begin to examine every SUT, each in a thread."""
        for entries in self._entries:
            if entries:
                self._workers.begin(f"listen {entries[0].run.sut.id}", partial(self._examine, entries))

    def wait(self) -> None:
        """Return when every trial is recorded. On `KeyboardInterrupt` call `stop`."""
        self._workers.wait()

    def stop(self) -> None:
        """End what is under way, with the drivers' processes, and release the ports. May be called more than once."""
        self._workers.stop()
        for entries in self._entries:
            for entry in entries:
                entry.ports.stop()
                entry.run.connections += entry.connections
                entry.connections = 0

    def _examine(self, entries: Sequence[_Listening]) -> None:
        """All trials of one SUT."""
        for entry in entries:
            entry.ports.start()
            while entry.waiting and not self._stopping.is_set():
                self._step(entry, entry.next_step())

    def _step(self, entry: _Listening, step: ListenStep) -> None:
        """Play the trial of one step and record it. Whatever happens, something is recorded, unless we are stopped."""
        trial = self._domain.trials[step.subject]
        self._progress.started(entry.where, trial.text or trial.id)
        why = ""
        facts: ClientTrial | None = None
        try:
            facts = self._trial(entry, step)
        except Exception as problem:
            why = f"{HARNESS_ERROR}{type(problem).__name__}: {problem}"
            note = f"{entry.where}: the trial {step.subject} failed: {traceback.format_exc(limit=-8)}"
            entry.run.journal.append(NoteEvent(at=datetime.now(UTC), text=note))
        if facts is not None and facts.ended == "interrupted":
            return  # played again on resuming
        entry.waiting.remove(step)
        observation = Observation(
            kind=step.observation,
            subject=step.subject,
            endpoint=entry.endpoint,
            observed_at=datetime.now(UTC),
            facts=None if facts is None else facts.model_dump(mode="json"),
            missing=why,
            exchanges=tuple(connection.exchange for connection in facts.connections) if facts else (),
        )
        entry.run.journal.append(ObservationEvent(step=step.id, observation=observation))
        self._progress.finished(entry.where, trial.text or trial.id)

    def _trial(self, entry: _Listening, step: ListenStep) -> ClientTrial:
        trial = self._domain.trials[step.subject]
        why = self._domain.skipped(entry.run.sut, entry.endpoint, trial, entry.ordinary)
        if not why and not entry.driver.busy and entry.unanswered >= _UNANSWERED:
            why = _GONE
        if why:
            return ClientTrial(trial=trial.id, text=trial.text, treatment=trial.treatment, skipped=why)
        player = entry.ports.by_trial[trial.id]
        with self._paced(entry):
            player.play(trial)
            driving = entry.driver.start(self._stimulus(entry, step, player.address[1]))
            try:
                ended = entry.patience.wait(player, driving, step.seconds, busy=entry.driver.busy)
            finally:
                outcome = driving.stop()
            if ended == "deadline":  # what was under way ends with its maker
                player.wait(_LAST, until=lambda: True, settle=0.0)
            connections, strangers = player.result()
        entry.connections += len(connections)
        entry.patience.learn(came=bool(connections))
        entry.unanswered = entry.unanswered + 1 if outcome.timed_out and not connections else 0
        if trial.id == ORDINARY:
            entry.ordinary = next((one for one in connections if one.hello is not None), None)
        return ClientTrial(
            trial=trial.id,
            text=trial.text,
            treatment=trial.treatment,
            connections=connections,
            driver=outcome if connections else _told(outcome),
            strangers=strangers,
            ended=ended,
        )

    def _paced(self, entry: _Listening) -> AbstractContextManager[None]:
        """A SUT that is made to work is asked for one connection within its host's budget; a person is not hurried."""
        return entry.budget.connection() if entry.driver.busy else nullcontext()

    def _stimulus(self, entry: _Listening, step: ListenStep, port: int) -> Stimulus:
        endpoint = entry.run.sut.file.endpoints[entry.endpoint]
        assert endpoint.listen is not None  # noqa: S101 - see _entry
        return Stimulus(
            endpoint=entry.endpoint,
            protocol=endpoint.protocol,
            host=endpoint.listen.called(endpoint.host),
            port=port,
            called_aet=endpoint.called_aet,
            calling_aet=endpoint.calling_aet,
            trial=step.subject,
            text=self._domain.trials[step.subject].text,
            seconds=step.seconds,
            trust_anchors=self._domain.trust_anchors(entry.run.sut),
            number=entry.count - len(entry.waiting) + 1,
            of=entry.count,
        )


def _told(outcome: DriverOutcome) -> DriverOutcome:
    """`outcome` of a trial to which the SUT did not come, with the reason if the driver's end shows it."""
    if outcome.kind == "command" and not outcome.problem and outcome.exit_status:
        problem = f"The command ended with status {outcome.exit_status}, and nothing had connected."
        return outcome.model_copy(update={"problem": problem})
    return outcome


def _first_hello(observation: Observation | None) -> ClientConnection | None:
    """The connection of a recorded trial that shows what the client offers."""
    if observation is None or observation.facts is None:
        return None
    recorded = ClientTrial.model_validate(observation.facts)
    return next((connection for connection in recorded.connections if connection.hello is not None), None)


def _exchanges_before(before: RunRecord | None, endpoint: str) -> int:
    """The highest number of an exchange of `endpoint` that was recorded before the interruption."""
    if before is None:
        return 0
    names = (name.rpartition("-") for name, exchange in before.exchanges.items() if exchange.endpoint == endpoint)
    return max((int(number) for _, _, number in names if number.isdecimal()), default=0)
