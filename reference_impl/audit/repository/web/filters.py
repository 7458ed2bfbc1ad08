"""What of the trail is asked for: the fields of the filter as they stand in an address, and the query they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final
from urllib.parse import urlencode

from reference_impl.audit.codes import groups, value_sets
from reference_impl.audit.repository.facts import MARKS
from reference_impl.audit.repository.query import Condition, Query, Row

_MOST_CHARACTERS: Final = 256
WORDS: Final = {
    "since": "From",
    "until": "Until",
    "patient": "Patient",
    "user": "User",
    "node": "Node",
    "event": "Event",
    "event_type": "Kind of event",
    "outcome": "Outcome",
    "study": "Study",
    "rule": "Rule",
    "mark": "Marked as",
    "text": "Any text",
    "findings": "Findings",
    "looks": "Looks at the trail",
}
"""The fields by name, and what they are called."""
_TEXTS: Final = ("patient", "user", "node", "event", "event_type", "study", "rule", "mark", "text")
_OUTCOMES: Final = {"failure": "Any failure"}
_LOOK: Final = "110101"
FAILURES: Final = ("4", "8", "12")


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter: `given` holds what was asked, by field; `problems` what of it makes no sense and was left out."""

    given: Mapping[str, str]
    query: Query
    problems: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.given)

    def address(self, path: str = "/", **changes: str) -> str:
        """`path` with this filter, some fields changed; an empty one is left out."""
        wanted = {name: value for name, value in {**self.given, **changes}.items() if value}
        return f"{path}?{urlencode(wanted)}" if wanted else path

    def shows(self, row: Row) -> bool:
        """Whether a message that the query found is shown: looks at the trail, which it records itself, may be not."""
        return "looks" not in self.given or "own" not in row.marks or row.event != _LOOK

    @property
    def chosen(self) -> list[tuple[str, str, str]]:
        """Each field that is set: its words, its value in words, and the address without it."""
        return [(WORDS[name], in_words(name, value), self.address(**{name: ""})) for name, value in self.given.items()]


def in_words(name: str, value: str) -> str:
    """A value of a field as it is told: codes by their meaning."""
    if name == "event":
        return groups()[400].codes.get(value, value)
    if name == "event_type":
        return groups()[401].codes.get(value, value)
    if name == "outcome":
        return outcomes().get(value, value)
    if name == "mark":
        return MARKS.get(value, value)
    if name == "findings":
        return "only messages with findings"
    if name == "looks":
        return "not shown"
    return value.replace("T", " ") if name in {"since", "until"} else value


def outcomes() -> dict[str, str]:
    """What can be asked of the outcome, with words."""
    return {**value_sets()["event-outcome"].values, **_OUTCOMES}


def read_filter(asked: Mapping[str, str], zone: tzinfo) -> Filter:
    """The filter in the fields of an address; times without a zone are of `zone`."""
    given: dict[str, str] = {}
    problems: list[str] = []
    moments: dict[str, datetime] = {}
    for name in ("since", "until"):
        text = asked.get(name, "").strip()[:40]
        if not text:
            continue
        moment = _moment(text, zone)
        if moment is None:
            problems.append(f"{WORDS[name]}: {text!r} is no time; write one such as 2026-03-01T08:00")
        else:
            given[name], moments[name] = text, moment
    if len(moments) == 2 and moments["since"] >= moments["until"]:
        problems.append("The time ends before it begins; nothing can be found.")
    given |= {
        name: text
        for name in _TEXTS
        if (text := asked.get(name, "").replace("\0", "").strip()[:_MOST_CHARACTERS]) and text != "*"
    }
    outcome = asked.get("outcome", "")
    if outcome in outcomes():
        given["outcome"] = outcome
    if asked.get("findings") == "1":
        given["findings"] = "1"
    if asked.get("looks") == "0":
        given["looks"] = "0"
    return Filter(given, _query(given, moments), tuple(problems))


def _query(given: Mapping[str, str], moments: Mapping[str, datetime]) -> Query:
    outcome = given.get("outcome", "")
    also = (Condition(("outcome",), FAILURES),) if outcome == "failure" else ()
    texts = {name: given[name] for name in _TEXTS if name in given}
    return Query(
        since=moments.get("since"),
        until=moments.get("until"),
        outcome="" if also else outcome,
        only_findings="findings" in given,
        also=also,
        **texts,  # type: ignore[arg-type]
    )


def _moment(text: str, zone: tzinfo) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def read_day(text: str, zone: tzinfo) -> date:
    """A day as in the address; today where it is none."""
    try:
        found = date.fromisoformat(text)
        return found if 1970 <= found.year <= 9998 else datetime.now(zone).date()
    except ValueError:
        return datetime.now(zone).date()


def bounds(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """Begin and end of a day in `zone`."""
    begin = datetime(day.year, day.month, day.day, tzinfo=zone)
    following = day + timedelta(days=1)
    end = datetime(following.year, following.month, following.day, tzinfo=zone)
    return begin.astimezone(UTC), end.astimezone(UTC)
