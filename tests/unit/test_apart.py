"""Work in a child process: what it answers, tells, raises, and what becomes of it when either side breaks down."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from harness import process
from harness.commands._apart import Apart, Tell, begin
from harness.errors import HarnessError, UsageProblem

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "may_fork", lambda: True)


@pytest.fixture
def begun() -> Iterator[list[Apart[int, object]]]:
    children: list[Apart[int, object]] = []
    yield children
    for child in children:
        child.stop()


def work(receive: Callable[[], int], tell: Tell) -> object:
    order = receive()
    match order:
        case 1:
            raise UsageProblem("wrong")
        case 2:
            raise HarnessError("broken")
        case 3:
            raise ZeroDivisionError
        case 4:
            os.kill(os.getpid(), signal.SIGKILL)
        case 5:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
    tell("judging")
    tell("writing")
    return order, os.getpid()


def child(begun: list[Apart[int, object]]) -> Apart[int, object]:
    apart = begin(work)
    assert apart is not None
    begun.append(apart)
    return apart


@pytest.mark.parametrize("order", [0, 5], ids=["undisturbed", "interrupted"])
def test_another_process_does_the_work_and_tells_of_it(begun: list[Apart[int, object]], order: int) -> None:
    told: list[str] = []
    answer = child(begun).result(order, told.append)
    assert isinstance(answer, tuple)
    assert answer[0] == order
    assert answer[1] != os.getpid()
    assert told == ["judging", "writing"]


@pytest.mark.parametrize(
    ("order", "raised", "said"),
    [
        (1, UsageProblem, "wrong"),
        (2, HarnessError, "broken"),
        (3, HarnessError, "broke down"),
        (4, HarnessError, "broke down"),
    ],
)
def test_what_goes_wrong_there_is_raised_here(
    begun: list[Apart[int, object]], order: int, raised: type[Exception], said: str
) -> None:
    with pytest.raises(raised, match=said):
        child(begun).result(order, lambda _: None)


def test_a_child_that_is_gone_before_it_is_ordered(begun: list[Apart[int, object]]) -> None:
    def leave(receive: Callable[[], int], tell: Tell) -> object:
        os._exit(3)

    apart = begin(leave)
    assert apart is not None
    begun.append(apart)
    with pytest.raises(HarnessError, match="ps315 judge"):
        apart.result(0, lambda _: None)


def test_stopping_ends_the_child_and_may_be_repeated() -> None:
    def idle(receive: Callable[[], int], tell: Tell) -> object:
        signal.pause()
        return None

    apart = begin(idle)
    assert apart is not None
    apart.stop()
    apart.stop()
    with pytest.raises(ChildProcessError):
        os.waitpid(apart.child, os.WNOHANG)


def test_only_a_process_of_our_own_without_threads_is_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert begin(work) is None
    monkeypatch.setattr(process, "_own", True)
    going = threading.Event()
    thread = threading.Thread(target=going.wait)
    thread.start()
    try:
        assert not process.may_fork()
    finally:
        going.set()
        thread.join()
