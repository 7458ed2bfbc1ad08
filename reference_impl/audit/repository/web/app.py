"""The page as a whole: which address leads to which handler, behind the gate."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from reference_impl.audit.repository.numbers import register
from reference_impl.audit.repository.store import StoreBusyError, StoreError
from reference_impl.audit.repository.web.access import Access, Door
from reference_impl.audit.repository.web.context import STATIC, Context, Trail
from reference_impl.audit.repository.web.entrance import Entrance
from reference_impl.audit.repository.web.exports import Exports
from reference_impl.audit.repository.web.gate import EXPORT, LIVE, LOG_IN, PROGRAMS, Gate
from reference_impl.audit.repository.web.live import LiveView
from reference_impl.audit.repository.web.pages import Pages
from reference_impl.audit.repository.web.recording import Recording
from reference_impl.audit.repository.web.surveys import Surveys
from reference_impl.audit.repository.web.zones import zone_of
from reference_impl.audit.repository.web_api import make_api

_LOGGER = logging.getLogger("ps315.audit.web")


def make_app(repository: Trail, access: Access, *, programs: ASGIApp | None = None) -> ASGIApp:
    """The page of `repository` for those whom `access` lets in.

    Below `PROGRAMS` programs search (ITI-81); `programs` answers them in place of the repository's own application.

    Raises `UsersFileError` where the file of users cannot be used, `ValueError` for a time zone that is none.
    """
    register()
    host = access.hosts[0] if access.hosts else "localhost"
    recording = Recording(repository.record, repository.source, f"https://{host}/")
    door = Door(access, recording.happened)
    context = Context(repository, door, recording, zone_of(access.zone), repository.source.enterprise_site or "ps315")
    pages, surveys, entrance = Pages(context), Surveys(context), Entrance(context)
    routes: list[Route | Mount] = [
        Route("/", pages.time_line),
        Route("/message/{number:number}", pages.message),
        Route("/message/{number:number}/octets", pages.octets),
        Route("/patient", pages.patient),
        Route("/user", pages.user),
        Route("/nodes", surveys.nodes),
        Route("/node", surveys.node),
        Route("/connections", surveys.connections),
        Route("/alerts", surveys.alerts),
        Route("/alerts/{number:number}", surveys.acknowledge, methods=["POST"]),
        Route(EXPORT, Exports(context).give),
        Route(LIVE, LiveView(context).stream),
        Route(LOG_IN, entrance.form),
        Route(LOG_IN, entrance.enter, methods=["POST"]),
        Route("/log-out", entrance.leave, methods=["POST"]),
        Mount("/static", StaticFiles(directory=STATIC)),
        Mount(PROGRAMS, programs or make_api(context.search, context.look)),
    ]
    app = Starlette(routes=routes, exception_handlers=_handlers(context))
    app.router.redirect_slashes = False
    return Gate(app, door)


def _handlers(context: Context) -> dict[Any, Any]:
    """What is answered where something goes wrong; never more than a sentence of our own."""

    def http(request: Request, problem: Exception) -> Response:
        assert isinstance(problem, HTTPException)  # noqa: S101 - for the type checker
        status = HTTPStatus(problem.status_code)
        sentence = problem.detail if problem.detail != status.phrase else "There is nothing at this address."
        return context.problem(request, status, sentence)

    def busy(request: Request, problem: Exception) -> Response:
        _LOGGER.warning("the trail could not be read or written: %s", type(problem).__name__)
        sentence = str(problem) if isinstance(problem, StoreError) else "The trail is busy; try again in a moment."
        return context.problem(request, HTTPStatus.SERVICE_UNAVAILABLE, sentence, known=False)

    def failed(request: Request, problem: Exception) -> Response:
        _LOGGER.error("a page failed", exc_info=problem)
        sentence = "The page failed; what happened is in the log of the repository."
        return context.problem(request, HTTPStatus.INTERNAL_SERVER_ERROR, sentence, known=False)

    return {HTTPException: http, StoreBusyError: busy, PoolTimeoutError: busy, Exception: failed}
