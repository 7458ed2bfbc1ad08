"""What every request passes before any page sees it: host, method, size, time, who asks, and whose form it is."""

from __future__ import annotations

import asyncio
import hmac
import logging
from http import HTTPStatus
from urllib.parse import parse_qs, quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reference_impl.audit.repository.web.access import Door, Identity, Refused, address_of

BODY_OCTETS = 16_384
"""A form is shorter; more is not read."""
TARGET_OCTETS = 8_192
"""A path with its query is shorter."""
SECONDS = 60.0
"""A request is answered by then, or refused; the live view is bounded by its session."""
FORM_COOKIE = "__Host-ps315-audit-form"
"""Ties the form of the log-in, which has no session yet, to the browser that was given it."""
_BODY_SECONDS = 10.0
_LOGGER = logging.getLogger("ps315.audit.web")
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with "no-referrer" browsers would tell no origin of forms either
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})  # a browser would refuse plain HTTP of every other program there
PROGRAMS = "/fhir"
"""Below it programs search (ITI-81, /fhir/AuditEvent): they may bring a password with each request."""
LIVE, EXPORT, LOG_IN = "/live", "/export", "/log-in"
_SECONDS_OF = {LIVE: None, EXPORT: 900.0}


class Gate:
    """Middleware around the whole page: whatever `app` is asked comes from somebody known, except at the door.

    A request that gets through has `state.identity` (None only there) and, where it is a POST, `state.form`.
    """

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door
        self._hosts = frozenset(host.lower() for host in door.access.hosts)
        self._hashing = asyncio.Semaphore(2)  # each takes tens of megabytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
                if _host(Headers(scope=scope).getlist("host")) not in _LOCAL:
                    headers["Strict-Transport-Security"] = "max-age=31536000"
            await send(message)

        request = Request(scope, receive)
        try:
            async with asyncio.timeout(_SECONDS_OF.get(scope["path"], SECONDS)):
                refusal = await self._refusal(request)
                await (refusal or self._app)(scope, receive, sending)
        except TimeoutError:
            _LOGGER.warning("a request took longer than %d seconds", SECONDS)
            if not started:
                await _plain(HTTPStatus.SERVICE_UNAVAILABLE, "That took too long; ask for less.")(
                    scope, receive, sending
                )

    async def _refusal(self, request: Request) -> Response | None:
        """Why `request` goes no further; None where it does."""
        refusal = _unfit(request, self._hosts)
        if refusal is not None:
            return refusal
        request.state.identity = None
        path = request.url.path
        if path != LOG_IN and not path.startswith("/static/"):  # the door, and the looks of the page
            found = await self._identity(request)
            if isinstance(found, Response):
                return found
            request.state.identity = found
        if request.method == "POST":
            return await self._form_refused(request)
        return None

    async def _identity(self, request: Request) -> Identity | Response:
        path = request.url.path
        identity = self._door.identify(request, touch=path != LIVE)
        if identity is not None:
            return identity
        if path == PROGRAMS or path.startswith(f"{PROGRAMS}/"):
            return await self._program(request)
        if path == LIVE or request.method == "POST":
            return _plain(HTTPStatus.UNAUTHORIZED, "You are logged out; log in again.")
        target = path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(LOG_IN if target == "/" else f"{LOG_IN}?next={quote(target)}", HTTPStatus.SEE_OTHER)

    async def _program(self, request: Request) -> Identity | Response:
        authorization = request.headers.get("authorization")
        if authorization is not None and self._door.users is not None:
            async with self._hashing:
                found = await run_in_threadpool(self._door.by_basic, authorization, address_of(request))
            if isinstance(found, Identity):
                return found
            if found.seconds > 0:
                return too_many(found)
        headers = {} if self._door.users is None else {"WWW-Authenticate": 'Basic realm="audit trail", charset="UTF-8"'}
        return _plain(HTTPStatus.UNAUTHORIZED, "Show a password or a certificate.", headers)

    async def _form_refused(self, request: Request) -> Response | None:
        """Read the form of a POST; refuse what does not come from a page of ours."""
        if not _same_origin(request):
            return _plain(HTTPStatus.FORBIDDEN, "Send this from the page itself.")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            return _plain(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "This is no form of the page.")
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                body = await _body(request)
        except TimeoutError:
            return _plain(HTTPStatus.REQUEST_TIMEOUT, "The form did not come.")
        if body is None:
            return _plain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The form is too long.")
        try:
            fields = parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=50)
        except ValueError:
            return _plain(HTTPStatus.BAD_REQUEST, "This is no form of the page.")
        form = {name: values[0] for name, values in fields.items()}
        if not self._checks(request, form.get("check", "")):
            return _plain(HTTPStatus.FORBIDDEN, "The page was too old, or is not ours; load it again.")
        request.state.form = form
        return None

    def _checks(self, request: Request, check: str) -> bool:
        identity: Identity | None = request.state.identity
        if identity is not None:
            return identity.session is not None and identity.session.checks(check)
        given = request.cookies.get(FORM_COOKIE, "")
        return len(given) >= 32 and same(given, check)


def same(given: str, wanted: str) -> bool:
    """Whether both are equal, told in a time that does not depend on where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode("utf-8", "replace"))


def too_many(refused: Refused) -> Response:
    """Says how long a log-in has to wait."""
    seconds = max(1, round(refused.seconds))
    return _plain(HTTPStatus.TOO_MANY_REQUESTS, "Too many wrong passwords; wait.", {"Retry-After": str(seconds)})


def _unfit(request: Request, hosts: frozenset[str]) -> Response | None:
    """Why a request is refused, whoever sends it."""
    if _host(request.headers.getlist("host")) not in hosts:
        return _plain(HTTPStatus.MISDIRECTED_REQUEST, "This name does not belong to the audit trail.")
    if request.method not in {"GET", "HEAD", "POST"}:
        return _plain(HTTPStatus.METHOD_NOT_ALLOWED, "This cannot be done here.", {"Allow": "GET, HEAD, POST"})
    if len(request.scope["path"]) + len(request.scope["query_string"]) > TARGET_OCTETS:
        return _plain(HTTPStatus.REQUEST_URI_TOO_LONG, "The address is too long.")
    if "\0" in request.scope["path"]:
        return _plain(HTTPStatus.BAD_REQUEST, "The address has characters that no address has.")
    return None


def _host(values: list[str]) -> str:
    """The name in the one Host header, without its port; empty where it is none."""
    if len(values) != 1:
        return ""
    try:
        parts = urlsplit(f"//{values[0]}")
        return "" if "@" in values[0] or parts.path or parts.query else (parts.hostname or "").lower()
    except ValueError:
        return ""


def _same_origin(request: Request) -> bool:
    """Whether a form comes from our own page, as far as the browser says."""
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    origin = request.headers.get("origin")
    return origin is None or origin == f"https://{request.headers['host']}"


async def _body(request: Request) -> bytes | None:
    """All of the body; None where it is too long."""
    length = request.headers.get("content-length", "0")
    if not (length.isascii() and length.isdecimal()) or len(length) > 9 or int(length) > BODY_OCTETS:
        return None
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_OCTETS:
            return None
    return bytes(body)


def _plain(status: HTTPStatus, sentence: str, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(sentence + "\n", int(status), headers=headers)
