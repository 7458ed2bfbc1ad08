"""How long a trial is waited for: until what was caused has come and ended, or the deadline."""

from __future__ import annotations

import threading
import time
from typing import Literal

from harness.drivers.base import Driving
from harness.listeners.base import Awaiting

End = Literal["settled", "deadline", "interrupted"]
SETTLE = 2.0  # a device that was turned away may try again in another way at once
CONFIRMED = 10.0  # a device that somebody has told to connect may take so long to do it
_GRACE = 0.3  # a connection that was begun before its maker ended may have to be accepted yet
_SLICE = 0.5  # at the latest after so long it is noticed that the run is stopped
_IDLE_TRIALS = 2


class Patience:
    """Waits at one endpoint. It remembers whether the SUT comes at all, and then waits no longer than it must."""

    def __init__(self, stopping: threading.Event, settle: float = SETTLE, confirmed: float = CONFIRMED) -> None:
        self._stopping, self._settle, self._confirmed = stopping, settle, confirmed
        self._idle = 0
        self._prompt = False  # its connections have been seen to end with its driver

    def learn(self, *, came: bool) -> None:
        """Take note of whether a trial brought a connection."""
        self._idle = 0 if came else self._idle + 1

    def wait(self, player: Awaiting, driving: Driving, seconds: float, *, busy: bool) -> End:
        """Wait for what `driving` causes at `player`; `busy` drivers end when the SUT has done its work."""
        ends = time.monotonic() + seconds
        if busy:
            self._over(driving, ends)
        ended = self._come_and_gone(player, driving, ends, busy=busy)
        if self._stopping.is_set():
            return "interrupted"
        return ended

    def _over(self, driving: Driving, ends: float) -> None:
        while not self._stopping.is_set() and (left := ends - time.monotonic()) > 0:
            if driving.over.wait(min(left, _SLICE)):
                return

    def _come_and_gone(self, player: Awaiting, driving: Driving, ends: float, *, busy: bool) -> End:
        if busy and not driving.over.is_set():
            return "deadline"
        if busy and self._ended(player, min(ends, time.monotonic() + _GRACE)):
            self._prompt = True
            return "settled"  # the usual case: it connected, was served, and its maker has ended
        # Nobody has come yet: some are only told to come, and do when their driver has ended.
        while not self._stopping.is_set() and time.monotonic() < ends:
            if driving.over.is_set() and (driving.then == "nothing" or (driving.then == "begun" and self._given_up)):
                return "settled"
            until = ends
            if driving.over.is_set() and not busy:
                until = min(ends, time.monotonic() + self._confirmed)
            if self._ended(player, until, driving):
                return self._settled(player, ends)
            if driving.over.is_set() and not busy and until < ends:
                return "settled"
        return "deadline"

    @property
    def _given_up(self) -> bool:
        """Whether the SUT has not come in the trials before, although its driver ran."""
        return self._idle >= _IDLE_TRIALS

    def _settled(self, player: Awaiting, ends: float) -> End:
        """Give a SUT that came after its driver the time to try again."""
        if not self._prompt:
            self._stopping.wait(min(self._settle, max(ends - time.monotonic(), 0.0)))
        return "settled" if self._ended(player, ends) else "deadline"

    def _ended(self, player: Awaiting, until: float, driving: Driving | None = None) -> bool:
        """Whether, before `until`, a connection has come and all have ended.

        With `driving`, waiting ends early when that is over; the caller looks again.
        """
        before = driving is not None and driving.over.is_set()
        while not self._stopping.is_set() and (left := until - time.monotonic()) > 0:
            span = min(left, _SLICE)
            began = time.monotonic()
            player.wait(span, until=_always, settle=0.0)
            if time.monotonic() - began < span - 0.001:
                return True
            if driving is not None and driving.over.is_set() and not before:
                return False
        return False


def _always() -> bool:
    return True
