"""What persons are asked to do or to answer during a run, and what they say."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

DONE, SKIP = "done", "skip"
ANSWER_CHARACTERS = 2000
NAME_CHARACTERS = 100


@dataclass(frozen=True)
class Reply:
    """What a person said: `DONE`, `SKIP` or the answer to a question; `by` is who."""

    said: str
    by: str


@dataclass
class Task:
    """One thing that a person is asked to do ("do") or to answer ("ask"), until `ends` (monotonic seconds).

    `choices` are the answers that may be given, where these are not free.
    """

    id: int
    kind: Literal["do", "ask"]
    sut: str
    title: str
    text: str
    ends: float
    number: int = 1
    of: int = 1
    choices: tuple[str, ...] = ()
    replied: threading.Event = field(default_factory=threading.Event, repr=False)
    reply: Reply | None = None

    def seconds_left(self) -> float:
        """Until nobody is waited for any longer."""
        return max(self.ends - time.monotonic(), 0.0)


class Board:
    """The open tasks of a run. Thread-safe; the first reply to a task counts.

    `fronts` is how many places show it: with none there is nobody to ask. `version` grows with every change.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: dict[int, Task] = {}
        self._numbers = count(1)
        self._listeners: list[Callable[[], None]] = []
        self.fronts = 0
        self.version = 0

    def join(self) -> None:
        """There is one more place that shows the tasks."""
        with self._lock:
            self.fronts += 1

    def leave(self) -> None:
        """There is one place less."""
        with self._lock:
            self.fronts -= 1

    def on_change(self, call: Callable[[], None]) -> None:
        """Call `call` after every change, from whatever thread made it."""
        self._listeners.append(call)

    def post(
        self,
        kind: Literal["do", "ask"],
        *,
        sut: str,
        title: str,
        text: str,
        seconds: float,
        number: int = 1,
        of: int = 1,
        choices: tuple[str, ...] = (),
    ) -> Task:
        """Ask for something that is waited for at most `seconds`."""
        with self._lock:
            ends = time.monotonic() + seconds
            task = Task(next(self._numbers), kind, sut, title, text, ends, number, of, choices)
            self._tasks[task.id] = task
        self._changed()
        return task

    def tasks(self) -> tuple[Task, ...]:
        """What is asked for now, oldest first."""
        with self._lock:
            return tuple(self._tasks.values())

    def reply(self, number: int, said: str, by: str) -> bool:
        """Take a reply to the task `number`; False if nobody waits for it any longer."""
        said = said.strip()[:ANSWER_CHARACTERS]
        with self._lock:
            task = self._tasks.get(number)
            if task is None or task.reply is not None or not said or task.seconds_left() <= 0:
                return False
            task.reply = Reply(said, " ".join(by.split())[:NAME_CHARACTERS] or "operator")
            del self._tasks[number]
        task.replied.set()
        self._changed()
        return True

    def withdraw(self, task: Task) -> None:
        """Ask for `task` no longer."""
        with self._lock:
            there = self._tasks.pop(task.id, None)
        if there is not None:
            self._changed()

    def ask(self, *, sut: str, title: str, text: str, seconds: float) -> Reply | None:
        """Ask a question and wait for its answer; None if nobody answered in time, or skipped it."""
        if not self.fronts:
            return None
        task = self.post("ask", sut=sut, title=title, text=text, seconds=seconds)
        try:
            task.replied.wait(seconds)
        finally:
            self.withdraw(task)
        return None if task.reply is None or task.reply.said == SKIP else task.reply

    def _changed(self) -> None:
        with self._lock:
            self.version += 1
        for call in self._listeners:
            call()
