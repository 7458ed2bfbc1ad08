"""An endpoint's part in the conduct budget of its host, and the end of its time."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from harness.conduct import Budget


class TimeIsUpError(Exception):
    """The deadline of an endpoint as a whole has passed; raised where a probe asks for another connection."""


class EndpointBudget(Budget):
    """An endpoint's part in its host's budget: counts its own connections and ends with the endpoint's time."""

    def __init__(self, host: Budget) -> None:
        super().__init__(at_once=host.at_once, per_second=host.per_second)
        self._host = host
        self._own_lock = threading.Lock()
        self._own = 0
        self.ends = math.inf

    @property
    def connections(self) -> int:
        """Connections made at this endpoint, those of other programs included."""
        return self._own

    def count(self, connections: int) -> None:
        """Count connections that another program made to the endpoint."""
        with self._own_lock:
            self._own += connections
        self._host.count(connections)

    def connection(self) -> AbstractContextManager[None]:
        """A connection within the host's budget. Entering raises `TimeIsUpError` once the endpoint's time is over."""
        return self._timed()

    @contextmanager
    def _timed(self) -> Iterator[None]:
        self._check_time()
        with self._host.connection():
            self._check_time()
            with self._own_lock:
                self._own += 1
            yield

    def _check_time(self) -> None:
        if time.monotonic() > self.ends:
            raise TimeIsUpError("the endpoint's time is over")
