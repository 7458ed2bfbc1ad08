"""How long all trials take against one client, beside the starts of its driver; nothing about time is asserted."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from harness.record.journal import read_record
from tests.benchmarks.measuring import REPEATS, Command, in_turns, ps315
from tests.unit.listen_bench import trials_of

pytestmark = pytest.mark.benchmark

_GOAL = 1.5  # times the sum of the driver's starts
_SUT = """
schema = 1
[identity]
id = "client"
[endpoints.scu]
host = "127.0.0.1"
[endpoints.scu.listen]
driver = "client"
name = "localhost"
seconds = 20
[drivers.client]
command = '''{command}'''
[[claims]]
profile = "B.12"
role = "tls-client"
endpoint = "scu"
"""
_OPENSSL = "openssl s_client -brief -CAfile {trust_anchors} -connect {host}:{port} </dev/null"
_DCMTK = "echoscu -to 5 -ta 5 +tla +cf {trust_anchors} -aec {called_aet} {host} {port}"


@pytest.mark.parametrize(("program", "command"), [("echoscu", _DCMTK), ("openssl", _OPENSSL)])
def test_all_trials_against_one_client(tmp_path: Path, program: str, command: str) -> None:
    """All observing of ``ps315 run``, from its start to the last trial, over what the driver's commands took in it."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    path = tmp_path / "client.toml"
    path.write_text(_SUT.replace("{command}", command), encoding="utf-8")
    arguments = ps315("run", str(path), "--out", "report", "--force", "--no-second-opinion", "--quiet")
    starts: list[float] = []

    def in_observing() -> float:
        record = read_record(tmp_path / "report" / "run.jsonl")
        starts.append(sum(trial.driver.seconds for trial in trials_of(record).values()))
        times = [event.observation.observed_at for event in record.observations]
        return (times[-1] - record.header.started).total_seconds()

    run = Command(arguments, tmp_path, frozenset({0, 1, 3}), in_observing)
    measured = in_turns({"all trials": run}, repeats=min(REPEATS, 3))["all trials"]
    factors = [seconds / driver for seconds, driver in zip(measured.seconds, starts, strict=True)]
    factor = sorted(factors)[len(factors) // 2]
    print(f"\nall trials against {program}, with {sys.executable.rpartition('/')[2]}")
    print(f"  observing: {measured.median:.2f} s; the driver's starts in it: {sorted(starts)[len(starts) // 2]:.2f} s")
    print(f"  {factor:.2f} times (goal: at most {_GOAL:g}) {'reached' if factor <= _GOAL else 'MISSED'}")
