"""Signed, encoded anew within the rules, verified; and signed, changed where it is covered, not valid any more."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from fixtures.instances import INSTANCES, write_instance
from fixtures.pki.pki import Pki
from fixtures.signatures.bench import signer_of
from fixtures.signatures.tree import Item, Node, Tree, each, encode, flip, insert
from reference_impl.signatures.creator import SigningOrder, sign_file
from reference_impl.signatures.deviations import Deviations
from reference_impl.signatures.keys import Signer
from reference_impl.signatures.mac import digest, mac_parts, signable
from reference_impl.signatures.reader import open_dicom
from reference_impl.signatures.results import Standing
from reference_impl.signatures.verifier import Policy, verify_file
from tests.unit.signature_material import El, Encoder, as_file, forms, holds_unknown, trees

_MACRO = frozenset({0x4FFE0001, 0xFFFAFFFA})
_SETTINGS = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
_INTEGRITY = Policy(integrity_only=True)


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return signer_of(Pki.create(tmp_path_factory.mktemp("pki")).issue("signer"))


def _signed(elements: tuple[El, ...], signer: Signer, folder: Path) -> Tree:
    assume(not any(_holds_macro(element) for element in elements))
    uid = El(0x00080018, "UI", b"1.2.3.4\0")
    whole = sorted((uid, *(e for e in elements if e.tag != uid.tag)), key=lambda e: e.tag)
    source, target = folder / "source.dcm", folder / "target.dcm"
    source.write_bytes(as_file(Encoder().data_set(whole)))
    sign_file(source, target, [SigningOrder()], signer, Deviations(unchecked=True))
    return Tree.load(target)


def _holds_macro(element: El) -> bool:
    return element.tag in _MACRO or any(_holds_macro(child) for item in element.items or () for child in item)


def _standing(tree: Tree, folder: Path) -> Standing:
    path = folder / "changed.dcm"
    path.write_bytes(tree.encoded())
    return verify_file(path, _INTEGRITY).standing


@_SETTINGS
@given(trees, forms, st.booleans())
def test_what_is_encoded_anew_stays_valid(
    signer: Signer, tmp_path: Path, elements: tuple[El, ...], choices: list[bool], lengths: bool
) -> None:
    tree = _signed(elements, signer, tmp_path)
    left = iter(choices * 500)

    def reform(node: Node) -> None:
        if node.items is not None and node.vr == "SQ":
            node.undefined = next(left)
            for item in node.items:
                item.undefined = next(left)

    each(tree.nodes, reform)
    if lengths:
        _add_group_lengths(tree.nodes)
    assert _standing(tree, tmp_path) is Standing.VALID


def _add_group_lengths(nodes: list[Node]) -> None:
    present = {node.tag for node in nodes}
    for item in (item for node in nodes if node.vr == "SQ" for item in node.items or ()):
        _add_group_lengths(item.nodes)
    for group in sorted({node.tag >> 16 for node in nodes}):
        if group << 16 not in present:
            length = len(encode(node for node in nodes if node.tag >> 16 == group))
            insert(nodes, Node(group << 16, "UL", length.to_bytes(4, "little")))


@_SETTINGS
@given(trees, st.data())
def test_what_is_changed_where_it_is_covered_is_not_valid(
    signer: Signer, tmp_path: Path, elements: tuple[El, ...], data: st.DataObject
) -> None:
    tree = _signed(elements, signer, tmp_path)
    with open_dicom(io.BytesIO(tree.encoded())) as file:
        covered = frozenset(signable(file.root))
    leaves = [leaf for node in tree.nodes if node.tag in covered for leaf in _leaves(node)]
    leaf = data.draw(st.sampled_from(leaves))
    index, mask = data.draw(st.integers(0, len(leaf.value) - 1)), 1 << data.draw(st.integers(0, 7))
    leaf.value = flip(leaf.value, index, mask)
    assert _standing(tree, tmp_path) is Standing.INVALID


@_SETTINGS
@given(trees, st.data())
def test_an_element_put_into_a_covered_sequence_is_noticed(
    signer: Signer, tmp_path: Path, elements: tuple[El, ...], data: st.DataObject
) -> None:
    known = tuple(e for e in elements if e.tag != 0x0040A730 and not holds_unknown(e))
    more = El(0x0040A730, "SQ", items=(known, ()))
    tree = _signed((*known, more), signer, tmp_path)
    with open_dicom(io.BytesIO(tree.encoded())) as file:
        covered = frozenset(signable(file.root))
    sequence = data.draw(
        st.sampled_from([node for node in tree.nodes if node.tag in covered and node.items is not None])
    )
    assert sequence.items is not None
    sequence.items.insert(data.draw(st.integers(0, len(sequence.items))), Item([Node(0x00109999, "LO", b"new ")]))
    assert _standing(tree, tmp_path) is Standing.INVALID


@pytest.fixture(scope="module")
def report(signer: Signer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A structured report of which everything is signed."""
    folder = tmp_path_factory.mktemp("report")
    source = write_instance("sr-unverified", folder / "source.dcm")
    sign_file(source, folder / "target.dcm", [SigningOrder()], signer)
    return folder / "target.dcm"


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_valid_only_if_what_is_signed_is_what_it_was(
    report: Path, tmp_path: Path, data: st.DataObject
) -> None:
    octets = bytearray(report.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(octets) - 1))
        match data.draw(st.sampled_from(["change", "remove", "insert", "cut"])):
            case "change":
                octets[at] ^= 1 << data.draw(st.integers(0, 7))
            case "remove":
                del octets[at : at + min(data.draw(st.integers(1, 16)), len(octets) - 1)]
            case "insert":
                octets[at:at] = data.draw(st.binary(min_size=1, max_size=16))
            case _:
                del octets[at + 64 :]
    path = tmp_path / "damaged.dcm"
    path.write_bytes(octets)
    if verify_file(path, _INTEGRITY).standing is Standing.VALID:
        assert _content(bytes(octets)) == _content(report.read_bytes())


def _content(octets: bytes) -> bytes:
    """What everything but the two sequences says, whatever the forms of lengths."""
    tree = Tree.load(octets)

    def plainly(node: Node) -> None:
        if node.items is not None:
            node.undefined = False
            for item in node.items:
                item.undefined = False

    each(tree.nodes, plainly)
    return encode(node for node in tree.nodes if node.tag not in _MACRO and not _excluded(node))


def _leaves(node: Node) -> list[Node]:
    if node.items is not None:
        return [leaf for item in node.items for child in item.nodes if not _excluded(child) for leaf in _leaves(child)]
    return [node] if node.value else []


def _excluded(node: Node) -> bool:
    tag = node.tag
    return tag & 0xFFFF == 0 or tag >> 16 in {0x0006, 0xFFFA} or tag in {0x00080001, 0xFFFCFFFC}


def _mac(octets: bytes) -> bytes:
    with open_dicom(io.BytesIO(octets)) as file:
        return digest("SHA256", mac_parts(file, file.root, signable(file.root)))


def _set_lengths(dataset: Dataset, undefined: bool) -> None:
    for tag in list(dataset.keys()):
        if dataset.get_item(tag).VR == "SQ":  # what is not touched is written as it was read
            element = dataset[tag]
            element.is_undefined_length = undefined
            for item in element.value:
                item.is_undefined_length_sequence_item = undefined
                _set_lengths(item, undefined)


_REWRITTEN = [
    name
    for name, spec in INSTANCES.items()
    if spec.explicit_little_endian and "unknown-vr" not in spec.odd  # pydicom restores VRs that it knows
]


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("name", _REWRITTEN)
def test_an_independent_writer_changes_no_stream(name: str, undefined: bool, tmp_path: Path) -> None:
    octets = write_instance(name, tmp_path / "instance.dcm").read_bytes()
    dataset = pydicom.dcmread(io.BytesIO(octets))
    _set_lengths(dataset, undefined)
    target = io.BytesIO()
    dataset.save_as(target, enforce_file_format=True)
    assert _mac(target.getvalue()) == _mac(octets)
