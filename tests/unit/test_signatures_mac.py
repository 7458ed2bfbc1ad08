"""The byte stream of a MAC: against a second transcription of the clause, in every form of encoding."""

from __future__ import annotations

import hashlib
import io
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reference_impl.signatures.algorithms import ALGORITHMS, UnknownAlgorithmError
from reference_impl.signatures.mac import (
    CORRECT,
    VARIANTS,
    Variant,
    digest,
    is_excluded,
    mac_parts,
    signable,
    signature_item_parts,
)
from reference_impl.signatures.reader import DEFLATED, UnreadableError, open_data_set, open_dicom
from tests.unit.signature_material import (
    ITEM,
    ITEM_END,
    SEQUENCE_END,
    ZERO,
    El,
    Encoder,
    as_file,
    forms,
    kept_out,
    plain,
    stream,
    trees,
)

_NAME, _UID = El(0x00100010, "PN", b"A^B "), El(0x00080018, "UI", b"1.2\0")
_PIXELS = El(0x7FE00010, "OW", bytes(range(16)))


def _ours(octets: bytes, tags: list[int] | None = None, variant: Variant = CORRECT) -> bytes:
    with open_dicom(io.BytesIO(octets)) as file:
        listed = signable(file.root) if tags is None else tags
        return b"".join(bytes(part) for part in mac_parts(file, file.root, listed, variant))


@settings(max_examples=150, deadline=None)
@given(trees, forms)
def test_the_stream_is_that_of_the_clause_in_every_form_of_encoding(tree: tuple[El, ...], choices: list[bool]) -> None:
    octets = as_file(Encoder(choices).data_set(tree))
    assert _ours(octets) == stream(tree)
    assert _ours(octets, [e.tag for e in tree]) == stream(tree), "listing what is excluded adds nothing"


@settings(max_examples=100, deadline=None)
@given(trees, st.data())
def test_only_listed_elements_are_in_the_stream(tree: tuple[El, ...], data: st.DataObject) -> None:
    assume(tree)
    tags = data.draw(st.lists(st.sampled_from([e.tag for e in tree]), unique=True))
    assert _ours(as_file(Encoder().data_set(tree)), tags) == stream(tree, tags)
    assert _ours(as_file(Encoder().data_set(tree)), [*tags, 0x00109999]) == stream(tree, tags)


@settings(max_examples=100, deadline=None)
@given(trees, st.data())
def test_every_octet_of_a_covered_value_counts(tree: tuple[El, ...], data: st.DataObject) -> None:
    leaves = [leaf for e in tree if not kept_out(e) for leaf in _covered_leaves(e)]
    assume(leaves)
    leaf = data.draw(st.sampled_from(leaves))
    octets = as_file(Encoder().data_set(tree))
    encoded = Encoder().element(leaf)
    assume(octets.count(encoded) == 1)  # it may stand elsewhere, uncovered
    start = octets.find(encoded) + len(encoded) - len(leaf.value)
    at = start + data.draw(st.integers(0, len(leaf.value) - 1))
    changed = octets[:at] + bytes([octets[at] ^ 1 << data.draw(st.integers(0, 7))]) + octets[at + 1 :]
    assert _ours(changed) != _ours(octets)


def _covered_leaves(e: El) -> list[El]:
    if e.items is not None:
        return [leaf for item in e.items for child in item if not kept_out(child) for leaf in _covered_leaves(child)]
    return [e] if e.value else []


def test_a_sequence_is_its_tags_without_lengths_and_ends_with_its_delimiter() -> None:
    sequence = El(0x00081140, "SQ", items=((_UID,), ()))
    for choices in ([False], [True]):
        expected = b"\x08\0\x40\x11SQ\0\0" + ITEM + b"\x08\0\x18\0UI\x04\x001.2\0" + ITEM + SEQUENCE_END
        assert _ours(as_file(Encoder(choices).data_set([sequence]))) == expected


def test_encapsulated_data_are_their_item_tags_and_fragments_and_end_with_the_delimiter() -> None:
    pixels = El(0x7FE00010, "OB", fragments=(b"", b"abcd", b"ef"))
    expected = b"\xe0\x7f\x10\0OB\0\0" + ITEM + ITEM + b"abcd" + ITEM + b"ef" + SEQUENCE_END
    assert _ours(plain(pixels)) == expected


def test_what_stands_in_a_signed_sequence_beside_the_excluded_is_in_the_stream() -> None:
    inner = (
        El(0x00080000, "UL", b"\1\0\0\0"),
        _UID,
        El(0x4FFE0001, "SQ", items=()),
        El(0xFFFAFFFA, "SQ", items=()),
        El(0xFFFCFFFC, "OB", b"\0\0"),
    )
    sequence = El(0x0040A730, "SQ", items=(inner,))
    assert _ours(plain(sequence)) == stream([El(0x0040A730, "SQ", items=((_UID,),))])


def test_a_sequence_with_an_unknown_element_at_any_depth_is_left_out() -> None:
    deep = El(0x0040A730, "SQ", items=((El(0x0040A730, "SQ", items=((El(0x00091001, "UN", b"ab"),),)),),))
    octets = plain(_UID, deep, _PIXELS)
    assert _ours(octets, [0x00080018, 0x0040A730, 0x7FE00010]) == stream([_UID, _PIXELS])
    with open_dicom(io.BytesIO(octets)) as file:
        assert signable(file.root) == (0x00080018, 0x7FE00010)


def test_a_sequence_that_reads_unknown_with_undefined_length_is_left_out() -> None:
    body = ITEM + b"\xff\xff\xff\xff" + b"\x08\0\x18\0\4\0\0\0001.2\0" + ITEM_END + ZERO + SEQUENCE_END + ZERO
    octets = as_file(b"\x09\0\x01\x10UN\0\0\xff\xff\xff\xff" + body + Encoder().data_set([_NAME]))
    assert _ours(octets, [0x00091001, 0x00100010]) == stream([_NAME])


def test_an_element_that_occurs_twice_is_in_the_stream_twice() -> None:
    assert _ours(plain(_NAME, _NAME), [0x00100010]) == 2 * stream([_NAME])
    nested = El(0x0040A730, "SQ", items=((_NAME, _NAME),))
    octets = plain(_NAME, _NAME, nested, nested)
    once = stream([_NAME, El(0x0040A730, "SQ", items=((_NAME,),))])
    assert _ours(octets, [0x00100010, 0x0040A730], Variant(repeated=False)) == once
    assert _ours(octets, [0x00100010, 0x0040A730], Variant(repeated=False, order="listed")) == once


def test_elements_stand_in_the_order_of_the_data_set_whatever_the_list_says() -> None:
    octets = plain(_UID, _NAME)
    assert _ours(octets, [0x00100010, 0x00080018]) == stream([_UID, _NAME])
    assert _ours(octets, [0x00100010, 0x00080018], VARIANTS["listed-order"]) == stream([_NAME]) + stream([_UID])


def test_a_level_within_is_a_data_set_of_its_own() -> None:
    octets = plain(El(0x0040A730, "SQ", items=((), (_UID, _NAME))))
    with open_dicom(io.BytesIO(octets)) as file:
        sequence = file.root.get(0x0040A730)
        assert sequence is not None and sequence.items is not None
        level = sequence.items[1]
        assert b"".join(map(bytes, mac_parts(file, level, [0x00100010]))) == stream([_NAME])


def test_the_item_of_the_signature_is_without_certificate_signature_and_timestamp() -> None:
    kept = (
        El(0x04000005, "US", b"\1\0"),
        El(0x04000100, "UI", b"1.2\0"),
        El(0x04000105, "DT", b"20260101120000+0000 "),
        El(0x04000110, "CS", b"X509_1993_SIG "),
        El(0x04000401, "SQ", items=((El(0x00080100, "SH", b"5 "),),)),
    )
    rest = tuple(El(t, v, b"ab") for t, v in ((0x04000115, "OB"), (0x04000120, "OB"), (0x04000305, "CS")))
    item = tuple(sorted((*kept, *rest, El(0x04000310, "OB", b"ab"), El(0xFFFA0000, "UL", ZERO)), key=lambda e: e.tag))
    with open_dicom(io.BytesIO(plain(El(0xFFFAFFFA, "SQ", items=(item,))))) as file:
        sequence = file.root.get(0xFFFAFFFA)
        assert sequence is not None and sequence.items is not None
        level = sequence.items[0]
        assert b"".join(map(bytes, signature_item_parts(file, level))) == stream(kept)
        assert not list(signature_item_parts(file, level, VARIANTS["signature-fields-omitted"]))
        everything = b"".join(map(bytes, signature_item_parts(file, level, VARIANTS["signature-fields-all"])))
        assert everything == stream(sorted((*kept, rest[0]), key=lambda e: e.tag))


def test_a_deflated_data_set_is_hashed_as_it_was_before() -> None:
    deflater = zlib.compressobj(wbits=-15)
    data = deflater.compress(Encoder().data_set([_UID, _NAME, _PIXELS])) + deflater.flush()
    meta = b"\2\0\x10\0UI" + bytes([len(DEFLATED) + len(DEFLATED) % 2, 0]) + DEFLATED.encode()
    assert _ours(as_file(data + b"\0" * (len(data) % 2), meta)) == stream([_UID, _NAME, _PIXELS])


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.2"])
def test_no_stream_is_formed_of_what_is_not_explicit_little_endian(syntax: str) -> None:
    with open_data_set(b"", syntax) as file, pytest.raises(UnreadableError):
        mac_parts(file, file.root, [])


_RICH = (
    El(0x00080000, "UL", b"\4\0\0\0"),
    El(0x00080008, "CS", b"A\\B "),
    El(0x00091001, "UN", b"ab"),
    El(0x00100010, "PN", b"A^B "),
    El(0x0040A730, "SQ", items=((El(0x00080100, "SH", b"1 "), El(0xFFFAFFFA, "SQ", items=())), ())),
    El(0x7FE00010, "OB", fragments=(b"", b"abcd")),
)
_LISTED = [0x00080008, 0x00080000, 0x00100010, 0x00091001, 0x7FE00010, 0x0040A730]


@pytest.mark.parametrize("name", [name for name in VARIANTS if not name.startswith("signature-fields")])
def test_every_wrong_way_gives_a_stream_of_its_own(name: str) -> None:
    octets = plain(*_RICH)
    streams = {other: _ours(octets, _LISTED, variant) for other, variant in VARIANTS.items()}
    right = _ours(octets, _LISTED)
    assert streams[name] != right
    assert [other for other, found in streams.items() if found == streams[name]] == [name]


@pytest.mark.parametrize(
    ("tag", "vr", "excluded"),
    [
        (0x00080001, "UL", True),
        (0x00100000, "UL", True),
        (0x00020010, "UI", True),
        (0x00070010, "LO", True),
        (0x00080005, "CS", False),
        (0xFFFAFFFA, "SQ", True),
        (0xFFFA0010, "LO", True),
        (0xFFFB0010, "LO", False),
        (0x4FFE0001, "SQ", True),
        (0x4FFE0010, "LO", False),
        (0xFFFCFFFC, "OB", True),
        (0xFFFEE00D, "", True),
        (0x00091001, "UN", True),
        (0x00091001, "OB", False),
        (0x60003000, "OW", False),
    ],
)
def test_what_is_excluded(tag: int, vr: str, excluded: bool) -> None:
    assert is_excluded(tag, vr) is excluded


def test_a_sequence_that_holds_an_unknown_element_is_excluded() -> None:
    assert is_excluded(0x00081140, "SQ", holds_unknown=True)
    assert not is_excluded(0x00081140, "SQ")


@pytest.mark.parametrize("name", list(ALGORITHMS))
def test_a_digest_is_that_of_the_algorithm(name: str) -> None:
    assert digest(name, [b"ab", memoryview(b"c")]) == hashlib.new(name.lower(), b"abc").digest()
    assert len(digest(name, [])) == ALGORITHMS[name].octets
    info = ALGORITHMS[name].digest_info(digest(name, []))
    assert info[1] == len(info) - 2


def test_an_unknown_algorithm_is_told() -> None:
    with pytest.raises(UnknownAlgorithmError):
        digest("SHA3", [])


def test_memory_stays_flat_whatever_the_size(tmp_path: Path) -> None:
    path = tmp_path / "large.dcm"
    size = 24 << 20
    with path.open("wb") as out:
        out.write(as_file(b"\xe0\x7f\x10\0OW\0\0" + size.to_bytes(4, "little")))
        out.truncate(out.tell() + size)
    tracemalloc.start()
    with open_dicom(path) as file:
        digest("SHA256", mac_parts(file, file.root, signable(file.root)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 << 20
