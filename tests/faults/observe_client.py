"""Runs the reference client with a fault through every trial of the listeners, judges it under both TLS profiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography.x509 import load_pem_x509_certificates

from harness.conduct import Budget
from harness.drivers.base import Stimulus
from harness.drivers.choice import driver_for
from harness.judging import judge
from harness.listeners.executor import ListenExecutor
from harness.listeners.transport.trials import TRIALS
from harness.observe import Conduct, SutRun
from harness.operator_board import Board
from harness.plan import plan_for
from harness.probes.base import Deadlines
from harness.progress import Silent
from harness.sut import make_sut
from reference_impl.scu import Scu
from reference_impl.transport.client import ClientLimits
from tests.faults.bench import Bench
from tests.faults.observe import EDITION, PROFILES, Collecting, Run, declarations

ROLE = "tls-client"
NAME = "harness.ps315.example"
"""How the client calls the harness: of three labels, as wildcards need; it is never looked up."""
CLAIMS = tuple((profile, EDITION) for profile in PROFILES)
_CONDUCT = Conduct(
    per_second=1000.0, deadlines=Deadlines(connect=5.0, exchange=5.0, silence=4.0, patience=4.0), seconds=200.0
)
_LIMITS = ClientLimits(connect=5.0, handshake=3.0, answer=3.0, linger=0.2)


def run_client(
    directory: Path,
    bench: Bench,
    *faults: str,
    protocol: str = "dicom-tls",
    kept: tuple[str, str] = ("B.13", EDITION),
    claims: Sequence[tuple[str, str]] = CLAIMS,
) -> Run:
    """The client that keeps the profile and edition `kept`, with `faults`, in every trial once."""
    directory.mkdir(parents=True, exist_ok=True)
    begun = datetime.now(UTC)
    sut = make_sut(
        {
            "schema": 1,
            "identity": {"id": "reference-client"},
            "endpoints": {
                "scu": {
                    "protocol": protocol,
                    "host": "127.0.0.1",
                    "listen": {"driver": "embedded", "name": NAME, "seconds": 20},
                }
            },
            "claims": [
                {"profile": profile, "edition": edition, "role": ROLE, "endpoint": "scu"} for profile, edition in claims
            ],
            "declarations": declarations(),
        },
        source="kill matrix",
        folder=directory,
    )
    sut = bench.given(sut)
    with Collecting(directory / "run.jsonl") as journal:
        anchors = bench.trials.trust_anchors(sut)
        assert anchors is not None
        client = Scu(
            kept[0],
            faults,
            edition=kept[1],
            protocol=protocol,
            pki=bench.campaign.pki,
            trust_anchors=load_pem_x509_certificates(anchors.read_bytes()),
            asks_online=True,
            limits=_LIMITS,
        )

        def connect(stimulus: Stimulus) -> None:
            client.run("127.0.0.1", stimulus.port, stimulus.called_aet, stimulus.host)

        sut = replace(sut, embedded={"scu": connect})
        board, budget = Board(), Budget()
        executor = ListenExecutor(
            bench.trials,
            _CONDUCT,
            Silent(),
            lambda run, endpoint: driver_for(run.sut, endpoint, board),
            lambda _host: budget,
        )
        try:
            executor.add(SutRun(sut, plan_for(sut, (), trials=tuple(TRIALS.values())), journal))
            executor.start()
            executor.wait()
        finally:
            executor.stop()
        observations = tuple(journal.observations.values())
    judgement = judge(sut.record, observations, observed_at=begun, command="run")
    seconds = (datetime.now(UTC) - begun).total_seconds()
    return Run(faults, sut.record, observations, judgement, seconds, ROLE, protocol)
