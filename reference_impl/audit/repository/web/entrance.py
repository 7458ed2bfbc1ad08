"""Logging in and out."""

from __future__ import annotations

import secrets
from http import HTTPStatus

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from reference_impl.audit.repository.web.access import Identity, Refused, address_of
from reference_impl.audit.repository.web.context import Context, identity_of
from reference_impl.audit.repository.web.gate import FORM_COOKIE
from reference_impl.audit.repository.web.sessions import COOKIE

_ONE_AT_A_TIME = 2  # each check of a password takes tens of megabytes
_WRONG = "Name and password do not fit. Try again."


class Entrance:
    """Handlers of the door."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._hashing = CapacityLimiter(_ONE_AT_A_TIME)

    def form(self, request: Request) -> Response:
        """The form; whoever is in already, goes on."""
        if self._context.door.identify(request) is not None:
            return RedirectResponse(onward(request.query_params.get("next", "")), HTTPStatus.SEE_OTHER)
        return self._form(request, onward(request.query_params.get("next", "")))

    async def enter(self, request: Request) -> Response:
        """Look at name and password."""
        form: dict[str, str] = request.state.form
        name, password = form.get("name", "").strip(), form.get("password", "")
        following = onward(form.get("next", ""))
        door, address = self._context.door, address_of(request)
        found = await run_sync(door.log_in, name, password, address, limiter=self._hashing)
        if isinstance(found, Refused):
            return self._refused(request, found, following, name)
        response = RedirectResponse(following, HTTPStatus.SEE_OTHER)
        _set(response, COOKIE, found.cookie)
        response.delete_cookie(FORM_COOKIE, secure=True, httponly=True, samesite="strict")
        return response

    def leave(self, request: Request) -> Response:
        """End the session."""
        identity: Identity = identity_of(request)
        self._context.door.log_out(identity)
        response = RedirectResponse("/log-in", HTTPStatus.SEE_OTHER)
        response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="strict")
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response

    def _refused(self, request: Request, found: Refused, following: str, name: str) -> Response:
        if found.seconds <= 0:
            return self._form(request, following, name, _WRONG, HTTPStatus.FORBIDDEN)
        minutes = max(1, round(found.seconds / 60))
        sentence = f"Too many attempts failed. Try again in {minutes} {'minute' if minutes == 1 else 'minutes'}."
        response = self._form(request, following, name, sentence, HTTPStatus.TOO_MANY_REQUESTS)
        response.headers["Retry-After"] = str(max(1, round(found.seconds)))
        return response

    def _form(
        self, request: Request, following: str, name: str = "", sentence: str = "", status: HTTPStatus = HTTPStatus.OK
    ) -> Response:
        check = secrets.token_urlsafe(24)
        response = self._context.page(
            request,
            "log_in.html.j2",
            int(status),
            passwords=self._context.door.users is not None,
            form_check=check,
            next=following,
            name=name[:64],
            sentence=sentence,
        )
        _set(response, FORM_COOKIE, check)
        return response


def onward(target: str) -> str:
    """Where to go after the log-in: a path of this page, and nowhere else."""
    if not target.startswith("/") or target.startswith(("//", "/\\")) or not target.isascii() or len(target) > 4_096:
        return "/"
    return "/" if any(ord(each) < 33 for each in target) or target.startswith(("/log-", "/live")) else target


def _set(response: Response, name: str, value: str) -> None:
    response.set_cookie(name, value, path="/", secure=True, httponly=True, samesite="strict")
