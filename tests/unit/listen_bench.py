"""A domain of trials whose server takes plain TCP connections, and records that are read back: for the executor."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from harness.conduct import Budget
from harness.drivers.base import Driver, Stimulus
from harness.drivers.command import CommandDriver
from harness.drivers.embedded import EmbeddedDriver
from harness.listeners.base import Opening, Trial
from harness.listeners.executor import ListenExecutor
from harness.listeners.patience import Patience
from harness.observations import Exchange
from harness.observations.clients import ClientConnection, ClientTrial, DriverOutcome
from harness.observe import Conduct, SutRun
from harness.plan import plan_for
from harness.progress import Silent
from harness.record import RunRecord
from harness.record.journal import read_record
from harness.sut import Sut, parse_sut
from tests.unit.begun_record import begun, record_of


@dataclass(frozen=True)
class Played:
    """A row of a table of trials."""

    id: str
    needs: tuple[str, ...] = ("ordinary",)
    text: str = ""
    treatment: Literal["accept", "refuse", "either"] = "either"


TRIALS = (Played("ordinary", ()), Played("ordinary-1.2"), Played("certificate/expired"), Played("only-tls-1.0"))


class Player:
    """Reads what each connection sends until it ends."""

    def __init__(self, opening: Opening, address: str) -> None:
        self._opening = opening
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.create_server((address, opening.port), family=family)
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        self.changed = threading.Condition()
        self._trial = ""
        self._found: list[ClientConnection] = []
        self._open = 0
        self._stopped = False

    def start(self) -> None:
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._stopped = True
        self._socket.close()

    def play(self, trial: Trial) -> None:
        with self.changed:
            self._trial, self._found = trial.id, []

    def wait(self, seconds: float, *, until: Callable[[], bool], settle: float) -> None:  # noqa: ARG002
        with self.changed:
            self.changed.wait_for(lambda: bool(self._found) and not self._open and until(), seconds)

    def result(self) -> tuple[tuple[ClientConnection, ...], tuple[str, ...]]:
        with self.changed:
            return tuple(self._found), ()

    def _accept(self) -> None:
        while not self._stopped:
            try:
                connection, peer = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection, peer), daemon=True).start()

    def _serve(self, connection: socket.socket, peer: tuple[str, int]) -> None:
        with self.changed:
            self._open += 1
            trial = self._trial
        received = b""
        with connection:
            while octets := connection.recv(4096):
                received += octets
        name = self._opening.next_exchange_id()
        self._opening.on_exchange(
            Exchange(
                id=name,
                purpose=trial,
                endpoint=self._opening.endpoint,
                started=datetime.now(UTC),
                duration_ms=1,
                peer=f"{peer[0]}:{peer[1]}",
                segments=(("received", 0.0, received.hex()),),
                outcome=f"{len(received)} octets",
            )
        )
        with self.changed:
            self._open -= 1
            self._found.append(
                ClientConnection(
                    exchange=name,
                    peer=f"{peer[0]}:{peer[1]}",
                    opening="other",
                    progress="nothing",
                    ended="close",
                    application_octets=len(received),
                )
            )
            self.changed.notify_all()


@dataclass
class PlainDomain:
    """Trials over plain TCP. `players` are those that were opened, in order."""

    rows: Sequence[Played] = TRIALS
    unplayable: Mapping[str, str] = field(default_factory=dict)
    players: list[Player] = field(default_factory=list)

    @property
    def trials(self) -> Mapping[str, Trial]:
        return {row.id: row for row in self.rows}

    def skipped(self, sut: Sut, endpoint: str, trial: Trial, ordinary: ClientConnection | None) -> str:  # noqa: ARG002
        return self.unplayable.get(trial.id, "")

    def open(self, opening: Opening) -> Player:
        endpoint = opening.sut.file.endpoints[opening.endpoint]
        assert endpoint.listen is not None
        self.players.append(Player(opening, endpoint.listen.bound_to(endpoint.host)))
        return self.players[-1]

    def trust_anchors(self, sut: Sut) -> Path | None:  # noqa: ARG002
        return None


def connect(stimulus: Stimulus) -> DriverOutcome | None:
    """A SUT that connects and says which trial it met."""
    with socket.create_connection((stimulus.host, stimulus.port), timeout=10) as connection:
        connection.sendall(stimulus.trial.encode())
    return None


def a_client(name: str = "ct", *, command: str = "", listen: str = "", more: str = "", folder: Path = Path()) -> Sut:
    """A SUT that connects, driven by `command`, or else from within this process."""
    driver = 'driver = "run"' if command else 'driver = "embedded"'
    table = f"[drivers.run]\ncommand = '''{command}'''" if command else ""
    text = f"""
schema = 1
[identity]
id = "{name}"
[endpoints.scu]
host = "127.0.0.1"
[endpoints.scu.listen]
{driver}
{listen}
{table}
{more}
[[claims]]
profile = "B.12"
role = "tls-client"
endpoint = "scu"
"""
    return parse_sut(text, source=f"{name}.toml", folder=folder)


class ListenBench:
    """Examines SUTs with a plain domain and reads the records back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.domain = PlainDomain()
        self.driver: Driver = EmbeddedDriver(connect)
        self.executor: ListenExecutor | None = None

    def path(self, sut: Sut) -> Path:
        return record_of(self.folder, sut)

    def begin(self, sut: Sut) -> SutRun:
        return begun(self.folder, sut, plan_for(sut, (), trials=tuple(self.domain.rows)))

    def driver_for(self, run: SutRun, endpoint: str) -> Driver:
        listen = run.sut.listen(endpoint)
        assert listen is not None
        table = run.sut.file.drivers.get(listen.driver)
        if table is not None and table.command is not None:
            return CommandDriver(table.command, run.sut.folder)
        return self.driver

    def examine(self, *suts: Sut, conduct: Conduct | None = None) -> list[RunRecord]:
        runs = [self.begin(sut) for sut in suts]
        budget = Budget()
        self.executor = ListenExecutor(
            self.domain,
            conduct or Conduct(),
            Silent(),
            self.driver_for,
            lambda _host: budget,
            patience=lambda stopping: Patience(stopping, confirmed=0.5),
        )
        try:
            for run in runs:
                self.executor.add(run)
            self.executor.start()
            self.executor.wait()
        finally:
            self.executor.stop()
            for run in runs:
                run.journal.close()
        self.connections = [run.connections for run in runs]
        return [read_record(self.path(sut), unfinished=True) for sut in suts]


def trials_of(record: RunRecord) -> dict[str, ClientTrial]:
    """What was recorded of each trial, in the order of the record."""
    return {
        event.observation.subject: ClientTrial.model_validate(event.observation.facts) for event in record.observations
    }


def eventually(holds: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether `holds()` comes true; for what other processes do, of which no event tells."""
    ends = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > ends:
            return False
        threading.Event().wait(0.02)
    return True
