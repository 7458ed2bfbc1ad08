"""What C.2, C.3 and C.4 list is judged entry by entry, for the signature that comes next to the list."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.catalogue import load_catalogue
from reference_impl.signatures.profiles import PROFILES
from reference_impl.signatures.results import FileResult, PresentElement
from suites.signatures.coverage import signing_rules
from tests.unit.signature_judging import (
    AUTHOR,
    IMAGE,
    NOW,
    REPORT,
    SR,
    VERIFICATION,
    claim,
    created,
    elements,
    image,
    kinds,
    report,
    signed,
    verdicts,
)

C2, C3, C4 = claim("C.2"), claim("C.3"), claim("C.4")


def without(*tags: str) -> FileResult:
    return image(signed(IMAGE.keys() - set(tags)))


def listed(profile: str, *results: FileResult, also: tuple[str, ...] = ()) -> dict[str, str]:
    """The verdicts on the entries of the list."""
    claims = tuple(claim(other) for other in also)
    found = kinds(verdicts([created(*results)], claim(profile), claims))
    section = "C.4" if profile == "A.4" else profile
    return {name: kind for name, kind in found.items() if name.startswith(section) and "signs-" in name}


def failed(profile: str, *results: FileResult, also: tuple[str, ...] = ()) -> set[str]:
    found = listed(profile, *results, also=also)
    assert set(found.values()) <= {"pass", "fail", "not_applicable"}
    return {name.partition("signs-")[2] for name, kind in found.items() if kind == "fail"}


def test_every_rule_of_the_tables_has_its_requirement() -> None:
    cited = {rule.paragraph for _, rule in signing_rules().values()}
    rules = {rule.paragraph for profile in PROFILES.values() for rule in profile.rules if rule.kind != "declaration"}
    assert cited == rules
    for name, (profile, _) in signing_rules().items():
        assert name.startswith(f"{profile}-")


@pytest.mark.parametrize(
    ("missing", "c2", "c3"),
    [
        ("(0008,0016)", {"sop-class-and-instance-uids"}, {"sop-class-and-instance-uids"}),
        ("(0008,0018)", {"sop-class-and-instance-uids"}, {"sop-class-and-instance-uids"}),
        ("(0008,0012)", {"sop-creation-date-and-time"}, set()),
        ("(0020,000D)", {"study-and-series-uids"}, {"study-and-series-uids"}),
        ("(0008,0070)", {"general-equipment"}, set()),
        ("(7FE0,0010)", {"general-image-and-image-pixel"}, {"general-image-and-image-pixel"}),
        ("(0008,0008)", {"general-image-and-image-pixel"}, {"general-image-and-image-pixel"}),
        ("(0010,0020)", set(), set()),
    ],
)
def test_what_is_left_out_fails_its_entry_alone(missing: str, c2: set[str], c3: set[str]) -> None:
    """Image Type stands in many modules of the list; it is told under those that an object of its kind has."""
    assert failed("C.2", without(missing)) == c2
    assert failed("C.3", without(missing)) == c3


def test_uids_that_an_object_lacks_cannot_be_signed_and_are_asked_for() -> None:
    tags = {tag: vr for tag, vr in IMAGE.items() if tag != "(0020,000E)"}
    assert failed("C.2", image(signed(tags), present=elements(tags))) == {"study-and-series-uids"}


def test_what_never_may_be_signed_is_not_asked_for() -> None:
    present = (*elements(IMAGE), PresentElement("(0028,1199)", "UN", holds_unknown=True))
    assert failed("C.2", replace(image(), present=present)) == set()
    covering = image(signed(IMAGE, forbidden=("(0008,0070)",)))
    assert failed("C.2", covering) == {"general-equipment"}  # listed, but no part of any right MAC


def test_attributes_of_modules_that_the_object_has_not_count_under_c_2_alone() -> None:
    """The note of C.2; C.3 has none, so that there it is open."""
    volumetric = PresentElement("(0008,9206)", "CS")  # Volumetric Properties, of no module of a CT image
    result = replace(image(), present=(*elements(IMAGE), volumetric))
    assert failed("C.2", result) >= {"enhanced-ct-image", "enhanced-mr-image"}
    c3 = listed("C.3", result)
    assert c3["C.3-signs-enhanced-ct-image"] == "inconclusive"
    assert "fail" not in c3.values()
    both = image(signed({*IMAGE, "(0008,9206)"}), present=result.present)
    assert listed("C.3", both)["C.3-signs-enhanced-ct-image"] == "not_applicable"
    assert listed("C.2", both)["C.2-signs-enhanced-ct-image"] == "pass"


def test_icon_images_count_under_c_2() -> None:
    sequence = PresentElement("(0040,0555)", "SQ", nested=("(0088,0200)", "(0028,0010)"))
    result = replace(image(), present=(*elements(IMAGE), sequence))
    assert failed("C.2", result) == {"general-image-and-image-pixel"}
    assert failed("C.3", result) == set()


def test_the_signature_next_to_the_list_is_judged() -> None:
    small = signed({"(0008,0016)"}, number=1, uid="1.1")
    large = signed(IMAGE, number=2, uid="1.2")
    assert failed("C.2", image(small, large)) == set()
    split = image(small, signed(IMAGE.keys() - {"(0008,0016)"}, number=2, uid="1.2"))
    assert failed("C.2", split) == {"sop-class-and-instance-uids"}  # two that together cover it are not one
    inside = image(signed(IMAGE, location="(0040,0555)[1]"))
    found = verdicts([created(inside)], C2)["C.2-signs-study-and-series-uids"]
    assert found.kind.value == "inconclusive"
    assert "ct.dcm: there is no signature at the top level" in found.reason


def test_an_object_that_follows_another_claimed_profile_is_not_held_against_this_one() -> None:
    authorization = without("(0008,0070)", "(0008,0012)", "(0008,0013)")
    assert failed("C.2", authorization) == {"general-equipment", "sop-creation-date-and-time"}
    assert set(listed("C.2", authorization, also=("C.3",)).values()) == {"inconclusive"}
    assert failed("C.2", authorization, image(), also=("C.3",)) == set()
    assert failed("C.3", authorization, image(), also=("C.2",)) == set()


def test_a_verdict_names_objects_and_tags() -> None:
    found = verdicts([created(without("(0028,0010)", "(7FE0,0010)"))], C2)["C.2-signs-general-image-and-image-pixel"]
    assert found.observed == ["ct.dcm: not signed (0028,0010), (7FE0,0010)"]
    assert found.evidence == ("signer-0000",)
    passed = verdicts([created(image())], C2)["C.2-signs-general-image-and-image-pixel"]
    assert passed.observed == "none, of 1 examined"


# -- documents


def verified(*, number: int = 1, left_out: tuple[str, ...] = ()) -> FileResult:
    tags = REPORT.keys() - set(left_out)
    return report(signed(tags, purposes=(VERIFICATION,), number=number, covers_sequences=True))


@pytest.mark.parametrize(
    ("missing", "entries"),
    [
        ("(0008,0016)", {"sop-class-uid"}),
        ("(0008,0018)", {"sop-instance-uid"}),
        ("(0020,000D)", {"study-and-series-uids"}),
        ("(0008,0070)", {"general-equipment"}),
        ("(0040,A375)", {"current-evidence"}),
        ("(0040,A385)", {"other-evidence"}),
        ("(0040,A360)", {"predecessor-documents"}),
        ("(0040,A032)", {"observation-datetime", "sr-document-content"}),
        ("(0040,A730)", {"sr-document-content"}),
        ("(0040,A493)", {"verification-flag"}),
        ("(0040,A073)", {"verifying-observer", "verification-datetime"}),
        ("(0040,A491)", set()),
    ],
)
@pytest.mark.parametrize("profile", ["C.4", "A.4"])
def test_what_a_signature_of_a_document_leaves_out_fails_its_entry(
    profile: str, missing: str, entries: set[str]
) -> None:
    assert failed(profile, verified(left_out=(missing,))) == entries


def test_an_unverified_document_leaves_its_instance_uid_unsigned() -> None:
    tags = REPORT.keys() - {"(0008,0018)", "(0040,A493)", "(0040,A073)"}
    draft = report(signed(tags, purposes=(AUTHOR,)), verified=False)
    found = listed("C.4", draft)
    assert {name for name, kind in found.items() if kind == "not_applicable"} == {
        name for name in found if "verified-signs" in name
    }
    assert set(found.values()) == {"pass", "not_applicable"}


def test_the_verification_signature_is_the_one_that_covers_the_verification() -> None:
    author = signed(REPORT, purposes=(AUTHOR,), uid="1.1")
    short = signed({"(0008,0018)"}, purposes=(VERIFICATION,), number=2, uid="1.2")
    assert "current-evidence" in failed("C.4", report(author, short))
    complete = signed(REPORT, purposes=(VERIFICATION,), number=2, uid="1.2")
    few = signed(REPORT.keys() - {"(0008,0018)"}, purposes=(AUTHOR,), uid="1.1")
    assert failed("C.4", report(few, complete)) == set()


def test_without_a_signature_for_the_purpose_the_next_best_is_judged() -> None:
    wrong = report(signed(REPORT, purposes=(AUTHOR,)))
    assert failed("C.4", wrong) == set()
    assert kinds(verdicts([created(wrong)], C4))["C.4-verification-purpose"] == "fail"


def test_a_claim_for_documents_says_nothing_without_one() -> None:
    found = verdicts([created(image())], C4)
    own = {name: each for name, each in found.items() if name.startswith(("C.4-", "A.4-"))}
    assert {each.kind.value for each in own.values()} == {"inconclusive"}
    assert all("none of the 1 signed object" in each.reason for each in own.values())
    assert found["C.1-rsa"].kind.value == "pass"


def test_a_document_with_a_report_signature_is_not_held_against_c_2() -> None:
    document = verified(left_out=("(0008,0018)",))
    assert "sop-class-and-instance-uids" in failed("C.2", document)
    draft = report(signed(REPORT.keys() - {"(0008,0018)"}, purposes=(AUTHOR,)), verified=False)
    assert set(listed("C.2", draft, also=("C.4",)).values()) == {"inconclusive"}


def test_a_kind_of_object_that_no_table_knows_is_held_against_all() -> None:
    """A private SOP class has the modules that its attributes stand in, for all that is known."""
    private = replace(image(), sop_class="1.2.3.4")
    assert failed("C.2", private) == set()
    assert listed("C.2", private)["C.2-signs-enhanced-mr-image"] == "pass"  # Image Type
    assert NOW
    assert private.sop_class != SR
    assert {each.role for each in load_catalogue() if each.id in signing_rules()} == {"signature-creator"}
    assert C3.role == "signature-creator"
