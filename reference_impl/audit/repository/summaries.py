"""What nodes sent, in numbers: per node, per day, and what was found in them. Read from counts."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import select

from reference_impl.audit.repository import schema
from reference_impl.audit.repository.facts import moment_of
from reference_impl.audit.repository.query import DayCount, FindingCount, NodeSummary
from reference_impl.audit.repository.search import Search

_BEGIN: Final = date(1970, 1, 1)
_tally = schema.tally.c
_total = schema.total.c


def nodes(search: Search) -> tuple[NodeSummary, ...]:
    """Every node, that which was heard last first."""
    named = schema.term.alias()
    sums = (
        select(_total.node, named.c.kind, named.c.value, _total.count.label("messages"))
        .join(named, named.c.id == _total.term)
        .where(named.c.kind.in_(("event", "outcome", "level", "mark")))
    )
    listed = (
        select(schema.node, schema.term.c.value.label("name"))
        .join(schema.term, schema.term.c.id == schema.node.c.term)
        .order_by(schema.node.c.last_arrived.desc())
    )
    of: dict[int, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    with search.reading(indexed=True) as begun:
        for row in begun.execute(sums):
            of[row.node][row.kind][row.value] = int(row.messages)
        rows = begun.execute(listed).all()
    return tuple(_summary(row, of[row.term]) for row in rows)


def _summary(row: Any, counts: dict[str, dict[str, int]]) -> NodeSummary:
    levels, outcomes = counts["level"], counts["outcome"]
    events = sorted(counts["event"].items(), key=lambda each: (-each[1], each[0]))
    return NodeSummary(
        node=row.name,
        messages=row.messages,
        first_arrived=moment_of(row.first_arrived),
        last_arrived=moment_of(row.last_arrived),
        last_number=row.last_number,
        ahead=None if row.difference is None else timedelta(microseconds=-row.difference),
        shall=levels.get("shall", 0),
        should=levels.get("should", 0),
        marked=sum(number for mark, number in counts["mark"].items() if mark != "own"),
        failures=sum(number for outcome, number in outcomes.items() if outcome != "0"),
        events=tuple(events),
    )


def findings(search: Search, node: str = "") -> tuple[FindingCount, ...]:
    """In how many messages of each node (or of `node`) each rule was not met, the most frequent first."""
    ruled, named = schema.term.alias(), schema.term.alias()
    wanted = (
        select(
            named.c.value.label("node"),
            ruled.c.value.label("rule"),
            _total.count.label("messages"),
            _total.first_day,
            _total.last_day,
            _total.last,
        )
        .join(ruled, ruled.c.id == _total.term)
        .join(named, named.c.id == _total.node)
        .where(ruled.c.kind == "rule")
        .order_by(_total.count.desc(), named.c.value, ruled.c.value)
    )
    if node:
        wanted = wanted.where(named.c.value == node)
    with search.reading(indexed=True) as begun:
        rows = begun.execute(wanted).all()
    return tuple(
        FindingCount(row.node, row.rule, row.messages, _day(row.first_day), _day(row.last_day), row.last)
        for row in rows
    )


def days(
    search: Search, *, kind: str = "event", node: str = "", since: date | None = None, until: date | None = None
) -> tuple[DayCount, ...]:
    """How many messages with each value of `kind` ("event", "outcome", "level", "rule", "mark") came each day.

    From `since` to `until`, both included; the last 30 days where neither is given.
    """
    last = until or datetime.now(UTC).date()
    first = since or last - timedelta(days=29)
    valued, named = schema.term.alias(), schema.term.alias()
    wanted = (
        select(_tally.day, named.c.value.label("node"), valued.c.value, _tally.count)
        .join(valued, valued.c.id == _tally.term)
        .join(named, named.c.id == _tally.node)
        .where(valued.c.kind == kind, _tally.day.between((first - _BEGIN).days, (last - _BEGIN).days))
        .order_by(_tally.day, named.c.value, valued.c.value)
    )
    if node:
        wanted = wanted.where(named.c.value == node)
    with search.reading(indexed=True) as begun:
        rows = begun.execute(wanted).all()
    return tuple(DayCount(_day(row[0]), row[1], kind, row[2], row[3]) for row in rows)


def _day(number: int) -> date:
    return _BEGIN + timedelta(days=number)
