"""A small HTTP/1.1 server for sockets that somebody else accepted: it opens no port. It stands for DICOMweb."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer

from reference_impl.connections import Connections

_BODY = b"<html><title>PS315-NODE</title></html>\n"
_METHODS = (b"GET ", b"HEAD", b"POST", b"PUT ", b"DELE", b"OPTI", b"PATC", b"CONN", b"TRAC")
_NO_HTTP = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_FIRST_WORD = 5.0  # seconds in which a client has to show which protocol it speaks


class PageHandler(BaseHTTPRequestHandler):
    """Answers GET and HEAD; a search for studies finds none (PS3.18 8.3.4: 204)."""

    protocol_version = "HTTP/1.1"
    server_version = "PS315-NODE"
    sys_version = ""
    timeout = 30.0

    def do_GET(self) -> None:
        """Answer with a page, or with 204 where studies are searched for."""
        found = self.path.split("?")[0].rstrip("/") != "/studies"
        self.send_response(HTTPStatus.OK if found else HTTPStatus.NO_CONTENT)
        if found:
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(_BODY)))
        self.end_headers()
        if found and self.command != "HEAD":
            self.wfile.write(_BODY)

    do_HEAD = do_GET  # noqa: N815 - named by the library

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the library
        """Keep no log."""


class HttpServer:
    """Answers HTTP/1.1 requests on sockets handed to it by `handler`, each in a thread of its own."""

    def __init__(self, handler: Callable[..., BaseHTTPRequestHandler] = PageHandler) -> None:
        # It never listens: its sockets come through `finish_request`.
        self._server = HTTPServer(("127.0.0.1", 0), handler, bind_and_activate=False)
        self._connections = Connections("http-server")

    def take(self, connection: socket.socket, address: tuple[str, int]) -> None:
        """Serve requests on `connection`, which came from `address`, until either side ends; returns at once."""
        self._connections.begin(connection, lambda: self._serve(connection, address))

    def stop(self, timeout: float = 5.0) -> None:
        """End every connection, and wait up to `timeout` seconds for the threads to end."""
        self._connections.end(timeout)
        self._server.server_close()

    def _serve(self, connection: socket.socket, address: tuple[str, int]) -> None:
        with contextlib.suppress(OSError), connection:
            if _says_http(connection):
                self._server.finish_request(connection, address)
            else:  # the library would wait for the end of a line
                connection.sendall(_NO_HTTP)


def by_first_words(
    connection: socket.socket, http: Callable[[socket.socket], None], otherwise: Callable[[socket.socket], None]
) -> None:
    """Hand `connection` to `http` if it begins with an HTTP request, else to `otherwise`; returns at once."""

    def run() -> None:
        (http if _says_http(connection) else otherwise)(connection)

    threading.Thread(target=run, name="first-words", daemon=True).start()


def _says_http(connection: socket.socket) -> bool:
    """Whether what waits to be read from `connection` begins an HTTP request."""
    connection.settimeout(_FIRST_WORD)
    try:
        return connection.recv(4, socket.MSG_PEEK) in _METHODS
    except OSError:
        return False
    finally:
        connection.settimeout(None)
