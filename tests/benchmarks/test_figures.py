"""The figures the project sets itself, printed side by side; nothing about time is asserted, only that all runs end.

``python -m pytest tests/benchmarks -m benchmark -s`` (PS315_BENCHMARK_REPEATS, default 5).
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fixtures.pki import Pki
from tests.benchmarks.measuring import Command, in_turns, ps315, table
from tests.missing import lacking
from tests.peers.starters import STARTERS, Peer, PeerMissing

pytestmark = [pytest.mark.benchmark, pytest.mark.peer]

_ENDED = frozenset({0, 1, 3})  # judged: everything kept, a shall failed, something inconclusive
_CONNECTIONS, _MEMORY = 250, 150


@dataclass(frozen=True)
class Subject:
    """A server to measure on, and what is wished for there."""

    family: str
    options: Mapping[str, str]
    alone_to_sslyze: float
    with_opinion_to_sslyze: float


SUBJECTS = {
    "openssl s_server, RSA and ECDSA, all suites": Subject(
        "s_server", {"second_certificate": "server_ec", "arguments": "-cipher ALL:eNULL@SECLEVEL=0"}, 0.5, 1.3
    ),
    "DCMTK storescp --fork": Subject("storescp", {"profile": "+py"}, 1.0, 2.0),
}


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Certificates for the subjects."""
    return Pki.create(tmp_path_factory.mktemp("pki"))


@contextmanager
def started(subject: Subject, pki: Pki, directory: Path) -> Iterator[Peer]:
    """The subject, running."""
    try:
        with STARTERS[subject.family](pki, directory, subject.options) as peer:
            yield peer
    except PeerMissing as missing:
        lacking(str(missing))


def _scanner(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    return found or lacking(f"{name} is not installed")


@pytest.mark.parametrize("name", SUBJECTS)
def test_whole_runs(name: str, pki: Pki, tmp_path: Path) -> None:
    """Whole processes with report, beside sslyze's default scan and sslscan."""
    subject = SUBJECTS[name]
    sslyze, sslscan = _scanner("sslyze"), _scanner("sslscan")
    with started(subject, pki, tmp_path / "peer") as peer:
        address = f"{peer.host}:{peer.port}"
        probe = ["probe", f"dicom-tls://{address}", "--quiet", "--force"]
        probe += ["--cert", str(pki.certificate_file("client")), "--key", str(pki.key_file("client"))]
        measured = in_turns(
            {
                "ps315 probe --no-second-opinion": Command(
                    ps315(*probe, "--no-second-opinion", "--out", "alone"), tmp_path, _ENDED
                ),
                "sslyze (default scan)": Command([sslyze, address, "--json_out=-"], tmp_path),
                "sslscan": Command([sslscan, "--no-colour", address], tmp_path),
                "ps315 probe": Command(ps315(*probe, "--out", "both"), tmp_path, _ENDED),
                "ps315 judge (offline)": Command(ps315("judge", "alone", "--quiet"), tmp_path, _ENDED),
            }
        )
    print(
        table(
            name,
            measured,
            [
                ("without second opinion / sslyze", "ps315 probe --no-second-opinion", "sslyze (default scan)",
                 subject.alone_to_sslyze),
                ("with second opinion / sslyze", "ps315 probe", "sslyze (default scan)",
                 subject.with_opinion_to_sslyze),
                ("judging again / run", "ps315 judge (offline)", "ps315 probe --no-second-opinion", 0.5),
            ],
        )
    )  # fmt: skip
    report = json.loads((tmp_path / "alone" / "report.json").read_text(encoding="utf-8"))
    peak = max(measured["ps315 probe --no-second-opinion"].peak)
    print(f"  TCP connections: {report['connections']} (goal: at most {_CONNECTIONS})")
    print(f"  peak memory: {peak:.0f} MiB (goal: under {_MEMORY})")
    print(f"  verdicts: {report['summary']}")
    assert report["connections"] > 0


@pytest.mark.parametrize("name", SUBJECTS)
def test_probing_alone(name: str, pki: Pki, tmp_path: Path) -> None:
    """The probes in a process that does nothing else, from the first packet to the last, beside sslscan."""
    sslscan = _scanner("sslscan")

    def last(what: str) -> Any:
        return json.loads((tmp_path / "probing.json").read_text(encoding="utf-8"))[what]

    with started(SUBJECTS[name], pki, tmp_path / "peer") as peer:
        arguments = [sys.executable, "-m", "tests.benchmarks.probing", peer.host, str(peer.port)]
        arguments += [str(pki.certificate_file("client")), str(pki.key_file("client"))]
        measured = in_turns(
            {
                "probing": Command(arguments, tmp_path, reported=lambda: float(last("seconds"))),
                "sslscan": Command([sslscan, "--no-colour", f"{peer.host}:{peer.port}"], tmp_path),
            }
        )
    print(table(f"probing alone: {name}", measured, [("probing / sslscan", "probing", "sslscan", 0.5)]))
    print(f"  TCP connections: {last('connections')}; kinds of observations: {last('kinds')}")
    assert last("missing") == {}


def test_version(tmp_path: Path) -> None:
    """``ps315 --version``, beside an interpreter that does nothing."""
    measured = in_turns(
        {
            "ps315 --version": Command(ps315("--version"), tmp_path),
            "python -c pass": Command([sys.executable, "-c", "pass"], tmp_path),
        }
    )
    print(table("start-up", measured, []))
    print(f"  ps315 --version: {measured['ps315 --version'].median:.3f} s (goal: under 0.3 s)")
