"""A SUT that connects, on the command line: what is told, what is recorded, and that nothing hangs."""

from __future__ import annotations

import http.client
import json
import os
import pty
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from harness.record.journal import read_record
from harness.sut import load_sut, parse_sut
from tests.unit.cli_bench import ROOT, document, finish, ps315, start, unused_port, write_sut
from tests.unit.listen_bench import eventually, trials_of

CLIENT = """
import socket, ssl, sys
host, port, anchors = sys.argv[1], int(sys.argv[2]), sys.argv[3]
context = ssl.create_default_context(cafile=anchors)
with context.wrap_socket(socket.create_connection((host, port), timeout=20), server_hostname=host) as connection:
    connection.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
    while connection.recv(4096):
        pass
"""


def sut_text(
    command: str,
    *,
    listen: str = 'driver = "run"',
    trials: str = '"ordinary", "ordinary-1.2"',
    seconds: float = 20,
    host: str = "127.0.0.1",
    name: str = "viewer",
) -> str:
    return f"""
schema = 1
[identity]
id = "{name}"
tester = "J. Doe"
[endpoints.web]
protocol = "https"
host = "{host}"
[endpoints.web.listen]
{listen}
name = "localhost"
seconds = {seconds}
trials = [{trials}]
[drivers.run]
command = '''{command}'''
[drivers.people]
operator = "Open the start page."
[[claims]]
profile = "B.12"
role = "tls-client"
endpoint = "web"
"""


@pytest.fixture
def client(tmp_path: Path) -> str:
    """A command that makes a TLS client ask for a page."""
    (tmp_path / "client.py").write_text(CLIENT, encoding="utf-8")
    return f"{shlex.quote(sys.executable)} client.py {{host}} {{port}} {{trust_anchors}}"


def run(tmp_path: Path, text: str, *more: str) -> tuple[int, str, str]:
    path = write_sut(tmp_path, text, "viewer.toml")
    ended = ps315("run", path, "--no-second-opinion", "--out", "report", *more, cwd=tmp_path)
    return ended.status, ended.out, ended.err


class TestRun:
    def test_a_client_is_observed_and_judged(self, tmp_path: Path, client: str) -> None:
        status, out, err = run(tmp_path, sut_text(client))
        assert status in {0, 1, 3}, out + err  # two trials leave much inconclusive
        record = read_record(tmp_path / "report" / "run.jsonl")
        found = trials_of(record)
        assert list(found) == ["ordinary", "ordinary-1.2"]
        for trial in found.values():
            (connection,) = trial.connections
            assert connection.application == "http"
            assert trial.driver.exit_status == 0
            assert connection.exchange in record.exchanges
        assert found["ordinary"].connections[0].version == 0x0304
        assert found["ordinary-1.2"].connections[0].version == 0x0303
        (claim,) = document(tmp_path / "report")["claims"]
        assert (claim["role"], claim["endpoint"]) == ("tls-client", "web")
        assert document(tmp_path / "report")["connections"] == 2
        again = ps315("judge", "report", cwd=tmp_path)
        assert again.status == status

    def test_two_at_once_and_two_in_a_row_are_both_recorded(self, tmp_path: Path, client: str) -> None:
        status, out, err = run(tmp_path, sut_text(f"{client} & {client}; wait", trials='"ordinary"'))
        assert status in {0, 1, 3}, out + err
        (trial,) = trials_of(read_record(tmp_path / "report" / "run.jsonl")).values()
        assert len(trial.connections) == 2

    def test_several_clients_side_by_side(self, tmp_path: Path, client: str) -> None:
        paths = [write_sut(tmp_path, sut_text(client, name=name), f"{name}.toml") for name in ("one", "two")]
        ended = ps315("run", *paths, "--no-second-opinion", "--quiet", "--out", "report", cwd=tmp_path)
        assert ended.status in {0, 1, 3}, ended
        for name in ("one", "two"):
            assert len(trials_of(read_record(tmp_path / "report" / name / "run.jsonl"))) == 2


class TestWhatGoesWrong:
    def nothing(self, tmp_path: Path, text: str, why: str = "web: the SUT never connected.") -> str:
        """The one sentence of a run in which nothing could be judged."""
        status, _, err = run(tmp_path, text, "--quiet", "--non-interactive")
        assert status == 2, err
        (line,) = err.splitlines()
        assert line.startswith(f"ps315: nothing could be judged: viewer: {why}")
        verdicts = {verdict["verdict"] for verdict in document(tmp_path / "report")["verdicts"]}
        assert verdicts <= {"inconclusive", "not_applicable"}
        assert "inconclusive" in verdicts
        return line

    def test_a_port_in_use(self, tmp_path: Path, client: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            status, out, err = run(tmp_path, sut_text(client, listen=f'driver = "run"\nport = {port}'))
        assert (status, out) == (2, "")
        (line,) = err.splitlines()
        assert f"endpoints.web.listen.port: {port} is in use by another program; end that program" in line

    @pytest.mark.parametrize(
        ("command", "told"),
        [
            ("no-such-program-of-ps315", "The shell found no such program"),
            ("exit 4", "The command ended with status 4, and nothing had connected."),
            ("sleep 600", "The command had not ended after 1 s and was stopped."),
            ("yes ps315", "was stopped."),
            ("true", ""),
        ],
    )
    def test_a_driver_that_brings_nobody(self, tmp_path: Path, command: str, told: str) -> None:
        assert told in self.nothing(tmp_path, sut_text(command, seconds=1))

    def test_one_that_connects_and_says_nothing(self, tmp_path: Path) -> None:
        silent = "import socket as s, sys; s.create_connection((sys.argv[1], int(sys.argv[2]))).close()"
        text = sut_text(
            f'{shlex.quote(sys.executable)} -c "{silent}" {{host}} {{port}}', trials='"ordinary"', seconds=2
        )
        self.nothing(tmp_path, text, "one connection came to web in trial ordinary, and nothing was said there")

    def test_nobody_to_ask(self, tmp_path: Path) -> None:
        text = sut_text("true", listen=f'driver = "people"\nport = {unused_port()}', seconds=600)
        assert "Nobody could be asked" in self.nothing(tmp_path, text)

    def test_one_that_comes_from_elsewhere_is_turned_away_and_noted(self, tmp_path: Path, client: str) -> None:
        text = sut_text(client, host="127.0.0.2", listen='driver = "run"\naddress = "127.0.0.1"', seconds=2)
        assert "Turned away, because it is not the SUT's address: 127.0.0.1." in self.nothing(tmp_path, text)
        for trial in trials_of(read_record(tmp_path / "report" / "run.jsonl")).values():
            assert trial.connections == ()
            assert trial.strangers == ("127.0.0.1",)


class TestInterrupted:
    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
    def test_the_driver_ends_and_the_run_goes_on_later(self, tmp_path: Path, client: str, how: signal.Signals) -> None:
        held = tmp_path / "held"
        hang = f"if [ -e go ] || [ {{trial}} = ordinary ]; then {client}; else echo $$ > held; exec sleep 600; fi"
        path = write_sut(tmp_path, sut_text(hang, seconds=600), "viewer.toml")
        arguments: list[str | Path] = ["run", path, "--no-second-opinion", "--out", "report"]
        process = start(*arguments, cwd=tmp_path)
        assert eventually(lambda: held.exists() and held.read_text(encoding="ascii").endswith("\n"), 60)
        process.send_signal(how)
        ended = finish(process)
        assert ended.status == 2
        assert len(ended.err.splitlines()) == 1, ended.err
        line = ended.err
        assert "go on with the same command and --resume" in line
        state = Path(f"/proc/{int(held.read_text(encoding='ascii'))}/stat")
        assert eventually(lambda: not state.exists() or state.read_text(encoding="ascii").split()[2] == "Z")
        kept = read_record(tmp_path / "report" / "run.jsonl", unfinished=True)
        assert list(trials_of(kept)) == ["ordinary"]
        (tmp_path / "go").touch()
        resumed = ps315(*arguments, "--resume", cwd=tmp_path)
        assert resumed.status in {0, 1, 3}, resumed
        whole = read_record(tmp_path / "report" / "run.jsonl")
        assert list(trials_of(whole)) == ["ordinary", "ordinary-1.2"]
        assert whole.observations[0] == kept.observations[0]
        assert len(whole.exchanges) == 2


class TestOperatorPage:
    def test_a_person_is_told_what_to_do_and_named(self, tmp_path: Path) -> None:
        port = unused_port()
        text = sut_text("true", listen=f'driver = "people"\nport = {port}', seconds=60)
        path = write_sut(tmp_path, text, "viewer.toml")
        process = start(
            *("run", path, "--no-second-opinion", "--quiet", "--out", "report", "--operator-page"), cwd=tmp_path
        )
        try:
            assert process.stderr is not None
            url = re.search(r"http://\S+", process.stderr.readline())
            assert url is not None
            browser = Page(url[0])
            for trial in ("ordinary", "ordinary-1.2"):
                task = browser.next_task()
                assert task["text"].startswith("Open the start page.")
                assert task["of"] == 2
                browser.reply(task, "skip" if trial == "ordinary" else "done")
            ended = finish(process)
        finally:
            process.kill()
        assert ended.status == 2
        found = trials_of(read_record(tmp_path / "report" / "run.jsonl"))
        assert [trial.driver.confirmed_by for trial in found.values()] == ["R. Roe"] * 2
        assert found["ordinary"].driver.problem == "The operator skipped this trial."

    def test_a_page_that_nobody_opens_ends_with_the_time(self, tmp_path: Path) -> None:
        text = sut_text("true", listen=f'driver = "people"\nport = {unused_port()}', seconds=0.5)
        status, _, err = run(tmp_path, text, "--operator-page=127.0.0.1:0", "--quiet")
        assert status == 2
        assert "the SUT never connected" in err
        for trial in trials_of(read_record(tmp_path / "report" / "run.jsonl")).values():
            assert trial.ended == "deadline"
            assert trial.driver.timed_out
            assert trial.driver.confirmed_by == ""

    def test_an_address_that_is_none(self, tmp_path: Path) -> None:
        status, _, err = run(tmp_path, sut_text("true"), "--operator-page=nowhere")
        assert status == 2
        assert err.startswith("ps315: --operator-page 'nowhere': is no HOST:PORT")


class TestTerminal:
    def test_whoever_sits_there_is_told_what_to_do(self, tmp_path: Path) -> None:
        text = sut_text("true", listen=f'driver = "people"\nport = {unused_port()}', seconds=60)
        path = write_sut(tmp_path, text, "viewer.toml")
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "harness", "run", str(path), "--no-second-opinion", "--out", "report"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        shown = bytearray()
        said = 0
        try:
            while process.poll() is None:
                try:
                    shown += os.read(ours, 4096)
                except OSError:
                    break  # the other side is closed: it has ended
                if shown.count(b"s left >") and shown.count(b"Press Enter when it is done") > said:
                    said += 1
                    os.write(ours, b"s\n")
            assert process.wait(60) == 2
        finally:
            process.kill()
            os.close(ours)
        told = shown.decode()
        for part in ("viewer, 1 of 2: An ordinary server", "viewer, 2 of 2: ", "Open the start page. (destination: "):
            assert part in told
        found = trials_of(read_record(tmp_path / "report" / "run.jsonl"))
        assert [trial.driver.confirmed_by for trial in found.values()] == ["J. Doe"] * 2
        assert {trial.driver.problem for trial in found.values()} == {"The operator skipped this trial."}


class Page:
    """The operator's page as a browser has it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._where = parts.hostname or "", parts.port
        _, headers, _ = self._ask("GET", f"/?{parts.query}")
        self._cookie = headers["Set-Cookie"].split(";")[0]
        _, _, page = self._ask("GET", "/")
        check = re.search('data-check="([^"]+)"', page)
        assert check is not None
        self._check = check[1]
        self._seen: set[int] = set()

    def _ask(self, method: str, path: str, body: str | None = None) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection(*self._where, timeout=20)
        connection.request(method, path, body, {"Cookie": getattr(self, "_cookie", "")})
        answer = connection.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read().decode()
        connection.close()
        return found

    def next_task(self) -> dict[str, Any]:
        """The next task that is not answered yet."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = [
                each for each in json.loads(self._ask("GET", "/state")[2])["tasks"] if each["id"] not in self._seen
            ]
            return bool(found)

        assert eventually(there, 60)
        self._seen.add(int(found[0]["id"]))
        return found[0]

    def reply(self, task: dict[str, Any], said: str) -> None:
        """Answer it."""
        told = {"task": task["id"], "said": said, "by": "R. Roe", "check": self._check}
        assert self._ask("POST", "/reply", json.dumps(told))[0] == 204


class TestInit:
    def init(self, tmp_path: Path, *more: str) -> tuple[int, str]:
        ended = ps315("init", "--non-interactive", "--host", "127.0.0.1", *more, cwd=tmp_path)
        return ended.status, ended.err

    def test_what_is_written_for_a_client_is_taken(self, tmp_path: Path, client: str) -> None:
        more = ("--listen", "0", "--listen-name", "localhost", "--driver-command", client, "--protocol", "https")
        assert self.init(tmp_path, *more) == (0, "")
        path = tmp_path / "sut.toml"
        text = path.read_text(encoding="utf-8")
        path.write_text(
            text.replace('# trials = ["ordinary", "ordinary-1.2", "certificate/*"]', 'trials = ["ordinary"]')
        )
        ended = ps315("run", "sut.toml", "--no-second-opinion", "--out", "report", cwd=tmp_path)
        assert ended.status in {0, 1, 3}, ended
        (trial,) = trials_of(read_record(tmp_path / "report" / "run.jsonl")).values()
        assert trial.connections[0].application == "http"

    def test_a_device_may_be_server_and_client(self, tmp_path: Path) -> None:
        assert self.init(tmp_path, "--port", "2762", "--listen", "11113", "--called-aet", "CT1") == (0, "")
        record = load_sut(tmp_path / "sut.toml").record
        assert [(claim.role, claim.endpoint) for claim in record.claims] == [
            ("tls-server", "dimse"),
            ("tls-client", "scu"),
        ]
        served, client = record.endpoints
        assert (served.port, served.called_aet, served.calling_aet) == (2762, "CT1", "PS315-HARNESS")
        assert client.listen is not None
        assert (client.listen.port, client.listen.driver_kind) == (11113, "operator")
        assert (client.called_aet, client.calling_aet) == ("PS315-HARNESS", "CT1")

    @pytest.mark.parametrize(
        ("more", "told"),
        [
            (("--listen", "0"), "endpoints.scu.listen: port is missing"),
            (("--listen", "70000"), "endpoints.scu.listen.port"),
            (("--driver-command", "scu {hots}"), "{hots} is no placeholder"),
            (("--listen", "1", "--host", "192.0.2.7"), "--listen-name is missing"),
        ],
    )
    def test_what_no_file_may_have_is_told(self, tmp_path: Path, more: tuple[str, ...], told: str) -> None:
        status, err = self.init(tmp_path, *more)
        assert status == 2
        assert told in err
        assert not (tmp_path / "sut.toml").exists()

    def test_examples_in_the_file_are_right(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever takes the comment signs away gets a file that is taken."""
        monkeypatch.setenv("KEY_PASSWORD", "open sesame")
        assert self.init(tmp_path, "--port", "2762")[0] == 0
        text = (tmp_path / "sut.toml").read_text(encoding="utf-8")
        begin, end = text.index("# [endpoints.scu]"), text.index("# What it says that it conforms to")
        keys = re.compile(r"^# (\[|\w+ = )", re.MULTILINE)
        uncommented = keys.sub(lambda match: match[1], text[begin:end])
        sut = parse_sut(text[:begin] + uncommented + text[end:], source="sut.toml", folder=tmp_path)
        assert set(sut.file.drivers) == {"echo", "move", "people"}
