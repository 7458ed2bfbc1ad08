"""What a judgement counts: declarations, umbrellas, waivers, claims, scope, second opinions, exit status."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from harness.catalogue import load_catalogue
from harness.errors import UsageProblem
from harness.judging import Judgement, exit_status, judge
from harness.judging.declared import declared
from harness.observations.transport import SecondOpinion
from harness.record.models import AnswerEvent, SutRecord, VerdictKind, VerdictRecord, WaiverRecord
from tests.unit.judging_bench import NOW, SUT, judged, observed, own, requirement, suite_writer


@pytest.fixture
def suite(tmp_path: Path) -> Callable[..., Path]:
    return suite_writer(tmp_path)


QUESTION = 'question = "Can it?"\nanswer = "yes"'


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [("yes", "pass"), ("Yes.", "pass"), ("no", "fail"), ("", "inconclusive"), ("sometimes", "inconclusive")],
)
def test_declarations(suite: Callable[..., Path], answer: str, verdict: str) -> None:
    folder = suite(
        [
            requirement("ACME-can", judged="by-declaration", more=QUESTION),
            requirement("ACME-how", judged="by-declaration", more='question = "How?"\nanswer = "text"'),
        ],
        "",
    )
    sut = SUT.model_copy(update={"declarations": {"ACME-can": answer, "ACME-how": "no, by hand"}})
    found = own(judged(folder, sut=sut))
    assert found["ACME-can"].verdict.value == verdict
    if not answer:
        assert "Can it?" in found["ACME-can"].reason
        assert '"ACME-can" = "yes"' in found["ACME-can"].remedy
    assert (found["ACME-how"].verdict, found["ACME-how"].observed) == (VerdictKind.PASS, "no, by hand")

    probed = judged(folder, sut=sut, command="probe")
    assert own(probed) == {}
    assert {"ACME-can", "ACME-how"} <= {item.requirement for item in probed.not_examined}


def test_operator_answers_the_last_one_counts(suite: Callable[..., Path]) -> None:
    folder = suite([requirement("ACME-step", judged="by-operator"), requirement("ACME-open", judged="by-operator")], "")

    def answer(text: str, hour: int) -> AnswerEvent:
        at = NOW.replace(hour=hour)
        return AnswerEvent(step="ask", requirement="ACME-step", answer=text, confirmed_by="Ada", at=at)

    found = own(judged(folder, answers=[answer("no", 9), answer("yes", 8)]))
    assert (found["ACME-step"].verdict, found["ACME-step"].reason) == (VerdictKind.FAIL, "Ada answered: no.")
    assert found["ACME-open"].verdict is VerdictKind.INCONCLUSIVE


def umbrella(suite: Callable[..., Path], results: dict[str, tuple[str, str]]) -> Path:
    bodies = {
        "pass": "expect(1).to_be(1)",
        "fail": "expect(1).to_be(2)",
        "error": "pass",
        "inconclusive": "raise Missing('unknown')",
        "not_applicable": "raise NotApplicable('no such thing')",
    }
    text = "".join(f"@verifies('{name}')\ndef test_{name[5:]}(): {bodies[how]}\n" for name, (_, how) in results.items())
    members = ", ".join(f'"{name}"' for name in results)
    above = requirement("ACME-all", judged="derived", more=f"members = [{members}]")
    return suite([above, *(requirement(name, level) for name, (level, _) in results.items())], text)


@pytest.mark.parametrize(
    ("members", "verdict"),
    [
        (["pass", "not_applicable"], "pass"),
        (["not_applicable", "not_applicable"], "not_applicable"),
        (["pass", "inconclusive"], "inconclusive"),
        (["error", "inconclusive"], "error"),
        (["error", "fail"], "fail"),
    ],
)
def test_umbrellas_are_derived(suite: Callable[..., Path], members: list[str], verdict: str) -> None:
    folder = umbrella(suite, {f"ACME-m{number}": ("shall", how) for number, how in enumerate(members)})
    above = own(judged(folder))["ACME-all"]
    assert above.verdict.value == verdict
    assert above.derived
    assert above.members == ("ACME-m0", "ACME-m1")


def test_a_warning_never_propagates(suite: Callable[..., Path]) -> None:
    found = own(judged(umbrella(suite, {"ACME-s": ("should", "fail"), "ACME-t": ("shall", "pass")})))
    assert found["ACME-s"].verdict is VerdictKind.WARNING
    assert found["ACME-all"].verdict is VerdictKind.PASS


def waived(until: date, endpoint: str = "") -> SutRecord:
    waiver = WaiverRecord(requirement="ACME-m0", reason="replaced in June", until=until, endpoint=endpoint)
    return SUT.model_copy(update={"waivers": (waiver,)})


def test_waivers_stand_beside_the_fail_and_expire(suite: Callable[..., Path]) -> None:
    folder = umbrella(suite, {"ACME-m0": ("shall", "fail"), "ACME-m1": ("shall", "pass")})
    valid = own(judged(folder, sut=waived(NOW.date())))
    assert valid["ACME-m0"].verdict is VerdictKind.FAIL
    assert valid["ACME-m0"].waiver is not None
    assert not valid["ACME-m0"].waiver.expired
    assert valid["ACME-all"].waiver is not None
    assert valid["ACME-m1"].waiver is None
    expired = own(judged(folder, sut=waived(date(2026, 5, 3))))
    assert expired["ACME-m0"].waiver is not None
    assert expired["ACME-m0"].waiver.expired
    assert expired["ACME-all"].waiver is None
    elsewhere = own(judged(folder, sut=waived(NOW.date(), "other")))
    assert elsewhere["ACME-m0"].waiver is None


def verdicts_of(*kinds: tuple[str, str], waiver: WaiverRecord | None = None) -> Judgement:
    made = tuple(
        VerdictRecord(
            key=str(number),
            requirement=f"R-{number}",
            title="t",
            text="t",
            verdict=VerdictKind(kind),
            level=level,
            judged="automatically",
            imported=False,
            profile="B.12",
            edition="2026c",
            role="tls-server",
            endpoint="dimse",
            waiver=waiver,
        )
        for number, (level, kind) in enumerate(kinds)
    )
    return Judgement(made, ())


VALID = WaiverRecord(requirement="R-0", reason="r", until=NOW.date())


@pytest.mark.parametrize(
    ("judgement", "allow", "status"),
    [
        (verdicts_of(("shall", "pass"), ("should", "warning"), ("shall", "not_applicable")), False, 0),
        (verdicts_of(), False, 2),
        (verdicts_of(("shall", "inconclusive"), ("shall", "not_applicable")), True, 2),
        (verdicts_of(("shall", "fail"), ("shall", "error"), ("shall", "inconclusive")), False, 1),
        (verdicts_of(("shall", "pass"), ("should", "error"), ("shall", "inconclusive")), False, 2),
        (verdicts_of(("shall", "pass"), ("should", "inconclusive")), False, 3),
        (verdicts_of(("shall", "pass"), ("should", "inconclusive")), True, 0),
        (verdicts_of(("shall", "fail"), waiver=VALID), False, 0),
        (verdicts_of(("shall", "fail"), waiver=VALID.model_copy(update={"expired": True})), False, 1),
    ],
)
def test_exit_status(judgement: Judgement, allow: bool, status: int) -> None:
    assert exit_status(judgement, allow) == status


def test_exit_status_needs_something_judged_automatically() -> None:
    declared = verdicts_of(("shall", "fail"))
    only = tuple(one.model_copy(update={"judged": "by-declaration"}) for one in declared.verdicts)
    assert exit_status(replace(declared, verdicts=only)) == 2


def test_another_profile_can_be_judged_at_the_same_endpoints() -> None:
    result = judge(SUT, (), observed_at=NOW, command="run", profile="B.13")
    assert {one.profile for one in result.verdicts} == {"B.13"}
    assert [(one.profile, one.endpoint) for one in result.claims] == [("B.13", "dimse")]
    with pytest.raises(UsageProblem, match=r"B\.99.*B\.12, B\.13"):
        judge(SUT, (), observed_at=NOW, command="run", profile="B.99")


def test_without_observations_everything_automatic_is_inconclusive() -> None:
    for profile in ("B.12", "B.13"):
        result = judge(SUT, (), observed_at=NOW, command="run", profile=profile)
        wrong = {
            one.requirement: one.reason
            for one in result.verdicts
            if one.judged == "automatically" and one.verdict is not VerdictKind.INCONCLUSIVE
        }
        assert wrong == {}
        assert exit_status(result) == 2
        assert result.claims[0].verdict is VerdictKind.INCONCLUSIVE


def test_what_is_not_examined_is_listed_with_its_reason() -> None:
    result = judge(SUT, (), observed_at=NOW, command="run")
    left_out = {item.requirement: item for item in result.not_examined}
    assert left_out["B.12-server-may-support-tls-1.3"].reason == "no obligation"
    assert all(item.reason for item in left_out.values())
    judged_ids = {one.requirement for one in result.verdicts}
    assert judged_ids.isdisjoint(left_out)
    wanted = load_catalogue().select("B.12", "2026c", "tls-server", "dicom-tls")
    assert judged_ids | set(left_out) == {one.id for one in wanted}


def test_a_conflict_with_the_second_opinion_is_an_error_only_where_it_decides(suite: Callable[..., Path]) -> None:
    text = """
from harness import CipherSuites
def accepted(endpoint, observations):
    return [one.code for of in observations.facts(endpoint, CipherSuites).versions.values() for one in of.accepted]

@verifies("ACME-no-null")
def test_no_null(endpoint, observations):
    expect([code for code in accepted(endpoint, observations) if code == 2]).to_be_empty()

@verifies("ACME-gcm")
def test_gcm(endpoint, observations):
    expect(accepted(endpoint, observations)).to_contain(0xC02F)
"""
    folder = suite([requirement("ACME-no-null"), requirement("ACME-gcm")], text)
    from harness.observations.transport import AcceptedSuite, CipherSuites, SuitesOfVersion

    ours = CipherSuites(
        versions={
            0x0303: SuitesOfVersion(accepted=(AcceptedSuite(code=0xC02F, exchange="e"),), offered=300, complete=True)
        }
    )
    agreeing = SecondOpinion(tool="sslyze 6", versions={0x0303: (0xC02F,)})
    found = own(judged(folder, [observed("tls.cipher-suites", ours), observed("tls.second-opinion", agreeing)]))
    assert [one.verdict.value for one in found.values()] == ["pass", "pass"]
    assert found["ACME-gcm"].second_opinion == "sslyze 6 agrees on the cipher suites."
    told = "TLS_RSA_WITH_NULL_SHA in TLS 1.2: sslyze 6 saw it accepted, our probe was answered with alert 40 twice"
    other = SecondOpinion(tool="sslyze 6", versions={0x0303: (0xC02F, 2)}, conflicts=(told,))
    found = own(judged(folder, [observed("tls.cipher-suites", ours), observed("tls.second-opinion", other)]))
    assert found["ACME-no-null"].verdict is VerdictKind.ERROR
    assert told in found["ACME-no-null"].reason
    assert found["ACME-gcm"].verdict is VerdictKind.PASS
    assert "conflict" in (found["ACME-gcm"].second_opinion or "")


def test_claims_rest_on_the_shalls_that_dicom_asks(suite: Callable[..., Path]) -> None:
    text = "@verifies('ACME-bad')\ndef test_bad(): expect(1).to_be(2)\n"
    result = judged(suite([requirement("ACME-bad")], text))
    claim = result.claims[0]
    built_in = [one for one in result.verdicts if not one.vendor_suite and not one.derived]
    assert claim.verdict is not VerdictKind.FAIL
    assert sum(claim.own.values()) == sum(not one.imported for one in built_in)
    assert sum(claim.imported.values()) == sum(one.imported for one in built_in)
    assert exit_status(result) == 1


def test_alpn_on_dimse_is_never_failed_by_a_declaration() -> None:
    """RFC 9325 3.8 has no registered ALPN identifier for DIMSE to work with."""
    alpn = load_catalogue()["RFC9325-3.8-alpn-supported"]
    assert declared(alpn, {alpn.id: "no"}, ()).kind is VerdictKind.INCONCLUSIVE
    assert declared(alpn, {alpn.id: "yes"}, ()).kind is VerdictKind.PASS
