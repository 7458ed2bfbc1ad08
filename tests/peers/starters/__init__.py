"""Starters of real third-party TLS servers: each binds a free loopback port, is awaited, and is ended.

`STARTERS` maps a family to its starter. A starter is a context manager that yields a running `Peer`; where the
program is not installed it raises `PeerMissing` before anything is started.
"""

from tests.peers.starters.dcmtk import storescp
from tests.peers.starters.gnutls import gnutls_serv
from tests.peers.starters.nginx import nginx
from tests.peers.starters.nodejs import dcmjs_dimse
from tests.peers.starters.openssl import s_server
from tests.peers.starters.orthanc import orthanc
from tests.peers.starters.process import Peer, PeerMissing, Starter
from tests.peers.starters.python import pynetdicom_server
from tests.peers.starters.rsyslog import rsyslog
from tests.peers.starters.stunnel import stunnel

STARTERS: dict[str, Starter] = {
    "storescp": storescp,
    "orthanc": orthanc,
    "s_server": s_server,
    "gnutls-serv": gnutls_serv,
    "nginx": nginx,
    "stunnel": stunnel,
    "rsyslog": rsyslog,
    "pynetdicom": pynetdicom_server,
    "dcmjs-dimse": dcmjs_dimse,
}

__all__ = ["STARTERS", "Peer", "PeerMissing", "Starter"]
