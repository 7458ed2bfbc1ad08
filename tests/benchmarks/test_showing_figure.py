"""How long it takes to show the whole zoo to one local server under the default limits; no time is asserted."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.pki.campaign import CLIENT_NAME, Campaign
from harness.conduct import Budget
from harness.observations import facts_of
from harness.observations.clients import ClientCertificates
from harness.observe import Conduct
from harness.probes.base import ProbeContext, TlsTarget
from harness.probes.transport import PROBES
from tests.benchmarks.measuring import REPEATS, ROOT
from tests.missing import lacking
from tests.peers.starters import STARTERS, Peer, PeerMissing
from tests.peers.starters.process import free_port, running

pytestmark = [pytest.mark.benchmark, pytest.mark.peer]

_GOAL = 20.0  # seconds
_NEEDED = ("tls.reachability", "tls.versions", "tls.cipher-suites", "tls.client-authentication")
_TITLE = "PS315-NODE"
Started = Callable[[Campaign, Path], AbstractContextManager[Peer]]


def _storescp(campaign: Campaign, directory: Path) -> AbstractContextManager[Peer]:
    return STARTERS["storescp"](campaign.pki, directory, {"profile": "+py"})


@contextmanager
def _reference_node(campaign: Campaign, directory: Path) -> Iterator[Peer]:
    port = free_port()
    directory.mkdir(parents=True)
    arguments = [sys.executable, "-m", "harness", "serve", "--profile", "B.13", "--port", str(port)]
    arguments += ["--ae-title", _TITLE, "--campaign", str(campaign.directory), "--directory", str(directory)]
    with running(arguments, port, directory, name="node", environment={"PYTHONPATH": str(ROOT)}) as log:
        yield Peer("127.0.0.1", port, log, _TITLE)


SUBJECTS: dict[str, Started] = {
    "the reference node in a process of its own": _reference_node,
    "DCMTK storescp --fork": _storescp,
}


@dataclass(frozen=True)
class Shown:
    """One time all certificates: seconds, connections, certificates."""

    seconds: float
    connections: int
    certificates: int


def show(campaign: Campaign, peer: Peer) -> Shown:
    """Ask what has to be known before, which does not count, then show everything."""
    by_kind, conduct = {probe.kind: probe for probe in PROBES}, Conduct()
    target = TlsTarget("subject", "dicom-tls", peer.host, peer.port, called_aet=peer.called_aet, campaign=campaign)
    budget = Budget(conduct.at_once, conduct.per_second)
    context = ProbeContext(target, budget, conduct.deadlines, gentle=conduct.gentle)
    for kind in _NEEDED:
        context.learn(by_kind[kind].run(context))
    before, start = budget.connections, time.perf_counter()
    observation = by_kind["tls.client-certificates"].run(context)
    seconds = time.perf_counter() - start
    facts = facts_of(observation, ClientCertificates)
    assert facts is not None, observation.missing
    assert len(facts.trials) > 70
    assert all(each.admitted for each in facts.controls)
    return Shown(seconds, budget.connections - before, len(facts.trials))


def plain_handshakes(campaign: Campaign, peer: Peer, number: int) -> float:
    """Seconds for as many runs of ``openssl s_client`` with the good certificate, one after the other."""
    identity = campaign.directory / CLIENT_NAME
    command = [shutil.which("openssl") or lacking("openssl is not installed"), "s_client", "-brief"]
    command += ["-connect", f"{peer.host}:{peer.port}", "-CAfile", str(campaign.trust_anchors_of_sut)]
    command += ["-cert", f"{identity}.pem", "-key", f"{identity}.key"]
    start = time.perf_counter()
    for _ in range(number):
        said = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False).stderr
        assert b"CONNECTION ESTABLISHED" in said, said
    return time.perf_counter() - start


@pytest.mark.parametrize("name", SUBJECTS)
def test_showing_the_whole_zoo(tmp_path: Path, name: str) -> None:
    """To a server that demands a client certificate, beside as many plain handshakes, in turns."""
    campaign = Campaign.create(tmp_path / "campaign")
    shown: list[Shown] = []
    plain: list[float] = []
    try:
        with SUBJECTS[name](campaign, tmp_path / "peer") as peer:
            for _ in range(REPEATS):
                shown.append(show(campaign, peer))
                plain.append(plain_handshakes(campaign, peer, shown[-1].connections))
    except PeerMissing as missing:
        lacking(str(missing))
    first, seconds = shown[0], [each.seconds for each in shown]
    reached = "reached" if max(seconds) <= _GOAL else "MISSED"
    print(f"\nshowing the zoo to {name}, default limits")
    print(f"  first time, certificates made: {first.seconds:.2f} s; median {statistics.median(seconds):.2f} s")
    print(f"  ({min(seconds):.2f} - {max(seconds):.2f}, n={len(seconds)}; goal: about {_GOAL:g} s) {reached}")
    print(f"  {first.certificates} certificates, {first.connections} connections,", end=" ")
    print(f"{statistics.median(seconds) / first.certificates * 1000:.0f} ms a certificate")
    ratio = statistics.median(one.seconds / beside for one, beside in zip(shown, plain, strict=True))
    print(f"  {ratio:.2f} times {first.connections} runs of openssl s_client ({statistics.median(plain):.2f} s)")
