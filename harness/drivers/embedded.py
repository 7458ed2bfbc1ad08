"""A driver for a SUT within this process: a call that makes it connect. For the demonstration and for tests."""

from __future__ import annotations

from harness.drivers.base import Action, Driving, InThread, Stimulus


class EmbeddedDriver:
    """Calls `action` in a thread; `action` bounds itself in time."""

    busy = True

    def __init__(self, action: Action) -> None:
        self._action = action

    def start(self, stimulus: Stimulus) -> Driving:
        """Begin the call."""
        return InThread("embedded", lambda: self._action(stimulus))
