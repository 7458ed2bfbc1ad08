"""The engine that observes: runs the steps of plans, several SUTs side by side, one conduct budget per host.

Probes run as soon as what they need is recorded, in a few threads per host, and each observation is journaled as it
arrives. Whatever a SUT does, the run ends: an endpoint has a deadline as a whole, and what it did not show by then is
recorded as missing. A probe that fails itself is recorded as the harness's own error.
"""

from __future__ import annotations

import math
import queue
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from harness.conduct import Budget
from harness.endpoint_budget import EndpointBudget, TimeIsUpError
from harness.errors import HarnessError
from harness.evidence import EvidenceCap
from harness.observations import Exchange, Observation
from harness.observations.transport import Reachability, SecondOpinion
from harness.plan import ConnectStep, Plan, check_executable
from harness.probes.base import Deadlines, Probe, ProbeContext, TlsTarget
from harness.progress import Progress
from harness.record import RunRecord
from harness.record.journal import Journal
from harness.record.models import ExchangeEvent, NoteEvent, ObservationEvent
from harness.sut import Sut

HARNESS_ERROR = "harness error: "
"""How `Observation.missing` begins where the harness itself failed: verdicts on it are errors."""
REACHABILITY = "tls.reachability"
SECOND_OPINION = "tls.second-opinion"
_SECOND_OPINION_NEEDS = ("tls.cipher-suites", "tls.groups")
_THREADS = 64
_OPINIONS = 4  # processes of second opinions at once; one per host


class OpinionProcess(Protocol):
    """A second opinion under way (`harness.second_opinion.SecondOpinionProcess`)."""

    amended: tuple[Observation, ...]

    def collect(self, context: ProbeContext) -> Observation:
        """Wait for it and compare."""

    def stop(self) -> None:
        """End it."""


@dataclass(frozen=True)
class Conduct:
    """How the SUTs are treated. `seconds` bounds everything done at one endpoint."""

    at_once: int = 4
    per_second: float = 200.0
    seconds: float = 120.0
    deadlines: Deadlines = field(default_factory=Deadlines)
    evidence_octets: int = 16_777_216
    gentle: bool = False
    intrusive: bool = False
    keep_secrets: bool = False


GENTLE = Conduct(at_once=1, per_second=5.0, seconds=900.0, deadlines=Deadlines(patience=2.0), gentle=True)


@dataclass
class SutRun:
    """A SUT that is to be observed: its plan, its journal and, when resuming, what was recorded before."""

    sut: Sut
    plan: Plan
    journal: Journal
    before: RunRecord | None = None
    keep: Callable[[Exchange], Exchange] = lambda exchange: exchange  # e.g. takes session secrets out
    connections: int = 0


@dataclass
class _EndpointRun:
    run: SutRun
    endpoint: str
    context: ProbeContext
    share: EndpointBudget
    waiting: dict[str, ConnectStep]
    recorded: set[str] = field(default_factory=set)
    running: set[str] = field(default_factory=set)
    opinion: OpinionProcess | None = None

    @property
    def where(self) -> str:
        return f"{self.run.sut.id}/{self.endpoint}"


@dataclass(frozen=True)
class _Result:
    endpoint: _EndpointRun
    kind: str
    observation: Observation
    note: str = ""


def resolve(host: str, port: int) -> str | None:
    """The first address of `host`, or None if it has none."""
    try:
        return str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError):
        return None


class Observer:
    """Observes SUTs side by side. `probes` by kind; `start_opinion` starts a second opinion, None for none."""

    def __init__(
        self,
        probes: Iterable[Probe],
        conduct: Conduct,
        progress: Progress,
        start_opinion: Callable[[TlsTarget], OpinionProcess] | None = None,
    ) -> None:
        self._probes: Mapping[str, Probe] = {probe.kind: probe for probe in probes}
        self._conduct, self._progress, self._start_opinion = conduct, progress, start_opinion
        self._results: queue.SimpleQueue[_Result] = queue.SimpleQueue()
        self._hosts: dict[str, list[_EndpointRun]] = {}
        self._budgets: dict[str, Budget] = {}
        self._threads = 0

    def add(self, run: SutRun) -> None:
        """Take in a SUT. Raises `UsageProblem` if its plan holds steps that cannot be executed."""
        check_executable(run.plan)
        steps: dict[str, dict[str, ConnectStep]] = {}
        for step in run.plan.connects():
            steps.setdefault(step.endpoint, {})[step.observation] = step
        for endpoint, waiting in steps.items():
            self._add_endpoint(run, endpoint, waiting)

    def _add_endpoint(self, run: SutRun, endpoint: str, waiting: dict[str, ConnectStep]) -> None:
        target = run.sut.target(endpoint)
        host = resolve(target.host, target.port) or target.host
        budget = self._budgets.setdefault(
            host, Budget(at_once=self._conduct.at_once, per_second=self._conduct.per_second)
        )
        share = EndpointBudget(budget)
        cap = EvidenceCap(total=self._conduct.evidence_octets)

        def on_exchange(exchange: Exchange) -> None:
            run.journal.append(ExchangeEvent(exchange=cap.cut(run.keep(exchange))))

        context = ProbeContext(
            target=target,
            budget=share,
            deadlines=self._conduct.deadlines,
            on_exchange=on_exchange,
            keep_secrets=self._conduct.keep_secrets,
            gentle=self._conduct.gentle,
            intrusive=self._conduct.intrusive,
        )
        entry = _EndpointRun(run, endpoint, context, share, dict(waiting))
        if run.before is not None:
            self._restore(entry, run.before)
        self._hosts.setdefault(host, []).append(entry)
        self._progress.expect(len(entry.waiting))

    def hosts(self) -> Mapping[str, Budget]:
        """The budget of each host that will be contacted, by address."""
        return dict(self._budgets)

    @staticmethod
    def _restore(entry: _EndpointRun, before: RunRecord) -> None:
        """Make what was recorded before the interruption known, so that only the rest is observed."""
        by_step = {event.step: event.observation for event in before.observations}
        for kind, step in list(entry.waiting.items()):
            observation = by_step.get(step.id)
            if observation is not None:
                entry.context.learn(observation)
                entry.recorded.add(kind)
                del entry.waiting[kind]
        numbers = [
            int(name.rpartition("-")[2])
            for name, exchange in before.exchanges.items()
            if exchange.endpoint == entry.endpoint and name.rpartition("-")[2].isdecimal()
        ]
        entry.context.resume_ids_after(max(numbers, default=0))

    def run(self) -> None:
        """Observe everything. On `KeyboardInterrupt` what is recorded stays, and the exception goes on."""
        entries = [entry for entries in self._hosts.values() for entry in entries]
        try:
            while any(entry.waiting or entry.running for entry in entries):
                left = sum(len(entry.waiting) for entry in entries)
                self._start_ready()
                if not any(entry.running for entry in entries):
                    if left == sum(len(entry.waiting) for entry in entries):
                        raise HarnessError("the probes need each other in a circle")
                    continue  # steps were recorded without contact
                try:
                    self._take(self._results.get(timeout=self._patience(entries)))
                except queue.Empty:
                    self._end_overdue(entries)
        finally:
            for entry in entries:
                if entry.opinion is not None:
                    entry.opinion.stop()
                entry.run.connections += entry.share.connections

    def _patience(self, entries: Sequence[_EndpointRun]) -> float:
        """Seconds until the next endpoint's time is up."""
        ends = [entry.share.ends for entry in entries if entry.waiting or entry.running]
        return min(max(min(ends, default=0.0) - time.monotonic(), 0.05), 1.0)

    def _start_ready(self) -> None:
        for entries in self._hosts.values():
            free = self._conduct.at_once - sum(
                len(entry.running - {SECOND_OPINION}) for entry in entries
            )  # the second opinion is a process of its own: its thread only waits
            for entry in entries:
                for kind in [kind for kind in entry.waiting if kind not in entry.running and self._ready(entry, kind)]:
                    if self._skip(entry, kind):
                        continue
                    if kind == SECOND_OPINION:
                        if entry.opinion is None and not self._opinion_is_free(entry):
                            continue
                    elif free <= 0 or self._threads >= _THREADS:
                        continue
                    free -= kind != SECOND_OPINION
                    self._start(entry, kind)

    @staticmethod
    def _ready(entry: _EndpointRun, kind: str) -> bool:
        needs = entry.waiting[kind].needs
        first = () if kind == REACHABILITY else (REACHABILITY,)
        return all(need in entry.recorded for need in (*first, *needs))

    def _skip(self, entry: _EndpointRun, kind: str) -> bool:
        """Record `kind` as missing without contact where reachability has shown that there is no TLS."""
        if kind == REACHABILITY:
            return False
        reached = entry.context.facts(Reachability)
        if reached is not None and reached.speaks == "tls":
            return False
        why = reached.diagnosis if reached else "It is not known what answers at this address."
        self._record(entry, kind, entry.context.observed(kind, None, missing=why))
        return True

    def _start(self, entry: _EndpointRun, kind: str) -> None:
        if entry.share.ends == math.inf:
            entry.share.ends = time.monotonic() + self._conduct.seconds
        if kind == SECOND_OPINION and entry.opinion is None:
            self._begin_opinion(entry)  # others went first, or the run was resumed after reachability
        entry.running.add(kind)
        self._threads += 1
        self._progress.started(entry.where, self._purpose(kind))
        # Daemon threads: an interrupted run ends at once, whatever a SUT keeps a probe waiting for.
        threading.Thread(target=self._work, args=(entry, kind), name=f"{entry.where}/{kind}", daemon=True).start()

    def _purpose(self, kind: str) -> str:
        probe = self._probes.get(kind)
        return (probe.purpose if probe else "second opinion") or kind

    def _work(self, entry: _EndpointRun, kind: str) -> None:
        """Run one probe in its thread. Whatever happens, a result arrives."""
        note = ""
        try:
            if kind == SECOND_OPINION and entry.opinion is not None:
                observation = entry.opinion.collect(entry.context)
            else:
                probe = self._probes[kind]
                observation = probe.run(entry.context).model_copy(update={"probe_version": probe.version})
        except TimeIsUpError:
            observation = entry.context.observed(kind, None, missing=self._time_is_up())
        except Exception as problem:
            why = f"{HARNESS_ERROR}{type(problem).__name__}: {problem}"
            observation = entry.context.observed(kind, None, missing=why)
            note = f"{entry.where}: the probe {kind} failed: {traceback.format_exc(limit=-8)}"
        self._results.put(_Result(entry, kind, observation, note))

    def _time_is_up(self) -> str:
        return f"The endpoint took longer than {self._conduct.seconds:g} s in all; it answers too slowly to be judged."

    def _take(self, result: _Result) -> None:
        self._threads -= 1
        entry, kind = result.endpoint, result.kind
        if kind not in entry.running:
            return  # given up before
        entry.running.discard(kind)
        if result.note:
            entry.run.journal.append(NoteEvent(at=datetime.now(UTC), text=result.note))
        self._record(entry, kind, result.observation)
        if kind == REACHABILITY:
            self._start_second_opinion(entry)
        if kind == SECOND_OPINION and entry.opinion is not None:
            opinion = entry.context.facts(SecondOpinion)
            entry.share.count(opinion.connections or 0 if opinion else 0)
            for amended in entry.opinion.amended:
                step = f"{entry.endpoint}/{amended.kind}"
                entry.run.journal.append(ObservationEvent(step=step, observation=amended))

    def _record(self, entry: _EndpointRun, kind: str, observation: Observation) -> None:
        step = entry.waiting.pop(kind)
        entry.context.learn(observation)
        entry.recorded.add(kind)
        entry.run.journal.append(ObservationEvent(step=step.id, observation=observation))
        self._progress.finished(entry.where, self._purpose(kind))

    def _start_second_opinion(self, entry: _EndpointRun) -> None:
        reached = entry.context.facts(Reachability)
        if SECOND_OPINION in entry.waiting and reached and reached.speaks == "tls" and self._opinion_is_free(entry):
            self._begin_opinion(entry)

    def _opinion_is_free(self, entry: _EndpointRun) -> bool:
        """Whether another second opinion may be asked now: none of this host is under way, and few in all."""
        asked = [
            (other, entries)
            for entries in self._hosts.values()
            for other in entries
            if other.opinion is not None and SECOND_OPINION in other.waiting
        ]
        return len(asked) < _OPINIONS and not any(entry in entries for _, entries in asked)

    def _begin_opinion(self, entry: _EndpointRun) -> None:
        if self._start_opinion is not None:
            entry.opinion = self._start_opinion(entry.context.target)
            # It waited for others, not for this endpoint: its time begins now.
            entry.share.ends = max(entry.share.ends, time.monotonic() + self._conduct.seconds)

    def _end_overdue(self, entries: Sequence[_EndpointRun]) -> None:
        """Record what an endpoint did not show in its time as missing; a probe may end its last exchange first."""
        now = time.monotonic()
        for entry in entries:
            if now <= entry.share.ends:
                continue
            given_up = now > entry.share.ends + self._conduct.deadlines.exchange + self._conduct.deadlines.connect
            for kind in list(entry.waiting):
                if kind == SECOND_OPINION and entry.opinion is None:
                    continue  # waits for others
                if kind not in entry.running or given_up:
                    entry.running.discard(kind)
                    self._record(entry, kind, entry.context.observed(kind, None, missing=self._time_is_up()))


SECOND_OPINION_STEP = Probe(
    kind=SECOND_OPINION,
    run=lambda context: context.observed(SECOND_OPINION, None, missing="No second opinion was asked."),
    needs=_SECOND_OPINION_NEEDS,
    purpose="second opinion",
)
"""Puts the second opinion into a plan; the engine starts its process as soon as TLS answers and collects it here."""
