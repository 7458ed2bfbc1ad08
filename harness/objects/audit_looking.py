"""Waiting for messages to arrive at a repository: looking again and again until they have, or time is up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from fixtures.audit_deliveries import Asked, Tokens
from harness.drivers.operator import NOBODY
from harness.objects.audit_arrival import arrival_of
from harness.objects.audit_readings import Looker, ReadingError, Sought, intervals
from harness.objects.base import InterruptedStepError, Work
from harness.observations.audit import Arrival
from harness.operator_board import SKIP
from harness.sut_readings import Reading

_WORDS: dict[str, Arrival] = {"whole": "whole", "cut": "cut", "altered": "altered", "absent": "absent"}
QUESTION = (
    "{count} with the mark {token} sent: what has arrived? Answer whole, cut (the end is missing), altered, or absent; "
    "of several the worst."
)
_LOOKS_AT_ONCE = 5.0  # seconds that one look may take at least
_SETTLES, _CHANGED = 1.0, 0.2  # seconds for the rest of what has begun to arrive, and for what has its end already
_BEFORE = timedelta(minutes=1)
_GENTLY = 1.0  # seconds between looks with --gentle


@dataclass(frozen=True)
class LookedFor:
    """What is looked for: messages with the marks of one delivery, sent after `since`."""

    tokens: Tokens
    asked: tuple[Asked, ...]
    since: datetime

    @property
    def sought(self) -> Sought:
        """The same as marks."""
        first = self.asked[0] if self.asked else Asked(self.tokens.begin, self.tokens.end, b"")
        return self.sought_of(first)

    def sought_of(self, one: Asked) -> Sought:
        """One of the messages, as marks."""
        return Sought(self.tokens.common, one.begin, one.end, self.since)


@dataclass(frozen=True)
class Seen:
    """What became of each message that is asked about, after how many seconds; `problem`: why that cannot be told."""

    arrivals: tuple[Arrival, ...]
    seconds: float = 0.0
    problem: str = ""

    @property
    def whole(self) -> bool:
        """Whether all have arrived whole."""
        return all(one == "whole" for one in self.arrivals)


class Arrivals(Protocol):
    """Tells what has arrived."""

    told_by: str
    as_received: bool  # plain messages were found octet for octet

    def begin(self) -> None:
        """A delivery is about to be sent."""

    def of(self, looked_for: LookedFor, seconds: float) -> Seen:
        """What became of the messages, waited for at most `seconds`, shorter where all have arrived.

        Raises `InterruptedStepError` if the run is being stopped.
        """


class ByLooking:
    """Arrival as a file, a command, a database or a web page shows it."""

    def __init__(self, work: Work, reading: Reading, looker: Looker) -> None:
        self._work, self._looker = work, looker
        self._for_each = reading.for_each
        self.as_received = False
        self.told_by: str = reading.kind

    def begin(self) -> None:
        """Note what is there already."""
        self._looker.begin()

    def of(self, looked_for: LookedFor, seconds: float) -> Seen:
        """Look until everything is whole, or what was looked at has the last of it."""
        began = time.monotonic()
        ends, waits = began + seconds, intervals(self._looker)
        problem = ""
        settled: float | None = None  # when what has arrived in part is taken for all
        seen = all_of("absent", len(looked_for.asked))
        while True:
            try:
                found = self._look(looked_for, seen, max(ends - time.monotonic(), _LOOKS_AT_ONCE))
                problem = ""
                seen = tuple(
                    before if before == "whole" else arrival_of(one, found, as_received=self.as_received)
                    for one, before in zip(looked_for.asked, seen, strict=True)
                )
                self._learn(looked_for, found)
            except ReadingError as wrong:
                problem = str(wrong)
            now = time.monotonic()
            if not problem and "absent" not in seen:
                settled = settled or now + (_SETTLES if "cut" in seen else _CHANGED)
                ends = min(ends, settled)
            if (not problem and all(one == "whole" for one in seen)) or now >= ends:
                untold = all_of("", len(seen))
                return Seen(untold if problem else seen, now - began, problem)
            pause = max(waits.next(), _GENTLY if self._work.conduct.gentle else 0.0)
            if self._work.stopping.wait(min(pause, max(ends - now, 0.0))):
                raise InterruptedStepError

    def _look(self, looked_for: LookedFor, seen: tuple[Arrival, ...], seconds: float) -> bytes:
        """What is found of those messages that have not arrived whole; of others nothing, where each is asked for."""
        if not self._for_each:
            return self._once(looked_for.sought, seconds)
        missing = [one for one, arrival in zip(looked_for.asked, seen, strict=True) if arrival != "whole"]
        return b"\n".join(self._once(looked_for.sought_of(one), seconds) for one in missing)

    def _once(self, sought: Sought, seconds: float) -> bytes:
        """One look; what asks the SUT does so within the budget of its host."""
        self._work.check_running()
        with nullcontext() if self._looker.quick else self._work.budget.connection():
            return self._looker.look(sought, seconds)

    def _learn(self, looked_for: LookedFor, found: bytes) -> None:
        """Messages of nothing but ASCII that are found as they were sent: what is looked at shows what was received."""
        if not self.as_received:
            self.as_received = any(one.message.isascii() and one.message in found for one in looked_for.asked)


class ByPerson:
    """Arrival as a person tells it. With nobody there, nothing is waited for."""

    told_by = "operator"
    as_received = False

    def __init__(self, work: Work, reading: Reading | None) -> None:
        self._work, self._reading = work, reading
        self._seconds = reading.seconds if reading is not None else work.audit.seconds
        self._number = 0

    def begin(self) -> None:
        """Nothing has to be noted: marks are new each time."""

    def of(self, looked_for: LookedFor, seconds: float) -> Seen:
        """Ask what has arrived."""
        del seconds  # a person takes as long as the SUT file says
        board, none = self._work.board, all_of("", len(looked_for.asked))
        if not board.fronts:
            return Seen(none, problem=NOBODY)
        self._number += 1
        number = len(looked_for.asked)
        where = self._reading.filled(looked_for.sought.values) if self._reading is not None else ""
        count = "One message was" if number == 1 else f"{number} messages were"
        text = f"{where} {QUESTION.format(count=count, token=looked_for.tokens.common)}".strip()
        task = board.post(
            "ask",
            sut=self._work.sut.id,
            title="What has arrived?",
            text=text,
            seconds=self._seconds,
            number=self._number,
            of=max(self._work.count, self._number),
            choices=tuple(_WORDS),
        )
        began = time.monotonic()
        self._work.await_reply(task)
        reply = task.reply
        took = time.monotonic() - began
        if reply is None:
            return Seen(none, took, f"Nobody answered within {self._seconds:.0f} s.")
        if reply.said == SKIP or reply.said.strip().lower() not in _WORDS:
            return Seen(none, took, "The operator did not tell what has arrived.")
        word = _WORDS[reply.said.strip().lower()]
        return Seen(tuple(word for _ in looked_for.asked), took)


def arrivals_at(work: Work, looker: Callable[[Reading], Looker]) -> Arrivals:
    """What tells arrival at the endpoint of `work`: the reading that its SUT file names, else a person."""
    name = work.audit.arrived
    reading = work.sut.file.readings.get(name) if name else None
    if reading is None or reading.kind == "operator":
        return ByPerson(work, reading)
    return ByLooking(work, reading, looker(reading))


def asked_now(tokens: Tokens, asked: Sequence[Asked]) -> LookedFor:
    """Messages that are about to be sent; clocks differ, and composing what is large takes a while."""
    return LookedFor(tokens, tuple(asked), datetime.now(UTC) - _BEFORE)


def all_of(arrival: Arrival, number: int) -> tuple[Arrival, ...]:
    """The same of `number` messages."""
    return (arrival,) * number
