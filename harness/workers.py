"""SUTs that are examined side by side, each in a thread of its own, and how all of that is ended."""

from __future__ import annotations

import threading
from collections.abc import Callable

from harness.errors import UsageProblem

SUTS_AT_ONCE = 8
"""So many SUTs are examined side by side, where it need not be gentle."""


class Workers:
    """Threads at work on one SUT each, at most `at_once` at a time. `stopping` is set when they are to end."""

    def __init__(self, at_once: int) -> None:
        self.stopping = threading.Event()
        self._slots = threading.BoundedSemaphore(at_once)
        # Ends of threads are told by events: an interrupted join would take a thread for ended (Python 3.11).
        self._ended: list[threading.Event] = []
        self._problems: list[UsageProblem] = []

    def begin(self, name: str, work: Callable[[], None]) -> None:
        """Let `work` run in a thread called `name`, as soon as there is room for it."""
        ended = threading.Event()
        self._ended.append(ended)

        def run() -> None:
            try:
                with self._slots:
                    work()
            except UsageProblem as problem:  # for example that nothing can be recorded any more
                self._problems.append(problem)
                self.stopping.set()
            finally:
                ended.set()

        threading.Thread(target=run, name=name, daemon=True).start()

    def wait(self) -> None:
        """Return when all have ended. On `KeyboardInterrupt` call `stop`. Raises a `UsageProblem` that ended one."""
        for ended in self._ended:
            while not ended.wait(1.0):
                pass
        if self._problems:
            raise self._problems[0]

    def stop(self, seconds: float = 5.0) -> None:
        """Tell all to end, and wait up to `seconds` for each. May be called more than once."""
        self.stopping.set()
        for ended in self._ended:
            ended.wait(seconds)
