"""Interruptions and many SUTs at once on the command line: nothing is lost, nobody keeps the others waiting."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import threading
from contextlib import ExitStack
from pathlib import Path

import jsonschema
import pytest

from harness.record.journal import read_record
from harness.schemas import load
from reference_impl.node import Node
from tests.unit.cli_bench import Relay, finish, ps315, start, sut_text, tcp_server, unused_port, verdicts, write_sut


class TestInterrupted:
    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
    def test_a_run_goes_on_where_it_was_interrupted(self, cli_node: Node, tmp_path: Path, how: signal.Signals) -> None:
        relay = Relay(cli_node.address, hold_at=12)
        path = write_sut(tmp_path, sut_text(cli_node, port=relay.port))
        arguments: list[str | Path] = ["run", path, "--no-second-opinion", "--out", "report"]
        record = tmp_path / "report" / "run.jsonl"
        try:
            process = start(*arguments, cwd=tmp_path)
            assert relay.holding.wait(60)
            process.send_signal(how)
            ended = finish(process)
            if how is signal.SIGKILL:
                assert ended.status == -signal.SIGKILL
            else:
                assert ended.status == 2
                (line,) = ended.err.splitlines()
                assert "go on with the same command and --resume" in line
            kept = read_record(record, unfinished=True)
            assert kept.observations
            relay.release()
            refused = ps315(*arguments, cwd=tmp_path)
            assert refused.status == 2
            assert "--resume" in refused.err
            judged = ps315("judge", "report", cwd=tmp_path)
            assert judged.status == 2
            assert "--resume" in judged.err
            resumed = ps315(*arguments, "--resume", cwd=tmp_path)
        finally:
            relay.close()
        assert resumed.status == 0, resumed
        whole = read_record(record)
        assert whole.observations[: len(kept.observations)] == kept.observations
        assert set(kept.exchanges) <= set(whole.exchanges)
        assert len(whole.resumed) == 1
        assert ps315("judge", "report", cwd=tmp_path).status == 0

    def test_another_description_is_not_resumed(self, cli_node: Node, tmp_path: Path) -> None:
        path = write_sut(tmp_path, sut_text(cli_node))
        arguments: list[str | Path] = ["run", path, "--no-second-opinion", "--out", "report", "--quiet"]
        assert ps315(*arguments, cwd=tmp_path).status == 0
        before = (tmp_path / "report" / "run.jsonl").read_bytes()
        write_sut(tmp_path, sut_text(cli_node).replace("ACME", "Other"))
        ended = ps315(*arguments, "--resume", cwd=tmp_path)
        assert ended.status == 2
        assert "another SUT description" in ended.err
        assert (tmp_path / "report" / "run.jsonl").read_bytes() == before


def garbage(connection: socket.socket) -> None:
    while True:
        connection.sendall(os.urandom(4096))


def huge_handshake(connection: socket.socket) -> None:
    connection.recv(65536)
    for _ in range(1024):  # 16 MB of one Certificate message in records of 16 KB
        connection.sendall(b"\x16\x03\x03\x40\x00" + b"\x0b\xff\xff\xff" + bytes(0x3FFC))


def one_byte_a_second(connection: socket.socket) -> None:
    for octet in b"\x16\x03\x03\x40\x00" * 100:
        connection.sendall(bytes((octet,)))
        threading.Event().wait(1.0)


def never(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def plain_dicom(connection: socket.socket) -> None:
    """Answers an A-ASSOCIATE-RQ with A-ASSOCIATE-RJ, anything else with A-ABORT (PS3.8 9.3)."""
    asked = connection.recv(65536)
    kind, body = (3, b"\0\x01\x01\x01") if asked[:1] == b"\x01" else (7, b"\0\0\x02\x01")
    connection.sendall(struct.pack(">BBI", kind, 0, 4) + body)


class TestMany:
    def test_hostile_neighbours_do_not_keep_the_rest_from_being_judged(
        self, cli_node: Node, cli_broken_node: Node, tmp_path: Path
    ) -> None:
        servers = {
            "garbage": garbage,
            "huge": huge_handshake,
            "slow": one_byte_a_second,
            "silent": never,
            "plain": plain_dicom,
        }
        with ExitStack() as stack:
            files = [
                write_sut(tmp_path, sut_text(cli_node, name="good"), "good.toml"),
                write_sut(tmp_path, sut_text(cli_broken_node, name="bad"), "bad.toml"),
                write_sut(tmp_path, sut_text(cli_node, name="off", port=unused_port()), "off.toml"),
            ]
            for name, serve in servers.items():
                port = stack.enter_context(tcp_server(serve))
                files.append(write_sut(tmp_path, sut_text(cli_node, name=name, port=port), f"{name}.toml"))
            ended = ps315("run", *files, "--no-second-opinion", "--out", "all", cwd=tmp_path)
        assert ended.status == 1, ended
        summary = json.loads((tmp_path / "all" / "summary.json").read_bytes())
        jsonschema.validate(summary, load("summary.schema.json"))
        statuses = {entry["id"]: entry["exit_status"] for entry in summary["suts"]}
        assert statuses["good"] == 0
        assert statuses["bad"] == 1
        assert {statuses[name] for name in (*servers, "off")} <= {2, 3}
        for name in (*servers, "off"):
            found = set(verdicts(tmp_path / "all" / name).values())
            assert "fail" not in found
            assert "error" not in found
            assert "inconclusive" in found
        assert "unencrypted DICOM" in next(e["nothing_judged"] for e in summary["suts"] if e["id"] == "plain")
        assert (tmp_path / "all" / "index.html").stat().st_size > 0
        again = ps315("judge", "all", "--quiet", cwd=tmp_path)
        assert again.status == 1
        assert json.loads((tmp_path / "all" / "summary.json").read_bytes())["suts"] == summary["suts"]
