"""What the executor of listen steps asks of a domain's listeners: trials, and a server that plays them in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from harness.observations import Exchange
from harness.observations.clients import ClientConnection
from harness.probes.base import Deadlines

if TYPE_CHECKING:
    from harness.sut import Sut


class Trial(Protocol):
    """What a listener plays: a row of a domain's table of trials (`harness.listeners.transport.trials.TRIALS`)."""

    @property
    def id(self) -> str:
        """Names it in steps and observations."""

    @property
    def text(self) -> str:
        """Says in a sentence what is played."""

    @property
    def treatment(self) -> Literal["accept", "refuse", "either"]:
        """What a conforming client does with it."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Ids of trials that have to be recorded first."""


class Awaiting(Protocol):
    """A server that can be waited at for what is to come there."""

    def wait(self, seconds: float, *, until: Callable[[], bool], settle: float) -> None:
        """Return when a connection has come, all have ended, `until()` holds and none came for `settle` seconds.

        At the latest after `seconds`.
        """


class TrialPlayer(Awaiting, Protocol):
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

    def result(self) -> tuple[tuple[ClientConnection, ...], tuple[str, ...]]:
        """The connections of the trial being played, and addresses other than the SUT's that were turned away."""


@dataclass(frozen=True)
class Opening:
    """What a server of trials is opened with: whose it is, the port (0: any free), limits, where evidence goes."""

    sut: Sut
    endpoint: str
    port: int
    deadlines: Deadlines
    on_exchange: Callable[[Exchange], None]
    next_exchange_id: Callable[[], str]
    keep_secrets: bool = False


class Domain(Protocol):
    """The listeners of a domain."""

    @property
    def trials(self) -> Mapping[str, Trial]:
        """Every trial by id, in playing order."""

    def skipped(self, sut: Sut, endpoint: str, trial: Trial, ordinary: ClientConnection | None) -> str:
        """Why `trial` cannot be played at `endpoint`, whose ordinary connection was `ordinary`; empty if it can."""

    def open(self, opening: Opening) -> TrialPlayer:
        """A server that listens, and accepts from `start` on. Raises `OSError` if it cannot have the port."""

    def trust_anchors(self, sut: Sut) -> Path | None:
        """The authority (PEM) of the certificates that are shown to `sut`."""
