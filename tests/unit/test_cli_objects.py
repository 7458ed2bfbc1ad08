"""Objects on the command line: SUT files of signing, verifying and storing devices written, run, resumed, rejudged."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import jsonschema
import pytest

from fixtures.pki import Pki
from harness.record.journal import read_record
from harness.schemas import load
from harness.sut import load_sut
from reference_impl.node import Node
from tests.unit.cli_bench import ROOT, document, finish, probe_arguments, ps315, start
from tests.unit.listen_bench import eventually
from tests.unit.object_bench import python

ITSELF = f"{shlex.quote(sys.executable)} -m harness"
SIGN = f"{ITSELF} sign --key key.pem --cert cert.pem --out {{output}} {{input}}"
VERIFIES = ("--protocol", "dicom-tls", "--verify-command", "v {input}")
VERIFY = f"{ITSELF} verify --anchors {{trust_anchors}} --crl {{crl}} {{input}}"

HEAVY = ("suites.signatures", "fixtures.signatures", "fixtures.instances", "harness.objects", "pydicom", "pynetdicom")
"""What is not loaded where nothing is judged by objects."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the key and certificate of a signer, and its authority."""
    pki = Pki.create(tmp_path / "pki")
    signer = pki.issue("signer")
    (tmp_path / "key.pem").write_bytes(signer.key_pem)
    (tmp_path / "cert.pem").write_bytes(signer.certificate_pem)
    (tmp_path / "ca.pem").write_bytes(pki.issue("ca").certificate_pem)
    return tmp_path


def init(folder: Path, *options: str, select: str = "") -> Path:
    """Have a SUT file written; only objects that match `select` are handed over."""
    ended = ps315("init", "--non-interactive", "--ca", "ca.pem", "--out", "sut.toml", *options, cwd=folder)
    assert (ended.status, ended.err) == (0, "")
    path = folder / "sut.toml"
    if select:
        text = path.read_text(encoding="utf-8").replace('# select = ["', f'select = [{select}] # ["')
        path.write_text(text, encoding="utf-8")
    load_sut(path)
    return path


def endings(folder: Path) -> Counter[str]:
    return Counter(each["verdict"] for each in document(folder / "report")["verdicts"])


class TestSutFiles:
    @pytest.mark.parametrize(
        ("options", "claims"),
        [
            (["--profile", "C.2"], [("C.2", "signature-creator", "signer")]),
            (["--profile", "C.1", "--verify-command", "v {input}"], [("C.1", "signature-verifier", "verifier")]),
            (
                ["--profile", "C.2", "--verify-command", "v {input}", "--sign-command", "s {input} {output}"],
                [("C.2", "signature-creator", "signer"), ("C.2", "signature-verifier", "verifier")],
            ),
            (["--profile", "A.3", "--host", "h", "--port", "104"], [("A.3", "instance-storer", "archive")]),
            (
                ["--profile", "B.12", "--profile", "A.3", "--host", "h", "--port", "2762"],
                [("B.12", "tls-server", "dimse"), ("A.3", "instance-storer", "dimse")],
            ),
            (
                ["--profile", "A.3", "--host", "h", "--port", "80", "--protocol", "http"],
                [("A.3", "instance-storer", "archive")],
            ),
            (
                ["--profile", "C.2", "--host", "127.0.0.1", "--listen", "11112"],
                [("C.2", "signature-creator", "signer")],
            ),
            (
                ["--profile", "C.2", "--host", "h", "--listen-name", "n", "--driver-command", "s", *VERIFIES],
                [("C.2", "signature-creator", "signer"), ("C.2", "signature-verifier", "verifier")],
            ),
            (
                ["--profile", "C.4", "--profile", "A.4", "--signed-folder", "out"],
                [("C.4", "signature-creator", "signer"), ("A.4", "signature-creator", "signer")],
            ),
        ],
    )
    def test_what_is_claimed_follows_from_what_is_given(
        self, folder: Path, options: list[str], claims: list[tuple[str, str, str]]
    ) -> None:
        record = load_sut(init(folder, *options)).record
        assert [(claim.profile, claim.role, claim.endpoint) for claim in record.claims] == claims
        assert all(endpoint.objects is not None for endpoint in record.endpoints)

    def test_an_archive_has_a_host(self, folder: Path) -> None:
        ended = ps315("init", "--non-interactive", "--profile", "A.3", cwd=folder)
        assert ended.status == 2
        assert "--host is missing" in ended.err


class TestRuns:
    def test_this_program_is_a_creator_and_a_verifier(self, folder: Path) -> None:
        commands = ["--sign-command", SIGN, "--verify-command", VERIFY]
        init(folder, "--profile", "C.1", *commands, select='"ct", "kos", "mac/sha*", "value/p*"')
        text = (folder / "sut.toml").read_text(encoding="utf-8")
        text = text.replace('["ct", "kos", "mac/sha*", "value/p*"]', '["ct", "kos"]', 1)
        text = text.replace('["ct", "kos", "mac/sha*", "value/p*"]', '["mac/sha*", "value/p*"]', 1)
        (folder / "sut.toml").write_text(text, encoding="utf-8")
        ended = ps315("run", "sut.toml", "--out", "report", "--json", cwd=folder)
        assert ended.status == 3, ended  # few cases were shown
        jsonschema.validate(json.loads(ended.out), load("summary.schema.json"))
        report = document(folder / "report")
        jsonschema.validate(report, load("report.schema.json"))
        assert report["summary"]["fail"] == report["summary"]["error"] == report["summary"]["warning"] == 0
        assert report["summary"]["pass"] > 25
        assert report["connections"] == 0
        for line in (folder / "report" / "run.jsonl").read_text(encoding="utf-8").splitlines():
            jsonschema.validate(json.loads(line), load("run-event.schema.json"))
        verify = ["verify", "--anchors", "ca.pem", "--require-signature"]
        assert ps315(*verify, *folder.glob("report/evidence/signer.*-received.dcm"), cwd=folder).status == 0
        assert ps315(*verify, *folder.glob("report/evidence/signer.*-sent.dcm"), cwd=folder).status == 1
        before = {each["key"]: each["verdict"] for each in report["verdicts"]}
        assert ps315("judge", "report", cwd=folder).status == 3
        after = {each["key"]: each["verdict"] for each in document(folder / "report")["verdicts"]}
        assert after == before
        other = ps315("judge", "report", "--profile", "C.3", cwd=folder)
        assert other.status == 3, other
        assert {each["profile"] for each in document(folder / "report")["claims"]} == {"C.3"}
        wrong = ps315("judge", "report", "--profile", "A.3", cwd=folder)
        assert (wrong.status, wrong.out) == (2, "")
        assert "A.3 is not judged for the role" in wrong.err

    def test_documents_are_signed_with_what_they_refer_to(self, folder: Path) -> None:
        references = "--profile sr --purpose 1 --reference {instances}"
        init(folder, "--profile", "A.4", "--sign-command", f"{SIGN} {references}", select='"sr-unverified", "kos"')
        ended = ps315("run", "sut.toml", "--out", "report", "--allow-inconclusive", cwd=folder)
        assert ended.status == 0, ended
        judged = [each for each in document(folder / "report")["verdicts"] if each["judged"] == "automatically"]
        assert Counter(each["verdict"] for each in judged).keys() == {"pass", "not_applicable"}
        assert sum(each["verdict"] == "pass" for each in judged) > 40

    def test_an_interrupted_run_goes_on(self, folder: Path) -> None:
        hold = python("import os, sys, time; os.path.exists(sys.argv[1]) or time.sleep(600)", "go")
        command = f"echo {{object}} >> asked; test {{object}} = ct || {hold}; cp {{input}} {{output}}"
        init(folder, "--profile", "C.1", "--sign-command", command, select='"ct", "mr-rle", "kos"')
        process = start("run", "sut.toml", "--out", "report", cwd=folder)
        asked = folder / "asked"
        begun = eventually(lambda: asked.exists() and "mr-rle" in asked.read_text(encoding="utf-8"), 60)
        assert begun, finish(process)
        process.send_signal(signal.SIGINT)
        ended = finish(process)
        assert (ended.status, ended.out) == (2, "")
        assert "go on with the same command and --resume" in ended.err
        record = read_record(folder / "report" / "run.jsonl", unfinished=True)
        assert [event.observation.subject for event in record.observations] == ["ct"]
        (folder / "go").touch()
        again = ps315("run", "sut.toml", "--out", "report", "--resume", cwd=folder)
        assert "nothing could be judged" in again.err  # nothing was signed
        assert asked.read_text(encoding="utf-8").split() == ["ct", "mr-rle", "mr-rle", "kos"]
        other = ps315("run", "sut.toml", "--out", "report", "--resume", "--gentle", cwd=folder)
        assert other.status == 2

    @pytest.mark.parametrize(
        ("command", "told"),
        [
            ("no-such-program-of-ps315 {input} {output}", "The shell found no such program"),
            ("exit 3 # {input} {output}", "Its driver ended with status 3."),
            ("cp {input} {output}", "came back unsigned"),
            ("echo {input} > {output}", "it is no DICOM file"),
        ],
    )
    def test_a_device_that_signs_nothing_is_told_and_not_judged(self, folder: Path, command: str, told: str) -> None:
        init(folder, "--profile", "C.2", "--sign-command", command, select='"ct*"')
        ended = ps315("run", "sut.toml", "--out", "report", cwd=folder)
        assert ended.status == 2
        assert "nothing could be judged" in ended.err
        assert told in ended.err
        assert not endings(folder).keys() & {"pass", "fail", "warning", "error"}

    def test_a_folder_that_is_not_there_is_told(self, folder: Path) -> None:
        init(folder, "--profile", "C.2", "--signed-folder", "nowhere")
        ended = ps315("run", "sut.toml", "--out", "report", cwd=folder)
        assert ended.status == 2
        assert "nowhere: cannot be read: No such file or directory" in ended.err

    def test_an_archive_that_is_not_there_is_told(self, folder: Path) -> None:
        init(folder, "--profile", "A.3", "--host", "127.0.0.1", "--port", "1")
        ended = ps315("run", "sut.toml", "--out", "report", cwd=folder)
        assert ended.status == 2
        assert "nothing could be judged" in ended.err
        assert "127.0.0.1:1 cannot be reached" in ended.err


@pytest.mark.parametrize(
    ("options", "status"),
    [
        (["--profile", "C.4"], 0),
        (["--profile", "A.3", "--fault", "drops-an-item"], 1),
        (["--profile", "C.4", "--fault", "signs-without-item-tags"], 1),
    ],
)
def test_the_demonstration(tmp_path: Path, options: list[str], status: int) -> None:
    ended = ps315("demo", *options, "--pcap", "--out", "report", cwd=tmp_path)
    assert ended.status == status, ended
    assert (tmp_path / "report" / "evidence" / "exchanges.pcap").stat().st_size == 24  # objects are no packets
    assert endings(tmp_path)["error"] == 0
    assert bool(endings(tmp_path)["fail"]) is bool(status)


def test_judging_connections_loads_nothing_of_objects(cli_node: Node, tmp_path: Path) -> None:
    assert ps315(*probe_arguments(cli_node), "--out", "report", cwd=tmp_path).status == 0
    program = f"""
import pathlib, sys
from harness.commands.judge import judge
assert judge(pathlib.Path("report"), quiet=True) == 0
print("loaded", [name for name in sys.modules if name.startswith({HEAVY!r})])
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "loaded []\n", done.stderr
