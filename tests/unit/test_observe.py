"""The engine that observes: order, side by side within a budget, deadlines, faults of its own, resuming."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.conduct import Budget
from harness.endpoint_budget import EndpointBudget, TimeIsUpError
from harness.errors import HarnessError, UsageProblem
from harness.observations import Exchange, Frozen, Observation
from harness.observations.transport import Groups, Reachability, SecondOpinion, Versions
from harness.observe import (
    SECOND_OPINION,
    SECOND_OPINION_STEP,
    Conduct,
    Observer,
    SutRun,
)
from harness.operator_steps import ask
from harness.plan import AskStep, DriveStep, Plan, plan_for
from harness.probes.base import Deadlines, Probe, ProbeContext, TlsTarget
from harness.progress import Silent
from harness.record import RunRecord
from harness.record.journal import read_record
from harness.sut import Sut, parse_sut
from tests.unit.begun_record import begun, record_of

REACHABLE = Reachability(address="127.0.0.1:1", tcp="connected", speaks="tls")
PLAIN = Reachability(
    address="127.0.0.1:1", tcp="connected", speaks="plain-dicom", diagnosis="This port speaks unencrypted DICOM."
)
PATIENCE = 10.0


def a_sut(name: str = "pacs", host: str = "127.0.0.1", more: str = "") -> Sut:
    text = f"""
schema = 1
[identity]
id = "{name}"
[endpoints.dimse]
host = "{host}"
port = 1
[[claims]]
profile = "B.12"
endpoint = "dimse"
{more}
"""
    return parse_sut(text, source=f"{name}.toml", folder=Path())


def saying(kind: str, facts: Frozen | None, *needs: str) -> Probe:
    return Probe(kind, lambda context: context.observed(kind, facts, missing="" if facts else "nothing"), needs)


REACH = saying("tls.reachability", REACHABLE)
VERSIONS = saying("tls.versions", Versions(reactions={}), "tls.reachability")


class Bench:
    """Runs probes over SUTs and reads the records back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sut: Sut) -> Path:
        return record_of(self.folder, sut)

    def start(self, sut: Sut, probes: tuple[Probe, ...]) -> SutRun:
        return begun(self.folder, sut, plan_for(sut, probes))

    def observe(
        self,
        probes: tuple[Probe, ...],
        *suts: Sut,
        conduct: Conduct | None = None,
        opinion: Callable[[TlsTarget], FakeOpinion] | None = None,
    ) -> list[RunRecord]:
        observer = Observer(probes, conduct or Conduct(), Silent(), opinion)
        runs = [self.start(sut, probes) for sut in suts or (a_sut(),)]
        for run in runs:
            observer.add(run)
        try:
            observer.run()
        finally:
            for run in runs:
                run.journal.close()
        self.connections = [run.connections for run in runs]
        return [read_record(run.journal.path, unfinished=True) for run in runs]


class FakeOpinion:
    def __init__(self, facts: SecondOpinion | None = None) -> None:
        self.amended: tuple[Observation, ...] = ()
        self.facts = facts
        self.stopped = False

    def collect(self, context: ProbeContext) -> Observation:
        return context.observed(SECOND_OPINION, self.facts, missing="" if self.facts else "none")

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def by_kind(record: RunRecord) -> dict[str, Observation]:
    return {event.observation.kind: event.observation for event in record.observations}


def test_a_probe_runs_after_what_it_needs(bench: Bench) -> None:
    seen: list[Versions | None] = []

    def look(context: ProbeContext) -> Observation:
        seen.append(context.facts(Versions))
        return context.observed("tls.groups", Groups(versions={}))

    (record,) = bench.observe((Probe("tls.groups", look, ("tls.versions",), version=3), VERSIONS, REACH))
    assert seen == [Versions(reactions={})]
    assert list(by_kind(record)) == ["tls.reachability", "tls.versions", "tls.groups"]
    assert by_kind(record)["tls.groups"].probe_version == 3


def test_without_tls_nothing_else_is_contacted_and_the_diagnosis_is_recorded(bench: Bench) -> None:
    def contact(_context: ProbeContext) -> Observation:
        raise AssertionError("contacted")

    probes = (saying("tls.reachability", PLAIN), Probe("tls.versions", contact), Probe("tls.groups", contact))
    (record,) = bench.observe(probes)
    found = by_kind(record)
    assert found["tls.versions"].facts is None
    assert found["tls.groups"].missing == "This port speaks unencrypted DICOM."


def test_a_probe_that_fails_itself_is_an_error_of_the_harness_and_the_rest_goes_on(bench: Bench) -> None:
    def broken(_context: ProbeContext) -> Observation:
        raise ZeroDivisionError("by us")

    (record,) = bench.observe((REACH, Probe("tls.groups", broken), VERSIONS))
    found = by_kind(record)
    assert found["tls.groups"].missing == "harness error: ZeroDivisionError: by us"
    assert found["tls.versions"].facts is not None
    assert "Traceback" in record.notes[0].text


def test_independent_probes_run_side_by_side_within_the_budget(bench: Bench) -> None:
    together = threading.Barrier(2, timeout=PATIENCE)

    def meet(kind: str, facts: Frozen) -> Probe:
        def run(context: ProbeContext) -> Observation:
            with context.budget.connection():
                together.wait()
            return context.observed(kind, facts)

        return Probe(kind, run)

    (record,) = bench.observe(
        (REACH, meet("tls.versions", Versions(reactions={})), meet("tls.groups", Groups(versions={})))
    )
    assert all(observation.facts is not None for observation in by_kind(record).values())
    assert bench.connections == [2]


def test_many_suts_share_one_budget_per_host(bench: Bench) -> None:
    lock = threading.Lock()
    open_now: dict[str, int] = {}
    most: dict[str, int] = {}

    @contextmanager
    def connected(name: str) -> Iterator[None]:
        with lock:
            open_now[name] = open_now.get(name, 0) + 1
            most[name] = max(most.get(name, 0), open_now[name])
        yield
        with lock:
            open_now[name] -= 1

    def run(context: ProbeContext) -> Observation:
        for _ in range(5):
            with context.budget.connection(), connected(context.target.host):
                threading.Event().wait(0.002)  # a server takes its time
        return context.observed("tls.versions", Versions(reactions={}))

    suts = [a_sut(f"pacs{number}", host="127.0.0.1") for number in range(6)]
    suts += [a_sut(f"ris{number}", host="127.0.0.2") for number in range(2)]
    conduct = Conduct(at_once=2, per_second=10_000)
    records = bench.observe((REACH, Probe("tls.versions", run)), *suts, conduct=conduct)
    assert [len(record.observations) for record in records] == [2] * 8
    assert most["127.0.0.1"] == 2
    assert most["127.0.0.2"] <= 2
    assert bench.connections == [5] * 8


def test_names_of_one_host_share_its_budget() -> None:
    observer = Observer((REACH,), Conduct(), Silent())
    for number, host in enumerate(("localhost", "127.0.0.1")):
        sut = a_sut(f"s{number}", host=host)
        observer.add(SutRun(sut, plan_for(sut, (REACH,)), journal=None))  # type: ignore[arg-type]
    budgets = observer.hosts()
    assert list(budgets) == ["127.0.0.1"] or "::1" in budgets


def test_an_endpoint_that_takes_too_long_ends_and_is_told(bench: Bench) -> None:
    release = threading.Event()

    def slow(context: ProbeContext) -> Observation:
        while True:
            with context.budget.connection():
                release.wait(0.01)

    conduct = Conduct(seconds=0.2, at_once=1, per_second=10_000)
    after = replace(saying("tls.groups", None), needs=("tls.versions",))
    (record,) = bench.observe((REACH, Probe("tls.versions", slow), after), conduct=conduct)
    found = by_kind(record)
    assert "took longer than 0.2 s" in found["tls.versions"].missing
    assert "took longer than 0.2 s" in found["tls.groups"].missing


def test_a_probe_that_does_not_end_is_given_up(bench: Bench) -> None:
    release = threading.Event()

    def stuck(context: ProbeContext) -> Observation:
        release.wait(PATIENCE)
        return context.observed("tls.versions", Versions(reactions={}))

    conduct = Conduct(seconds=0.1, deadlines=replace(Deadlines(), connect=0.1, exchange=0.1))
    try:
        (record,) = bench.observe((REACH, Probe("tls.versions", stuck)), conduct=conduct)
    finally:
        release.set()
    assert "took longer" in by_kind(record)["tls.versions"].missing


def test_an_interrupted_run_keeps_what_it_has_and_goes_on_there(bench: Bench) -> None:
    asked: list[str] = []
    interrupt = [True]

    def versions(context: ProbeContext) -> Observation:
        asked.append("tls.versions")
        name = context.next_exchange_id()
        context.record(
            Exchange(
                id=name,
                purpose="p",
                endpoint="dimse",
                started=datetime.now(UTC),
                duration_ms=1,
                peer="127.0.0.1:1",
                segments=(),
                outcome="",
            )
        )
        return context.observed("tls.versions", Versions(reactions={}), exchanges=(name,))

    class Interrupting(Silent):
        def finished(self, where: str, what: str) -> None:
            if (where, what) == ("pacs/dimse", "tls.versions") and interrupt[0]:
                raise KeyboardInterrupt

    def groups(context: ProbeContext) -> Observation:
        assert context.facts(Versions) is not None
        return context.observed("tls.groups", Groups(versions={}), exchanges=(context.next_exchange_id(),))

    probes = (REACH, Probe("tls.versions", versions), Probe("tls.groups", groups, ("tls.versions",)))
    run = bench.start(a_sut(), probes)
    observer = Observer(probes, Conduct(), Interrupting())
    observer.add(run)
    with pytest.raises(KeyboardInterrupt):
        observer.run()
    run.journal.close()
    assert set(by_kind(read_record(run.journal.path, unfinished=True))) == {"tls.reachability", "tls.versions"}

    interrupt[0] = False
    (record,) = bench.observe(probes)
    found = by_kind(record)
    assert asked == ["tls.versions"]
    assert found["tls.groups"].exchanges == ("dimse-0002",)


def test_the_second_opinion_starts_when_tls_answers_and_amends(bench: Bench) -> None:
    targets: list[TlsTarget] = []
    opinion = FakeOpinion(SecondOpinion(tool="other 1", versions={}, connections=7))

    def start(target: TlsTarget) -> FakeOpinion:
        targets.append(target)
        return opinion

    groups = Probe("tls.groups", lambda context: context.observed("tls.groups", Groups(versions={})))
    suites = saying("tls.cipher-suites", None)
    opinion.amended = (
        Observation(
            kind="tls.groups", endpoint="dimse", observed_at=datetime.now(UTC), facts=None, missing="x", attempts=2
        ),
    )
    (record,) = bench.observe((REACH, groups, suites, SECOND_OPINION_STEP), opinion=start)
    assert [target.port for target in targets] == [1]
    assert by_kind(record)["tls.groups"].attempts == 2
    assert by_kind(record)[SECOND_OPINION].facts is not None
    assert bench.connections == [7]
    assert opinion.stopped


def test_second_opinions_of_one_host_are_asked_one_after_the_other(bench: Bench) -> None:
    lock = threading.Lock()
    running: list[int] = [0, 0]

    class Counting(FakeOpinion):
        def __init__(self) -> None:
            super().__init__(SecondOpinion(tool="other 1", versions={}, connections=1))
            with lock:
                running[0] += 1
                running[1] = max(running)

        def collect(self, context: ProbeContext) -> Observation:
            threading.Event().wait(0.01)  # a scan takes its time
            with lock:
                running[0] -= 1
            return super().collect(context)

    probes = (REACH, saying("tls.groups", None), saying("tls.cipher-suites", None), SECOND_OPINION_STEP)
    suts = [a_sut(f"pacs{number}") for number in range(5)]
    records = bench.observe(probes, *suts, opinion=lambda _target: Counting())
    assert [by_kind(record)[SECOND_OPINION].missing for record in records] == [""] * 5
    assert running == [0, 1]


def test_no_second_opinion_is_asked_where_no_tls_answers(bench: Bench) -> None:
    def start(_target: TlsTarget) -> FakeOpinion:
        raise AssertionError("started")

    probes = (saying("tls.reachability", PLAIN), SECOND_OPINION_STEP)
    (record,) = bench.observe(probes, opinion=start)
    assert by_kind(record)[SECOND_OPINION].missing == PLAIN.diagnosis


def test_an_endpoint_budget_ends_with_its_time_and_counts_its_own() -> None:
    host = Budget(at_once=1)
    budget, other = EndpointBudget(host), EndpointBudget(host)
    with budget.connection():
        pass
    other.count(10)
    assert (budget.connections, other.connections, host.connections) == (1, 10, 11)
    budget.ends = 0.0
    with pytest.raises(TimeIsUpError), budget.connection():
        pytest.fail("entered")


def test_probes_that_need_each_other_are_our_fault(bench: Bench) -> None:
    probes = (REACH, saying("tls.versions", None, "tls.groups"), saying("tls.groups", None, "tls.versions"))
    with pytest.raises(HarnessError, match="circle"):
        bench.observe(probes)


def test_a_step_without_executor_is_refused(bench: Bench) -> None:
    sut = a_sut()
    step = DriveStep(id="d", driver="storescu", action="send")
    run = SutRun(sut, Plan(sut=sut.id, steps=(step,)), journal=None)  # type: ignore[arg-type]
    with pytest.raises(UsageProblem, match="drive"):
        Observer((), Conduct(), Silent()).add(run)


def test_answers_come_from_the_file_then_from_the_operator_and_are_kept(bench: Bench) -> None:
    sut = a_sut(
        more='[operator."ACME-1"]\nanswer = "yes"\nconfirmed_by = "J. Doe"\nat = 2026-11-22T10:00:00Z\n',
    )
    steps = tuple(AskStep(id=f"ask/ACME-{n}", requirement=f"ACME-{n}", question="?") for n in (1, 2, 3))
    replies = iter(["  no \n", "\n"])
    for expected in (["ACME-1", "ACME-2"], ["ACME-1", "ACME-2"]):
        run = replace(bench.start(sut, ()), plan=Plan(sut=sut.id, steps=steps))
        ask(run, lambda _question: next(replies, ""))
        run.journal.close()
        record = read_record(run.journal.path, unfinished=True)
        assert [event.requirement for event in record.answers] == expected
    assert [event.answer for event in record.answers] == ["yes", "no"]
