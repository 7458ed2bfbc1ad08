"""The time line as a file: what a filter finds, row by row as CSV or JSON lines, or as FHIR AuditEvents."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import islice
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from reference_impl.audit.parsing import UnreadableMessageError, read
from reference_impl.audit.repository.fhir import audit_event
from reference_impl.audit.repository.query import Row
from reference_impl.audit.repository.web.context import Context
from reference_impl.audit.repository.web.filters import Filter, read_filter
from reference_impl.audit.repository.web.shown import event_of
from reference_impl.audit.syslog.messages import parse

MOST_ROWS: Final = 100_000
_AT_ONCE: Final = 500
_COLUMNS: Final = (
    "number", "at", "arrived", "node", "site", "event", "event_code", "action", "outcome", "users", "patients",
    "shall", "should", "open", "marks", "transport", "peer", "host", "application",
)  # fmt: skip
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_BEHIND: Final = re.compile("(?s)(?<=.)([;\t][\\s\ufeff]*)(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])")


class Exports:
    """Handler of the links that give a file."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def give(self, request: Request) -> Response:
        """What the filter finds, oldest first, in the format that is asked for."""
        context = self._context
        context.look(request)
        asked = read_filter(request.query_params, context.zone)
        writers = {
            "csv": (self._csv, "text/csv; charset=utf-8", "csv"),
            "jsonl": (self._lines, "application/x-ndjson", "jsonl"),
            "fhir": (self._events, "application/fhir+ndjson", "fhir.ndjson"),
        }
        wanted = writers.get(request.query_params.get("format", "csv"))
        if wanted is None:
            raise HTTPException(HTTPStatus.BAD_REQUEST, "There are the formats csv, jsonl and fhir.")
        write, kind, ending = wanted
        name = f"audit-trail-{datetime.now(UTC):%Y%m%d-%H%M%S}.{ending}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(write(asked), media_type=kind, headers=headers)

    def _rows(self, asked: Filter) -> Iterator[Row]:
        return islice(filter(asked.shows, self._context.search.all(asked.query)), MOST_ROWS)

    def _csv(self, asked: Filter) -> Iterator[str]:
        yield "\ufeff"  # spreadsheets take it as UTF-8
        yield _csv_lines([_COLUMNS])
        for rows in _batches(self._rows(asked)):
            yield _csv_lines([[guarded(str(value)) for value in _values(row).values()] for row in rows])

    def _lines(self, asked: Filter) -> Iterator[str]:
        for rows in _batches(self._rows(asked)):
            yield "".join(json.dumps(_values(row), ensure_ascii=False) + "\n" for row in rows)

    def _events(self, asked: Filter) -> Iterator[str]:
        """AuditEvents, one a line; what is no audit message is left out."""
        for rows in _batches(self._rows(asked)):
            octets = self._context.search.octets([row.number for row in rows])
            for row in rows:
                try:
                    message = read(parse(octets.get(row.number, b"")).body)
                except UnreadableMessageError:
                    continue
                event = audit_event(message, number=str(row.number), arrived=row.arrived)
                yield json.dumps(event, ensure_ascii=False) + "\n"


def guarded(text: str) -> str:
    """`text` as no spreadsheet takes it for a formula, nor a part of it where semicolons or tabs separate cells."""
    text = _BEHIND.sub(r"\1'", text)
    return (
        f"'{text}" if text.startswith(_FORMULA) or text.lstrip().lstrip("\ufeff\u200b ").startswith(_FORMULA) else text
    )


def _values(row: Row) -> dict[str, str | int]:
    values: dict[str, str | int] = {
        "number": row.number,
        "at": row.at.isoformat(),
        "arrived": row.arrived.isoformat(),
        "event": event_of(row),
        "event_code": row.event,
        "marks": " ".join(row.marks),
    }
    return {name: values[name] if name in values else getattr(row, name) for name in _COLUMNS}


def _csv_lines(rows: Iterable[Iterable[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, _AT_ONCE)):
        yield batch
