"""Conduct towards a SUT: how many connections at once and a second it is asked to bear, per host."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager


class Budget:
    """The connections that one host is asked to bear; shared by everything that connects there. Thread-safe.

    At most `at_once` connections are open at a time, and `per_second` are begun a second, counted by a token bucket
    that holds one second's worth (at least one token). `clock` and `sleep` are replaced in tests.
    """

    def __init__(
        self,
        at_once: int = 4,
        per_second: float = 200.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if at_once < 1 or per_second <= 0:
            raise ValueError("a budget allows at least one connection")
        self.at_once = at_once
        self.per_second = per_second
        self._clock = clock
        self._sleep = sleep
        self._slots = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._capacity = max(per_second, 1.0)
        self._tokens = self._capacity
        self._filled = clock()
        self._made = 0

    @property
    def connections(self) -> int:
        """How many connections were begun, those of other programs that were counted included."""
        return self._made

    def count(self, connections: int) -> None:
        """Count connections that another program made to the host."""
        with self._lock:
            self._made += connections

    def connection(self) -> AbstractContextManager[None]:
        """A context in which one connection may be open; entering waits until the budget allows it."""
        return self._connection()

    @contextmanager
    def _connection(self) -> Iterator[None]:
        with self._slots:
            delay = self._reserve()
            if delay > 0:
                self._sleep(delay)
            yield

    def _reserve(self) -> float:
        """Take a token, in advance if there is none yet; the seconds to wait until it is due."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self._capacity, self._tokens + (now - self._filled) * self.per_second)
            self._filled = now
            self._tokens -= 1
            self._made += 1
            return -self._tokens / self.per_second if self._tokens < 0 else 0.0
