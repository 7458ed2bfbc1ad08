"""Whatever is in a file, the verifier ends, says what it found, and calls nothing valid that was changed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.signatures import items
from reference_impl.signatures.creator import SigningOrder, sign_file
from reference_impl.signatures.deviations import Deviations
from reference_impl.signatures.elements import Level
from reference_impl.signatures.mac import NOT_OF_THE_ITEM, is_excluded
from reference_impl.signatures.macros import read_macros
from reference_impl.signatures.reader import DicomFile, open_dicom
from reference_impl.signatures.results import FileResult, Standing
from reference_impl.signatures.verifier import Policy, verify_file
from tests.unit.signature_material import El, Encoder, as_file, forms, trees
from tests.unit.signing_material import CONTENT, PIXELS, SERIES, signer, write

INTEGRITY = Policy(integrity_only=True)
SIGNATURES = 10_000
anywhere = st.integers(0, (1 << 30) - 1)  # UIDs, of any length, are new in every example


def covered_octets(file: DicomFile) -> list[int]:
    """Offsets of the octets of a file that the signature at its top covers, found by the clause, not by the reader."""
    (macros,) = [each for each in read_macros(file) if not each.location]
    listed = frozenset(macros.mac_parameters[0].tags)
    found = list(_covered(macros.level, listed))
    for element in macros.signatures[0].item.elements:
        if element.tag not in NOT_OF_THE_ITEM:
            found += range(element.start, element.end)
    return found


def _covered(level: Level, listed: frozenset[int] | None) -> Iterator[int]:
    for element in level.elements:
        if (listed is not None and element.tag not in listed) or is_excluded(
            element.tag, element.vr, element.holds_unknown
        ):
            continue
        if element.has_items:
            yield from range(element.start, element.start + 6)
            for item in element.items or ():
                yield from range(item.start - 8, item.start - 4)
                yield from _covered(item, None)
        elif element.fragments is not None:
            yield from range(element.start, element.start + 6)
            for offset, length in element.fragments:
                yield from range(offset - 8, offset - 4)
                yield from range(offset, offset + length)
        else:
            yield from range(element.start, element.end)


def signed(folder: Path, tree: tuple[El, ...], choices: list[bool], undefined: bool = False) -> Path:
    more = El(0x00080005, "CS", b"ISO_IR 100")
    tree = (*(each for each in tree if each.tag not in {0x4FFE0001, 0xFFFAFFFA, more.tag}), more)
    source = folder / "in.dcm"
    source.write_bytes(as_file(Encoder(choices).data_set(sorted(tree, key=lambda each: each.tag))))
    sign_file(
        source, folder / "out.dcm", [SigningOrder()], signer(), Deviations(undefined_lengths=undefined, unchecked=True)
    )
    return folder / "out.dcm"


@settings(max_examples=100, deadline=None)
@given(tree=trees, choices=forms, undefined=st.booleans(), data=st.data())
def test_any_changed_covered_octet_invalidates(
    tmp_path_factory: pytest.TempPathFactory,
    tree: tuple[El, ...],
    choices: list[bool],
    undefined: bool,
    data: st.DataObject,
) -> None:
    path = signed(tmp_path_factory.mktemp("covered"), tree, choices, undefined)
    assert at_the_top(path) == [Standing.VALID]
    with open_dicom(path) as file:
        covered = covered_octets(file)
    offset = covered[data.draw(anywhere) % len(covered)]
    octets = bytearray(path.read_bytes())
    octets[offset] ^= data.draw(st.integers(1, 255))
    path.write_bytes(octets)
    assert Standing.VALID not in at_the_top(path)


def at_the_top(path: Path) -> list[Standing]:
    """What is said of the signatures at the top; within sequences there may be anything."""
    return [each.standing for each in verify_file(path, INTEGRITY).signatures if not each.location]


def test_each_covered_octet_counts(tmp_path: Path) -> None:
    """One small object, wholly: every covered octet, a low and a high bit of it."""
    path = signed(tmp_path, (*SERIES, CONTENT, El(0x7FE00010, "OB", fragments=(b"", b"abcd"))), [True])
    octets = path.read_bytes()
    with open_dicom(path) as file:
        offsets = covered_octets(file)
    assert len(offsets) > 200
    for offset in offsets:
        for bit in (1, 128):
            other = bytearray(octets)
            other[offset] ^= bit
            path.write_bytes(other)
            assert verify_file(path, Policy(integrity_only=True, variants=False)).standing is not Standing.VALID, offset


@settings(max_examples=150, deadline=None)
@given(tree=trees, choices=forms, data=st.data())
def test_any_damage_ends_in_a_result(
    tmp_path_factory: pytest.TempPathFactory, tree: tuple[El, ...], choices: list[bool], data: st.DataObject
) -> None:
    path = signed(tmp_path_factory.mktemp("damage"), tree, choices)
    octets = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        start = 132 + data.draw(anywhere) % (len(octets) - 132)
        piece = data.draw(st.binary(max_size=8))
        octets[start : start + data.draw(st.integers(0, 8))] = piece
    path.write_bytes(octets)
    result = verify_file(path, INTEGRITY)
    assert isinstance(result, FileResult)
    for each in result.signatures:
        assert each.standing is Standing.VALID or each.reasons
    if result.standing is Standing.UNKNOWN and not result.signatures:
        assert result.problems


@settings(max_examples=100, deadline=None)
@given(octets=st.binary(max_size=400))
def test_any_octets_end_in_a_result(tmp_path_factory: pytest.TempPathFactory, octets: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "file"
    path.write_bytes(as_file(octets))
    assert verify_file(path, INTEGRITY).standing in {Standing.UNKNOWN, Standing.UNSIGNED}


def hostile(path: Path, *elements: El) -> FileResult:
    write(path, *SERIES, *elements)
    return verify_file(path, INTEGRITY)


def test_ten_thousand_signatures_are_counted_out(tmp_path: Path) -> None:
    """All of them of one list: what they cover is hashed once, and the answer comes soon."""
    listed = El(0x04000020, "AT", items_of(0x00100010, 0x7FE00010))
    common = (El(0x04000005, "US", b"\0\0"), El(0x04000010, "UI", b"1.2.840.10008.1.2.1\0"))
    parameters = (*common, El(0x04000015, "CS", b"SHA256"), listed)
    one = (
        common[0],
        El(0x04000100, "UI", b"1.2.3.4\0"),
        El(0x04000105, "DT", b"20261122000000.000000+0000"),
        El(0x04000110, "CS", b"X509_1993_SIG\0"),
        El(0x04000115, "OB", signer().certificate + b"\0" * (len(signer().certificate) % 2)),
        El(0x04000120, "OB", bytes(256)),
    )
    begin = time.monotonic()
    result = hostile(
        tmp_path / "many.dcm",
        El(0x4FFE0001, "SQ", items=(parameters,)),
        El(0x7FE00010, "OW", bytes(1 << 20)),
        El(0xFFFAFFFA, "SQ", items=(one,) * (SIGNATURES + 5)),
    )
    assert time.monotonic() - begin < 60
    assert result.standing is Standing.INVALID
    assert len(result.signatures) == SIGNATURES
    assert [each.code for each in result.problems] == ["limit"]


def test_lists_that_would_be_hashed_for_ever_are_left_alone(tmp_path: Path) -> None:
    """Each signature has a list of its own over all of a large object: no more is hashed than is proportionate."""
    size = 8 << 20
    parameters = [
        (
            El(0x04000005, "US", number.to_bytes(2, "little")),
            El(0x04000010, "UI", b"1.2.840.10008.1.2.1\0"),
            El(0x04000015, "CS", b"SHA512"),
            El(0x04000020, "AT", items_of(0x00100010, *[0x00110000 + number], 0x7FE00010)),
        )
        for number in range(1, 400)
    ]
    signatures = [
        (
            El(0x04000005, "US", number.to_bytes(2, "little")),
            El(0x04000115, "OB", signer().certificate + b"\0" * (len(signer().certificate) % 2)),
            El(0x04000120, "OB", bytes(256)),
        )
        for number in range(1, 400)
    ]
    begin = time.monotonic()
    result = hostile(
        tmp_path / "lists.dcm",
        El(0x4FFE0001, "SQ", items=tuple(parameters)),
        El(0x7FE00010, "OW", bytes(size)),
        El(0xFFFAFFFA, "SQ", items=tuple(signatures)),
    )
    assert time.monotonic() - begin < 60
    assert result.standing is Standing.INVALID
    assert any(reason.code == "too-much-work" for each in result.signatures for reason in each.reasons)


def test_long_lists_of_many_signatures_are_not_listed_for_ever(tmp_path: Path) -> None:
    """Ten thousand signatures share a list of sixteen thousand tags, each of an element that is there."""
    tags = [0x00110000 + number for number in range(0x1000, 0x1000 + 16_000)]
    parameters = (
        El(0x04000005, "US", b"\0\0"),
        El(0x04000010, "UI", b"1.2.840.10008.1.2.1\0"),
        El(0x04000015, "CS", b"MD5 "),
        El(0x04000020, "AT", items_of(*tags)),
    )
    one = (
        El(0x04000005, "US", b"\0\0"),
        El(0x04000115, "OB", signer().certificate + b"\0" * (len(signer().certificate) % 2)),
        El(0x04000120, "OB", signer().sign("MD5", bytes(16))),
    )
    begin = time.monotonic()
    result = hostile(
        tmp_path / "long.dcm",
        *(El(tag, "CS", b"AB") for tag in tags),
        El(0x4FFE0001, "SQ", items=(parameters,)),
        El(0xFFFAFFFA, "SQ", items=(one,) * SIGNATURES),
    )
    assert time.monotonic() - begin < 60
    assert len(result.signatures) == SIGNATURES
    assert result.standing is Standing.INVALID
    assert sum(len(each.signed) for each in result.signatures) < 2_000_000


def items_of(*tags: int) -> bytes:
    return items.tag_list(tags)


def test_sequences_without_end_and_deep_ones_cannot_be_judged(tmp_path: Path) -> None:
    endless = b"\xfa\xff\xfa\xffSQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff"
    path = tmp_path / "endless.dcm"
    path.write_bytes(as_file(endless))
    assert verify_file(path).standing is Standing.UNKNOWN
    path.write_bytes(as_file(b"\x40\0\x30\xa7SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff" * 5000))
    deep = verify_file(path)
    assert deep.standing is Standing.UNKNOWN
    assert deep.problems[0].place


def test_sequences_of_signatures_that_are_none_cannot_be_judged(tmp_path: Path) -> None:
    result = hostile(tmp_path / "a.dcm", El(0xFFFAFFFA, "OB", b"abcd"))
    assert result.standing is Standing.UNKNOWN
    assert result.problems
    result = hostile(tmp_path / "b.dcm", El(0x4FFE0001, "SQ", items=()), PIXELS, El(0xFFFAFFFA, "SQ", items=()))
    assert result.standing is Standing.UNKNOWN


def test_the_file_is_not_touched(tmp_path: Path) -> None:
    path = signed(tmp_path, (*SERIES, PIXELS), [False])
    path.chmod(0o400)
    before = path.stat()
    assert verify_file(path, INTEGRITY).standing is Standing.VALID
    after = path.stat()
    assert (before.st_mtime_ns, before.st_size, before.st_ino) == (after.st_mtime_ns, after.st_size, after.st_ino)
