"""Work that is done in a child process: it prepares itself on another core while this process waits for the network.

The child is forked before there are threads, and only where the process is the program's own. It shares nothing with
its parent but two pipes and the files of the run; it ends with its parent.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO, Generic, NoReturn, TypeVar

from harness import process
from harness.errors import HarnessError, UsageProblem

OrderT = TypeVar("OrderT")
ResultT = TypeVar("ResultT")
Tell = Callable[[str], None]


class Apart(Generic[OrderT, ResultT]):
    """A child process at work, which at some point waits for an order; see `begin`."""

    def __init__(self, child: int, orders: BinaryIO, answers: BinaryIO) -> None:
        self.child, self._orders, self._answers = child, orders, answers

    def result(self, order: OrderT, tell: Tell) -> ResultT:
        """What the work makes of `order`; `tell` hears what it tells meanwhile.

        Raises what it raised (`UsageProblem`, `HarnessError`), and `HarnessError` if the child breaks down.
        """
        try:
            pickle.dump(order, self._orders)
            self._orders.flush()
            while True:
                kind, value = pickle.load(self._answers)  # noqa: S301 - written by our own child
                if kind == "told":
                    tell(value)
                elif kind == "raised":
                    raise value
                else:
                    result: ResultT = value
                    return result
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            raise HarnessError(
                "the process that judges broke down; judge the record again with `ps315 judge`"
            ) from None

    def stop(self) -> None:
        """End the child, whatever it does, and release the pipes. May be called more than once."""
        if self._answers.closed:
            return
        with suppress(OSError):
            os.kill(self.child, signal.SIGKILL)
        with suppress(OSError):
            os.waitpid(self.child, 0)
        with suppress(OSError):
            self._orders.close()
        self._answers.close()


def begin(work: Callable[[Callable[[], OrderT], Tell], ResultT]) -> Apart[OrderT, ResultT] | None:
    """Fork a child for `work`; None where that cannot be, and the caller does it in this process.

    `work` begins at once. It gets what waits for the order (of `Apart.result`), to be called once, and something to
    tell its progress to; its result has to be picklable.
    """
    if not process.may_fork():
        return None
    sys.stdout.flush()
    sys.stderr.flush()
    ends = (*os.pipe(), *os.pipe())
    try:
        child = os.fork()
    except OSError:
        for end in ends:
            os.close(end)
        return None
    orders, order, answer, answers = ends
    if child == 0:
        os.close(order)
        os.close(answer)
        _serve(os.fdopen(orders, "rb"), os.fdopen(answers, "wb"), work)
    os.close(orders)
    os.close(answers)
    return Apart(child, os.fdopen(order, "wb"), os.fdopen(answer, "rb"))


def _serve(
    orders: BinaryIO,
    answers: BinaryIO,
    work: Callable[[Callable[[], Any], Tell], object],
) -> NoReturn:
    """The child's life. Nothing that the parent has begun is ended or written here a second time."""
    status = 1
    try:
        # The parent is the one that is interrupted; it ends this process.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)

        def say(kind: str, value: object) -> None:
            pickle.dump((kind, value), answers)
            answers.flush()

        def receive() -> Any:
            return pickle.load(orders)  # noqa: S301 - written by our own parent

        try:
            said = "result", work(receive, lambda text: say("told", text))
        except (UsageProblem, HarnessError) as problem:
            said = "raised", problem
        sys.stdout.flush()  # a vendor's suite may print
        sys.stderr.flush()
        say(*said)
        status = 0
    except BaseException:  # noqa: S110 - the parent sees that no answer comes; nothing may return into its code
        pass
    finally:
        os._exit(status)
