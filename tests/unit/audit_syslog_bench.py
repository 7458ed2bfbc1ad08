"""What tests of syslog over TLS need: both sides' certificates, a sender that is played by hand, a busy receiver."""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Callable
from pathlib import Path

from fixtures.pki import Pki
from reference_impl.audit.syslog.tls import ClientTls, ServerTls, Trust
from reference_impl.syslog_frames import frame

LOOPBACK = ("127.0.0.1", 0)
SOON = 30.0


def server_tls(pki: Pki, **trust: object) -> ServerTls:
    """A receiver that believes senders of the good authority. Its certificate suits RSA key transport too."""
    case = "server_key_encipherment"
    believed = Trust(**({"anchors": pki.trust_anchors_file("ca")} | trust))  # type: ignore[arg-type]
    return ServerTls(pki.certificate_file(case), pki.key_file(case), believed)


def client_tls(pki: Pki, case: str = "client", **trust: object) -> ClientTls:
    """A sender that shows the certificate `case` (none: "")."""
    believed = Trust(**({"anchors": pki.trust_anchors_file("ca")} | trust))  # type: ignore[arg-type]
    if not case:
        return ClientTls(believed, server_name="localhost")
    return ClientTls(believed, pki.certificate_file(case), pki.key_file(case), "localhost")


def connect(address: tuple[str, int], context: ssl.SSLContext) -> ssl.SSLSocket:
    """A connection with a handshake done."""
    secured = context.wrap_socket(socket.create_connection(address, timeout=SOON), server_hostname="localhost")
    secured.settimeout(SOON)
    return secured


def reset(connection: socket.socket) -> None:
    """Close so that the other side sees a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def frames(*messages: bytes) -> bytes:
    """`messages` in their frames."""
    return b"".join(map(frame, messages))


def awaited(told: Callable[[], bool], seconds: float = SOON) -> bool:
    """Whether `told` becomes true within `seconds`: for what nobody announces."""
    deadline = time.monotonic() + seconds
    while not told():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)  # between two looks; the deadline bounds them
    return True


def pki_in(directory: Path) -> Pki:
    """Certificates whose files are in `directory`."""
    return Pki.create(directory)
