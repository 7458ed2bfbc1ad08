"""The pytest fixtures of the judgements of audit sources."""

from __future__ import annotations

import pytest

from harness import ClaimRecord, Endpoints, Observations
from suites.audit.view import AuditSource


@pytest.fixture
def source(observations: Observations, endpoints: Endpoints, claim: ClaimRecord) -> AuditSource:
    """The audit source of the claim that is judged."""
    return AuditSource(observations, endpoints, claim)
