"""Creators: PS3.3 C.12.1.1.3 and C.12.1.1.3.1.1, the two sequences: their items, their encoding, what is listed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from harness import Missing, NotApplicable, verifies
from reference_impl.signatures.results import Reason
from suites.signatures.test_creator_base import known
from suites.signatures.view import SeenObject, SeenSignature, SignatureCreator, expect_of_each
from suites.signatures.words import bounded, coded, counted, in_a_row, told

pytest_plugins = ("suites.signatures.fixtures",)

ABSENT = frozenset({"missing", "empty", "no-items"})
MISENCODED = frozenset({"vr", "length", "multiplicity", "value", "duplicate"})
PURPOSE = "(0400,0401)"
TIMESTAMP_TYPE = "(0400,0305)"
NOT_EXPLICIT_LITTLE_ENDIAN = {
    "1.2.840.10008.1.2": "Implicit VR Little Endian",
    "1.2.840.10008.1.2.2": "Explicit VR Big Endian",
    "1.2.840.113619.5.2": "GE Private Implicit VR Big Endian",
}
STANDARD = "1.2.840.10008."
_WITH_OFFSET = re.compile(r"\d{10}(?:\d{2}){0,2}(?:\.\d{1,6})?[+-]\d{4}")
_LENGTH_TO_END = "(0008,0001)"
_PADDING = frozenset({"(FFFC,FFFC)", "(FFFE,E00D)"})


@verifies("PS3.3-C.12.1.1.3-required-attributes")
def test_both_sequences_hold_all_that_they_have_to(creator: SignatureCreator) -> None:
    """Table C.12-6: attributes of type 1 are there and have a value."""
    expect_of_each(
        creator,
        creator.objects,
        lambda seen: complaint(faults(seen, ABSENT, but=(TIMESTAMP_TYPE, PURPOSE))),
        what="objects whose sequences lack something",
        expected="every required attribute in each item of both sequences",
    )


@verifies("PS3.3-C.12.1.1.3-attribute-encoding")
def test_both_sequences_are_encoded_as_the_dictionary_says(creator: SignatureCreator) -> None:
    """Table C.12-6, PS3.6: value representation, number of values, values that the VR allows."""
    expect_of_each(
        creator,
        creator.objects,
        lambda seen: complaint(faults(seen, MISENCODED, but=(PURPOSE,))),
        what="objects whose sequences are encoded otherwise",
        expected="the VR and the number of values of PS3.6, and values that the VR allows",
    )


@verifies("PS3.3-C.12.1.1.3-mac-id-unique")
def test_mac_id_numbers_are_unique_in_the_object(creator: SignatureCreator) -> None:
    """Table C.12-6: unique within this SOP instance, all its data sets taken together."""

    def wrong(seen: SeenObject) -> str:
        twice = [number for number, times in Counter(seen.result.mac_ids).items() if times > 1]
        return f"several items with MAC ID Number {in_a_row(map(str, twice))}" if twice else ""

    expect_of_each(
        creator,
        creator.objects,
        wrong,
        what="objects that use a MAC ID Number twice",
        expected="a MAC ID Number of its own for each MAC Parameters item of the object",
    )


@verifies("PS3.3-C.12.1.1.3-mac-id-reference")
def test_each_signature_refers_to_one_mac_parameters_item(creator: SignatureCreator) -> None:
    """Table C.12-6: the number identifies the item that was used."""

    def wrong(seen: SeenSignature) -> str:
        items = seen.facts.mac_id_items
        if items == 1 or (items > 1 and seen.facts.mac_id is not None):
            return ""  # that several items have the number is another matter
        number = "no MAC ID Number" if seen.facts.mac_id is None else f"MAC ID Number {seen.facts.mac_id}"
        return f"{number}, which no item of its data set has"

    expect_of_each(
        creator,
        creator.signatures,
        wrong,
        what="signatures that refer to no item",
        expected="the MAC ID Number of an item in the same data set",
    )


@verifies("PS3.3-C.12.1.1.3-mac-transfer-syntax")
def test_the_mac_is_made_in_an_explicit_vr_little_endian_syntax(creator: SignatureCreator) -> None:
    """Table C.12-6: only transfer syntaxes with explicit VR and little endian encoding."""

    def wrong(seen: SeenSignature) -> str:
        syntax = seen.facts.transfer_syntax
        if not syntax:
            raise Missing("MAC Calculation Transfer Syntax UID is not told")
        if syntax in NOT_EXPLICIT_LITTLE_ENDIAN:
            return f"{NOT_EXPLICIT_LITTLE_ENDIAN[syntax]} ({syntax})"
        if not syntax.startswith(STANDARD):
            raise Missing(f"how the private transfer syntax {bounded(syntax)} encodes data is not known")
        return ""

    expect_of_each(
        creator,
        known(creator),
        wrong,
        what="MACs in another encoding",
        expected="a transfer syntax with explicit VR and little endian encoding",
    )


@verifies("PS3.3-C.12.1.1.3-signature-uid-unique")
def test_every_signature_has_a_uid_of_its_own(creator: SignatureCreator) -> None:
    """Table C.12-6: a UID that identifies this signature. The same object met twice is one object."""
    holders: dict[str, set[tuple[str, str, int]]] = {}
    for each in creator.signatures:
        instance = each.object.result.sop_instance or str(each.object)
        holders.setdefault(each.facts.uid, set()).add((instance, each.facts.location, each.facts.number))

    def wrong(seen: SeenSignature) -> str:
        uid = seen.facts.uid
        if not uid:
            raise Missing("Digital Signature UID is not told")
        others = len(holders[uid]) - 1
        return f"{bounded(uid)}, which {counted(others, 'other signature')} bears, too" if others else ""

    expect_of_each(
        creator,
        creator.signatures,
        wrong,
        what="signatures with the UID of another",
        expected="a Digital Signature UID of its own",
    )


@verifies("PS3.3-C.12.1.1.3-datetime-offset")
def test_date_and_time_bear_an_offset(creator: SignatureCreator) -> None:
    """Table C.12-6: date, time, and the offset from Coordinated Universal Time."""

    def wrong(seen: SeenSignature) -> str:
        stated = seen.facts.signed_at.strip()
        return "" if _WITH_OFFSET.fullmatch(stated) else f"Digital Signature DateTime {bounded(stated) or 'not told'}"

    expect_of_each(
        creator,
        creator.signatures,
        wrong,
        what="signatures without a date, a time or an offset",
        expected="date, time and offset from UTC",
    )


@verifies("PS3.3-C.12.1.1.3-timestamp-type-present")
def test_a_certified_timestamp_tells_its_type(creator: SignatureCreator) -> None:
    """Table C.12-6: Certified Timestamp Type is required if there is a Certified Timestamp."""

    def wrong(seen: SeenSignature) -> str:
        if seen.facts.timestamp is None:
            raise NotApplicable("no certified timestamp")
        return "" if seen.facts.timestamp.kind else "a Certified Timestamp without a type"

    expect_of_each(
        creator,
        creator.signatures,
        wrong,
        what="timestamps without a type",
        expected="a Certified Timestamp Type beside each Certified Timestamp",
        concerned="a certified timestamp",
    )


@verifies("PS3.3-C.12.1.1.3-one-purpose")
def test_a_signature_has_one_purpose(creator: SignatureCreator) -> None:
    """Table C.12-6: only a single item in the Digital Signature Purpose Code Sequence."""

    def wrong(seen: SeenSignature) -> str:
        purposes = seen.facts.purposes
        against = [each for each in seen.facts.encoding if each.place.endswith(PURPOSE)]
        if not purposes and not against:
            raise NotApplicable("no purpose")
        if len(purposes) > 1:
            return f"{len(purposes)} purposes: {in_a_row(map(coded, purposes))}"
        return told(against) if against else ""

    expect_of_each(
        creator,
        creator.signatures,
        wrong,
        what="purposes that are not one",
        expected="a single item",
        concerned="a signature with a purpose",
    )


@verifies("PS3.3-C.12.1.1.3.1.1-listed-elements-present")
def test_only_elements_of_the_same_data_set_are_listed(creator: SignatureCreator) -> None:
    """C.12.1.1.3.1.1: the tags are those of data elements at the same level."""
    expect_of_each(
        creator,
        known(creator),
        lambda seen: f"lists {in_a_row(seen.facts.absent)}, which it has not" if seen.facts.absent else "",
        what="lists of elements that are not there",
        expected="tags of elements of the same data set alone",
    )


@verifies("PS3.3-C.12.1.1.3.1.1-listed-order")
def test_the_tags_are_listed_in_the_order_of_the_data_set(creator: SignatureCreator) -> None:
    """C.12.1.1.3.1.1: in the order in which they appear within the data set."""

    def wrong(seen: SeenSignature) -> str:
        if seen.facts.in_order:
            return ""
        twice = [tag for tag, times in Counter(seen.facts.signed).items() if times > 1]
        return f"lists {in_a_row(twice)} more than once" if twice else "lists tags in another order"

    expect_of_each(
        creator,
        known(creator),
        wrong,
        what="lists in another order",
        expected="each tag once, in the order of the data set",
    )


def listed_none(creator: SignatureCreator, of_kind: Callable[[str], bool], what: str, expected: str) -> None:
    """No tag of the kind is listed among those that never may be."""

    def wrong(seen: SeenSignature) -> str:
        tags = [tag for tag in seen.facts.forbidden if of_kind(tag)]
        return f"lists {in_a_row(tags)}" if tags else ""

    expect_of_each(creator, known(creator), wrong, what=what, expected=expected)


def is_length(tag: str) -> bool:
    """Length to End and group lengths, those of groups that may not be listed at all excepted."""
    return (tag == _LENGTH_TO_END or tag.endswith(",0000)")) and not is_low(tag) and not is_of_macro(tag)


def is_low(tag: str) -> bool:
    """Groups below 0008."""
    return tag < "(0008"


def is_of_macro(tag: str) -> bool:
    """The signatures and their parameters."""
    return tag.startswith("(FFFA,") or tag == "(4FFE,0001)"


def is_padding(tag: str) -> bool:
    """Trailing padding and item delimiters."""
    return tag in _PADDING


@verifies("PS3.3-C.12.1.1.3.1.1-no-lengths-listed")
def test_no_lengths_are_listed(creator: SignatureCreator) -> None:
    """C.12.1.1.3.1.1: neither Length to End nor group lengths."""
    listed_none(creator, is_length, "lists with lengths", "neither (0008,0001) nor an element number 0000")


@verifies("PS3.3-C.12.1.1.3.1.1-no-low-groups-listed")
def test_no_element_of_a_group_below_0008_is_listed(creator: SignatureCreator) -> None:
    """C.12.1.1.3.1.1: no group number below 0008."""
    listed_none(creator, is_low, "lists with groups below 0008", "groups from 0008 on")


@verifies("PS3.3-C.12.1.1.3.1.1-no-signature-macro-listed")
def test_the_signatures_themselves_are_not_listed(creator: SignatureCreator) -> None:
    """C.12.1.1.3.1.1: neither MAC Parameters Sequence nor group FFFA."""
    listed_none(creator, is_of_macro, "lists with signatures", "neither (4FFE,0001) nor group FFFA")


@verifies("PS3.3-C.12.1.1.3.1.1-no-padding-listed")
def test_neither_padding_nor_item_delimiters_are_listed(creator: SignatureCreator) -> None:
    """C.12.1.1.3.1.1: neither Data Set Trailing Padding nor Item Delimitation Item."""
    listed_none(creator, is_padding, "lists with padding or delimiters", "neither (FFFC,FFFC) nor (FFFE,E00D)")


@verifies("PS3.3-C.12.1.1.3.1.1-no-unknown-vr-listed")
def test_no_element_of_unknown_vr_is_listed(creator: SignatureCreator) -> None:
    """C.12.1.1.3.1.1: no VR UN, no sequence that holds one: what is left of what never may be listed."""
    kinds = (is_length, is_low, is_of_macro, is_padding)
    listed_none(
        creator,
        lambda tag: not any(of_kind(tag) for of_kind in kinds),
        "lists with elements of unknown VR",
        "neither elements of VR UN nor sequences that hold one",
    )


def faults(seen: SeenObject, codes: frozenset[str], but: tuple[str, ...]) -> tuple[Reason, ...]:
    """What is wrong with the sequences of an object, by kind of fault; `but` are attributes that others judge."""
    of_items = (reason for each in seen.signatures for reason in each.facts.encoding)
    found = (*seen.result.problems, *of_items)
    return tuple(dict.fromkeys(each for each in found if each.code in codes and not each.place.endswith(but)))


def complaint(reasons: tuple[Reason, ...]) -> str:
    """The reasons in words, empty where there is none."""
    return told(reasons) if reasons else ""
