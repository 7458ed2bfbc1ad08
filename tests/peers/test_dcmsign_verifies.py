"""DCMTK's dcmsign verifies what we sign: every algorithm, key, profile, transfer syntax and level, timestamps too."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import pydicom.data
import pytest

from fixtures.instances import INSTANCES, write_instance
from fixtures.pki import Pki
from reference_impl.signatures.algorithms import ALGORITHMS
from reference_impl.signatures.creator import SigningError, SigningOrder, sign_file
from reference_impl.signatures.deviations import Deviations
from reference_impl.signatures.keys import Signer, load_signer
from reference_impl.signatures.mac import signable
from reference_impl.signatures.purposes import VERIFICATION, purposes
from reference_impl.signatures.reader import UnreadableError, open_dicom
from reference_impl.signatures.tsa import TimestampAuthority, TsaServer
from reference_impl.signatures.verifier import Policy, verify_file
from tests.missing import lacking
from tests.peers.starters import PeerMissing
from tests.peers.starters.process import program

pytestmark = pytest.mark.peer

TRIMMED = {"odd-padding": {0x00080080, 0x00081030, 0x0008103E, 0x00204000}}
"""Values with several trailing blanks: dcmsign drops these when it reads, so that its MAC is not of the Value as
PS3.3 C.12.1.1.3.1.2 wants it. What it calls corrupted is as it was signed."""
OTHER_LISTS = {
    "ct": "its list has Acquisition Date and Time, which newer editions keep outside the General Image Module",
    "odd-unknown-vr": "it demands elements of VR UN as well, which PS3.3 C.12.1.1.3.1.1 forbids to sign",
}
"""Instances whose signatures verify, but are none of that profile to dcmsign."""
SIGNABLE = [name for name, spec in INSTANCES.items() if spec.explicit_little_endian]
DOCUMENTS = [name for name, spec in INSTANCES.items() if spec.document and name != "sr-two-observers"]
AUTHOR = purposes()["1"]


@cache
def pki() -> Pki:
    return Pki.create()


@cache
def signer(case: str = "signer") -> Signer:
    return load_signer(pki().key_file(case), pki().certificate_file(case))


def dcmsign() -> str:
    """The program."""
    try:
        return program("dcmsign")
    except PeerMissing as problem:
        lacking(str(problem))


def verdict(path: Path, *options: str, anchors: tuple[str, ...] = ("ca", "ca_ec")) -> tuple[int, str]:
    """Exit status (0: all signatures verify, and there is one) and words of dcmsign."""
    command = [dcmsign(), "-v", "+rg", "+cf", str(pki().trust_anchors_file(*anchors)), *options, str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60, check=False)
    return ended.returncode, ended.stdout + ended.stderr


def verified(path: Path, count: int = 1, *options: str) -> None:
    status, words = verdict(path, *options)
    assert status == 0, words
    assert f"{count} signature" in words, words
    assert "0 corrupted" in words, words


def test_it_tells_good_from_bad(tmp_path: Path) -> None:
    """The check on the check: one octet changed in what was signed."""
    out = tmp_path / "out.dcm"
    sign_file(write_instance("ct", tmp_path / "in.dcm"), out, [SigningOrder()], signer())
    verified(out)
    with open_dicom(out) as file:
        pixels = file.root.get(0x7FE00010)
        assert pixels is not None
        last = pixels.end - 1
    octets = bytearray(out.read_bytes())
    octets[last] ^= 1
    out.write_bytes(octets)
    assert verdict(out)[0] == 101


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("case", ["signer", "signer_rsa_1024", "signer_rsa_3072", "signer_rsa_4096", "signer_ec"])
def test_every_algorithm_and_key(tmp_path: Path, algorithm: str, case: str) -> None:
    out = tmp_path / "out.dcm"
    order = SigningOrder(profile="" if case == "signer_ec" else "C.1", algorithm=algorithm, allow_weak_key=True)
    sign_file(write_instance("ct", tmp_path / "in.dcm"), out, [order], signer(case))
    verified(out)


@pytest.mark.parametrize("profile", ["C.1", "C.2", "C.3"])
@pytest.mark.parametrize("name", SIGNABLE)
def test_every_instance_under_every_profile(tmp_path: Path, name: str, profile: str) -> None:
    out = tmp_path / "out.dcm"
    source = write_instance(name, tmp_path / "in.dcm")
    sign_file(source, out, [SigningOrder(profile=profile)], signer())  # type: ignore[arg-type]
    if name not in TRIMMED:
        demanded = {"C.1": (), "C.2": ("+rc",), "C.3": ("+ru",)}[profile]
        verified(out)
        status, words = verdict(out, *demanded)
        assert status == (102 if demanded and name in OTHER_LISTS else 0), words
        return
    assert verdict(out)[0] == 101
    with open_dicom(source) as file:
        rest = tuple(tag for tag in signable(file.root) if tag not in TRIMMED[name])
    sign_file(source, out, [SigningOrder(tags=rest)], signer())
    verified(out)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_under_the_profile_for_reports(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out.dcm"
    source = write_instance(name, tmp_path / "in.dcm")
    sign_file(source, out, [SigningOrder(profile="C.4", purpose=AUTHOR)], signer())
    verified(out, 1, "+rs")
    if name == "sr-verified":
        sign_file(source, out, [SigningOrder(profile="C.4", purpose=VERIFICATION)], signer())
        verified(out, 1, "+rs")


@pytest.mark.parametrize("undefined", [False, True])
def test_several_signatures_at_several_levels(tmp_path: Path, undefined: bool) -> None:
    first, second = tmp_path / "1.dcm", tmp_path / "2.dcm"
    way = Deviations(undefined_lengths=undefined)
    source = write_instance("odd-nested", tmp_path / "in.dcm")
    with open_dicom(source) as file:
        places = []
        level = file.root
        while inner := next((each.items[0] for each in level.elements if each.vr == "SQ" and each.items), None):
            places.append(inner.location)
            level = inner
    assert len(places) > 5
    orders = [SigningOrder(purpose=AUTHOR), *(SigningOrder(location=place) for place in places)]
    sign_file(source, first, orders, signer(), way)
    verified(first, len(orders))
    more = [SigningOrder(signer=signer("signer_second"), location=places[-1], algorithm="SHA512"), SigningOrder()]
    sign_file(first, second, more, signer(), way)
    verified(second, len(orders) + 2)


@pytest.mark.parametrize("algorithm", ["SHA256", "SHA512"])
def test_a_timestamp(tmp_path: Path, algorithm: str) -> None:
    from reference_impl.signatures.timestamp_requests import request_timestamp

    out = tmp_path / "out.dcm"
    issued = pki().issue("tsa")
    with TsaServer(TimestampAuthority(issued.certificate, issued.key)) as server:
        order = SigningOrder(timestamp=lambda value: request_timestamp(server.url, value, algorithm))
        sign_file(write_instance("ct", tmp_path / "in.dcm"), out, [order], signer())
    verified(out, 1, "+tr")


REAL_TRIMMED = {"SC_rgb_gdcm_KY.dcm", "examples_ybr_color.dcm"}
"""As `TRIMMED`: Image Type with two trailing blanks; Ethnic Group of blanks alone."""


def test_real_objects(tmp_path: Path) -> None:
    """pydicom's own test files: many transfer syntaxes, multi-frame, reports, encapsulated documents, oddities."""
    out, checked, differing = tmp_path / "out.dcm", 0, {}
    for source in sorted(Path(pydicom.data.__file__).parent.rglob("*.dcm")):
        try:
            sign_file(source, out, [SigningOrder()], signer())
        except (SigningError, UnreadableError):
            continue  # other encodings, truncated, contradicting themselves
        checked += 1
        status, words = verdict(out)
        if status:
            differing[source.name] = words
    assert checked > 50
    assert differing.keys() <= REAL_TRIMMED, differing


@pytest.mark.parametrize("name", ["ct", "mr-rle", "sr-verified", "enhanced-mr", "odd-group-lengths", "ct-deflated"])
def test_signatures_of_both_stand_beside_each_other(tmp_path: Path, name: str) -> None:
    """dcmsign signs what we signed, and we sign that again, at the top and in an item: all of them verify."""
    source, ours, theirs, both = (tmp_path / each for each in ("in.dcm", "ours.dcm", "theirs.dcm", "both.dcm"))
    sign_file(write_instance(name, source), ours, [SigningOrder(profile="C.2")], signer())
    key, certificate = str(pki().key_file("signer_second")), str(pki().certificate_file("signer_second"))
    command = [dcmsign(), "+s", key, certificate, "+m5", str(ours), str(theirs)]
    subprocess.run(command, capture_output=True, timeout=60, check=True)
    verified(theirs, 2)
    with open_dicom(theirs) as file:
        items = next(
            (each.items for each in file.root.elements if each.vr == "SQ" and each.items and each.tag < 0x4FFE0001), ()
        )
        orders = [SigningOrder(algorithm="RIPEMD160"), *(SigningOrder(location=item.location) for item in items or ())]
    sign_file(theirs, both, orders, signer())
    verified(both, 2 + len(orders))
    result = verify_file(both, Policy(integrity_only=True))
    assert [each.standing for each in result.signatures] == ["valid"] * (2 + len(orders))
    assert len(set(result.mac_ids)) == len(result.mac_ids)
