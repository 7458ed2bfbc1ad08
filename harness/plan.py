"""The plan of a run: typed steps, each with an id that stays the same over runs of the same SUT file.

Five kinds cover every domain: the harness connects, it listens for the SUT, it drives the SUT by a command, it
exchanges files with it, or it asks the operator. Each kind has one executor; a kind that no suite plans yet has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from harness.errors import UsageProblem
from harness.observations.base import Frozen
from harness.probes.base import Probe
from harness.sut import Sut

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
    """Files are handed to the SUT (`in`) or taken from it (`out`) through a folder."""

    kind: Literal["file"] = "file"
    id: str
    folder: str
    direction: Literal["in", "out"]
    observation: str
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

    def asks(self) -> tuple[AskStep, ...]:
        """The ask steps, in order."""
        return tuple(step for step in self.steps if isinstance(step, AskStep))


EXECUTED_KINDS = frozenset({"connect", "ask"})
"""Kinds of steps that this version has an executor for."""


def check_executable(plan: Plan) -> None:
    """Raise `UsageProblem` if the plan holds a step that nothing here can execute."""
    for step in plan.steps:
        if step.kind not in EXECUTED_KINDS:
            raise UsageProblem(f"step {step.id}: no suite of this version plans a {step.kind!r} step; update ps315")


def plan_for(
    sut: Sut, probes: tuple[Probe, ...], catalogue: Catalogue | None = None, *, leave_out: frozenset[str] = frozenset()
) -> Plan:
    """The plan for everything that `sut` claims.

    One connect step per claimed endpoint and probe, whatever is claimed there; one ask step per requirement judged
    by the operator (none without a `catalogue`). `leave_out` names kinds of observation that are not wanted.
    """
    steps: list[Step] = []
    planned = {probe.kind for probe in probes} - leave_out
    for endpoint in sut.claimed_endpoints:
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


def _asks(sut: Sut, catalogue: Catalogue) -> Iterator[AskStep]:
    asked: set[str] = set()
    for claim in sut.file.claims:
        protocol = sut.file.endpoints[claim.endpoint].protocol
        for requirement in catalogue.select(claim.profile, claim.edition, claim.role, protocol):
            if requirement.judged == "by-operator" and requirement.id not in asked:
                asked.add(requirement.id)
                question = requirement.question or requirement.text
                yield AskStep(id=f"ask/{requirement.id}", requirement=requirement.id, question=question)
