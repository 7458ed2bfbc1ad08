"""``ps315 sign``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fixtures.instances import INSTANCES, write_instance
from harness.cli import run
from reference_impl.signatures.macros import read_macros
from reference_impl.signatures.reader import open_dicom
from reference_impl.signatures.references import bare_references
from reference_impl.signatures.tsa import TimestampAuthority, TsaServer
from reference_impl.signatures.verifier import Policy, verify_file
from tests.unit.signature_material import El
from tests.unit.signing_material import SERIES, pem, pki, signatures_in, signer, write


def with_key(case: str = "signer") -> list[str]:
    return ["--key", str(pki().key_file(case)), "--cert", str(pki().certificate_file(case))]


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    return write_instance("ct", tmp_path / "ct.dcm")


def test_a_file_is_signed_and_that_is_said(ct: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = ct.read_bytes()
    out = tmp_path / "signed.dcm"
    assert run(["sign", str(ct), "--out", str(out), *with_key()]) == 0
    (found,) = signatures_in(out)
    assert found.good
    said = capsys.readouterr()
    assert said.out == f"{out}: signed, {found.uid}\n"
    assert said.err == ""
    assert ct.read_bytes() == before


def test_a_folder_is_signed_as_it_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    studies, out = tmp_path / "studies", tmp_path / "studies" / "signed"
    (studies / "one" / "two").mkdir(parents=True)
    write_instance("ct", studies / "one" / "ct")
    write_instance("mr-rle", studies / "one" / "two" / "mr.dcm")
    write(studies / "DICOMDIR", El(0x00041220, "SQ", items=()))
    (studies / "notes.txt").write_text("what we saw")
    command = ["sign", str(studies), "--out", str(out), *with_key()]
    for again in (["--profile", "creator"], ["--force", "--profile", "c.2"]):
        assert run([*command, *again]) == 0
        assert "2 files signed; 1 file left out: not DICOM\n" in capsys.readouterr().out
        assert sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()) == [
            "one/ct",
            "one/two/mr.dcm",
        ]
        for path in (out / "one" / "ct", out / "one" / "two" / "mr.dcm"):
            (found,) = verify_file(path, Policy(integrity_only=True)).signatures
            assert "C.2" in found.profiles
    assert run(command) == 2
    assert "is there already; replace it with --force" in capsys.readouterr().err


def test_patterns_and_several_inputs_go_into_a_folder(tmp_path: Path) -> None:
    for name in ("ct", "us-multiframe"):
        (tmp_path / name).mkdir()
        write_instance(name, tmp_path / name / f"{name}.dcm")
    out = tmp_path / "out"
    assert run(["sign", str(tmp_path / "*" / "*.dcm"), "--out", str(out), *with_key(), "--quiet"]) == 0
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.dcm")) == [
        "ct/ct.dcm",
        "us-multiframe/us-multiframe.dcm",
    ]
    inputs = [str(tmp_path / "ct" / "ct.dcm"), str(tmp_path / "us-multiframe")]
    assert run(["sign", *inputs, "--out", str(tmp_path / "flat"), *with_key(), "--quiet"]) == 0
    assert sorted(path.name for path in (tmp_path / "flat").iterdir()) == ["ct.dcm", "us-multiframe.dcm"]
    assert run(["sign", inputs[0], "--out", f"{tmp_path}/made/", *with_key(), "--quiet"]) == 0
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["ct.dcm"]


def test_what_cannot_be_signed_does_not_keep_the_rest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    studies, out = tmp_path / "studies", tmp_path / "out"
    studies.mkdir()
    for name in ("ct", "ct-big-endian", "ct-implicit"):
        write_instance(name, studies / name)
    broken = write_instance("ct", studies / "broken")
    broken.write_bytes(broken.read_bytes()[:-100])
    assert run(["sign", str(studies), "--out", str(out), *with_key()]) == 2
    said = capsys.readouterr()
    assert [path.name for path in out.iterdir()] == ["ct"]
    assert "1 file signed" in said.out
    assert len(said.err.splitlines()) == 3
    assert said.err.count("convert it to Explicit VR Little Endian first") == 2
    assert f"{broken}: " in said.err


def test_items_and_elements_by_tag_or_keyword(tmp_path: Path) -> None:
    source, out = write_instance("sr-unverified", tmp_path / "sr.dcm"), tmp_path / "out.dcm"
    command = ["sign", str(source), "--out", str(out), *with_key(), "--force", "--quiet"]
    assert run([*command, "--item", "ContentSequence[1]", "--item", "(0040,a730)[2]", "--mac", "sha-512"]) == 0
    assert [(each.location, each.good) for each in signatures_in(out)] == [
        ("(0040,A730)[1]", True),
        ("(0040,A730)[2]", True),
    ]
    assert run([*command, "--tag", "PatientID", "--tag", "0010,0010", "--tag", "(0008,0018)", "--tag", "00080016"]) == 0
    (found,) = signatures_in(out)
    assert found.listed == (0x00080016, 0x00080018, 0x00100010, 0x00100020)


def test_a_verified_report_with_its_evidence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = write_instance("sr-verified", tmp_path / "sr.dcm"), tmp_path / "out.dcm"
    command = ["sign", str(source), "--out", str(out), *with_key(), "--force", "--verification"]
    assert run(command) == 0
    assert f"{bare_references(source)} evidence reference" in capsys.readouterr().err
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    for name in (*INSTANCES["sr-verified"].refers_to, *INSTANCES["sr-verified"].other_evidence):
        write_instance(name, evidence / name)
    assert run([*command, "--reference", str(evidence)]) == 0
    assert capsys.readouterr().err == ""
    result = verify_file(out, Policy(integrity_only=True))
    assert "C.4" in result.signatures[0].profiles
    assert result.signatures[0].purposes[0].value == "5"
    assert bare_references(out) == 0


def test_a_timestamp_is_asked_for(ct: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    issued, out = pki().issue("tsa"), tmp_path / "out.dcm"
    with TsaServer(TimestampAuthority(issued.certificate, issued.key)) as server:
        url = server.url
        assert run(["sign", str(ct), "--out", str(out), *with_key(), "--timestamp", url]) == 0
    with open_dicom(out) as file:
        (signature,) = read_macros(file)[0].signatures
        assert signature.timestamp_type == "CMS_TSP"
        assert signature.timestamp
    capsys.readouterr()
    assert run(["sign", str(ct), "--out", str(tmp_path / "2.dcm"), *with_key(), "--timestamp", url]) == 2
    assert "check --timestamp, or sign without" in capsys.readouterr().err
    assert not (tmp_path / "2.dcm").exists()


def test_keys_with_passwords_weak_ones_and_others(
    ct: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(pem(signer().key, b"s3cret"))
    protected = ["sign", str(ct), "--key", str(key), "--cert", str(pki().certificate_file("signer"))]
    protected += ["--out", str(tmp_path / "1.dcm")]
    assert run(protected) == 2
    assert "named by --password-env" in capsys.readouterr().err
    assert run([*protected, "--password-env", "PS315_TEST_PASSWORD"]) == 2
    assert "no such environment variable" in capsys.readouterr().err
    monkeypatch.setenv("PS315_TEST_PASSWORD", "s3cret")
    assert run([*protected, "--password-env", "PS315_TEST_PASSWORD"]) == 0
    weak = ["sign", str(ct), *with_key("signer_rsa_1024"), "--out", str(tmp_path / "2.dcm")]
    assert run(weak) == 2
    assert "--allow-weak-key" in capsys.readouterr().err
    assert run([*weak, "--allow-weak-key"]) == 0
    elliptic = ["sign", str(ct), *with_key("signer_ec"), "--out", str(tmp_path / "3.dcm")]
    assert run(elliptic) == 2
    assert "--profile none" in capsys.readouterr().err
    assert run([*elliptic, "--profile", "none"]) == 0
    assert verify_file(tmp_path / "3.dcm", Policy(integrity_only=True)).signatures[0].scheme == "ecdsa"


def test_what_verifiers_will_doubt_is_noted(ct: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["sign", str(ct), "--out", str(tmp_path / "out.dcm"), "--force"]
    assert run([*command, *with_key("signer_expired"), "--mac", "MD5"]) == 0
    said = capsys.readouterr().err
    assert "note: the certificate expired on" in said
    assert "note: MD5 is weak" in said
    assert run([*command, *with_key("signer_not_yet_valid")]) == 0
    assert "not valid before" in capsys.readouterr().err
    assert run([*command, *with_key("signer_tls_only")]) == 0
    assert "key usage is not for signatures" in capsys.readouterr().err
    assert run([*command, *with_key("signer_without_key_usage")]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--profile", "C2"], "choose base, creator, authorization, sr, none"),
        (["--mac", "SHA3"], "choose RIPEMD160, MD5, SHA1, SHA256, SHA384, SHA512"),
        (["--purpose", "19"], "1 Author's Signature"),
        (["--profile", "sr"], "demands a purpose; add --purpose 1"),
        (["--profile", "sr", "--purpose", "1"], "neither a structured report nor a key object selection"),
        (["--verification", "--profile", "base"], "leave out what contradicts it"),
        (["--verification", "--purpose", "1"], "leave out what contradicts it"),
        (["--tag", "PatientIdentity"], "is no element; write its tag"),
        (["--tag", "10,20"], "is no element"),
        (["--tag", "(0010,4000)"], "is not in the data set"),
        (["--item", "ContentSequence[0]"], "counted from 1"),
        (["--item", "ContentSequence"], "is no place of an item"),
        (["--item", "(0040,A730)[1]"], "there is no (0040,A730)"),
        (["--item", "(0040,A730)[1]", "--profile", "creator"], "is about whole files"),
        (["--timestamp", "tsa.example.org"], "is no URL"),
        (["--reference", "nowhere"], "there is no such folder"),
        (["--key", "nowhere"], "cannot be read"),
        (["--out", "nowhere/out.dcm"], "there is no folder nowhere"),
    ],
)
def test_wrong_orders_are_told_in_a_sentence(
    ct: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert run(["sign", str(ct), "--out", str(tmp_path / "out.dcm"), *with_key(), *arguments]) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert said.err.startswith("ps315: ")
    assert len(said.err.splitlines()) == 1
    assert "Traceback" not in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["ct.dcm"]


def test_wrong_places_are_told(ct: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other").mkdir()
    other = write(tmp_path / "other" / "ct.dcm", *SERIES)
    text = tmp_path / "text"
    text.write_text("no DICOM file")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for inputs, out, says in (
        ([ct], ct, "originals are never written to"),
        ([tmp_path], tmp_path, "originals are never written to"),
        ([ct, other], tmp_path / "out", "would both be written to"),
        ([ct, other], text, "a folder is due"),
        ([tmp_path / "absent"], tmp_path / "out", "there is no such file or folder"),
        ([tmp_path / "*.absent"], tmp_path / "out", "no file fits"),
        ([text], tmp_path / "out", "it is no DICOM file"),
        ([pipe], tmp_path / "out", "is neither file nor folder"),
    ):
        before = sorted(tmp_path.rglob("*"))
        assert run(["sign", *map(str, inputs), "--out", str(out), *with_key()]) == 2, inputs
        said = capsys.readouterr().err
        assert says in said
        assert sorted(tmp_path.rglob("*")) == before


def test_no_original_is_overwritten_by_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write_instance("ct", tmp_path / folder / "ct.dcm")
    before = (tmp_path / "two" / "ct.dcm").read_bytes()
    assert run(["sign", "--force", str(tmp_path / "one"), "--out", str(tmp_path / "two"), *with_key()]) == 0
    (tmp_path / "two" / "ct.dcm").write_bytes(before)
    inputs = [str(tmp_path / "one"), str(tmp_path / "two" / "ct.dcm")]
    capsys.readouterr()
    assert run(["sign", "--force", *inputs, "--out", str(tmp_path / "two"), *with_key()]) == 2
    assert "originals are never written to" in capsys.readouterr().err
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "ct.dcm").hardlink_to(tmp_path / "two" / "ct.dcm")
    (tmp_path / "two" / "ct.dcm").rename(tmp_path / "two" / "other.dcm")
    inputs[1] = str(tmp_path / "two" / "other.dcm")
    assert run(["sign", "--force", *inputs, "--out", str(tmp_path / "out"), *with_key()]) == 2
    assert "originals are never written to" in capsys.readouterr().err
    assert (tmp_path / "two" / "other.dcm").read_bytes() == before


def test_odd_names_and_repeated_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_instance("ct", tmp_path / "1").rename(tmp_path / ("\N{CJK UNIFIED IDEOGRAPH-5F71}" * 84))
    odd = write_instance("ct", tmp_path / "2").rename(tmp_path / "\x1b[31mred\n")
    command = ["sign", str(source), str(odd), str(source), "--out", str(tmp_path / "out"), *with_key()]
    assert run(command) == 0
    said = capsys.readouterr().out
    assert "2 files signed" in said
    assert "\x1b" not in said
    assert len(said.splitlines()) == 3


def test_a_named_file_that_is_no_dicom_file_is_told(
    ct: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("what we saw")
    assert run(["sign", str(ct), str(text), "--out", str(tmp_path / "out"), *with_key()]) == 2
    said = capsys.readouterr()
    assert f"{text}: it is no DICOM file" in said.err
    assert "1 file signed" in said.out


def test_help_and_what_is_missing(ct: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sign", "--help"]) == 0
    assert "--allow-weak-key" in capsys.readouterr().out
    for arguments, says in (
        (["--out", str(tmp_path / "out.dcm")], "--key"),
        (with_key(), "--out"),
        ([*with_key(), "--out", str(tmp_path / "out.dcm"), "--mack", "SHA1"], "--mack"),
    ):
        assert run(["sign", str(ct), *arguments]) == 2
        assert says in capsys.readouterr().err
    assert run(["sign", *with_key(), "--out", str(tmp_path / "out.dcm")]) == 2
    assert "INPUT" in capsys.readouterr().err
