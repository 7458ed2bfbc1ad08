"""Comparing what was sent with what came back: every change is told by its kind, and freedoms of encoding are none."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.objects.comparing import MOST_DIFFERENCES, compare
from harness.observations.signatures import Difference
from reference_impl.signatures.elements import Element, Level
from reference_impl.signatures.reader import UnreadableError, open_dicom
from reference_impl.signatures.writer import element, item, sequence
from reference_impl.storage.part10 import Instance

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
SEQUENCE, CODES = 0x00081140, 0x00081115
NAME = element(0x00100010, "PN", b"Test")


def file(path: Path, data: bytes, syntax: str = EXPLICIT) -> Path:
    path.write_bytes(Instance("1.2.840.10008.5.1.4.1.1.2", "1.2.3", syntax, data).octets())
    return path


@pytest.fixture
def differences(tmp_path: Path) -> Comparing:
    return Comparing(tmp_path)


class Comparing:
    """Compares two data sets."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, sent: bytes, came: bytes, syntax: str = EXPLICIT) -> tuple[Difference, ...]:
        return compare(file(self._folder / "sent.dcm", sent), file(self._folder / "came.dcm", came, syntax))

    def kinds(self, sent: bytes, came: bytes, syntax: str = EXPLICIT) -> list[tuple[str, str]]:
        return [(one.kind, one.place) for one in self(sent, came, syntax)]


def numbered(*numbers: int) -> list[bytes]:
    """Items that differ in a number."""
    return [item(element(0x00081155, "UI", f"1.2.{number}".encode())) for number in numbers]


def fragments(*values: bytes) -> bytes:
    """Encapsulated pixel data."""
    head = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff"
    body = b"".join(b"\xfe\xff\x00\xe0" + len(value).to_bytes(4, "little") + value for value in values)
    return head + body + b"\xfe\xff\xdd\xe0\0\0\0\0"


def test_the_same_has_no_differences(differences: Comparing) -> None:
    assert differences(NAME, NAME) == ()


@pytest.mark.parametrize(
    ("sent", "came"),
    [
        (element(0x00100000, "UL", b"\x0c\0\0\0") + NAME, NAME),
        (NAME, NAME + element(0xFFFCFFFC, "OB", bytes(8))),
        (sequence(SEQUENCE, *numbered(1, 2)), sequence(SEQUENCE, *numbered(1, 2), undefined=True)),
        (
            sequence(SEQUENCE, item(NAME)),
            sequence(SEQUENCE, item(NAME, undefined=True), undefined=True),
        ),
    ],
    ids=["group length", "trailing padding", "sequence length", "item length"],
)
def test_freedoms_of_encoding_are_no_differences(differences: Comparing, sent: bytes, came: bytes) -> None:
    assert differences(sent, came) == ()
    assert differences(came, sent) == ()


@pytest.mark.parametrize(
    ("sent", "came", "kinds"),
    [
        (NAME, element(0x00100010, "PN", b"Rest"), [("value", "(0010,0010)")]),
        (NAME, element(0x00100010, "PN", b"Test  "), [("value", "(0010,0010)")]),
        (NAME, b"", [("removed", "(0010,0010)")]),
        (b"", NAME, [("added", "(0010,0010)")]),
        (NAME, element(0x00100010, "LO", b"Test"), [("vr", "(0010,0010)")]),
        (NAME, element(0x00100010, "UN", b"Test"), [("vr", "(0010,0010)")]),
        (NAME + NAME, NAME, [("removed", "(0010,0010)")]),
        (
            sequence(SEQUENCE, *numbered(1, 2, 3)),
            sequence(SEQUENCE, *numbered(3, 2, 1)),
            [("item-order", "(0008,1140)")],
        ),
        (sequence(SEQUENCE, *numbered(1, 2, 3)), sequence(SEQUENCE, *numbered(1, 3)), [("items", "(0008,1140)")]),
        (sequence(SEQUENCE, *numbered(1)), sequence(SEQUENCE, *numbered(1, 2)), [("items", "(0008,1140)")]),
        (sequence(SEQUENCE, *numbered(1)), sequence(SEQUENCE), [("items", "(0008,1140)")]),
        (
            sequence(SEQUENCE, *numbered(1, 2)),
            sequence(SEQUENCE, *numbered(1, 4)),
            [("value", "(0008,1140)[2].(0008,1155)")],
        ),
        (
            sequence(SEQUENCE, item(sequence(CODES, *numbered(1, 2)))),
            sequence(SEQUENCE, item(sequence(CODES, *numbered(2, 1)))),
            [("item-order", "(0008,1140)[1].(0008,1115)")],
        ),
        (
            sequence(SEQUENCE, item(sequence(CODES, *numbered(1, 2))), *numbered(7)),
            sequence(SEQUENCE, *numbered(7), item(sequence(CODES, *numbered(2, 1)))),
            [("item-order", "(0008,1140)"), ("item-order", "(0008,1140)[1].(0008,1115)")],
        ),
        (fragments(b"", b"ab", b"cd"), fragments(b"", b"ab", b"ce"), [("value", "(7FE0,0010)")]),
        (fragments(b"", b"ab", b"cd"), fragments(b"", b"abcd"), [("value", "(7FE0,0010)")]),
        (fragments(b"\0\0\0\0", b"ab"), fragments(b"", b"ab"), [("value", "(7FE0,0010)")]),
        (fragments(b"", b"ab"), element(0x7FE00010, "OB", b"ab"), [("value", "(7FE0,0010)")]),
    ],
)
def test_each_change_is_told_by_its_kind(
    differences: Comparing, sent: bytes, came: bytes, kinds: list[tuple[str, str]]
) -> None:
    assert differences.kinds(sent, came) == kinds


SIGNATURE = item(element(0x04000005, "US", b"\x01\0"), element(0x04000100, "UI", b"1.2.9"))
OTHER = item(element(0x04000005, "US", b"\x02\0"), element(0x04000100, "UI", b"1.2.8"))


@pytest.mark.parametrize(
    ("came", "kinds"),
    [
        (b"", [("signature", "(FFFA,FFFA)[1]")]),
        (sequence(0xFFFAFFFA, OTHER), [("signature", "(FFFA,FFFA)[1]"), ("added", "(FFFA,FFFA)")]),
        (sequence(0xFFFAFFFA, SIGNATURE, OTHER), [("added", "(FFFA,FFFA)")]),
        (sequence(0xFFFAFFFA, OTHER, SIGNATURE), [("added", "(FFFA,FFFA)")]),
        (sequence(0xFFFAFFFA, SIGNATURE, undefined=True), []),
    ],
)
def test_signatures_are_told_from_elements(differences: Comparing, came: bytes, kinds: list[tuple[str, str]]) -> None:
    assert differences.kinds(sequence(0xFFFAFFFA, SIGNATURE), came) == kinds


def test_what_came_without_vrs_is_compared_by_values(differences: Comparing) -> None:
    name = b"\x10\0\x10\0\x04\0\0\0Test"
    nested = b"\x08\0\x40\x11\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff" + name
    nested += b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    sent = sequence(SEQUENCE, item(NAME)) + NAME
    assert differences.kinds(sent, nested + name, IMPLICIT) == [("transfer-syntax", "(0002,0010)")]
    changed = nested + name.replace(b"Test", b"Rest")
    assert ("value", "(0010,0010)") in differences.kinds(sent, changed, IMPLICIT)


def test_a_difference_says_what_it_is(differences: Comparing) -> None:
    (one,) = differences(element(0x00080080, "LO", b"A  "), element(0x00080080, "LO", b"A"))
    assert one.detail == "only the padding differs: 'A' was sent in 4 octets and came back in 2"
    (one,) = differences(element(0x00080080, "LO", b"\xfcber"), element(0x00080080, "LO", b"uber"))
    assert one.detail == "fc 62 65 72 (4 octets) came back as 'uber' (4 octets)"


def test_large_values_are_compared_to_their_last_octet(differences: Comparing) -> None:
    octets = bytes(300_000)
    changed = octets[:-1] + b"\x01"
    kinds = differences.kinds(element(0x7FE00010, "OW", octets), element(0x7FE00010, "OW", changed))
    assert kinds == [("value", "(7FE0,0010)")]


def test_there_is_a_limit_to_differences(differences: Comparing) -> None:
    many = b"".join(element(0x00190000 + number, "LO", b"x") for number in range(16, 16 + 2 * MOST_DIFFERENCES))
    assert len(differences(many, b"")) == MOST_DIFFERENCES


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "none").write_bytes(b"no file at all")
    with pytest.raises(UnreadableError):
        compare(file(tmp_path / "sent.dcm", NAME), tmp_path / "none")


@st.composite
def data_sets(draw: st.DrawFn, depth: int = 2) -> bytes:
    """Data sets of texts and sequences, with distinct contents."""
    octets = b""
    for tag in draw(st.lists(st.integers(0x00090010, 0x00090018), unique=True, max_size=4).map(sorted)):
        if depth and draw(st.booleans()):
            items = draw(st.lists(data_sets(depth=depth - 1), max_size=3))
            octets += sequence(tag, *map(item, items), undefined=draw(st.booleans()))
        else:
            octets += element(tag, "OB", draw(st.binary(min_size=1, max_size=6)))
    return octets


@settings(max_examples=60, deadline=None)
@given(data=data_sets(), choice=st.randoms(use_true_random=False))
def test_any_changed_octet_of_a_value_is_found(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, choice: random.Random
) -> None:
    folder = tmp_path_factory.mktemp("comparing")
    sent = file(folder / "sent.dcm", data)
    assert compare(sent, sent) == ()
    with open_dicom(sent) as opened:
        places = [(each.value + at, each.place) for each in values(opened.root) for at in range(each.length or 0)]
    if not places:
        return
    offset, place = choice.choice(places)
    octets = bytearray(sent.read_bytes())
    octets[offset] ^= 1 << choice.randrange(8)
    (folder / "came.dcm").write_bytes(octets)
    found = compare(sent, folder / "came.dcm")
    assert found
    # With two items that differ in nothing else an octet may look like another order.
    assert [(one.kind, one.place) for one in found] == [("value", place)] or "item-order" in {one.kind for one in found}


def values(level: Level) -> Iterator[Element]:
    """The elements that hold values, at any depth."""
    for each in level.elements:
        if each.items is None:
            yield each
        for inner in each.items or ():
            yield from values(inner)
