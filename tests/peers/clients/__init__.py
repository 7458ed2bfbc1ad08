"""Real third-party TLS clients, each as the command that a SUT file names as driver.

`CLIENTS` maps a family to a function that prepares it: given the campaign's folder, a directory of its own and the
options of ``client_expectations.toml``, the `Client` to write into the SUT file. Where the program is not installed it
raises `PeerMissing`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.peers.clients.command import Client, Identity
from tests.peers.clients.dcmtk import echoscu, storescu
from tests.peers.clients.python import pynetdicom
from tests.peers.clients.rsyslog import rsyslog
from tests.peers.clients.tools import curl, dcmjs_dimse, gnutls_cli, s_client

Preparation = Callable[[Identity, Path, Mapping[str, str]], Client]

CLIENTS: dict[str, Preparation] = {
    "echoscu": echoscu,
    "storescu": storescu,
    "pynetdicom": pynetdicom,
    "dcmjs-dimse": dcmjs_dimse,
    "s_client": s_client,
    "gnutls-cli": gnutls_cli,
    "curl": curl,
    "rsyslog": rsyslog,
}

__all__ = ["CLIENTS", "Client", "Identity", "Preparation"]
