"""The pages about nodes, alerts and detection rules."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from reference_impl.audit.codes import groups
from reference_impl.audit.repository import summaries
from reference_impl.audit.repository.detection.rules import Rule
from reference_impl.audit.repository.query import DayCount, NodeSummary, Query
from reference_impl.audit.repository.web import shown
from reference_impl.audit.repository.web.context import Context, identity_of

_DAYS = 30
_SILENT = timedelta(hours=24)
_ASTRAY = timedelta(seconds=5)  # a difference of clocks that is worth a look
_ALERTS, _CONNECTIONS = 50, 100
_LAST = 20
_MOST_NUMBER = 1 << 62
_PLACE = re.compile(r"\{([a-z_]+)[^{}]*\}")
_ONE = {"user": "a user", "node": "a node", "study": "…", "patient": "a patient", "peer": "a sender"}
_BAR, _GAP, _HEIGHT = 10, 4, 60


@dataclass(frozen=True, slots=True)
class Bar:
    """One day in a picture of several."""

    x: int
    y: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class ShownNode:
    """A node in the list of all."""

    summary: NodeSummary
    silent: str
    ahead: str
    astray: bool
    bars: tuple[Bar, ...]
    today: int
    marked: int


class Surveys:
    """Handlers of what is told about nodes and alerts; each records the look before it answers."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def nodes(self, request: Request) -> Response:
        """Every node: when it was heard last, how much came, how its clock goes, what was found."""
        self._context.look(request)
        search = self._context.search
        counts = summaries.days(search)
        found = summaries.nodes(search)
        nodes = [self._node(node, [each for each in counts if each.node == node.node]) for node in found]
        return self._context.page(request, "nodes.html.j2", nodes=nodes, width=_DAYS * (_BAR + _GAP), height=_HEIGHT)

    def node(self, request: Request) -> Response:
        """One node: what it reports, and what is wrong with it."""
        self._context.look(request)
        search = self._context.search
        name = request.query_params.get("id", "")[:256]
        summary = next((node for node in summaries.nodes(search) if node.node == name), None)
        if summary is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "No node of this name has reported anything.")
        rows = search.page(Query(node=name), size=_LAST).rows
        return self._context.page(
            request,
            "node.html.j2",
            node=self._node(summary, summaries.days(search, node=name)),
            findings=summaries.findings(search, name),
            events=[(code, groups()[400].codes.get(code, code), number) for code, number in summary.events],
            rows=[shown.shown(row, self._context.zone) for row in rows],
            width=_DAYS * (_BAR + _GAP),
            height=_HEIGHT,
        )

    def connections(self, request: Request) -> Response:
        """The last connections of nodes, those too that were refused."""
        self._context.look(request)
        before = _number(request.query_params.get("before", ""))
        found = self._context.search.connections(before=before, size=_CONNECTIONS + 1)
        return self._context.page(
            request,
            "connections.html.j2",
            connections=found[:_CONNECTIONS],
            older=found[_CONNECTIONS - 1].number if len(found) > _CONNECTIONS else None,
        )

    def alerts(self, request: Request) -> Response:
        """What the detection rules raised, the last first."""
        self._context.look(request)
        before = _number(request.query_params.get("before", ""))
        only_open = request.query_params.get("show", "") != "all"
        alerts = self._context.search.alerts(only_open=only_open, before=before, size=_ALERTS + 1)
        return self._context.page(
            request,
            "alerts.html.j2",
            alerts=alerts[:_ALERTS],
            older=alerts[_ALERTS - 1].number if len(alerts) > _ALERTS else None,
            only_open=only_open,
            rules=[_told(rule) for rule in self._context.trail.rules],
        )

    def acknowledge(self, request: Request) -> Response:
        """Note who has seen to an alert."""
        form: dict[str, str] = request.state.form
        identity = identity_of(request)
        number = min(int(request.path_params["number"]), _MOST_NUMBER)
        self._context.look(request)
        note = "".join(each if each.isprintable() else " " for each in form.get("note", ""))[:500].strip()
        if not self._context.trail.store.acknowledge(number, identity.user, datetime.now(UTC), note):
            raise HTTPException(HTTPStatus.CONFLICT, "There is no such alert, or somebody has seen to it already.")
        return RedirectResponse("/alerts", HTTPStatus.SEE_OTHER)

    def _node(self, summary: NodeSummary, counts: Iterable[DayCount]) -> ShownNode:
        now = datetime.now(UTC)
        quiet = now - summary.last_arrived
        ahead = summary.ahead
        bars, today = _bars(counts, now.date())
        return ShownNode(
            summary=summary,
            silent=shown.duration(quiet.total_seconds()) if quiet > _SILENT else "",
            ahead="" if ahead is None else _clock(ahead),
            astray=ahead is not None and abs(ahead) > _ASTRAY,
            bars=bars,
            today=today,
            marked=0 if summary.node == self._context.trail.source.id else summary.marked,
        )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None


def _told(rule: Rule) -> dict[str, str]:
    """A rule as it is shown: its title in general words."""
    words = {
        "count": str(max(step.count for step in rule.steps)),
        "within": shown.duration(rule.within.total_seconds()),
    }
    title = _PLACE.sub(lambda place: words.get(place[1]) or _ONE.get(place[1]) or f"one {place[1]}", rule.title)
    return {"id": rule.id, "title": title, "text": rule.text, "severity": rule.severity}


def _clock(ahead: timedelta) -> str:
    """How a node's clock goes, as far as the messages tell: they also take a while to come."""
    if abs(ahead) < timedelta(seconds=1):
        return "right"
    words = shown.duration(ahead.total_seconds())
    return f"{words} ahead" if ahead > timedelta(0) else f"{words} behind, or slow to send"


def _bars(counts: Iterable[DayCount], today: date) -> tuple[tuple[Bar, ...], int]:
    """A bar a day over the last days, and the number of today."""
    numbers: dict[date, int] = {}
    for count in counts:
        numbers[count.day] = numbers.get(count.day, 0) + count.count
    most = max(numbers.values(), default=1)
    bars = []
    for place in range(_DAYS):
        day = today - timedelta(days=_DAYS - 1 - place)
        number = numbers.get(day, 0)
        height = round(max(_HEIGHT * number / most, 2 if number else 0), 1)
        bars.append(Bar(place * (_BAR + _GAP), round(_HEIGHT - height, 1), height, f"{day}: {number:,} messages"))
    return tuple(bars), numbers.get(today, 0)
