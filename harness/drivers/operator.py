"""A driver that is a person: told at the terminal or on the operator's page what to do, waited for with a countdown."""

from __future__ import annotations

import threading
import time

from harness.drivers.base import Driving, Expectation, Stimulus
from harness.observations.clients import DriverOutcome
from harness.operator_board import SKIP, Board

INSTRUCTION = "Make the device connect to {name} at {host}, port {port}: verify the connection, or send one object."
NOBODY = "Nobody could be asked; run ps315 at a terminal, or with --operator-page."


def instruction(text: str, stimulus: Stimulus) -> str:
    """What the operator reads: `text` of the SUT file, or what fits every device; with the destination, if any."""
    if not stimulus.port:
        return text
    where = {"name": stimulus.called_aet or "the harness", "host": stimulus.host, "port": stimulus.port}
    if not text:
        return INSTRUCTION.format(**where)
    return f"{text} (destination: {where['name']} at {where['host']}, port {where['port']})"


class OperatorDriver:
    """Asks whoever looks at `board`; with nobody there, nothing is waited for."""

    busy = False

    def __init__(self, board: Board, sut: str, text: str = "") -> None:
        self._board, self._sut, self._text = board, sut, text

    def start(self, stimulus: Stimulus) -> Driving:
        """Show what is to be done."""
        return _Asked(self._board, self._sut, instruction(self._text, stimulus), stimulus)


class _Asked:
    """A person who has been asked."""

    def __init__(self, board: Board, sut: str, text: str, stimulus: Stimulus) -> None:
        self._board, self._text = board, text
        self._what = "trial" if stimulus.trial else "step"
        self._began = time.monotonic()
        self._task = None
        self.over = threading.Event()
        if not board.fronts:
            self.over.set()
            return
        self._task = board.post(
            "do",
            sut=sut,
            title=stimulus.text or stimulus.trial or stimulus.object,
            text=text,
            seconds=stimulus.seconds,
            number=stimulus.number,
            of=stimulus.of,
        )
        self.over = self._task.replied

    @property
    def then(self) -> Expectation:
        """Nothing where it was skipped or nobody is there; what a device was told to do may come yet."""
        if self._task is None or (self._task.reply is not None and self._task.reply.said == SKIP):
            return "nothing"
        return "later"

    def stop(self) -> DriverOutcome:
        """Take the instruction back and say who did what."""
        seconds = time.monotonic() - self._began
        if self._task is None:
            return DriverOutcome(kind="operator", action=self._text, seconds=seconds, problem=NOBODY)
        self._board.withdraw(self._task)
        reply = self._task.reply
        problem = f"The operator skipped this {self._what}." if reply is not None and reply.said == SKIP else ""
        return DriverOutcome(
            kind="operator",
            action=self._text,
            seconds=seconds,
            timed_out=self._task.seconds_left() <= 0 and reply is None,
            output=reply.said if reply else "",
            confirmed_by=reply.by if reply else "",
            problem=problem,
        )
