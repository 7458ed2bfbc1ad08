"""The trail for programs: FHIR search of AuditEvent as in IHE ITI-81, a Starlette application to be mounted.

Whoever mounts it decides who may ask; `looked` records that somebody did. Errors are OperationOutcome resources.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reference_impl.audit.parsing import UnreadableMessageError, read
from reference_impl.audit.repository.fhir import Resource, audit_event
from reference_impl.audit.repository.query import Condition, Message, Query, Row
from reference_impl.audit.repository.search import Search
from reference_impl.audit.repository.store import StoreError
from reference_impl.audit.syslog.messages import parse

MEDIA_TYPE: Final = "application/fhir+json"
_USUAL, _MOST = 50, 200
_MOST_VALUES: Final = 50
_DATE: Final = re.compile(
    r"(eq|ge|le|gt|lt|sa|eb)?(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?)?)?)?"
)
_TOKENS: Final = {
    "type": ("event",),
    "subtype": ("event-type",),
    "action": ("action",),
    "outcome": ("outcome",),
    "patient.identifier": ("patient",),
    "entity": ("patient", "study", "object"),
    "entity.identifier": ("patient", "study", "object"),
    "agent": ("user", "user-name"),
    "agent.identifier": ("user", "user-name"),
    "altid": ("user-name",),
    "source": ("node",),
    "source.identifier": ("node",),
    "address": ("address",),
}
_STRINGS: Final = {"agent-name": ("user-name",), "entity-name": ("patient-name",), "site": ("site",)}
_OTHERS: Final = frozenset({"date", "_count", "_id", "_format", "_sort", "_cursor", "_total"})


class SearchError(ValueError):
    """The search is not understood: one sentence."""


def make_api(search: Search, looked: Callable[[Request], None]) -> Starlette:
    """`GET /AuditEvent` and `GET /AuditEvent/{id}` over `search`.

    `looked` is told of each request before it is answered; it may raise `StoreError` where that cannot be recorded.
    """

    def searched(request: Request) -> Resource:
        given = request.query_params.multi_items()
        return searchset(search, given, _base(request))

    def single(request: Request) -> Resource:
        number = int(request.path_params["number"])
        message = search.message(number)
        resource = None if message is None else resource_of(message)
        if resource is None:
            raise LookupError
        return resource

    return Starlette(
        routes=[
            Route("/AuditEvent", _answering(searched, looked)),
            Route("/AuditEvent/{number:int}", _answering(single, looked)),
            Route("/metadata", _answering(lambda request: capabilities(_base(request)), lambda _: None)),
        ]
    )


def _base(request: Request) -> str:
    mounted: str = request.scope.get("root_path", "")
    return f"{request.url.scheme}://{request.url.netloc}{mounted}"


def _answering(
    make: Callable[[Request], Resource], looked: Callable[[Request], None]
) -> Callable[[Request], Awaitable[Response]]:
    def recorded(request: Request) -> Resource:
        looked(request)
        return make(request)

    async def answer(request: Request) -> Response:
        try:
            return _response(await run_in_threadpool(recorded, request))
        except SearchError as problem:
            return _response(_outcome("invalid", str(problem)), 400)
        except (LookupError, OverflowError):
            return _response(_outcome("not-found", "there is no such audit event"), 404)
        except StoreError as problem:
            return _response(_outcome("transient", str(problem)), 503)

    return answer


def searchset(search: Search, given: Sequence[tuple[str, str]], base: str) -> Resource:
    """The Bundle that answers a search with these parameters. Raises `SearchError`."""
    query, size, after, oldest_first = read_parameters(given)
    try:
        page = search.page(query, after=after, size=size, oldest_first=oldest_first)
    except ValueError:
        raise SearchError("_cursor: take links as they are given") from None
    count = search.count(query)
    bundle: Resource = {"resourceType": "Bundle", "type": "searchset"}
    if count.exact:
        bundle["total"] = count.number
    bundle["link"] = [{"relation": "self", "url": _address(base, given)}]
    if page.following:
        kept = [(name, value) for name, value in given if name != "_cursor"]
        bundle["link"].append({"relation": "next", "url": _address(base, [*kept, ("_cursor", page.following)])})
    entries = []
    octets = search.octets([row.number for row in page.rows])
    for row in page.rows:
        resource = _resource(row, octets.get(row.number, b""))
        if resource is not None:
            url = f"{base}/AuditEvent/{row.number}"
            entries.append({"fullUrl": url, "resource": resource, "search": {"mode": "match"}})
    if entries:
        bundle["entry"] = entries
    return bundle


def resource_of(message: Message) -> Resource | None:
    """The AuditEvent of a stored message; None where it is no audit message."""
    return _resource(message.row, message.octets)


def _resource(row: Row, octets: bytes) -> Resource | None:
    try:
        message = read(parse(octets).body)
    except UnreadableMessageError:
        return None
    return audit_event(message, number=str(row.number), arrived=row.arrived)


def read_parameters(given: Sequence[tuple[str, str]]) -> tuple[Query, int, str, bool]:
    """The query, size of a page, cursor, and whether the oldest come first. Raises `SearchError`."""
    since: datetime | None = None
    until: datetime | None = None
    conditions = [Condition(("event",), ("*",))]  # what names no event is no audit message
    size, after, oldest_first = _USUAL, "", False
    for name, value in given:
        if len(value) > 2000 or "\0" in value:
            raise SearchError(f"{name[:40]}: the value is too long, or holds NUL")
        if name == "date":
            begin, end = _dates(value)
            since = max(filter(None, (since, begin)), default=None)
            until = min(filter(None, (until, end)), default=None)
        elif name == "_count":
            size = _count(value)
        elif name == "_cursor":
            after = value
        elif name == "_sort":
            oldest_first = _sort(value)
        elif name == "_id":
            raise SearchError("_id: read AuditEvent/ID instead")
        elif name in _TOKENS:
            conditions.append(Condition(_TOKENS[name], _values(name, value, token=True)))
        elif name.removesuffix(":exact") in _STRINGS:
            exact = name.endswith(":exact")
            values = _values(name, value, token=False)
            kinds = _STRINGS[name.removesuffix(":exact")]
            conditions.append(Condition(kinds, values if exact else tuple(f"{each}*" for each in values)))
        elif name not in _OTHERS:
            known = sorted({*_TOKENS, *_STRINGS, *_OTHERS} - {"_id"})
            raise SearchError(f"{name[:40]}: is no search parameter here; there are {', '.join(known)}")
    return Query(since=since, until=until, also=tuple(conditions)), size, after, oldest_first


def _values(name: str, value: str, *, token: bool) -> tuple[str, ...]:
    """The values of which one is wanted; of tokens the part behind the system."""
    parts = [part.replace("\\,", ",") for part in re.split(r"(?<!\\),", value)]
    values = tuple((part.rpartition("|")[2] if token else part).strip().rstrip("*") for part in parts)
    if not all(values) or len(values) > _MOST_VALUES:
        raise SearchError(f"{name}: give one to {_MOST_VALUES} values, separated by commas")
    return values


def _count(value: str) -> int:
    if not value.isascii() or not value.isdecimal() or not int(value[:9]) > 0:
        raise SearchError("_count: give a number from 1 on")
    return min(int(value[:9]), _MOST)


def _sort(value: str) -> bool:
    if value not in {"date", "-date"}:
        raise SearchError("_sort: only date and -date are known")
    return value == "date"


def _dates(value: str) -> tuple[datetime | None, datetime | None]:
    """From when (included) to when (not included) a value of `date` reaches."""
    found = _DATE.fullmatch(value)
    if found is None:
        raise SearchError("date: write it like ge2026-03-01 or lt2026-03-01T12:00:00Z")
    prefix = found[1] or "eq"
    try:
        begin, end = _span(found)
    except (ValueError, OverflowError):
        raise SearchError("date: there is no such date") from None
    return {
        "eq": (begin, end),
        "ge": (begin, None),
        "gt": (end, None),
        "sa": (end, None),
        "lt": (None, begin),
        "eb": (None, begin),
        "le": (None, end),
    }[prefix]


def _span(found: re.Match[str]) -> tuple[datetime, datetime]:
    year, month, day = int(found[2]), int(found[3] or 1), int(found[4] or 1)
    zone = datetime.fromisoformat(f"2000-01-01T00:00:00{found[9]}").tzinfo if found[9] else UTC
    begin = datetime(year, month, day, int(found[5] or 0), int(found[6] or 0), int(found[7] or 0), tzinfo=zone)
    if found[8]:
        begin += timedelta(microseconds=int(found[8][:6].ljust(6, "0")))
        return begin, begin + timedelta(microseconds=10 ** max(0, 6 - len(found[8])))
    if found[7]:
        return begin, begin + timedelta(seconds=1)
    if found[5]:
        return begin, begin + timedelta(minutes=1)
    if found[4]:
        return begin, begin + timedelta(days=1)
    if found[3]:
        return begin, begin.replace(year=year + month // 12, month=month % 12 + 1)
    return begin, begin.replace(year=year + 1)


def capabilities(base: str) -> Resource:
    """What can be asked here (CapabilityStatement)."""
    parameters = [{"name": name, "type": "token"} for name in _TOKENS]
    parameters += [{"name": name, "type": "string"} for name in _STRINGS]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-01-01",
        "kind": "instance",
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "implementation": {"description": "audit trail of ps315", "url": base},
        "rest": [
            {
                "mode": "server",
                "resource": [
                    {
                        "type": "AuditEvent",
                        "interaction": [{"code": "read"}, {"code": "search-type"}],
                        "searchParam": [{"name": "date", "type": "date"}, *parameters],
                    }
                ],
            }
        ],
    }


def _address(base: str, given: Sequence[tuple[str, str]]) -> str:
    return f"{base}/AuditEvent" + (f"?{urlencode(list(given))}" if given else "")


def _outcome(code: str, text: str) -> Resource:
    return {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": code, "diagnostics": text}],
    }


def _response(resource: Any, status: int = 200) -> Response:
    return Response(json.dumps(resource, ensure_ascii=False).encode(), status, media_type=MEDIA_TYPE)
