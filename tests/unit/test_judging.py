"""The judging engine with small suite folders: outcomes, look-ups, broken suites, isolation."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.catalogue import load_catalogue
from harness.errors import UsageProblem
from harness.judging import judge
from harness.judging.lookup import Observations
from harness.judging.outcomes import Missing
from harness.observations import Observation
from harness.observations.clients import ClientTrial
from harness.observations.transport import Plaintext
from harness.record.models import EndpointRecord, VerdictKind
from tests.unit.judging_bench import (
    CLAIM,
    ENDPOINT,
    IMPORTS,
    NOW,
    SUT,
    judged,
    observed,
    own,
    requirement,
    suite_writer,
)


@pytest.fixture
def suite(tmp_path: Path) -> Callable[..., Path]:
    return suite_writer(tmp_path)


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
    (folder / "test_acme.py").write_text(IMPORTS + text.replace("[1]", "[]").replace("1)", "12345)"))
    assert own(judged(folder))["ACME-fresh"].verdict is VerdictKind.FAIL
    assert not (folder / ".pytest_cache").exists()


def test_observations_are_waited_for_once_everything_is_collected(suite: Callable[..., Path], tmp_path: Path) -> None:
    text = f"""
from pathlib import Path
Path({str(tmp_path / "collected")!r}).touch()

@verifies("ACME-facts")
def test_facts(endpoint, observations):
    expect(observations.facts(endpoint, Plaintext).dicom_answer, what="DICOM answer").to_be(False)
"""
    folder = suite([requirement("ACME-facts")], text)
    plaintext = Plaintext.model_validate({"reaction": {"kind": "alert"}, "dicom_answer": True})
    asked = []

    def arriving() -> list[Observation]:
        asked.append((tmp_path / "collected").exists())
        return [observed("tls.plaintext", plaintext)]

    late, early = judged(folder, arriving), judged(folder, arriving())
    assert asked == [True, True]
    assert late == early
    assert own(late)["ACME-facts"].verdict is VerdictKind.FAIL

    def failing() -> list[Observation]:
        raise UsageProblem("the record cannot be read")

    with pytest.raises(UsageProblem, match="cannot be read"):
        judged(folder, failing)


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
            IMPORTS + f"@verifies('{prefix}-one')\ndef test_it(): expect({seen}).to_be(1)\n"
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


def test_a_trial_that_nobody_played_is_named_and_found_again() -> None:
    """A SUT file may select trials: what is missing is then said in its words, not in ours."""
    with pytest.raises(Missing) as raised:
        Observations.of((), datetime(2026, 11, 22, tzinfo=UTC)).facts("scu", ClientTrial, "only-tls-1.0")
    assert raised.value.what == "the trial only-tls-1.0 was not played at scu"
    assert "SUT file selects trials" in raised.value.remedy
