"""Many faulty SUTs of one role at once: each is an endpoint of one SUT, which is examined and judged in one go.

The harness does what it does to any SUT: plan, executor, drivers within this process, records, judgements. What a
fault leaves as it is comes from the untouched one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.catalogue import Requirement, load_catalogue
from harness.claims import default_edition
from harness.conduct import Budget
from harness.drivers.base import Action
from harness.judging import judge
from harness.objects.executor import ObjectExecutor
from harness.observations import Observation
from harness.observations.base import Frozen
from harness.observe import Conduct, SutRun
from harness.operator_board import Board
from harness.plan import plan_for
from harness.progress import Silent
from harness.record.journal import Journal
from harness.record.models import ObservationEvent, VerdictKind, VerdictRecord
from harness.sut import Sut, make_sut
from reference_impl.faults.objects import faults_of_objects
from tests.faults.bench import Bench
from tests.faults.expectations import derived
from tests.faults.observe import declarations

PROTOCOL = "files"
UNTOUCHED = "untouched"
Verdicts = dict[tuple[str, str], VerdictRecord]
"""By profile and requirement."""


@dataclass(frozen=True)
class Tried:
    """What is examined: what makes it act, the profiles it claims, the objects it is handed.

    `endpoint` is its table in a SUT file, where it is not one that is handed files.
    """

    action: Action
    profiles: tuple[str, ...]
    select: tuple[str, ...] = ()
    endpoint: Mapping[str, Any] | None = None

    @property
    def described(self) -> dict[str, Any]:
        """The table of its endpoint."""
        if self.endpoint is not None:
            return dict(self.endpoint)
        return {"protocol": PROTOCOL, "objects": {"driver": "embedded", "select": list(self.select)}}


class _Collecting(Journal):
    """A journal that also keeps the observations at hand, by endpoint and subject."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.observations: dict[tuple[str, str], Observation] = {}

    def append(self, event: Frozen) -> None:
        if isinstance(event, ObservationEvent):
            self.observations[event.observation.endpoint, event.observation.subject] = event.observation
        super().append(event)


class Examination:
    """`tried` by name, examined in `role` within `folder`, with the certificates of `bench`.

    One called `UNTOUCHED` has no fault. What another is not handed was seen of `like[name]`, by default of that one.
    `tables` are further ones of the SUT file.
    """

    def __init__(
        self,
        folder: Path,
        role: str,
        tried: Mapping[str, Tried],
        *,
        bench: Bench,
        like: Mapping[str, str] | None = None,
        tables: Mapping[str, Any] | None = None,
        conduct: Conduct | None = None,
    ) -> None:
        self._observed: tuple[Observation, ...] | None = None
        self._tables, self._conduct = dict(tables or {}), conduct or Conduct()
        self._folder, self._role, self._tried = folder, role, dict(tried)
        self._bench, self._like = bench, dict(like or {})
        self._endpoints = {name: f"fault-{number}" for number, name in enumerate(self._tried)}

    @cached_property
    def _sut(self) -> Sut:
        described: dict[str, Any] = {
            "schema": 1,
            "identity": {"id": "reference-node"},
            **self._tables,
            "endpoints": {self._endpoints[name]: each.described for name, each in self._tried.items()},
            "claims": [
                {
                    "profile": profile,
                    "edition": default_edition(profile),
                    "role": self._role,
                    "endpoint": self._endpoints[name],
                }
                for name, each in self._tried.items()
                for profile in each.profiles
            ],
            "declarations": declarations(),
        }
        sut = make_sut(described, source="kill matrix", folder=self._folder)
        actions = {self._endpoints[name]: each.action for name, each in self._tried.items()}
        anchors = self._bench.campaign.pki.trust_anchors_file()
        return replace(self._bench.given(sut, anchors), embedded=actions)

    @property
    def observations(self) -> tuple[Observation, ...]:
        """What was seen of each, completed by what was seen of the one that it is like."""
        if self._observed is None:  # cached properties of one class wait for each other
            self._observed = self._observe()
        return self._observed

    def _observe(self) -> tuple[Observation, ...]:
        journal = _Collecting(self._folder / "run.jsonl")
        board, budget = Board(), Budget(per_second=100_000.0)
        executor = ObjectExecutor(self._conduct, Silent(), board, lambda _host: budget)
        try:
            executor.add(SutRun(self._sut, plan_for(self._sut, ()), journal))
            executor.start()
            executor.wait()
        finally:
            executor.stop()
            journal.close()
        return tuple(self._completed(journal.observations))

    def _completed(self, seen: Mapping[tuple[str, str], Observation]) -> Iterable[Observation]:
        by_endpoint: dict[str, dict[str, Observation]] = {name: {} for name in self._endpoints.values()}
        for (endpoint, subject), observation in seen.items():
            by_endpoint[endpoint][subject] = observation
        for name in self._tried:
            whole = dict(by_endpoint[self._endpoints[self._like.get(name, UNTOUCHED)]])
            whole.update(by_endpoint[self._endpoints[name]])
            for observation in whole.values():
                yield observation.model_copy(update={"endpoint": self._endpoints[name]})

    @cached_property
    def _verdicts(self) -> Mapping[str, Verdicts]:
        judgement = judge(self._sut.record, self.observations, observed_at=datetime.now(UTC), command="run")
        found: dict[str, Verdicts] = {name: {} for name in self._tried}
        names = {endpoint: name for name, endpoint in self._endpoints.items()}
        for one in judgement.verdicts:
            found[names[one.endpoint]][one.profile, one.requirement] = one
        return found

    def verdicts(self, name: str) -> Verdicts:
        """All verdicts of one of `tried`."""
        return self._verdicts[name]

    def differences(self, name: str, stated: Mapping[str, str]) -> list[str]:
        """Where what `name` turned is not what is `stated` of it (requirement to verdict), umbrellas computed."""
        before, after = self._verdicts[self._like.get(name, UNTOUCHED)], self._verdicts[name]
        found = [f"{one} is not judged" for one in stated if one not in {requirement for _, requirement in after}]
        for profile in self._tried[name].profiles:
            seen = {requirement: one.verdict for (of, requirement), one in after.items() if of == profile}
            for requirement, kind in seen.items():
                was = before[profile, requirement].verdict
                wanted = VerdictKind(stated[requirement]) if requirement in stated else was
                if (umbrella := load_catalogue()[requirement]).judged == "derived":
                    protocol = self._tried[name].described["protocol"]
                    members = load_catalogue().members_of(
                        umbrella, profile, default_edition(profile), self._role, protocol
                    )
                    wanted = derived(members, seen)
                applies_now = was is VerdictKind.NOT_APPLICABLE and kind is VerdictKind.PASS
                if kind is not wanted and not applies_now:
                    why = after[profile, requirement].reason
                    found.append(f"{profile} {requirement}: stated {wanted}, seen {kind} ({why})")
        return found

    def turned(self, name: str) -> dict[str, str]:
        """The verdicts of `name` that are others than before, umbrellas left aside: what a table should state."""
        before, after = self._verdicts[self._like.get(name, UNTOUCHED)], self._verdicts[name]
        return {
            key[1]: one.verdict.value
            for key, one in after.items()
            if not is_umbrella(key[1]) and (key not in before or one.verdict is not before[key].verdict)
        }


def stated_of(fault: str, role: str, *profiles: str) -> dict[str, str]:
    """What the table of `role` says that `fault` turns, under `profiles` or under all."""
    rows = faults_of_objects(role)
    chosen = profiles or tuple(rows)
    return {name: verdict for profile in chosen for name, verdict in rows.get(profile, {}).get(fault, {}).items()}


def is_umbrella(requirement: str) -> bool:
    """Whether a requirement is derived from others."""
    return load_catalogue()[requirement].judged == "derived"


def automatic(profile: str, role: str, protocol: str = PROTOCOL) -> dict[str, Requirement]:
    """The requirements of a claim that are judged automatically, by id."""
    selected: Sequence[Requirement] = load_catalogue().select(profile, default_edition(profile), role, protocol)
    return {one.id: one for one in selected if one.judged == "automatically"}
