"""The signatures macro is read as it stands, and everything that is wrong with it is told."""

from __future__ import annotations

import io
import struct
import time

import pytest
from hypothesis import given, settings

from reference_impl.signatures.macros import LevelMacros, read_macros
from reference_impl.signatures.reader import open_dicom
from reference_impl.signatures.results import Code
from tests.unit.signature_material import El, Encoder, as_file, forms, plain, trees

_PARAMETERS = (
    El(0x04000005, "US", b"\7\0"),
    El(0x04000010, "UI", b"1.2.840.10008.1.2.1\0"),
    El(0x04000015, "CS", b"SHA256"),
    El(0x04000020, "AT", struct.pack("<HHHH", 8, 0x18, 0x7FE0, 0x10)),
)
_SIGNATURE = (
    El(0x04000005, "US", b"\7\0"),
    El(0x04000100, "UI", b"1.2.3\0"),
    El(0x04000105, "DT", b"20260101120000+0100 "),
    El(0x04000110, "CS", b"X509_1993_SIG "),
    El(0x04000115, "OB", b"certificate\0"),
    El(0x04000120, "OB", b"signed"),
)
_PURPOSE = El(
    0x04000401,
    "SQ",
    items=((El(0x00080100, "SH", b"5 "), El(0x00080102, "SH", b"ASTM-sigpurpose "), El(0x00080104, "LO", b"V ")),),
)


def _macro(
    parameters: tuple[tuple[El, ...], ...] = (_PARAMETERS,), signatures: tuple[tuple[El, ...], ...] = (_SIGNATURE,)
) -> tuple[El, El]:
    return El(0x4FFE0001, "SQ", items=parameters), El(0xFFFAFFFA, "SQ", items=signatures)


def _read(octets: bytes) -> tuple[LevelMacros, ...]:
    with open_dicom(io.BytesIO(octets)) as file:
        found = read_macros(file)
        for macros in found:
            for item in macros.mac_parameters:
                assert isinstance(item.tags, tuple)
            for signature in macros.signatures:
                assert isinstance(signature.certificate + signature.signature + signature.timestamp, bytes)
        return found


def _changed(items: tuple[El, ...], tag: int, new: El | None) -> tuple[El, ...]:
    return tuple(e for e in (new if e.tag == tag else e for e in items) if e is not None)


def test_a_good_macro_is_read_whole() -> None:
    with open_dicom(io.BytesIO(plain(*_macro(signatures=((*_SIGNATURE, _PURPOSE),))))) as file:
        (macros,) = read_macros(file)
        (parameters,), (signature,) = macros.mac_parameters, macros.signatures
        assert not (macros.problems or parameters.encoding or signature.encoding)
        assert (macros.location, parameters.mac_id, parameters.algorithm) == ("", 7, "SHA256")
        assert parameters.transfer_syntax == "1.2.840.10008.1.2.1"
        assert parameters.tags == (0x00080018, 0x7FE00010)
        assert (signature.mac_id, signature.uid, signature.signed_at) == (7, "1.2.3", "20260101120000+0100")
        assert (signature.certificate, signature.signature, signature.timestamp) == (b"certificate\0", b"signed", b"")
        assert (signature.certificate_type, signature.has_timestamp) == ("X509_1993_SIG", False)
        assert signature.purposes == (Code("5", "ASTM-sigpurpose", "V"),)
        assert macros.parameters_of(signature) == (parameters,)


def test_macros_of_items_are_found_with_their_places() -> None:
    inner = (El(0x00080018, "UI", b"1.2\0"), *_macro())
    octets = as_file(Encoder([True]).data_set([El(0x0040A730, "SQ", items=((), inner)), *_macro()]))
    places = [(m.location, m.signatures[0].location) for m in _read(octets)]
    assert places == [
        ("(0040,A730)[2]", "(0040,A730)[2].(FFFA,FFFA)[1]"),
        ("", "(FFFA,FFFA)[1]"),
    ]


@pytest.mark.parametrize(
    ("tag", "new", "code"),
    [
        (0x04000005, None, "missing"),
        (0x04000005, El(0x04000005, "US", b""), "empty"),
        (0x04000005, El(0x04000005, "US", b"\0\0\0\0"), "multiplicity"),
        (0x04000005, El(0x04000005, "UL", b"\0\0\0\0"), "vr"),
        (0x04000100, El(0x04000100, "UI", b"1.02\0\0"), "value"),
        (0x04000100, El(0x04000100, "UI", b"x.y "), "value"),
        (0x04000105, El(0x04000105, "DT", b"yesterday "), "value"),
        (0x04000105, El(0x04000105, "DT", b"20260101120000+1"), "value"),
        (0x04000110, El(0x04000110, "CS", b"x509"), "value"),
        (0x04000115, None, "missing"),
        (0x04000115, El(0x04000115, "OB", fragments=(b"ab",)), "length"),
        (0x04000115, El(0x04000115, "SQ", items=()), "vr"),
        (0x04000120, El(0x04000120, "OB", b""), "empty"),
        (0x04000120, El(0x04000120, "OB", b"abc"), "length"),
        (0x04000120, El(0x04000120, "OB", bytes(2 << 20)), "length"),
    ],
)
def test_what_is_wrong_with_a_signature_is_told(tag: int, new: El | None, code: str) -> None:
    (macros,) = _read(plain(*_macro(signatures=(_changed(_SIGNATURE, tag, new),))))
    (reason,) = macros.signatures[0].encoding
    assert (reason.code, reason.place) == (code, f"(FFFA,FFFA)[1].({tag >> 16:04X},{tag & 0xFFFF:04X})")


@pytest.mark.parametrize(
    ("tag", "new", "code"),
    [
        (0x04000010, None, "missing"),
        (0x04000015, El(0x04000015, "LO", b"SHA256"), "vr"),
        (0x04000020, None, "missing"),
        (0x04000020, El(0x04000020, "AT", b""), "empty"),
        (0x04000020, El(0x04000020, "AT", b"\x08\0\x18\0\x10\0"), "length"),
    ],
)
def test_what_is_wrong_with_mac_parameters_is_told(tag: int, new: El | None, code: str) -> None:
    (macros,) = _read(plain(*_macro((_changed(_PARAMETERS, tag, new),))))
    (reason,) = macros.mac_parameters[0].encoding
    assert (reason.code, reason.place) == (code, f"(4FFE,0001)[1].({tag >> 16:04X},{tag & 0xFFFF:04X})")


def test_an_attribute_that_occurs_twice_is_told() -> None:
    (macros,) = _read(plain(*_macro(signatures=((*_SIGNATURE[:2], *_SIGNATURE[1:]),))))
    assert [r.code for r in macros.signatures[0].encoding] == ["duplicate"]


def test_a_timestamp_without_a_type_is_told() -> None:
    (macros,) = _read(plain(*_macro(signatures=((*_SIGNATURE, El(0x04000310, "OB", b"ab")),))))
    assert macros.signatures[0].has_timestamp
    assert [(r.code, r.place) for r in macros.signatures[0].encoding] == [("missing", "(FFFA,FFFA)[1].(0400,0305)")]


@pytest.mark.parametrize("number", [0, 2])
def test_a_purpose_has_one_item(number: int) -> None:
    assert _PURPOSE.items is not None
    purpose = El(0x04000401, "SQ", items=_PURPOSE.items * number)
    (macros,) = _read(plain(*_macro(signatures=((*_SIGNATURE, purpose),))))
    assert [r.code for r in macros.signatures[0].encoding] == ["multiplicity"]
    assert len(macros.signatures[0].purposes) == number


def test_sequences_that_are_none_are_told() -> None:
    (macros,) = _read(plain(El(0x4FFE0001, "SQ", items=()), El(0xFFFAFFFA, "OB", b"ab")))
    assert [(r.code, r.place) for r in macros.problems] == [("no-items", "(4FFE,0001)"), ("vr", "(FFFA,FFFA)")]


def test_items_of_mac_parameters_with_the_same_number_are_both_found() -> None:
    (macros,) = _read(plain(*_macro((_PARAMETERS, _PARAMETERS))))
    assert len(macros.parameters_of(macros.signatures[0])) == 2


def test_a_signature_without_a_number_has_no_parameters() -> None:
    bare = _changed(_PARAMETERS, 0x04000005, None)
    (macros,) = _read(plain(*_macro((bare,), (_changed(_SIGNATURE, 0x04000005, None),))))
    assert macros.parameters_of(macros.signatures[0]) == ()


def test_ten_thousand_signatures_are_read_and_no_more() -> None:
    octets = plain(*_macro(signatures=(_SIGNATURE,) * 10_001))
    before = time.monotonic()
    with open_dicom(io.BytesIO(octets)) as file:
        (macros,) = read_macros(file)
    assert time.monotonic() - before < 10
    assert len(macros.signatures) == 10_000
    assert [r.code for r in macros.problems] == ["limit"]


def test_data_sets_with_signatures_are_read_up_to_a_number() -> None:
    inner = (El(0x4FFE0001, "SQ", items=()),)
    octets = plain(El(0x0040A730, "SQ", items=(inner,) * 10_001))
    found = _read(octets)
    assert len(found) == 10_000
    assert [reason.code for macros in found for reason in macros.problems if reason.code != "no-items"] == ["limit"]


@settings(max_examples=60, deadline=None)
@given(trees, forms)
def test_whatever_stands_in_the_sequences_is_read(tree: tuple[El, ...], choices: list[bool]) -> None:
    item = tuple(sorted((*tree, *_SIGNATURE[:3]), key=lambda e: e.tag))
    found = _read(as_file(Encoder(choices).data_set(_macro((item,), (item,)))))
    (top,) = (macros for macros in found if not macros.location)
    assert top.signatures[0].uid == "1.2.3"
