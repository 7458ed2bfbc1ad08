"""Audit sources on the command line: captured messages run, judged again, hostile ones; a command that reports."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.record.journal import read_record
from harness.schemas import load
from harness.sut import load_sut
from reference_impl.audit.source_node import AuditSource
from reference_impl.audit.syslog.messages import audit_message, write
from reference_impl.syslog_frames import frame
from tests.unit.audit_packets import pcap, udp
from tests.unit.audit_source_judging import NOW, body, syslog
from tests.unit.cli_bench import document, ps315
from tests.unit.object_bench import python

CAPTURED = """
schema = 1
[identity]
id = "captured"
[endpoints.captured]
protocol = "files"
[endpoints.captured.audit]
folder = "captured"
[[claims]]
profile = "A.5"
role = "audit-source"
endpoint = "captured"
"""
SCRIPT = "<script>alert('here')</script>"
EVENTS = ("application-start", "login", "query", "export")


def by_id(folder: Path) -> dict[str, dict[str, Any]]:
    return {each["requirement"]: each for each in document(folder)["verdicts"]}


def endings(folder: Path, judged: str = "automatically") -> Counter[str]:
    return Counter(each["verdict"] for each in document(folder)["verdicts"] if each["judged"] == judged)


def run(folder: Path, text: str, *options: str) -> int:
    (folder / "sut.toml").write_text(text, encoding="utf-8")
    ended = ps315("run", "sut.toml", "--out", "report", "--non-interactive", *options, cwd=folder)
    assert "Traceback" not in ended.err
    return ended.status


def test_captured_files_are_judged_and_judged_again(tmp_path: Path) -> None:
    source = AuditSource(clock=lambda: NOW)
    source.capture(EVENTS, tmp_path / "captured")
    assert run(tmp_path, CAPTURED) == 3  # nobody answered for the conformance statement
    report = tmp_path / "report"
    assert set(endings(report)) == {"pass", "not_applicable"}
    assert by_id(report)["A.5.3.12-event-id"]["verdict"] == "pass"
    assert by_id(report)["A.5.3.9-event-id"]["verdict"] == "not_applicable"
    jsonschema.validate(document(report), load("report.schema.json"))
    again = ps315("judge", "report", "--profile", "A.7", "--allow-inconclusive", cwd=tmp_path)
    assert again.status == 0, again.err
    assert {each["profile"] for each in document(report)["verdicts"]} == {"A.7"}
    assert by_id(report)["A.5.1-schema-valid"]["verdict"] == "pass"
    facility = by_id(report)["A.7-source-facility"]
    assert facility["verdict"] == "inconclusive"
    assert "XML files without syslog headers" in facility["reason"]


def test_one_wrong_message_fails_and_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "captured"
    AuditSource(clock=lambda: NOW).capture(EVENTS, folder)
    wrong = body("login").replace(b'UserIsRequestor="true"', b'UserIsRequestor="perhaps"')
    assert wrong != body("login")
    (folder / "wrong.xml").write_bytes(wrong)
    assert run(tmp_path, CAPTURED) == 1
    verdict = by_id(tmp_path / "report")["A.5.1-schema-valid"]
    assert verdict["verdict"] == "fail"
    assert "wrong.xml line 1" in json.dumps(verdict["observed"])
    assert verdict["evidence"] or verdict["observed"]


@pytest.mark.parametrize("framed", [True, False])
def test_captured_syslog_is_judged_with_its_headers(tmp_path: Path, framed: bool) -> None:
    folder = tmp_path / "captured"
    folder.mkdir()
    messages = [syslog(body(name)) for name in EVENTS]
    whole = b"".join(map(frame, messages)) if framed else b"\n".join(messages) + b"\n"
    (folder / "trail.log").write_bytes(whole)
    assert run(tmp_path, CAPTURED.replace("A.5", "A.7"), "--allow-inconclusive") == 0
    verdicts = by_id(tmp_path / "report")
    assert verdicts["A.7-source-facility"]["verdict"] == "pass"
    assert verdicts["RFC5424-6-source-grammar"]["verdict"] == "pass"
    assert verdicts["RFC5424-6-source-grammar"]["imported"]
    assert verdicts["RFC5426-3.1-source-one-message"]["verdict"] == "inconclusive"


def test_captured_packets_show_datagrams_and_one_that_was_cut_is_not_held_against_its_source(tmp_path: Path) -> None:
    folder = tmp_path / "captured"
    folder.mkdir()
    messages = [*(syslog(body(name)) for name in EVENTS), syslog(body("login"))[:500]]
    frames = [frame for message in messages for frame in udp(message, mtu=1480)]
    (folder / "trail.pcap").write_bytes(pcap(frames))
    assert run(tmp_path, CAPTURED.replace("A.5", "A.7"), "--allow-inconclusive") == 0
    verdicts = by_id(tmp_path / "report")
    assert verdicts["RFC5426-3.1-source-one-message"]["verdict"] == "pass"
    assert verdicts["A.5.1-schema-valid"]["verdict"] == "pass"
    assert "audit-cut-datagrams" in {each["id"] for each in document(tmp_path / "report")["advice"]}


def test_nothing_to_look_at_is_told(tmp_path: Path) -> None:
    assert run(tmp_path, CAPTURED) == 2
    (tmp_path / "captured").mkdir()
    (tmp_path / "captured" / "notes.txt").write_text("nothing of interest\n", encoding="utf-8")
    assert run(tmp_path, CAPTURED, "--force") == 2
    verdict = by_id(tmp_path / "report")["A.5.1-schema-valid"]
    assert verdict["verdict"] == "inconclusive"
    assert "holds no audit message" in verdict["reason"]


def test_hostile_messages_are_judged_and_shown_as_text(tmp_path: Path) -> None:
    folder = tmp_path / "captured"
    folder.mkdir()
    bomb = b'<!DOCTYPE a [<!ENTITY x "xxxxxxxx">]><AuditMessage>&x;</AuditMessage>'
    deep = b"<AuditMessage>" + b"<a>" * 5000 + b"</a>" * 5000 + b"</AuditMessage>"
    script = SCRIPT.replace("<", "&lt;").encode()
    hostile = {
        "bomb.xml": bomb,
        "deep.xml": deep,
        "invalid.xml": b"<AuditMessage>\xff\xfe\x00</AuditMessage>",
        "script.xml": body("login").replace(b'csd-code="110114"', b'csd-code="' + script + b'"'),
        "<b>name.xml": body("login").replace(b"UserID", b"UserI" + b"X" * 3000),
        "endless.log": b"<85>1 " + b"9" * 300_000 + b" RFC-3881\n",
        "good.xml": body("logout"),
    }
    for name, octets in hostile.items():
        (folder / name).write_bytes(octets)
    assert run(tmp_path, CAPTURED) == 1
    report = tmp_path / "report"
    assert endings(report)["error"] == 0
    page = (report / "report.html").read_text(encoding="utf-8")
    assert SCRIPT not in page
    assert "<b>name.xml" not in page
    verdict = by_id(report)["A.5.1-schema-valid"]
    assert verdict["verdict"] == "fail"
    assert len(json.dumps(verdict)) < 20_000
    assert "bomb.xml" in json.dumps(verdict["observed"])


@pytest.mark.parametrize(
    ("options", "claims"),
    [
        (["--profile", "A.5"], [("A.5", "audit-source", "captured")]),
        (
            ["--profile", "A.6", "--profile", "A.5", "--captured-folder", "got"],
            [("A.6", "audit-source", "captured"), ("A.5", "audit-source", "captured")],
        ),
        (
            ["--profile", "A.7", "--event", "login", "--event", "query", "--host", "h", "--listen-name", "us"],
            [("A.7", "audit-source", "trail")],
        ),
        (
            [
                "--profile",
                "IHE-ATX-TLS-Syslog",
                "--event",
                "login",
                "--host",
                "127.0.0.1",
                "--driver-command",
                "r {event}",
            ],
            [("IHE-ATX-TLS-Syslog", "audit-source", "trail")],
        ),
        (
            ["--profile", "A.6", "--reading-file", "/var/log/audit.log", "--host", "h"],
            [("A.6", "audit-repository", "repository")],
        ),
        (
            ["--profile", "A.7", "--host", "h", "--reading-command", "dump {token}", "--captured-folder", "x"],
            [("A.7", "audit-source", "captured"), ("A.7", "audit-repository", "repository")],
        ),
        (
            ["--profile", "B.12", "--profile", "A.6", "--event", "login", "--host", "127.0.0.1", "--port", "2762"],
            [("B.12", "tls-server", "dimse"), ("A.6", "audit-source", "trail")],
        ),
        (
            [
                "--profile",
                "B.12",
                "--profile",
                "A.6",
                "--event",
                "login",
                "--host",
                "127.0.0.1",
                "--driver-command",
                "r",
            ],
            [("B.12", "tls-client", "scu"), ("A.6", "audit-source", "trail")],
        ),
        (["--captured-folder", "x"], [("A.5", "audit-source", "captured")]),
        (["--event", "login", "--host", "127.0.0.1"], [("A.6", "audit-source", "trail")]),
        (["--protocol", "syslog-udp", "--event", "login", "--host", "127.0.0.1"], [("A.7", "audit-source", "trail")]),
        (["--reading-file", "/var/log/audit.log", "--host", "h"], [("A.6", "audit-repository", "repository")]),
        (["--profile", "A.6", "--host", "h", "--port", "6514"], [("A.6", "tls-server", "syslog")]),
        (["--profile", "A.6", "--host", "127.0.0.1", "--listen", "6515"], [("A.6", "tls-client", "sender")]),
        (
            ["--profile", "A.6", "--protocol", "syslog-tls", "--host", "h", "--port", "6514"],
            [("A.6", "tls-server", "syslog")],
        ),
    ],
)
def test_a_sut_file_is_written(tmp_path: Path, options: list[str], claims: list[tuple[str, str, str]]) -> None:
    ended = ps315("init", "--non-interactive", "--out", "sut.toml", *options, cwd=tmp_path)
    assert (ended.status, ended.err) == (0, "")
    sut = load_sut(tmp_path / "sut.toml")
    assert [(each.profile, each.role.value, each.endpoint) for each in sut.file.claims] == claims
    asked = [line for line in (tmp_path / "sut.toml").read_text(encoding="utf-8").splitlines() if "-statement-" in line]
    assert asked or not {profile for profile, role, _ in claims if role.startswith("audit")} & {"A.5", "A.6", "A.7"}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--profile", "A.6", "--event", "logn", "--host", "h"], "did you mean 'login'"),
        (["--profile", "B.12", "--event", "login", "--host", "h"], "are for A.5, A.6, A.7 and IHE-ATX-"),
        (["--profile", "A.6", "--profile", "A.7", "--event", "login", "--host", "h"], "A.6: is judged at syslog-tls"),
    ],
)
def test_what_cannot_be_written_is_told(tmp_path: Path, options: list[str], told: str) -> None:
    ended = ps315("init", "--non-interactive", "--out", "sut.toml", *options, cwd=tmp_path)
    assert ended.status == 2
    assert told in ended.err
    assert not (tmp_path / "sut.toml").exists()


SENDER = """
import socket, ssl, sys
host, port, anchors, path = sys.argv[1:5]
context = ssl.create_default_context(cafile=anchors)
with context.wrap_socket(socket.create_connection((host, int(port)), 60), server_hostname=host) as channel:
    channel.sendall(open(path, 'rb').read())
    channel.unwrap()
"""


def reporting(command: str, *events: str) -> str:
    """The SUT file of a source that reports `events` by a command."""
    return f"""
schema = 1
[identity]
id = "source"
[endpoints.trail]
protocol = "syslog-tls"
host = "127.0.0.1"
[endpoints.trail.listen]
port = 0
driver = "report"
[endpoints.trail.audit]
events = {list(events)}
settle = 0.2
[drivers.report]
command = '''{command}'''
[[claims]]
profile = "A.6"
role = "audit-source"
endpoint = "trail"
"""


def test_a_source_of_which_nothing_comes_is_told_with_how_its_driver_ended(tmp_path: Path) -> None:
    (tmp_path / "sut.toml").write_text(reporting("echo no such user; exit 3", "login"), encoding="utf-8")
    ended = ps315("run", "sut.toml", "--out", "report", "--non-interactive", cwd=tmp_path)
    assert ended.status == 2
    assert ended.err.rstrip().endswith("the SUT sent no audit message. Its driver ended with status 3: no such user.")


def test_a_source_that_reports_by_a_command_is_judged_and_a_run_resumed(tmp_path: Path) -> None:
    for name in ("login", "logout"):
        message = audit_message(body(name), NOW, hostname="node.example.org", app_name="archive")
        (tmp_path / f"{name}.frame").write_bytes(frame(write(message)))
    command = python(SENDER, "{host} {port} {trust_anchors}", "{event}.frame")
    text = reporting(command, "login", "logout")
    assert run(tmp_path, text) == 3
    report = tmp_path / "report"
    for event in read_record(report / "run.jsonl").observations:
        assert event.observation.facts is not None
        assert event.observation.facts["driver"]["exit_status"] == 0, event.observation.facts["driver"]
    open_yet = {name for name, each in by_id(report).items() if each["verdict"] == "inconclusive"}
    assert {name for name in open_yet if by_id(report)[name]["judged"] == "automatically"} == {
        "A.6-source-32768-octets"
    }
    assert by_id(report)["A.6-source-over-tls"]["verdict"] == "pass"
    assert by_id(report)["A.5-events-claimed"]["verdict"] == "pass"
    record = report / "run.jsonl"
    lines = record.read_bytes().splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if b'"step":"trail/audit.messages/logout"' in line)
    record.write_bytes(b"".join(lines[:first]))
    ended = ps315("run", "sut.toml", "--out", "report", "--non-interactive", "--resume", cwd=tmp_path)
    assert ended.status == 3, ended.err
    resumed = read_record(record)
    steps = [event.step for event in resumed.observations]
    assert steps == ["trail/audit.messages/login", "trail/audit.messages/logout"]
    assert by_id(report)["A.5-events-claimed"]["verdict"] == "pass"
