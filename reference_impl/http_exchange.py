"""One question over HTTP or HTTPS and its answer (RFC 9112), bounded in time and size, without following redirects."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


class HttpExchangeError(Exception):
    """There was no answer that can be read; the message says why."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status code, media type in lower case without parameters, body, and the Content-Type as it stands."""

    status: int
    media_type: str
    body: bytes
    content_type: str = ""


def ask(
    url: str,
    question: bytes | None = None,
    media_type: str = "",
    *,
    accept: str = "",
    seconds: float = 10.0,
    largest: int = 1 << 20,
    context: ssl.SSLContext | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpAnswer:
    """Send `question` of that media type by POST (None: GET) to `url`, and return the answer.

    All of it may take `seconds`, its body may have `largest` octets. HTTPS is spoken as `context` has it; `headers` are
    sent beside. Raises HttpExchangeError.
    """
    connection, target = _connection(url, seconds, context)
    overdue = threading.Event()

    def give_up() -> None:
        overdue.set()
        if connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    deadline = threading.Timer(seconds, give_up)
    deadline.daemon = True
    deadline.start()
    try:
        sent = {"Content-Type": media_type} if question is not None else {}
        if accept:
            sent["Accept"] = accept
        sent |= headers or {}
        connection.request("GET" if question is None else "POST", target, question, sent)
        answer = connection.getresponse()
        body = answer.read(largest + 1)
        said_type = answer.getheader("Content-Type") or ""
        kind = said_type.partition(";")[0].strip().lower()
    except (OSError, ValueError, http.client.HTTPException) as problem:
        late = overdue.is_set() or isinstance(problem, TimeoutError)
        said = f"no whole answer came in {seconds:g} s" if late else str(problem) or type(problem).__name__
        raise HttpExchangeError(said) from None
    finally:
        deadline.cancel()
        connection.close()
    if overdue.is_set():
        raise HttpExchangeError(f"no whole answer came in {seconds:g} s")
    if len(body) > largest:
        raise HttpExchangeError(f"the answer has more than {largest} octets")
    return HttpAnswer(answer.status, kind, body, said_type)


def _connection(url: str, seconds: float, context: ssl.SSLContext | None) -> tuple[http.client.HTTPConnection, str]:
    """A connection that is not yet open, and the target of the request."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as problem:
        raise HttpExchangeError(f"{url!r} is no URL: {problem}") from None
    if parts.scheme not in _PORTS or not host:
        raise HttpExchangeError(f"{url!r} is no URL of HTTP")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    port = port or _PORTS[parts.scheme]
    if parts.scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=seconds, context=context), target
    return http.client.HTTPConnection(host, port, timeout=seconds), target
