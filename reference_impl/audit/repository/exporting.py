"""The trail as files: rows as CSV, messages as XML or as syslog as they came, resources as FHIR AuditEvents."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import fields
from datetime import datetime
from itertools import islice
from typing import Any, Final

from reference_impl.audit.parsing import UnreadableMessageError, read
from reference_impl.audit.repository.fhir import audit_event
from reference_impl.audit.repository.query import Query, Row
from reference_impl.audit.repository.search import Search
from reference_impl.audit.repository.web.exports import guarded
from reference_impl.audit.syslog.messages import parse
from reference_impl.syslog_frames import frame

_AT_ONCE: Final = 500
COLUMNS: Final = tuple(field.name for field in fields(Row))


def values_of(row: Row) -> dict[str, str | int | None]:
    """A row as texts and numbers, times as ISO 8601."""
    return {name: _plain(getattr(row, name)) for name in COLUMNS}


def _plain(value: Any) -> str | int | None:
    if isinstance(value, tuple):
        return " ".join(value)
    return value.isoformat() if isinstance(value, datetime) else value


def as_csv(search: Search, query: Query) -> Iterator[str]:
    """Rows of what `query` finds, oldest first, with a head; no spreadsheet takes a value for a formula."""
    yield _line(COLUMNS)
    for row in search.all(query):
        yield _line("" if value is None else guarded(str(value)) for value in values_of(row).values())


def as_syslog(search: Search, query: Query) -> Iterator[bytes]:
    """Messages as they arrived, each with its length before it (RFC 5425 4.3)."""
    for _, octets in _with_octets(search, query):
        if octets:
            yield frame(octets)


def as_xml(search: Search, query: Query) -> Iterator[tuple[int, bytes]]:
    """Number and XML of each message that holds any, as it came, without its syslog header."""
    for row, octets in _with_octets(search, query):
        if body := parse(octets).body:
            yield row.number, body


def as_fhir(search: Search, query: Query) -> Iterator[str]:
    """AuditEvents, one on each line (NDJSON); what is no audit message is left out."""
    for row, octets in _with_octets(search, query):
        try:
            message = read(parse(octets).body)
        except UnreadableMessageError:
            continue
        resource = audit_event(message, number=str(row.number), arrived=row.arrived)
        yield json.dumps(resource, ensure_ascii=False) + "\n"


def _with_octets(search: Search, query: Query) -> Iterator[tuple[Row, bytes]]:
    rows = search.all(query)
    while batch := list(islice(rows, _AT_ONCE)):
        octets = search.octets([row.number for row in batch])
        for row in batch:
            yield row, octets.get(row.number, b"")


def _line(values: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(values)
    return text.getvalue()
