"""The pytest fixtures of the judgements of secure transport."""

from __future__ import annotations

import pytest

from harness import ClaimRecord, Endpoints, Observations, SutRecord
from suites.transport.client_view import TlsClient
from suites.transport.view import TlsServer


@pytest.fixture
def tls(observations: Observations, endpoints: Endpoints, claim: ClaimRecord, sut: SutRecord) -> TlsServer:
    """The TLS server of the claim that is judged."""
    return TlsServer(observations, endpoints, claim, sut)


@pytest.fixture
def client(observations: Observations, endpoints: Endpoints, claim: ClaimRecord, sut: SutRecord) -> TlsClient:
    """The TLS client of the claim that is judged."""
    return TlsClient(observations, endpoints, claim, sut)
