"""Judging: pytest holds recorded observations against requirements; no contact with a SUT happens here."""

from __future__ import annotations

from harness.judging.expect import Expectation, expect
from harness.judging.lookup import Endpoints, Observations
from harness.judging.outcomes import Deviation, Missing, NotApplicable
from harness.judging.verifies import verifies

__all__ = [
    "Deviation",
    "Endpoints",
    "Expectation",
    "Missing",
    "NotApplicable",
    "Observations",
    "expect",
    "verifies",
]
