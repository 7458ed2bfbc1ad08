"""Making a SUT do one thing with one object, and noticing when it does nothing any more."""

from __future__ import annotations

import time

from harness.drivers.base import Driver, Stimulus
from harness.drivers.choice import driver_for
from harness.objects.base import InterruptedStepError, Work
from harness.observations.clients import DriverOutcome

_IN_VAIN = 3
_NOT_RUN = frozenset({None, 126, 127})
"""Exit statuses of a command that did not run."""
_SLICE = 0.5


class Drive:
    """The driver of an endpoint. `gone` says why the SUT is no longer asked, once it was in vain several times."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._driver: Driver = driver_for(work.sut, work.endpoint, work.board)
        self._in_vain = 0
        self.gone = ""

    def once(self, stimulus: Stimulus) -> DriverOutcome:
        """Make the SUT do its work, for at most `stimulus.seconds`.

        Raises `InterruptedStepError` if the run is being stopped.
        """
        if not self._driver.busy:
            return self._made(stimulus)
        with self._work.budget.connection():
            return self._made(stimulus)

    def _made(self, stimulus: Stimulus) -> DriverOutcome:
        self._work.check_running()
        driving = self._driver.start(stimulus)
        ends = time.monotonic() + stimulus.seconds
        while not self._work.stopping.is_set() and (left := ends - time.monotonic()) > 0:
            if driving.over.wait(min(left, _SLICE)):
                break
        outcome = driving.stop()
        if self._work.stopping.is_set():
            raise InterruptedStepError
        self._learn(outcome)
        return outcome

    def _learn(self, outcome: DriverOutcome) -> None:
        not_run = outcome.kind == "command" and outcome.exit_status in _NOT_RUN
        self._in_vain = self._in_vain + 1 if not_run or outcome.timed_out else 0
        if self._in_vain >= _IN_VAIN:
            self.gone = f"It was asked {_IN_VAIN} times in vain, and is asked no more: {outcome.problem}".strip()
