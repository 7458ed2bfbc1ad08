"""Runs the file steps of SUTs described in TOML and reads the records back."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.conduct import Budget
from harness.drivers.base import Action
from harness.objects.executor import ObjectExecutor
from harness.observations import FACTS, Frozen
from harness.observe import Conduct, SutRun
from harness.operator_board import Board
from harness.plan import plan_for
from harness.progress import Silent
from harness.record import RunRecord
from harness.record.journal import read_record
from harness.sut import Sut, parse_sut
from tests.unit.begun_record import begun, record_of

PYTHON = shlex.quote(sys.executable)


def python(program: str, *arguments: str) -> str:
    """A shell command that runs `program`; braces in `arguments` are placeholders."""
    doubled = program.replace("{", "{{").replace("}", "}}")
    return f"{PYTHON} -c {shlex.quote(doubled)} {' '.join(arguments)}"


def a_creator(
    name: str = "signer",
    *,
    objects: str = "",
    command: str = "",
    folder: Path = Path(),
    role: str = "signature-creator",
) -> Sut:
    """A SUT that hands over files; `command` is its driver, else it is one within this process unless told else."""
    driver = 'driver = "run"' if command else 'driver = "embedded"' if "folder" not in objects else ""
    table = f"[drivers.run]\ncommand = '''{command}'''" if command else ""
    text = f"""
schema = 1
[identity]
id = "{name}"
[endpoints.files]
protocol = "files"
[endpoints.files.objects]
{driver}
{objects}
{table}
[[claims]]
profile = "C.1"
role = "signature-creator"
endpoint = "files"
"""
    return parse_sut(text, source=f"{name}.toml", folder=folder)


@dataclass
class ObjectBench:
    """Examines SUTs by objects in `folder`, where their records are."""

    folder: Path
    board: Board
    connections: list[int] = field(default_factory=list)  # that each SUT made or was asked for, in the last run

    def path(self, sut: Sut) -> Path:
        return record_of(self.folder, sut)

    def begin(self, sut: Sut) -> SutRun:
        return begun(self.folder, sut, plan_for(sut, ()))

    def examine(self, *suts: Sut, conduct: Conduct | None = None) -> list[RunRecord]:
        """Execute all file steps of `suts` that are not recorded yet; their records."""
        runs = [self.begin(sut) for sut in suts]
        budget = Budget()
        executor = ObjectExecutor(conduct or Conduct(), Silent(), self.board, lambda _host: budget)
        try:
            for run in runs:
                executor.add(run)
            executor.start()
            executor.wait()
        finally:
            executor.stop()
            for run in runs:
                run.journal.close()
        self.connections = [run.connections for run in runs]
        return [read_record(self.path(sut), unfinished=True) for sut in suts]


def with_actions(sut: Sut, actions: Mapping[str, Action]) -> Sut:
    """`sut` with what makes it act in this process, by endpoint."""
    return replace(sut, embedded=actions)


def facts_by_subject(record: RunRecord) -> dict[str, Frozen | None]:
    """What was recorded of each subject, in the order of the record."""
    found: dict[str, Frozen | None] = {}
    for event in record.observations:
        seen = event.observation
        found[seen.subject] = None if seen.facts is None else FACTS[seen.kind].model_validate(seen.facts)
    return found


def subjects_of(records: Sequence[RunRecord]) -> list[list[str]]:
    """The subjects of each record, in order."""
    return [[event.observation.subject for event in record.observations] for record in records]
