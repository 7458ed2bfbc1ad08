"""The pytest fixtures of the judgements of digital signatures."""

from __future__ import annotations

import pytest

from harness import ClaimRecord, Endpoints, Observations, SutRecord
from suites.signatures.verifier_view import SignatureVerifier
from suites.signatures.view import SignatureCreator


@pytest.fixture
def creator(observations: Observations, endpoints: Endpoints, claim: ClaimRecord, sut: SutRecord) -> SignatureCreator:
    """The creator of signatures of the claim that is judged."""
    return SignatureCreator(observations, endpoints, claim, sut)


@pytest.fixture
def verifier(observations: Observations, endpoints: Endpoints, claim: ClaimRecord) -> SignatureVerifier:
    """The verifier of signatures of the claim that is judged."""
    return SignatureVerifier(observations, endpoints, claim)
