"""`openssl s_server`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fixtures.pki import Pki
from tests.peers.starters.process import Peer, free_port, program, running


@contextmanager
def s_server(pki: Pki, directory: Path, options: Mapping[str, str]) -> Iterator[Peer]:
    """Options: `certificate`, `second_certificate` (cases of the zoo), `arguments` (more of the command line)."""
    path, port = program("openssl"), free_port()
    certificate = options.get("certificate", "server")
    arguments = [
        path, "s_server", "-accept", f"127.0.0.1:{port}", "-quiet",
        "-cert", str(pki.certificate_file(certificate)), "-key", str(pki.key_file(certificate)),
    ]  # fmt: skip
    second = options.get("second_certificate")
    if second:
        arguments += ["-dcert", str(pki.certificate_file(second)), "-dkey", str(pki.key_file(second))]
    arguments += shlex.split(options.get("arguments", "").replace("ANCHORS", str(pki.trust_anchors_file())))
    with running(arguments, port, directory, name="s_server") as log:
        yield Peer("127.0.0.1", port, log)
