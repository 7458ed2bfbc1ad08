"""Runs that mostly wait, several at a time, each once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)
MadeT = TypeVar("MadeT")
_AT_ONCE = 3


class SideBySide(Generic[KeyT, MadeT]):
    """What `make` returns by key; raises what it raised, where it is asked for."""

    def __init__(self, make: Callable[[KeyT], MadeT], seconds: float = 240.0) -> None:
        self._make = make
        self._seconds = seconds
        self._executor = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="side-by-side")
        self._futures: dict[KeyT, Future[MadeT]] = {}

    def start(self, keys: Iterable[KeyT]) -> None:
        """Begin with `keys` in the background, in this order."""
        for key in keys:
            if key not in self._futures:
                self._futures[key] = self._executor.submit(self._make, key)

    def __getitem__(self, key: KeyT) -> MadeT:
        self.start([key])
        return self._futures[key].result(timeout=self._seconds)

    def close(self) -> None:
        """Give up what has not begun, and wait for the rest."""
        self._executor.shutdown(wait=True, cancel_futures=True)
