"""What a judgement looks things up in: the observations of a run and the endpoints of a claim. No network here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import TypeVar

from harness.errors import HarnessError
from harness.judging.outcomes import Missing
from harness.observations import FACTS, Frozen, Observation, facts_of
from harness.record.models import EndpointRecord

FactsT = TypeVar("FactsT", bound=Frozen)

CLIENT_TRIAL = "tls.client-trial"
HARNESS_ERROR = "harness error: "
"""An observation whose `missing` begins so failed in the harness, not in the SUT."""


@dataclass(frozen=True)
class Endpoints:
    """The endpoints of one claim: the one it names, and alternates that show what the first cannot."""

    main: EndpointRecord
    alternates: tuple[EndpointRecord, ...] = ()

    def __iter__(self) -> Iterator[EndpointRecord]:
        """The main endpoint first."""
        yield self.main
        yield from self.alternates


@dataclass
class Observations:
    """The observations of a run, looked up by endpoint and kind.

    `observed_at` is the run's recorded time: the time at which validity is judged. `consulted` collects what was looked
    up, so that a verdict can name its evidence.
    """

    recorded: dict[tuple[str, str, str], Observation]
    observed_at: datetime
    consulted: list[Observation] = field(default_factory=list)
    parsed: dict[int, tuple[Observation, Frozen]] = field(default_factory=dict, repr=False)  # by identity
    _known: set[int] = field(default_factory=set, repr=False)  # identities of what was consulted, which lives as long

    @classmethod
    def of(cls, observations: Iterable[Observation], observed_at: datetime) -> Observations:
        """Index `observations`; a later one replaces an earlier one of the same endpoint, kind and subject."""
        lookup = cls({}, observed_at)
        lookup.take(observations)
        return lookup

    def take(self, observations: Iterable[Observation]) -> None:
        """Take `observations` in; what `fresh` has made of this lookup has them, too."""
        self.recorded.update({(one.endpoint, one.kind, one.subject): one for one in observations})

    def fresh(self) -> Observations:
        """The same observations with nothing consulted yet, for another judgement."""
        return Observations(self.recorded, self.observed_at, parsed=self.parsed)

    def get(self, endpoint: EndpointRecord | str, kind: str, subject: str = "") -> Observation | None:
        """The observation of `kind` (about `subject`) at `endpoint`, or None if there is none in the record."""
        name = endpoint if isinstance(endpoint, str) else endpoint.name
        observation = self.recorded.get((name, kind, subject))
        if observation is not None and id(observation) not in self._known:
            self._known.add(id(observation))
            self.consulted.append(observation)
        return observation

    def obtained(self, endpoint: EndpointRecord | str, model: type[FactsT], subject: str = "") -> FactsT | None:
        """The facts of `model` (about `subject`) observed at `endpoint`, None where there are none."""
        observation = self.get(endpoint, kind_of(model), subject)
        return None if observation is None else self._parse(observation, model)

    def _parse(self, observation: Observation, model: type[FactsT]) -> FactsT | None:
        """The facts of `observation`, validated once however many judgements read them."""
        known = self.parsed.get(id(observation))
        if known is not None and known[0] is observation and isinstance(known[1], model):
            return known[1]
        facts = facts_of(observation, model)
        if facts is not None:
            self.parsed[id(observation)] = (observation, facts)
        return facts

    def subjects(self, endpoint: EndpointRecord | str, model: type[FactsT]) -> tuple[str, ...]:
        """What `model` was observed about at `endpoint`, in the order of the record."""
        kind = kind_of(model)
        name = endpoint if isinstance(endpoint, str) else endpoint.name
        return tuple(about for where, of, about in self.recorded if (where, of) == (name, kind))

    def facts(self, endpoint: EndpointRecord | str, model: type[FactsT], subject: str = "") -> FactsT:
        """The facts of `model` (about `subject`) observed at `endpoint`.

        Raises `Missing` with the observation's own sentence and remedy where they were not obtained, and
        `HarnessError` where the harness failed to obtain them.
        """
        kind = kind_of(model)
        name = endpoint if isinstance(endpoint, str) else endpoint.name
        observation = self.get(endpoint, kind, subject)
        what = f"{kind} {subject}".rstrip()
        if observation is None:
            raise _never_observed(kind, subject, name)
        if observation.missing.startswith(HARNESS_ERROR):
            raise HarnessError(observation.missing.removeprefix(HARNESS_ERROR))
        facts = self._parse(observation, model)
        if facts is None:
            why = observation.missing or f"{what} was not obtained at {name}"
            raise Missing(why, observation.remedy, observation.exchanges)
        return facts

    def of_each(self, endpoints: Endpoints, model: type[FactsT]) -> tuple[tuple[EndpointRecord, FactsT], ...]:
        """The facts of `model` at every endpoint of the claim; `Missing` if one of them has none.

        For what no endpoint may do: silence of one of them establishes nothing.
        """
        return tuple((endpoint, self.facts(endpoint, model)) for endpoint in endpoints)

    def of_any(self, endpoints: Endpoints, model: type[FactsT]) -> tuple[tuple[EndpointRecord, FactsT], ...]:
        """The facts of `model` at those endpoints of the claim that have them; `Missing` if none has.

        For what the SUT has to be able to do at one of them.
        """
        found: list[tuple[EndpointRecord, FactsT]] = []
        first: Missing | None = None
        for endpoint in endpoints:
            try:
                found.append((endpoint, self.facts(endpoint, model)))
            except Missing as missing:
                first = first or missing
        if not found and first is not None:
            raise first
        return tuple(found)

    def of_subjects(self, endpoints: Endpoints, model: type[FactsT]) -> tuple[tuple[FactsT, ...], Missing | None]:
        """The facts of `model` about everything that it was observed about at the endpoints of the claim.

        Beside them why some are missing, None if none is: the first reason.
        """
        found: list[FactsT] = []
        first: Missing | None = None
        for endpoint in endpoints:
            for subject in self.subjects(endpoint, model):
                try:
                    found.append(self.facts(endpoint, model, subject))
                except Missing as missing:
                    first = first or missing
        return tuple(found), first


def _never_observed(kind: str, subject: str, endpoint: str) -> Missing:
    """What is said of an observation that no step made."""
    if kind == CLIENT_TRIAL:
        return Missing(
            f"the trial {subject} was not played at {endpoint}",
            f"Run again; where the SUT file selects trials, let {endpoint} have this one too.",
        )
    return Missing(f"{kind} {subject}".rstrip() + f" was not observed at {endpoint}", "Run the observation again.")


@cache
def kind_of(model: type[Frozen]) -> str:
    """The observation kind whose facts `model` describes. Raises `TypeError` for a model that is none."""
    for kind, known in FACTS.items():
        if known is model:
            return kind
    raise TypeError(f"{model.__name__} is not a model of observed facts")
