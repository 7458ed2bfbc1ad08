"""Serves the operator's page from threads: a token in the printed URL lets one browser in, a cookie keeps it in."""

from __future__ import annotations

import hmac
import ipaddress
import json
import secrets
import socket
import threading
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from harness.errors import UsageProblem
from harness.operator_board import DONE, SKIP, Board
from harness.version import version

BODY_OCTETS = 8_192
"""A reply is shorter; more is not read."""
_CONNECTIONS = 32
_SECONDS = 10.0  # a browser that says nothing for so long is left
_COOKIE = "ps315_operator"
_FOLDER = Path(__file__).resolve().parent
_PAGE, _STYLE, _SCRIPT = ((_FOLDER / name).read_text(encoding="utf-8") for name in ("page.html", "page.css", "page.js"))


class OperatorPage:
    """The page of one run, at `address` (port 0: any free one). A context manager; `url` is shown once.

    Raises `UsageProblem` where the address cannot be had.
    """

    def __init__(self, board: Board, address: tuple[str, int]) -> None:
        self.board = board
        self._token = secrets.token_urlsafe(24)
        self._token_used = False
        self._session = secrets.token_urlsafe(24)
        self.check = secrets.token_urlsafe(24)  # sent back with every reply: other sites cannot know it
        self._lock = threading.Lock()
        host, port = address
        try:
            self._server = _Server(host, port, self)
        except OSError as problem:
            reason = problem.strerror or str(problem)
            raise UsageProblem(
                f"--operator-page {host}:{port}: cannot be listened at: {reason}; give another address or port"
            ) from None
        self._host = host

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self._host, int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The address with the token that lets one browser in."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.address[1]}/?token={self._token}"

    @property
    def exposed(self) -> bool:
        """Whether other computers reach it: what is typed there crosses the network unencrypted."""
        try:
            return not ipaddress.ip_address(self._host).is_loopback
        except ValueError:
            return self._host != "localhost"

    def __enter__(self) -> OperatorPage:
        self.board.join()
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="operator page", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.board.leave()
        self._server.shutdown()
        self._server.server_close()

    def admit(self, token: str) -> str | None:
        """The value of the cookie for whoever brings the token first; None for everybody else."""
        with self._lock:
            if self._token_used or not _same(token, self._token):
                return None
            self._token_used = True
            return self._session

    def knows(self, session: str) -> bool:
        """Whether `session` is the cookie that was given out."""
        return self._token_used and _same(session, self._session)

    def state(self) -> dict[str, Any]:
        """What the page shows, as JSON."""
        return {
            "version": self.board.version,
            "tasks": [
                {
                    "id": task.id,
                    "kind": task.kind,
                    "sut": task.sut,
                    "title": task.title,
                    "text": task.text,
                    "seconds": round(task.seconds_left(), 1),
                    "number": task.number,
                    "of": task.of,
                    "choices": list(task.choices),
                }
                for task in self.board.tasks()
            ],
        }

    def html(self, nonce: str) -> bytes:
        """The page. Nothing in it comes from a SUT: what is shown is fetched, and set as text."""
        text = _PAGE.replace("{{nonce}}", nonce).replace("{{check}}", self.check).replace("{{version}}", version())
        return text.replace("{{style}}", _STYLE).replace("{{script}}", _SCRIPT).encode()


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, host: str, port: int, page: OperatorPage) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.page = page
        self._slots = threading.BoundedSemaphore(_CONNECTIONS)
        super().__init__((host, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve in a thread, if there are not too many."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve, then make room."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away is no error of the run."""


class _Handler(BaseHTTPRequestHandler):
    """Answers one browser; `server` is a `_Server`."""

    timeout = _SECONDS
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the library
        """Nothing is logged: URLs hold the token."""

    def version_string(self) -> str:
        """Says no more than what it is."""
        return "ps315"

    def do_GET(self) -> None:
        """The page, its state, and the door."""
        url = urlsplit(self.path)
        token = parse_qs(url.query).get("token", [""])[0]
        if url.path == "/" and token and not self._known():
            self._enter(token)
        elif not self._known():
            self._refuse(HTTPStatus.FORBIDDEN, "Open the address that ps315 printed; it lets one browser in, once.")
        elif url.path == "/" and token:
            self._redirect()
        elif url.path == "/":
            self._page()
        elif url.path == "/state":
            self._send(HTTPStatus.OK, "application/json", json.dumps(self.server.page.state()).encode())
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "There is nothing here.")

    def do_POST(self) -> None:
        """A reply."""
        self.close_connection = True
        page = self.server.page
        if not self._known() or not self._same_origin():
            self._refuse(HTTPStatus.FORBIDDEN, "Reply on the page itself.")
            return
        if urlsplit(self.path).path != "/reply":
            self._refuse(HTTPStatus.NOT_FOUND, "There is nothing here.")
            return
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "The reply has no length.")
            return
        if len(length) > 9 or int(length) > BODY_OCTETS:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The reply is too long.")
            return
        try:
            reply = json.loads(self.rfile.read(int(length)))
            task, said, by = reply["task"], reply["said"], reply["by"]
            check = reply["check"]
        except (ValueError, TypeError, KeyError, RecursionError):
            self._refuse(HTTPStatus.BAD_REQUEST, "This is no reply.")
            return
        if not all(isinstance(text, str) for text in (said, by, check)) or type(task) is not int:
            self._refuse(HTTPStatus.BAD_REQUEST, "This is no reply.")
        elif not _same(check, page.check):
            self._refuse(HTTPStatus.FORBIDDEN, "Reply on the page itself.")
        elif not by.strip():
            self._refuse(HTTPStatus.BAD_REQUEST, "Say who you are.")
        elif not self._fits(task, said) or not page.board.reply(task, said, by):
            self._refuse(HTTPStatus.CONFLICT, "Nobody waits for this reply any longer.")
        else:
            self._send(HTTPStatus.NO_CONTENT, "", b"")

    def _fits(self, number: int, said: str) -> bool:
        task = next((task for task in self.server.page.board.tasks() if task.id == number), None)
        if task is None:
            return False
        if task.kind == "ask":
            return not task.choices or said in {*task.choices, SKIP}
        return said in {DONE, SKIP}

    def _known(self) -> bool:
        try:
            cookie = SimpleCookie(self.headers.get("Cookie", "")).get(_COOKIE)
        except CookieError:
            return False
        return cookie is not None and self.server.page.knows(cookie.value)

    def _same_origin(self) -> bool:
        """Whether the request comes from our own page, as far as the browser says."""
        origin = self.headers.get("Origin")
        return origin is None or urlsplit(origin).netloc == self.headers.get("Host", "")

    def _enter(self, token: str) -> None:
        session = self.server.page.admit(token)
        if session is None:
            self._refuse(HTTPStatus.FORBIDDEN, "This token is wrong, or was used already.")
            return
        self._redirect(f"{_COOKIE}={session}; HttpOnly; SameSite=Strict; Path=/")

    def _redirect(self, cookie: str = "") -> None:
        """To the page without the token in its address."""
        headers = {"Location": "/"} | ({"Set-Cookie": cookie} if cookie else {})
        self._send(HTTPStatus.SEE_OTHER, "", b"", headers)

    def _page(self) -> None:
        nonce = secrets.token_urlsafe(16)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        body = self.server.page.html(nonce)
        self._send(HTTPStatus.OK, "text/html; charset=utf-8", body, {"Content-Security-Policy": policy})

    def _refuse(self, status: HTTPStatus, sentence: str) -> None:
        self.close_connection = True
        self._send(status, "text/plain; charset=utf-8", (sentence + "\n").encode())

    def _send(self, status: HTTPStatus, kind: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        if status is not HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(body)))
        for name, value in {
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
