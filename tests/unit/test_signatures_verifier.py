"""The verifier calls good signatures valid, all others not, and says why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.instances import INSTANCES, write_instance
from reference_impl.signatures.algorithms import ALGORITHMS
from reference_impl.signatures.creator import SigningOrder, sign_file
from reference_impl.signatures.deviations import NONE, Deviations
from reference_impl.signatures.reader import EXPLICIT_BIG_ENDIAN, IMPLICIT_LITTLE_ENDIAN
from reference_impl.signatures.results import Standing
from reference_impl.signatures.verifier import Policy, Skip, verify_file
from tests.unit.signature_material import El
from tests.unit.signing_material import CONTENT, PIXELS, SERIES, signer, write
from tests.unit.verifying_bench import ORDER, PATIENT, changed, codes, judged, signed, trust

# -- good ones ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", INSTANCES)
def test_every_instance_that_was_signed_is_valid(tmp_path: Path, name: str) -> None:
    source = write_instance(name, tmp_path / "in.dcm")
    spec = INSTANCES[name]
    if spec.transfer_syntax in {IMPLICIT_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN}:
        assert verify_file(source).standing is Standing.UNSIGNED
        return
    sign_file(source, tmp_path / "out.dcm", [SigningOrder(profile="C.2"), ORDER], signer())
    result = verify_file(tmp_path / "out.dcm", Policy(trust=trust()))
    assert [each.standing for each in result.signatures] == [Standing.VALID] * 2
    assert {"C.1", "C.2"} <= set(result.signatures[0].profiles)
    assert result.standing is Standing.VALID
    assert result.transfer_syntax == spec.transfer_syntax
    assert not result.problems
    assert result.mac_ids == (0, 1)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_mac_algorithm_is_verified(tmp_path: Path, algorithm: str) -> None:
    found = judged(signed(tmp_path, NONE, replace(ORDER, algorithm=algorithm)))
    assert (found.standing, found.algorithm) == (Standing.VALID, algorithm)
    assert found.profiles[0] == "C.1"


@pytest.mark.parametrize(
    ("case", "bits"), [("signer_rsa_1024", 1024), ("signer_rsa_3072", 3072), ("signer_rsa_4096", 4096)]
)
def test_every_size_of_key_is_verified(tmp_path: Path, case: str, bits: int) -> None:
    found = judged(signed(tmp_path, NONE, replace(ORDER, allow_weak_key=True), case=case))
    assert found.standing is Standing.VALID
    assert found.certificate is not None
    assert found.certificate.key_bits == bits
    assert found.signature_octets == bits // 8


def test_ecdsa_is_verified_and_said_to_be_outside_the_profiles(tmp_path: Path) -> None:
    found = judged(signed(tmp_path, NONE, SigningOrder(profile=""), case="signer_ec"))
    assert (found.standing, found.scheme, found.profiles) == (Standing.VALID, "ecdsa", ())
    assert codes(found) == ["outside-profile"]


def test_a_signature_on_an_item_is_valid_and_its_place_told(tmp_path: Path) -> None:
    found = judged(signed(tmp_path, NONE, replace(ORDER, location="(0040,A730)[2].(0040,A730)[1]")))
    assert found.standing is Standing.VALID
    assert found.location == "(0040,A730)[2].(0040,A730)[1]"
    assert found.profiles == ("C.1",)


def test_what_is_added_outside_the_list_leaves_it_valid(tmp_path: Path) -> None:
    path = signed(tmp_path, NONE, SigningOrder(profile="C.2"))
    assert judged(path).standing is Standing.VALID
    with_comment = changed(path, b"\x10\0\x10\0PN", b"\x08\0\x50\0SH\2\0A1\x10\0\x10\0PN")
    found = judged(with_comment)
    assert found.standing is Standing.VALID
    assert "patient-identity" in [each.code for each in found.uncovered]


# -- what was tampered with --------------------------------------------------------------------------------------------


def test_a_changed_value_is_invalid_and_what_can_be_said_of_it_is_said(tmp_path: Path) -> None:
    path = changed(signed(tmp_path), b"PS315^TEST", b"PS315^REST")
    found = judged(path)
    assert (found.standing, found.mac) == (Standing.INVALID, Standing.INVALID)
    assert codes(found) == ["mac-differs"]


def test_another_signature_narrows_down_which_element_it_was(tmp_path: Path) -> None:
    others = tuple(each.tag for each in (*SERIES[:2], *SERIES[3:], CONTENT, PIXELS))
    path = signed(tmp_path, NONE, ORDER, SigningOrder(tags=others))
    result = verify_file(changed(path, b"PS315^TEST", b"PS315^REST"), Policy(trust=trust()))
    broken, whole = result.signatures
    assert whole.standing is Standing.VALID
    (reason,) = broken.reasons
    assert reason.place == "(0010,0010)"
    assert "another signature shows" in reason.text
    assert result.standing is Standing.INVALID


def test_a_removed_element_is_named(tmp_path: Path) -> None:
    path = changed(signed(tmp_path), b"\x10\0\x10\0PN\x0a\0PS315^TEST", b"")
    found = judged(path)
    assert found.standing is Standing.INVALID
    assert found.absent == ("(0010,0010)",)
    assert "(0010,0010)" in found.reasons[0].text


def test_an_element_added_within_a_signed_sequence_is_invalid(tmp_path: Path) -> None:
    source = write(tmp_path / "in.dcm", *SERIES, CONTENT, undefined=True)
    sign_file(source, tmp_path / "out.dcm", [ORDER], signer())
    path = changed(tmp_path / "out.dcm", b"within", b"within\x40\0\x70\xa1CS\2\0AB")
    assert judged(path).standing is Standing.INVALID


def test_a_value_of_another_key_is_told_from_changed_content(tmp_path: Path) -> None:
    found = judged(signed(tmp_path, Deviations(alter_signature=lambda value: bytes(reversed(value)))))
    assert found.standing is Standing.INVALID
    assert codes(found) == ["value-not-by-key"]
    assert found.scheme == ""


def test_a_tag_taken_from_the_list_is_found(tmp_path: Path) -> None:
    found = judged(signed(tmp_path, Deviations(sign_unlisted=(PATIENT,), leave_out=frozenset({PATIENT}))))
    assert found.standing is Standing.INVALID
    assert codes(found) == ["element-unlisted"]
    assert found.reasons[0].place == "(0010,0010)"


def test_a_tag_added_to_the_list_is_found(tmp_path: Path) -> None:
    found = judged(signed(tmp_path, Deviations(list_unsigned=(PATIENT,), leave_out=frozenset({PATIENT}))))
    assert found.standing is Standing.INVALID
    assert codes(found) == ["element-added"]


def test_a_changed_mac_algorithm_is_found(tmp_path: Path) -> None:
    found = judged(signed(tmp_path, Deviations(stated_algorithm="SHA1")))
    assert found.standing is Standing.INVALID
    assert codes(found) == ["other-algorithm"]
    assert "SHA256" in found.reasons[0].text


def test_swapped_mac_ids_are_invalid_and_the_right_parameters_named(tmp_path: Path) -> None:
    path = signed(tmp_path, NONE, SigningOrder(tags=(PATIENT,)), SigningOrder(tags=(0x00100020,)))
    id_in_parameters = b"\x00\x04\x05\x00US\2\0"
    octets = path.read_bytes()
    at = octets.index(b"\xfe\x4f\x01\x00SQ")
    first = octets.index(id_in_parameters, at) + 8
    second = octets.index(id_in_parameters, first) + 8
    swapped = bytearray(octets)
    swapped[first], swapped[second] = 1, 0
    path.write_bytes(swapped)
    for found in verify_file(path, Policy(trust=trust())).signatures:
        assert found.standing is Standing.INVALID
        assert codes(found) == ["other-parameters"]


def test_a_signature_of_nothing_is_invalid(tmp_path: Path) -> None:
    everything = frozenset(each.tag for each in (*SERIES, CONTENT, PIXELS))
    found = judged(signed(tmp_path, Deviations(leave_out=everything, unchecked=True)))
    assert found.mac is Standing.VALID
    assert found.standing is Standing.INVALID
    assert "signs-nothing" in codes(found)


def test_a_signature_of_absent_elements_alone_is_one_of_nothing(tmp_path: Path) -> None:
    everything = frozenset(each.tag for each in (*SERIES, CONTENT, PIXELS))
    found = judged(signed(tmp_path, Deviations(leave_out=everything, unchecked=True, list_unsigned=(0x00080050,))))
    assert found.standing is Standing.INVALID
    assert found.absent == ("(0008,0050)",)


def test_a_signed_element_that_stands_there_twice_is_invalid(tmp_path: Path) -> None:
    twice = (*SERIES, El(PATIENT, "PN", b"OTHER^NAME"), PIXELS)
    found = judged(signed(tmp_path, Deviations(unchecked=True), elements=twice))
    assert found.standing is Standing.INVALID
    assert "duplicate-element" in codes(found)


def test_an_element_of_unknown_vr_before_a_signed_one_is_invalid(tmp_path: Path) -> None:
    """The MAC leaves it out, and readers take the first."""
    path = changed(signed(tmp_path), b"\x10\0\x10\0PN", b"\x10\0\x10\0UN\0\0\6\0\0\0OTHER \x10\0\x10\0PN")
    found = judged(path)
    assert found.mac is Standing.VALID
    assert found.standing is Standing.INVALID
    assert codes(found) == ["duplicate-element"]


def test_forbidden_tags_in_the_list_are_told(tmp_path: Path) -> None:
    found = judged(signed(tmp_path, Deviations(list_unsigned=(0x00080000, 0xFFFAFFFA))))
    assert found.forbidden == ("(0008,0000)", "(FFFA,FFFA)")


# -- padding -----------------------------------------------------------------------------------------------------------


def test_pss_is_recognised_and_outside_the_profiles(tmp_path: Path) -> None:
    found = judged(signed(tmp_path, Deviations(encoding="pss")))
    assert (found.mac, found.scheme, found.profiles) == (Standing.VALID, "rsa-other", ())
    assert "outside-profile" in codes(found)


def test_digest_info_is_compared_wholly(tmp_path: Path) -> None:
    path = signed(tmp_path, Deviations(encoding="other-digest-info"))
    found = judged(path)
    assert (found.standing, found.scheme) == (Standing.INVALID, "rsa-other")
    assert codes(found) == ["digest-info"]
    assert judged(path, skip=frozenset({Skip.PADDING})).standing is Standing.VALID


# -- what cannot be judged ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", [0x04000005, 0x04000015, 0x04000020])
def test_missing_mac_parameters_cannot_be_judged(tmp_path: Path, tag: int) -> None:
    found = judged(signed(tmp_path, Deviations(omit_parameters=frozenset({tag}))))
    assert found.standing is Standing.UNKNOWN
    assert found.reasons


@pytest.mark.parametrize("tag", [0x04000115, 0x04000120])
def test_missing_certificate_or_value_cannot_be_judged(tmp_path: Path, tag: int) -> None:
    found = judged(signed(tmp_path, Deviations(omit=frozenset({tag}))))
    assert found.standing is Standing.UNKNOWN
    assert found.reasons[0].place.endswith("0115)" if tag == 0x04000115 else "0120)")


@pytest.mark.parametrize("syntax", [IMPLICIT_LITTLE_ENDIAN, EXPLICIT_BIG_ENDIAN])
def test_a_mac_without_vrs_is_never_valid(tmp_path: Path, syntax: str) -> None:
    found = judged(signed(tmp_path, Deviations(stated_transfer_syntax=syntax)))
    assert found.standing is Standing.UNKNOWN
    assert codes(found) == ["mac-syntax"]


def test_pixel_data_in_another_transfer_syntax_cannot_be_judged(tmp_path: Path) -> None:
    rle = "1.2.840.10008.1.2.5"
    path = changed(signed(tmp_path, Deviations(stated_transfer_syntax=rle)), bytes(range(60, 64)), bytes(4))
    found = judged(path)
    assert found.standing is Standing.UNKNOWN
    assert codes(found) == ["other-syntax"]


def test_implicit_vr_cannot_be_judged(tmp_path: Path) -> None:
    import pydicom

    path = signed(tmp_path)
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    data.save_as(tmp_path / "implicit.dcm", implicit_vr=True, little_endian=True)
    found = judged(tmp_path / "implicit.dcm")
    assert found.standing is Standing.UNKNOWN
    assert codes(found) == ["not-explicit"]


def test_two_parameters_of_one_number_cannot_be_judged(tmp_path: Path) -> None:
    path = signed(tmp_path, Deviations(mac_id=0), SigningOrder(tags=(PATIENT,)), SigningOrder(tags=(0x00100020,)))
    result = verify_file(path, Policy(trust=trust()))
    assert [each.mac for each in result.signatures] == [Standing.VALID] * 2
    assert [each.standing for each in result.signatures] == [Standing.UNKNOWN] * 2
    assert [each.mac_id_items for each in result.signatures] == [2, 2]


def test_an_unknown_algorithm_cannot_be_judged(tmp_path: Path) -> None:
    found = judged(signed(tmp_path, Deviations(stated_algorithm="SHA3_256")))
    assert found.standing is Standing.UNKNOWN
    assert codes(found) == ["unknown-algorithm"]
