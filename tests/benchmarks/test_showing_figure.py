"""How long it takes to show the whole zoo to one local server under the default limits; no time is asserted."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from fixtures.pki.campaign import Campaign
from harness.conduct import Budget
from harness.observations import facts_of
from harness.observations.clients import ClientCertificates
from harness.observe import Conduct
from harness.probes.base import ProbeContext, TlsTarget
from harness.probes.transport import PROBES
from tests.missing import lacking
from tests.peers.starters import STARTERS, PeerMissing

pytestmark = [pytest.mark.benchmark, pytest.mark.peer]

_GOAL = 20.0  # seconds
_NEEDED = ("tls.reachability", "tls.versions", "tls.cipher-suites", "tls.client-authentication")


def test_showing_the_whole_zoo(tmp_path: Path) -> None:
    """To DCMTK's storescp, which demands a client certificate."""
    campaign, conduct = Campaign.create(tmp_path / "campaign"), Conduct()
    by_kind = {probe.kind: probe for probe in PROBES}
    try:
        with STARTERS["storescp"](campaign.pki, tmp_path / "peer", {"profile": "+py"}) as peer:
            target = TlsTarget("subject", "dicom-tls", peer.host, peer.port, campaign=campaign)
            context = ProbeContext(
                target, Budget(conduct.at_once, conduct.per_second), conduct.deadlines, gentle=conduct.gentle
            )
            for kind in _NEEDED:
                context.learn(by_kind[kind].run(context))
            before = context.budget.connections
            start = time.perf_counter()
            observation = by_kind["tls.client-certificates"].run(context)
            seconds = time.perf_counter() - start
    except PeerMissing as missing:
        lacking(str(missing))
    facts = facts_of(observation, ClientCertificates)
    assert facts is not None, observation.missing
    assert len(facts.trials) > 70
    assert all(each.admitted for each in facts.controls)
    reached = "reached" if seconds <= _GOAL else "MISSED"
    print(f"\n  showing the zoo: {seconds:.2f} s, {context.budget.connections - before} connections")
    print(f"  {len(facts.trials)} certificates (goal: about {_GOAL:g} s) {reached}")
