"""dcmsign signs every instance under every profile; our tables find the profile followed.

Its lists are transcribed from edition 2019c by others, so that this holds our tables against theirs on objects.
"""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import pytest

from fixtures.instances import INSTANCES, write_instance
from fixtures.pki import Pki
from reference_impl.signatures.profiles import required_tags
from reference_impl.signatures.results import SignatureResult, Standing
from reference_impl.signatures.verifier import verify_file
from tests.missing import lacking
from tests.peers.starters import PeerMissing
from tests.peers.starters.process import program

pytestmark = pytest.mark.peer

OPTIONS = {"C.2": "--profile-creator", "C.3": "--profile-auth", "C.4": "--profile-sr"}
UNSIGNABLE = {"odd-unknown-vr"}  # dcmsign asks for elements of VR UN, too, which it then refuses to sign
NAMES = [name for name, spec in INSTANCES.items() if spec.explicit_little_endian and name not in UNSIGNABLE]
DOCUMENTS = [name for name in NAMES if INSTANCES[name].document and name != "sr-two-observers"]
VERIFICATION = ("--sig-purpose", "5")


@cache
def pki() -> Pki:
    return Pki.create()


def signed(name: str, folder: Path, *options: str) -> Path:
    """The instance `name` signed by dcmsign."""
    try:
        dcmsign = program("dcmsign")
    except PeerMissing as problem:
        lacking(str(problem))
    source, target = write_instance(name, folder / f"{name}.dcm"), folder / "signed.dcm"
    key, certificate = pki().key_file("signer"), pki().certificate_file("signer")
    command = [dcmsign, "--sign", str(key), str(certificate), *options, str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def only_signature(path: Path) -> SignatureResult:
    (found,) = verify_file(path).signatures
    return found


@pytest.mark.parametrize("profile", ["C.2", "C.3"])
@pytest.mark.parametrize("name", NAMES)
def test_what_dcmsign_signs_under_a_profile_follows_it(name: str, profile: str, tmp_path: Path) -> None:
    found = only_signature(signed(name, tmp_path, OPTIONS[profile]))
    assert found.mac is Standing.VALID, found.reasons
    assert profile in found.profiles


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_dcmsign_signs_as_a_report_follows_the_profile(name: str, tmp_path: Path) -> None:
    verified = name == "sr-verified"
    profile = "--profile-srv" if verified else OPTIONS["C.4"]
    path = signed(name, tmp_path, profile, *(VERIFICATION if verified else ("--sig-purpose", "1")))
    found = only_signature(path)
    assert (found.mac, "C.4" in found.profiles) == (Standing.VALID, True), found.reasons
    result = verify_file(path)
    assert set(required_tags("C.4", result.present, verified)) <= set(found.signed)


@pytest.mark.parametrize("name", ["ct", "sr-verified", "enhanced-mr"])
def test_the_base_profile_alone_is_none_of_the_others(name: str, tmp_path: Path) -> None:
    found = only_signature(signed(name, tmp_path, "--profile-base", "--tag", "0008,0016"))
    assert (found.mac, found.profiles) == (Standing.VALID, ("C.1",))
