"""The conduct budget: never more at once or a second than allowed, and everything counted."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.conduct import Budget


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@given(st.floats(1, 50), st.lists(st.floats(0, 0.5), max_size=120))
def test_no_window_of_one_second_holds_more_than_the_burst_and_the_rate(rate: float, pauses: list[float]) -> None:
    clock = Clock()
    budget = Budget(per_second=rate, clock=clock, sleep=clock.sleep)
    begun: list[float] = []
    for pause in pauses:
        clock.now += pause
        with budget.connection():
            begun.append(clock.now)
    assert budget.connections == len(pauses)
    for start in begun:
        window = [moment for moment in begun if start <= moment < start + 1]
        assert len(window) <= 2 * rate + 2


def test_a_burst_of_one_second_is_not_delayed_and_the_next_connection_is() -> None:
    clock = Clock()
    budget = Budget(per_second=5, clock=clock, sleep=clock.sleep)
    for _ in range(5):
        with budget.connection():
            pass
    assert clock.now == 100.0
    with budget.connection():
        assert clock.now == pytest.approx(100.2)


def test_no_more_connections_are_open_at_once_than_allowed() -> None:
    budget = Budget(at_once=2, per_second=1000)
    entered = threading.Semaphore(0)
    leave = threading.Event()

    def hold() -> None:
        with budget.connection():
            entered.release()
            leave.wait(5)

    threads = [threading.Thread(target=hold) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert entered.acquire(timeout=5)
    assert entered.acquire(timeout=5)
    assert not entered.acquire(timeout=0.05)
    leave.set()
    assert entered.acquire(timeout=5)
    for thread in threads:
        thread.join(5)
    budget.count(590)
    assert budget.connections == 593


@pytest.mark.parametrize(("at_once", "rate"), [(0, 5.0), (1, 0.0)])
def test_a_budget_that_allows_nothing_is_refused(at_once: int, rate: float) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Budget(at_once, rate)
