"""Signing: what is signed, what is written, and that all else stays as it stands."""

from __future__ import annotations

import errno
import hashlib
import os
import struct
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.signatures.algorithms import ALGORITHMS
from reference_impl.signatures.creator import Signer, SigningError, SigningOrder, sign_file
from reference_impl.signatures.deviations import Deviations
from reference_impl.signatures.macros import read_macros
from reference_impl.signatures.purposes import VERIFICATION
from reference_impl.signatures.reader import UnreadableError, open_dicom
from reference_impl.signatures.verifier import Policy, verify_file
from tests.unit.signature_material import META, El, Encoder, as_file, forms, kept_out, stream, trees
from tests.unit.signing_material import CONTENT, PIXELS, SERIES, signatures_in, signer, write

MACROS = {0x4FFE0001, 0xFFFAFFFA}
ITEM_2 = "(0040,A730)[2].(0040,A730)[1]"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_signature_is_of_what_it_lists(tmp_path: Path, algorithm: str) -> None:
    source = write(tmp_path / "in.dcm", *SERIES, CONTENT, PIXELS)
    uids = sign_file(source, tmp_path / "out.dcm", [SigningOrder(algorithm=algorithm)], signer())
    (found,) = signatures_in(tmp_path / "out.dcm")
    assert found.good
    assert (found.uid,) == uids
    assert found.listed == tuple(each.tag for each in (*SERIES, CONTENT, PIXELS))
    assert found.mac_id == 0


@settings(max_examples=100, deadline=None)
@given(tree=trees, choices=forms, undefined=st.booleans())
def test_any_data_set_is_signed_and_otherwise_left_as_it_stands(
    tmp_path_factory: pytest.TempPathFactory, tree: tuple[El, ...], choices: list[bool], undefined: bool
) -> None:
    more = El(0x00080005, "CS", b"ISO_IR 100")
    tree = (*(each for each in tree if each.tag not in {*MACROS, more.tag}), more)
    tree = tuple(sorted((_encapsulated_as_due(each) for each in tree), key=lambda each: each.tag))
    folder = tmp_path_factory.mktemp("any")
    source, target = folder / "in.dcm", folder / "out.dcm"
    source.write_bytes(as_file(Encoder(choices).data_set(tree)))
    before = source.read_bytes()
    sign_file(source, target, [SigningOrder()], signer(), Deviations(undefined_lengths=undefined))
    assert source.read_bytes() == before
    assert sorted(folder.iterdir()) == [source, target]
    (found,) = signatures_in(target, "")
    assert found.good
    with open_dicom(source) as old, open_dicom(target) as new:
        kept = [each for each in new.root.elements if each.tag not in MACROS]
        assert [each.tag for each in kept] == [each.tag for each in old.root.elements]
        growing = {0x00080001, 0x4FFE0000, 0xFFFA0000}
        for was, became in zip(old.root.elements, kept, strict=True):
            if was.tag not in growing:
                assert old.read(was.start, was.end - was.start) == new.read(became.start, became.end - became.start)
        assert list(found.listed) == [each.tag for each in tree if not kept_out(each)]
        value = b"".join(mac_fields(target))
        covered = stream(tree) + value
        assert found.expected == ALGORITHMS["SHA256"].prefix + hashlib.sha256(covered).digest()


def _encapsulated_as_due(element: El) -> El:
    return element if element.fragments is None else El(element.tag, "OB", fragments=element.fragments)


def mac_fields(path: Path) -> list[bytes]:
    """The covered elements of the first signature item at the top, as they stand."""
    with open_dicom(path) as file:
        (macros,) = [each for each in read_macros(file) if not each.location]
        item = macros.signatures[0].item
        return [
            file.read(each.start, each.end - each.start)
            for each in item.elements
            if each.tag in {0x04000005, 0x04000100, 0x04000105, 0x04000110}
        ]


@pytest.mark.parametrize("undefined", [False, True])
def test_items_are_signed_where_they_stand_and_what_encloses_them_stays_whole(tmp_path: Path, undefined: bool) -> None:
    lengths = (El(0x00400000, "UL", bytes(4)), El(0x0040A730, "SQ", items=CONTENT.items))
    source = write(tmp_path / "in.dcm", *SERIES, *lengths, PIXELS, undefined=undefined)
    first, second, third = (tmp_path / name for name in ("1.dcm", "2.dcm", "3.dcm"))
    sign_file(source, first, [SigningOrder()], signer())
    orders = [SigningOrder(location=ITEM_2), SigningOrder(location="(0040,a730)[2]"), SigningOrder(location=ITEM_2)]
    sign_file(first, second, orders, signer())
    sign_file(second, third, [SigningOrder(location=ITEM_2, algorithm="SHA512"), SigningOrder()], signer())
    found = signatures_in(third)
    assert sorted(each.location for each in found) == ["", "", "(0040,A730)[2]", *[ITEM_2] * 3]
    assert all(each.good for each in found)
    assert sorted(each.mac_id for each in found) == list(range(6))
    with open_dicom(third) as file:
        group, sequence = file.root.get(0x00400000), file.root.get(0x0040A730)
        assert group is not None
        assert sequence is not None
        (grown,) = struct.unpack("<I", file.read(group.value, 4))
        assert grown == third.stat().st_size - source.stat().st_size - _added_at_top(third)


def _added_at_top(path: Path) -> int:
    with open_dicom(path) as file:
        return sum(each.end - each.start for each in file.root.elements if each.tag in MACROS)


def test_subsets_overlap_and_signers_differ(tmp_path: Path) -> None:
    source = write(tmp_path / "in.dcm", *SERIES, PIXELS)
    orders = [
        SigningOrder(tags=(0x00100020, 0x00100010)),
        SigningOrder(tags=(0x00100010, 0x7FE00010), signer=signer("signer_rsa_3072")),
        SigningOrder(tags=(0x7FE00010,), mac_id=7),
    ]
    sign_file(source, tmp_path / "out.dcm", orders, signer())
    found = signatures_in(tmp_path / "out.dcm")
    assert all(each.good for each in found)
    assert [each.listed for each in found] == [(0x00100010, 0x00100020), (0x00100010, 0x7FE00010), (0x7FE00010,)]
    assert [each.mac_id for each in found] == [0, 1, 7]
    assert [len(each.opened) for each in found] == [51, 51, 51]


def test_a_deflated_file_is_deflated_again(tmp_path: Path) -> None:
    compressor = zlib.compressobj(wbits=-15)
    data_set = compressor.compress(Encoder().data_set((*SERIES, PIXELS))) + compressor.flush()
    meta = META.replace(b"UI\x14\0" + b"1.2.840.10008.1.2.1\0", b"UI\x16\0" + b"1.2.840.10008.1.2.1.99")
    source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
    source.write_bytes(as_file(data_set + b"\0" * (len(data_set) % 2), meta))
    sign_file(source, target, [SigningOrder()], signer())
    assert signatures_in(target)[0].good
    assert target.read_bytes().startswith(bytes(128) + b"DICM" + meta)
    assert target.stat().st_size % 2 == 0
    assert b"PS315^TEST" not in target.read_bytes()
    with open_dicom(target) as file:
        (macros,) = read_macros(file)
        assert macros.mac_parameters[0].transfer_syntax == "1.2.840.10008.1.2.1"


def test_encapsulated_pixel_data_bind_the_transfer_syntax(tmp_path: Path) -> None:
    meta = META.replace(b"UI\x14\0" + b"1.2.840.10008.1.2.1\0", b"UI\x14\0" + b"1.2.840.10008.1.2.5\0")
    pixels = El(0x7FE00010, "OB", fragments=(b"", b"one one ", b"two "))
    source = write(tmp_path / "in.dcm", *SERIES, pixels, meta=meta)
    sign_file(source, tmp_path / "out.dcm", [SigningOrder()], signer())
    assert signatures_in(tmp_path / "out.dcm")[0].good
    with open_dicom(tmp_path / "out.dcm") as file:
        assert read_macros(file)[0].mac_parameters[0].transfer_syntax == "1.2.840.10008.1.2.5"


def test_date_purpose_and_timestamp_are_written(tmp_path: Path) -> None:
    source = write(tmp_path / "in.dcm", *SERIES)
    stamped: list[bytes] = []

    def stamp(value: bytes) -> bytes:
        stamped.append(value)
        return b"\x30\x03abc"

    at = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))
    order = SigningOrder(purpose=VERIFICATION, at=at, timestamp=stamp, uid="1.2.3")
    assert sign_file(source, tmp_path / "out.dcm", [order], signer()) == ("1.2.3",)
    assert signatures_in(tmp_path / "out.dcm")[0].good
    with open_dicom(tmp_path / "out.dcm") as file:
        (signature,) = read_macros(file)[0].signatures
        assert signature.signed_at == "20260304050607.000089-0330"
        assert signature.purposes == (VERIFICATION,)
        assert signature.timestamp_type == "CMS_TSP"
        assert signature.timestamp == b"\x30\x03abc\0"
        assert stamped == [signature.signature]


def test_a_time_without_an_offset_is_local_and_now_is_the_default(tmp_path: Path) -> None:
    source = write(tmp_path / "in.dcm", *SERIES)
    before = datetime.now(UTC)
    naive = datetime(2026, 7, 1, 12)
    sign_file(source, tmp_path / "out.dcm", [SigningOrder(), SigningOrder(at=naive)], signer())
    with open_dicom(tmp_path / "out.dcm") as file:
        now, local = (
            datetime.strptime(each.signed_at, "%Y%m%d%H%M%S.%f%z") for each in read_macros(file)[0].signatures
        )
    assert before <= now <= datetime.now(UTC)
    assert local == naive.astimezone()


def test_a_file_is_never_written_over_itself(tmp_path: Path) -> None:
    source = write(tmp_path / "in.dcm", *SERIES)
    before = source.read_bytes()
    (tmp_path / "link.dcm").symlink_to(source)
    (tmp_path / "hard.dcm").hardlink_to(source)
    for target in (source, tmp_path / "link.dcm", tmp_path / "hard.dcm"):
        with pytest.raises(SigningError, match="never written to"):
            sign_file(source, target, [SigningOrder()], signer())
    assert source.read_bytes() == before


def test_a_target_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    source, target = write(tmp_path / "in.dcm", *SERIES), tmp_path / "out.dcm"
    target.write_text("what was there")

    def fail(_: bytes) -> bytes:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        sign_file(source, target, [SigningOrder(timestamp=fail)], signer())
    assert target.read_text() == "what was there"
    with pytest.raises(OSError, match="No such file"):
        sign_file(source, tmp_path / "absent" / "out.dcm", [SigningOrder()], signer())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.dcm", "out.dcm"]
    sign_file(source, target, [SigningOrder()], signer())
    assert signatures_in(target)[0].good


REFUSED = {
    "no such tag": (SigningOrder(tags=(0x00101010,)), "is not in the data set"),
    "forbidden tag": (SigningOrder(tags=(0x00080001,)), "must never be signed"),
    "unknown tag": (SigningOrder(tags=(0x00111001,)), "its VR, or one within it, is UN"),
    "sequence with unknown": (SigningOrder(tags=(0x00111010,)), "its VR, or one within it, is UN"),
    "no such item": (SigningOrder(location="(0040,A730)[3]"), "has 2; items are counted from 1"),
    "item of nothing": (SigningOrder(location="(0040,A731)[1]"), "there is no"),
    "no place": (SigningOrder(location="second"), "is no place of an item"),
    "no algorithm": (SigningOrder(algorithm="SHA3"), "is no MAC algorithm"),
    "no profile": (SigningOrder(profile="C.5"), "is no signature profile"),  # type: ignore[arg-type]
    "no report": (SigningOrder(profile="C.4", purpose=VERIFICATION), "neither a structured report"),
    "item under a profile": (SigningOrder(profile="C.2", location=ITEM_2), "about the whole data set"),
    "mac id": (SigningOrder(mac_id=70000), "no MAC ID Number"),
    "elliptic": (SigningOrder(signer=None, profile="C.2"), "demands an RSA key"),
    "weak": (SigningOrder(), "less than 2048 bits"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_signed_is_told_and_nothing_written(tmp_path: Path, name: str) -> None:
    order, says = REFUSED[name]
    unknown = (El(0x00111001, "UN", b"??"), El(0x00111010, "SQ", items=((El(0x00111001, "UN", b"??"),),)))
    source = write(tmp_path / "in.dcm", El(0x00080001, "UL", bytes(4)), *SERIES, *unknown, CONTENT)
    chosen = {"elliptic": "signer_ec", "weak": "signer_rsa_1024"}.get(name, "signer")
    with pytest.raises(SigningError, match=says):
        sign_file(source, tmp_path / "out.dcm", [order], signer(chosen))
    assert [path.name for path in tmp_path.iterdir()] == ["in.dcm"]


def test_order_and_occurrence_must_be_beyond_doubt(tmp_path: Path) -> None:
    twice = write(tmp_path / "twice.dcm", *SERIES, SERIES[-1])
    muddled = write(tmp_path / "muddled.dcm", *reversed(SERIES))
    words = write(tmp_path / "words.dcm", *SERIES, El(0x7FE00010, "OW", fragments=(b"", b"12")))
    directory = write(tmp_path / "DICOMDIR", El(0x00041220, "SQ", items=()))
    empty = write(tmp_path / "empty.dcm", El(0x00091001, "UN", b"??"))
    for source, says in (
        (twice, "stands there twice"),
        (muddled, "out of order"),
        (words, "is encapsulated with VR OW instead of OB"),
        (directory, "is a DICOMDIR"),
        (empty, "nothing that can be signed"),
    ):
        with pytest.raises(SigningError, match=says):
            sign_file(source, tmp_path / "out.dcm", [SigningOrder()], signer())


@pytest.mark.parametrize("syntax", [b"1.2.840.10008.1.2\0", b"1.2.840.10008.1.2.2\0"])
def test_other_encodings_are_to_be_converted_first(tmp_path: Path, syntax: bytes) -> None:
    source = tmp_path / "in.dcm"
    source.write_bytes(as_file(b"", b"\2\0\x10\0UI" + struct.pack("<H", len(syntax)) + syntax))
    with pytest.raises(SigningError, match="convert it to Explicit VR Little Endian first"):
        sign_file(source, tmp_path / "out.dcm", [SigningOrder()], signer())


def test_what_is_no_sequence_is_not_added_to(tmp_path: Path) -> None:
    source = write(tmp_path / "in.dcm", *SERIES, El(0xFFFAFFFA, "OB", b"what?!"))
    with pytest.raises(SigningError, match="its VR is OB"):
        sign_file(source, tmp_path / "out.dcm", [SigningOrder()], signer())
    items_in_unknown = b"\x09\0\x10\x10UN\0\0\xff\xff\xff\xff" + bytes.fromhex(
        "feff00e0ffffffff100010000400000061626364feff0de000000000feffdde000000000"
    )
    source.write_bytes(as_file(Encoder().data_set(SERIES[:2]) + items_in_unknown))
    with pytest.raises(SigningError, match="nothing"):
        sign_file(source, tmp_path / "out.dcm", [SigningOrder(location="(0009,1010)[1]")], signer())


def test_a_broken_file_is_told(tmp_path: Path) -> None:
    source = write(tmp_path / "in.dcm", *SERIES, PIXELS)
    source.write_bytes(source.read_bytes()[:-5])
    with pytest.raises(UnreadableError):
        sign_file(source, tmp_path / "out.dcm", [SigningOrder()], signer())
    assert not (tmp_path / "out.dcm").exists()


def test_a_large_file_is_written_while_its_mac_is_formed(tmp_path: Path) -> None:
    pixels = El(0x7FE00010, "OW", bytes(range(256)) * 40_000)
    source, first, target = write(tmp_path / "in.dcm", *SERIES, CONTENT, pixels), tmp_path / "1.dcm", tmp_path / "2.dcm"
    orders = [
        SigningOrder(),
        SigningOrder(location=ITEM_2),
        SigningOrder(algorithm="SHA512", signer=signer("signer_rsa_3072")),
    ]
    sign_file(source, first, orders, signer())
    assert [each.good for each in signatures_in(first)] == [True] * 3
    sign_file(first, target, orders[:2], signer())
    assert [each.good for each in signatures_in(target)] == [True] * 5
    with open_dicom(target) as file:
        kept = [file.read(each.start, each.end - each.start) for each in file.root.elements if each.tag not in MACROS]
    with open_dicom(source) as file:
        were = [file.read(each.start, each.end - each.start) for each in file.root.elements]
    assert kept[:4] + kept[5:] == were[:4] + were[5:]
    stopped = tmp_path / "3.dcm"
    with pytest.raises(SigningError, match="longer RSA key"):
        sign_file(source, stopped, [SigningOrder(signer=_Failing(signer().key, signer().certificate))], signer())
    with pytest.raises(OSError, match="No such file"):
        sign_file(source, tmp_path / "absent" / "4.dcm", orders, signer())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.dcm", "2.dcm", "in.dcm"]


class _Failing(Signer):
    def sign(self, *_: object) -> bytes:
        raise SigningError("use a longer RSA key")


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_signed_or_told_of(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    source, signed, target = folder / "in.dcm", folder / "signed.dcm", folder / "out.dcm"
    write(source, *SERIES, CONTENT, PIXELS, undefined=data.draw(st.booleans()))
    fixed = SigningOrder(uid="1.2.3", at=datetime(2026, 1, 2, tzinfo=UTC))  # the same octets every time
    sign_file(source, signed, [fixed, replace(fixed, location=ITEM_2)], signer())
    octets = bytearray(signed.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(132, len(octets) - 4))
        piece = data.draw(st.sampled_from([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xfe\xff\x00\xe0", b"\xfa\xff\xfa\xff"]))
        octets[at : at + len(piece)] = data.draw(st.one_of(st.just(piece), st.binary(min_size=0, max_size=6)))
    source.write_bytes(octets)
    try:
        sign_file(source, target, [SigningOrder()], signer())
    except (SigningError, UnreadableError):
        assert not target.exists()
        return
    newest = [each for each in verify_file(target, Policy(integrity_only=True)).signatures if not each.location][-1]
    assert newest.mac == "valid", newest.reasons


@pytest.mark.parametrize("kernel", ["lacks it", "refuses", "stops halfway"])
def test_files_are_copied_by_hand_where_the_kernel_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: str
) -> None:
    source = write(tmp_path / "in.dcm", *SERIES, El(0x7FE00010, "OW", bytes(range(256)) * 40_000))
    order = SigningOrder(uid="1.2.3", at=datetime(2026, 1, 2, tzinfo=UTC))
    sign_file(source, tmp_path / "1.dcm", [order], signer())
    copied: list[int] = []

    def copy(source: int, target: int, count: int, offset: int) -> int:
        if copied or kernel == "refuses":
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        copied.append(os.write(target, os.pread(source, 1000, offset)))
        return copied[0]

    if kernel == "lacks it":
        monkeypatch.delattr(os, "copy_file_range", raising=False)
    else:
        monkeypatch.setattr(os, "copy_file_range", copy, raising=False)
    sign_file(source, tmp_path / "2.dcm", [order], signer())
    assert (tmp_path / "1.dcm").read_bytes() == (tmp_path / "2.dcm").read_bytes()
    assert copied == ([1000] if kernel == "stops halfway" else [])


def test_lengths_of_groups_that_grow_are_kept_right(tmp_path: Path) -> None:
    lengths = {tag: El(tag, "UL", bytes(4)) for tag in (0x00080001, 0x4FFE0000, 0xFFFA0000)}
    source = write(tmp_path / "in.dcm", lengths[0x00080001], *SERIES, lengths[0x4FFE0000], PIXELS, lengths[0xFFFA0000])
    sign_file(source, tmp_path / "1.dcm", [SigningOrder()], signer())
    sign_file(tmp_path / "1.dcm", tmp_path / "2.dcm", [SigningOrder()], signer())
    assert [each.good for each in signatures_in(tmp_path / "2.dcm")] == [True, True]
    with open_dicom(tmp_path / "2.dcm") as file:
        length = {each.tag: each.end - each.start for each in file.root.elements if each.tag in MACROS}
        for tag, grown in (
            (0x00080001, sum(length.values())),
            (0x4FFE0000, length[0x4FFE0001]),
            (0xFFFA0000, length[0xFFFAFFFA]),
        ):
            there = file.root.get(tag)
            assert there is not None
            assert file.read(there.value, 4) == struct.pack("<I", grown)
