"""Each judgement of storers passes, fails, stays inconclusive or does not apply as it should."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from harness import Difference, StoredObject
from harness.catalogue import load_catalogue
from harness.judging import Observations
from harness.judging.expect import recording
from harness.judging.findings import Case, Finding, finding_of
from harness.judging.lookup import Endpoints
from harness.judging.outcomes import Outcome
from harness.observations import Observation
from harness.record.models import ClaimRecord, EndpointRecord
from reference_impl.signatures.results import FileResult, Reason, SignatureResult, Standing
from suites.signatures.storer_view import InstanceStorer, covers
from tests.unit.signature_judging import NOW, image, judgements, observed, signed, unobserved

ARCHIVE = EndpointRecord(name="archive", protocol="dicom", host="archive.test", port=104)
EXPLICIT, IMPLICIT, DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99"
ADDITIONS = "A.3-additions-alter-no-signature"
AS_IT_WAS = {
    "A.3-values-bit-for-bit": "pass",
    "A.3-item-order": "pass",
    "A.3-keeps-data-elements": "pass",
    "A.3-keeps-digital-signatures": "pass",
    ADDITIONS: "not_applicable",
    "A.3-explicit-vr": "pass",
    "A.3-vr-unchanged": "pass",
}
REMOVES, ANEW = "A.2-removes-invalidated-signatures", "A.2-signs-anew-what-was-verified"
UNVERIFIED = "A.2-signs-nothing-unverified"


def stored(name: str = "plain", *, kinds: Iterable[str] = (), **changes: Any) -> StoredObject:
    """An object that came back as it was, but for differences of these `kinds` and the `changes`."""
    facts: dict[str, Any] = {
        "case": name,
        "text": f"the object {name}",
        "store_status": 0,
        "taken": True,
        "stored_syntax": EXPLICIT,
        "returned_syntax": EXPLICIT,
        "contexts": (EXPLICIT, IMPLICIT),
        "differences": tuple(Difference(kind=kind, place="(0010,0010)", detail="x") for kind in kinds),
        "before": image(),
        "after": image(),
        "retrieved": True,
        "told_by": "C-GET",
        "exchanges": (f"archive-{name}",),
    }
    return StoredObject.model_validate(facts | changes)


def broken(**changes: Any) -> StoredObject:
    """An object whose signature does not hold, and came back as it was."""
    bad = image(signed(mac=Standing.INVALID, standing=Standing.INVALID))
    facts: dict[str, Any] = {"unverified": True, "before": bad, "after": bad} | changes
    return stored("broken", **facts)


def refused(name: str, *contexts: str, **changes: Any) -> StoredObject:
    """An object that was not taken."""
    nothing: dict[str, Any] = {"store_status": None, "taken": False, "retrieved": False, "before": None, "after": None}
    return stored(name, contexts=contexts, returned_syntax="", detail="not accepted", **nothing, **changes)


def gone(name: str) -> StoredObject:
    """An object that was taken and did not come back."""
    return stored(name, retrieved=False, returned_syntax="", detail="nothing came", before=None, after=None)


def observations(*objects: StoredObject) -> list[Observation]:
    return [observed(one, ARCHIVE, f"store/{one.case}") for one in objects]


def verdicts(given: Iterable[Observation], profile: str) -> dict[str, Finding]:
    claim = ClaimRecord(profile=profile, edition="2026c", role="instance-storer", endpoint=ARCHIVE.name)
    found = {}
    given = list(given)
    for requirement in load_catalogue().select(profile, "2026c", "instance-storer", "dicom"):
        if requirement.judged != "automatically":
            continue
        lookup = Observations.of(given, NOW)
        case = Case(claim, requirement, Endpoints(ARCHIVE))
        (function,) = judgements()[requirement.id]
        raised: Outcome | None = None
        with recording() as ledger:
            try:
                function(storer=InstanceStorer(lookup, case.endpoints, claim))
            except Outcome as outcome:
                raised = outcome
        found[requirement.id] = finding_of(case, raised, ledger, lookup.consulted)
    return found


def kinds(given: Iterable[Observation], profile: str = "A.3") -> dict[str, str]:
    return {name: one.kind.value for name, one in verdicts(given, profile).items()}


def test_what_came_back_as_it_was_passes() -> None:
    assert kinds(observations(stored(), stored("deflated"))) == AS_IT_WAS


@pytest.mark.parametrize(
    ("kind", "requirement"),
    [
        ("value", "A.3-values-bit-for-bit"),
        ("item-order", "A.3-item-order"),
        ("removed", "A.3-keeps-data-elements"),
        ("items", "A.3-keeps-data-elements"),
        ("signature", "A.3-keeps-digital-signatures"),
        ("vr", "A.3-vr-unchanged"),
    ],
)
def test_each_kind_of_difference_fails_one_requirement(kind: str, requirement: str) -> None:
    found = verdicts(observations(stored(), stored("other", kinds=[kind])), "A.3")
    assert {name: one.kind.value for name, one in found.items()} == AS_IT_WAS | {requirement: "fail"}
    assert "(0010,0010)" in found[requirement].reason
    assert found[requirement].evidence == ("archive-other",)
    assert found[requirement].remedy


def test_another_transfer_syntax_with_vrs_is_no_failure() -> None:
    inflated = stored("deflated", kinds=["transfer-syntax"], stored_syntax=DEFLATED)
    assert kinds(observations(inflated)) == AS_IT_WAS


@pytest.mark.parametrize("after", [image(), None])
def test_additions_are_judged_by_the_signatures(after: FileResult | None) -> None:
    lost = image(signed(mac=Standing.INVALID, standing=Standing.INVALID))
    added = stored(kinds=["added"], after=after or lost)
    assert kinds(observations(added)) == AS_IT_WAS | {ADDITIONS: "pass" if after else "fail"}


def test_additions_beside_other_changes_are_left_open() -> None:
    lost = image(signed(mac=Standing.INVALID, standing=Standing.INVALID))
    found = kinds(observations(stored(kinds=["added", "value"], after=lost)))
    assert found == AS_IT_WAS | {ADDITIONS: "inconclusive", "A.3-values-bit-for-bit": "fail"}


def test_what_is_not_taken_breaks_no_rule() -> None:
    found = verdicts(observations(stored(), refused("rle", EXPLICIT, IMPLICIT)), "A.3")
    assert {name: one.kind.value for name, one in found.items()} == AS_IT_WAS
    assert "not taken: rle" in str(found["A.3-item-order"].observed)


def test_who_takes_implicit_vr_alone_fails() -> None:
    found = kinds(observations(refused("plain", IMPLICIT), refused("rle", IMPLICIT)))
    assert found.pop("A.3-explicit-vr") == "fail"
    assert set(found.values()) == {"inconclusive"}


def test_what_comes_back_without_vrs_fails_and_leaves_vrs_open() -> None:
    found = kinds(observations(stored("rle"), stored(returned_syntax=IMPLICIT, kinds=["transfer-syntax"])))
    assert found == AS_IT_WAS | {"A.3-explicit-vr": "fail", "A.3-vr-unchanged": "inconclusive"}


def test_what_is_kept_without_vrs_need_not_be_sent_so() -> None:
    kept = stored(returned_syntax=IMPLICIT, told_by="folder", kinds=["transfer-syntax"])
    found = kinds(observations(stored("rle", told_by="folder"), kept))
    assert found == AS_IT_WAS | {"A.3-explicit-vr": "inconclusive", "A.3-vr-unchanged": "inconclusive"}


def test_what_was_taken_and_does_not_come_back_leaves_open() -> None:
    found = verdicts(observations(stored(), gone("rle")), "A.3")
    assert {one.kind.value for one in found.values()} == {"inconclusive"}
    assert "rle was taken, and did not come back: nothing came" in found["A.3-item-order"].reason
    changed = kinds(observations(stored(kinds=["value"]), gone("rle")))
    assert changed["A.3-values-bit-for-bit"] == "fail"


@pytest.mark.parametrize("profile", ["A.2", "A.3"])
def test_nothing_observed_leaves_everything_open(profile: str) -> None:
    assert set(kinds([], profile).values()) == {"inconclusive"}
    assert set(kinds(observations(gone("plain")), profile).values()) == {"inconclusive"}
    given = [unobserved(ARCHIVE, StoredObject, "store/plain", "The archive cannot be reached.")]
    found = verdicts(given, profile)
    assert {one.reason for one in found.values()} == {"The archive cannot be reached."}


# -- A.2 -------------------------------------------------------------------------------------------------------------

LOST = signed(mac=Standing.INVALID, standing=Standing.INVALID)
NEW = signed(uid="1.2.3.99")


def a2(*objects: StoredObject) -> tuple[str, str, str]:
    found = kinds(observations(*objects), "A.2")
    return found[REMOVES], found[ANEW], found[UNVERIFIED]


def test_where_nothing_was_lost_there_is_nothing_to_renew() -> None:
    assert a2(stored(), broken()) == ("not_applicable", "not_applicable", "pass")


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ((NEW,), ("pass", "pass")),
        ((LOST, NEW), ("fail", "pass")),
        ((LOST,), ("fail", "fail")),
        ((), ("pass", "fail")),
        ((signed(["(0008,0018)"], uid="1.2.3.99"),), ("pass", "fail")),
        ((signed(uid="1.2.3.99", mac=Standing.INVALID),), ("pass", "fail")),
        ((signed(["(0008,0018)"], uid="1.9"), signed(uid="1.8")), ("pass", "pass")),
    ],
    ids=["renewed", "kept beside", "kept", "removed alone", "less", "invalid", "by two"],
)
def test_lost_signatures_are_removed_and_renewed(after: tuple[SignatureResult, ...], expected: tuple[str, str]) -> None:
    came = FileResult(path="x", standing=Standing.VALID, signatures=after)
    assert a2(stored("padding", kinds=["value"], after=came), broken())[:2] == expected


def test_new_signatures_that_cannot_be_judged_leave_open() -> None:
    new = signed(uid="1.2.3.99", mac=Standing.UNKNOWN, reasons=(Reason("scheme", "its padding is another one"),))
    came = FileResult(path="x", standing=Standing.UNKNOWN, signatures=(new,))
    found = verdicts(observations(stored(after=came), broken()), "A.2")
    assert found[REMOVES].kind.value == "pass"
    assert found[ANEW].kind.value == "inconclusive"
    assert "its padding is another one" in found[ANEW].reason


def test_elements_that_are_gone_need_no_signature() -> None:
    came = FileResult(path="x", standing=Standing.VALID, signatures=(signed(["(0008,0018)"], uid="1.9"),))
    before = image(signed(["(0008,0018)", "(0010,0010)"]))
    assert a2(stored(kinds=["removed"], before=before, after=came), broken())[1] == "pass"


def test_what_cannot_be_told_of_signatures_leaves_open() -> None:
    unknown = image(signed(mac=Standing.UNKNOWN, reasons=(Reason("implicit", "there are no VRs"),)))
    found = verdicts(observations(stored(after=unknown), broken()), "A.2")
    assert found[REMOVES].kind.value == found[ANEW].kind.value == "inconclusive"
    assert "there are no VRs" in found[REMOVES].reason


def test_what_is_wrong_counts_before_what_is_not_known() -> None:
    unknown = stored("utf-8", after=image(signed(mac=Standing.UNKNOWN)))
    kept = stored("padding", kinds=["value"], after=image(LOST))
    assert a2(kept, unknown, broken())[:2] == ("fail", "fail")
    renewed = stored("padding", after=FileResult(path="x", standing=Standing.VALID, signatures=(NEW,)))
    assert a2(renewed, unknown, broken())[:2] == ("inconclusive", "inconclusive")
    assert a2(renewed, gone("rle"), broken())[:2] == ("inconclusive", "inconclusive")


REPLACED = image(signed(uid="1.2.3.99"))
PARTLY = image(signed(["(0008,0018)"], uid="1.2.3.99"))


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (broken(), "pass"),
        (broken(after=FileResult(path="x", standing=Standing.UNSIGNED)), "pass"),
        (broken(after=REPLACED), "fail"),
        (broken(after=PARTLY), "pass"),
        (broken(after=image(LOST, signed(uid="1.2.3.99"))), "pass"),
        (refused("broken", EXPLICIT, unverified=True), "pass"),
        (gone("broken").model_copy(update={"unverified": True}), "inconclusive"),
    ],
    ids=["kept", "removed", "replaced", "replaced in part", "signed beside", "refused", "not given back"],
)
def test_a_signature_that_did_not_hold_is_not_replaced(one: StoredObject, expected: str) -> None:
    assert a2(stored(), one)[2] == expected


def test_who_refuses_everything_tells_nothing() -> None:
    assert a2(refused("plain"), refused("broken", unverified=True))[2] == "inconclusive"


@pytest.mark.parametrize(
    ("location", "tag", "covered"),
    [
        ("", "(0008,2112)", True),
        ("", "(0010,0010)", False),
        ("(0008,2112)[2]", "(0008,1155)", True),
        ("(0008,2112)[2].(0040,A170)[1]", "(0008,0100)", True),
        ("(0040,A730)[1]", "(0008,1155)", False),
    ],
)
def test_a_sequence_that_is_covered_covers_what_is_in_it(location: str, tag: str, covered: bool) -> None:
    assert covers([signed(["(0008,2112)"])], location, tag) is covered


def test_a_signature_of_an_item_covers_nothing_elsewhere() -> None:
    inner = signed(["(0008,1155)"], location="(0008,2112)[2]")
    assert covers([inner], "(0008,2112)[2]", "(0008,1155)")
    assert not covers([inner], "(0008,2112)[1]", "(0008,1155)")
    assert not covers([inner], "", "(0008,1155)")
