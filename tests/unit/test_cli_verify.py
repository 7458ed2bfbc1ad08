"""``ps315 verify``: what it prints, its exit status, and that neither files nor users break it."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from fixtures.instances import write_instance
from harness import cli
from harness.commands import _plain, _verifying
from harness.commands import verify as declared
from reference_impl.signatures.creator import SigningOrder, sign_file
from reference_impl.signatures.references import References
from tests.unit.signature_material import El
from tests.unit.signing_material import PIXELS, SERIES, pki, signer, write

IDENTITY = (El(0x0020000D, "UI", b"1.2.3.41"), El(0x0020000E, "UI", b"1.2.3.42"))
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "unsigned.dcm", *SERIES, *IDENTITY, PIXELS)
    sign_file(Path("unsigned.dcm"), Path("good.dcm"), [SigningOrder(profile="C.2")], signer())
    octets = Path("good.dcm").read_bytes()
    Path("bad.dcm").write_bytes(octets.replace(PIXELS.value, bytes(64)))
    Path("cut.dcm").write_bytes(octets[:-100])
    Path("text.txt").write_text("no DICOM")


def anchors() -> tuple[str, str]:
    return "--anchors", str(pki().trust_anchors_file())


def verify(*arguments: str) -> int:
    return cli.run(["verify", *arguments])


@pytest.mark.parametrize(
    ("paths", "status"),
    [
        (["good.dcm"], 0),
        (["good.dcm", "unsigned.dcm"], 0),
        (["good.dcm", "unsigned.dcm", "--require-signature"], 1),
        (["good.dcm", "--require-profile", "C.2"], 0),
        (["good.dcm", "--require-profile", "C.4"], 1),
        (["bad.dcm"], 1),
        (["bad.dcm", "cut.dcm"], 1),
        (["good.dcm", "cut.dcm"], 3),
        (["unsigned.dcm"], 3),
        (["text.txt"], 3),
        (["good.dcm", "text.txt"], 3),
        (["g*.dcm"], 0),
        (["good.dcm", "--at", "1999-01-01"], 1),
    ],
)
def test_exit_status(paths: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(*paths, *anchors()) == status
    assert "Traceback" not in capsys.readouterr().err


def test_what_is_no_dicom_in_a_folder_is_counted_and_harms_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.dcm").unlink()
    Path("cut.dcm").unlink()
    assert verify(".", *anchors()) == 0
    assert "3 files" in (out := capsys.readouterr().out)
    assert "1 valid, 0 INVALID, 1 unsigned, 1 not DICOM" in out


def test_what_should_be_dicom_and_is_not_cannot_be_judged(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("folder")
    folder.mkdir()
    (folder / "good.dcm").write_bytes(Path("good.dcm").read_bytes())
    (folder / "lost").symlink_to("nowhere")
    assert verify("folder", *anchors()) == 3
    (folder / "lost").unlink()
    assert verify("folder", *anchors()) == 0
    (folder / "emptied.DCM").touch()
    assert verify("folder", *anchors()) == 3
    assert "emptied.DCM: cannot be judged" in capsys.readouterr().out


def test_a_terminal_gets_a_table_and_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10):
        Path(f"more{number}.dcm").write_bytes(Path("bad.dcm").read_bytes())
    mine, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", "from harness.cli import main; main()", "verify", ".", *anchors()],
        env=os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    told = b""
    with contextlib.suppress(OSError):  # how the end of a terminal shows
        while piece := os.read(mine, 65536):
            told += piece
    os.close(mine)
    assert process.wait(timeout=30) == 1
    assert b"looking for files" in told
    assert b"\x1b[1;31mINVALID" in told
    assert b"more9.dcm" in told


def test_what_is_told_of_one_file(capsys: pytest.CaptureFixture[str]) -> None:
    verify("good.dcm", "bad.dcm", *anchors())
    out = capsys.readouterr().out
    assert "good.dcm: valid" in out
    assert "CN=PS315 Test Signer" in out
    assert "C.1 C.2" in out
    assert "  not signed: who the patient is\n" in out
    assert "bad.dcm: INVALID" in out
    assert "the elements are not those that were signed" in out
    verify("good.dcm", *anchors())
    assert "    who the patient is: (0010,0010), (0010,0020)\n" in capsys.readouterr().out


def test_authorities_in_between_are_believed_through_the_anchors_alone() -> None:
    sign_file(Path("unsigned.dcm"), Path("far.dcm"), [SigningOrder()], signer("signer_through_intermediate"))
    between = Path("between.pem")
    between.write_bytes(pki().issue("intermediate").certificate_pem)
    assert verify("far.dcm", *anchors()) == 1
    assert verify("far.dcm", *anchors(), "--intermediates", str(between)) == 0
    stranger = pki().trust_anchors_file("ca_unknown")
    assert verify("far.dcm", "--anchors", str(stranger), "--intermediates", str(between)) == 1


def test_without_anchors_it_says_what_it_knows_and_how_to_know_more(capsys: pytest.CaptureFixture[str]) -> None:
    assert verify("good.dcm") == 3
    out = capsys.readouterr().out
    assert "what it signs is unchanged" in out
    assert "--integrity-only" in out
    assert verify("good.dcm", "--integrity-only") == 0


def test_json_holds_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert verify("good.dcm", "bad.dcm", "unsigned.dcm", "--json", *anchors()) == 1
    found = json.loads(capsys.readouterr().out)
    assert [each["standing"] for each in found["files"]] == ["valid", "invalid", "unsigned"]
    assert found["files"][1]["signatures"][0]["reasons"][0]["code"] == "mac-differs"
    assert found["summary"]["exit_status"] == 1
    assert (found["summary"]["valid"], found["summary"]["invalid"], found["summary"]["unsigned"]) == (1, 1, 1)


def test_json_of_nothing_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    assert verify("empty", "--json", "--integrity-only") == 3
    assert json.loads(capsys.readouterr().out)["files"] == []


def test_lines_of_json_go_to_a_file_or_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    verify("good.dcm", "bad.dcm", "--json-lines", "lines.jsonl", *anchors())
    printed = capsys.readouterr().out
    lines = Path("lines.jsonl").read_text().splitlines()
    assert [json.loads(line)["path"] for line in lines] == ["good.dcm", "bad.dcm"]
    assert "1 valid" in printed
    verify("good.dcm", "bad.dcm", "--json-lines", "-", *anchors())
    captured = capsys.readouterr()
    assert captured.out.splitlines() == lines
    assert "1 valid" in captured.err
    verify("good.dcm", "--json-lines", "lines.jsonl", "--quiet", *anchors())
    assert len(Path("lines.jsonl").read_text().splitlines()) == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Missing argument"),
        (["nowhere"], "nowhere: there is no such file or folder"),
        (["*.nothing"], "no file fits this pattern"),
        (["good.dcm", "--anchors", "nowhere.pem"], "--anchors: nowhere.pem cannot be read"),
        (["good.dcm", "--anchors", "text.txt"], "--anchors: text.txt holds no certificate"),
        (["good.dcm", "--anchors", "text.txt", "--json"], "--anchors: text.txt holds no certificate"),
        (["good.dcm", "--tsa-anchors", "text.txt"], "--tsa-anchors: text.txt holds no certificate"),
        (["good.dcm", "--crl", "text.txt"], "--crl: revocation lists say nothing without --anchors"),
        (["good.dcm", "--intermediates", "text.txt"], "--intermediates: authorities in between say nothing without"),
        (["good.dcm", "--at", "yesterday"], "--at: 'yesterday' is no time"),
        (["good.dcm", "--require-profile", "C.9"], "'C.9' is none of"),
        (["good.dcm", "--json", "--json-lines", "-"], "exclude each other"),
        (["good.dcm", "--json-lines", "bad.dcm"], "holds something else"),
        (["good.dcm", "--json-lines", "no/such/folder"], "cannot be written"),
        (["good.dcm", "--integrity-only", "--quiet", "--json-lines", "/dev/full"], "cannot be written: No space left"),
        (["good.dcm", "--jobs", "-1"], "--jobs"),
        (["good.dcm", "--jobs"], "--jobs"),
        (["good.dcm", "--frob"], "No such option"),
    ],
)
def test_mistakes_get_one_sentence(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path("bad.dcm").read_bytes()
    assert verify(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("ps315: ")
    assert sentence in line
    assert Path("bad.dcm").read_bytes() == before


def test_hostile_names_and_texts_reach_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    name = "evil\x1b[2J\u202e.dcm"
    Path("unsigned.dcm").rename(name)
    verify(name)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_many_files_give_a_summary_and_the_notable_ones(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("folder")
    folder.mkdir()
    for number in range(60):
        source = Path("bad.dcm" if number % 10 == 7 else "good.dcm" if number % 2 else "unsigned.dcm")
        (folder / f"{number:02}.dcm").write_bytes(source.read_bytes())
    assert verify("folder", "--jobs", "2", *anchors()) == 1
    out = capsys.readouterr().out
    assert "60 files" in out
    assert "24 valid, 6 INVALID, 30 unsigned" in out
    assert out.count("INVALID  folder/") == 6
    assert "6 INVALID: the elements are not those that were signed" in out
    assert "signed by: CN=PS315 Test Signer,O=PS315 Test (24)" in out
    assert "not signed in 24 valid files: who the patient is" in out


def test_evidence_among_the_files_is_looked_up(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("study")
    folder.mkdir()
    for name in ("ct", "mr-rle", "kos"):
        write_instance(name, folder / f"{name}.dcm")
    source = write_instance("sr-verified", Path("report.dcm"))
    places = {_instance(path): path for path in folder.iterdir()}
    order = SigningOrder(profile="C.1", references=References(places.get, missing_allowed=True))
    sign_file(source, folder / "report.dcm", [order], signer())
    verify("study", "--json", *anchors())
    (report,) = [each for each in json.loads(capsys.readouterr().out)["files"] if each["signatures"]]
    at_hand = [each for each in report["document"]["evidence"] if each["standing"] == "valid"]
    assert at_hand
    place = places[at_hand[0]["sop_instance"]]
    place.write_bytes(place.read_bytes().replace(b"PS315", b"PS316"))
    assert verify("study", *anchors()) == 1
    assert at_hand[0]["sop_instance"] in capsys.readouterr().out


def _instance(path: Path) -> str:
    from reference_impl.signatures.reader import open_dicom

    with open_dicom(path) as file:
        return file.sop_instance


def test_an_interrupted_run_keeps_what_it_wrote() -> None:
    folder = Path("folder")
    folder.mkdir()
    for number in range(3000):
        (folder / f"{number:04}.dcm").symlink_to(Path("good.dcm").resolve())
    lines = Path("lines.jsonl")
    code = "from harness.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "verify", "folder", "--json-lines", str(lines), "--jobs", "2", *anchors()],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    limit = time.monotonic() + 30
    while (not lines.exists() or not lines.stat().st_size) and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 2, (out, err)
    assert "interrupted after" in err
    assert "Traceback" not in err
    written = lines.read_text().splitlines()
    assert 0 < len(written) < 3000
    assert all(json.loads(line)["standing"] == "valid" for line in written)
    assert f"{len(written):,} valid" in out


# -- the plain command line --------------------------------------------------------------------------------------------


def test_the_plain_options_are_those_declared() -> None:
    hints = get_type_hints(declared.verify, include_extras=True)
    parameters = inspect.signature(declared.verify).parameters
    flags = {}
    for name in parameters:
        if name != _verifying.OPERANDS:
            option = next(
                each for each in get_args(hints[name]) if getattr(each, "param_decls", None) or _default(each)
            )
            flags[(option.param_decls or (option.default,))[0]] = name
    assert flags == {flag: option.name for flag, option in _verifying.OPTIONS.items()}
    for flag, name in flags.items():
        kind = str(hints[name])
        assert _verifying.OPTIONS[flag].many == ("list" in kind)
        assert (_verifying.OPTIONS[flag].read is None) == ("bool" in kind)


def _default(option: object) -> bool:
    """Whether it is an option whose first name stands where typer puts a default."""
    return str(getattr(option, "default", "")).startswith("--")


def test_only_plain_command_lines_are_read() -> None:
    options = _verifying.OPTIONS

    def parse(*arguments: str) -> dict[str, Any] | None:
        return _plain.parse(arguments, options, "paths")

    assert parse("a", "--json", "b", "--jobs=3") == {"paths": ["a", "b"], "as_json": True, "jobs": 3}
    assert parse("a", "--crl", "x", "--crl", "y") == {"paths": ["a"], "crl": [Path("x"), Path("y")]}
    for odd in (["--json"], ["a", "--json=1"], ["a", "--jobs", "x"], ["a", "--at"], ["a", "--help"], ["a", "--", "b"]):
        assert parse(*odd) is None
    assert parse("a", "--jobs", "1", "--jobs", "2") is None


def test_an_element_of_many_values_is_no_trouble() -> None:
    write(Path("wide.dcm"), *SERIES, El(0x00280009, "AT", b"\x18\0\x63\x10" * 1000), PIXELS)
    sign_file(Path("wide.dcm"), Path("wide-signed.dcm"), [SigningOrder()], signer())
    assert verify("wide-signed.dcm", "--integrity-only") == 0
