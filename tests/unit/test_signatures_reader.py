"""The reader of DICOM files: structure as it was written, and nothing but `UnreadableError` for hostile ones."""

from __future__ import annotations

import io
import os
import struct
import time
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.signatures.elements import Element, Level
from reference_impl.signatures.mac import digest, mac_parts, signable
from reference_impl.signatures.macros import read_macros
from reference_impl.signatures.reader import (
    DEFLATED,
    IMPLICIT_LITTLE_ENDIAN,
    DicomFile,
    Limits,
    NotDicomError,
    UnreadableError,
    open_data_set,
    open_dicom,
)
from tests.unit.signature_material import (
    ITEM,
    ITEM_END,
    META,
    SEQUENCE_END,
    UNDEFINED,
    ZERO,
    El,
    Encoder,
    as_file,
    forms,
    plain,
    trees,
)

_NAME = El(0x00100010, "PN", b"A^B ")
_SEQUENCE = b"\x40\0\x30\xa7SQ\0\0"


def _open(octets: bytes, limits: Limits | None = None) -> DicomFile:
    return open_dicom(io.BytesIO(octets), limits)


def _meta(syntax: str) -> bytes:
    value = syntax.encode() + b"\0" * (len(syntax) % 2)
    return b"\2\0\x10\0UI" + struct.pack("<H", len(value)) + value


def _tree(file: DicomFile, level: Level) -> tuple[El, ...]:
    return tuple(_element(file, element) for element in level.elements)


def _element(file: DicomFile, element: Element) -> El:
    if element.items is not None:
        return El(element.tag, element.vr, items=tuple(_tree(file, item) for item in element.items))
    if element.fragments is not None:
        return El(element.tag, element.vr, fragments=tuple(file.read(*fragment) for fragment in element.fragments))
    assert element.length is not None
    return El(element.tag, element.vr, file.read(element.value, element.length))


@settings(max_examples=150, deadline=None)
@given(trees, forms)
def test_what_was_written_is_read(tree: tuple[El, ...], choices: list[bool]) -> None:
    octets = as_file(Encoder(choices).data_set(tree))
    with _open(octets) as file:
        assert _tree(file, file.root) == tree
        elements = file.root.elements
        assert [e.start for e in elements] == [file.meta_end, *(e.end for e in elements)][: len(elements)]
        assert file.size == len(octets) == (elements[-1].end if elements else file.meta_end)


@settings(max_examples=300, deadline=None)
@given(trees, forms, st.data())
def test_a_damaged_file_is_read_or_told_of(tree: tuple[El, ...], choices: list[bool], data: st.DataObject) -> None:
    octets = bytearray(as_file(Encoder(choices).data_set(tree)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(132, len(octets) - 1))
        if data.draw(st.booleans()):
            octets[at] = data.draw(st.integers(0, 255))
        else:
            del octets[at : at + data.draw(st.integers(1, 12))]
            octets += b"\0" * (133 - len(octets))
    _digest_or_problem(bytes(octets))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"]))
def test_noise_is_read_or_told_of(noise: bytes, syntax: str) -> None:
    _digest_or_problem(as_file(noise, _meta(syntax)))
    _digest_or_problem(as_file(_SEQUENCE + UNDEFINED + ITEM + UNDEFINED + noise, _meta(syntax)))


def _digest_or_problem(octets: bytes) -> None:
    try:
        with _open(octets) as file:
            read_macros(file)
            repr([(e.place, e.nested_tags()) for e in file.root.elements])
            digest("MD5", mac_parts(file, file.root, signable(file.root)))
    except UnreadableError as problem:
        assert problem.text


@settings(max_examples=100, deadline=None)
@given(trees, forms, st.data())
def test_a_file_that_is_cut_is_told_of_or_shorter(
    tree: tuple[El, ...], choices: list[bool], data: st.DataObject
) -> None:
    octets = as_file(Encoder(choices).data_set(tree))
    cut = data.draw(st.integers(0, len(octets)))
    try:
        with _open(octets[:cut]) as file:
            kept = _tree(file, file.root)
            assert kept == tree[: len(kept)]
    except UnreadableError:
        pass


_DEEP = 100_000
_PRIVATE = b"\x09\0\1\x10"
_HOSTILE = {
    "empty": b"",
    "no meta information": bytes(128) + b"DICM",
    "no transfer syntax": as_file(b"", b"\2\0\2\0UI\2\x001\0"),
    "long meta element": as_file(b"", META + b"\2\0\2\1OB\0\0\xff\xff\xff\x7f"),
    "half an element": as_file(b"\x10\0\x10\0PN"),
    "half a long element": as_file(b"\x10\0\x10\0OB\0\0\2\0"),
    "no VR": as_file(b"\x10\0\x10\0\4\0\0\0A^B "),
    "value beyond the file": as_file(b"\x10\0\x10\0PN\x08\0A^B "),
    "length of 4 GB": as_file(b"\xe0\x7f\x10\0OW\0\0\xfe\xff\xff\xff"),
    "undefined length of a value": as_file(b"\x10\0\x10\0UT\0\0" + UNDEFINED),
    "sequence without end": as_file(_SEQUENCE + UNDEFINED),
    "item without end": as_file(_SEQUENCE + UNDEFINED + ITEM + UNDEFINED),
    "item beyond its sequence": as_file(_SEQUENCE + b"\x08\0\0\0" + ITEM + b"\2\0\0\0" + b"\x10\0\x10\0PN\0\0"),
    "sequence beyond its item": as_file(
        _SEQUENCE + b"\x14\0\0\0" + ITEM + b"\x0c\0\0\0" + _SEQUENCE + b"\x08\0\0\0" + ITEM + ZERO
    ),
    "element where an item is due": as_file(_SEQUENCE + UNDEFINED + b"\x10\0\x10\0PN\0\0" + SEQUENCE_END + ZERO),
    "item where an element is due": as_file(ITEM + ZERO),
    "delimiter with a length": as_file(_SEQUENCE + UNDEFINED + SEQUENCE_END + b"\4\0\0\0abcd"),
    "delimiter in an item of defined length": as_file(
        _SEQUENCE + b"\x10\0\0\0" + ITEM + b"\x08\0\0\0" + ITEM_END + ZERO
    ),
    "fragments without end": as_file(b"\xe0\x7f\x10\0OB\0\0" + UNDEFINED + ITEM + b"\4\0\0\0abcd"),
    "fragment beyond the file": as_file(b"\xe0\x7f\x10\0OB\0\0" + UNDEFINED + ITEM + b"\xf0\xff\xff\xffabcd"),
    "fragment of undefined length": as_file(b"\xe0\x7f\x10\0OB\0\0" + UNDEFINED + ITEM + UNDEFINED),
    "deep nesting": as_file((_SEQUENCE + UNDEFINED + ITEM + UNDEFINED) * _DEEP),
    "deep nesting of unknowns": as_file(
        b"\x09\0\1\x10UN\0\0" + UNDEFINED + (ITEM + UNDEFINED + _PRIVATE + UNDEFINED) * _DEEP
    ),
    "deep nesting without VRs": as_file(
        (_PRIVATE + UNDEFINED + ITEM + UNDEFINED) * _DEEP, _meta(IMPLICIT_LITTLE_ENDIAN)
    ),
    "nothing deflated": as_file(b"", _meta(DEFLATED)),
    "noise deflated": as_file(b"\xff" * 20, _meta(DEFLATED)),
    "left over octets": plain(_NAME) + b"\0\0\0",
}  # fmt: skip


@pytest.mark.parametrize("name", list(_HOSTILE))
def test_a_hostile_file_is_told_of_at_once(name: str) -> None:
    before = time.monotonic()
    with pytest.raises(UnreadableError) as told:
        _open(_HOSTILE[name])
    assert told.value.text
    assert time.monotonic() - before < 2


@pytest.mark.parametrize(
    ("octets", "place"),
    [
        (_HOSTILE["value beyond the file"], "(0010,0010)"),
        (_HOSTILE["sequence without end"], "(0040,A730)"),
        (
            as_file(_SEQUENCE + UNDEFINED + ITEM + ZERO + ITEM + UNDEFINED + b"\x08\0\0\1SH\4\0"),
            "(0040,A730)[2].(0008,0100)",
        ),
    ],
)  # fmt: skip
def test_the_place_is_told(octets: bytes, place: str) -> None:
    with pytest.raises(UnreadableError) as told:
        _open(octets)
    assert told.value.place == place


def test_another_file_is_no_dicom_file(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not DICOM" * 100)
    with pytest.raises(NotDicomError):
        open_dicom(path)


@pytest.mark.parametrize("path", ["absent.dcm", "."])
def test_a_file_that_cannot_be_opened_is_told_of(path: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="cannot be opened"):
        open_dicom(tmp_path / path)


def test_many_elements_are_too_many() -> None:
    sequence = El(0x00081140, "SQ", items=((),) * 1000)
    with pytest.raises(UnreadableError, match="more than 1000"):
        _open(plain(sequence), Limits(rows=1000))
    with _open(plain(sequence), Limits(rows=1001)) as file:
        assert len(file.root.elements[0].items or ()) == 1000


def test_many_elements_of_one_data_set_are_too_many() -> None:
    level = tuple(El(0x00110010 + number, "LO", b"") for number in range(11))
    for octets in (plain(*level), plain(El(0x0040A730, "SQ", items=(level,)))):
        with pytest.raises(UnreadableError, match="more than 10 elements"):
            _open(octets, Limits(elements=10))
        assert len(_open(octets, Limits(elements=11)).table) >= 11


def test_a_bomb_is_not_inflated() -> None:
    deflater = zlib.compressobj(wbits=-15)
    bomb = deflater.compress(bytes(64 << 20)) + deflater.flush()
    with pytest.raises(UnreadableError, match="larger than"):
        _open(as_file(bomb, _meta(DEFLATED)), Limits(inflated=1 << 20))


def test_a_deflated_file_counts_offsets_in_what_was_inflated(tmp_path: Path) -> None:
    deflater = zlib.compressobj(wbits=-15)
    path = tmp_path / "deflated.dcm"
    path.write_bytes(as_file(deflater.compress(Encoder().data_set([_NAME])) + deflater.flush(), _meta(DEFLATED)))
    with open_dicom(path) as file:
        (element,) = file.root.elements
        assert (element.start, element.value, file.read(element.value, 4)) == (0, 8, b"A^B ")
        assert file.deflated and file.size == 12


def test_a_file_that_shrinks_while_it_is_read_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "shrinking.dcm"
    path.write_bytes(plain(El(0x7FE00010, "OW", bytes(200_000))))
    with open_dicom(path) as file:
        os.truncate(path, 1000)
        with pytest.raises(UnreadableError):
            digest("MD5", mac_parts(file, file.root, signable(file.root)))


def test_elements_are_found_wherever_they_stand() -> None:
    level = (El(0x00080100, "SH", b"1 "), El(0x00080100, "SH", b"2 "), El(0x00080018, "UI", b"1.2\0"))
    with _open(as_file(Encoder([True]).data_set([_NAME, El(0x0040A730, "SQ", items=((), level))]))) as file:
        sequence = file.root.get(0x0040A730)
        assert sequence is not None and sequence.items is not None
        second = sequence.items[1]
        assert (second.location, second.number, second.item_length) == ("(0040,A730)[2]", 2, None)
        assert [file.text(e) for e in second.all(0x00080100)] == ["1", "2"]
        assert second.elements[2].place == "(0040,A730)[2].(0008,0018)"
        assert second.parent is not None and second.parent.start == sequence.start
        assert second.enclosing is not None and second.enclosing.location == ""
        assert sequence.nested_tags() == (0x00080018, 0x00080100)
        assert file.root.get(0x00080018) is None and file.sop_instance == ""
        assert (second.start, second.end) == (second.elements[0].start, second.elements[2].end)


def test_a_value_of_a_vr_to_come_has_a_length_of_32_bits() -> None:
    with _open(as_file(b"\x10\0\x10\0ZZ\0\0\2\0\0\0ab")) as file:
        (element,) = file.root.elements
        assert (element.vr, element.length) == ("ZZ", 2)


def test_without_vrs_what_reads_as_a_sequence_is_one() -> None:
    item = ITEM + b"\x0c\0\0\0" + b"\0\4\5\0\2\0\0\0\7\0" + b"\0\0"
    bad = as_file(b"\xfe\x4f\1\0\x14\0\0\0" + item, _meta(IMPLICIT_LITTLE_ENDIAN))
    with _open(bad) as file:
        assert not file.explicit
        assert file.root.elements[0].items is None
    item = ITEM + b"\x0a\0\0\0" + b"\0\4\5\0\2\0\0\0\7\0"
    with _open(as_file(b"\xfe\x4f\1\0\x12\0\0\0" + item, _meta(IMPLICIT_LITTLE_ENDIAN))) as file:
        (macros,) = read_macros(file)
        assert macros.mac_parameters[0].mac_id == 7


def test_big_endian_is_read_too() -> None:
    data = struct.pack(">HH2sH", 0x0028, 0x0010, b"US", 2) + struct.pack(">H", 300)
    with open_data_set(data, "1.2.840.10008.1.2.2") as file:
        (element,) = file.root.elements
        assert (element.tag, element.vr, file.value(element)) == (0x00280010, "US", b"\x01\x2c")
