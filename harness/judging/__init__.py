"""Judging: pytest holds recorded observations against requirements; no contact with a SUT happens here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.judging.expect import Expectation, expect
from harness.judging.lookup import Endpoints, Observations
from harness.judging.outcomes import Deviation, Missing, NotApplicable
from harness.judging.verifies import verifies

if TYPE_CHECKING:
    from harness.judging.engine import Judgement, exit_status, judge

__all__ = [
    "Deviation",
    "Endpoints",
    "Expectation",
    "Judgement",
    "Missing",
    "NotApplicable",
    "Observations",
    "exit_status",
    "expect",
    "judge",
    "verifies",
]


def __getattr__(name: str) -> Any:
    """The engine, imported on first use: it loads pytest."""
    if name not in {"Judgement", "exit_status", "judge"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from harness.judging import engine

    return getattr(engine, name)
