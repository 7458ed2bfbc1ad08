"""Runs that mostly wait, several at a time, each once."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
MadeT = TypeVar("MadeT")
_PROCESSES = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "2"))
_AT_ONCE = max(1, 6 // _PROCESSES)
"""Runs that each process makes at once: six in all, of which each is busy a third to two thirds of the time."""


class SideBySide(Generic[KeyT, MadeT]):
    """What `make` returns by key; raises what it raised, where it is asked for.

    `wanted` tells from the parameters of a test for which keys it will ask.
    """

    def __init__(
        self,
        make: Callable[[KeyT], MadeT],
        wanted: Callable[[dict[str, Any]], Iterable[KeyT]],
        seconds: float = 240.0,
        at_once: int = _AT_ONCE,
    ) -> None:
        self._make = make
        self._wanted = wanted
        self._seconds = seconds
        self._executor = ThreadPoolExecutor(at_once, thread_name_prefix="side-by-side")
        self._futures: dict[KeyT, Future[MadeT]] = {}

    def begin(self, tests: Iterable[dict[str, Any]]) -> None:
        """Begin in the background with what `tests`, told by their parameters, will ask for, in this order."""
        for parameters in tests:
            self.start(self._wanted(parameters))

    def start(self, keys: Iterable[KeyT]) -> None:
        """Begin with `keys` in the background, in this order."""
        for key in keys:
            if key not in self._futures:
                self._futures[key] = self._executor.submit(self._make, key)

    def __getitem__(self, key: KeyT) -> MadeT:
        self.start([key])
        return self._futures[key].result(timeout=self._seconds)

    def finished(self) -> dict[KeyT, MadeT]:
        """Everything that has been made so far."""
        return {key: one.result() for key, one in self._futures.items() if one.done() and not one.exception()}

    def close(self) -> None:
        """Give up what has not begun, and wait for the rest."""
        self._executor.shutdown(wait=True, cancel_futures=True)
