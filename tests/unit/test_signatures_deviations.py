"""Every knob for faulty creators changes what it says, and no more: told by the verifier."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from reference_impl.signatures import macros as attribute
from reference_impl.signatures.creator import SigningOrder, sign_file
from reference_impl.signatures.deviations import NONE, Deviations
from reference_impl.signatures.mac import VARIANTS
from reference_impl.signatures.purposes import purposes
from reference_impl.signatures.reader import open_dicom
from reference_impl.signatures.results import Code, SignatureResult, Standing
from reference_impl.signatures.verifier import Policy, verify_file
from tests.unit.signature_material import META, El
from tests.unit.signing_material import CONTENT, PIXELS, SERIES, signer, write

TOKEN = b"\x30\x04abcd"
FRAGMENTS = El(0x7FE00010, "OB", fragments=(b"", b"one one ", b"two "))
RLE = META.replace(b"UI\x14\0" + b"1.2.840.10008.1.2.1\0", b"UI\x14\0" + b"1.2.840.10008.1.2.5\0")
GROUP_LENGTH = 0x00100000
EVERYTHING = (
    *SERIES[:2],
    El(GROUP_LENGTH, "UL", (36).to_bytes(4, "little")),
    *SERIES[2:],
    El(0x00111001, "UN", b"unknown "),
    CONTENT,
)


def signed(tmp_path: Path, deviations: Deviations = NONE, order: SigningOrder = SigningOrder()) -> SignatureResult:  # noqa: B008
    source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
    encapsulated = deviations.variant.startswith("encapsulated")
    write(source, *EVERYTHING, FRAGMENTS if encapsulated else PIXELS, meta=RLE if encapsulated else None)
    if deviations.variant == "nested-signatures-included":
        sign_file(source, tmp_path / "nested.dcm", [SigningOrder(location="(0040,A730)[1]")], signer())
        source = tmp_path / "nested.dcm"
    sign_file(source, target, [order], signer(), deviations)
    found = [each for each in verify_file(target, Policy(integrity_only=True)).signatures if not each.location]
    return found[-1]


def test_without_deviations_nothing_is_wrong(tmp_path: Path) -> None:
    found = signed(tmp_path)
    assert found.standing is Standing.VALID
    assert (found.encoding, found.absent, found.forbidden, found.in_order) == ((), (), (), True)
    assert found.scheme == "rsa-pkcs1-v1.5"
    assert found.mac_id_items == 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_wrong_macs_are_known_for_what_they_are(tmp_path: Path, variant: str) -> None:
    also = {"group-lengths-included": (GROUP_LENGTH,), "unknown-included": (0x00111001,)}.get(variant, ())
    order = "descending" if variant == "listed-order" else "ascending"
    found = signed(tmp_path, Deviations(variant=variant, sign_also=also, order=order))  # type: ignore[arg-type]
    assert found.mac is Standing.INVALID
    if variant not in {"values-trimmed", "delimiter-lengths-included"}:
        assert found.variant == variant
    assert found.standing is Standing.INVALID


LISTS: dict[str, tuple[Deviations, dict[str, object]]] = {
    "leave out": (Deviations(leave_out=frozenset({0x00100010})), {"signed": "(0010,0010)"}),
    "absent": (Deviations(sign_also=(0x00101010,)), {"absent": ("(0010,1010)",)}),
    "forbidden": (Deviations(sign_also=(GROUP_LENGTH,)), {"forbidden": ("(0010,0000)",)}),
    "descending": (Deviations(order="descending"), {"in_order": False}),
    "repeated": (Deviations(repeat_listed=2), {"in_order": False}),
}


@pytest.mark.parametrize("name", LISTS)
def test_wrong_lists_leave_the_mac_right(tmp_path: Path, name: str) -> None:
    deviations, shown = LISTS[name]
    found = signed(tmp_path, deviations)
    assert found.mac is Standing.VALID
    for field, value in shown.items():
        if field == "signed":
            assert value not in found.signed
        else:
            assert getattr(found, field) == value


def test_list_and_mac_may_differ(tmp_path: Path) -> None:
    unlisted = signed(tmp_path, Deviations(sign_unlisted=(0x00100010,)))
    assert "(0010,0010)" not in unlisted.signed
    assert unlisted.mac is Standing.INVALID
    unsigned = signed(tmp_path, Deviations(leave_out=frozenset({0x00100010}), list_unsigned=(0x00100010,)))
    assert "(0010,0010)" in unsigned.signed
    assert unsigned.mac is Standing.INVALID


@pytest.mark.parametrize(
    "tag", [attribute.MAC_TRANSFER_SYNTAX, attribute.MAC_ALGORITHM, attribute.DATA_ELEMENTS_SIGNED]
)
def test_missing_parameters_are_missing(tmp_path: Path, tag: int) -> None:
    found = signed(tmp_path, Deviations(omit_parameters=frozenset({tag})))
    assert [each.code for each in found.encoding] == ["missing"]
    if tag != attribute.MAC_TRANSFER_SYNTAX:
        assert found.standing is not Standing.VALID


@pytest.mark.parametrize(
    "tag",
    [
        attribute.SIGNATURE_UID,
        attribute.SIGNATURE_DATETIME,
        attribute.CERTIFICATE_TYPE,
        attribute.CERTIFICATE_OF_SIGNER,
        attribute.SIGNATURE,
    ],
)
def test_missing_attributes_of_the_signature_are_missing(tmp_path: Path, tag: int) -> None:
    found = signed(tmp_path, Deviations(omit=frozenset({tag})))
    assert [each.code for each in found.encoding] == ["missing"]
    if tag not in {attribute.CERTIFICATE_OF_SIGNER, attribute.SIGNATURE}:
        assert found.mac is Standing.VALID


def test_other_values_are_covered_as_they_stand(tmp_path: Path) -> None:
    found = signed(tmp_path, Deviations(date_time="20260102030405", certificate_type="X509_2000", uid="1.2.3"))
    assert (found.signed_at, found.certificate_type, found.uid) == ("20260102030405", "X509_2000", "1.2.3")
    assert found.mac is Standing.VALID
    two = (purposes()["1"], Code("99", "99TEST", "Something else"))
    found = signed(tmp_path, Deviations(purposes=two))
    assert found.purposes == two
    assert found.mac is Standing.VALID
    found = signed(tmp_path, Deviations(purposes=()), SigningOrder(purpose=two[0]))
    assert found.purposes == ()
    assert "multiplicity" in {each.code for each in found.encoding}
    found = signed(tmp_path, Deviations(more_elements=((0x04000130, "LO", b"more"),)))
    assert found.mac is Standing.VALID
    found = signed(tmp_path, Deviations(undefined_lengths=True), SigningOrder(purpose=two[0]))
    assert found.standing is Standing.VALID


def test_stated_is_not_what_was_done(tmp_path: Path) -> None:
    found = signed(tmp_path, Deviations(stated_algorithm="SHA512"))
    assert (found.algorithm, found.mac) == ("SHA512", Standing.INVALID)
    found = signed(tmp_path, Deviations(stated_transfer_syntax="1.2.840.10008.1.2"))
    assert found.transfer_syntax == "1.2.840.10008.1.2"
    assert found.standing is not Standing.VALID
    found = signed(tmp_path, Deviations(value_representations=((attribute.SIGNATURE_UID, "LO"),)))
    assert "vr" in {each.code for each in found.encoding}


def test_mac_ids_may_be_taken_or_lead_nowhere(tmp_path: Path) -> None:
    source, first, second = write(tmp_path / "in.dcm", *SERIES), tmp_path / "1.dcm", tmp_path / "2.dcm"
    sign_file(source, first, [SigningOrder()], signer())
    sign_file(first, second, [SigningOrder()], signer(), Deviations(mac_id=0))
    assert {each.mac_id_items for each in verify_file(second).signatures} == {2}
    found = signed(tmp_path, Deviations(referenced_mac_id=5))
    assert (found.mac_id, found.mac_id_items) == (5, 0)
    assert found.standing is not Standing.VALID


def test_signature_values_that_are_none(tmp_path: Path) -> None:
    assert signed(tmp_path, Deviations(encoding="pss")).scheme == "rsa-other"
    assert signed(tmp_path, Deviations(encoding="other-digest-info")).scheme == "rsa-other"
    assert signed(tmp_path, Deviations(alter_mac=lambda mac: bytes(len(mac)))).mac is Standing.INVALID
    assert signed(tmp_path, Deviations(alter_signature=lambda value: bytes(len(value)))).mac is Standing.INVALID
    other = signed(tmp_path, Deviations(certificate=signer("signer_second").certificate))
    assert other.standing is Standing.INVALID


def test_timestamps_of_other_things(tmp_path: Path) -> None:
    seen: list[bytes] = []

    def stamp(value: bytes) -> bytes:
        seen.append(value)
        return TOKEN

    found = signed(tmp_path, Deviations(timestamp_over=b"another"), SigningOrder(timestamp=stamp))
    assert seen == [b"another"]
    assert found.timestamp is not None
    assert found.timestamp.kind == "CMS_TSP"
    found = signed(tmp_path, Deviations(timestamp_type="OTHER"), SigningOrder(timestamp=stamp))
    assert found.timestamp is not None
    assert found.timestamp.kind == "OTHER"
    signed(tmp_path, Deviations(alter_timestamp=lambda token: token[::-1]), SigningOrder(timestamp=stamp))
    with open_dicom(tmp_path / "out.dcm") as file:
        (level,) = attribute.read_macros(file)
        assert level.signatures[0].timestamp == TOKEN[::-1]


@pytest.mark.parametrize(("which", "left"), [("parameters", 0x4FFE0001), ("signatures", 0xFFFAFFFA)])
def test_one_of_the_sequences_may_be_missing(tmp_path: Path, which: str, left: int) -> None:
    source, target = write(tmp_path / "in.dcm", *SERIES), tmp_path / "out.dcm"
    sign_file(source, target, [SigningOrder()], signer(), Deviations(sequences=which))  # type: ignore[arg-type]
    with open_dicom(target) as file:
        assert [each.tag for each in file.root.elements if each.tag in {0x4FFE0001, 0xFFFAFFFA}] == [left]


def test_parameters_may_stand_at_the_wrong_level(tmp_path: Path) -> None:
    source, target = write(tmp_path / "in.dcm", *SERIES, CONTENT), tmp_path / "out.dcm"
    order = SigningOrder(location="(0040,A730)[1]")
    sign_file(source, target, [order], signer(), Deviations(parameters_at_top=True))
    with open_dicom(target) as file:
        found = {each.location: each for each in attribute.read_macros(file)}
    top, inner = found[""], found["(0040,A730)[1]"]
    assert (len(top.mac_parameters), len(top.signatures)) == (1, 0)
    assert (len(inner.mac_parameters), len(inner.signatures)) == (0, 1)


def test_checks_can_be_left_out(tmp_path: Path) -> None:
    source, target = write(tmp_path / "in.dcm", *SERIES), tmp_path / "out.dcm"
    unchecked = Deviations(unchecked=True)
    sign_file(source, target, [SigningOrder(profile="C.4")], signer("signer_rsa_1024"), unchecked)
    (found,) = verify_file(target, Policy(integrity_only=True)).signatures
    assert found.mac is Standing.VALID
    sign_file(source, target, [SigningOrder(tags=())], signer(), unchecked)
    (found,) = verify_file(target, Policy(integrity_only=True)).signatures
    assert found.signed == ()


def test_every_knob_is_off_by_default() -> None:
    chosen = {"order": "ascending", "sequences": "both", "encoding": "pkcs1-v1.5", "repeat_listed": 1}
    assert {each.name: getattr(NONE, each.name) for each in fields(NONE) if getattr(NONE, each.name)} == chosen
