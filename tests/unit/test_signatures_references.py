"""Secure references of documents to their evidence: signatures and MACs of the instances referred to."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from fixtures.instances import INSTANCES, write_instance
from reference_impl.signatures.creator import SigningError, SigningOrder, sign_file
from reference_impl.signatures.deviations import Deviations
from reference_impl.signatures.mac import mac_parts
from reference_impl.signatures.macros import read_macros
from reference_impl.signatures.purposes import purposes
from reference_impl.signatures.reader import open_dicom
from reference_impl.signatures.references import References, bare_references, evidence_of, folder_lookup, refer
from reference_impl.signatures.results import EvidenceReference, Standing
from reference_impl.signatures.verifier import Policy, verify_file
from tests.unit.signing_material import signatures_in, signer

AUTHOR = purposes()["1"]
SR = "sr-unverified"


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    """A folder with what `SR` refers to: one instance signed, the others not."""
    folder = tmp_path / "evidence"
    (folder / "below").mkdir(parents=True)
    (folder / "notes.txt").write_text("no DICOM file")
    spec = INSTANCES[SR]
    names = [*spec.refers_to, *spec.other_evidence]
    for name in names:
        write_instance(name, folder / "below" / f"{name}.dcm")
    first = folder / "below" / f"{names[0]}.dcm"
    sign_file(first, folder / "signed.dcm", [SigningOrder(profile="C.2"), SigningOrder()], signer())
    first.unlink()
    return folder


def references_of(path: Path, folder: Path) -> tuple[EvidenceReference, ...]:
    document = verify_file(path, Policy(integrity_only=True, references=folder_lookup(folder))).document
    assert document is not None
    return document.evidence


@pytest.mark.parametrize("kind", ["either", "both", "macs"])
def test_every_reference_is_secured_and_the_document_signed(tmp_path: Path, evidence: Path, kind: str) -> None:
    source, target = write_instance(SR, tmp_path / "sr.dcm"), tmp_path / "out.dcm"
    count = bare_references(source)
    assert count >= 2
    how = References(folder_lookup(evidence), kind=kind, algorithm="SHA512")  # type: ignore[arg-type]
    sign_file(source, target, [SigningOrder(profile="C.4", purpose=AUTHOR, references=how)], signer())
    found = references_of(target, evidence)
    assert len(found) == count
    assert bare_references(target) == 0
    assert [each.standing for each in found] == [Standing.VALID] * count
    assert [each.signatures for each in found] == [0 if kind == "macs" else 2, *[0] * (count - 1)]
    assert [each.macs for each in found] == [0 if kind == "either" else 1, *[1] * (count - 1)]
    assert {name for each in found for name in each.mac_algorithms} == {"SHA512"}
    (mine,) = signatures_in(target)
    assert mine.good
    assert {0x0040A375, 0x0040A385} & set(mine.listed)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evidence", "out.dcm", "sr.dcm"]


def test_the_mac_is_plain_and_without_fields_of_a_signature(tmp_path: Path, evidence: Path) -> None:
    source, target = write_instance(SR, tmp_path / "sr.dcm"), tmp_path / "out.dcm"
    refer(source, target, References(folder_lookup(evidence), kind="macs"))
    with open_dicom(target) as file:
        for level in evidence_of(file):
            sequence = level.get(0x04000403)
            assert sequence is not None
            assert sequence.items is not None
            (item,) = sequence.items
            assert [each.tag for each in item.elements] == [0x04000010, 0x04000015, 0x04000020, 0x04000404]
            listed, mac = item.get(0x04000020), item.get(0x04000404)
            assert listed is not None
            assert mac is not None
            path = folder_lookup(evidence)(file.text(level.get(0x00081155)))
            assert path is not None
            with open_dicom(path) as referenced:
                octets = file.read(listed.value, listed.length or 0)
                tags = [
                    int.from_bytes(octets[at : at + 2], "little") << 16
                    | int.from_bytes(octets[at + 2 : at + 4], "little")
                    for at in range(0, len(octets), 4)
                ]
                hashing = hashlib.sha256()
                for part in mac_parts(referenced, referenced.root, tags):
                    hashing.update(part)
            assert file.read(mac.value, mac.length or 0) == hashing.digest()


def test_a_changed_instance_is_found_out(tmp_path: Path, evidence: Path) -> None:
    source, target = write_instance(SR, tmp_path / "sr.dcm"), tmp_path / "out.dcm"
    refer(source, target, References(folder_lookup(evidence), kind="both"))
    assert {each.standing for each in references_of(target, evidence)} == {Standing.VALID}
    changed = next(evidence.glob("below/*.dcm"))
    octets = changed.read_bytes()
    changed.write_bytes(octets.replace(b"PS315-TEST", b"PS315-TESU"))
    assert changed.read_bytes() != octets
    assert sorted(each.standing for each in references_of(target, evidence))[0] == Standing.INVALID


def test_what_bears_a_reference_already_is_left_alone(tmp_path: Path, evidence: Path) -> None:
    source, once, twice = write_instance(SR, tmp_path / "sr.dcm"), tmp_path / "1.dcm", tmp_path / "2.dcm"
    how = References(folder_lookup(evidence))
    assert refer(source, once, how) == bare_references(source)
    assert refer(once, twice, how) == 0
    assert once.read_bytes() == twice.read_bytes()


def test_a_signed_document_is_not_changed(tmp_path: Path, evidence: Path) -> None:
    source, signed, target = write_instance(SR, tmp_path / "sr.dcm"), tmp_path / "1.dcm", tmp_path / "2.dcm"
    sign_file(source, signed, [SigningOrder(profile="C.4", purpose=AUTHOR)], signer())
    how = References(folder_lookup(evidence))
    with pytest.raises(SigningError, match="is signed already"):
        sign_file(signed, target, [SigningOrder(references=how)], signer())
    assert not target.exists()
    only_uids = SigningOrder(tags=(0x00080016, 0x00080018))
    sign_file(source, tmp_path / "3.dcm", [only_uids], signer())
    sign_file(tmp_path / "3.dcm", target, [SigningOrder(profile="C.4", purpose=AUTHOR, references=how)], signer())
    assert [each.good for each in signatures_in(target)] == [True, True]


def test_what_is_not_at_hand_or_of_no_use_is_told(tmp_path: Path, evidence: Path) -> None:
    source, target = write_instance(SR, tmp_path / "sr.dcm"), tmp_path / "out.dcm"
    bare = bare_references(source)
    with pytest.raises(SigningError, match="which is not at hand"):
        refer(source, target, References(folder_lookup(tmp_path / "nowhere")))
    refer(source, target, References(folder_lookup(tmp_path / "nowhere"), missing_allowed=True))
    assert bare_references(target) == bare
    target.unlink()
    wrong = next(evidence.glob("below/*.dcm"))
    with pytest.raises(SigningError, match="is not instance"):
        refer(source, target, References(lambda _: wrong))
    text = evidence / "notes.txt"
    with pytest.raises(SigningError, match="cannot be referred to"):
        refer(source, target, References(lambda _: text))
    assert not target.exists()


def test_deviations_show(tmp_path: Path, evidence: Path) -> None:
    source, target = write_instance(SR, tmp_path / "sr.dcm"), tmp_path / "out.dcm"
    how = References(folder_lookup(evidence), kind="macs")
    refer(source, target, how, Deviations(skip_references=1))
    assert bare_references(target) == 1
    for deviations in (
        Deviations(alter_reference_mac=lambda mac: bytes(len(mac))),
        Deviations(reference_algorithm="SHA384"),
        Deviations(reference_variant="value-lengths-omitted"),
    ):
        refer(source, target, how, deviations)
        assert Standing.INVALID in {each.standing for each in references_of(target, evidence)}, deviations


def test_a_file_without_evidence_stays_as_it_is(tmp_path: Path) -> None:
    source, target = write_instance("ct", tmp_path / "ct.dcm"), tmp_path / "out.dcm"
    assert refer(source, target, References(lambda _: None)) == 0
    assert source.read_bytes() == target.read_bytes()
    with open_dicom(target) as file:
        assert not read_macros(file)
