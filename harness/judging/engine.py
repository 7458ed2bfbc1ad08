"""Judging a run: recorded observations, declarations and answers in, verdicts out. No contact with a SUT."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path

from harness.catalogue import BUILT_IN, Catalogue, Requirement, domains_of, load_catalogue
from harness.claims import claims_to_judge, held_by
from harness.errors import UsageProblem
from harness.judging import opinions
from harness.judging.declared import answered, declared
from harness.judging.findings import Case, Finding, error
from harness.judging.lookup import Endpoints, Observations
from harness.judging.plugin import JudgingPlugin, SuiteProblem, without_judgement
from harness.judging.separation import counterparts, separation_of
from harness.judging.session import run_pytest
from harness.judging.verdicts import claim_verdict, derived, verdict_of
from harness.observations import Observation
from harness.record.models import (
    AdviceRecord,
    AnswerEvent,
    ClaimRecord,
    ClaimVerdict,
    NotExamined,
    SeparationRecord,
    SutRecord,
    VerdictKind,
    VerdictRecord,
)

_Findings = Mapping[tuple[ClaimRecord, str], Finding]
_OUT_OF_PROBE = "only a run with a SUT file asks for declarations and operator steps"


@dataclass(frozen=True)
class Judgement:
    """The result of judging one SUT. Verdicts are in the order of claims, then of the catalogue."""

    verdicts: tuple[VerdictRecord, ...]
    claims: tuple[ClaimVerdict, ...]
    advice: tuple[AdviceRecord, ...] = ()
    separations: tuple[SeparationRecord, ...] = ()
    not_examined: tuple[NotExamined, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def summary(self) -> dict[VerdictKind, int]:
        """How many verdicts there are of each kind."""
        counted = Counter(one.verdict for one in self.verdicts)
        return {kind: counted[kind] for kind in VerdictKind}


def judge(
    sut: SutRecord,
    observations: Iterable[Observation] | Callable[[], Iterable[Observation]],
    answers: Iterable[AnswerEvent] = (),
    *,
    observed_at: datetime,
    command: str,
    profile: str | None = None,
    edition: str | None = None,
    suite_folders: Sequence[Path] = (),
) -> Judgement:
    """Hold what was recorded about `sut` against everything that its claims (or `profile`, at their endpoints) ask.

    With `profile` or `edition` it is judged by that instead of what was claimed: a profile without an edition in the
    last that holds it, an edition without a profile for every claim.

    `command` is the command of the recorded run: "probe" has only what is judged automatically in scope. Validity and
    waivers are judged at `observed_at`. Where `observations` is a callable, it is asked for them, once, when everything
    that does not turn on them is done; what it raises is raised. `suite_folders` are vendors' own suites. Can be called
    from any thread and from within another pytest session. Raises `UsageProblem` for an unknown `profile` or `edition`
    and a vendor's wrong catalogue.
    """
    folders = tuple(folder.resolve() for folder in suite_folders)
    catalogue = load_catalogue(*folders)
    arrival = _Arrival(observations, Observations({}, observed_at))
    claims = claims_to_judge(sut, profile, edition, held_by(catalogue))
    plan = {claim: _cases(sut, claim, catalogue) for claim in claims}
    others = counterparts(claims)
    apart = {other: _own_automatic(_cases(sut, other, catalogue)) for other in others.values()}
    judging = _Judging(sut, catalogue, arrival, {folder: _prefix(folder) for folder in folders}, apart | plan)
    findings = judging.automatic() | _from_people(sut, plan, tuple(answers), command)
    verdicts: list[VerdictRecord] = []
    left_out: dict[tuple[str, str], NotExamined] = {}
    claim_verdicts = []
    for claim, cases in plan.items():
        of_claim, out = judging.verdicts(cases, findings, observed_at)
        of_claim += judging.suite_errors(claim, observed_at)
        verdicts += of_claim
        for item in out:
            left_out.setdefault((item.profile, item.requirement), item)
        claim_verdicts.append(claim_verdict(claim, of_claim))
    separations = []
    for claim, other in others.items():
        of_other, _ = judging.verdicts(apart[other], findings, observed_at)
        separations.append(separation_of(claim, other, of_other))
    domains = domains_of(case.requirement for cases in plan.values() for case in cases)
    advice, notes = _advice(sut, claims, judging.lookup, domains)
    return Judgement(
        tuple(verdicts),
        tuple(claim_verdicts),
        advice,
        tuple(separations),
        tuple(left_out.values()),
        (*judging.notes, *notes),
    )


@dataclass
class _Arrival:
    """Observations that may still be under way, and the lookup that they come into."""

    observations: Iterable[Observation] | Callable[[], Iterable[Observation]]
    lookup: Observations
    problem: BaseException | None = None
    asked: bool = False

    def wait(self) -> None:
        """Wait for them, once. It is called within pytest, which keeps exceptions to itself: see `arrived`."""
        if self.asked:
            return
        self.asked = True
        try:
            observations = self.observations() if callable(self.observations) else self.observations
        except BaseException as problem:
            self.problem = problem
        else:
            self.lookup.take(observations)

    def arrived(self) -> Observations:
        """The lookup, filled. Raises what the observations' callable raised."""
        self.wait()
        if self.problem is not None:
            raise self.problem
        return self.lookup


@dataclass
class _Judging:
    sut: SutRecord
    catalogue: Catalogue
    arrival: _Arrival
    vendors: Mapping[Path, str]
    plan: Mapping[ClaimRecord, Sequence[Case]]
    problems: Sequence[SuiteProblem] = ()
    notes: Sequence[str] = ()

    @property
    def lookup(self) -> Observations:
        """The observations, all of them."""
        return self.arrival.arrived()

    def automatic(self) -> dict[tuple[ClaimRecord, str], Finding]:
        """The findings of every automatically judged case."""
        findings, plugin = self._session(self.arrival.lookup, self.arrival.wait)
        self.problems, self.notes = plugin.problems, plugin.notes
        if opinions.in_conflict(self.lookup):
            other, _ = self._session(opinions.as_the_other_saw(self.lookup))
            findings = {
                case.key: opinions.unsettled(
                    findings[case.key], other.get(case.key), opinions.conflicts_at(self.lookup, case.endpoints)
                )
                for case in self._automatic_cases()
            }
        return findings

    def _automatic_cases(self) -> list[Case]:
        return [case for cases in self.plan.values() for case in cases if case.requirement.judged == "automatically"]

    def _session(
        self, lookup: Observations, before_judging: Callable[[], object] = lambda: None
    ) -> tuple[dict[tuple[ClaimRecord, str], Finding], JudgingPlugin]:
        cases = self._automatic_cases()
        by_requirement: dict[str, list[Case]] = {}
        for case in cases:
            by_requirement.setdefault(case.requirement.id, []).append(case)
        plugin = JudgingPlugin(self.sut, lookup, self.catalogue, by_requirement, self.vendors, before_judging)
        # For every file that it is given pytest reads the whole folder: of our own suites it gets the folders.
        domains = domains_of(case.requirement for case in cases)
        paths = sorted({file.parent for file in _test_files(BUILT_IN, "*/test_*.py") if file.parent.name in domains})
        for folder in self.vendors:
            paths += _test_files(folder, "**/test_*.py")
        root = Path(os.path.commonpath([BUILT_IN.parent, *self.vendors]))
        if cases and paths:
            run_pytest(paths, tuple(self.vendors), root, plugin)
        if isinstance(plugin.interrupted, KeyboardInterrupt):
            raise KeyboardInterrupt
        found = plugin.findings()
        findings = {case.key: found.get(case.key) or without_judgement(plugin, case) for case in cases}
        for problem in plugin.problems:
            for case in _concerned(problem, cases):
                findings[case.key] = error(problem.reason)
        return findings, plugin

    def verdicts(
        self, cases: Sequence[Case], findings: _Findings, observed_at: datetime
    ) -> tuple[list[VerdictRecord], list[NotExamined]]:
        """The verdicts of one claim in the order of its cases, and what its run does not examine."""
        made: dict[str, VerdictRecord] = {}
        left_out = []
        for case in sorted(cases, key=lambda case: case.requirement.judged == "derived"):
            requirement = case.requirement
            finding = findings.get(case.key)
            members: list[VerdictRecord] = []
            if requirement.judged == "derived":
                members = [made[member.id] for member in self._members(case) if member.id in made]
                finding = derived(members) if members else None
            if finding is None:
                left_out.append(_not_examined(case))
                continue
            made[requirement.id] = verdict_of(
                self.sut,
                case,
                finding,
                observed_at,
                vendor_suite=self._folder_of(requirement.vendor_suite),
                members=members,
                second_opinion=opinions.second_opinion(finding, self.lookup, case.endpoints.main),
            )
        order = {case.requirement.id: number for number, case in enumerate(cases)}
        left_out.sort(key=lambda item: order[item.requirement])
        return sorted(made.values(), key=lambda verdict: order[verdict.requirement]), left_out

    def suite_errors(self, claim: ClaimRecord, observed_at: datetime) -> list[VerdictRecord]:
        """Verdicts for what is wrong in a suite and concerns no requirement of the catalogue: it must not vanish."""
        made: dict[str, VerdictRecord] = {}
        cases = self._automatic_cases()
        for problem in self.problems:
            if _concerned(problem, cases):
                continue
            known = problem.requirement in self.catalogue
            folder = next((folder for folder in self.vendors if problem.path.is_relative_to(folder)), None)
            name = problem.requirement or problem.path.name
            if known or folder is not None:
                name = f"{name}@{folder.name if folder is not None else problem.path.name}"
            judgement = Requirement.model_construct(
                id=name,
                title=f"Suite module {problem.path.name}",
                text="The suite can be used.",
                level="shall",
                role=claim.role,
                applies=(),
                sources=(),
                judged="automatically",
                vendor_suite=folder.name if folder is not None else "",
            )
            endpoints = self.plan[claim][0].endpoints if self.plan[claim] else _endpoints(self.sut, claim)
            made[name] = verdict_of(
                self.sut,
                Case(claim, judgement, endpoints),
                error(problem.reason),
                observed_at,
                vendor_suite=judgement.vendor_suite,
            )
        return list(made.values())

    def _members(self, case: Case) -> tuple[Requirement, ...]:
        claim, protocol = case.claim, case.endpoints.main.protocol
        return self.catalogue.members_of(case.requirement, claim.profile, claim.edition, claim.role, protocol)

    def _folder_of(self, prefix: str) -> str:
        return next((folder.name for folder, of in self.vendors.items() if of == prefix), prefix) if prefix else ""


def _concerned(problem: SuiteProblem, cases: Sequence[Case]) -> list[Case]:
    """The cases that a problem of a suite makes errors: those it names, else those that its module's text names."""
    if problem.requirement:
        own = [case for case in cases if case.requirement.id == problem.requirement]
        return own if "alone to judge" not in problem.reason else []
    if not problem.not_loaded:
        return []
    try:
        text = problem.path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [case for case in cases if f'"{case.requirement.id}"' in text or f"'{case.requirement.id}'" in text]


def _test_files(folder: Path, pattern: str) -> list[Path]:
    return sorted(file for file in folder.glob(pattern) if file.is_file())


def _prefix(folder: Path) -> str:
    """The id prefix of a vendor's suite folder."""
    return next((one.vendor_suite for one in load_catalogue(folder) if one.vendor_suite), "")


def _own_automatic(cases: Sequence[Case]) -> list[Case]:
    """The built-in requirements among `cases` that observations decide."""
    return [case for case in cases if case.requirement.judged == "automatically" and not case.requirement.vendor_suite]


def _endpoints(sut: SutRecord, claim: ClaimRecord) -> Endpoints:
    by_name = {endpoint.name: endpoint for endpoint in sut.endpoints}
    for name in (claim.endpoint, *claim.alternates):
        if name not in by_name:
            raise UsageProblem(f"the claim {claim.profile} names the endpoint {name}, which the SUT file does not have")
    return Endpoints(by_name[claim.endpoint], tuple(by_name[name] for name in claim.alternates))


def _cases(sut: SutRecord, claim: ClaimRecord, catalogue: Catalogue) -> list[Case]:
    endpoints = _endpoints(sut, claim)
    selected = catalogue.select(claim.profile, claim.edition, claim.role, endpoints.main.protocol)
    return [Case(claim, requirement, endpoints) for requirement in selected]


def _from_people(
    sut: SutRecord, plan: Mapping[ClaimRecord, Sequence[Case]], answers: Sequence[AnswerEvent], command: str
) -> dict[tuple[ClaimRecord, str], Finding]:
    if command == "probe":
        return {}
    found = {}
    for case in (case for cases in plan.values() for case in cases):
        if case.requirement.judged == "by-declaration":
            found[case.key] = declared(case.requirement, sut.declarations, answers)
        elif case.requirement.judged == "by-operator":
            found[case.key] = answered(case.requirement, answers)
    return found


def _not_examined(case: Case) -> NotExamined:
    requirement = case.requirement
    return NotExamined(
        requirement=requirement.id,
        title=requirement.title,
        text=requirement.text,
        level=requirement.level,
        profile=case.claim.profile,
        judged=requirement.judged,
        reason=requirement.reason or _OUT_OF_PROBE,
    )


def _advice(
    sut: SutRecord, claims: Sequence[ClaimRecord], lookup: Observations, domains: frozenset[str]
) -> tuple[tuple[AdviceRecord, ...], tuple[str, ...]]:
    """What the built-in suites of `domains` advise; one that breaks off is a note, for advice is no verdict.

    ``suites/<domain>/advice.py`` exports ``advise(endpoint: EndpointRecord, claims: tuple[ClaimRecord, ...],
    observations: Observations) -> Iterable[AdviceRecord]``; it is asked once for each endpoint that is claimed.
    """
    given: dict[tuple[str, str], AdviceRecord] = {}
    notes = []
    for module in _advisers(domains):
        for endpoint in sut.endpoints:
            about = tuple(claim for claim in claims if endpoint.name in {claim.endpoint, *claim.alternates})
            if not about:
                continue
            try:
                for advice in import_module(module).advise(endpoint, about, lookup.fresh()):
                    given.setdefault((advice.endpoint, advice.id), advice)
            except Exception as problem:
                notes.append(f"advice of {module} for {endpoint.name} broke off: {type(problem).__name__}: {problem}")
    return tuple(given.values()), tuple(notes)


def _advisers(domains: frozenset[str]) -> Iterator[str]:
    for file in sorted(BUILT_IN.glob("*/advice.py")):
        if file.parent.name in domains:
            yield f"{BUILT_IN.name}.{file.parent.name}.advice"


def exit_status(judgement: Judgement, allow_inconclusive: bool = False) -> int:
    """The exit status of a command that ends with `judgement`, first that holds.

    2: nothing could be judged; 1: a shall that applies failed and is not waived; 2: some verdict is an error;
    3: something in scope stayed inconclusive (unless `allow_inconclusive`); 0.
    """
    said = {VerdictKind.PASS, VerdictKind.FAIL, VerdictKind.WARNING}
    verdicts = judgement.verdicts
    if not any(one.judged == "automatically" and one.verdict in said for one in verdicts):
        return 2
    if any(
        one.verdict is VerdictKind.FAIL and one.level == "shall" and (one.waiver is None or one.waiver.expired)
        for one in verdicts
    ):
        return 1
    kinds = {one.verdict for one in verdicts}
    if VerdictKind.ERROR in kinds:
        return 2
    return 3 if VerdictKind.INCONCLUSIVE in kinds and not allow_inconclusive else 0
