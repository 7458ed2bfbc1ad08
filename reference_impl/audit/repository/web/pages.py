"""The pages: the time line of all nodes, one message, one patient's story, one user's day."""

from __future__ import annotations

import re
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from reference_impl.audit.codes import groups
from reference_impl.audit.repository.query import Message, Page, Query, Row
from reference_impl.audit.repository.web import shown
from reference_impl.audit.repository.web.context import Context
from reference_impl.audit.repository.web.decoded import decode, header, raw_text
from reference_impl.audit.repository.web.exports import MOST_ROWS
from reference_impl.audit.repository.web.filters import Filter, bounds, outcomes, read_day, read_filter

ROWS = 100
_MOST_TRIED = 20
_STORY_ROWS = 200
_COUNTED = 10_000
_NAMES = 200
_MOST_NUMBER = 1 << 62
_CURSOR = re.compile(r"-?[0-9]{1,18}\.[0-9]{1,18}")
_LEVELS = {
    "shall": shown.Pill("fail", "broken"),
    "should": shown.Pill("warn", "not met"),
    "open": shown.Pill("open", "open"),
    "note": shown.Pill("na", "note"),
}
_WAYS = {
    "tls": "syslog over TLS (RFC 5425)",
    "tcp": "syslog over TCP, unencrypted",
    "udp": "syslog over UDP (RFC 5426), unencrypted",
    "own": "written by the repository itself",
    "file": "read from a file",
}


class Pages:
    """Handlers of what is read of messages; each records the look before it answers."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def time_line(self, request: Request) -> Response:
        """All nodes on one time line, the newest first."""
        context = self._context
        context.look(request)
        asked = read_filter(request.query_params, context.zone)
        after = request.query_params.get("after", "")
        last = context.search.last()
        rows, cursor = self._rows(asked, after)
        counted = not asked.problems and "looks" not in asked.given
        count = context.search.count(asked.query, at_most=_COUNTED) if counted else None
        return context.page(
            request,
            "time_line.html.j2",
            asked=asked,
            rows=[shown.shown(row, context.zone) for row in rows],
            lanes=shown.lanes_of(rows, context.zone),
            count=count,
            most_exported=MOST_ROWS,
            following=asked.address(after=cursor) if cursor else "",
            live=asked.address("/live", **{"from": str(last)}) if not after and "until" not in asked.given else "",
            after=after,
            choices=self._choices(),
        )

    def message(self, request: Request) -> Response:
        """One message in full."""
        from reference_impl.audit.syslog.messages import parse
        from reference_impl.audit.validator import validate

        context = self._context
        context.look(request)
        found = self._found(request)
        parsed = parse(found.octets)
        body = parsed.body or found.octets
        result = validate(body)
        return context.page(
            request,
            "message.html.j2",
            message=found,
            row=shown.shown(found.row, context.zone),
            day=f"{found.row.at.astimezone(context.zone):%Y-%m-%d}",
            decoded=decode(body),
            header=header(parsed),
            remarks=shown.remarks_of(found.row),
            result=result,
            findings=[*result.findings, *parsed.findings],
            raw=raw_text(found.octets),
            digest=found.digest.hex(),
            levels=_LEVELS,
            ways=_WAYS,
        )

    def octets(self, request: Request) -> Response:
        """One message as it arrived, octet by octet."""
        self._context.look(request)
        found = self._found(request)
        headers = {"Content-Disposition": f'attachment; filename="audit-message-{found.row.number}.bin"'}
        return Response(found.octets, media_type="application/octet-stream", headers=headers)

    def patient(self, request: Request) -> Response:
        """What happened with one patient's data, oldest first."""
        context = self._context
        context.look(request)
        patient = request.query_params.get("id", "").replace("\0", "").strip()[:256]
        after = request.query_params.get("after", "")
        query = Query(patient=patient)
        page = self._page(query, after=after, size=_STORY_ROWS, oldest_first=True) if patient else Page((), "")
        return self._story(
            request,
            page,
            kind="patient",
            title=f"The story of patient {patient}" if patient else "One patient's story",
            subject=patient,
            following=f"{shown.patient_address(patient)}&after={page.following}" if page.following else "",
        )

    def user(self, request: Request) -> Response:
        """What one user did on one day, oldest first."""
        context = self._context
        context.look(request)
        user = request.query_params.get("id", "").replace("\0", "").strip()[:256]
        day = read_day(request.query_params.get("day", ""), context.zone)
        after = request.query_params.get("after", "")
        since, until = bounds(day, context.zone)
        query = Query(user=user, since=since, until=until)
        page = self._page(query, after=after, size=_STORY_ROWS, oldest_first=True) if user else Page((), "")
        return self._story(
            request,
            page,
            kind="user",
            title=f"The day of {user}" if user else "One user's day",
            subject=user,
            day=day,
            before=shown.user_address(user, str(day - timedelta(days=1))),
            next=shown.user_address(user, str(day + timedelta(days=1))),
            following=f"{shown.user_address(user, str(day))}&after={page.following}" if page.following else "",
        )

    def _story(self, request: Request, page: Page, **values: Any) -> Response:
        zone = self._context.zone
        rows = [shown.shown(row, zone) for row in page.rows]
        return self._context.page(
            request,
            "story.html.j2",
            days=shown.by_day(rows),
            rows=rows,
            lanes=shown.lanes_of(page.rows, zone),
            nodes=len({row.node for row in rows}),
            **values,
        )

    def _rows(self, asked: Filter, after: str) -> tuple[list[Row], str]:
        """About a page of what is shown, and the cursor that goes on."""
        rows: list[Row] = []
        for _ in range(_MOST_TRIED):
            page = self._page(asked.query, after=after, size=ROWS, oldest_first=False)
            rows += [row for row in page.rows if asked.shows(row)]
            after = page.following
            if not after or len(rows) >= ROWS // 2:
                break
        return rows, after

    def _page(self, query: Query, *, after: str, size: int, oldest_first: bool) -> Page:
        if after and not _CURSOR.fullmatch(after):
            raise HTTPException(HTTPStatus.BAD_REQUEST, "There is no such page; begin at the first.")
        return self._context.search.page(query, after=after, size=size, oldest_first=oldest_first)

    def _found(self, request: Request) -> Message:
        number = int(request.path_params["number"])
        found = self._context.search.message(number) if number < _MOST_NUMBER else None
        if found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "There is no message of this number.")
        return found

    def _choices(self) -> dict[str, list[tuple[str, str]]]:
        """What can be chosen in the filter: names that occur, and codes with their words."""
        nodes = sorted(value.value for value in self._context.search.values("node", size=_NAMES))
        return {
            "node": [(node, node) for node in nodes],
            "event": sorted(groups()[400].codes.items(), key=lambda each: each[1]),
            "outcome": list(outcomes().items()),
        }
