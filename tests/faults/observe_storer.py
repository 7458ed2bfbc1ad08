"""Runs the reference archive with a fault, sends and retrieves every case, judges it under the profile it keeps."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from harness.conduct import Budget
from harness.judging import judge
from harness.objects.executor import ObjectExecutor
from harness.observe import Conduct, SutRun
from harness.operator_board import Board
from harness.plan import plan_for
from harness.progress import Silent
from harness.sut import make_sut
from reference_impl.storage.node import StorageNode
from tests.faults.bench import Bench
from tests.faults.observe import Collecting, Run, declarations

EDITION, ROLE, ENDPOINT = "2026c", "instance-storer", "archive"


def run_storer(
    directory: Path,
    bench: Bench,
    profile: str,
    *faults: str,
    protocol: str = "dicom",
    objects: Mapping[str, object] | None = None,
) -> Run:
    """Start an archive that keeps `profile` with `faults`; store and retrieve by the table `objects`; judge."""
    directory.mkdir(parents=True, exist_ok=True)
    begun, objects = datetime.now(UTC), objects or {}
    journal = Collecting(directory / "run.jsonl")
    with journal, StorageNode(profile, faults, protocol=protocol, pki=bench.campaign.pki, directory=directory) as node:
        host, port = node.address
        if "destination" in objects:
            node.archive.destinations[str(objects["destination"])] = ("127.0.0.1", int(str(objects["port"])))
        endpoint = {"protocol": protocol, "host": host, "port": port, "called_aet": node.ae_title, "objects": objects}
        sut = make_sut(
            {
                "schema": 1,
                "identity": {"id": "reference-archive"},
                "endpoints": {ENDPOINT: endpoint},
                "claims": [{"profile": profile, "edition": EDITION, "role": ROLE, "endpoint": ENDPOINT}],
                "declarations": declarations(),
            },
            source="kill matrix",
            folder=directory,
        )
        sut = bench.given(sut)
        examine(SutRun(sut, plan_for(sut, ()), journal))
    observations = tuple(journal.observations.values())
    judgement = judge(sut.record, observations, observed_at=begun, command="run")
    seconds = (datetime.now(UTC) - begun).total_seconds()
    return Run(faults, sut.record, observations, judgement, seconds, role=ROLE, protocol=protocol)


def examine(run: SutRun) -> None:
    """Execute all file steps of `run`."""
    budget = Budget(per_second=1000.0)
    executor = ObjectExecutor(Conduct(per_second=1000.0), Silent(), Board(), lambda _host: budget)
    try:
        executor.add(run)
        executor.start()
        executor.wait()
    finally:
        executor.stop()
