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
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import pytest

from fixtures.pki import Pki
from tests.benchmarks.measuring import REPEATS, ROOT
from tests.missing import lacking
from tests.peers.starters.collectors import rsyslog_collector
from tests.peers.starters.process import PeerMissing
from tests.unit.audit_syslog_bench import awaited

pytestmark = [pytest.mark.benchmark, pytest.mark.peer]

MESSAGES, OCTETS, GOAL, DEADLINE = 100_000, 2048, 1.0, 120.0
PROGRAM = [sys.executable, "-m", "tests.benchmarks.syslog_load"]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki.create(tmp_path_factory.mktemp("pki"))


@dataclass
class Subject:
    """A receiver: its port, the file that it writes, its process; seconds by the clock and of the processor."""

    port: int
    received: Path
    process: int
    seconds: list[float] = field(default_factory=list)
    worked: list[float] = field(default_factory=list)

    def processor(self) -> float:
        """Seconds that its threads have worked."""
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """MiB at its peak."""
        lines = Path(f"/proc/{self.process}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


@contextmanager
def ours(pki: Pki, directory: Path) -> Iterator[Subject]:
    """Our receiver in a process of its own."""
    directory.mkdir()
    received, case = directory / "received.log", "server_key_encipherment"
    files = [received, pki.certificate_file(case), pki.key_file(case), pki.trust_anchors_file("ca")]
    with subprocess.Popen(
        [*PROGRAM, "receive", *map(str, files)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield Subject(int(process.stdout.readline()), received, process.pid)
        finally:
            process.stdin.close()
            process.wait(10)


@contextmanager
def rsyslogd(pki: Pki, directory: Path) -> Iterator[Subject]:
    """rsyslogd with GnuTLS, which writes messages as they came."""
    try:
        with rsyslog_collector(pki, directory, {"driver": "gtls"}) as peer:
            written = directory / "rsyslog.pid"
            assert awaited(lambda: written.is_file() and bool(written.read_text().strip()))
            yield Subject(peer.tls, peer.received, int(written.read_text()))
    except PeerMissing as missing:
        lacking(str(missing))


def receive(pki: Pki, subject: Subject, connections: int) -> tuple[float, float]:
    """How long `MESSAGES` take to the file, and how long the subject worked for that."""
    received = subject.received
    files = [pki.trust_anchors_file("ca"), pki.certificate_file("client"), pki.key_file("client")]
    arguments = [*PROGRAM, "load", str(subject.port), *map(str, files), str(connections), str(MESSAGES), str(OCTETS)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as sender:
        assert sender.stdout is not None
        assert sender.stdin is not None
        assert sender.stdout.readline() == b"ready\n"
        start, worked = time.perf_counter(), subject.processor()
        sender.stdin.close()
        wanted = MESSAGES * (OCTETS + 1)
        while not received.exists() or received.stat().st_size < wanted:
            assert time.perf_counter() - start < DEADLINE, "messages are missing"
            time.sleep(0.005)
        taken = time.perf_counter() - start, subject.processor() - worked
    assert sender.returncode == 0
    assert received.stat().st_size == wanted
    os.truncate(received, 0)
    return taken


@pytest.mark.parametrize("connections", [1, 10])
def test_reception_beside_rsyslogd(connections: int, pki: Pki, tmp_path: Path) -> None:
    with ours(pki, tmp_path / "ours") as mine, rsyslogd(pki, tmp_path / "theirs") as theirs:
        for turn in range(REPEATS + 1):
            for subject in (mine, theirs):
                taken, worked = receive(pki, subject, connections)
                if turn:
                    subject.seconds.append(taken)
                    subject.worked.append(worked)
        print(
            f"\nReception over TLS, {MESSAGES} messages of {OCTETS} octets, {connections} connections, sender included"
        )
        for name, each in {"ours": mine, "rsyslogd": theirs}.items():
            taken = median(each.seconds)
            print(
                f"  {name:<9} {taken:6.3f} s ({min(each.seconds):.3f} - {max(each.seconds):.3f})"
                f"  {MESSAGES / taken:8,.0f} a second,"
                f" {median(each.worked):.2f} s of the processor, {each.memory():.0f} MiB"
            )
    ratio = median(theirs.seconds) / median(mine.seconds)
    print(f"  rate to rsyslogd's: {ratio:.2f} (goal: at least {GOAL}) {'reached' if ratio >= GOAL else 'MISSED'}")
    print(f"  processor to rsyslogd's: {median(mine.worked) / median(theirs.worked):.2f}")
