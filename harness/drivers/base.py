"""What a driver is: told of a trial or an object, it makes the SUT act, and says how that went."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from harness.observations.clients import DriverOutcome


@dataclass(frozen=True)
class Stimulus:
    """What a driver is told: where the SUT has to connect or what it is handed, whom to trust, how long is waited."""

    endpoint: str
    protocol: str  # of the endpoint
    host: str = ""  # the name under which the SUT calls us; empty where it does not connect
    port: int = 0
    called_aet: str = ""
    calling_aet: str = ""
    trial: str = ""
    event: str = ""  # of the audit trail, which the SUT is to bring about
    object: str = ""  # name of the instance or case that is handed over
    input: Path | None = None  # the file of it
    output: Path | None = None  # the file that the SUT is to make of it
    text: str = ""  # what is played, in a sentence
    seconds: float = 60.0
    instances: Path | None = None  # a folder with the instances that documents refer to
    trust_anchors: Path | None = None  # the authority of the certificates that are shown, PEM
    crl: Path | None = None  # the signers that it has revoked, PEM
    number: int = 1  # of the trial or object
    of: int = 1


Expectation = Literal["nothing", "begun", "later"]
"""Of connections, when a driver is over: it caused none, all that it causes have begun, or they may come yet."""


class Driving(Protocol):
    """A driver at work on one trial or object."""

    over: threading.Event  # set when the driver will do nothing more

    @property
    def then(self) -> Expectation:
        """What may be expected once it is over."""

    def stop(self) -> DriverOutcome:
        """End it, whatever it does, and say how it went. May be called once."""


class Driver(Protocol):
    """Makes the SUT act. `busy`: the SUT is at work while it runs (a person who is waited for is not that)."""

    busy: bool

    def start(self, stimulus: Stimulus) -> Driving:
        """Begin, without waiting. What cannot be begun is told by the outcome, not by an exception."""


Action = Callable[[Stimulus], DriverOutcome | None]
"""Makes a SUT within this process act; returns when it has ended. `DriverOutcome.output` is what a verifier says."""
Kind = Literal["command", "dimse", "operator", "embedded", "none"]


class InThread:
    """A driver at work whose doing is a call; used where it cannot be ended from outside and bounds itself."""

    def __init__(self, kind: Kind, act: Callable[[], DriverOutcome | None], *, then: Expectation = "begun") -> None:
        self.over = threading.Event()
        self._then: Expectation = then
        self._kind: Kind = kind
        self._act = act
        self._began = time.monotonic()
        self._outcome: DriverOutcome | None = None
        self._seconds = 0.0
        threading.Thread(target=self._run, name=f"{kind} driver", daemon=True).start()

    @property
    def then(self) -> Expectation:
        """What may be expected once it is over; nothing where it failed."""
        return "nothing" if self._outcome is not None and self._outcome.problem else self._then

    def _run(self) -> None:
        try:
            self._outcome = self._act()
        except Exception as problem:
            self._outcome = DriverOutcome(kind=self._kind, problem=f"{type(problem).__name__}: {problem}"[:500])
        finally:
            self._seconds = time.monotonic() - self._began
            self.over.set()

    def stop(self) -> DriverOutcome:
        """How it went; what has not ended is left to its own deadlines."""
        if not self.over.is_set():
            seconds = time.monotonic() - self._began
            return DriverOutcome(
                kind=self._kind,
                seconds=seconds,
                timed_out=True,
                problem=f"The driver had not ended after {seconds:.0f} s.",
            )
        outcome = self._outcome or DriverOutcome(kind=self._kind)
        return outcome if outcome.seconds else outcome.model_copy(update={"seconds": self._seconds})
