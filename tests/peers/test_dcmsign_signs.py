"""What DCMTK's dcmsign signs verifies here; of what is tampered with, both say the same."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import pydicom.data
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa
from pydicom.uid import UID

from fixtures.instances import write_instance
from fixtures.pki import Pki
from reference_impl.signatures.certificates import Trust, read_certificates
from reference_impl.signatures.elements import DIGITAL_SIGNATURES, ITEM, MAC_PARAMETERS
from reference_impl.signatures.reader import open_dicom
from reference_impl.signatures.results import FileResult, Standing
from reference_impl.signatures.verifier import Policy, verify_file
from tests.missing import lacking
from tests.peers.starters import PeerMissing
from tests.peers.starters.process import program

pytestmark = pytest.mark.peer

ALGORITHMS = {"+mr": "RIPEMD160", "+mm": "MD5", "+ms": "SHA1", "+m2": "SHA256", "+m3": "SHA384", "+m5": "SHA512"}
UNREADABLE_TO_DCMTK = {"MR_truncated.dcm", "SC_rgb_jpeg.dcm", "no_meta.dcm", "rtplan_truncated.dcm"}
FILES = sorted(
    path
    for path in (Path(str(pydicom.data.get_testdata_file("CT_small.dcm"))).parent.parent / "test_files").rglob("*.dcm")
    if path.name not in UNREADABLE_TO_DCMTK and "dicomdirtests" not in path.parts
)
STEP = 23
"""Every so many octets of an object one is changed, and both verifiers are asked."""


@cache
def pki() -> Pki:
    return Pki.create()


def dcmsign(*arguments: object) -> int:
    try:
        command = [program("dcmsign"), *map(str, arguments)]
    except PeerMissing as problem:
        lacking(str(problem))
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode


def signed(source: Path, target: Path, *options: object, case: str = "signer") -> Path:
    assert dcmsign("+s", pki().key_file(case), pki().certificate_file(case), *options, source, target) == 0
    return target


def verified(path: Path, *anchors: bytes) -> FileResult:
    trusted = read_certificates(pki().trust_anchors_file().read_bytes())
    return verify_file(path, Policy(trust=Trust(anchors=(*trusted, *anchors))))


@pytest.mark.parametrize("case", ["signer", "signer_rsa_1024", "signer_rsa_3072", "signer_rsa_4096", "signer_ec"])
@pytest.mark.parametrize("option", ALGORITHMS)
def test_every_algorithm_with_every_key(tmp_path: Path, option: str, case: str) -> None:
    source = write_instance("ct", tmp_path / "in.dcm")
    (found,) = verified(signed(source, tmp_path / "out.dcm", option, "-pf", case=case)).signatures
    assert found.standing is Standing.VALID, found.reasons
    assert found.algorithm == ALGORITHMS[option]
    assert found.scheme == ("ecdsa" if case == "signer_ec" else "rsa-pkcs1-v1.5")
    assert ("C.1" in found.profiles) == (case != "signer_ec")
    assert (found.absent, found.forbidden, found.in_order, found.encoding) == ((), (), True, ())


@pytest.mark.parametrize("option", ["+mr", "+ms", "+m2"])
def test_dsa(tmp_path: Path, option: str) -> None:
    key = dsa.generate_private_key(2048)
    name = x509.Name.from_rfc4514_string("CN=PS315 Test DSA")
    signer = pki().issue("signer").certificate
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(signer.not_valid_before_utc)
    certificate = builder.not_valid_after(signer.not_valid_after_utc).sign(key, hashes.SHA256())
    encoding, plain = serialization.Encoding, serialization.NoEncryption()
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, plain)
    )
    (tmp_path / "cert.pem").write_bytes(certificate.public_bytes(encoding.PEM))
    source, target = write_instance("ct", tmp_path / "in.dcm"), tmp_path / "out.dcm"
    assert dcmsign("+s", tmp_path / "key.pem", tmp_path / "cert.pem", option, "-pf", source, target) == 0
    (found,) = verified(target, certificate.public_bytes(encoding.DER)).signatures
    assert found.mac is Standing.VALID, found.reasons
    assert (found.scheme, found.profiles) == ("dsa", ())
    assert found.standing is Standing.VALID, found.reasons


@pytest.mark.parametrize("lengths", ["+e", "-e"])
@pytest.mark.parametrize("source", FILES, ids=lambda path: path.name)
def test_real_objects_of_many_kinds(tmp_path: Path, source: Path, lengths: str) -> None:
    """As they are; those without VRs, or big endian, written with explicit VR little endian by dcmsign."""
    target = signed(source, tmp_path / "out.dcm", "+m2", lengths)
    with open_dicom(target) as file:
        explicit = file.explicit and file.little_endian
    if not explicit:
        result = verified(target)
        assert result.standing is Standing.UNKNOWN
        assert result.signatures[0].reasons[0].code == "not-explicit"
        if UID(result.transfer_syntax).is_compressed:
            return
        target = signed(source, tmp_path / "explicit.dcm", "+m2", lengths, "+te")
    result = verified(target)
    (found,) = result.signatures
    assert result.standing is Standing.VALID, (found.reasons, result.problems)
    assert dcmsign("+cf", pki().trust_anchors_file(), "+rg", target) == 0


def test_items_and_several_signers(tmp_path: Path) -> None:
    source = write_instance("sr-verified", tmp_path / "in.dcm")
    key, certificate = pki().key_file("signer"), pki().certificate_file("signer")
    one, two, three = (tmp_path / f"{number}.dcm" for number in (1, 2, 3))
    place = "ContentSequence[0]"
    assert dcmsign("+si", key, certificate, place, "+m2", source, one) == 0
    signed(one, two, "+m5", "+sp", "1", case="signer_second")
    signed(two, three, "+m3", "-t", "PatientName", "-t", "0020,000D")
    result = verified(three)
    assert result.standing is Standing.VALID
    assert sorted((each.location, each.algorithm) for each in result.signatures) == [
        ("", "SHA384"),
        ("", "SHA512"),
        ("(0040,A730)[1]", "SHA256"),
    ]
    by_algorithm = {each.algorithm: each for each in result.signatures}
    assert by_algorithm["SHA384"].signed == ("(0010,0010)", "(0020,000D)")
    assert by_algorithm["SHA512"].purposes[0].value == "1"


@pytest.mark.parametrize("name", ["ct", "sr-verified", "mr-rle", "encapsulated-pdf"])
def test_both_say_the_same_of_what_was_tampered_with(tmp_path: Path, name: str) -> None:
    """But for reserved fields, lengths, and the two sequences themselves: dcmsign reads on where a length contradicts
    another or a VR is not what is due, and takes the reserved field for zero, which the MAC holds as it stands (PS3.3
    C.12.1.1.3.1.2). What it calls invalid is never valid to us."""
    path = signed(write_instance(name, tmp_path / "in.dcm"), tmp_path / "out.dcm", "+m2", "-pf")
    octets = path.read_bytes()
    with open_dicom(path) as file:
        start = file.meta_end
        table = file.table
        lenient = {
            offset
            for row in range(len(table))
            for offset in range(
                table.starts[row] + (4 if table.tags[row] == ITEM else 6), table.starts[row] + table.header(row)
            )
        }
        macros = (file.root.get(MAC_PARAMETERS), file.root.get(DIGITAL_SIGNATURES))
        lenient.update(offset for each in macros if each for offset in range(each.start, each.end))
    wrongly, strictly = [], []
    anchors = pki().trust_anchors_file()
    offsets = range(start, len(octets), max(STEP, (len(octets) - start) // 250))
    for offset in offsets:
        other = bytearray(octets)
        other[offset] ^= 1
        path.write_bytes(other)
        ours, theirs = verified(path).standing, dcmsign("+cf", anchors, "+rg", path)
        if ours is Standing.VALID and theirs != 0:
            wrongly.append((offset - start, theirs))
        if ours is not Standing.VALID and theirs == 0 and offset not in lenient:
            strictly.append((offset - start, ours.value))
    assert not wrongly
    assert not strictly
    assert len(offsets) > 40
