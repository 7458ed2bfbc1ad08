"""What every page needs: the trail, the door, and how pages are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from reference_impl.audit.model import AuditMessage, AuditSource
from reference_impl.audit.repository.detection.rules import Rule
from reference_impl.audit.repository.ingest import IngestStatus
from reference_impl.audit.repository.live import Live
from reference_impl.audit.repository.search import Search
from reference_impl.audit.repository.store import Store
from reference_impl.audit.repository.web import shown
from reference_impl.audit.repository.web.access import Door, Identity
from reference_impl.audit.repository.web.recording import Recording

TEMPLATES = Path(__file__).with_name("templates")
STATIC = Path(__file__).with_name("static")
_MOST_OPEN = 100


class Trail(Protocol):
    """What the page needs of a running repository."""

    @property
    def store(self) -> Store:
        """Where messages are."""
        ...

    @property
    def search(self) -> Search:
        """How they are found."""
        ...

    @property
    def live(self) -> Live:
        """Who is told of new ones."""
        ...

    @property
    def status(self) -> IngestStatus:
        """How storing goes."""
        ...

    @property
    def rules(self) -> Sequence[Rule]:
        """The detection rules that are at work."""
        ...

    @property
    def source(self) -> AuditSource:
        """How it calls itself in its own messages."""
        ...

    def record(self, message: AuditMessage) -> None:
        """Add a message of the repository's own. Safe to call from any thread."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """Handed to every page. `zone` is the time in which it tells times, `site` what the trail is called."""

    trail: Trail
    door: Door
    recording: Recording
    zone: tzinfo
    site: str

    @property
    def search(self) -> Search:
        """How messages are found."""
        return self.trail.search

    def look(self, request: Request) -> None:
        """Record that the trail is looked at, before anything of it is shown."""
        query = f"?{request.url.query}" if request.url.query else ""
        self.recording.look(identity_of(request), f"{request.method} {request.url.path}{query}")

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """A page in HTML."""
        identity: Identity | None = getattr(request.state, "identity", None)
        text = (
            _environment()
            .get_template(template)
            .render(
                identity=identity,
                check="" if identity is None else identity.check,
                path=request.url.path,
                site=self.site,
                zone=str(self.zone),
                open_alerts="" if identity is None else self.open_alerts(),
                trouble="" if identity is None else self.trail.status.trouble,
                short=lambda at: "" if at is None else f"{at.astimezone(self.zone):%Y-%m-%d %H:%M:%S}",
                moment=lambda at: "" if at is None else shown.moment_in(at, self.zone),
                **values,
            )
        )
        return HTMLResponse(text, status)

    def open_alerts(self) -> str:
        """How many alerts nobody has seen to, empty for none."""
        number = len(self.search.alerts(only_open=True, size=_MOST_OPEN))
        return f"{_MOST_OPEN - 1}+" if number == _MOST_OPEN else str(number or "")

    def problem(self, request: Request, status: HTTPStatus, sentence: str, *, known: bool = True) -> Response:
        """A page that says what went wrong."""
        if not known:
            request.state.identity = None
        return self.page(request, "problem.html.j2", int(status), phrase=status.phrase, sentence=sentence)


def identity_of(request: Request) -> Identity:
    """Who looks: the gate lets nobody else through."""
    identity: Identity | None = request.state.identity
    if identity is None:
        raise RuntimeError("a page was reached by nobody")
    return identity


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["patient_address"] = shown.patient_address
    environment.globals["user_address"] = shown.user_address
    environment.globals["node_address"] = shown.node_address
    environment.filters["seen"] = shown.seen
    environment.filters["duration"] = shown.duration
    environment.filters["number"] = lambda value: f"{value:,}"
    return environment
