"""pynetdicom's requestor with an `ssl.SSLContext`, in a process of its own for each trial."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from tests.peers.clients.command import Client, Identity, command_of

_PROGRAM = """
import ssl, sys
from pynetdicom import AE
from pynetdicom.sop_class import Verification
host, port, called, calling, certificate, key, anchors, check = sys.argv[1:]
context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=anchors)
context.check_hostname = check == "yes"
context.load_cert_chain(certificate, key)
entity = AE(ae_title=calling)
entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = entity.connection_timeout = 5
entity.add_requested_context(Verification)
association = entity.associate(host, int(port), ae_title=called, tls_args=(context, host))
if not association.is_established:
    sys.exit(1)
status = association.send_c_echo()
association.release()
sys.exit(0 if status and status.Status == 0 else 2)
"""


def pynetdicom(identity: Identity, directory: Path, options: Mapping[str, str]) -> Client:
    """Options: `check_hostname` ("yes", "no"). The context is Python's default for clients."""
    script = directory / "scu.py"
    script.write_text(_PROGRAM, encoding="utf-8")
    arguments: list[str | Path] = [
        sys.executable, script, "{host}", "{port}", "{called_aet}", "{calling_aet}",
        identity.certificate, identity.key, identity.trust_anchors, options.get("check_hostname", "yes"),
    ]  # fmt: skip
    return Client(command_of(arguments))
