"""How fast syslog messages are received over TLS, beside rsyslogd in the same run; printed, and nothing of it asserted.

Both write every message to a file; a run counts from the first octet sent until the last message is in the file.
``python -m pytest tests/benchmarks/test_audit_reception_figures.py -m benchmark -s`` (PS315_BENCHMARK_REPEATS).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import pytest

from fixtures.pki import Pki
from tests.benchmarks.measuring import REPEATS, ROOT
from tests.missing import lacking
from tests.peers.starters.collectors import rsyslog_collector
from tests.peers.starters.process import PeerMissing

pytestmark = [pytest.mark.benchmark, pytest.mark.peer]

MESSAGES, OCTETS, GOAL, DEADLINE = 100_000, 2048, 1.0, 120.0
PROGRAM = [sys.executable, "-m", "tests.benchmarks.syslog_load"]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki.create(tmp_path_factory.mktemp("pki"))


@contextmanager
def ours(pki: Pki, directory: Path) -> Iterator[tuple[int, Path]]:
    """Our receiver in a process of its own: its port, and the file that it writes."""
    directory.mkdir()
    received, case = directory / "received.log", "server_key_encipherment"
    files = [received, pki.certificate_file(case), pki.key_file(case), pki.trust_anchors_file("ca")]
    with subprocess.Popen(
        [*PROGRAM, "receive", *map(str, files)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield int(process.stdout.readline()), received
            peak = next(
                line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if "VmHWM" in line
            )
            print(f"  our receiver's memory at its peak: {int(peak.split()[1]) / 1024:.0f} MiB")
        finally:
            process.stdin.close()
            process.wait(10)


@contextmanager
def rsyslogd(pki: Pki, directory: Path) -> Iterator[tuple[int, Path]]:
    """rsyslogd with GnuTLS, which writes messages as they came."""
    try:
        with rsyslog_collector(pki, directory, {"driver": "gtls"}) as peer:
            yield peer.tls, peer.received
    except PeerMissing as missing:
        lacking(str(missing))


def seconds(pki: Pki, port: int, received: Path, connections: int) -> float:
    """How long `MESSAGES` take to the file."""
    files = [pki.trust_anchors_file("ca"), pki.certificate_file("client"), pki.key_file("client")]
    arguments = [*PROGRAM, "load", str(port), *map(str, files), str(connections), str(MESSAGES), str(OCTETS)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as sender:
        assert sender.stdout is not None
        assert sender.stdin is not None
        assert sender.stdout.readline() == b"ready\n"
        start = time.perf_counter()
        sender.stdin.close()
        wanted = MESSAGES * (OCTETS + 1)
        while not received.exists() or received.stat().st_size < wanted:
            assert time.perf_counter() - start < DEADLINE, "messages are missing"
            time.sleep(0.005)
        taken = time.perf_counter() - start
    assert sender.returncode == 0
    assert received.stat().st_size == wanted
    os.truncate(received, 0)
    return taken


@pytest.mark.parametrize("connections", [1, 10])
def test_reception_beside_rsyslogd(connections: int, pki: Pki, tmp_path: Path) -> None:
    measured: dict[str, list[float]] = {"ours": [], "rsyslogd": []}
    with ours(pki, tmp_path / "ours") as mine, rsyslogd(pki, tmp_path / "theirs") as theirs:
        for turn in range(REPEATS + 1):
            for name, (port, received) in {"ours": mine, "rsyslogd": theirs}.items():
                taken = seconds(pki, port, received, connections)
                if turn:
                    measured[name].append(taken)
    print(f"\nReception over TLS, {MESSAGES} messages of {OCTETS} octets, {connections} connections, sender included")
    for name, several in measured.items():
        rate = MESSAGES / median(several)
        print(f"  {name:<9} {median(several):6.3f} s ({min(several):.3f} - {max(several):.3f})  {rate:8,.0f} a second")
    ratio = median(measured["rsyslogd"]) / median(measured["ours"])
    print(f"  rate to rsyslogd's: {ratio:.2f} (goal: at least {GOAL}) {'reached' if ratio >= GOAL else 'MISSED'}")
