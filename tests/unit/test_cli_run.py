"""The main job on the command line: exit statuses, records, resuming, many SUTs, what is written where."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import jsonschema
import pytest

from harness import cli
from harness.schemas import FOLDER, generated, load, text_of
from reference_impl.node import Node
from tests.unit.cli_bench import (
    DECLARED,
    campaign_of,
    document,
    finish,
    probe_arguments,
    ps315,
    start,
    sut_text,
    verdicts,
    write_sut,
)

BROKEN = "RFC8996-5-protocol-version-alert"
PASSWORD = "open sesame, please"


class TestProbe:
    def test_a_conforming_server_passes_and_everything_is_written(self, cli_node: Node, tmp_path: Path) -> None:
        ended = ps315(*probe_arguments(cli_node), "--pcap", "--keylog", "keys.log", "--json", cwd=tmp_path)
        assert (ended.status, ended.err) == (0, "")
        jsonschema.validate(json.loads(ended.out), load("summary.schema.json"))
        folder = tmp_path / "ps315-report"
        assert {path.name for path in folder.iterdir()} == {
            "run.jsonl",
            "report.html",
            "report.json",
            "junit.xml",
            "evidence",
        }
        jsonschema.validate(document(folder), load("report.schema.json"))
        assert document(folder)["not_examined"]
        assert 0 < document(folder)["connections"] <= 250
        event = jsonschema.Draft202012Validator(load("run-event.schema.json"))
        lines = (folder / "run.jsonl").read_text(encoding="utf-8").splitlines()
        for line in lines:
            event.validate(json.loads(line))
        keys = (tmp_path / "keys.log").read_text(encoding="ascii")
        assert "CLIENT_RANDOM " in keys or "CLIENT_TRAFFIC_SECRET_0 " in keys
        assert (tmp_path / "keys.log").stat().st_mode & 0o077 == 0
        secret = keys.split()[2]
        assert secret not in "\n".join(lines)

    def test_a_failed_shall_is_status_1_and_told(self, cli_broken_node: Node, tmp_path: Path) -> None:
        ended = ps315(*probe_arguments(cli_broken_node), cwd=tmp_path)
        assert ended.status == 1
        assert "FAIL" in ended.out
        assert BROKEN in ended.out
        assert "report: ps315-report/report.html" in ended.out

    def test_quiet_says_nothing(self, cli_node: Node, tmp_path: Path) -> None:
        ended = ps315(*probe_arguments(cli_node), "--quiet", cwd=tmp_path)
        assert (ended.status, ended.out, ended.err) == (0, "", "")

    def test_judging_again_gives_the_same_and_another_profile_others(self, cli_node: Node, tmp_path: Path) -> None:
        folder = tmp_path / "report"
        ps315(*probe_arguments(cli_node), "--out", folder, cwd=tmp_path)
        before = verdicts(folder)
        assert ps315("judge", folder, "--quiet", cwd=tmp_path).status == 0
        assert verdicts(folder) == before
        assert ps315("judge", folder, "--profile", "B.13", cwd=tmp_path).status == 1
        assert {claim["profile"] for claim in document(folder)["claims"]} == {"B.13"}
        assert ps315("judge", folder, cwd=tmp_path).status == 0
        assert verdicts(folder) == before
        wrong = ps315("judge", folder, "--profile", "B.99", cwd=tmp_path)
        assert wrong.status == 2
        assert "B.99" in wrong.err
        assert verdicts(folder) == before

    def test_force_replaces_only_what_is_ours(self, cli_node: Node, tmp_path: Path) -> None:
        folder = tmp_path / "report"
        folder.mkdir()
        (folder / "letter.txt").write_text("keep me", encoding="ascii")
        (folder / "run.jsonl").write_text("an old record", encoding="ascii")
        assert ps315(*probe_arguments(cli_node), "--out", folder, cwd=tmp_path).status == 2
        assert (folder / "run.jsonl").read_text(encoding="ascii") == "an old record"
        assert ps315(*probe_arguments(cli_node), "--out", folder, "--force", cwd=tmp_path).status == 0
        assert (folder / "letter.txt").read_text(encoding="ascii") == "keep me"

    @pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
    def test_the_capture_is_read_by_wireshark(self, cli_node: Node, tmp_path: Path) -> None:
        ps315(*probe_arguments(cli_node), "--pcap", "--quiet", cwd=tmp_path)
        capture = tmp_path / "ps315-report" / "evidence" / "exchanges.pcap"
        options = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]
        fields = ["-T", "fields", "-e", "tls.handshake.type", "-e", "_ws.expert.message"]
        decode = ["-d", f"tcp.port=={cli_node.address[1]},tls"]
        shown = subprocess.run(
            ["tshark", "-r", capture, *options, *decode, *fields], capture_output=True, text=True, check=True
        ).stdout
        types = {kind for line in shown.splitlines() for kind in line.split("\t")[0].split(",")}
        assert {"1", "2", "11"} <= types
        assert "checksum" not in shown.lower()


class TestRun:
    @pytest.mark.parametrize(
        ("more", "options", "status"),
        [
            (DECLARED, [], 0),
            ("", [], 3),
            ("", ["--allow-inconclusive"], 0),
            (
                DECLARED.replace('mutual-authentication-declared" = true', 'mutual-authentication-declared" = false'),
                [],
                1,
            ),
        ],
        ids=["declared", "undeclared", "allowed", "denied"],
    )
    def test_declarations_are_in_scope(
        self, cli_node: Node, tmp_path: Path, more: str, options: list[str], status: int
    ) -> None:
        path = write_sut(tmp_path, sut_text(cli_node, more))
        ended = ps315("run", path, "--no-second-opinion", *options, cwd=tmp_path)
        assert ended.status == status, ended

    @pytest.mark.parametrize(("until", "status"), [("2999-01-01", 0), ("2020-01-01", 1)])
    def test_a_waiver_holds_until_its_day(self, cli_broken_node: Node, tmp_path: Path, until: str, status: int) -> None:
        waiver = f'requirement = "{BROKEN}"\nreason = "old modality"\nuntil = {until}\n'
        path = write_sut(tmp_path, sut_text(cli_broken_node, DECLARED + "[[waivers]]\n" + waiver))
        ended = ps315("run", path, "--no-second-opinion", cwd=tmp_path)
        assert ended.status == status, ended
        found = [verdict for verdict in document(tmp_path / "ps315-report")["verdicts"] if verdict["waiver"]]
        assert (BROKEN, "fail") in [(verdict["requirement"], verdict["verdict"]) for verdict in found]

    def test_secrets_are_nowhere(self, cli_node: Node, tmp_path: Path) -> None:
        from cryptography.hazmat.primitives import serialization as coding

        key = coding.load_pem_private_key(cli_node.client_key.read_bytes(), None)
        body = key.private_bytes(
            coding.Encoding.PEM, coding.PrivateFormat.PKCS8, coding.BestAvailableEncryption(PASSWORD.encode())
        )
        (tmp_path / "client.key").write_bytes(body)
        text = sut_text(cli_node).replace(f'"{cli_node.client_key}"', '"client.key"')
        text = text.replace("trust_anchors", 'client_key_password = { env = "PS315_TEST_PASSWORD" }\ntrust_anchors')
        path = write_sut(tmp_path, text.replace('"ACME"', f'"{PASSWORD}"'))
        ended = ps315(
            "run", path, "--no-second-opinion", "--pcap", "--out", "report", cwd=tmp_path, PS315_TEST_PASSWORD=PASSWORD
        )
        assert ended.status == 0, ended
        needles = [PASSWORD.encode(), PASSWORD.encode().hex().encode(), *body.splitlines()[1:-1]]
        for file in (tmp_path / "report").rglob("*"):
            if file.is_file():
                content = file.read_bytes()
                assert not any(needle in content for needle in needles), file
        assert PASSWORD not in ended.out + ended.err

    def test_a_suite_of_the_vendors_own_is_judged_too(self, cli_node: Node, tmp_path: Path) -> None:
        suite = tmp_path / "acme"
        suite.mkdir()
        (suite / "requirements.toml").write_text(
            """
prefix = "ACME"
[[requirement]]
id = "ACME-no-tls-1.2"
title = "TLS 1.2 is off"
text = "Our devices speak TLS 1.3 only."
level = "shall"
role = "tls-server"
judged = "automatically"
applies = [{ profile = "B.12", editions = ["2026c"] }]
sources = [{ document = "ACME security handbook", section = "4" }]
""",
            encoding="utf-8",
        )
        (suite / "test_acme.py").write_text(
            """
from harness import Missing, expect, verifies
from harness.observations.transport import TLS12


@verifies("ACME-no-tls-1.2")
def test_no_tls_1_2(observations):
    raise Missing("nothing")
""",
            encoding="utf-8",
        )
        ended = ps315(*probe_arguments(cli_node), "--suite", suite, "--out", "report", cwd=tmp_path)
        named = [v for v in document(tmp_path / "report")["verdicts"] if v["requirement"] == "ACME-no-tls-1.2"]
        assert len(named) == 1
        assert ended.status in {1, 2, 3}
        refused = ps315("judge", "report", cwd=tmp_path)
        assert refused.status == 2
        assert "--suite" in refused.err
        assert ps315("judge", "report", "--suite", suite, cwd=tmp_path).status == ended.status

    def test_a_report_can_be_signed_and_checked(self, cli_node: Node, tmp_path: Path) -> None:
        signing: list[str | Path] = ["--sign", cli_node.client_key, "--sign-cert", cli_node.client_certificate]
        ended = ps315(*probe_arguments(cli_node), *signing, "--out", "report", cwd=tmp_path)
        assert ended.status == 0, ended
        checked = ps315("verify-report", "report", "--ca", cli_node.trust_anchors, cwd=tmp_path)
        assert checked.status == 0, checked
        assert "sign again" in ps315("judge", "report", cwd=tmp_path).err
        assert ps315("judge", "report", *signing, cwd=tmp_path).err == ""
        assert ps315("verify-report", "report", "--ca", cli_node.trust_anchors, cwd=tmp_path).status == 0
        with (tmp_path / "report" / "report.json").open("a", encoding="ascii") as file:
            file.write(" ")
        assert ps315("verify-report", "report", "--ca", cli_node.trust_anchors, cwd=tmp_path).status == 1


class TestInit:
    def test_what_is_written_is_taken(self, cli_node: Node, tmp_path: Path) -> None:
        host, port = cli_node.address
        written = ps315(
            "init",
            "--host",
            host,
            "--port",
            str(port),
            "--called-aet",
            cli_node.ae_title,
            "--server-name",
            "localhost",
            "--vendor",
            'A "quoted" \\ name',
            "--profile",
            "B.12",
            "--cert",
            cli_node.client_certificate,
            "--key",
            cli_node.client_key,
            "--campaign",
            campaign_of(cli_node),
            cwd=tmp_path,
        )
        assert (written.status, written.err) == (0, "")
        text = (tmp_path / "sut.toml").read_text(encoding="utf-8")
        assert '# "B.12-statement-ports" =' in text
        answered = text.replace('# "B.12', '"B.12').replace('# "RFC', '"RFC')
        (tmp_path / "sut.toml").write_text(answered, encoding="utf-8")
        ended = ps315("run", "sut.toml", "--no-second-opinion", cwd=tmp_path)
        assert ended.status == 0, ended


def test_catalogue_and_faults_are_printed_as_their_schemas_say(capsys: pytest.CaptureFixture[str]) -> None:
    from harness.catalogue import load_catalogue

    for command in ("requirements", "faults"):
        assert cli.run([command, "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)
        jsonschema.validate(rows, load(f"{command}.schema.json"))
        assert cli.run([command]) == 0
        assert f"{len(rows)} {command}" in capsys.readouterr().out
        if command == "faults":
            known = {requirement.id for requirement in load_catalogue()}
            assert {name for row in rows for name in row["breaks"]} <= known


@pytest.mark.parametrize("name", sorted(generated()))
def test_schemas_made_from_models_are_up_to_date(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == text_of(generated()[name])


def test_the_node_is_served_until_it_is_stopped(tmp_path: Path) -> None:
    process = start("serve", "--profile", "B.13", "--port", "0", cwd=tmp_path)
    assert process.stdout is not None
    first, command = process.stdout.readline(), process.stdout.readline()
    assert first.startswith("serving B.13 at 127.0.0.1:")
    address = first.split()[3]
    assert f"ps315 probe {address} --profile B.13" in command
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), timeout=10).close()
    process.send_signal(signal.SIGTERM)
    ended = finish(process)
    assert ended.status == 0
    assert "stopped" in ended.err


@pytest.mark.parametrize(
    ("options", "status"), [([], 0), (["--fault", "rsa-1024-certificate", "--profile", "B.12"], 1)]
)
def test_the_demonstration(tmp_path: Path, options: list[str], status: int) -> None:
    ended = ps315("demo", *options, "--no-second-opinion", "--out", "demo", cwd=tmp_path)
    assert ended.status == status, ended
    summary = document(tmp_path / "demo")["summary"]
    assert (summary["fail"] > 0) is (status == 1)
    assert summary["inconclusive"] == summary["error"] == 0
