"""The plan: what is to be done, as typed steps with stable ids."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from harness.catalogue import Applicability, Catalogue, Requirement, Source
from harness.errors import UsageProblem
from harness.observations import Observation
from harness.plan import AskStep, ConnectStep, DriveStep, FileStep, ListenStep, Plan, Step, check_executable, plan_for
from harness.probes.base import Probe, ProbeContext
from harness.sut import Sut, parse_sut

SUT = """
schema = 1
[identity]
id = "pacs"
[endpoints.dimse]
host = "127.0.0.1"
port = 2762
[endpoints.spare]
host = "127.0.0.1"
port = 2763
[endpoints.unclaimed]
host = "127.0.0.1"
port = 2764
[[claims]]
profile = "B.12"
endpoint = "dimse"
alternates = ["spare"]
[[claims]]
profile = "B.13"
endpoint = "dimse"
"""


def never(_context: ProbeContext) -> Observation:
    raise AssertionError("a plan runs nothing")


PROBES = (
    Probe("tls.reachability", never),
    Probe("tls.versions", never, needs=("tls.reachability",)),
    Probe("tls.second-opinion", never, needs=("tls.versions",)),
)


@pytest.fixture
def sut() -> Sut:
    return parse_sut(SUT, source="pacs.toml", folder=Path())


def test_each_claimed_endpoint_is_observed_once_in_every_way(sut: Sut) -> None:
    plan = plan_for(sut, PROBES)
    assert [step.id for step in plan.steps] == [
        f"{endpoint}/{probe.kind}" for endpoint in ("dimse", "spare") for probe in PROBES
    ]
    assert plan == plan_for(sut, PROBES)


def test_what_is_left_out_is_needed_by_nobody(sut: Sut) -> None:
    plan = plan_for(sut, PROBES, leave_out=frozenset({"tls.versions"}))
    assert {step.observation for step in plan.connects()} == {"tls.reachability", "tls.second-opinion"}
    assert all("tls.versions" not in step.needs for step in plan.connects())


def test_the_operator_is_asked_once_for_each_requirement(sut: Sut) -> None:
    asked = Requirement(
        id="ACME-1",
        title="t",
        text="Is it so?",
        level="shall",
        role="tls-server",
        judged="by-operator",
        applies=tuple(Applicability(profile=profile, editions=("2026c",)) for profile in ("B.12", "B.13")),
        sources=(Source(document="ACME", section="1"),),
    )
    (step,) = plan_for(sut, (), Catalogue((asked,))).steps
    assert step == AskStep(id="ask/ACME-1", requirement="ACME-1", question="Is it so?")


STEPS: tuple[Step, ...] = (
    ConnectStep(id="a", endpoint="dimse", observation="tls.versions"),
    ListenStep(id="b", endpoint="scu", observation="tls.client-trial", subject="ordinary", seconds=60),
    DriveStep(id="c", driver="storescu", action="send"),
    FileStep(id="d", folder="in", direction="in", observation="media", seconds=60),
    AskStep(id="e", requirement="ACME-1", question="?"),
)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.kind)
def test_steps_survive_the_record(step: Step) -> None:
    adapter: TypeAdapter[Step] = TypeAdapter(Step)
    assert adapter.validate_json(adapter.dump_json(step)) == step
    with pytest.raises(ValidationError):
        adapter.validate_python({**step.model_dump(), "more": 1})


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.kind)
def test_only_steps_with_an_executor_are_taken(step: Step) -> None:
    plan = Plan(sut="pacs", steps=(step,))
    if step.kind in {"connect", "ask"}:
        check_executable(plan)
    else:
        with pytest.raises(UsageProblem, match=f"no suite of this version plans a '{step.kind}' step"):
            check_executable(plan)
