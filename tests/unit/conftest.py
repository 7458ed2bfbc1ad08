"""Servers that several test modules of the command line meet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fixtures.pki import Pki
from reference_impl.node import Node


@pytest.fixture(scope="session")
def cli_pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """The certificates of both nodes."""
    return Pki.create(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def cli_node(cli_pki: Pki) -> Iterator[Node]:
    """A node that keeps B.12."""
    with Node("B.12", pki=cli_pki) as running:
        yield running


@pytest.fixture(scope="session")
def cli_broken_node(cli_pki: Pki) -> Iterator[Node]:
    """A node that refuses TLS 1.1 with the wrong alert."""
    with Node("B.12", ["handshake-failure-for-tls-1.1"], pki=cli_pki) as running:
        yield running
