"""Adding messages to the tables: rows, values, counts and the chain of digests, in one transaction."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Dialect, Executable, Table, bindparam, case, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from reference_impl.audit.repository import schema
from reference_impl.audit.repository.chain import digest
from reference_impl.audit.repository.facts import Facts, Received

_DAY: Final = 86_400_000_000
_CACHED: Final = 100_000
_AT_ONCE: Final = 500  # values asked for in one statement

Key = tuple[str, str]
"""Kind and value of a term."""


class Terms:
    """The ids of values that were met lately; what a transaction adds counts only once it is through."""

    def __init__(self) -> None:
        self._known: dict[Key, int] = {}
        self._new: dict[Key, int] = {}

    def ids(self, begun: Connection, counted: dict[Key, list[int]]) -> dict[Key, int]:
        """The id of each value; counts it, and adds it where it is new. `counted`: count, first and last of each."""
        known = self._known
        missing = [key for key in counted if key not in known]
        found = _look_up(begun, missing) if missing else {}
        self._new = found
        ids = {key: known[key] if key in known else found.get(key, 0) for key in counted}
        following: int = 1 + (begun.scalar(select(func.max(schema.term.c.id))) or 0) if missing else 0
        added, met = [], []
        for key, (count, first, last) in counted.items():
            if ids[key]:
                met.append((ids[key], count, first, last))
                continue
            ids[key] = found[key] = following
            added.append((following, *key, key[1].casefold(), count, first, last))
            following += 1
        _many(begun, insert(schema.term), [column.name for column in schema.term.c], added)
        _many(begun, _COUNT_TERM, ("of", "more", "earliest", "latest"), sorted(met))
        return ids

    def keep(self) -> None:
        """The transaction is through."""
        if len(self._known) + len(self._new) > _CACHED:
            self._known.clear()
        self._known.update(self._new)
        self._new = {}

    def forget(self) -> None:
        """The transaction came to nothing."""
        self._new = {}


_term = schema.term.c
_COUNT_TERM: Final = (
    update(schema.term)
    .where(_term.id == bindparam("of"))
    .values(
        {
            _term.count: _term.count + bindparam("more"),
            _term.first: case((_term.first < bindparam("earliest"), _term.first), else_=bindparam("earliest")),
            _term.last: case((_term.last > bindparam("latest"), _term.last), else_=bindparam("latest")),
        }
    )
)


def add_messages(begun: Connection, batch: Sequence[Received], terms: Terms) -> list[int]:
    """Write `batch` through `begun`; returns the numbers given. The end of the chain is locked until it is over."""
    if not batch:
        return []
    ends = begun.execute(select(schema.head.c.number, schema.head.c.digest).with_for_update()).one()
    number, current = int(ends.number), bytes(ends.digest)
    rows, octets, counted = [], [], _Counted()
    for received in batch:
        number += 1
        current = digest(
            current,
            number,
            arrived=received.arrived,
            transport=received.transport,
            peer=received.peer,
            octets=received.octets,
        )
        at = _at(received)
        rows.append(_row(number, at, received, current))
        octets.append((number, received.octets))
        counted.take(number, at, received)
    ids = terms.ids(begun, counted.terms)
    _many(begun, insert(schema.message), _ROW, rows)
    _many(begun, insert(schema.original), ("number", "octets"), octets)
    _many(begun, insert(schema.mention), ("term", "at", "number"), counted.mentions(ids))
    _upsert(begun, schema.tally, counted.tallies(ids), add=("count",), greatest=("last",))
    _upsert(
        begun,
        schema.total,
        counted.totals(ids),
        add=("count",),
        least=("first_day",),
        greatest=("last_day", "last"),
    )
    _upsert(
        begun,
        schema.node,
        counted.nodes(ids),
        add=("messages",),
        greatest=("last_arrived", "last_number"),
        given=("difference",),
    )
    begun.execute(update(schema.head).values(number=number, digest=current))
    return list(range(number - len(batch) + 1, number + 1))


def _at(received: Received) -> int:
    """The time under which a message is found: when the event was, where that can be true."""
    facts = received.facts
    if facts.event_time is None or "future" in facts.marks:
        return received.arrived
    return facts.event_time


_ROW: Final = (
    "number",
    "at",
    "arrived",
    "event_time",
    "transport",
    "peer",
    "connection",
    *Facts._fields[1:-1],
    "digest",
)
"""The columns of a message, in the order of the table."""


def _row(number: int, at: int, received: Received, current: bytes) -> tuple[Any, ...]:
    """The values of `_ROW`: all that was told of the message but its terms."""
    facts = received.facts
    way = (facts.event_time, received.transport, received.peer, received.connection)
    return (number, at, received.arrived, *way, *facts[1:-2], " ".join(facts.marks), current)


class _Counted:
    """What a batch adds to values, nodes and days."""

    def __init__(self) -> None:
        self.terms: dict[Key, list[int]] = {}
        self._mentions: list[tuple[Key, int, int]] = []
        self._tallies: dict[tuple[int, Key, Key], list[int]] = defaultdict(lambda: [0, 0])
        self._nodes: dict[Key, list[Any]] = {}

    def take(self, number: int, at: int, received: Received) -> None:
        facts = received.facts
        node = ("node", facts.node)
        day = at // _DAY
        for key in facts.terms:
            entry = self.terms.get(key)
            if entry is None:
                self.terms[key] = [1, at, at]
            else:
                entry[0] += 1
                if at < entry[1]:
                    entry[1] = at
                elif at > entry[2]:
                    entry[2] = at
            self._mentions.append((key, at, number))
            if key[0] in schema.TALLIED:
                tally = self._tallies[day, node, key]
                tally[0] += 1
                tally[1] = number
        self._count_node(node, number, received)

    def _count_node(self, node: Key, number: int, received: Received) -> None:
        late = None if received.facts.event_time is None else received.arrived - received.facts.event_time
        entry = self._nodes.setdefault(node, [0, received.arrived, received.arrived, number, late])
        entry[0] += 1
        entry[2] = max(entry[2], received.arrived)
        entry[3] = number
        if late is not None:
            entry[4] = late if entry[4] is None else min(entry[4], late)

    def mentions(self, ids: dict[Key, int]) -> list[tuple[int, int, int]]:
        """Term, time and number, in the order in which they are kept."""
        return sorted((ids[key], at, number) for key, at, number in self._mentions)

    def tallies(self, ids: dict[Key, int]) -> list[dict[str, int]]:
        return [
            {"day": day, "node": ids[node], "term": ids[key], "count": count, "last": last}
            for (day, node, key), (count, last) in self._tallies.items()
        ]

    def totals(self, ids: dict[Key, int]) -> list[dict[str, int]]:
        rows: dict[tuple[int, int], dict[str, int]] = {}
        for (day, node, key), (count, last) in self._tallies.items():
            place = (ids[node], ids[key])
            row = rows.setdefault(
                place,
                {"node": place[0], "term": place[1], "count": 0, "first_day": day, "last_day": day, "last": last},
            )
            row["count"] += count
            row["first_day"] = min(row["first_day"], day)
            row["last_day"] = max(row["last_day"], day)
            row["last"] = max(row["last"], last)
        return list(rows.values())

    def nodes(self, ids: dict[Key, int]) -> list[dict[str, int]]:
        names = ("messages", "first_arrived", "last_arrived", "last_number", "difference")
        return [{"term": ids[node], **dict(zip(names, entry, strict=True))} for node, entry in self._nodes.items()]


def _upsert(
    begun: Connection,
    table: Table,
    rows: list[dict[str, int]],
    *,
    add: Iterable[str],
    greatest: Iterable[str],
    least: Iterable[str] = (),
    given: Iterable[str] = (),
) -> None:
    """Insert `rows`; where one is there, add to some of its numbers, and take the greater, less or new of others."""
    if not rows:
        return
    made = (postgresql if begun.dialect.name == "postgresql" else sqlite).insert(table)
    changes: dict[str, Any] = {name: table.c[name] + made.excluded[name] for name in add}
    for names, take_old in ((greatest, operator.gt), (least, operator.lt)):
        for name in names:
            old, new = table.c[name], made.excluded[name]
            changes[name] = case((take_old(old, new), old), else_=new)
    changes |= {name: made.excluded[name] for name in given}
    begun.execute(made.on_conflict_do_update(index_elements=list(table.primary_key), set_=changes), rows)


def _many(begun: Connection, statement: Executable, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Execute `statement` with each of `rows`, the values of `names`.

    The statement is compiled by the library, its values go to the driver as they are: that takes half the time.
    """
    if not rows:
        return
    text, order = _compiled(begun.dialect, statement, tuple(names))
    if order is None:
        begun.exec_driver_sql(text, [dict(zip(names, row, strict=True)) for row in rows])
    elif order == list(range(len(names))):
        begun.exec_driver_sql(text, list(rows))
    else:
        begun.exec_driver_sql(text, [tuple(row[place] for place in order) for row in rows])


_COMPILED: Final[dict[tuple[str, str, tuple[str, ...]], tuple[str, list[int] | None]]] = {}


def _compiled(dialect: Dialect, statement: Executable, names: tuple[str, ...]) -> tuple[str, list[int] | None]:
    """The statement as `dialect` has it, and where each value that it wants stands among `names`; None: by name."""
    key = (dialect.name, str(statement), names)
    if key not in _COMPILED:
        compiled = statement.compile(dialect=dialect, column_keys=list(names))  # type: ignore[attr-defined]
        places = compiled.positiontup
        _COMPILED[key] = (str(compiled), None if places is None else [names.index(name) for name in places])
    return _COMPILED[key]


def _look_up(begun: Connection, keys: Sequence[Key]) -> dict[Key, int]:
    """The ids of those of `keys` that are stored."""
    values: dict[str, list[str]] = defaultdict(list)
    for kind, value in keys:
        values[kind].append(value)
    found: dict[Key, int] = {}
    for kind, wanted in values.items():
        for start in range(0, len(wanted), _AT_ONCE):
            part = wanted[start : start + _AT_ONCE]
            rows = begun.execute(select(_term.id, _term.value).where(_term.kind == kind, _term.value.in_(part)))
            found |= {(kind, value): number for number, value in rows}
    return found
