"""The judging engine with small suite folders: outcomes, isolation, broken suites, scope, waivers, exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from harness.catalogue import load_catalogue
from harness.errors import UsageProblem
from harness.judging import Judgement, exit_status, judge
from harness.observations import Observation
from harness.observations.transport import Plaintext, SecondOpinion
from harness.record.models import (
    AnswerEvent,
    ClaimRecord,
    EndpointRecord,
    SutRecord,
    VerdictKind,
    VerdictRecord,
    WaiverRecord,
)

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
CLAIM = ClaimRecord(profile="B.12", edition="2026c", role="tls-server", endpoint="dimse")
ENDPOINT = EndpointRecord(name="dimse", protocol="dicom-tls", host="127.0.0.1", port=2762)
SUT = SutRecord(id="scanner", claims=(CLAIM,), endpoints=(ENDPOINT,))

_REQUIREMENT = """
[[requirement]]
id = "{id}"
title = "{id}"
text = "Something holds."
level = "{level}"
role = "tls-server"
applies = [{{ profile = "B.12", editions = ["2026c"] }}]
judged = "{judged}"
sources = [{{ document = "ACME security policy", section = "1" }}]
{more}
"""


def requirement(name: str, level: str = "shall", judged: str = "automatically", more: str = "") -> str:
    return _REQUIREMENT.format(id=name, level=level, judged=judged, more=more)


@pytest.fixture
def suite(tmp_path: Path) -> Callable[..., Path]:
    def write(requirements: Sequence[str], modules: dict[str, str] | str) -> Path:
        folder = tmp_path / "acme_suite"
        folder.mkdir(exist_ok=True)
        (folder / "requirements.toml").write_text('prefix = "ACME"\n' + "\n".join(requirements))
        for name, text in ({"test_acme.py": modules} if isinstance(modules, str) else modules).items():
            (folder / name).write_text(_IMPORTS + text)
        return folder

    return write


_IMPORTS = "from harness import Missing, NotApplicable, Plaintext, Versions, expect, verifies\n"


def judged(folder: Path, observations: Sequence[Observation] = (), sut: SutRecord = SUT, **more: object) -> Judgement:
    options: dict[str, object] = {"observed_at": NOW, "command": "run", "suite_folders": [folder], **more}
    return judge(sut, observations, **options)  # type: ignore[arg-type]


def own(judgement: Judgement) -> dict[str, VerdictRecord]:
    return {one.requirement: one for one in judgement.verdicts if one.vendor_suite}


def observed(kind: str, facts: object = None, missing: str = "", remedy: str = "") -> Observation:
    dumped = facts.model_dump(mode="json") if facts is not None else None  # type: ignore[attr-defined]
    return Observation(
        kind=kind,
        endpoint="dimse",
        observed_at=NOW,
        facts=dumped,
        missing=missing,
        remedy=remedy,
        exchanges=("dimse-0001", "dimse-0002"),
    )


def test_every_outcome_becomes_its_verdict(suite: Callable[..., Path]) -> None:
    bodies = {
        "ACME-pass": "expect(3, evidence='dimse-0009', what='number').to_be_one_of([3, 4])",
        "ACME-deviation": "expect(2).to_be_at_least(3, remedy='Count on.')",
        "ACME-missing": "raise Missing('the port did not answer', 'Open it.')",
        "ACME-notapplicable": "raise NotApplicable('TLS 1.3 is refused')",
        "ACME-assertion": "assert 1 == 2, 'not ours to say'",
        "ACME-exception": "{}['nothing']",
        "ACME-nothing": "pass",
        "ACME-skip": "import pytest; pytest.skip('later')",
        "ACME-xfail": "import pytest; pytest.xfail('later')",
        "ACME-exit": "raise SystemExit(0)",
        "ACME-should": "expect('no').to_be('yes')",
    }
    text = "".join(f"@verifies('{name}')\ndef test_{name[5:]}(): {body}\n" for name, body in bodies.items())
    levels = {"ACME-should": "should"}
    folder = suite([requirement(name, levels.get(name, "shall")) for name in bodies], text)
    found = own(judged(folder))
    assert {name[5:]: one.verdict.value for name, one in found.items()} == {
        "pass": "pass",
        "deviation": "fail",
        "missing": "inconclusive",
        "notapplicable": "not_applicable",
        "assertion": "error",
        "exception": "error",
        "nothing": "error",
        "skip": "error",
        "xfail": "error",
        "exit": "error",
        "should": "warning",
    }
    passed, failed = found["ACME-pass"], found["ACME-deviation"]
    assert (passed.expected, passed.observed, passed.evidence) == (("3", "4"), 3, ("dimse-0009",))
    assert (failed.expected, failed.observed, failed.remedy) == (("at least 3",), 2, "Count on.")
    assert passed.key == "scanner/dimse/B.12-2026c-tls-server/ACME-pass"
    assert passed.vendor_suite == "acme_suite"
    assert found["ACME-missing"].reason == "the port did not answer"
    assert found["ACME-missing"].remedy == "Open it."
    assert "judged nothing" in found["ACME-nothing"].reason
    assert "not ours to say" in found["ACME-assertion"].reason
    assert "test_acme.py, line" in found["ACME-assertion"].reason


def test_verdicts_come_in_the_order_of_the_catalogue(suite: Callable[..., Path]) -> None:
    folder = suite(
        [requirement("ACME-b"), requirement("ACME-a")],
        "@verifies('ACME-a', 'ACME-b')\ndef test_both(): expect(1).to_be(1)\n",
    )
    first = judged(folder)
    order = [one.id for one in load_catalogue(folder.resolve())]
    assert [one.requirement for one in first.verdicts] == sorted(
        (one.requirement for one in first.verdicts), key=order.index
    )
    assert list(own(first)) == ["ACME-b", "ACME-a"]
    assert judged(folder) == first


def test_fixtures_say_what_is_judged_and_look_observations_up(suite: Callable[..., Path]) -> None:
    text = """
@verifies("ACME-fixtures")
def test_fixtures(claim, requirement, sut, endpoint, endpoints, observations):
    expect(claim.profile).to_be("B.12")
    expect(requirement.id).to_be("ACME-fixtures")
    expect(sut.id).to_be("scanner")
    expect([each.name for each in endpoints]).to_be([endpoint.name])
    expect(observations.observed_at.year).to_be(2026)

@verifies("ACME-facts")
def test_facts(endpoint, observations):
    expect(observations.facts(endpoint, Plaintext).dicom_answer, what="DICOM answer").to_be(False)

@verifies("ACME-unobserved")
def test_unobserved(endpoint, observations):
    expect(observations.facts(endpoint, Versions).reactions).to_be_empty()
"""
    folder = suite([requirement(f"ACME-{name}") for name in ("fixtures", "facts", "unobserved")], text)
    plaintext = Plaintext.model_validate({"reaction": {"kind": "alert"}, "dicom_answer": True})
    found = own(judged(folder, [observed("tls.plaintext", plaintext)]))
    assert found["ACME-fixtures"].verdict is VerdictKind.PASS
    assert found["ACME-facts"].verdict is VerdictKind.FAIL
    assert found["ACME-facts"].evidence == ("dimse-0001", "dimse-0002")
    assert found["ACME-unobserved"].verdict is VerdictKind.INCONCLUSIVE

    silent = observed("tls.plaintext", missing="the port closed at once", remedy="Look at the firewall.")
    facts = own(judged(folder, [silent]))["ACME-facts"]
    assert (facts.verdict, facts.reason, facts.remedy) == (
        VerdictKind.INCONCLUSIVE,
        "the port closed at once",
        "Look at the firewall.",
    )
    broken = own(judged(folder, [observed("tls.plaintext", missing="harness error: KeyError")]))["ACME-facts"]
    assert (broken.verdict, broken.reason) == (VerdictKind.ERROR, "KeyError")


def test_a_claim_at_two_endpoints_gives_an_item_each_and_alternates_are_looked_up(suite: Callable[..., Path]) -> None:
    text = """
@verifies("ACME-port")
def test_port(endpoints):
    expect([each.port for each in endpoints]).to_contain(2762)
"""
    folder = suite([requirement("ACME-port")], text)
    other = EndpointRecord(name="other", protocol="dicom-tls", host="127.0.0.1", port=2763)
    sut = SUT.model_copy(
        update={
            "endpoints": (ENDPOINT, other),
            "claims": (
                CLAIM.model_copy(update={"alternates": ("other",)}),
                CLAIM.model_copy(update={"endpoint": "other"}),
            ),
        }
    )
    verdicts = [one for one in judged(folder, sut=sut).verdicts if one.vendor_suite]
    assert [(one.endpoint, one.verdict.value) for one in verdicts] == [("dimse", "pass"), ("other", "fail")]


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("import nothing_of_that_name\n@verifies('ACME-x')\ndef test_x(): pass\n", "nothing_of_that_name"),
        ("@verifies('ACME-x'\ndef test_x(): pass\n", "could not be loaded"),
        ("import pytest; pytest.skip('no', allow_module_level=True)\n@verifies('ACME-x')\ndef test_x(): pass", "no"),
    ],
)
def test_a_broken_module_makes_its_requirements_errors(suite: Callable[..., Path], module: str, reason: str) -> None:
    good = "@verifies('ACME-y')\ndef test_y(): expect(1).to_be(1)\n"
    folder = suite([requirement("ACME-x"), requirement("ACME-y")], {"test_broken.py": module, "test_good.py": good})
    found = own(judged(folder))
    assert found["ACME-x"].verdict is VerdictKind.ERROR
    assert reason in found["ACME-x"].reason
    assert found["ACME-y"].verdict is VerdictKind.PASS


def test_nothing_in_a_suite_vanishes(suite: Callable[..., Path]) -> None:
    text = """
@verifies("ACME-unknown")
def test_unknown(): expect(1).to_be(1)

def test_for_nothing(): expect(1).to_be(1)

@verifies("B.12-server-supports-tls-1.2")
def test_builtin(): expect(1).to_be(1)

@verifies("ACME-twice")
def test_once(): expect(1).to_be(1)

@verifies("ACME-twice")
def test_again(): expect(1).to_be(1)

@verifies("ACME-words")
def test_words(): expect(1).to_be(1)
"""
    declared = requirement("ACME-words", judged="by-declaration", more='question = "Well?"\nanswer = "text"')
    folder = suite([requirement("ACME-twice"), requirement("ACME-forgotten"), declared], text)
    result = judged(folder)
    found = own(result)
    errors = {name: one.reason for name, one in found.items() if one.verdict is VerdictKind.ERROR}
    assert set(errors) == {
        "ACME-unknown@acme_suite",
        "test_acme.py@acme_suite",
        "B.12-server-supports-tls-1.2@acme_suite",
        "ACME-twice",
        "ACME-forgotten",
        "ACME-words@acme_suite",
    }
    assert "no catalogue has" in errors["ACME-unknown@acme_suite"]
    assert "built-in suites alone" in errors["B.12-server-supports-tls-1.2@acme_suite"]
    assert "judges already" in errors["ACME-twice"]
    assert "no judgement" in errors["ACME-forgotten"]
    builtin = next(one for one in result.verdicts if one.requirement == "B.12-server-supports-tls-1.2")
    assert builtin.verdict is not VerdictKind.PASS


def test_judging_is_kept_apart_from_its_surroundings(
    suite: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    text = """
runs = []
@verifies("ACME-fresh")
def test_fresh():
    runs.append(1)
    expect(runs).to_be([1])
"""
    folder = suite([requirement("ACME-fresh")], text)
    (folder / "conftest.py").write_text("raise RuntimeError('configuration of somebody')")
    (folder.parent / "conftest.py").write_text("raise RuntimeError('configuration of somebody else')")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    monkeypatch.setenv("PYTEST_PLUGINS", "no_such_plugin")
    monkeypatch.chdir(folder)
    environment, modules, path = dict(os.environ), set(sys.modules), list(sys.path)
    for _ in range(3):
        assert own(judged(folder))["ACME-fresh"].verdict is VerdictKind.PASS
    assert dict(os.environ) == environment
    assert sys.path == path
    assert not {name for name in set(sys.modules) - modules if "acme" in name or "pytest" in name}
    assert capfd.readouterr() == ("", "")
    (folder / "test_acme.py").write_text(_IMPORTS + text.replace("[1]", "[]").replace("1)", "12345)"))
    assert own(judged(folder))["ACME-fresh"].verdict is VerdictKind.FAIL
    assert not (folder / ".pytest_cache").exists()


def test_an_interruption_by_the_user_is_not_swallowed(suite: Callable[..., Path]) -> None:
    folder = suite([requirement("ACME-stop")], "@verifies('ACME-stop')\ndef test_stop(): raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        judged(folder)


def test_a_suite_that_stops_the_session_leaves_errors(suite: Callable[..., Path]) -> None:
    text = """
import pytest
@verifies("ACME-stop")
def test_a_stop(): pytest.exit("enough")
@verifies("ACME-after")
def test_b_after(): expect(1).to_be(1)
"""
    found = own(judged(suite([requirement("ACME-stop"), requirement("ACME-after")], text)))
    assert {name: one.verdict.value for name, one in found.items()} == {"ACME-stop": "error", "ACME-after": "error"}
    assert "enough" in found["ACME-after"].reason


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


def test_judging_runs_in_threads_side_by_side(suite: Callable[..., Path]) -> None:
    folder = suite([requirement("ACME-one")], "@verifies('ACME-one')\ndef test_one(): expect(1).to_be(1)\n")
    with ThreadPoolExecutor(3) as executor:
        results = [one.result() for one in [executor.submit(judged, folder) for _ in range(3)]]
    assert results[0] == results[1] == results[2]
    assert own(results[0])["ACME-one"].verdict is VerdictKind.PASS


def test_two_vendor_suites_with_the_same_module_names_stay_apart(tmp_path: Path) -> None:
    folders = []
    for prefix, seen in (("ACME", 1), ("BETA", 2)):
        folder = tmp_path / prefix.lower()
        folder.mkdir()
        text = f'prefix = "{prefix}"\n' + requirement(f"{prefix}-one") + requirement(f"{prefix}-two")
        (folder / "requirements.toml").write_text(text)
        (folder / "test_it.py").write_text(
            _IMPORTS + f"@verifies('{prefix}-one')\ndef test_it(): expect({seen}).to_be(1)\n"
            "@verifies('ACME-two')\ndef test_two(): expect(1).to_be(1)\n"
        )
        folders.append(folder)
    result = judge(SUT, (), observed_at=NOW, command="run", suite_folders=folders)
    found = {one.requirement: (one.vendor_suite, one.verdict.value) for one in result.verdicts if one.vendor_suite}
    assert found == {
        "ACME-one": ("acme", "pass"),
        "ACME-two": ("acme", "pass"),
        "BETA-one": ("beta", "fail"),
        "BETA-two": ("beta", "error"),
        "ACME-two@beta": ("beta", "error"),
    }


def test_claims_rest_on_the_shalls_that_dicom_asks(suite: Callable[..., Path]) -> None:
    text = "@verifies('ACME-bad')\ndef test_bad(): expect(1).to_be(2)\n"
    result = judged(suite([requirement("ACME-bad")], text))
    claim = result.claims[0]
    built_in = [one for one in result.verdicts if not one.vendor_suite and not one.derived]
    assert claim.verdict is not VerdictKind.FAIL
    assert sum(claim.own.values()) == sum(not one.imported for one in built_in)
    assert sum(claim.imported.values()) == sum(one.imported for one in built_in)
    assert exit_status(result) == 1
