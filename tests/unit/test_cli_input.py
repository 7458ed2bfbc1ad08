"""Bad input to the command line: one clear sentence, exit status 2, nothing lost, no traceback."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from harness import cli
from harness.errors import HarnessError
from tests.unit.cli_bench import ps315, unused_port

SUT = """
schema = 1
[identity]
id = "pacs"
[endpoints.dimse]
host = "127.0.0.1"
port = 2762
[[claims]]
profile = "B.12"
endpoint = "dimse"
"""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one sentence that a wrong command line gets."""
    status = cli.run(arguments)
    captured = capsys.readouterr()
    assert status == 2
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("ps315: ")
    assert "Traceback" not in line
    assert not Path("ps315-report").exists()
    return line


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["frobnicate"], "No such command"),
        (["probe"], "Missing argument 'TARGET'"),
        (["probe", "localhost:1", "--frob"], "No such option"),
        (["probe", "localhost"], "names no port"),
        (["probe", "localhost:1", "--profile", "B.14"], "there is no profile 'B.14'"),
        (["probe", "syslog-tls://localhost", "--profile", "B.12"], "is judged by A.6, not by B.12"),
        (["probe", "localhost:1", "--profile", "A.6"], "A.6 is judged at syslog-tls endpoints"),
        (["probe", "no-such-host.invalid:2762"], "cannot be resolved"),
        (["probe", "localhost:1", "--cert", "x.pem"], "--cert is given without --key"),
        (["probe", "localhost:1", "--cert", "x.pem", "--key", "y.pem"], "x.pem cannot be read"),
        (["probe", "localhost:1", "--ca", "sut.toml"], "--ca: sut.toml is no certificate"),
        (["probe", "localhost:1", "--campaign", "none"], "ps315: --campaign: none/campaign.json: cannot be read"),
        (["probe", "localhost:1", "--calling-aet", "SEVENTEEN-LETTERS"], "at most 16 characters"),
        (["probe", "localhost:1", "--sign", "sut.toml"], "--sign is given without --sign-cert"),
        (["probe", "localhost:1", "--sign", "a", "--sign-cert", "b"], "--sign a: there is no such file"),
        (["probe", "localhost:1", "--suite", "nowhere"], "--suite nowhere"),
        (["probe", "localhost:1", "--resume", "--force"], "contradict"),
        (["probe", "localhost:1", "--out", "sut.toml"], "is a file"),
        (["probe", "localhost:1", "--out", "full"], "is not empty; go on with --resume"),
        (["probe", "127.0.0.1:1", "--out", "full", "--resume"], "holds no run.jsonl to go on with"),
        (["run"], "Missing argument"),
        (["run", "missing.toml"], "missing.toml: cannot be read"),
        (["run", "broken.toml"], "broken.toml: is no TOML"),
        (["run", "profile.toml"], "claims #1: profile: there is no profile 'B.21'"),
        (["run", "role.toml"], "role"),
        (["run", "declared.toml"], "did you mean 'B.12-statement-ports'"),
        (["run", "host.toml"], "host.toml: endpoints.dimse.host: 'no-such-host.invalid' cannot be resolved"),
        (["run", "sut.toml", "sut.toml"], "is also the id of"),
        (["judge", "nowhere"], "there is no such folder"),
        (["judge", "full"], "holds no run.jsonl"),
        (["requirements", "--profile", "B.1x"], "there is no profile 'B.1x'"),
        (["requirements", "--profile", "B.2"], "it is no TLS profile: ISCL"),
        (["requirements", "--profile", "B.9", "--edition", "2017c"], "2018b to 2022d"),
        (["demo", "--edition", "2022d"], "--edition is given without --profile"),
        (["serve", "--profile", "B.3", "--edition", "2019c"], "B.3 was retired after 2018a"),
        (["serve", "--profile", "B.2"], "it is no TLS profile: ISCL"),
        (["connect", "localhost:1", "--profile", "B.2"], "it is no TLS profile: ISCL"),
        (["connect", "localhost:1", "--profile", "B.3", "--edition", "2026c"], "--edition: B.3 was retired after"),
        (["serve", "--fault", "tls-1.0"], "there is no fault 'tls-1.0'; did you mean"),
        (["serve", "--profile", "A.7"], "there is no profile 'A.7'"),
        (["demo", "--fault", "nothing-like-it"], "there is no fault"),
        (["init", "--out", "sut.toml"], "exists already"),
        (["init", "--out", "new.toml"], "--host is missing"),
        (["init", "--out", "new.toml", "--host", "h", "--port", "70000"], "endpoints.dimse.port"),
        (["init", "--out", "new.toml", "--host", "h", "--profile", "X"], "there is no profile 'X'"),
        (["verify-report", "full"], "--ca is missing"),
        (["verify-report", "nowhere", "--ca", "sut.toml"], "no such folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_one_sentence_and_status_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str
) -> None:
    monkeypatch.setattr(sys, "stdin", open("/dev/null", encoding="ascii"))  # noqa: PTH123, SIM115
    Path("full").mkdir()
    Path("full/letter.txt").write_text("keep me", encoding="ascii")
    for name, text in {
        "sut.toml": SUT,
        "broken.toml": SUT + "[",
        "profile.toml": SUT.replace("B.12", "B.21"),
        "role.toml": SUT + 'role = "audit-source"\n',
        "declared.toml": SUT + '[declarations]\n"B.12-statement-port" = "x"\n',
        "host.toml": SUT.replace("127.0.0.1", "no-such-host.invalid"),
    }.items():
        Path(name).write_text(text, encoding="ascii")
    assert sentence in told(capsys, *arguments)
    assert Path("full/letter.txt").read_text(encoding="ascii") == "keep me"
    assert not Path("new.toml").exists()


def test_no_arguments_show_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([]) == 2
    shown = capsys.readouterr().out
    for command in (
        "demo",
        "probe",
        "run",
        "judge",
        "init",
        "serve",
        "requirements",
        "faults",
        "sign",
        "verify",
        "audit",
        "verify-report",
    ):
        assert command in shown


@pytest.mark.parametrize(
    "command",
    [
        "demo",
        "probe",
        "run",
        "judge",
        "init",
        "serve",
        "requirements",
        "faults",
        "sign",
        "verify",
        "audit",
        "verify-report",
    ],
)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([command, "--help"]) == 0
    assert "Usage: ps315 " + command in capsys.readouterr().out


def test_the_version_is_printed(tmp_path: Path) -> None:
    ended = ps315("--version", cwd=tmp_path)
    assert ended.out.startswith("ps315 ")
    assert (ended.status, ended.err) == (0, "")


def test_the_version_imports_nothing_heavy(tmp_path: Path) -> None:
    import subprocess

    code = (
        "import sys\nsys.argv = ['ps315', '--version']\nfrom harness.cli import main\n"
        "try:\n    main()\nfinally:\n    print(sorted({n.split('.')[0] for n in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=Path(cli.__file__).parents[1]
    )
    for name in ("typer", "pydantic", "pytest", "cryptography", "rich", "jinja2"):
        assert f"'{name}'" not in done.stdout


def test_a_refused_port_cannot_be_judged_but_is_reported(tmp_path: Path) -> None:
    port = unused_port()
    ended = ps315("probe", f"127.0.0.1:{port}", "--out", "report", cwd=tmp_path)
    assert ended.status == 2
    (line,) = ended.err.splitlines()
    assert line.startswith("ps315: nothing could be judged: ")
    assert "refuses connections" in line
    for name in ("run.jsonl", "report.html", "report.json", "junit.xml"):
        assert (tmp_path / "report" / name).stat().st_size > 0
    document = json.loads((tmp_path / "report" / "report.json").read_bytes())
    assert {verdict["verdict"] for verdict in document["verdicts"]} == {"inconclusive"}
    assert any("refuses connections" in verdict["reason"] for verdict in document["verdicts"])


def test_our_own_fault_is_one_line_and_a_traceback_in_the_folder(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import reports

    def broken(*_arguments: object) -> None:
        raise ZeroDivisionError("by us")

    monkeypatch.setattr(reports, "render", broken)
    status = cli.run(["probe", f"127.0.0.1:{unused_port()}", "--out", "report", "--no-second-opinion"])
    (line,) = capsys.readouterr().err.splitlines()
    assert status == 2
    assert "internal error: ZeroDivisionError: by us" in line
    assert "Traceback" in Path("report/internal-error.txt").read_text(encoding="utf-8")
    assert Path("report/run.jsonl").stat().st_size > 0


def test_harness_errors_have_no_traceback(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import harness.catalogue

    def broken(*_folders: Path) -> None:
        raise HarnessError("the table is wrong")

    monkeypatch.setattr(harness.catalogue, "load_catalogue", broken)
    assert told(capsys, "requirements") == "ps315: internal error: the table is wrong"
