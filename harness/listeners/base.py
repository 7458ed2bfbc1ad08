"""What the executor of listen steps asks of a domain's listeners: trials, and a server that plays them in turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from harness.observations.clients import ClientConnection


class Trial(Protocol):
    """What a listener plays: a row of a domain's table of trials (`harness.listeners.transport.trials.TRIALS`)."""

    @property
    def id(self) -> str:
        """Names it in steps and observations."""

    @property
    def text(self) -> str:
        """Says in a sentence what is played."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Ids of trials that have to be recorded first."""


class TrialPlayer(Protocol):
    """A server that plays one trial at a time (`harness.listeners.transport.server.TrialServer`)."""

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""

    def start(self) -> None:
        """Begin to accept connections."""

    def stop(self) -> None:
        """End, with every connection."""

    def play(self, trial: Trial) -> None:
        """From now on connections get `trial`."""

    def wait(self, seconds: float, *, until: Callable[[], bool], settle: float) -> None:
        """Return when a connection has come, all have ended, `until()` holds and none came for `settle` seconds.

        At the latest after `seconds`.
        """

    def result(self) -> tuple[tuple[ClientConnection, ...], tuple[str, ...]]:
        """The connections of the trial being played, and addresses other than the SUT's that were turned away."""
