"""Signed structured reports and key object selections: purposes, verification, observers, evidence (C.4, A.4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reference_impl.signatures.results import Code, DocumentResult, EvidenceReference, FileResult, Reason, Standing
from tests.unit.signature_judging import (
    AUTHOR,
    EVIDENCE,
    REPORT,
    VERIFICATION,
    claim,
    created,
    image,
    kinds,
    report,
    signed,
    verdicts,
)

A4 = claim("A.4")
REFERENCE = "PS3.3-C.17.2.1-reference-mac"


def judged(*results: FileResult) -> dict[str, str]:
    return kinds(verdicts([created(*results)], A4))


def differing(*results: FileResult) -> dict[str, str]:
    """The verdicts that differ from those of a good verified report."""
    good, now = judged(report()), judged(*results)
    return {name: now[name] for name, kind in good.items() if now[name] != kind}


def with_document(**changes: Any) -> FileResult:
    good = report()
    assert good.document is not None
    return replace(good, document=replace(good.document, **changes))


def with_evidence(*evidence: EvidenceReference) -> FileResult:
    return with_document(evidence=evidence)


def test_a_good_verified_report_keeps_every_rule() -> None:
    assert "fail" not in judged(report()).values()
    assert "inconclusive" not in judged(report()).values()
    assert judged(report())["C.4-verification-purpose"] == "pass"


def test_a_document_needs_a_signature_at_its_top_level() -> None:
    inside = report(signed(REPORT, location="(0040,A730)[1]", purposes=(VERIFICATION,)))
    found = differing(inside)
    assert {name for name, kind in found.items() if kind == "fail"} == {"C.4-top-level-signature"}
    assert {kind for name, kind in found.items() if "signs-" in name} == {"inconclusive"}
    top = signed(REPORT, purposes=(VERIFICATION,), covers_sequences=True)
    beside = report(top, signed(["(0008,1155)"], location="(0040,A730)[1]", uid="1.5"))
    assert differing(beside) == {}  # the purpose of a signature within is its own affair


def test_every_signature_has_a_purpose() -> None:
    assert differing(report(signed(REPORT, covers_sequences=True))) == {
        "C.4-purpose": "fail",
        "C.4-verification-purpose": "fail",
        "PS3.3-C.12.1.1.3-one-purpose": "not_applicable",
    }
    good = signed(REPORT, purposes=(VERIFICATION,), covers_sequences=True)
    bare = replace(good, purposes=(), number=2, uid="1.5")
    assert differing(report(good, bare)) == {"C.4-purpose": "fail"}
    creator = replace(bare, profiles=("C.1", "C.2"))
    assert differing(report(good, creator)) == {}  # the note of C.4: a Creator RSA signature may be beside it


@pytest.mark.parametrize(
    ("purpose", "expected"),
    [
        (VERIFICATION, "pass"),
        (AUTHOR, "fail"),
        (Code("5", "99LOCAL", "Verification Signature"), "fail"),
        (Code("5", "ASTM-sigpurpose", "in other words"), "pass"),
        (Code("", "", ""), "fail"),
    ],
)
def test_a_verified_document_has_the_purpose_of_verification(purpose: Code, expected: str) -> None:
    verified = report(signed(REPORT, purposes=(purpose,), covers_sequences=True))
    assert judged(verified)["C.4-verification-purpose"] == expected
    draft = report(signed(REPORT, purposes=(purpose,), covers_sequences=True), verified=False)
    assert judged(draft)["C.4-verification-purpose"] == "not_applicable"
    assert judged(draft)["C.4-purpose"] == "pass"


def test_no_more_than_one_verifying_observer() -> None:
    assert differing(with_document(verifying_observers=2)) == {"C.4-one-verifying-observer": "fail"}
    assert differing(with_document(verifying_observers=0)) == {}


def test_every_reference_holds_a_signature_or_a_mac() -> None:
    bare = EvidenceReference("(0040,A385)[1].(0008,1115)[1].(0008,1199)[2]", "1.2.3.10")
    found = verdicts([created(with_evidence(EVIDENCE, bare))], A4)["A.4-evidence-references"]
    assert found.kind.value == "fail"
    assert found.observed == ["sr.dcm: 1 of 2 references bare: (0040,A385)[1].(0008,1115)[1].(0008,1199)[2] (1.2.3.10)"]
    signature = replace(bare, signatures=1, standing=Standing.VALID)
    assert differing(with_evidence(EVIDENCE, signature)) == {}
    assert differing(with_evidence(replace(EVIDENCE, signatures=1))) == {}  # both
    none = judged(with_evidence())
    assert none["A.4-evidence-references"] == none[REFERENCE] == none["C.4-reference-mac-algorithm"] == "not_applicable"


def test_references_use_one_of_six_algorithms() -> None:
    for algorithm, expected in (("MD5", "pass"), ("SHA3_256", "fail"), ("", "fail")):
        other = with_evidence(replace(EVIDENCE, mac_algorithms=(algorithm,)))
        assert judged(other)["C.4-reference-mac-algorithm"] == expected
    assert judged(with_evidence(replace(EVIDENCE, mac_algorithms=())))["C.4-reference-mac-algorithm"] == "fail"
    by_signature = EvidenceReference(EVIDENCE.place, "1.2.3.9", signatures=1, standing=Standing.VALID)
    assert differing(with_evidence(by_signature)) == {"C.4-reference-mac-algorithm": "not_applicable"}


@pytest.mark.parametrize(
    ("standing", "code", "expected"),
    [
        (Standing.VALID, "", "pass"),
        (Standing.INVALID, "differs", "fail"),
        (Standing.INVALID, "no-such-signature", "fail"),
        (Standing.INVALID, "other-instance", "pass"),  # what was at hand was not what is referred to
        (Standing.UNKNOWN, "not-at-hand", "not_applicable"),
    ],
)
def test_a_referenced_mac_is_that_of_the_instance(standing: Standing, code: str, expected: str) -> None:
    reasons = (Reason(code, "something differs", EVIDENCE.place),) if code else ()
    result = with_evidence(replace(EVIDENCE, standing=standing, reasons=reasons))
    assert judged(result)[REFERENCE] == expected


def test_a_key_object_selection_is_a_document_without_a_verification() -> None:
    tags = [tag for tag in REPORT if tag not in {"(0040,A073)", "(0040,A493)", "(0040,A491)"}]
    selection = image(
        signed(tags, purposes=(AUTHOR,), covers_sequences=True),
        sop_class="1.2.840.10008.5.1.4.1.1.88.59",
        document=DocumentResult("kos", evidence=(EVIDENCE,)),
        present=tuple(each for each in report().present if each.tag in tags),
    )
    found = judged(selection)
    assert found["C.4-purpose"] == found["A.4-evidence-references"] == "pass"
    assert {name for name, kind in found.items() if kind in {"fail", "inconclusive"}} == set()
    assert found["C.4-verification-purpose"] == "not_applicable"


def test_objects_that_are_no_documents_do_not_count() -> None:
    assert differing(report(), image(signed(uid="1.77"))) == {}
