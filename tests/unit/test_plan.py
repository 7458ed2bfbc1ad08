"""The plan: what is to be done, as typed steps with stable ids."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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
    FileStep(id="d", endpoint="signer", observation="signatures.created", seconds=60),
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
    if step.kind != "drive":
        check_executable(plan)
    else:
        with pytest.raises(UsageProblem, match=f"no suite of this version plans a '{step.kind}' step"):
            check_executable(plan)


@dataclass(frozen=True)
class Played:
    """A row of a table of trials."""

    id: str
    needs: tuple[str, ...] = ("ordinary",)
    text: str = ""
    treatment: Literal["accept", "refuse", "either"] = "either"


TRIALS = (Played("ordinary", ()), Played("ordinary-1.2"), Played("certificate/expired"), Played("certificate/sha1"))


def a_client(listen: str = "", *, port: int = 11113) -> Sut:
    text = f"""
schema = 1
[identity]
id = "ct"
[endpoints.scu]
host = "127.0.0.1"
[endpoints.scu.listen]
port = {port}
driver = "people"
{listen}
[drivers.people]
operator = "Send one image."
[[claims]]
profile = "B.12"
role = "tls-client"
endpoint = "scu"
"""
    return parse_sut(text, source="ct.toml", folder=Path())


class TestClients:
    def test_each_trial_is_a_step_and_none_connects(self) -> None:
        plan = plan_for(a_client("seconds = 20"), PROBES, trials=TRIALS)
        assert plan.connects() == ()
        assert [step.id for step in plan.listens()] == [f"scu/tls.client-trial/{trial.id}" for trial in TRIALS]
        assert {(step.driver, step.seconds, step.instruction) for step in plan.listens()} == {
            ("people", 20.0, "Send one image.")
        }
        assert [step.needs for step in plan.listens()] == [(), *[("ordinary",)] * 3]
        assert plan == plan_for(a_client("seconds = 20"), PROBES, trials=TRIALS)

    @pytest.mark.parametrize(
        ("patterns", "played"),
        [
            ('["ordinary"]', ["ordinary"]),
            ('["certificate/*"]', ["ordinary", "certificate/expired", "certificate/sha1"]),
            ('["*"]', [trial.id for trial in TRIALS]),
        ],
    )
    def test_a_selection_brings_what_it_needs(self, patterns: str, played: list[str]) -> None:
        plan = plan_for(a_client(f"trials = {patterns}"), PROBES, trials=TRIALS)
        assert [step.subject for step in plan.listens()] == played

    @pytest.mark.parametrize(
        ("listen", "told"),
        [
            ('trials = ["ordinery"]', "no trial is called 'ordinery'; did you mean 'ordinary'"),
            ('trials = ["x/*"]', "known are, among others: ordinary, ordinary-1.2"),
            ('ports = "each"', "4 trials need a port each"),
        ],
    )
    def test_what_cannot_be_planned_is_told(self, listen: str, told: str) -> None:
        with pytest.raises(UsageProblem) as raised:
            plan_for(a_client(listen, port=65533), PROBES, trials=TRIALS)
        assert told in str(raised.value)
        assert str(raised.value).startswith("ct.toml: endpoints.scu.listen.")

    def test_a_device_may_be_reached_and_connect(self, sut: Sut) -> None:
        both = parse_sut(
            SUT
            + """
[endpoints.scu]
host = "127.0.0.1"
[endpoints.scu.listen]
driver = "echo"
[drivers.echo]
command = "echoscu {host} {port}"
[[claims]]
profile = "B.12"
role = "tls-client"
endpoint = "scu"
""",
            source="pacs.toml",
            folder=Path(),
        )
        plan = plan_for(both, PROBES, trials=TRIALS)
        assert plan.connects() == plan_for(sut, PROBES).connects()
        assert len(plan.listens()) == len(TRIALS)
