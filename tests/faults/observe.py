"""Runs the reference node with a fault, observes it once with the real probes, judges it under every claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from harness.catalogue import load_catalogue
from harness.judging import Judgement, judge
from harness.observations import Observation
from harness.observations.base import Frozen
from harness.observe import Conduct, Observer, SutRun
from harness.plan import plan_for
from harness.probes.base import Deadlines
from harness.probes.transport import PROBES
from harness.progress import Silent
from harness.record.journal import Journal
from harness.record.models import ObservationEvent, SutRecord, VerdictKind, VerdictRecord
from harness.sut import make_sut
from reference_impl.node import Node
from tests.faults.bench import Bench

EDITION, ROLE = "2026c", "tls-server"
ENDPOINTS = {"dicom-tls": "dimse", "https": "web", "syslog-tls": "syslog"}
"""The node's endpoint by its protocol."""
PROFILES = ("B.12", "B.13")
CLAIMS = tuple((profile, EDITION) for profile in PROFILES)
CONDUCT = Conduct(
    deadlines=Deadlines(connect=10.0, exchange=10.0, silence=1.5, patience=1.5), per_second=1000.0, seconds=110.0
)


class Collecting(Journal):
    """A journal that also keeps the observations at hand."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.observations: dict[tuple[str, str], Observation] = {}

    def append(self, event: Frozen) -> None:
        if isinstance(event, ObservationEvent):
            self.observations[event.observation.kind, event.observation.subject] = event.observation
        super().append(event)

    def __enter__(self) -> Self:
        return self


@dataclass(frozen=True)
class Run:
    """One node or client, observed and judged."""

    faults: tuple[str, ...]
    sut: SutRecord
    observations: tuple[Observation, ...]
    judgement: Judgement
    seconds: float
    role: str = ROLE
    protocol: str = "dicom-tls"

    def of(self, profile: str) -> dict[str, VerdictRecord]:
        """The verdicts under one profile, by requirement."""
        return {one.requirement: one for one in self.judgement.verdicts if one.profile == profile}

    def kinds(self, profile: str) -> dict[str, VerdictKind]:
        """How each requirement ended under one profile."""
        return {name: one.verdict for name, one in self.of(profile).items()}


def run_node(
    directory: Path,
    bench: Bench,
    *faults: str,
    protocol: str = "dicom-tls",
    served: str = "B.13",
    claims: Sequence[tuple[str, str]] = CLAIMS,
) -> Run:
    """Start a node that serves `served` with `faults`; observe it with the campaign of `bench`; judge each claim."""
    directory.mkdir(parents=True, exist_ok=True)
    begun = datetime.now(UTC)
    journal = Collecting(directory / "run.jsonl")
    endpoint, campaign = ENDPOINTS[protocol], bench.campaign
    serving = Node(
        served,
        faults,
        protocol=protocol,
        client_auth="required",
        pki=campaign.pki,
        client_anchors=[campaign.pinned["client"].certificate],
        client_crls=[campaign.zoo().crl()],
        directory=directory,
    )
    with journal, serving as node:
        host, port = node.address
        sut = make_sut(
            {
                "schema": 1,
                "identity": {"id": "reference-node"},
                "endpoints": {
                    endpoint: {
                        "protocol": protocol,
                        "host": host,
                        "port": port,
                        "called_aet": node.ae_title,
                        "server_name": node.server_name,
                    }
                },
                "claims": [
                    {"profile": profile, "edition": edition, "role": ROLE, "endpoint": endpoint}
                    for profile, edition in claims
                ],
                "declarations": declarations(),
            },
            source="kill matrix",
            folder=directory,
        )
        sut = bench.given(sut, node.trust_anchors)
        observer = Observer(PROBES, CONDUCT, Silent())
        observer.add(SutRun(sut, plan_for(sut, PROBES, leave_out=frozenset({"tls.second-opinion"})), journal))
        observer.run()
    observations = tuple(journal.observations.values())
    judgement = judge(sut.record, observations, observed_at=begun, command="run")
    seconds = (datetime.now(UTC) - begun).total_seconds()
    return Run(faults, sut.record, observations, judgement, seconds, protocol=protocol)


def declarations() -> dict[str, str]:
    """Every question answered as a conforming vendor would."""
    answers = {"yes": "yes", "text": "as the conformance statement says"}
    return {one.id: answers[one.answer] for one in load_catalogue() if one.judged == "by-declaration"}
