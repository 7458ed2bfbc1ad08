"""Searching the repository: pages by keyset, counts, one patient's story, one user's day, and what nodes sent.

A query walks along the rarest of its values in the order of time and looks the others up; so the first page of a common
value comes as soon as that of a rare one.
"""

from __future__ import annotations

import heapq
import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Table, and_, exists, func, or_, select, text, tuple_
from sqlalchemy import Connection as Begun
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from reference_impl.audit.repository import schema
from reference_impl.audit.repository.database import StoreBusyError, reason
from reference_impl.audit.repository.facts import microseconds, moment_of
from reference_impl.audit.repository.query import (
    Alert,
    Condition,
    Connection,
    Count,
    Message,
    Page,
    Query,
    Row,
    Value,
    cursor_of,
    read_cursor,
    to_moment,
)
from reference_impl.audit.repository.store import Store

MOST_ON_A_PAGE: Final = 1000
_MOST_TERMS: Final = 200  # values of one condition that are walked along one by one; more are gone through together
_LONGEST_SECONDS: Final = 10.0
_STEPS: Final = 20_000  # of SQLite's machine, between two looks at the clock

_message = schema.message.c
_mention = schema.mention.c
_term = schema.term.c


class SearchTooLongError(StoreBusyError):
    """A search took longer than is allowed; a narrower one may not."""


@dataclass(frozen=True, slots=True)
class _Terms:
    """The values that a condition stands for; `count` of messages with them together, at most.

    `many` tells which terms they are where they are too many for `ids`.
    """

    ids: tuple[int, ...]
    count: int
    many: ColumnElement[bool] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no value that is stored is meant."""
        return not self.ids and self.many is None


class Search:
    """Asks `store`; every method raises `StoreBusyError` where the database does not answer, and
    `SearchTooLongError` after `seconds`. Safe to use from several threads.
    """

    def __init__(self, store: Store, *, seconds: float = _LONGEST_SECONDS) -> None:
        self.store = store
        self._seconds = seconds

    def page(self, query: Query, *, after: str = "", size: int = 50, oldest_first: bool = False) -> Page:
        """At most `size` messages, the newest first, going on after the cursor `after`.

        Raises ValueError for a cursor that no page gave.
        """
        size = max(1, min(size, MOST_ON_A_PAGE))
        behind = read_cursor(after) if after else None
        with self.reading(indexed=query.has_conditions) as begun:
            found = self._places(begun, query, behind, size + 1, oldest_first=oldest_first)
            rows = _rows(begun, [number for _, number in found[:size]])
        return Page(rows, cursor_of(rows[-1]) if len(found) > size and rows else "")

    def all(self, query: Query, *, oldest_first: bool = True) -> Iterator[Row]:
        """Every message that `query` finds, page by page; messages that come meanwhile may be among them."""
        after = ""
        while True:
            page = self.page(query, after=after, size=MOST_ON_A_PAGE, oldest_first=oldest_first)
            yield from page.rows
            if not page.following:
                return
            after = page.following

    def count(self, query: Query, *, at_most: int = 10_000) -> Count:
        """How many messages `query` finds; beyond `at_most` only where that is known without counting."""
        with self.reading(indexed=query.has_conditions) as begun:
            conditions = list(query.conditions())
            if not conditions and query.since is None and query.until is None:
                return Count(int(begun.execute(select(schema.head.c.number)).scalar_one()), exact=True)
            if len(conditions) == 1 and query.since is None and query.until is None:
                terms = _resolve(begun, conditions[0])
                if terms.many is None and len(terms.ids) < 2:
                    return Count(terms.count, exact=True)
            number = len(self._places(begun, query, None, at_most + 1, oldest_first=False))
        return Count(min(number, at_most), exact=number <= at_most)

    def message(self, number: int) -> Message | None:
        """One message with its octets, None where there is none of that number."""
        wanted = select(schema.message, schema.original.c.octets).join_from(schema.message, schema.original)
        with self.reading() as begun:
            found = begun.execute(wanted.where(_message.number == number)).one_or_none()
            if found is None:
                return None
            brought = None if found.connection is None else self._connection(begun, found.connection)
        return Message(_row(found), bytes(found.octets), bytes(found.digest), brought)

    def octets(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """The octets of several messages (1000 at most) by number."""
        wanted = select(schema.original).where(schema.original.c.number.in_(numbers[:MOST_ON_A_PAGE]))
        with self.reading() as begun:
            return {found.number: bytes(found.octets) for found in begun.execute(wanted)}

    def since(self, number: int, *, query: Query | None = None, size: int = 100) -> tuple[Row, ...]:
        """The messages that were stored after that of `number`, in the order in which they arrived.

        Only those that `query` finds, where there is one.
        """
        wanted = select(schema.message).where(_message.number > number).order_by(_message.number).limit(size)
        with self.reading(indexed=query is not None and query.has_conditions) as begun:
            if query is not None:
                resolved = [_resolve(begun, condition) for condition in query.conditions()]
                if any(terms.is_empty for terms in resolved):
                    return ()
                limits = _limits((_message.at, _message.number), query, None, oldest_first=True)
                wanted = wanted.where(*limits, *(_held(terms, schema.message) for terms in resolved))
            return tuple(_row(found) for found in begun.execute(wanted))

    def last(self) -> int:
        """The number of the message that was stored last, 0 where there is none."""
        with self.reading() as begun:
            return int(begun.execute(select(schema.head.c.number)).scalar_one())

    def story(self, patient: str, *, after: str = "", size: int = 200) -> Page:
        """What happened with a patient's data, at all nodes, oldest first."""
        return self.page(Query(patient=patient), after=after, size=size, oldest_first=True)

    def day(self, user: str, day: date, *, after: str = "", size: int = 200) -> Page:
        """What a user did on a day (UTC), at all nodes, oldest first."""
        begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
        query = Query(user=user, since=begin, until=begin + timedelta(days=1))
        return self.page(query, after=after, size=size, oldest_first=True)

    def values(self, kind: str, beginning: str = "", *, size: int = 50) -> tuple[Value, ...]:
        """Values of a kind that begin so, the most frequent first."""
        wanted = select(schema.term, _term.count.label("messages")).where(_term.kind == kind, _beginning(beginning))
        with self.reading(indexed=True) as begun:
            rows = begun.execute(wanted.order_by(_term.count.desc()).limit(size)).all()
        return tuple(
            Value(row.kind, row.value, row.messages, moment_of(row.first), moment_of(row.last)) for row in rows
        )

    def connections(self, *, before: int | None = None, size: int = 50) -> tuple[Connection, ...]:
        """Connections, the last first; those before the one of a number."""
        wanted = select(schema.connection).order_by(schema.connection.c.id.desc()).limit(size)
        if before is not None:
            wanted = wanted.where(schema.connection.c.id < before)
        with self.reading() as begun:
            return tuple(_connection(row) for row in begun.execute(wanted))

    def alerts(self, *, only_open: bool = False, before: int | None = None, size: int = 50) -> tuple[Alert, ...]:
        """Alerts, the last first; those before the one of a number."""
        wanted = select(schema.alert).order_by(schema.alert.c.id.desc()).limit(size)
        if only_open:
            wanted = wanted.where(schema.alert.c.acknowledged.is_(None))
        if before is not None:
            wanted = wanted.where(schema.alert.c.id < before)
        with self.reading() as begun:
            return tuple(_alert(row) for row in begun.execute(wanted))

    def alert(self, number: int) -> Alert | None:
        """One alert, None where there is none of that number."""
        with self.reading() as begun:
            found = begun.execute(select(schema.alert).where(schema.alert.c.id == number)).one_or_none()
        return None if found is None else _alert(found)

    @contextmanager
    def reading(self, *, indexed: bool = False) -> Iterator[Begun]:
        """A connection that reads, within the time that a search may take.

        With `indexed`, every message that is stored by now is in the index.
        """
        if indexed:
            self._catch_up()
        try:
            with self.store.reader.connect() as begun, _within(begun, self._seconds):
                yield begun
        except DBAPIError as problem:
            if isinstance(problem.orig, sqlite3.OperationalError) and "interrupt" in str(problem.orig):
                raise SearchTooLongError(_TOO_LONG) from None
            if "statement timeout" in str(problem.orig):
                raise SearchTooLongError(_TOO_LONG) from None
            raise StoreBusyError(f"{self.store.name}: {reason(problem)}") from None
        except SQLAlchemyError as problem:  # no connection is free
            raise StoreBusyError(f"{self.store.name}: {reason(problem)}") from None

    def _catch_up(self) -> None:
        """Index what is stored and waits for it."""
        last, deadline = self.store.last_unindexed(), time.monotonic() + self._seconds
        while last and self.store.index_before(last):
            if time.monotonic() > deadline:
                raise SearchTooLongError(_BEHIND)

    def _connection(self, begun: Begun, number: int) -> Connection | None:
        found = begun.execute(select(schema.connection).where(schema.connection.c.id == number)).one_or_none()
        return None if found is None else _connection(found)

    def _places(
        self, begun: Begun, query: Query, behind: tuple[int, int] | None, size: int, *, oldest_first: bool
    ) -> list[tuple[int, int]]:
        """Time and number of the first `size` messages, in order."""
        resolved = [_resolve(begun, condition) for condition in query.conditions()]
        if any(terms.is_empty for terms in resolved):
            return []
        resolved.sort(key=lambda terms: terms.count)
        ways: list[Select[Any]]
        if not resolved:
            ways = [select(_message.at, _message.number)]
            columns = (_message.at, _message.number)
        else:
            held = [_held(terms) for terms in resolved[1:]]
            ways = _ways(resolved[0], held)
            columns = (_mention.at, _mention.number)
        limits = _limits(columns, query, behind, oldest_first=oldest_first)
        order = [column.asc() if oldest_first else column.desc() for column in columns]
        each = [begun.execute(way.where(*limits).order_by(*order).limit(size)) for way in ways]
        found = [[(int(at), int(number)) for at, number in rows] for rows in each]
        return list(islice(_without_twins(heapq.merge(*found, reverse=not oldest_first)), size))


_BEHIND: Final = "many messages have come and are still being sorted into the index; ask again in a moment"
_TOO_LONG: Final = "the search took too long; ask for a shorter time, or for more that is told of the messages"


def _without_twins(places: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    last = None
    for place in places:
        if place != last:
            yield place
        last = place


def _limits(
    columns: tuple[Any, Any], query: Query, behind: tuple[int, int] | None, *, oldest_first: bool
) -> list[ColumnElement[bool]]:
    at = columns[0]
    limits: list[ColumnElement[bool]] = []
    if query.since is not None:
        limits.append(at >= microseconds(query.since))
    if query.until is not None:
        limits.append(at < microseconds(query.until))
    if behind is not None:
        place = tuple_(*columns)
        limits.append(place > behind if oldest_first else place < behind)
    return limits


def _held(terms: _Terms, table: Table = schema.mention) -> ColumnElement[bool]:
    """That the message of a row of `table` mentions one of `terms`, too."""
    other = schema.mention.alias()
    if terms.many is not None:
        within = select(other.c.number).join(schema.term, _term.id == other.c.term).where(terms.many)
        return table.c.number.in_(within)
    same = and_(other.c.at == table.c.at, other.c.number == table.c.number)
    return exists().where(other.c.term.in_(terms.ids), same).correlate(table)


def _ways(terms: _Terms, held: Sequence[ColumnElement[bool]]) -> list[Select[Any]]:
    """Selects of time and number that together find the messages with one of `terms`."""
    walked = select(_mention.at, _mention.number)
    if terms.many is None:
        return [walked.where(_mention.term == one, *held) for one in terms.ids]
    return [walked.join(schema.term, _term.id == _mention.term).where(terms.many, *held).distinct()]


def _resolve(begun: Begun, condition: Condition) -> _Terms:
    """The values that are stored and meant by `condition`."""
    meant: list[ColumnElement[bool]] = []
    for value in condition.values:
        if condition.anywhere:
            meant.append(_term.folded.contains(value.casefold(), autoescape=True))
        elif value.endswith("*"):
            meant.append(_beginning(value[:-1]))
        else:
            meant.append(_term.folded == value.casefold())
    fits = and_(_term.kind.in_(condition.kinds), or_(*meant))
    if condition.begins:
        begun_so = or_(*(_beginning(value) for value in condition.values))
        fits = or_(fits, and_(_term.kind.in_(condition.begins), begun_so))
    wanted = select(_term.id, _term.count.label("messages")).where(fits)
    rows = begun.execute(wanted.limit(_MOST_TERMS + 1)).all()
    if len(rows) > _MOST_TERMS:
        return _Terms((), begun.execute(select(func.sum(_term.count)).where(fits)).scalar_one(), fits)
    return _Terms(tuple(row.id for row in rows), sum(row.messages for row in rows))


def _beginning(beginning: str) -> ColumnElement[bool]:
    folded = beginning.casefold()
    return and_(_term.folded >= folded, _term.folded < folded + "\U0010ffff")


def _rows(begun: Begun, numbers: Sequence[int]) -> tuple[Row, ...]:
    if not numbers:
        return ()
    found = {row.number: row for row in begun.execute(select(schema.message).where(_message.number.in_(numbers)))}
    return tuple(_row(found[number]) for number in numbers)


def _row(found: Any) -> Row:
    values = {name: getattr(found, name) for name in Row.__slots__}
    values |= {
        "at": moment_of(found.at),
        "arrived": moment_of(found.arrived),
        "event_time": to_moment(found.event_time),
    }
    return Row(**values | {"marks": tuple(found.marks.split())})


def _connection(found: Any) -> Connection:
    values = {name: getattr(found, name) for name in Connection.__slots__ if name != "number"}
    values |= {"began": moment_of(found.began), "ended": to_moment(found.ended)}
    return Connection(number=found.id, **values)


def _alert(found: Any) -> Alert:
    values = {name: getattr(found, name) for name in Alert.__slots__ if name != "number"}
    values |= {name: moment_of(values[name]) for name in ("raised", "began", "until")}
    values |= {"acknowledged": to_moment(found.acknowledged), "messages": tuple(json.loads(found.messages))}
    return Alert(number=found.id, **values | {"fields": tuple(json.loads(found.fields).items())})


@contextmanager
def _within(begun: Begun, seconds: float) -> Iterator[None]:
    """Let the database end what takes longer than `seconds`."""
    if begun.dialect.name != "sqlite":
        begun.execute(text(f"SET LOCAL statement_timeout = {int(seconds * 1000)}"))
        yield
        return
    opened = begun.connection.driver_connection
    assert isinstance(opened, sqlite3.Connection)  # noqa: S101 - for the type checker
    deadline = time.monotonic() + seconds
    opened.set_progress_handler(lambda: int(time.monotonic() > deadline), _STEPS)
    try:
        yield
    finally:
        opened.set_progress_handler(None, 0)
