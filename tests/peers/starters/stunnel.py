"""stunnel in front of a plain storescp: how TLS reaches an SCP that has none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fixtures.pki import Pki
from tests.peers.starters.process import Peer, free_port, program, running

_CONFIGURATION = """
foreground = yes
pid =
socket = l:TCP_NODELAY=1
[dicom]
accept = 127.0.0.1:{port}
connect = 127.0.0.1:{plain}
cert = {certificate}
key = {key}
sslVersionMin = TLSv1.2
{more}
"""


@contextmanager
def stunnel(pki: Pki, directory: Path, options: Mapping[str, str]) -> Iterator[Peer]:
    """Options: `more` (further lines of the service; ANCHORS stands for the trust anchors' file)."""
    tunnel, scp = program("stunnel4"), program("storescp")
    port, plain = free_port(), free_port()
    received = directory / "received"
    received.mkdir(parents=True, exist_ok=True)
    configuration = directory / "stunnel.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            port=port,
            plain=plain,
            certificate=pki.certificate_file("server"),
            key=pki.key_file("server"),
            more=options.get("more", "").replace("ANCHORS", str(pki.trust_anchors_file())),
        ),
        encoding="utf-8",
    )
    behind = [scp, "-od", str(received), "--fork", str(plain)]
    with (
        running(behind, plain, directory, name="storescp", environment={"TCP_NODELAY": "1"}),
        running([tunnel, str(configuration)], port, directory, name="stunnel") as log,
    ):
        yield Peer("127.0.0.1", port, log)
