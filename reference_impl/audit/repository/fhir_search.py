"""What a FHIR search for AuditEvents asks (FHIR R4 3.1.1, IHE ITI-81): its parameters, read into a query."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple

from reference_impl.audit.repository.fhir import Resource
from reference_impl.audit.repository.query import Condition, Query

_USUAL, _MOST = 50, 200
_MOST_VALUES: Final = 50
_MOST_CHARACTERS: Final = 2000
_DATE: Final = re.compile(
    r"(eq|ge|le|gt|lt|sa|eb)?(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)


class Parameter(NamedTuple):
    """A search parameter of AuditEvent, and the kinds of values by which the trail is searched for it; without any,
    the resources that are found otherwise are looked through."""

    type: Literal["token", "string", "reference"]
    kinds: tuple[str, ...] = ()


PARAMETERS: Final = {
    "type": Parameter("token", ("event",)),
    "subtype": Parameter("token", ("event-type",)),
    "action": Parameter("token", ("action",)),
    "outcome": Parameter("token", ("outcome",)),
    "altid": Parameter("token", ("user-name",)),
    "site": Parameter("token", ("site",)),
    "agent-role": Parameter("token"),
    "entity-type": Parameter("token"),
    "entity-role": Parameter("token"),
    "patient": Parameter("reference", ("patient",)),
    "agent": Parameter("reference", ("user", "user-name")),
    "entity": Parameter("reference", ("patient", "study", "object")),
    "source": Parameter("reference", ("node",)),
    "address": Parameter("string", ("address",)),
    "agent-name": Parameter("string", ("user-name",)),
    "entity-name": Parameter("string", ("patient-name",)),
}
"""The search parameters of AuditEvent (FHIR R4 6.4) that are known, beside the date. References are by identifier:
what nodes report names identifiers alone."""
_SPELLINGS: Final = {"user": "agent", "entity-id": "entity"}  # of ITI-81 before it took the names of FHIR R4
_COUNTED: Final = 1_000_000
_CURSOR: Final = re.compile(r"-?[0-9]{1,18}\.[0-9]{1,18}")
_JSON: Final = frozenset({"json", "application/json", "application/fhir+json", "text/json"})
_RESULTS: Final = frozenset(
    {"date", "_count", "_cursor", "_elements", "_format", "_pretty", "_sort", "_summary", "_total"}
)
_SUMMARIES: Final = ("true", "text", "data", "false", "count")

Check = Callable[[Resource], bool]


class SearchError(ValueError):
    """The search is not understood: one sentence."""


class FormatError(SearchError):
    """Another format is asked for than there is."""


@dataclass(slots=True)
class Asked:
    """A search. `checks` are what a resource has to pass beside `query`; `used` the parameters that were understood.

    `counted` is how far messages are counted; `only_counted`: nothing but their number is wanted.
    """

    query: Query = field(default_factory=Query)
    size: int = _USUAL
    after: str = ""
    oldest_first: bool = False
    only_counted: bool = False
    checks: tuple[Check, ...] = ()
    used: tuple[tuple[str, str], ...] = ()

    @property
    def counted(self) -> int:
        """Up to how many messages are counted."""
        return _COUNTED if self.only_counted else 10_000


class _Token(NamedTuple):
    system: str | None  # None: any
    code: str


def read_parameters(given: Sequence[tuple[str, str]], *, lenient: bool = False) -> Asked:
    """What a search asks. Raises `SearchError`: also, unless `lenient`, for parameters that are unknown (a search of
    a trail that leaves out a condition would find what nobody asked for)."""
    asked = Asked()
    since: datetime | None = None
    until: datetime | None = None
    conditions = [Condition(("event",), ("*",))]  # what names no event is no audit message
    for name, value in given:
        if len(value) > _MOST_CHARACTERS or "\0" in value:
            raise SearchError(f"{name[:40]}: the value is too long, or holds NUL")
        if name == "date":
            begin, end = _dates(value)
            since = max(filter(None, (since, begin)), default=None)
            until = min(filter(None, (until, end)), default=None)
        elif name in _RESULTS:
            _read_result(asked, name, value)
        elif not _read_condition(asked, conditions, name, value):
            if lenient:
                continue
            raise SearchError(_unknown(name))
        asked.used += ((name, value),)
    asked.query = Query(since=since, until=until, also=tuple(conditions))
    if asked.only_counted and asked.checks:
        raise SearchError("_summary=count: what has a system, role or type of an entity is not counted; leave it out")
    return asked


def _unknown(name: str) -> str:
    if name == "_id":
        return "_id: read AuditEvent/ID instead"
    known = sorted({*PARAMETERS, *_RESULTS, *_SPELLINGS} - {"_cursor"})
    return f"{name[:40]}: is no search parameter here; there are {', '.join(known)}"


def _read_result(asked: Asked, name: str, value: str) -> None:
    """Take in how the result is wanted; `_elements` and `_pretty` are wishes that need not be fulfilled."""
    if name == "_count":
        asked.size = _count(value)
        asked.only_counted = asked.only_counted or asked.size == 0
    elif name == "_cursor":
        if value and not _CURSOR.fullmatch(value):
            raise SearchError("_cursor: take links as they are given")
        asked.after = value
    elif name == "_sort":
        asked.oldest_first = _sort(value)
    elif name == "_format":
        check_format(value)
    elif name == "_summary":
        if value not in _SUMMARIES:
            raise SearchError(f"_summary: there are {', '.join(_SUMMARIES)}")
        asked.only_counted = asked.only_counted or value == "count"


def check_format(value: str) -> None:
    """Raises `FormatError` where another format than JSON is asked for; "+" of an address may have become a blank."""
    if value.partition(";")[0].strip().lower().replace(" ", "+") not in _JSON:
        raise FormatError("_format: AuditEvents are given as application/fhir+json")


def _read_condition(asked: Asked, conditions: list[Condition], name: str, value: str) -> bool:
    """Take in what is searched for; False where `name` is no parameter that is known."""
    plain, _, modifier = name.partition(":")
    chained = plain.endswith(".identifier")
    plain = plain.removesuffix(".identifier")
    plain = _SPELLINGS.get(plain, plain)
    parameter = PARAMETERS.get(plain)
    if parameter is None or (chained and parameter.type != "reference"):
        return False
    if (
        modifier
        not in {"token": {""}, "string": {"", "exact", "contains"}, "reference": {"", "identifier"}}[parameter.type]
    ):
        return False
    if parameter.type == "string":
        conditions.append(_of_strings(name, value, parameter.kinds, modifier))
        return True
    tokens = tuple(_tokens(name, value))
    if parameter.kinds:
        codes = tuple(dict.fromkeys(token.code for token in tokens))
        conditions.append(Condition(parameter.kinds, codes))
    if plain in _CODINGS and (not parameter.kinds or any(token.system is not None for token in tokens)):
        asked.checks += (_check(plain, tokens),)
    return True


def _of_strings(name: str, value: str, kinds: tuple[str, ...], modifier: str) -> Condition:
    values = tuple(_unescaped(part).strip().rstrip("*") for part in _split(value, ","))
    _check_values(name, values)
    if modifier == "contains":
        return Condition(kinds, values, anywhere=True)
    return Condition(kinds, values if modifier == "exact" else tuple(f"{each}*" for each in values))


def _tokens(name: str, value: str) -> Iterator[_Token]:
    """The tokens of which one is wanted: [system]|code."""
    parts = [_split(part, "|") for part in _split(value, ",")]
    codes = [_unescaped(part[-1]).strip().rstrip("*") for part in parts]
    _check_values(name, codes)
    for part, code in zip(parts, codes, strict=True):
        yield _Token(_unescaped("|".join(part[:-1])).strip() if len(part) > 1 else None, code)


def _check_values(name: str, values: Sequence[str]) -> None:
    if not all(values) or len(values) > _MOST_VALUES:
        raise SearchError(f"{name[:40]}: give one to {_MOST_VALUES} values, separated by commas")


def _split(text: str, separator: str) -> list[str]:
    """The parts of `text` between separators before which there is no backslash (FHIR R4 3.1.1.4.19)."""
    parts, begin, escaped = [], 0, False
    for place, each in enumerate(text):
        if each == separator and not escaped:
            parts.append(text[begin:place])
            begin = place + 1
        escaped = each == "\\" and not escaped
    return [*parts, text[begin:]]


def _unescaped(text: str) -> str:
    return re.sub(r"\\([\\,|$])", r"\1", text)


def _of_agents(resource: Resource) -> Iterator[Resource]:
    for agent in resource.get("agent", ()):
        for concept in (agent.get("type", {}), *agent.get("role", ())):
            yield from concept.get("coding", ())


_CODINGS: Final[dict[str, Callable[[Resource], Iterator[Resource]]]] = {
    "type": lambda resource: iter((resource["type"],)),
    "subtype": lambda resource: iter(resource.get("subtype", ())),
    "agent-role": _of_agents,
    "entity-type": lambda resource: (each.get("type", {}) for each in resource.get("entity", ())),
    "entity-role": lambda resource: (each.get("role", {}) for each in resource.get("entity", ())),
}
"""Where a resource has the codings of a parameter."""


def _check(name: str, tokens: tuple[_Token, ...]) -> Check:
    def fits(coding: Resource, token: _Token) -> bool:
        system = coding.get("system", "")
        return coding.get("code", "").casefold() == token.code.casefold() and token.system in {None, system}

    def check(resource: Resource) -> bool:
        return any(fits(coding, token) for coding in _CODINGS[name](resource) for token in tokens)

    return check


def _count(value: str) -> int:
    if not value.isascii() or not value.isdecimal():
        raise SearchError("_count: give a number")
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
