"""Runs the file steps of plans: each hands an object to the SUT, takes one from it, or both.

The steps of a SUT follow one another, several SUTs are examined side by side. What a step showed is journaled before
the next begins, so that an interrupted run goes on with the first step that is missing.
"""

from __future__ import annotations

import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count, groupby
from pathlib import Path

from harness.conduct import Budget
from harness.endpoint_budget import EndpointBudget
from harness.evidence import EvidenceCap
from harness.objects.base import Found, Handler, InterruptedStepError, Work, module_of
from harness.objects.material import Material
from harness.observations import Exchange, Observation
from harness.observations.base import OF_OBJECTS
from harness.observe import HARNESS_ERROR, Conduct, SutRun
from harness.operator_board import Board
from harness.plan import FileStep
from harness.progress import Progress
from harness.record.models import ExchangeEvent, NoteEvent, ObservationEvent, StoredObjectEvent
from harness.workers import SUTS_AT_ONCE, Workers


@dataclass
class _Handling:
    """The steps of one kind at one endpoint, under way."""

    run: SutRun
    work: Work
    share: EndpointBudget
    handler: Handler
    waiting: list[FileStep]

    @property
    def where(self) -> str:
        return f"{self.run.sut.id}/{self.work.endpoint}"

    def next_step(self) -> FileStep:
        """The first step that needs no other one that is waiting."""
        open_yet = {step.subject for step in self.waiting}
        return next((step for step in self.waiting if not open_yet.intersection(step.needs)), self.waiting[0])

    def close(self) -> None:
        """Release what the handler holds, and count its connections."""
        self.handler.stop()
        if self.work.where.protocol != "files":
            self.run.connections += self.share.connections


class ObjectExecutor:
    """Examines SUTs by objects. `budget_for` gives the budget of a host; persons are asked at `board`."""

    def __init__(self, conduct: Conduct, progress: Progress, board: Board, budget_for: Callable[[str], Budget]) -> None:
        self._conduct, self._progress, self._board, self._budget_for = conduct, progress, board, budget_for
        self._entries: list[list[_Handling]] = []
        self._workers = Workers(1 if conduct.gentle else SUTS_AT_ONCE)
        self._scratch = tempfile.TemporaryDirectory(prefix="ps315-objects-", ignore_cleanup_errors=True)

    def add(self, run: SutRun) -> None:
        """Take in a SUT and open the ports it sends to. Raises `UsageProblem` for a port that cannot be had."""
        recorded = {event.step for event in run.before.observations} if run.before else frozenset[str]()
        entries: list[_Handling] = []
        self._entries.append(entries)
        material = Material(run.sut, self._folder("material"))
        by_handler = groupby(run.plan.files(), key=lambda step: (step.endpoint, step.observation))
        for (endpoint, observation), steps in by_handler:
            planned = list(steps)
            waiting = [step for step in planned if step.id not in recorded]
            if not waiting:
                continue
            share = EndpointBudget(self._budget_for(run.sut.file.endpoints[endpoint].host or "localhost"))
            numbers = next((one.work.next_exchange_id for one in entries if one.work.endpoint == endpoint), None)
            work = Work(
                run.sut,
                endpoint,
                self._folder("work"),
                material,
                self._conduct,
                share,
                self._board,
                _recorder(run, EvidenceCap(total=self._conduct.evidence_octets)),
                numbers or _numbering(run, endpoint),
                partial(_left, run, endpoint),
                self._workers.stopping,
                _recorded(run, endpoint),
                len(planned),
            )
            entries.append(_Handling(run, work, share, module_of(observation).handler(work), waiting))
            self._progress.expect(len(waiting))

    def start(self) -> None:
        """Begin to examine every SUT, each in a thread."""
        for entries in self._entries:
            if entries:
                self._workers.begin(f"objects {entries[0].run.sut.id}", partial(self._examine, entries))

    def wait(self) -> None:
        """Return when every step is recorded. On `KeyboardInterrupt` call `stop`."""
        self._workers.wait()

    def stop(self) -> None:
        """End what is under way, with the drivers' processes, and release ports and files. May be called twice."""
        self._workers.stop()
        for entries in self._entries:
            for entry in entries:
                entry.close()
            entries.clear()
        self._scratch.cleanup()

    def _folder(self, prefix: str) -> Path:
        return Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=self._scratch.name))

    def _examine(self, entries: Sequence[_Handling]) -> None:
        """All steps of one SUT."""
        for entry in entries:
            try:
                entry.handler.start()
            except Exception as problem:
                self._broken(entry, problem)
                continue
            while entry.waiting and not self._workers.stopping.is_set():
                self._step(entry, entry.next_step())

    def _step(self, entry: _Handling, step: FileStep) -> None:
        """Execute one step and record it. Whatever happens, something is recorded, unless we are stopped."""
        self._progress.started(entry.where, step.text or step.subject)
        try:
            found = entry.handler.do(step)
        except InterruptedStepError:
            return  # executed again on resuming
        except Exception as problem:
            found = _own_fault(entry, step, problem)
        try:
            self._record(entry, step, found)
        except ValueError as problem:  # something in it is no text that JSON takes
            self._record(entry, step, _own_fault(entry, step, problem))

    def _broken(self, entry: _Handling, problem: Exception) -> None:
        for step in list(entry.waiting):
            self._record(entry, step, _own_fault(entry, step, problem))

    def _record(self, entry: _Handling, step: FileStep, found: Found) -> None:
        observation = Observation(
            kind=step.observation,
            subject=step.subject,
            endpoint=step.endpoint,
            observed_at=datetime.now(UTC),
            facts=None if found.facts is None else found.facts.model_dump(mode="json"),
            missing=found.missing,
            remedy=found.remedy,
            exchanges=found.exchanges,
        )
        entry.run.journal.append(ObservationEvent(step=step.id, observation=observation))
        entry.waiting.remove(step)
        if found.note:
            entry.run.journal.append(NoteEvent(at=datetime.now(UTC), text=f"{entry.where}: {found.note}"))
        self._progress.finished(entry.where, step.text or step.subject)


def _own_fault(entry: _Handling, step: FileStep, problem: Exception) -> Found:
    """What is recorded where the harness itself failed; the note has the traceback."""
    trace = "".join(traceback.format_exception(problem, limit=-8))
    note = f"{entry.where}: the step {step.id} failed: {trace}".encode("utf-8", "backslashreplace").decode()
    entry.run.journal.append(NoteEvent(at=datetime.now(UTC), text=note))
    why = f"{HARNESS_ERROR}{type(problem).__name__}: {problem}"
    return Found(None, why.encode("utf-8", "backslashreplace").decode())


def _recorder(run: SutRun, cap: EvidenceCap) -> Callable[[Exchange], None]:
    def record(exchange: Exchange) -> None:
        run.journal.append(ExchangeEvent(exchange=cap.cut(run.keep(exchange))))

    return record


def _left(run: SutRun, endpoint: str, uid: str, description: str) -> None:
    run.journal.append(StoredObjectEvent(endpoint=endpoint, sop_instance_uid=uid, description=description))


def _recorded(run: SutRun, endpoint: str) -> dict[tuple[str, str], Observation]:
    """What was recorded at `endpoint` before an interruption, by kind and subject."""
    found = (event.observation for event in run.before.observations) if run.before else ()
    return {(one.kind, one.subject): one for one in found if one.endpoint == endpoint}


def _numbering(run: SutRun, endpoint: str) -> Callable[[], str]:
    """Ids of exchanges of objects at `endpoint`, after those that were recorded before an interruption.

    Connections to the same endpoint have numbers of their own.
    """
    prefix = f"{endpoint}{OF_OBJECTS}"
    before = run.before.exchanges if run.before else {}
    used = [int(name.removeprefix(prefix)) for name in before if name.startswith(prefix)]
    numbers: Iterator[int] = count(max(used, default=0) + 1)
    lock = threading.Lock()

    def next_id() -> str:
        with lock:
            return f"{prefix}{next(numbers):04d}"

    return next_id
