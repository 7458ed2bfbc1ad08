"""The plan of a run: typed steps, each with an id that stays the same over runs of the same SUT file.

Five kinds cover every domain: the harness connects, it listens for the SUT, it drives the SUT by a command, it
hands objects to it and takes them from it, or it asks the operator. Each kind has one executor; a kind that no suite
plans yet has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

from pydantic import Field

from harness.errors import UsageProblem
from harness.listeners.base import Trial
from harness.observations.base import Frozen
from harness.probes.base import Probe
from harness.sut import Sut, closest

if TYPE_CHECKING:
    from harness.catalogue import Catalogue


class ConnectStep(Frozen):
    """A probe obtains one kind of observation at one endpoint."""

    kind: Literal["connect"] = "connect"
    id: str
    endpoint: str
    observation: str
    needs: tuple[str, ...] = ()  # kinds of observation of the same endpoint


class ListenStep(Frozen):
    """The SUT connects to a listener of the harness, which plays one trial, for at most `seconds`.

    `driver` names what makes the SUT connect: a table of [drivers] of the SUT file, or "" for whatever comes.
    """

    kind: Literal["listen"] = "listen"
    id: str  # "<endpoint>/<observation>/<subject>"
    endpoint: str
    observation: str
    subject: str  # the trial
    driver: str = ""
    needs: tuple[str, ...] = ()  # subjects of the same endpoint that have to be recorded first
    seconds: Annotated[float, Field(gt=0)]
    instruction: str = ""  # what the operator does so that the SUT connects


class DriveStep(Frozen):
    """A driver makes the SUT do something."""

    kind: Literal["drive"] = "drive"
    id: str
    driver: str
    action: str
    parameters: dict[str, str] = Field(default_factory=dict)
    needs: tuple[str, ...] = ()


class FileStep(Frozen):
    """An object is handed to the SUT, taken from it, or both, at one endpoint, for at most `seconds`.

    `driver` names what makes the SUT act: a table of [drivers] of the SUT file, "" where nothing has to or a person.
    """

    kind: Literal["file"] = "file"
    id: str  # "<endpoint>/<observation>/<subject>", without the last where there is no subject
    endpoint: str
    observation: str
    subject: str = ""  # the instance or case that is handed over; empty: what the SUT brings itself
    text: str = ""  # what is handed over, in a sentence
    driver: str = ""
    needs: tuple[str, ...] = ()  # subjects of the same endpoint and observation that have to be recorded first
    seconds: Annotated[float, Field(gt=0)]


class AskStep(Frozen):
    """The operator answers a question about one requirement."""

    kind: Literal["ask"] = "ask"
    id: str
    requirement: str
    question: str


Step = Annotated[ConnectStep | ListenStep | DriveStep | FileStep | AskStep, Field(discriminator="kind")]


class Plan(Frozen):
    """All steps of one SUT's run, in an order that respects their needs."""

    sut: str
    steps: tuple[Step, ...]

    def connects(self) -> tuple[ConnectStep, ...]:
        """The connect steps, in order."""
        return tuple(step for step in self.steps if isinstance(step, ConnectStep))

    def listens(self) -> tuple[ListenStep, ...]:
        """The listen steps, in order."""
        return tuple(step for step in self.steps if isinstance(step, ListenStep))

    def files(self) -> tuple[FileStep, ...]:
        """The file steps, in order."""
        return tuple(step for step in self.steps if isinstance(step, FileStep))

    def asks(self) -> tuple[AskStep, ...]:
        """The ask steps, in order."""
        return tuple(step for step in self.steps if isinstance(step, AskStep))


CLIENT_TRIAL = "tls.client-trial"
"""Kind of the observations that listen steps make."""
EXECUTED_KINDS = frozenset({"connect", "listen", "file", "ask"})
"""Kinds of steps that this version has an executor for."""


def check_executable(plan: Plan) -> None:
    """Raise `UsageProblem` if the plan holds a step that nothing here can execute."""
    for step in plan.steps:
        if step.kind not in EXECUTED_KINDS:
            raise UsageProblem(f"step {step.id}: no suite of this version plans a {step.kind!r} step; update ps315")


def plan_for(
    sut: Sut,
    probes: tuple[Probe, ...],
    catalogue: Catalogue | None = None,
    *,
    trials: Sequence[Trial] = (),
    leave_out: frozenset[str] = frozenset(),
) -> Plan:
    """The plan for everything that `sut` claims.

    Where connections are judged: one connect step per claimed endpoint that is reached and probe, whatever is claimed
    there; one listen step per claimed endpoint that connects and trial of `trials`. Where objects are judged: one file
    step per object that is handed over. One ask step per requirement judged by the operator (none without a
    `catalogue`). `leave_out` names kinds of observation that are not wanted.

    Raises `UsageProblem` for an endpoint that selects trials or objects which there are not, or has no port for each.
    """
    steps: list[Step] = []
    planned = {probe.kind for probe in probes} - leave_out
    for endpoint in sut.claimed_endpoints:
        if sut.object_roles(endpoint):
            steps.extend(_files(sut, endpoint))
        if not sut.has_transport(endpoint):
            continue
        if sut.listen(endpoint) is not None:
            steps.extend(_listens(sut, endpoint, trials))
            continue
        steps.extend(
            ConnectStep(
                id=f"{endpoint}/{probe.kind}",
                endpoint=endpoint,
                observation=probe.kind,
                needs=tuple(kind for kind in probe.needs if kind in planned),
            )
            for probe in probes
            if probe.kind in planned
        )
    if catalogue is not None:
        steps.extend(_asks(sut, catalogue))
    return Plan(sut=sut.id, steps=tuple(steps))


def _listens(sut: Sut, endpoint: str, trials: Sequence[Trial]) -> Iterator[ListenStep]:
    """One step per selected trial, and per trial that those need; in the order of `trials`."""
    listen = sut.file.endpoints[endpoint].listen
    assert listen is not None  # noqa: S101 - the caller looked
    where = f"{sut.source}: endpoints.{endpoint}.listen"
    wanted = _selected(listen.trials, {trial.id: trial for trial in trials}, f"{where}.trials", "trial")
    if listen.ports == "each" and listen.port and listen.port + len(wanted) - 1 > 65535:
        raise UsageProblem(
            f"{where}.port: {len(wanted)} trials need a port each, and there are too few from {listen.port} on; "
            'write a lower one, or ports = "one"'
        )
    table = sut.file.drivers.get(listen.driver)
    for trial in (trial for trial in trials if trial.id in wanted):
        yield ListenStep(
            id=f"{endpoint}/{CLIENT_TRIAL}/{trial.id}",
            endpoint=endpoint,
            observation=CLIENT_TRIAL,
            subject=trial.id,
            driver=listen.driver,
            needs=tuple(name for name in trial.needs if name in wanted and name != trial.id),
            seconds=listen.seconds,
            instruction=(table.operator if table else None) or "",
        )


def _files(sut: Sut, endpoint: str) -> Iterator[FileStep]:
    """One step per object that is handed over, and per one that those need; in the order of the tables."""
    from harness.objects.base import subjects_of

    listen, of_audit = sut.listen(endpoint), sut.is_of_audit(endpoint)
    objects = sut.audit(endpoint) if of_audit else sut.objects(endpoint)
    planned = subjects_of(sut, endpoint)
    known = {(kind, subject.name): subject for kind, subjects in planned.items() for subject in subjects}
    if not objects.select:
        known = {key: subject for key, subject in known.items() if not subject.only_if_named}
    where = f"{sut.source}: endpoints.{endpoint}.{'audit' if of_audit else 'objects'}.select"
    what = "step" if of_audit else "object"
    wanted = _selected(objects.select, {name: subject for (_, name), subject in known.items()}, where, what)
    for (observation, name), subject in known.items():
        if name in wanted:
            yield FileStep(
                id="/".join(filter(None, (endpoint, observation, name))),
                endpoint=endpoint,
                observation=observation,
                subject=name,
                text=subject.text,
                driver=subject.driver if subject.driver is not None else sut.driver_name(endpoint),
                needs=tuple(one for one in subject.needs if one in wanted and one != name),
                seconds=objects.seconds if listen is None else listen.seconds,
            )


class _Needing(Protocol):
    @property
    def needs(self) -> tuple[str, ...]: ...


def _selected(patterns: Sequence[str], known: Mapping[str, _Needing], where: str, what: str) -> set[str]:
    """The names of `known` that match one of `patterns` (all without any), with those that they need.

    What has no name is always among them. Raises `UsageProblem` at `where` for a pattern that matches nothing.
    """
    wanted: set[str] = {name for name in known if name == ""}
    for pattern in patterns or ("*",):
        matching = [name for name in known if fnmatchcase(name, pattern)]
        if known and not matching:
            near = closest(pattern, known) or f"; known are, among others: {', '.join(list(known)[:5])}"
            raise UsageProblem(f"{where}: no {what} is called {pattern!r}{near}")
        wanted.update(matching)
    waiting = list(wanted)
    while waiting:
        more = [name for name in known[waiting.pop()].needs if name in known and name not in wanted]
        wanted.update(more)
        waiting.extend(more)
    return wanted


def _asks(sut: Sut, catalogue: Catalogue) -> Iterator[AskStep]:
    asked: set[str] = set()
    for claim in sut.file.claims:
        protocol = sut.file.endpoints[claim.endpoint].protocol
        for requirement in catalogue.select(claim.profile, claim.edition, claim.role, protocol):
            if requirement.judged == "by-operator" and requirement.id not in asked:
                asked.add(requirement.id)
                question = requirement.question or requirement.text
                yield AskStep(id=f"ask/{requirement.id}", requirement=requirement.id, question=question)
