"""The journal: writes ``run.jsonl`` line by line as things happen, and reads it back strictly.

Nothing recorded is lost by an interruption: every event is one line that reaches the operating system at once
(evidence of a connection at the latest with the next event), and a line torn by a crash is dropped on resuming.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import TypeAdapter, ValidationError

from harness.errors import UsageProblem
from harness.observations.base import Exchange, Frozen
from harness.record.models import (
    SCHEMA_VERSION,
    AdviceEvent,
    AnswerEvent,
    ClaimEvent,
    Event,
    ExchangeEvent,
    Footer,
    Header,
    JudgingEvent,
    NoteEvent,
    NotExaminedEvent,
    ObservationEvent,
    ResumedEvent,
    RunRecord,
    SeparationEvent,
    StoredObjectEvent,
    VerdictEvent,
)

FILE_NAME = "run.jsonl"


@cache
def _events() -> TypeAdapter[Any]:
    return TypeAdapter(Event)


class Journal:
    """An append-only writer of events, safe to use from several threads.

    Every method that writes raises `UsageProblem` where that fails, for example because the disk is full.

    `redact` sees every line before it is written. Use as a context manager, or call `close`.
    """

    def __init__(self, path: Path, redact: Callable[[str], str] = lambda line: line) -> None:
        self.path = path
        self._redact = redact
        self._lock = threading.Lock()
        self._file = path.open("a", encoding="utf-8", newline="\n")

    def append(self, event: Frozen) -> None:
        """Write one event; an exchange may wait for the next other event."""
        line = self._redact(event.model_dump_json()) + "\n"
        with self._lock:
            if self._file.closed:
                return  # a probe that outlived an interruption: its observation is made again on resuming
            with self._told():
                self._file.write(line)
                if not isinstance(event, ExchangeEvent):
                    self._file.flush()

    def append_block(self, events: Iterable[Frozen]) -> None:
        """Write events that belong together (a judging and its verdicts) in one go."""
        block = "".join(self._redact(event.model_dump_json()) + "\n" for event in events)
        with self._lock, self._told():
            self._file.write(block)
            self._file.flush()

    def flush(self) -> None:
        """Hand everything written so far to the operating system."""
        with self._lock, self._told():
            self._file.flush()

    def close(self) -> None:
        """Flush and close. Later events are ignored."""
        with self._lock, self._told():
            self._file.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as problem:
            raise UsageProblem(
                f"{self.path}: cannot be written: {problem.strerror or problem}; make room, and go on with the same "
                "command and --resume"
            ) from None

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def drop_torn_line(path: Path) -> None:
    """Cut off a last line that an interruption left unfinished, so that the run can be appended to."""
    with path.open("r+b") as file:
        content = file.read()
        if not content.endswith(b"\n"):
            file.truncate(content.rfind(b"\n") + 1)


class _Reader:
    """Collects events into a `RunRecord`. A new judging replaces the verdicts of the one before."""

    def __init__(self) -> None:
        self.header: Header | None = None
        self.observations: dict[str, ObservationEvent] = {}
        self.exchanges: dict[str, Exchange] = {}
        self.answers: dict[str, AnswerEvent] = {}
        self.lists: dict[type[Frozen], list[Any]] = {
            kind: []
            for kind in (
                NoteEvent,
                ResumedEvent,
                StoredObjectEvent,
                VerdictEvent,
                ClaimEvent,
                AdviceEvent,
                SeparationEvent,
                NotExaminedEvent,
            )
        }
        self.judging: JudgingEvent | None = None
        self.footer: Footer | None = None

    def add(self, event: Frozen) -> None:  # one branch per kind of event
        match event:
            case Header():
                self.header = event
            case ObservationEvent():
                self.observations[event.step] = event
            case ExchangeEvent():
                self.exchanges[event.exchange.id] = event.exchange
            case AnswerEvent():
                self.answers[event.step] = event
            case JudgingEvent():
                self.judging = event
                for kind in (VerdictEvent, ClaimEvent, AdviceEvent, SeparationEvent, NotExaminedEvent):
                    self.lists[kind].clear()
            case Footer():
                self.footer = event
            case ResumedEvent():
                self.footer = None
                self.lists[ResumedEvent].append(event)
            case _:
                self.lists[type(event)].append(event)

    def record(self) -> RunRecord:
        assert self.header is not None  # noqa: S101 - the first line was read as one
        return RunRecord(
            header=self.header,
            observations=tuple(self.observations.values()),
            exchanges=self.exchanges,
            answers=tuple(self.answers.values()),
            notes=tuple(self.lists[NoteEvent]),
            resumed=tuple(self.lists[ResumedEvent]),
            stored_objects=tuple(self.lists[StoredObjectEvent]),
            judging=self.judging,
            verdicts=tuple(event.verdict for event in self.lists[VerdictEvent]),
            claims=tuple(event.claim for event in self.lists[ClaimEvent]),
            advice=tuple(event.advice for event in self.lists[AdviceEvent]),
            separations=tuple(event.separation for event in self.lists[SeparationEvent]),
            not_examined=tuple(event.item for event in self.lists[NotExaminedEvent]),
            footer=self.footer,
        )


def read_record(path: Path, *, unfinished: bool = False) -> RunRecord:
    """Read a record. With `unfinished`, one that was interrupted too (a torn last line is left out).

    Raises `UsageProblem` where the file is no record, is truncated, or was written by a newer version.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UsageProblem(f"{path.parent}: holds no {path.name}; name the folder of a recorded run") from None
    except OSError as problem:
        raise UsageProblem(f"{path}: cannot be read: {problem.strerror}; name the folder of a recorded run") from None
    lines = content.split(b"\n")
    torn = lines.pop()
    reader = _Reader()
    if not lines:
        raise UsageProblem(f"{path}: is truncated before its first line ends; start the run again with --force")
    _check_header(path, lines[0])
    for number, line in enumerate(lines, 1):
        try:
            event = _events().validate_json(line)
        except ValidationError as problem:
            raise UsageProblem(f"{path}: line {number} {_why(problem)}; restore the file, or repeat the run") from None
        if isinstance(event, Header) is not (number == 1):
            raise UsageProblem(f"{path}: line {number} is out of place; restore the file, or repeat the run")
        reader.add(event)
    if not unfinished and torn:
        raise UsageProblem(
            f"{path}: is truncated in line {len(lines) + 1}: the run was interrupted; go on with --resume"
        )
    if not unfinished and reader.footer is None:
        raise UsageProblem(f"{path}: has no end: the run was interrupted; go on with --resume")
    return reader.record()


def _check_header(path: Path, line: bytes) -> None:
    """Raise `UsageProblem` unless `line` is the header of a record that this version reads."""
    try:
        header = json.loads(line)
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("event") != "header":
        raise UsageProblem(f"{path}: is no run record (its first line is no header); name the folder of a recorded run")
    version = header.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise UsageProblem(
            f"{path}: was recorded by a newer ps315 (schema {version}, this one reads {SCHEMA_VERSION}); update ps315"
        )
    if version != SCHEMA_VERSION:
        raise UsageProblem(f"{path}: has the unknown schema version {version!r}; this version reads {SCHEMA_VERSION}")


def _why(problem: ValidationError) -> str:
    first = problem.errors(include_url=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return "is broken"
    where = ".".join(str(part) for part in first["loc"])
    return f"is no event of this schema ({where or 'event'}: {first['msg']})"
