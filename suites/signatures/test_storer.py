"""Storers of instances: PS3.15 A.2 and A.3, by what they were sent and what came back."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from harness import ClaimRecord, Difference, Endpoints, Missing, NotApplicable, Observations, expect, verifies
from suites.signatures.storer_view import IMPLICIT, STORE, InstanceStorer, SeenStored, covers, evidence_of
from suites.signatures.words import bounded, in_a_row, listed, told

FOLDER = "folder"
"""How it is told that objects were not sent, but looked at where they are kept."""
_OTHERS = ("value", "removed", "vr", "item-order", "items", "signature")


@pytest.fixture
def storer(observations: Observations, endpoints: Endpoints, claim: ClaimRecord) -> InstanceStorer:
    """The storer of the claim that is judged."""
    return InstanceStorer(observations, endpoints, claim)


@verifies("A.3-values-bit-for-bit")
def test_values_come_back_bit_for_bit(storer: InstanceStorer) -> None:
    """A.3: the value fields of all attributes are bit-for-bit duplicates of those received."""
    _expect_none(storer, "value", what="values that are not what was sent")


@verifies("A.3-item-order")
def test_items_keep_their_order(storer: InstanceStorer) -> None:
    """A.3: the order of items in a sequence is not changed."""
    _expect_none(storer, "item-order", what="sequences whose items came back in another order")


@verifies("A.3-keeps-data-elements")
def test_no_data_element_is_removed(storer: InstanceStorer) -> None:
    """A.3: no data element is removed; to lose an item is to lose what is in it."""
    _expect_none(storer, "removed", "items", what="data elements and items that did not come back")


@verifies("A.3-keeps-digital-signatures")
def test_no_signature_is_removed_or_changed(storer: InstanceStorer) -> None:
    """A.3: this includes any Digital Signatures received."""
    _expect_none(storer, "signature", what="signatures that did not come back as they were")


@verifies("A.3-additions-alter-no-signature")
def test_what_is_added_alters_no_signature(storer: InstanceStorer) -> None:
    """A.3: new data elements may be added that do not alter any existing Digital Signatures."""
    adding = [one for one in storer.returned if one.differences("added")]
    if not adding:
        storer.complete()
        raise NotApplicable(f"nothing was added to {len(storer.returned)} objects", evidence_of(storer.returned))
    alone = [one for one in adding if not one.differences(*_OTHERS)]
    if not alone:
        raise Missing(
            f"where something was added ({in_a_row(map(str, adding))}) something else was changed, too",
            "Mend what else is changed, and run again.",
            evidence_of(adding),
        )
    broken = [one for one in alone if one.lost()]
    expect(
        listed(f"{one}: {_places(one.differences('added'))}" for one in broken) or "none",
        evidence=evidence_of(broken or alone),
        what="additions after which a signature no longer holds",
    ).to_be("none")


@verifies("A.3-explicit-vr")
def test_explicit_vr_is_used(storer: InstanceStorer) -> None:
    """A.3: an explicit VR transfer syntax is utilized, for taking instances and for sending them on."""
    unable = [one for one in storer.shown if not one.taken and set(one.facts.contexts) == {IMPLICIT}]
    without = [one for one in storer.shown if one.implicit and one.facts.told_by != FOLDER]
    words = [f"{one}: accepted in implicit VR only" for one in unable]
    words += [f"{one}: came back in implicit VR" for one in without]
    if not words:
        kept = [one for one in storer.returned if one.implicit]
        storer.complete()
        if kept:
            raise Missing(
                f"in its folder the storer keeps {in_a_row(map(str, kept))} in implicit VR; how it sends is not seen",
                "Let the harness retrieve by C-GET, C-MOVE or WADO-RS, and run again.",
                evidence_of(kept),
            )
    expect(
        listed(words) or "none",
        evidence=evidence_of([*unable, *without] or storer.returned),
        what="objects without explicit VR",
    ).to_be("none")


@verifies("A.3-vr-unchanged")
def test_vrs_are_not_changed(storer: InstanceStorer) -> None:
    """A.3: the VR of no data element is changed."""
    without = [one for one in storer.returned if one.implicit]
    if without and not any(one.differences("vr") for one in storer.returned):
        raise Missing(
            f"{in_a_row(map(str, without))} came back in implicit VR, which says no VR",
            "Let the storer send explicit VR, and run again.",
            evidence_of(without),
        )
    _expect_none(storer, "vr", what="data elements with another VR")


@verifies("A.2-removes-invalidated-signatures")
def test_signatures_that_became_invalid_are_removed(storer: InstanceStorer) -> None:
    """A.2: signatures that have become invalid due to allowed variations are removed before sending."""

    def kept(one: SeenStored) -> str:
        back = {each.uid for each in one.now}
        number = sum(lost.uid in back for lost in one.lost())
        return f"{number} of {len(one.held)}" if number else ""

    _expect_of_those_that_lost(storer, kept, what="signatures that no longer hold and were sent")


@verifies("A.2-signs-anew-what-was-verified")
def test_new_signatures_cover_what_could_be_verified(storer: InstanceStorer) -> None:
    """A.2: new signatures cover the data elements that could be verified when the instance was received."""

    def uncovered(one: SeenStored) -> str:
        tags = _uncovered(one)
        if tags and one.unjudged:
            why = f"what the new signature of {one} is worth cannot be told: {told(one.unjudged[0].reasons)}"
            raise Missing(why, STORE, one.facts.exchanges)
        return in_a_row(tags)

    what = "data elements that a lost signature covered and no new one covers"
    _expect_of_those_that_lost(storer, uncovered, what=what)


@verifies("A.2-signs-nothing-unverified")
def test_a_signature_that_did_not_hold_is_not_replaced(storer: InstanceStorer) -> None:
    """A.2: what is signed anew is what the implementation was able to verify."""
    broken = [one for one in storer.shown if one.facts.unverified and (one.facts.retrieved or not one.taken)]
    if not broken:
        storer.complete()
        raise Missing("no object with a signature that does not hold was sent", STORE, evidence_of(storer.shown))
    refused = [one for one in broken if not one.facts.retrieved]
    if len(refused) == len(broken) and not any(one.taken and one.held for one in storer.shown):
        raise Missing("no signed object was taken, so that a refusal tells nothing", STORE, evidence_of(storer.shown))
    replaced = [one for one in broken if _replaced(one)]
    expect(
        listed(f"{one}: {bounded(one.facts.text)}" for one in replaced) or "none",
        evidence=evidence_of(replaced or broken),
        what="invalid signatures that gave way to valid ones",
    ).to_be("none")


def _replaced(one: SeenStored) -> bool:
    """Whether every signature that did not hold is gone, and new ones cover all that it listed."""
    sent = one.facts.before.signatures if one.facts.before else ()
    back = {each.uid for each in one.now}
    gone = [each for each in sent if each.uid not in back]
    return bool(gone) and all(covers(one.new, each.location, tag) for each in gone for tag in each.signed)


def _expect_of_those_that_lost(storer: InstanceStorer, wrong: Callable[[SeenStored], str], *, what: str) -> None:
    """Expect that nothing is wrong with any object of which a signature that held was lost.

    What is wrong anywhere fails; else what is not known anywhere is missing. Where none was lost, it does not apply.
    """
    losing: list[SeenStored] = []
    problems: list[tuple[SeenStored, str]] = []
    unknown: Missing | None = None
    for one in storer.returned:
        try:
            if one.lost():
                losing.append(one)
                problems += [(one, words)] if (words := wrong(one)) else []
        except Missing as missing:
            unknown = unknown or missing
    if not problems:
        if unknown is not None:
            raise unknown
        storer.complete()
        _nothing_lost(storer, losing)
    expect(
        listed(f"{one}: {words}" for one, words in problems) or f"none, of {len(losing)} objects that lost signatures",
        evidence=evidence_of([one for one, _ in problems] or losing),
        what=what,
    ).to_hold(not problems, expected="none")


def _nothing_lost(storer: InstanceStorer, losing: list[SeenStored]) -> None:
    """Raise `NotApplicable` where every signature that held still does, `Missing` where there was none."""
    returned = storer.returned
    if losing:
        return
    if not any(one.held for one in returned):
        raise Missing("no object with a signature that holds came back", STORE, evidence_of(returned))
    raise NotApplicable(
        f"every signature that held still does ({len(returned)} objects came back)", evidence_of(returned)
    )


def _uncovered(one: SeenStored) -> list[str]:
    """Elements that lost signatures covered, that are still there and that no new signature covers."""
    removed = {each.place for each in one.differences("removed")}
    return sorted(
        {
            f"{lost.location}.{tag}" if lost.location else tag
            for lost in one.lost()
            for tag in lost.signed
            if tag not in lost.absent
            and (f"{lost.location}.{tag}" if lost.location else tag) not in removed
            and not covers(one.new, lost.location, tag)
        }
    )


def _expect_none(storer: InstanceStorer, *kinds: str, what: str) -> None:
    """Expect that nothing that came back differs from what was sent in one of these ways."""
    returned = storer.returned
    differing = [one for one in returned if one.differences(*kinds)]
    if not differing:
        storer.complete()
    expect(
        listed(f"{one}: {_places(one.differences(*kinds))}" for one in differing) or storer.summary(),
        evidence=evidence_of(differing or returned),
        what=what,
    ).to_hold(not differing, expected="none")


def _places(differences: Iterable[Difference]) -> str:
    return in_a_row((f"{one.place} ({one.detail})" for one in differences), most=2)
