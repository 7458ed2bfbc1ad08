"""`gnutls-serv`, an echo server on GnuTLS: the one common stack with Camellia-GCM suites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fixtures.pki import Pki
from tests.peers.starters.process import Peer, free_port, program, running


@contextmanager
def gnutls_serv(pki: Pki, directory: Path, options: Mapping[str, str]) -> Iterator[Peer]:
    """Options: `priority` (a GnuTLS priority string), `second_certificate` (a case of the zoo),
    `client_authentication` ("required": a certificate of the anchors)."""
    path, port = program("gnutls-serv"), free_port()
    arguments = [
        path, "--echo", "--port", str(port),
        "--x509keyfile", str(pki.key_file("server")), "--x509certfile", str(pki.certificate_file("server")),
        "--priority", options.get("priority", "NORMAL"),
    ]  # fmt: skip
    if options.get("second_certificate"):
        second = options["second_certificate"]
        arguments += [
            "--x509keyfile", str(pki.key_file(second)), "--x509certfile", str(pki.certificate_file(second)),
        ]  # fmt: skip
    if options.get("client_authentication") == "required":
        arguments += ["--require-client-cert", "--verify-client-cert", "--x509cafile", str(pki.trust_anchors_file())]
    else:
        arguments.append("--disable-client-cert")
    with running(arguments, port, directory, name="gnutls-serv") as log:
        yield Peer("127.0.0.1", port, log)
