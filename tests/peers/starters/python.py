"""pynetdicom's own server with an `ssl.SSLContext`, in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fixtures.pki import Pki
from tests.peers.starters.process import Peer, free_port, running

_PROGRAM = """
import ssl, sys
from pynetdicom import AE
from pynetdicom.sop_class import Verification
port, certificate, key = int(sys.argv[1]), sys.argv[2], sys.argv[3]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
entity = AE(ae_title="PYNETDICOM")
entity.maximum_associations = 100
entity.acse_timeout = entity.network_timeout = 2
entity.add_supported_context(Verification)
entity.start_server(("127.0.0.1", port), ssl_context=context)
"""


@contextmanager
def pynetdicom_server(pki: Pki, directory: Path, options: Mapping[str, str]) -> Iterator[Peer]:
    """No options: pynetdicom with Python's default server context."""
    port = free_port()
    arguments = [
        sys.executable, "-c", _PROGRAM, str(port), str(pki.certificate_file("server")), str(pki.key_file("server"))
    ]  # fmt: skip
    with running(arguments, port, directory, name="pynetdicom") as log:
        yield Peer("127.0.0.1", port, log, "PYNETDICOM")
