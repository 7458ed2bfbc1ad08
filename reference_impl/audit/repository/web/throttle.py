"""How often somebody may try to log in: few failures per user and address, somewhat more per address or per user.

A try counts as failed from its begin until it has succeeded, so that many at once gain nothing.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

_MOST_KEYS = 20_000  # then the one that was used longest ago is forgotten


@dataclass(frozen=True, slots=True)
class Allowance:
    """Failures within `window` seconds, after which no password is looked at: of a user from one address, of an
    address, and of a user from any address."""

    pair: int = 5
    address: int = 20
    user: int = 50
    window: float = 15 * 60.0


class Throttle:
    """Counts failures; thread-safe. `clock` gives seconds that never go back."""

    def __init__(self, allowance: Allowance | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._allowance = allowance or Allowance()
        self._clock = clock
        self._lock = Lock()
        self._failures: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def begin(self, user: str, address: str) -> float:
        """Count a try; returns 0, or how many seconds it is too early (then it is not counted)."""
        now = self._clock()
        with self._lock:
            wait = max((self._wait(key, most, now) for key, most in self._bounds(user, address)), default=0.0)
            if wait <= 0:
                for key, _ in self._bounds(user, address):
                    self._failures.setdefault(key, deque()).append(now)
                    self._failures.move_to_end(key)
                while len(self._failures) > _MOST_KEYS:
                    self._failures.popitem(last=False)
            return max(wait, 0.0)

    def succeeded(self, user: str, address: str) -> None:
        """The try that was begun last was right: forget what this user failed from this address."""
        with self._lock:
            self._failures.pop(_pair(user, address), None)
            for key in (("address", address), ("user", user)):
                if self._failures.get(key):
                    self._failures[key].pop()

    def _bounds(self, user: str, address: str) -> tuple[tuple[tuple[str, str], int], ...]:
        allowance = self._allowance
        return (
            (_pair(user, address), allowance.pair),
            (("address", address), allowance.address),
            (("user", user), allowance.user),
        )

    def _wait(self, key: tuple[str, str], most: int, now: float) -> float:
        failures = self._failures.get(key)
        if failures is None:
            return 0.0
        while failures and failures[0] <= now - self._allowance.window:
            failures.popleft()
        if not failures:
            del self._failures[key]
            return 0.0
        return failures[-most] + self._allowance.window - now if len(failures) >= most else 0.0


def _pair(user: str, address: str) -> tuple[str, str]:
    return f"pair {address}", user
