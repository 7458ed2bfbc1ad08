"""Servers that several test modules of the command line meet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fixtures.pki.campaign import Campaign
from harness.commands.serve import make_node
from reference_impl.node import Node


@pytest.fixture(scope="session")
def cli_campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """The test campaign that both nodes are set up for."""
    campaign = Campaign.create(tmp_path_factory.mktemp("campaign"))
    campaign.pki.directory = campaign.directory / "pki"
    return campaign


@pytest.fixture(scope="session")
def cli_node(cli_campaign: Campaign) -> Iterator[Node]:
    """A node that keeps B.12."""
    with make_node("B.12", [], campaign=cli_campaign) as running:
        yield running


@pytest.fixture(scope="session")
def cli_broken_node(cli_campaign: Campaign) -> Iterator[Node]:
    """A node that refuses TLS 1.1 with the wrong alert."""
    with make_node("B.12", ["handshake-failure-for-tls-1.1"], campaign=cli_campaign) as running:
        yield running
