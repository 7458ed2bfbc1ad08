"""What a verifier says of crafted objects is judged by rule; refusals count where good objects are called valid."""

from __future__ import annotations

import pytest

from harness import VerifierAnswer
from harness.catalogue import load_catalogue
from harness.judging.findings import Finding
from suites.signatures.test_verifier import OBLIGED, judged_by_answers, rule_of
from tests.unit.signature_judging import CHECKER, answer, answers, claim, kinds, unobserved, verdicts

VERIFIER = "signature-verifier"
GOOD = answer("sha256/plain", "valid")
STREAM = "PS3.3-C.12.1.1.3.1.2-verifier-"


def judged(*given: VerifierAnswer, profile: str = "C.1") -> dict[str, Finding]:
    return verdicts(answers(*given), claim(profile, VERIFIER))


def verdict(requirement: str, *given: VerifierAnswer) -> str:
    return judged(*given)[requirement].kind.value


def test_each_rule_has_one_requirement() -> None:
    rules = [rule_of(each) for each in judged_by_answers()]
    assert len(rules) == len(set(rules)) >= 30
    assert set(rules) >= OBLIGED


def test_the_policy_of_a_site_is_no_more_than_a_should() -> None:
    levels = {rule_of(each.id): each.level for each in load_catalogue() if each.id in judged_by_answers()}
    should = {rule for rule, level in levels.items() if level == "should"}
    assert should == {"timestamp", *(rule for rule in levels if rule.startswith("certificate-"))}


@pytest.mark.parametrize(
    ("treatment", "said", "expected"),
    [
        ("valid", "valid", "pass"),
        ("valid", "invalid", "fail"),
        ("valid", "unverifiable", "inconclusive"),
        ("valid", "", "inconclusive"),
        ("not-valid", "valid", "fail"),
        ("not-valid", "invalid", "pass"),
        ("not-valid", "unverifiable", "pass"),
        ("not-valid", "", "inconclusive"),
        ("either", "valid", "pass"),
        ("either", "invalid", "pass"),
        ("either", "unverifiable", "pass"),
        ("either", "", "inconclusive"),
    ],
)
def test_an_answer_is_held_against_what_a_conforming_verifier_says(treatment: str, said: str, expected: str) -> None:
    assert verdict(f"{STREAM}changed-value", GOOD, answer("changed-value/a", said, treatment)) == expected


@pytest.mark.parametrize("rule", sorted(OBLIGED))
def test_that_a_mac_algorithm_cannot_be_judged_is_no_answer(rule: str) -> None:
    other = answer("sha1/b" if rule == "sha256" else "sha256/b", "valid")
    for said, expected in (("valid", "pass"), ("invalid", "fail"), ("unverifiable", "fail"), ("", "inconclusive")):
        assert verdict(f"C.1-verifier-{rule}", other, answer(f"{rule}/a", said)) == expected


def test_a_certificate_that_a_site_would_refuse_is_a_warning() -> None:
    expired = answer("certificate-expired/a", "valid", "not-valid", level="should")
    assert verdict("C.1-verifier-certificate-expired", GOOD, expired) == "warning"
    refused = answer("certificate-expired/a", "invalid", "not-valid", level="should")
    assert verdict("C.1-verifier-certificate-expired", GOOD, refused) == "pass"


def test_a_verifier_that_calls_nothing_valid_shows_nothing_by_its_refusals() -> None:
    refusals = [answer("sha256/plain", "invalid"), answer("changed-value/a", "invalid", "not-valid")]
    found = judged(*refusals)
    assert found[f"{STREAM}changed-value"].kind.value == "inconclusive"
    assert "no plain good object was called valid" in found[f"{STREAM}changed-value"].reason
    assert found["C.1-verifier-sha256"].kind.value == "inconclusive"  # it was not asked as it should be, most likely
    alone = judged(answer("changed-value/a", "invalid", "not-valid"))[f"{STREAM}changed-value"]
    assert alone.kind.value == "inconclusive"
    assert "no plain good object was shown" in alone.reason
    assert verdict(f"{STREAM}changed-value", answer("changed-value/a", "valid", "not-valid")) == "fail"


def test_any_of_the_six_algorithms_is_a_control() -> None:
    given = (
        answer("sha256/a", "unverifiable"),
        answer("sha1/a", "valid"),
        answer("wrong-mac/a", "invalid", "not-valid"),
    )
    found = judged(*given)
    assert found[f"{STREAM}wrong-mac"].kind.value == "pass"
    assert found["C.1-verifier-sha256"].kind.value == "fail"


def test_one_wrong_answer_fails_whatever_the_others_are() -> None:
    given = [
        GOOD,
        answer("changed-value/a", "", "not-valid"),
        answer("changed-value/b", "invalid", "not-valid"),
        answer("changed-value/c", "valid", "not-valid", text="the first octet of the pixel data is another"),
    ]
    found = judged(*given)[f"{STREAM}changed-value"]
    assert found.kind.value == "fail"
    assert found.observed == [
        "changed-value/c: called valid, by exit status (the first octet of the pixel data is another)"
    ]
    assert found.expected == ("not called valid",)
    assert found.evidence == ("checker-changed-value/c",)
    assert found.remedy


def test_what_was_not_shown_is_missing() -> None:
    crl = answer("certificate-revoked/a", "", "not-valid", skipped="the SUT was given no revocation list")
    found = judged(GOOD, crl)["C.1-verifier-certificate-revoked"]
    assert found.kind.value == "inconclusive"
    assert "was given no revocation list" in found.reason
    nothing = judged()
    assert {each.kind.value for each in nothing.values()} == {"inconclusive"}
    missing = unobserved(CHECKER, VerifierAnswer, "sha256/plain", "the driver was not found")
    found = verdicts([missing], claim("C.1", VERIFIER))["C.1-verifier-sha256"]
    assert (found.kind.value, found.reason) == ("inconclusive", "the driver was not found")


def test_a_passed_rule_says_what_was_answered() -> None:
    found = judged(GOOD, answer("other-object/a", "invalid", "not-valid"))[f"{STREAM}other-object"]
    assert found.observed == "none, of 1 (other-object/a: invalid)"
    assert found.expected == ("not called valid",)


def test_claims_select_what_binds_them() -> None:
    c1 = judged(GOOD)
    assert judged(GOOD, profile="A.2").keys() == c1.keys() == judged(GOOD, profile="C.3").keys()
    assert judged(GOOD, profile="C.2").keys() - c1.keys() == {"C.2-verifier-other-attributes"}


def test_hostile_words_are_bounded() -> None:
    evil = "\x1b[2J" + "<b>" * 5000
    given = [answer("changed-value/a", "valid", "not-valid", told_by=evil, text=evil)]
    found = judged(GOOD, *given)[f"{STREAM}changed-value"]
    assert "\x1b" not in f"{found.reason}{found.observed}"
    assert len(f"{found.observed}") < 1000
    assert kinds(judged(*given))[f"{STREAM}changed-value"] == "fail"
