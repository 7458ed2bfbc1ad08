"""Adding messages to the tables: rows, values, counts and the chain of digests, in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Table, bindparam, case, func, insert, select, update
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
                met.append({"of": ids[key], "more": count, "earliest": first, "latest": last})
                continue
            ids[key] = found[key] = following
            added.append(
                {
                    "id": following,
                    "kind": key[0],
                    "value": key[1],
                    "folded": key[1].casefold(),
                    "count": count,
                    "first": first,
                    "last": last,
                }
            )
            following += 1
        if added:
            begun.execute(insert(schema.term), added)
        if met:
            begun.execute(_COUNT_TERM, sorted(met, key=lambda row: row["of"]))
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
        octets.append({"number": number, "octets": received.octets})
        counted.take(number, at, received)
    ids = terms.ids(begun, counted.terms)
    begun.execute(insert(schema.message), rows)
    begun.execute(insert(schema.original), octets)
    begun.execute(insert(schema.mention), counted.mentions(ids))
    _upsert(begun, schema.tally, counted.tallies(ids), add=("count",), greatest=("last",))
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


_COPIED: Final = tuple(name for name in Facts._fields if name not in {"marks", "terms"})


def _row(number: int, at: int, received: Received, current: bytes) -> dict[str, Any]:
    facts = received.facts
    row: dict[str, Any] = dict(zip(Facts._fields, facts, strict=True))
    del row["terms"]
    row["marks"] = " ".join(facts.marks)
    row["number"] = number
    row["at"] = at
    row["arrived"] = received.arrived
    row["transport"] = received.transport
    row["peer"] = received.peer
    row["connection"] = received.connection
    row["digest"] = current
    return row


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
                entry[1] = min(entry[1], at)
                entry[2] = max(entry[2], at)
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

    def mentions(self, ids: dict[Key, int]) -> list[dict[str, int]]:
        rows = sorted((ids[key], at, number) for key, at, number in self._mentions)
        return [{"term": term, "at": at, "number": number} for term, at, number in rows]

    def tallies(self, ids: dict[Key, int]) -> list[dict[str, int]]:
        return [
            {"day": day, "node": ids[node], "term": ids[key], "count": count, "last": last}
            for (day, node, key), (count, last) in self._tallies.items()
        ]

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
    given: Iterable[str] = (),
) -> None:
    """Insert `rows`; where one is there, add to some of its numbers, and take the greater or the new of others."""
    if not rows:
        return
    made = (postgresql if begun.dialect.name == "postgresql" else sqlite).insert(table)
    changes: dict[str, Any] = {name: table.c[name] + made.excluded[name] for name in add}
    changes |= {name: made.excluded[name] for name in (*greatest, *given)}
    begun.execute(made.on_conflict_do_update(index_elements=list(table.primary_key), set_=changes), rows)


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
