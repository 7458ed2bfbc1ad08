"""All contact with the SUTs: connect steps by the observer, listen and file steps beside it, operators asked."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Protocol

from harness.commands._settings import Settings
from harness.conduct import Budget
from harness.observe import Conduct, Observer, OpinionProcess, SutRun, resolve
from harness.operator_board import Board
from harness.operator_steps import ask
from harness.probes.base import Probe, TlsTarget
from harness.progress import Progress
from harness.sut import Sut

if TYPE_CHECKING:
    from harness.listeners.base import Domain, Trial


class Listening:
    """The listeners' domain, opened when a SUT first needs it: its tables and certificates take time to import."""

    def __init__(self, suts: Sequence[Sut], stack: ExitStack) -> None:
        self.domain: Domain | None = None
        if any(_is_played_trials(sut, endpoint) for sut in suts for endpoint in sut.claimed_endpoints):
            from harness.listeners.tls import TlsTrials

            self.domain = stack.enter_context(TlsTrials())

    @property
    def trials(self) -> tuple[Trial, ...]:
        """What is played, in order; nothing where no SUT connects."""
        return tuple(self.domain.trials.values()) if self.domain else ()


def _is_played_trials(sut: Sut, endpoint: str) -> bool:
    return sut.listen(endpoint) is not None and sut.has_transport(endpoint)


def interactive(settings: Settings) -> bool:
    """Whether somebody sits at the terminal and may be asked."""
    return not settings.non_interactive and not settings.quiet and sys.stdin.isatty()


def needs_operator(suts: Sequence[Sut]) -> bool:
    """Whether a person is to make a SUT connect or sign, or to tell what it says."""
    return any(_is_operated(sut, endpoint) for sut in suts for endpoint in sut.claimed_endpoints)


def _is_operated(sut: Sut, endpoint: str) -> bool:
    if sut.is_of_audit(endpoint):
        return _reports_by_hand(sut, endpoint)
    if sut.driver_kind(endpoint) != "operator":
        return False
    if sut.listen(endpoint) is not None or sut.driver_name(endpoint):
        return True
    return "signature-verifier" in sut.object_roles(endpoint) and sut.file.endpoints[endpoint].protocol == "files"


def _reports_by_hand(sut: Sut, endpoint: str) -> bool:
    """Whether a person brings events about, or tells what arrived, at an endpoint of the audit trail."""
    audit = sut.audit(endpoint)
    if sut.listen(endpoint) is None:
        reading = sut.file.readings.get(audit.arrived)
        return sut.file.endpoints[endpoint].protocol != "files" and (reading is None or reading.kind == "operator")
    drivers = {sut.event_driver(endpoint, event) for event in audit.events} or {sut.driver_name(endpoint)}
    drivers.update({audit.away} - {""})
    return any(sut.driver_kind(endpoint, driver) == "operator" for driver in drivers)


@contextmanager
def page_of(board: Board, settings: Settings) -> Iterator[None]:
    """The operator's page, if it is wanted, while the context is open; its address is printed."""
    if settings.operator_page is None:
        yield
        return
    from harness.operator_page.server import OperatorPage

    with OperatorPage(board, settings.operator_page) as page:
        sys.stderr.write(f"ps315: the operator's page: {page.url}\n")
        if page.exposed:
            sys.stderr.write("ps315: other computers can reach it, and it is not encrypted\n")
        sys.stderr.flush()
        yield


@contextmanager
def terminal_of(board: Board, suts: Sequence[Sut], *, wanted: bool) -> Iterator[None]:
    """Whoever sits at the terminal, while the context is open, if `wanted`."""
    if not wanted:
        yield
        return
    from harness.operator_terminal import OperatorTerminal

    names = {sut.file.identity.tester for sut in suts if sut.file.identity.tester}
    terminal = OperatorTerminal(board, sys.stdin, sys.stderr, names.pop() if len(names) == 1 else "operator")
    terminal.start()
    try:
        yield
    finally:
        terminal.stop()


def ask_operator(runs: Sequence[SutRun], settings: Settings, board: Board) -> None:
    """The steps that an operator takes: on the page if there is one, else at the terminal."""
    for run in runs:
        if settings.operator_page is not None:
            ask(run, None, board=board)
        else:
            ask(run, _prompt if interactive(settings) else None)


def _prompt(question: str) -> str:
    sys.stderr.write(f"{question}\n> ")
    sys.stderr.flush()
    return sys.stdin.readline()


def observe(
    runs: Sequence[SutRun],
    settings: Settings,
    conduct: Conduct,
    *,
    probes: Sequence[Probe],
    progress: Progress,
    domain: Domain | None,
    board: Board,
) -> None:
    """Observe what the plans of `runs` say. Raises `UsageProblem` before any contact if a port cannot be had."""
    start: Callable[[TlsTarget], OpinionProcess] | None = None
    if settings.asks_second_opinion:
        from harness.second_opinion import start as start_sslyze

        start = start_sslyze
    observer = Observer(probes, conduct, progress, start)
    for run in runs:
        observer.add(run)
    budgets = dict(observer.hosts())

    def budget_for(host: str) -> Budget:
        address = resolve(host, 0) or host
        return budgets.setdefault(address, Budget(at_once=conduct.at_once, per_second=conduct.per_second))

    beside: list[_Executor] = []
    if domain is not None:
        from harness.drivers.choice import driver_for
        from harness.listeners.executor import ListenExecutor

        beside.append(
            ListenExecutor(
                domain, conduct, progress, lambda run, endpoint: driver_for(run.sut, endpoint, board), budget_for
            )
        )
    if any(run.plan.files() for run in runs):
        from harness.objects.executor import ObjectExecutor

        beside.append(ObjectExecutor(conduct, progress, board, budget_for))
    try:
        for executor in beside:
            for run in runs:
                executor.add(run)
        for executor in beside:
            executor.start()
        observer.run()
        for executor in beside:
            executor.wait()
    finally:
        for executor in beside:
            executor.stop()


class _Executor(Protocol):
    """What examines SUTs beside the observer."""

    def add(self, run: SutRun) -> None: ...
    def start(self) -> None: ...
    def wait(self) -> None: ...
    def stop(self) -> None: ...
