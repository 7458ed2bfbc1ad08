"""What the executor of file steps asks of a way of handing objects over: subjects to plan, and a handler of steps.

There is one module per kind of observation (`MODULES`). It exports

- ``subjects(sut: Sut, endpoint: str) -> Sequence[Subject]``: what is planned at an endpoint, one step each, in order;
- ``handler(work: Work) -> Handler``: what executes the steps at an endpoint.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, cast

from harness.conduct import Budget
from harness.objects.folders import head
from harness.observations import Exchange, Frozen, Observation
from harness.operator_board import Board, Task

if TYPE_CHECKING:
    from harness.objects.material import Material
    from harness.observe import Conduct
    from harness.plan import FileStep
    from harness.sut import Sut
    from harness.sut_audit import Audit
    from harness.sut_file import Endpoint
    from harness.sut_objects import Objects

CREATED, VERIFIED, STORED = "signatures.created", "signatures.verified", "signatures.stored"
MESSAGES, DELIVERED = "audit.messages", "audit.delivered"
MODULES: Mapping[str, str] = {
    CREATED: "harness.objects.creating",
    VERIFIED: "harness.objects.answering",
    STORED: "harness.objects.storing",
    MESSAGES: "harness.objects.audit_messages",
    DELIVERED: "harness.objects.audit_delivering",
}
"""The module of each kind of observation that file steps make."""
ROLES: Mapping[str, str] = {
    "signature-creator": CREATED,
    "signature-verifier": VERIFIED,
    "instance-storer": STORED,
    "audit-source": MESSAGES,
    "audit-repository": DELIVERED,
}
"""The kind of observation that shows what a SUT does in a role."""
EVIDENCE_OCTETS = 65_536
"""So much of an object is read for the record; what is beyond stands in the SUT, or can be made again."""


@dataclass(frozen=True)
class Subject:
    """What one step is about: a name that stays the same over runs, what it is in a sentence, what goes before it.

    `name` is empty where an endpoint has one step of the kind. `only_if_named`: it is planned only where the SUT file
    selects it. `driver` is what makes the SUT act, where that is not the driver of the endpoint.
    """

    name: str
    text: str = ""
    needs: tuple[str, ...] = ()
    only_if_named: bool = False
    driver: str | None = None


@dataclass(frozen=True)
class Found:
    """What a step showed: facts with the ids of their evidence, or in a sentence why there are none.

    `note` is worth telling beside that.
    """

    facts: Frozen | None
    missing: str = ""
    remedy: str = ""
    exchanges: tuple[str, ...] = ()
    note: str = ""


class InterruptedStepError(Exception):
    """The run is being stopped: the step is not recorded, and executed again when the run goes on."""


class Handler(Protocol):
    """Executes the steps of one kind at one endpoint, one at a time, in one thread."""

    def start(self) -> None:
        """Get ready (let ports accept). Called once, before the first step."""

    def do(self, step: FileStep) -> Found:
        """Execute `step`, within its `seconds` and the limits of `Work.conduct`.

        What the SUT does wrong is told by what is found. Any exception is an error of the harness and recorded as
        such, but for `InterruptedStepError`, which is raised soon after `Work.stopping` is set.
        """

    def stop(self) -> None:
        """Release ports, processes and files. Called once, after the last step, also without `start`."""


@dataclass
class Work:
    """What the handlers of one endpoint work with. Thread-safe.

    `folder` is theirs and goes with the run; `budget` is that of the SUT's host: every association, request and
    command is made in ``with budget.connection():``. `on_stored` takes note of an instance left in the SUT: SOP
    Instance UID, description.
    """

    sut: Sut
    endpoint: str
    folder: Path
    material: Material
    conduct: Conduct
    budget: Budget
    board: Board
    on_exchange: Callable[[Exchange], None]
    next_exchange_id: Callable[[], str]
    on_stored: Callable[[str, str], None]
    stopping: threading.Event
    before: Mapping[tuple[str, str], Observation] = field(default_factory=dict)  # kind, subject: of an interrupted run
    count: int = 1  # of the steps at this endpoint

    @property
    def where(self) -> Endpoint:
        """The endpoint as the SUT file has it."""
        return self.sut.file.endpoints[self.endpoint]

    @property
    def audit(self) -> Audit:
        """Its table ``audit``; defaults where it has none."""
        return self.sut.audit(self.endpoint)

    @property
    def objects(self) -> Objects:
        """Its table ``objects``; defaults where it has none."""
        return self.sut.objects(self.endpoint)

    def recorded(self, observation: str, subject: str) -> Observation | None:
        """What was recorded here about `subject` before the run was interrupted."""
        return self.before.get((observation, subject))

    def check_running(self) -> None:
        """Raise `InterruptedStepError` if the run is being stopped."""
        if self.stopping.is_set():
            raise InterruptedStepError

    def await_reply(self, task: Task) -> None:
        """Return when a person has answered `task`, or its time is over; it is withdrawn from the board.

        Raises `InterruptedStepError` if the run is being stopped.
        """
        try:
            while task.seconds_left() > 0 and not task.replied.wait(min(task.seconds_left(), 0.5)):
                self.check_running()
        finally:
            self.board.withdraw(task)

    def record(
        self,
        purpose: str,
        octets: Sequence[tuple[Literal["sent", "received"], Path | bytes]],
        outcome: str,
        *,
        peer: str,
        started: datetime,
        decoded: Sequence[str] = (),
    ) -> str:
        """Record what was handed over (files, or octets) as an exchange, the first octets of each; its id.

        `decoded` says in readable lines what it is.
        """
        now = datetime.now(UTC)
        name = self.next_exchange_id()
        took = (now - started).total_seconds() * 1000
        segments = []
        truncated = False
        for number, (direction, source) in enumerate(octets):
            head, more = _head(source)
            truncated |= more
            segments.append((direction, took if number else 0.0, head.hex()))
        self.on_exchange(
            Exchange(
                id=name,
                purpose=purpose,
                endpoint=self.endpoint,
                started=started,
                duration_ms=took,
                peer=peer,
                segments=tuple(segments),
                outcome=outcome,
                decoded=tuple(decoded),
                truncated=truncated,
            )
        )
        return name


def _head(source: Path | bytes) -> tuple[bytes, bool]:
    """The first octets of `source`, and whether there are more; nothing of what is no regular file."""
    if isinstance(source, bytes):
        return source[:EVIDENCE_OCTETS], len(source) > EVIDENCE_OCTETS
    octets = head(source, EVIDENCE_OCTETS + 1) or b""
    return octets[:EVIDENCE_OCTETS], len(octets) > EVIDENCE_OCTETS


class _Module(Protocol):
    def subjects(self, sut: Sut, endpoint: str) -> Sequence[Subject]: ...
    def handler(self, work: Work) -> Handler: ...


def module_of(observation: str) -> _Module:
    """The module that plans and executes the steps of a kind; it is loaded when it is first needed."""
    return cast("_Module", import_module(MODULES[observation]))


def subjects_of(sut: Sut, endpoint: str) -> Mapping[str, Sequence[Subject]]:
    """What is planned at `endpoint` by kind of observation, for the roles that are claimed there."""
    kinds = dict.fromkeys(ROLES[role] for role in sut.object_roles(endpoint))
    return {kind: module_of(kind).subjects(sut, endpoint) for kind in kinds}
