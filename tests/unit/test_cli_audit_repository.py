"""The commands ``ps315 audit serve``, ``search`` and ``export``, as somebody types them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from fixtures.audit.samples import SAMPLES
from harness.cli import run
from harness.commands import _audit_serving
from harness.schemas import load
from reference_impl.audit.repository.search import Search
from reference_impl.audit.repository.settings import Settings
from reference_impl.audit.repository.store import Store
from reference_impl.audit.repository.web.access import Access
from tests.unit.repository_bench import received, syslog, until

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60
ANY = "0.0.0.0"  # noqa: S104 - nothing listens there


@contextlib.contextmanager
def serving(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``ps315 audit serve`` in a folder, and what it said when it was ready."""
    command = [
        sys.executable,
        "-m",
        "harness",
        "audit",
        "serve",
        "--tls-port",
        "0",
        "--udp-port",
        "0",
        "--web-port",
        "0",
    ]
    process = subprocess.Popen(
        [*command, *options], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    said = []
    try:
        while line := process.stdout.readline():
            said.append(line)
            if "try it:" in line:
                break
        yield process, "".join(said)
    finally:
        process.kill()
        process.wait(SECONDS)
        process.stdout.close()
        assert process.stderr is not None
        process.stderr.close()


def _ports(said: str) -> list[int]:
    return [int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", said)]


def test_a_repository_is_served_at_once_and_ends_cleanly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    message = syslog(SAMPLES["user-authentication-full"].octets)
    with serving(tmp_path) as (process, said):
        assert "password" in said
        with socket.socket(type=socket.SOCK_DGRAM) as sender:
            sender.sendto(message, ("127.0.0.1", _ports(said)[1]))
        with Store(tmp_path / "ps315-audit" / "audit.sqlite", read_only=True) as store:
            until(lambda: any(row.transport == "udp" for row in Search(store).since(0)))
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0
        assert process.stderr is not None
        assert process.stderr.read().endswith("stopped\n")
    first = said
    with serving(tmp_path) as (_, said):
        assert "password" not in said  # the user is there already
        assert _ports(said) != _ports(first)
    mode = (tmp_path / "ps315-audit" / "pki" / "server.key").stat().st_mode
    assert mode & 0o077 == 0


@pytest.mark.parametrize(
    ("listen", "names", "page"),
    [
        (ANY, (), "localhost:8443"),  # nobody can call that, and no certificate holds it
        ("::", (), "localhost:8443"),
        (ANY, ("audit.hospital.example",), "audit.hospital.example:8443"),
        ("::1", (), "[::1]:8443"),
        ("10.0.0.7", ("audit.hospital.example",), "10.0.0.7:8443"),
    ],
)
def test_the_page_is_told_by_an_address_that_can_be_called(listen: str, names: tuple[str, ...], page: str) -> None:
    access = Access(client_ca=Path("ca.pem"), hosts=(listen, *names, "localhost", "127.0.0.1", "::1"))
    settings = Settings(database="x", host=listen, access=access)
    assert _audit_serving.page_of(settings, (listen, 8443)) == page


MISTAKES = [
    (["--cert", "x"], "--cert and --key belong together"),
    (["--cert", "x", "--key", "x"], "--ca: name the authorities"),
    (["--ca", "absent"], "absent: there is no such file"),
    (["--ca", "text", "--any-node"], "contradict each other"),
    (["--no-tls", "--no-udp"], "nothing would be received"),
    (["--crl", "text"], "--crl: name the authorities"),
    (["--cert", "text", "--key", "text", "--ca", "text"], "--cert, --key, --ca: no such certificates"),
    (["--rules", "text"], "--rules: text: is no TOML"),
    (["--users", "text"], "--users: "),
    (["--database", "mysql://x/y"], "--database: mysql: only SQLite and PostgreSQL"),
    (["--database", "absent/audit.sqlite"], "there is no such folder"),
    (["--database", "text"], "--database: text: cannot be opened"),
    (["--listen", "192.0.2.1"], "is no address of this computer"),
    (["--directory", "text/x"], "--directory: text/x"),
]


@pytest.mark.parametrize(("options", "sentence"), MISTAKES)
def test_mistakes_are_one_sentence(
    options: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text").write_text("no such thing, and long enough to be looked at\n" * 5)
    ports = ["--tls-port", "0", "--udp-port", "0", "--web-port", "0"]
    assert run(["audit", "serve", *ports, *options]) == 2
    told = capsys.readouterr().err
    assert sentence in told
    assert told.count("\n") == 1


def test_a_port_that_is_taken_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert run(["audit", "serve", "--tls-port", port, "--udp-port", "0", "--web-port", "0"]) == 2
    told = capsys.readouterr().err
    assert "a port is taken already" in told
    assert port in told


@pytest.fixture
def trail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A trail with two audit messages and something else."""
    from reference_impl.audit.repository.examining import Arrival, examine
    from reference_impl.audit.repository.facts import Received

    monkeypatch.chdir(tmp_path)
    octets = [
        syslog(SAMPLES["user-authentication-full"].octets),
        syslog(SAMPLES["query-full"].octets),
        b"\x1b[31m no audit message",
    ]
    arrivals = [Arrival(each, received(1).arrived, "tls", "192.0.2.1") for each in octets]
    with Store(tmp_path / "trail.sqlite") as store:
        store.add([Received(*each, examine(*each[:4])) for each in arrivals])
    return tmp_path / "trail.sqlite"


def test_search_prints_what_it_finds_and_leaves_a_record(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "search", "--database", str(trail), "--event", "110114", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["event"] == "110114"
    for more in ([], ["--nodes"]):
        assert run(["audit", "search", "--database", str(trail), "--json", *more]) == 0
        listed = json.loads(capsys.readouterr().out)
        jsonschema.validate(listed, load("audit-search.schema.json"), format_checker=jsonschema.FormatChecker())
        assert len(listed) > 1
    assert run(["audit", "search", "--database", str(trail)]) == 0
    told = capsys.readouterr()
    assert "\x1b" not in told.out
    assert "7 of 7" in told.err  # with the four looks
    assert run(["audit", "search", "--database", str(trail), "--nodes"]) == 0
    assert "PS315-TEST-PACS" in capsys.readouterr().out
    assert run(["audit", "search", "--database", str(trail), "--since", "1 h", "--event", "110101"]) == 0
    assert "Audit Log Used" in capsys.readouterr().out


def test_the_record_of_a_look_is_one_that_we_would_pass(
    trail: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    """The database is named as people name it: A.5.3.2 wants a URI."""
    monkeypatch.chdir(trail.parent)
    assert run(["audit", "search", "--database", trail.name]) == 0
    capfdbinary.readouterr()
    assert run(["audit", "export", "--database", trail.name, "--event", "110101", "--as", "syslog"]) == 0
    (tmp_path / "looks").write_bytes(capfdbinary.readouterr().out)
    assert run(["audit", "validate", str(tmp_path / "looks")]) == 0


def test_verify_tells_of_a_change(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import sqlite3

    assert run(["audit", "search", "--database", str(trail), "--verify"]) == 0
    assert "as they were stored" in capsys.readouterr().out
    with sqlite3.connect(trail) as other:
        other.execute("DROP TRIGGER original_kept_from_update")
        other.execute("UPDATE original SET octets = x'00' WHERE number = 2")
    assert run(["audit", "search", "--database", str(trail), "--verify"]) == 1
    assert "CHANGED: message 2 was changed" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["fhir", "csv", "syslog", "xml"])
def test_export_writes_each_form(kind: str, trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = trail.parent / "out"
    assert (
        run(["audit", "export", "--database", str(trail), "--as", kind, "--out", str(out), "--until", "2100-01-01"])
        == 0
    )
    told = capsys.readouterr().err
    if kind == "xml":
        names = sorted(path.name for path in out.iterdir())
        assert names == ["000000001.xml", "000000002.xml", "000000004.xml"]
        assert (out / names[0]).read_bytes() == SAMPLES["user-authentication-full"].octets
    elif kind == "fhir":
        lines = [json.loads(line) for line in out.read_text().splitlines()]
        assert {line["resourceType"] for line in lines} == {"AuditEvent"}
        assert len(lines) == 3
    elif kind == "csv":
        assert len(out.read_text().splitlines()) == 5
        assert "4 exported" in told
    else:
        from reference_impl.syslog_frames import FrameReader

        assert len(FrameReader().feed(out.read_bytes())) == 4


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["search", "--database", "absent"], "absent is not there"),
        (["search", "--database", "text"], "cannot be opened"),
        (["search", "--since", "yesterday", "--database", "trail.sqlite"], "'yesterday' is no time"),
        (["search", "--message", "99", "--database", "trail.sqlite"], "there is no message 99"),
        (["export", "--as", "pdf", "--database", "trail.sqlite"], "none of fhir, xml, csv, syslog"),
        (["export", "--as", "xml", "--database", "trail.sqlite"], "name the folder"),
        (["export", "--out", "text/x", "--database", "trail.sqlite"], "--out: text/x cannot be written"),
        (["export", "--out", "trail.sqlite", "--database", "trail.sqlite"], "is the database itself"),
        (["export", "--out", "./trail.sqlite", "--database", "sqlite:///trail.sqlite"], "is the database itself"),
        (
            ["export", "--out", "/dev/full", "--database", "trail.sqlite"],
            "--out: /dev/full cannot be written: No space",
        ),
        (["search", "--message", "9" * 30, "--database", "trail.sqlite"], f"there is no message {'9' * 30}"),
        (["search", "--message", "0", "--database", "trail.sqlite"], "--message"),
        (["search", "--outcome", "bad", "--database", "trail.sqlite"], "'bad' is none of 0, 4, 8, 12"),
        (["search", "--patient", "\udcff", "--database", "trail.sqlite"], "--patient: '\\udcff' is no text in UTF-8"),
        (["search", "--since", "2026-02-01", "--until", "2026-01-01", "--database", "trail.sqlite"], "ends before"),
    ],
)
def test_what_cannot_be_searched_is_told_in_a_sentence(
    arguments: list[str], sentence: str, trail: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("text").write_text("no database " * 100)
    assert run(["audit", *arguments]) == 2
    told = capsys.readouterr().err
    assert sentence in told
    assert told.count("\n") == 1
    with Store(trail, read_only=True) as store:
        assert Search(store).message(1) is not None  # whatever was asked, the trail is there


def test_exported_files_are_for_their_owner_alone(trail: Path) -> None:
    """They hold names of patients."""
    assert run(["audit", "export", "--database", str(trail), "--out", "rows.csv"]) == 0
    assert run(["audit", "export", "--database", str(trail), "--as", "xml", "--out", "files"]) == 0
    written = [Path("rows.csv"), Path("files"), *Path("files").iterdir()]
    assert [path for path in written if path.stat().st_mode & 0o077] == []


def test_a_full_disk_behind_what_is_printed_is_told(trail: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for verb in ("search", "export"):
        with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
            command = [sys.executable, "-m", "harness", "audit", verb, "--database", str(trail)]
            told = subprocess.run(
                command, check=False, stdout=full, stderr=subprocess.PIPE, text=True, timeout=SECONDS, env=environment
            )
        assert (told.returncode, told.stderr) == (
            2,
            "ps315: what is printed cannot be written: No space left on device\n",
        )


def test_a_password_that_nobody_could_type_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    octets = io.BytesIO(b"\xff\xfe and long enough\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(octets, "utf-8", "surrogateescape"))
    assert run(["audit", "user", "add", "bob", "--password-stdin", "--users", str(tmp_path / "users")]) == 2
    assert "no text in UTF-8" in capsys.readouterr().err
    assert not (tmp_path / "users").exists()
