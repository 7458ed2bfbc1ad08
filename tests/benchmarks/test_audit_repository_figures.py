"""Figures of the audit repository: intake with validation and storage, search in a large trail; printed only.

``python -m pytest tests/benchmarks/test_audit_repository_figures.py -m benchmark -s`` (PS315_BENCHMARK_REPEATS,
PS315_BENCHMARK_STORED: messages of the large trail, 1,000,000 by default, which need some 4 GB of disk).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median

import pytest

from fixtures.pki import Pki
from reference_impl.audit.repository import summaries
from reference_impl.audit.repository.query import Query
from reference_impl.audit.repository.search import Search
from reference_impl.audit.repository.store import INDEXED_AT_ONCE, Store
from reference_impl.syslog_frames import frame
from tests.benchmarks.measuring import REPEATS, ROOT
from tests.benchmarks.repository_load import OCTETS, department, stored
from tests.missing import lacking
from tests.peers.starters.collectors import rsyslog_collector
from tests.peers.starters.process import PeerMissing

pytestmark = pytest.mark.benchmark

PROGRAM = [sys.executable, "-m", "tests.benchmarks.repository_load"]
IN_FILE, TIMES, SENDERS = 1000, 20, 10
STORED = int(os.environ.get("PS315_BENCHMARK_STORED", "1000000"))
DEADLINE = 600.0
SEARCH_GOAL, INTAKE_GOAL = 0.3, 0.2


@dataclass
class Running:
    """A repository in a process of its own."""

    process: subprocess.Popen[str]
    port: int

    def stored(self) -> int:
        """How many messages are stored."""
        return self._told()[0]

    def wait_for_index(self) -> float:
        """How long it takes until no message waits for the index."""
        start = time.perf_counter()
        while self._told()[1]:
            assert time.perf_counter() - start < DEADLINE, "messages are not indexed"
            time.sleep(0.02)
        return time.perf_counter() - start

    def _told(self) -> tuple[int, int]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        stored, unindexed = self.process.stdout.readline().split()
        return int(stored), int(unindexed)

    def peak(self) -> float:
        """Memory of the process at its peak in MiB, without those that examine."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if "VmHWM" in line).split()[1]) / 1024


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki.create(tmp_path_factory.mktemp("pki"))


@contextmanager
def repository(pki: Pki, folder: Path) -> Iterator[Running]:
    folder.mkdir()
    case = "server_key_encipherment"
    files = [folder, pki.certificate_file(case), pki.key_file(case), pki.trust_anchors_file("ca")]
    with subprocess.Popen(
        [*PROGRAM, "repository", *map(str, files)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield Running(process, int(process.stdout.readline()))
        finally:
            process.stdin.close()
            process.wait(DEADLINE)


def seconds(pki: Pki, port: int, file: Path, load: tuple[int, int, str], done: Callable[[], bool]) -> float:
    """How long it takes from the first octet that is sent until `done`; `load`: connections, times, and
    "apart" for a record of its own for each message, "together" for as many as fit.
    """
    files = [pki.trust_anchors_file("ca"), pki.certificate_file("client"), pki.key_file("client"), file]
    arguments = [*PROGRAM, "send", str(port), *map(str, files), *map(str, load)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as sender:
        assert sender.stdout is not None
        assert sender.stdin is not None
        assert sender.stdout.readline() == b"ready\n"
        start = time.perf_counter()
        sender.stdin.close()
        while not done():
            assert time.perf_counter() - start < DEADLINE, "messages are missing"
            time.sleep(0.02)
        taken = time.perf_counter() - start
    assert sender.returncode == 0
    return taken


def _has_stored(running: Running, number: int) -> bool:
    return running.stored() >= number


def _is_written(file: Path, octets: int) -> bool:
    return file.exists() and file.stat().st_size >= octets


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Messages of a department, as they go over a connection."""
    path = tmp_path_factory.mktemp("messages") / "frames"
    path.write_bytes(b"".join(map(frame, department(IN_FILE))))
    return path


@pytest.mark.peer
@pytest.mark.parametrize("records", ["apart", "together"])
def test_intake_with_validation_and_storage_beside_rsyslogd(
    records: str, pki: Pki, frames: Path, tmp_path: Path
) -> None:
    measured: dict[str, list[float]] = {"ours": [], "rsyslogd": []}
    indexed = []
    number = IN_FILE * TIMES
    wanted = number * (OCTETS + 1)
    try:
        with (
            rsyslog_collector(pki, tmp_path / "theirs", {"driver": "gtls"}) as peer,
            repository(pki, tmp_path / "ours") as mine,
        ):
            for turn in range(REPEATS + 1):
                ours = seconds(
                    pki, mine.port, frames, (1, TIMES, records), partial(_has_stored, mine, mine.stored() + number)
                )
                behind = mine.wait_for_index()
                theirs = seconds(
                    pki, peer.tls, frames, (1, TIMES, records), partial(_is_written, peer.received, wanted)
                )
                os.truncate(peer.received, 0)
                if turn:
                    measured["ours"].append(ours)
                    indexed.append(ours + behind)
                    measured["rsyslogd"].append(theirs)
            peak = mine.peak()
    except PeerMissing as missing:
        lacking(str(missing))
    print(
        f"\nIntake over TLS, {number} messages of {OCTETS} octets: validated and stored; rsyslogd writes them to a file"
    )
    print(f"  messages {records} in records of TLS")
    for name, several in measured.items():
        rate = number / median(several)
        print(f"  {name:<9} {median(several):6.3f} s ({min(several):.3f} - {max(several):.3f})  {rate:8,.0f} a second")
    print(f"  ours, until all are in the index {median(indexed):6.3f} s  {number / median(indexed):8,.0f} a second")
    ratio = median(measured["rsyslogd"]) / median(measured["ours"])
    print(f"  rate to rsyslogd's: {ratio:.2f} (goal: at least {INTAKE_GOAL}), memory at its peak {peak:.0f} MiB")


def test_ten_senders_lose_nothing_of_a_hundred_thousand(pki: Pki, frames: Path, tmp_path: Path) -> None:
    number = IN_FILE * 10 * SENDERS
    with repository(pki, tmp_path / "ours") as mine:
        taken = seconds(pki, mine.port, frames, (SENDERS, 10, "together"), partial(_has_stored, mine, number))
        peak = mine.peak()
    with Store(tmp_path / "ours" / "audit.sqlite", read_only=True) as store:
        kept = store.verify()
        received = Search(store).count(Query(event="110103"), at_most=2 * number).number
    assert kept.problem == ""
    assert received == number
    print(f"\n{SENDERS} senders, {number} messages of {OCTETS} octets: none lost, {taken:.1f} s")
    print(f"  {number / taken:,.0f} a second, memory of the repository at its peak {peak:.0f} MiB")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Search]:
    path = tmp_path_factory.mktemp("large") / "audit.sqlite"
    start = time.perf_counter()
    with Store(path) as store:
        messages = stored(STORED)
        while batch := list(islice(messages, 2000)):
            store.add(batch)
            if store.behind >= INDEXED_AT_ONCE:
                store.index()
        while store.index():
            pass
    taken = time.perf_counter() - start
    size = path.stat().st_size / 2**30
    print(f"\nA trail of {STORED} messages: {STORED / taken:,.0f} a second are written and indexed, {size:.1f} GiB")
    with Store(path) as store:
        yield Search(store)
    path.unlink()


def test_search_in_a_large_trail(large: Search) -> None:
    day = datetime.now(UTC) - timedelta(days=100)
    nodes = [f"NODE-{number}" for number in range(7, 7 + 5 * REPEATS, 5)]
    queries: dict[str, list[Query]] = {
        "nothing asked": [Query()] * REPEATS,
        "a patient": [Query(patient=f"PAT{number:06}") for number in range(1, REPEATS + 1)],
        "a user": [Query(user=f"user{number}@hospital.example") for number in range(1, REPEATS + 1)],
        "an event": [Query(event=each) for each in ("110103", "110104", "110114", "110112", "110113")],
        "a node, a week": [Query(node=each, since=day, until=day + timedelta(days=7)) for each in nodes],
        "user and patient": [Query(user=f"user{n}@*", patient=f"PAT{n:06}") for n in range(1, REPEATS + 1)],
        "failed log-ins": [Query(event="110114", outcome="4")] * REPEATS,
        "node, event, outcome": [Query(node=each, event="110113", outcome="4") for each in nodes],
        "with findings": [Query(only_findings=True)] * REPEATS,
        "text": [Query(text=f"AT0{number:03}") for number in range(100, 100 + REPEATS)],
        "a user's day": [
            Query(user=f"user{n}@hospital.example", since=day, until=day + timedelta(1)) for n in range(REPEATS)
        ],
    }
    print(f"\nSearch among {STORED} messages: first page of 50 and count (up to 10,000); goal: about {SEARCH_GOAL} s")
    for name, several in queries.items():
        times, found = [], 0
        for query in several:
            start = time.perf_counter()
            rows = large.page(query).rows
            large.count(query)
            times.append(time.perf_counter() - start)
            found += len(rows)
        told = "reached" if max(times) <= SEARCH_GOAL else "MISSED"
        print(
            f"  {name:<22} {median(times):7.4f} s (at most {max(times):.4f}), {found / len(several):5.1f} rows  {told}"
        )
    surveys: dict[str, Callable[[], object]] = {
        "nodes": lambda: summaries.nodes(large),
        "findings by node": lambda: summaries.findings(large),
        "last 30 days": lambda: summaries.days(large),
    }
    for name, ask in surveys.items():
        start = time.perf_counter()
        ask()
        print(f"  {name:<22} {time.perf_counter() - start:7.4f} s")
