"""A signed report says when anything in it was changed, and openssl agrees."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import cms
from cryptography.hazmat.primitives import serialization
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from fixtures.pki import AUTHORITY, SERVER, CertificateSpec, Pki, certify
from reports.signing import SigningProblem, sign, verify
from reports.verification import check_signature

DAY = timedelta(days=1)
SIGNER = CertificateSpec(common_name="Dr. M. Weber")
SCHEMA = Path(__file__).parents[2] / "harness" / "schemas" / "manifest.schema.json"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki.create(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def report(tmp_path: Path) -> Path:
    directory = tmp_path / "report"
    (directory / "evidence").mkdir(parents=True)
    for name in ("report.json", "report.html", "junit.xml", "run.jsonl", "evidence/dimse-0001.txt"):
        (directory / name).write_text(f"content of {name}\r\nsecond line\n", encoding="utf-8", newline="")
    return directory


@pytest.fixture
def signed(report: Path, pki: Pki) -> Path:
    sign(report, pki.key_file("client"), pki.certificate_file("client"))
    return report


@pytest.fixture
def ca(pki: Pki) -> Path:
    return pki.trust_anchors_file("ca")


def test_an_untouched_report_has_no_problem(signed: Path, ca: Path) -> None:
    assert verify(signed, ca) == []


@pytest.mark.parametrize("key", ["rsa-2048", "ec-secp256r1", "ec-secp384r1"])
def test_openssl_agrees(report: Path, pki: Pki, tmp_path: Path, key: str) -> None:
    issued = pki.issue_spec(replace(SIGNER, key=key), "ca")
    (tmp_path / "key.pem").write_bytes(issued.key_pem)
    (tmp_path / "cert.pem").write_bytes(issued.chain_pem)
    anchors = pki.trust_anchors_file("ca")
    sign(report, tmp_path / "key.pem", tmp_path / "cert.pem")
    assert verify(report, anchors) == []
    for content, signature in (("manifest.json", "signature.p7s"), ("report.json", "report.json.p7s")):
        arguments = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-purpose", "any"]
        arguments += ["-in", str(report / signature), "-content", str(report / content)]
        arguments += ["-CAfile", str(anchors), "-out", os.devnull]
        assert subprocess.run(arguments, capture_output=True, check=False).returncode == 0
        (report / content).write_text("changed")
        assert subprocess.run(arguments, capture_output=True, check=False).returncode != 0


def test_the_manifest_fits_its_schema(signed: Path) -> None:
    manifest = json.loads((signed / "manifest.json").read_text())
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(manifest)
    assert set(manifest["files"]) == {"report.json", "report.html", "junit.xml", "run.jsonl", "evidence/dimse-0001.txt"}


@pytest.mark.parametrize("name", ["report.json", "report.html", "junit.xml", "run.jsonl", "evidence/dimse-0001.txt"])
def test_a_changed_file_is_told(signed: Path, ca: Path, name: str) -> None:
    with (signed / name).open("ab") as file:
        file.write(b" ")
    problems = verify(signed, ca)
    assert f"{name} was changed after signing" in problems


@pytest.mark.parametrize("name", ["report.json", "report.html", "evidence/dimse-0001.txt", "report.json.p7s"])
def test_a_missing_file_is_told(signed: Path, ca: Path, name: str) -> None:
    (signed / name).unlink()
    assert f"{name} is missing" in verify(signed, ca)


def test_added_evidence_is_told(signed: Path, ca: Path) -> None:
    (signed / "evidence" / "more").mkdir()
    (signed / "evidence" / "more" / "dimse-0002.txt").write_text("invented")
    assert verify(signed, ca) == ["evidence/more/dimse-0002.txt was added after signing"]


def test_evidence_replaced_by_a_link_is_told(signed: Path, ca: Path, tmp_path: Path) -> None:
    original = signed / "evidence" / "dimse-0001.txt"
    original.rename(tmp_path / "elsewhere.txt")
    original.symlink_to(tmp_path / "elsewhere.txt")
    assert verify(signed, ca) == ["evidence/dimse-0001.txt is no regular file"]


def test_a_manifest_made_to_fit_a_changed_file_is_told(signed: Path, ca: Path, pki: Pki, tmp_path: Path) -> None:
    (signed / "report.html").write_text("all is well")
    copy = tmp_path / "copy"
    shutil.copytree(signed, copy)
    sign(copy, pki.key_file("server"), pki.certificate_file("server"))
    shutil.copy(copy / "manifest.json", signed / "manifest.json")
    problems = verify(signed, ca)
    assert len(problems) == 1
    assert problems[0].startswith("manifest.json: it is not what was signed")


def test_a_report_swapped_with_its_own_signature_is_told(signed: Path, ca: Path, pki: Pki, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "report.json").write_text("another device")
    sign(other, pki.key_file("client"), pki.certificate_file("client"))
    for name in ("report.json", "report.json.p7s"):
        shutil.copy(other / name, signed / name)
    assert verify(signed, ca) == ["report.json was changed after signing"]


def test_signatures_swapped_with_each_other_are_told(signed: Path, ca: Path) -> None:
    shutil.copy(signed / "report.json.p7s", signed / "signature.p7s")
    assert any("belongs to another file" in problem for problem in verify(signed, ca))


def test_a_signer_of_another_authority_is_told(signed: Path, pki: Pki) -> None:
    problems = verify(signed, pki.trust_anchors_file("ca_unknown"))
    assert len(problems) == 2
    assert all("does not lead to a trusted authority" in problem for problem in problems)


def test_an_authority_of_the_same_name_is_told(signed: Path, pki: Pki, tmp_path: Path) -> None:
    impostor = certify(replace(AUTHORITY, common_name="PS315 Test Root RSA"), owner="impostor")
    (tmp_path / "impostor.pem").write_bytes(impostor.certificate_pem)
    assert all(
        "does not lead to a trusted authority" in problem for problem in verify(signed, tmp_path / "impostor.pem")
    )


@pytest.mark.parametrize("makes_authority", [True, False])
def test_only_an_authority_may_stand_between(report: Path, pki: Pki, tmp_path: Path, makes_authority: bool) -> None:
    between = replace(AUTHORITY if makes_authority else SERVER, common_name="PS315 Between")
    issued = certify(SIGNER, pki.issue_spec(between, "ca"))
    (tmp_path / "key.pem").write_bytes(issued.key_pem)
    (tmp_path / "cert.pem").write_bytes(issued.chain_pem)
    sign(report, tmp_path / "key.pem", tmp_path / "cert.pem")
    problems = verify(report, pki.trust_anchors_file("ca"))
    assert (problems == []) is makes_authority


def test_a_path_length_is_kept(report: Path, pki: Pki, tmp_path: Path) -> None:
    lower = certify(replace(AUTHORITY, common_name="PS315 Too Deep"), pki.issue("intermediate"))
    issued = certify(SIGNER, lower)
    (tmp_path / "key.pem").write_bytes(issued.key_pem)
    (tmp_path / "cert.pem").write_bytes(issued.chain_pem)
    sign(report, tmp_path / "key.pem", tmp_path / "cert.pem")
    assert any(
        "does not lead to a trusted authority" in problem for problem in verify(report, pki.trust_anchors_file("ca"))
    )


def test_a_certificate_that_had_expired_when_signing_is_told(report: Path, pki: Pki, ca: Path) -> None:
    sign(report, pki.key_file("client_expired"), pki.certificate_file("client_expired"))
    problems = verify(report, ca)
    assert len(problems) == 2
    assert all("was not valid at the signing time" in problem for problem in problems)


def test_a_certificate_that_has_expired_since_is_told(signed: Path, ca: Path) -> None:
    problems = verify(signed, ca, at=datetime.now(UTC) + 200 * DAY)
    assert len(problems) == 2
    assert all("expired on" in problem and "own word" in problem for problem in problems)


def test_a_signing_time_in_the_future_is_told(signed: Path, ca: Path) -> None:
    assert all("lies in the future" in problem for problem in verify(signed, ca, at=datetime.now(UTC) - DAY / 2))


def _changed(signed: Path, change: Callable[[cms.SignedData], None]) -> None:
    path = signed / "signature.p7s"
    info = cms.ContentInfo.load(path.read_bytes())
    change(info["content"])
    path.write_bytes(info.dump(force=True))


def test_a_changed_signing_time_is_told(signed: Path, ca: Path) -> None:
    def earlier(content: cms.SignedData) -> None:
        for attribute in content["signer_infos"][0]["signed_attrs"]:
            if attribute["type"].native == "signing_time":
                time = cms.Time({"utc_time": datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)})
                attribute["values"] = cms.SetOfTime([time])

    _changed(signed, earlier)
    assert verify(signed, ca) == ["manifest.json: the signature is not valid"]


def test_a_signature_without_signed_attributes_is_told(signed: Path, ca: Path) -> None:
    def bare(content: cms.SignedData) -> None:
        content["signer_infos"][0]["signed_attrs"] = cms.CMSAttributes([])

    _changed(signed, bare)
    assert len(verify(signed, ca)) == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_signatures_are_told_and_raise_nothing(signed: Path, pki: Pki, data: st.DataObject) -> None:
    good = (signed / "signature.p7s").read_bytes()
    manifest = (signed / "manifest.json").read_bytes()
    damaged = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(good) - 1))] ^= data.draw(st.integers(1, 255))
    cut = bytes(damaged[: data.draw(st.integers(0, len(good)))])
    anchors = [pki.issue("ca").certificate]
    assert check_signature("manifest.json", manifest, cut, anchors) or cut == good or _same_meaning(cut, good)


def _same_meaning(damaged: bytes, good: bytes) -> bool:
    """Whether only what no verification looks at was damaged, such as the unsigned version number."""
    one, other = (cms.ContentInfo.load(data)["content"]["signer_infos"][0] for data in (damaged, good))
    fields = ("signed_attrs", "signature")
    return all(one[name].dump() == other[name].dump() for name in fields)


@given(garbage=st.binary(max_size=300))
def test_garbage_is_told_and_raises_nothing(garbage: bytes) -> None:
    assert check_signature("manifest.json", b"{}", garbage, [])


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b"{}",
        b'{"files": []}',
        b'{"files": {"../secret": "00"}}',
        b'{"files": {"/etc/passwd": "00"}}',
        b"[" * 100_000,
    ],
)
def test_a_strange_manifest_is_told(signed: Path, ca: Path, manifest: bytes) -> None:
    (signed / "manifest.json").write_bytes(manifest)
    assert "manifest.json is not a manifest of this tool" in verify(signed, ca)


@pytest.mark.parametrize("missing", ["manifest.json", "signature.p7s"])
def test_an_unsigned_report_is_the_users_problem(signed: Path, ca: Path, missing: str) -> None:
    (signed / missing).unlink()
    with pytest.raises(SigningProblem, match=f"{missing} is missing"):
        verify(signed, ca)


def test_a_wrong_authority_file_is_the_users_problem(signed: Path, pki: Pki, tmp_path: Path) -> None:
    with pytest.raises(SigningProblem, match="holds no PEM certificate"):
        verify(signed, pki.key_file("client"))
    with pytest.raises(SigningProblem, match="cannot be read"):
        verify(signed, tmp_path / "none.pem")


def test_wrong_files_are_not_signed_with(report: Path, pki: Pki, tmp_path: Path) -> None:
    with pytest.raises(SigningProblem, match="is not the key of"):
        sign(report, pki.key_file("server"), pki.certificate_file("client"))
    with pytest.raises(SigningProblem, match="holds no PEM private key"):
        sign(report, pki.certificate_file("client"), pki.certificate_file("client"))
    with pytest.raises(SigningProblem, match=r"report\.json is missing"):
        sign(tmp_path, pki.key_file("client"), pki.certificate_file("client"))
    ed25519 = pki.issue("server_ed25519")
    (tmp_path / "ed.key").write_bytes(ed25519.key_pem)
    with pytest.raises(SigningProblem, match="RSA or an EC key"):
        sign(report, tmp_path / "ed.key", pki.certificate_file("client"))
    assert not (report / "manifest.json").exists()


def test_an_encrypted_key_needs_its_password(report: Path, pki: Pki, ca: Path, tmp_path: Path) -> None:
    key = serialization.load_pem_private_key(pki.issue("client").key_pem, None)
    locked = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"open")
    )
    (tmp_path / "locked.key").write_bytes(locked)
    for password, message in ((None, "a password is needed"), ("wrong", "password is wrong")):
        with pytest.raises(SigningProblem, match=message):
            sign(report, tmp_path / "locked.key", pki.certificate_file("client"), password)
    sign(report, tmp_path / "locked.key", pki.certificate_file("client"), "open")
    assert verify(report, ca) == []
