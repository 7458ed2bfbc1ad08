"""DCMTK's storescp: one TLS profile option a case; `--fork`, since one idle connection blocks the plain process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fixtures.pki import Pki
from tests.peers.starters.process import Peer, free_port, program, running


@contextmanager
def storescp(pki: Pki, directory: Path, options: Mapping[str, str]) -> Iterator[Peer]:
    """Options: `profile` ("+py", ...), `certificate` (a case of the zoo), `client_certificate` ("-rc" required,
    "-vc" checked if present, "-ic" ignored), `suites` (comma-separated, each added with +cs)."""
    path, port = program("storescp"), free_port()
    certificate = options.get("certificate", "server")
    received = directory / "received"
    received.mkdir(parents=True, exist_ok=True)
    suites = [argument for suite in options.get("suites", "").split(",") if suite for argument in ("+cs", suite)]
    arguments = [
        path, "+tls", str(pki.key_file(certificate)), str(pki.certificate_file(certificate)),
        "+cf", str(pki.trust_anchors_file()), options.get("profile", "+py"), *suites,
        options.get("client_certificate", "-rc"), "-od", str(received), "--fork", str(port),
    ]  # fmt: skip
    with running(arguments, port, directory, name="storescp", environment={"TCP_NODELAY": "1"}) as log:
        yield Peer("127.0.0.1", port, log)
