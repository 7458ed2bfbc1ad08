"""The time line as it grows: what is stored, sent to the page as server-sent events (HTML Standard, 9.2)."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from reference_impl.audit.repository.query import Alert
from reference_impl.audit.repository.store import StoreBusyError
from reference_impl.audit.repository.web.access import Identity
from reference_impl.audit.repository.web.context import Context, identity_of
from reference_impl.audit.repository.web.filters import Filter, read_filter
from reference_impl.audit.repository.web.shown import shown

_AT_ONCE: Final = 100  # rows in one event; of what is beyond, the page only tells the number
_PAUSE: Final = 1.0  # seconds between two events, at least
_STILL: Final = 15.0  # seconds after which a sign of life is sent
_EACH: Final = 5  # streams of one user
_ALL: Final = 60


class LiveView:
    """Handler of the stream, which ends with the session, the repository, or the browser."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._open: Counter[str] = Counter()

    async def stream(self, request: Request) -> Response:
        """Open a stream of what is stored after the message ``from``, as far as the filter lets it through."""
        identity = identity_of(request)
        if self._open[identity.user] >= _EACH or self._open.total() >= _ALL:
            return PlainTextResponse("Too many live views are open; close one.\n", 429, headers={"Retry-After": "30"})
        await run_in_threadpool(self._context.look, request)
        asked = read_filter(request.query_params, self._context.zone)
        number = await self._beginning(request)
        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(
            self._counted(identity, self._events(identity, asked, number)),
            media_type="text/event-stream",
            headers=headers,
        )

    async def _beginning(self, request: Request) -> int:
        """The number after which messages are sent: where the browser lost the stream, or where the page ends."""
        last = await run_in_threadpool(self._context.search.last)
        given = request.headers.get("last-event-id") or request.query_params.get("from", "")
        return min(int(given), last) if given.isascii() and given.isdecimal() and len(given) < 16 else last

    async def _counted(self, identity: Identity, events: AsyncIterator[str]) -> AsyncIterator[str]:
        self._open[identity.user] += 1
        try:
            async for event in events:
                yield event
        finally:
            self._open[identity.user] -= 1

    async def _events(self, identity: Identity, asked: Filter, number: int) -> AsyncIterator[str]:
        yield "retry: 3000\n\n"
        with self._context.trail.live.subscribe() as subscription:
            quiet = 0.0
            while not subscription.closed:
                if not self._context.door.still(identity):
                    yield "event: end\ndata: The session ended; log in again.\n\n"
                    return
                try:
                    event, number = await run_in_threadpool(self._new, asked, number)
                except StoreBusyError:
                    event = ""
                if event:
                    quiet = 0.0
                    yield event
                    await asyncio.sleep(_PAUSE)
                    continue
                happened = await subscription.wait(_PAUSE * 2)
                if any(isinstance(each, Alert) for each in happened):
                    yield f"event: alerts\ndata: {await run_in_threadpool(self._context.open_alerts)}\n\n"
                quiet += 0.0 if happened else _PAUSE * 2
                if quiet >= _STILL:
                    quiet = 0.0
                    yield ": nothing new\n\n"

    def _new(self, asked: Filter, number: int) -> tuple[str, int]:
        """An event with what was stored after `number`, and the number up to which that goes."""
        last = self._context.search.last()
        if last <= number:
            return "", number
        rows = self._context.search.since(number, query=asked.query, size=_AT_ONCE + 1)
        more = len(rows) > _AT_ONCE
        newest = rows
        if more:  # the newest are shown, of the others is told
            newest = self._context.search.page(asked.query, size=_AT_ONCE).rows
            newest = tuple(row for row in newest if row.number > number)
        newest = tuple(row for row in newest if asked.shows(row))
        if not newest and not more:
            return "", last
        values = {"rows": [shown(row, self._context.zone).json for row in newest], "more": more}
        reached = max(last, rows[-1].number)
        return f"id: {reached}\nevent: rows\ndata: {json.dumps(values)}\n\n", reached
