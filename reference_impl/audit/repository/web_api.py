"""The trail for programs: FHIR search of AuditEvent as in IHE ITI-81, a Starlette application to be mounted.

Whoever mounts it decides who may ask; `looked` records that somebody did. Errors are OperationOutcome resources.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reference_impl.audit.parsing import UnreadableMessageError, read
from reference_impl.audit.repository.fhir import Resource, audit_event
from reference_impl.audit.repository.fhir_search import (
    PARAMETERS,
    Asked,
    FormatError,
    SearchError,
    check_format,
    read_parameters,
)
from reference_impl.audit.repository.numbers import register
from reference_impl.audit.repository.query import Message, Row, cursor_of
from reference_impl.audit.repository.search import Search
from reference_impl.audit.repository.store import StoreError
from reference_impl.audit.syslog.messages import parse

MEDIA_TYPE: Final = "application/fhir+json"
_TOLD: Final = (
    "References are by identifier: patient.identifier, patient:identifier and patient mean the same, so for agent, "
    "entity and source. Unknown parameters are refused, or left out with Prefer: handling=lenient."
)
_MOST_LOOKED_THROUGH: Final = 20  # pages, of messages among which only some are wanted
_CHUNK: Final = 200


def make_api(search: Search, looked: Callable[[Request], None]) -> Starlette:
    """`GET /AuditEvent` and `GET /AuditEvent/{id}` over `search`.

    `looked` is told of each request before it is answered; it may raise `StoreError` where that cannot be recorded.
    """

    register()

    def searched(request: Request) -> Resource:
        given = request.query_params.multi_items()
        lenient = "handling=lenient" in request.headers.get("prefer", "").replace(" ", "").lower()
        return searchset(search, given, _base(request), lenient=lenient)

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
            Route("/AuditEvent/{number:number}", _answering(single, looked)),
            Route("/metadata", _answering(lambda request: capabilities(_base(request)), lambda _: None)),
        ],
        exception_handlers={HTTPException: _elsewhere},
    )


def _elsewhere(_request: Request, problem: Exception) -> Response:
    """Answers what is no search and no reading, as programs expect it."""
    status = problem.status_code if isinstance(problem, HTTPException) else 500
    if status == HTTPStatus.NOT_FOUND:
        return _response(_outcome("not-supported", "there are AuditEvent, AuditEvent/ID and metadata here"), status)
    return _response(_outcome("not-supported", HTTPStatus(status).phrase), status)


def _base(request: Request) -> str:
    mounted: str = request.scope.get("root_path", "")
    return f"{request.url.scheme}://{request.url.netloc}{mounted}"


def _answering(
    make: Callable[[Request], Resource], looked: Callable[[Request], None]
) -> Callable[[Request], Awaitable[Response]]:
    def recorded(request: Request) -> Resource:
        _check_acceptable(request)
        looked(request)
        return make(request)

    async def answer(request: Request) -> Response:
        try:
            return _response(await run_in_threadpool(recorded, request))
        except FormatError as problem:
            return _response(_outcome("not-supported", str(problem)), 406)
        except SearchError as problem:
            return _response(_outcome("invalid", str(problem)), 400)
        except (LookupError, OverflowError):
            return _response(_outcome("not-found", "there is no such audit event"), 404)
        except StoreError as problem:
            return _response(_outcome("transient", str(problem)), 503)

    return answer


def _check_acceptable(request: Request) -> None:
    """Raises `FormatError` for another format; `_format` goes before the header (FHIR R4 3.1.0.1.11)."""
    asked = request.query_params.get("_format")
    if asked is not None:
        check_format(asked)
        return
    accepted = request.headers.get("accept", "*/*").lower()
    if "json" not in accepted and "*" not in accepted:
        raise FormatError("Accept: AuditEvents are given as application/fhir+json")


def searchset(search: Search, given: Sequence[tuple[str, str]], base: str, *, lenient: bool = False) -> Resource:
    """The Bundle that answers a search with these parameters. Raises `SearchError`."""
    asked = read_parameters(given, lenient=lenient)
    bundle: Resource = {"resourceType": "Bundle", "type": "searchset"}
    if not asked.checks:
        count = search.count(asked.query, at_most=asked.counted)
        if count.exact:
            bundle["total"] = count.number
    bundle["link"] = [{"relation": "self", "url": _address(base, asked.used)}]
    if asked.only_counted:
        return bundle
    found, following = _found(search, asked)
    if following:
        kept = [(name, value) for name, value in asked.used if name != "_cursor"]
        bundle["link"].append({"relation": "next", "url": _address(base, [*kept, ("_cursor", following)])})
    if found:
        bundle["entry"] = [
            {"fullUrl": f"{base}/AuditEvent/{each['id']}", "resource": each, "search": {"mode": "match"}}
            for each in found
        ]
    return bundle


def _found(search: Search, asked: Asked) -> tuple[list[Resource], str]:
    """A page of resources, and the cursor that goes on. Where messages have to be looked through, it may be short."""
    resources: list[Resource] = []
    after, size = asked.after, _CHUNK if asked.checks else asked.size
    for _ in range(_MOST_LOOKED_THROUGH):
        page = search.page(asked.query, after=after, size=size, oldest_first=asked.oldest_first)
        octets = search.octets([row.number for row in page.rows])
        for row in page.rows:
            resource = _resource(row, octets.get(row.number, b""))
            if resource is not None and all(check(resource) for check in asked.checks):
                resources.append(resource)
            if len(resources) == asked.size:
                return resources, page.following if row is page.rows[-1] else cursor_of(row)
        after = page.following
        if not after:
            break
    return resources, after


def resource_of(message: Message) -> Resource | None:
    """The AuditEvent of a stored message; None where it is no audit message."""
    return _resource(message.row, message.octets)


def _resource(row: Row, octets: bytes) -> Resource | None:
    try:
        message = read(parse(octets).body)
    except UnreadableMessageError:
        return None
    return audit_event(message, number=str(row.number), arrived=row.arrived)


def capabilities(base: str) -> Resource:
    """What can be asked here (CapabilityStatement)."""
    parameters = [{"name": "date", "type": "date"}]
    parameters += [{"name": name, "type": parameter.type} for name, parameter in PARAMETERS.items()]
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
                        "documentation": _TOLD,
                        "searchParam": parameters,
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
