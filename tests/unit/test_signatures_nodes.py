"""The reference creator and verifier as nodes: what they sign, what they refuse, what they say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from fixtures.instances import INSTANCES, write_instance
from fixtures.pki import Pki
from reference_impl.faults import UnknownFaultError
from reference_impl.faults.objects import ROLES, behaviours_of, faults_of_objects, load_object_faults, texts_of_objects
from reference_impl.signatures.certificates import Trust
from reference_impl.signatures.keys import SigningError
from reference_impl.signatures.policy import Policy
from reference_impl.signatures.results import FileResult, Standing
from reference_impl.signatures.signing_node import SigningNode
from reference_impl.signatures.verifier import verify_file
from reference_impl.signatures.verifying_node import VerifyingNode

DOCUMENTS = ("sr-unverified", "sr-verified", "sr-partial", "kos")


@dataclass(frozen=True)
class Site:
    """A site's authority, and the instances that it has, by name and by UID."""

    pki: Pki
    instances: dict[str, Path]
    by_uid: dict[str, Path]

    @property
    def anchor(self) -> bytes:
        return self.pki.issue("ca").certificate.public_bytes(Encoding.DER)

    def signed(self, profile: str, name: str, folder: Path) -> FileResult:
        target = folder / "signed.dcm"
        uids = SigningNode(profile, pki=self.pki, references=self.by_uid.get).sign(self.instances[name], target)
        result = verify_file(target, Policy(trust=Trust((self.anchor,)), references=self.by_uid.get))
        assert {each.uid for each in result.signatures} == set(uids)
        return result


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("instances")
    instances = {name: write_instance(name, folder / f"{name}.dcm") for name in INSTANCES}
    return Site(Pki.create(), instances, {verify_file(path).sop_instance: path for path in instances.values()})


@pytest.mark.parametrize("profile", ["C.1", "C.2", "C.3"])
@pytest.mark.parametrize("name", INSTANCES)
def test_every_instance_is_signed_by_the_profile_that_is_kept(
    site: Site, tmp_path: Path, name: str, profile: str
) -> None:
    before = site.instances[name].read_bytes()
    result = site.signed(profile, name, tmp_path)
    assert result.standing is Standing.VALID, result
    at_top = [each for each in result.signatures if not each.location]
    assert [profile in each.profiles for each in at_top] == [True]
    assert site.instances[name].read_bytes() == before


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_are_signed_with_a_purpose_and_refer_securely(site: Site, tmp_path: Path, name: str) -> None:
    result = site.signed("A.4", name, tmp_path)
    assert result.standing is Standing.VALID, result
    assert all("C.4" in each.profiles for each in result.signatures)
    verified = result.document is not None and result.document.verification_flag == "VERIFIED"
    purposes = [purpose.value for each in result.signatures for purpose in each.purposes]
    assert purposes == (["1", "5"] if verified else ["1"])
    assert result.document is not None
    assert {each.standing for each in result.document.evidence} == {Standing.VALID}


def test_what_two_observers_verified_is_not_signed_under_c_4(site: Site, tmp_path: Path) -> None:
    with pytest.raises(SigningError, match=r"not signed under C\.4"):
        site.signed("C.4", "sr-two-observers", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_words_of_pixel_data_are_turned_with_the_order_of_octets(site: Site, tmp_path: Path) -> None:
    given = pydicom.dcmread(site.instances["ct-big-endian"])
    given["PixelData"].VR, given.BitsAllocated, given.Columns = "OW", 16, given.Columns // 2
    given.save_as(tmp_path / "given.dcm")
    SigningNode("C.2", pki=site.pki).sign(tmp_path / "given.dcm", tmp_path / "signed.dcm")
    made = pydicom.dcmread(tmp_path / "signed.dcm")
    assert made.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
    turned = bytearray(made.PixelData)
    turned[0::2], turned[1::2] = made.PixelData[1::2], made.PixelData[0::2]
    assert bytes(turned) == given.PixelData
    assert made.Rows == given.Rows


def test_a_verifier_says_one_word(site: Site, tmp_path: Path) -> None:
    node = VerifyingNode((site.anchor,), (site.pki.revocation_list(),))
    good, changed = tmp_path / "signed.dcm", tmp_path / "changed.dcm"
    site.signed("C.1", "ct", tmp_path)
    octets = bytearray(good.read_bytes())
    octets[octets.index(b"\x10\x00\x20\x00LO") + 8] ^= 1  # the first octet of Patient ID
    changed.write_bytes(octets)
    assert [node.answer(path) for path in (good, changed, site.instances["ct"], tmp_path / "none")] == [
        "valid",
        "invalid",
        "unverifiable",
        "unverifiable",
    ]
    stranger = VerifyingNode((site.pki.issue("ca_unknown").certificate.public_bytes(Encoding.DER),))
    assert stranger.answer(good) == "invalid"


def test_unknown_faults_are_told_with_close_names(site: Site, tmp_path: Path) -> None:
    with pytest.raises(UnknownFaultError, match=r"did you mean .*ignores-mac"):
        VerifyingNode((site.anchor,), faults=("ignore-mac",)).answer(tmp_path)
    with pytest.raises(UnknownFaultError, match="reuses-mac-ids"):
        SigningNode("C.1", ("reuse-mac-ids",), site.pki).changes  # noqa: B018 - asking for it is the test


@pytest.mark.parametrize("role", ROLES)
def test_tables_of_faults_and_behaviours_agree(role: str) -> None:
    texts, faults = texts_of_objects(role), load_object_faults(role)
    assert texts.keys() == faults.keys() == set(behaviours_of(role))
    assert all(text.endswith(".") for text in texts.values())
    assert {fault for rows in faults_of_objects(role).values() for fault in rows} == texts.keys()
    assert all(fault.breaks or fault.becomes for fault in faults.values())


def test_names_of_faults_are_of_one_role() -> None:
    names = [name for role in ("signature-creator", "signature-verifier") for name in texts_of_objects(role)]
    assert len(names) == len(set(names))
