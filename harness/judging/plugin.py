"""The pytest plug-in that judges: one item for each requirement that a claim selects, outcomes turned into findings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness.catalogue import Catalogue
from harness.judging.expect import Evaluated, recording
from harness.judging.findings import Case, Finding, error, finding_of, worst
from harness.judging.lookup import Endpoints, Observations
from harness.judging.verifies import verified_by
from harness.observations import Observation
from harness.record.models import ClaimRecord, SutRecord

_CASE = "judged_case"
_Key = tuple[ClaimRecord, str]


@dataclass(frozen=True)
class SuiteProblem:
    """Something in a suite that could not be used; it never vanishes silently. `path` is the suite's module."""

    path: Path
    requirement: str  # the id it concerns, empty if it concerns the module
    reason: str
    not_loaded: bool = False  # the whole module could not be loaded


@dataclass(eq=False)  # pluggy keeps plug-ins in sets
class JudgingPlugin:
    """Hooks and fixtures of one judging session. `vendors` maps suite folders to the prefix of their requirements."""

    sut: SutRecord
    observed: Observations
    catalogue: Catalogue
    cases: Mapping[str, Sequence[Case]]  # by requirement id, automatically judged ones only
    vendors: Mapping[Path, str]
    before_judging: Callable[[], object] = lambda: None  # called once everything is collected
    problems: list[SuiteProblem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    interrupted: BaseException | None = None
    _findings: dict[_Key, list[Finding]] = field(default_factory=lambda: defaultdict(list))
    _judged_by: dict[_Key, str] = field(default_factory=dict)
    _ledger: list[Evaluated] = field(default_factory=list)
    _lookup: Observations | None = None
    _root: Path = field(default_factory=Path)

    def findings(self) -> dict[_Key, Finding]:
        """What was found for each case that a judgement was collected for."""
        return {key: worst(found) for key, found in self._findings.items()}

    # -- fixtures of judgements ------------------------------------------------------------------------------------

    @pytest.fixture
    def judged_case(self, request: pytest.FixtureRequest) -> Case:
        """The requirement and claim that this item judges."""
        case = request.param
        assert isinstance(case, Case)  # noqa: S101 - narrows the parameter that the plug-in itself passes
        return case

    @pytest.fixture
    def claim(self, judged_case: Case) -> ClaimRecord:
        """The claim under which the requirement is judged."""
        return judged_case.claim

    @pytest.fixture
    def requirement(self, judged_case: Case) -> Any:
        """The requirement of the catalogue that is judged."""
        return judged_case.requirement

    @pytest.fixture
    def endpoints(self, judged_case: Case) -> Endpoints:
        """The claim's endpoint with its alternates."""
        return judged_case.endpoints

    @pytest.fixture
    def endpoint(self, judged_case: Case) -> Any:
        """The claim's endpoint."""
        return judged_case.endpoints.main

    @pytest.fixture(name="sut")
    def sut_fixture(self) -> SutRecord:
        """The SUT as it is recorded."""
        return self.sut

    @pytest.fixture
    def observations(self) -> Observations:
        """The observations of the run."""
        return self._lookup if self._lookup is not None else self.observed

    # -- collection ------------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(self, collector: pytest.Collector, name: str, obj: object) -> list[Any] | None:
        """Leave out judgements that no claim selects; note those that name no, or a wrong, requirement."""
        looks_like_test = name.startswith("test") and callable(obj) and not isinstance(obj, type)
        named = verified_by(obj)
        if not named:
            if looks_like_test:
                self._complain(collector.path, "", f'{name} names no requirement; write @verifies("...") above it')
                return []
            return None
        if not looks_like_test:
            return None
        for requirement in named:
            self._check(collector.path, requirement, name)
        return None if self._selected(collector.path, named) else []

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One item for each requirement and claim."""
        path = Path(metafunc.definition.path)
        cases = self._selected(path, verified_by(metafunc.function))
        judged_by = metafunc.definition.nodeid
        for case in cases:
            other = self._judged_by.setdefault(case.key, judged_by)
            if other != judged_by:
                name = metafunc.definition.name
                self._complain(path, case.requirement.id, f"{name} judges what {other.split('::')[-1]} judges already")
        metafunc.fixturenames.append(_CASE)
        metafunc.parametrize(_CASE, cases, indirect=True, ids=[case.label for case in cases])

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that does not load (or that skips itself) is a problem, not an absence."""
        if report.outcome == "passed":
            return
        lines = [line.strip() for line in report.longreprtext.splitlines() if line.strip()]
        told = next((line.removeprefix("E ").strip() for line in reversed(lines) if line.startswith("E ")), "")
        path = Path(report.fspath)
        self._complain(
            path if path.is_absolute() else self._root / path,
            "",
            f"{path.name} could not be loaded: {told or (lines[-1] if lines else 'no reason given')}",
            not_loaded=True,
        )

    def pytest_configure(self, config: pytest.Config) -> None:
        """Remember where relative paths begin."""
        self._root = config.rootpath

    def _check(self, path: Path, requirement: str, name: str) -> None:
        prefix = self._prefix(path)
        if requirement not in self.catalogue:
            self._complain(path, requirement, f"{name} judges {requirement}, which no catalogue has")
            return
        known = self.catalogue[requirement]
        if known.vendor_suite != prefix:
            whose = f"the suite {known.vendor_suite}" if known.vendor_suite else "the built-in suites"
            self._complain(path, requirement, f"{name} judges {requirement}, which is for {whose} alone to judge")
        elif known.judged != "automatically":
            self._complain(path, requirement, f"{name} judges {requirement}, which is {known.judged}, not automatic")

    def _selected(self, path: Path, named: Sequence[str]) -> list[Case]:
        prefix = self._prefix(path)
        return [
            case
            for requirement in dict.fromkeys(named)
            for case in self.cases.get(requirement, ())
            if case.requirement.vendor_suite == prefix
        ]

    def _prefix(self, path: Path) -> str:
        return next((prefix for folder, prefix in self.vendors.items() if path.is_relative_to(folder)), "")

    def _complain(self, path: Path, requirement: str, reason: str, *, not_loaded: bool = False) -> None:
        problem = SuiteProblem(path, requirement, reason, not_loaded)
        if problem not in self.problems:
            self.problems.append(problem)

    # -- running ---------------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        """Everything is collected: from here on the observations are looked up."""
        self.before_judging()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        """Give each item a ledger of expectations and a lookup of its own."""
        self._lookup = self.observed.fresh()
        with recording() as self._ledger:
            return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> pytest.TestReport:
        """Turn the outcome of a phase into a finding; no traceback is rendered."""
        raised = call.excinfo.value if call.excinfo is not None else None
        case = _case_of(item)
        if case is not None and (raised is not None or call.when == "call"):
            consulted: list[Observation] = self._lookup.consulted if self._lookup is not None else []
            self._findings[case.key].append(finding_of(case, raised, self._ledger, consulted))
        return pytest.TestReport(
            nodeid=item.nodeid,
            location=item.location,
            keywords={},
            outcome="passed" if raised is None else "failed",
            longrepr=None,
            when="call" if call.when == "collect" else call.when,
        )

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember that the session was broken off, and whether by the user."""
        self.interrupted = excinfo.value

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> bool:
        """Note a failure of the engine; every case without a finding becomes an error."""
        self.notes.append(f"the judging engine failed: {type(excinfo.value).__name__}: {excinfo.value}")
        return True


def _case_of(item: pytest.Item) -> Case | None:
    """The case that `item` judges, None for an item that is none of ours."""
    with suppress(AttributeError, KeyError):
        case = item.callspec.params[_CASE]  # type: ignore[attr-defined]
        return case if isinstance(case, Case) else None
    return None


def without_judgement(plugin: JudgingPlugin, case: Case) -> Finding:
    """The finding for a case that no judgement was run for: the harness's fault, with what is known about it."""
    if plugin.interrupted is not None:
        return error(f"not judged: the session was broken off by {plugin.interrupted!r}")
    if plugin.notes:
        return error(f"not judged: {plugin.notes[-1]}")
    broken = [problem.reason for problem in plugin.problems if problem.not_loaded]
    return error(
        f"no judgement of the suites was run for {case.requirement.id}" + "".join(f"; {why}" for why in broken)
    )
