"""Sign, encode anew within the rules, verify; change one covered octet, and it is found out."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reference_impl.signatures.creator import SigningOrder, sign_file
from reference_impl.signatures.elements import Element, Level
from reference_impl.signatures.reader import DicomFile, open_dicom
from reference_impl.signatures.results import FileResult, Standing
from reference_impl.signatures.verifier import Policy, verify_file
from tests.unit.signature_material import El, Encoder, as_file, forms, kept_out, trees
from tests.unit.signing_material import signer

POLICY = Policy(integrity_only=True)
MACROS = {0x4FFE0001, 0xFFFAFFFA}


def as_due(element: El) -> El | None:
    """The element as a conforming object has it: no macro that is none, encapsulated data of VR OB."""
    if element.tag in MACROS:
        return None
    if element.fragments is not None:
        return El(element.tag, "OB", fragments=element.fragments)
    if element.items is not None:
        return El(element.tag, element.vr, items=tuple(all_due(item) for item in element.items))
    return element


def all_due(elements: tuple[El, ...]) -> tuple[El, ...]:
    return tuple(due for each in elements if (due := as_due(each)) is not None)


def tree_of(file: DicomFile, level: Level) -> tuple[El, ...]:
    return tuple(_element(file, each) for each in level.elements)


def _element(file: DicomFile, element: Element) -> El:
    if element.items is not None:
        return El(element.tag, element.vr, items=tuple(tree_of(file, item) for item in element.items))
    if element.fragments is not None:
        return El(element.tag, element.vr, fragments=tuple(file.read(*each) for each in element.fragments))
    return El(element.tag, element.vr, file.read(element.value, element.length or 0))


def places(elements: tuple[El, ...], location: str = "") -> list[str]:
    """Every level that holds something to sign and is no part of what reads UN."""
    found = [location] if any(not kept_out(each) for each in elements) else []
    for each in elements:
        if each.vr == "SQ":
            tag = f"({each.tag >> 16:04X},{each.tag & 0xFFFF:04X})"
            for number, item in enumerate(each.items or (), 1):
                found += places(item, f"{location}.{tag}[{number}]" if location else f"{tag}[{number}]")
    return found


def standings(result: FileResult) -> set[Standing]:
    assert not result.problems, result.problems
    return {each.standing for each in result.signatures}


@settings(max_examples=80, deadline=None)
@given(tree=trees.map(all_due), choices=forms, others=forms, data=st.data())
def test_signatures_at_any_levels_bear_another_encoding(
    tmp_path_factory: pytest.TempPathFactory,
    tree: tuple[El, ...],
    choices: list[bool],
    others: list[bool],
    data: st.DataObject,
) -> None:
    known = places(tree)
    assume(known)
    chosen = data.draw(st.lists(st.sampled_from(known), min_size=1, max_size=3))
    folder = tmp_path_factory.mktemp("trip")
    source, first, second = folder / "in.dcm", folder / "1.dcm", folder / "2.dcm"
    source.write_bytes(as_file(Encoder(choices).data_set(tree)))
    sign_file(source, first, [SigningOrder(location=place) for place in chosen[:2]], signer())
    sign_file(first, second, [SigningOrder(location=place) for place in chosen[2:] or chosen], signer())
    result = verify_file(second, POLICY)
    assert standings(result) == {Standing.VALID}, result.signatures
    assert len(result.signatures) == len(chosen[:2]) + len(chosen[2:] or chosen)
    assert len({each.mac_id for each in result.signatures}) == len(result.signatures)
    with open_dicom(second) as file:
        again = Encoder(others).data_set(tree_of(file, file.root))
    second.write_bytes(as_file(again))
    assert standings(verify_file(second, POLICY)) == {Standing.VALID}


@settings(max_examples=120, deadline=None)
@given(tree=trees.map(all_due), choices=forms, data=st.data())
def test_any_changed_octet_of_a_covered_element_is_found_out(
    tmp_path_factory: pytest.TempPathFactory, tree: tuple[El, ...], choices: list[bool], data: st.DataObject
) -> None:
    covered = [each for each in tree if not kept_out(each)]
    assume(covered)
    folder = tmp_path_factory.mktemp("octet")
    source, target = folder / "in.dcm", folder / "out.dcm"
    source.write_bytes(as_file(Encoder(choices).data_set(tree)))
    sign_file(source, target, [SigningOrder()], signer())
    with open_dicom(target) as file:
        values = [
            each
            for each in file.root.elements
            if any(each.tag == one.tag for one in covered) and each.length and each.vr != "SQ"
        ]
        assume(values)
        element = data.draw(st.sampled_from(values))
        offset = data.draw(st.integers(element.value, element.end - 1))
    octets = bytearray(target.read_bytes())
    octets[offset] ^= data.draw(st.integers(1, 255))
    target.write_bytes(octets)
    assert Standing.VALID not in standings(verify_file(target, POLICY))
