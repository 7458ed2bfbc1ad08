"""A SUT's run with a record in a folder: begun, or gone on with."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from harness.observe import SutRun
from harness.plan import Plan
from harness.record import SutRecord
from harness.record.journal import Journal, read_record
from harness.record.models import Header, Limits, ToolRecord
from harness.sut import Sut


def record_of(folder: Path, sut: Sut) -> Path:
    """Where the record of `sut` is."""
    return folder / f"{sut.id}.jsonl"


def begun(folder: Path, sut: Sut, plan: Plan) -> SutRun:
    """The run of `sut` by `plan`, with what its record holds already."""
    path = record_of(folder, sut)
    before = read_record(path, unfinished=True) if path.exists() else None
    journal = Journal(path)
    if before is None:
        journal.append(
            Header(
                tool=ToolRecord(version="1", python="3", platform="x"),
                started=datetime.now(UTC),
                command="run",
                sut=SutRecord(id=sut.id, claims=(), endpoints=()),
                limits=Limits(
                    connections_at_once=4,
                    connections_per_second=200,
                    connect_seconds=5,
                    exchange_seconds=5,
                    received_octets=1,
                    evidence_octets=1,
                ),
            )
        )
    return SutRun(sut, plan, journal, before)
