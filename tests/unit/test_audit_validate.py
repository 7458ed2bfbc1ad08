"""``ps315 audit validate``: what it says of files, folders and captures, its exit status; nothing breaks it."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from fixtures.audit.generated import of_size
from fixtures.audit.samples import SAMPLES
from harness import cli
from harness.commands import _audit_validating
from harness.commands.audit import VERBS
from harness.schemas import load
from reference_impl.audit.writing import to_xml
from reference_impl.syslog_frames import frame
from tests.unit import audit_packets as packets

GOOD = SAMPLES["query-minimal"].octets
BROKEN = GOOD.replace(b' EventOutcomeIndicator="0"', b"")
HEADER = b"<85>1 2026-03-14T09:26:53Z host app 1 DICOM+RFC3881 - "
WRONG_FACILITY = HEADER.replace(b"<85>", b"<165>")
LEGACY = b"<85>Mar 14 09:26:53 host app: "
BOMB = b'<!DOCTYPE a [<!ENTITY b "c">]><AuditMessage>&b;</AuditMessage>'


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def validate(*arguments: str) -> int:
    return cli.run(["audit", "validate", *arguments])


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The document that is printed, held against its schema; the exit status is the one in it."""
    status = validate(*arguments, "--json")
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, load("audit-validation.schema.json"))
    assert document["summary"]["exit_status"] == status
    return document


def rules(result: dict[str, Any], level: str = "shall") -> set[str]:
    return {each["rule"] for each in (*result["header"], *result["findings"]) if each["level"] == level}


@pytest.mark.parametrize(
    ("octets", "status", "verdicts"),
    [
        (GOOD, 0, ["conforms"]),
        (GOOD + GOOD, 0, ["conforms", "conforms"]),
        (GOOD + b"\n" + BROKEN, 1, ["conforms", "breaks"]),
        (HEADER + GOOD, 0, ["conforms"]),
        (frame(HEADER + GOOD) * 2, 0, ["conforms", "conforms"]),
        (frame(HEADER + GOOD) + b"x", 3, ["conforms", "unread"]),
        (LEGACY + GOOD, 1, ["breaks"]),
        (WRONG_FACILITY + GOOD, 1, ["breaks"]),
        (BOMB, 1, ["breaks"]),
        (b"<AuditMessage>\xff</AuditMessage>", 1, ["breaks"]),
        (b"<AuditMessage>\0</AuditMessage>", 1, ["breaks"]),
        (b"<" * 100_000 + b"AuditMessage", 1, ["breaks"]),
        (b"", 3, ["unread"]),
        (b"\0" * 1000, 3, ["unread"]),
        (b"not a message", 3, ["unread"]),
    ],
)
def test_files_of_every_manner(
    capsys: pytest.CaptureFixture[str], octets: bytes, status: int, verdicts: list[str]
) -> None:
    Path("file").write_bytes(octets)
    document = as_json(capsys, "file")
    assert [each["verdict"] for each in document["results"]] == verdicts
    assert document["summary"]["exit_status"] == status
    assert validate("file") == status
    assert validate("file", "--quiet") == status


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_conform(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_bytes(HEADER + SAMPLES[name].octets)
    [result] = as_json(capsys, "file", "--allow-inconclusive")["results"]
    assert not rules(result)
    assert result["schema_valid"]


def test_headers_are_held_against_the_profile(capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_bytes(WRONG_FACILITY.replace(b"DICOM+RFC3881", b"-") + GOOD)
    [tls] = as_json(capsys, "file")["results"]
    assert tls["profile"] == "A.6"
    assert rules(tls) == {"A.6-source-facility", "A.6-source-msgid"}
    [udp] = as_json(capsys, "file", "--profile", "A.7")["results"]
    assert rules(udp) == {"A.7-source-facility", "A.7-source-msgid"}
    [content] = as_json(capsys, "file", "--profile", "A.5")["results"]
    assert content["verdict"] == "conforms"


def test_the_older_syslog_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_bytes(LEGACY + GOOD)
    [result] = as_json(capsys, "file")["results"]
    assert result["legacy"] == "RFC 3164"
    assert result["schema_valid"]
    assert validate("file") == 1
    assert "RFC 3164" in capsys.readouterr().out


def test_captures_of_packets(capsys: pytest.CaptureFixture[str]) -> None:
    frames = [*packets.udp(HEADER + GOOD), *packets.tcp([frame(WRONG_FACILITY + GOOD)])]
    Path("capture.pcap").write_bytes(packets.pcap(frames))
    first, second = as_json(capsys, "capture.pcap")["results"]
    assert (first["transport"], first["profile"], first["verdict"]) == ("udp", "A.7", "conforms")
    assert (second["transport"], second["profile"]) == ("tcp", "A.6")
    assert rules(second) == {"A.6-source-facility"}
    assert second["peer"] == "192.0.2.7:40000"


def test_what_is_encrypted_cannot_be_judged(capsys: pytest.CaptureFixture[str]) -> None:
    tls = packets.tcp([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)])
    Path("capture.pcap").write_bytes(packets.pcap([*tls, *packets.udp(HEADER + GOOD)]))
    assert validate("capture.pcap") == 3
    assert "TLS, which cannot be read" in capsys.readouterr().out
    assert validate("capture.pcap", "--allow-inconclusive") == 0
    capsys.readouterr()
    assert as_json(capsys, "capture.pcap", "--allow-inconclusive")["summary"]["exit_status"] == 0


def test_nothing_at_all_is_never_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    """A pipeline that looks into the wrong folder must not turn green."""
    Path("empty").mkdir()
    Path("file").write_bytes(GOOD)
    assert as_json(capsys, "empty", "--allow-inconclusive")["summary"]["exit_status"] == 3
    assert validate("empty", "--allow-inconclusive") == 3
    assert validate("file", "--section", "A.5.3.12", "--allow-inconclusive") == 3


def test_a_datagram_cut_on_its_way_is_not_held_against_the_source(capsys: pytest.CaptureFixture[str]) -> None:
    whole = HEADER + to_xml(of_size(4000))
    Path("capture.pcap").write_bytes(packets.pcap(packets.udp(whole[:2048])))
    assert [each["verdict"] for each in as_json(capsys, "capture.pcap")["results"]] == ["open"]
    Path("capture.pcap").write_bytes(packets.pcap(packets.tcp([frame(whole[:2048])])))
    assert [each["verdict"] for each in as_json(capsys, "capture.pcap")["results"]] == ["breaks"]


def test_a_datagram_captured_in_part_cannot_be_judged(capsys: pytest.CaptureFixture[str]) -> None:
    Path("capture.pcap").write_bytes(packets.pcap(each[:300] for each in packets.udp(HEADER + GOOD)))
    assert [each["verdict"] for each in as_json(capsys, "capture.pcap")["results"]] == ["open"]


def test_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD + BROKEN)))
    document = as_json(capsys, "-")
    assert [each["verdict"] for each in document["results"]] == ["conforms", "breaks"]
    assert {each["name"] for each in document["results"]} == {"-"}


def test_folders_and_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    for number, name in enumerate(sorted(SAMPLES)):
        folder = Path(f"trail/{number % 3}")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.xml").write_bytes(SAMPLES[name].octets)
    Path("trail/README").write_text("what this is", encoding="ascii")
    assert validate("trail", "--allow-inconclusive") == 0
    told = capsys.readouterr().out
    assert f"{len(SAMPLES)} messages" in told
    assert "A.5.3.12 User Authentication" in told
    document = as_json(capsys, "trail", "--section", "A.5.3.12", "--section", "110112")
    assert {each["event"] for each in document["results"] if each["verdict"] != "unread"} == {"110114", "110112"}
    places = [each["name"] for each in document["results"]]
    assert places == sorted(places, key=lambda place: (place.count("/"), place)) or places == sorted(places)


def test_lines_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_bytes(GOOD + b"\n" + BROKEN)
    assert validate("file", "--json-lines", "out.jsonl") == 1
    lines = [json.loads(line) for line in Path("out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [each["verdict"] for each in lines] == ["conforms", "breaks"]
    capsys.readouterr()
    assert validate("file", "--json-lines", "-") == 1
    out, err = capsys.readouterr()
    assert [json.loads(line)["line"] for line in out.splitlines()] == [1, 2]
    assert "2 messages" in err
    assert validate("file", "--json-lines", "file") == 2
    assert Path("file").read_bytes() == GOOD + b"\n" + BROKEN


def test_lines_are_those_of_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    spread = BROKEN.replace(b"><", b">\n<")
    Path("file").write_bytes(b"\n\n" + GOOD + b"\n" + spread)
    document = as_json(capsys, "file")
    broken = document["results"][1]
    assert broken["line"] == 4
    assert {each["line"] for each in broken["findings"]} - {0} == {2}
    validate("file")
    assert "line 5" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.xml"], "there is no such file or folder"),
        ([], "Missing argument"),
        (["file", "--profile", "B.12"], "'B.12' is none of A.5, A.6"),
        (["file", "--section", "A.5.2"], "write A.5.3.12 or 110114"),
        (["file", "--section", "x"], "write A.5.3.12 or 110114"),
        (["-", "-"], "is read once"),
        (["file", "--json", "--json-lines", "-"], "exclude each other"),
        (["a\0b"], "there is no such file"),
    ],
)
def test_what_the_user_did_wrong_is_one_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    Path("file").write_bytes(GOOD)
    assert validate(*arguments) == 2
    out, err = capsys.readouterr()
    assert sentence in err
    assert err.count("\n") == 1
    assert not out


def test_many_messages_are_told_by_rule(capsys: pytest.CaptureFixture[str]) -> None:
    Path("many").write_bytes(b"\n".join([BROKEN] * 40 + [GOOD] * 10))
    assert validate("many") == 1
    told = capsys.readouterr().out
    assert re.search(r"shall +40 +A\.5\.1-schema-valid", told)
    assert "50 messages: 10 conform, 40 do not conform" in told
    assert "and 20 more" in told
    assert len(told.splitlines()) < 40


def test_hostile_text_does_nothing_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x9b2J\u202e[red]bold[/red]"
    Path("\x1b[2J.xml").write_bytes(f'<AuditMessage {"x"}="{evil}"><EventIdentification/></AuditMessage>'.encode())
    Path("file").write_bytes(BROKEN.replace(b"PS315-TEST", f"{evil}".encode()))
    validate("\x1b[2J.xml", "file")
    told = capsys.readouterr().out
    assert not set(told) & {"\x1b", "\x9b", "\u202e", "\r"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_nothing_grows_with_the_number_of_messages() -> None:
    """Of a hundred thousand messages on standard input no more is kept than of a thousand."""
    program = """
from pathlib import Path
from harness import cli
status = cli.run(["audit", "validate", "-", "--quiet"])
print(status, Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""
    taken = []
    for number in (500, 20_000):
        ended = subprocess.run(
            [sys.executable, "-c", program],
            input=(BROKEN + b"\n") * number,
            capture_output=True,
            check=True,
            timeout=120,
            cwd=Path(__file__).parents[2],
        )
        status, kilobytes = map(int, ended.stdout.split())
        assert status == 1
        taken.append(kilobytes)
    assert taken[1] < taken[0] + 15_000


def test_an_interruption_ends_with_what_is_known(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("file").write_bytes(GOOD * 5)
    real, calls = _audit_validating.examine, iter(range(10))

    def examine(*arguments: Any) -> Any:
        if next(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(_audit_validating, "examine", examine)
    assert validate("file", "--json") == 2
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["summary"]["interrupted"]
    assert document["summary"]["exit_status"] == 2
    assert len(document["results"]) == 3
    assert "interrupted after 3 messages" in err


@pytest.mark.parametrize("verb", VERBS)
def test_help_names_the_exit_of_the_command(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["audit", verb, "--help"]) == 0
    assert "Exit status: 0 " in capsys.readouterr().out


def test_help_says_whole_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["audit", "--help"]) == 0
    assert cli.run(["--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "..." not in told.replace("[ARGS]...", "")
    for _, what, _ in VERBS.values():
        assert f"{what[1:]}." in told
