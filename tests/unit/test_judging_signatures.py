"""The engine judges claims of digital signatures: umbrellas, declarations, advice, exit status."""

from __future__ import annotations

from collections import Counter

import pytest

from harness.judging import Judgement, exit_status, judge
from harness.record.models import ClaimRecord, SutRecord, VerdictKind
from tests.unit.signature_judging import (
    CHECKER,
    IMAGE,
    NOW,
    SIGNER,
    answer,
    answers,
    claim,
    created,
    image,
    report,
    signed,
)

DECLARED = {
    "C.3-signatory": "yes",
    "C.3-signs-verifiable-attributes": "yes",
    "C.4-signatories": "yes",
    "C.4-statement-signatories": "by login",
    "A.4-statement-conditions": "always when verified",
}


def judged(*claims: ClaimRecord, **options: object) -> Judgement:
    sut = SutRecord(id="signer", claims=claims, endpoints=(SIGNER, CHECKER), declarations=DECLARED)
    given = [created(options.pop("image", image()), report())]  # type: ignore[arg-type]
    given += answers(answer("sha256/a", "valid"), answer("changed-value/a", "invalid", "not-valid"))
    return judge(sut, given, observed_at=NOW, command="run", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("profile", ["C.1", "C.2", "C.3", "C.4", "A.4"])
def test_a_creator_that_signs_well_keeps_its_claim(profile: str) -> None:
    judgement = judged(claim(profile))
    assert Counter(each.verdict for each in judgement.verdicts).keys() == {
        VerdictKind.PASS,
        VerdictKind.NOT_APPLICABLE,
    }
    (of_claim,) = judgement.claims
    assert of_claim.verdict is VerdictKind.PASS
    assert of_claim.imported == dict.fromkeys(of_claim.imported, 0)  # PS3.3 is DICOM's own
    assert exit_status(judgement) == 0
    assert not judgement.notes
    assert not judgement.separations


def test_an_umbrella_fails_with_its_member() -> None:
    bare = image(signed(IMAGE.keys() - {"(0008,0070)"}))
    judgement = judged(claim("C.2"), image=bare)
    failed = {each.requirement for each in judgement.verdicts if each.verdict is VerdictKind.FAIL}
    assert failed == {"C.2-signs-general-equipment", "C.2-attributes"}
    assert exit_status(judgement) == 1
    unsafe = judged(claim("C.2"), image=image(signed(algorithm="NONE")))
    failed = {each.requirement for each in unsafe.verdicts if each.verdict is VerdictKind.FAIL}
    assert failed == {"C.1-mac-algorithm", "C.2-mac-and-rsa", "C.2-base-profile"}


def test_a_verifier_is_judged_beside_a_creator() -> None:
    judgement = judged(claim("C.1"), claim("C.1", "signature-verifier"))
    creator, verifier = judgement.claims
    assert creator.verdict is VerdictKind.PASS
    assert verifier.verdict is VerdictKind.INCONCLUSIVE  # most rules were not put to it
    of_verifier = {each.requirement: each.verdict for each in judgement.verdicts if each.endpoint == CHECKER.name}
    assert of_verifier["PS3.3-C.12.1.1.3.1.2-verifier-changed-value"] is VerdictKind.PASS
    assert of_verifier["C.1-verifier-mac-algorithms"] is VerdictKind.INCONCLUSIVE
    assert not judgement.notes


def test_a_recorded_run_is_judged_by_another_profile() -> None:
    judgement = judged(claim("C.1"), profile="C.2")
    assert {each.profile for each in judgement.verdicts} == {"C.2"}
    assert {each.edition for each in judgement.verdicts} == {"2026c"}


def test_advice_is_given_once_an_endpoint() -> None:
    judgement = judged(claim("C.1"), claim("C.2"), claim("C.1", "signature-verifier"))
    assert [each.id for each in judgement.advice].count("signature-no-timestamp") == 1
    assert {each.endpoint for each in judgement.advice} == {"signer"}
