"""A fault behind the front: HTTP on the port that is DICOM's."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

_METHODS = (b"GET ", b"HEAD", b"POST", b"OPTI", b"PUT ")
_BODY = b"<html><title>PS315-NODE</title></html>"


def serve_both(connection: socket.socket, otherwise: Callable[[socket.socket], None]) -> None:
    """Answer an HTTP request on `connection`, or hand it to `otherwise`, in a thread of its own."""

    def run() -> None:
        if _says_http(connection):
            _answer_http(connection)
        else:
            otherwise(connection)

    threading.Thread(target=run, name="http-on-dicom-port", daemon=True).start()


def _says_http(connection: socket.socket) -> bool:
    """Whether what waits to be read from `connection` begins an HTTP request."""
    connection.settimeout(5)
    try:
        return connection.recv(4, socket.MSG_PEEK) in _METHODS
    except OSError:
        return False
    finally:
        connection.settimeout(None)


def _answer_http(connection: socket.socket) -> None:
    """Answer the request that waits on `connection`, and close it."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    with contextlib.suppress(OSError), connection:
        connection.recv(1 << 16)
        connection.sendall(head % len(_BODY) + _BODY)
