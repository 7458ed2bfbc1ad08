"""The index of messages, written behind them: values, mentions, and counts by node and day.

A message is stored first, with its values in one piece. They are sorted into the index when there is time for it, many
messages at once, and at the latest before somebody searches.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, case, delete, func, insert, select, update

from reference_impl.audit.repository import schema
from reference_impl.audit.repository.bulk import many, upsert
from reference_impl.audit.repository.facts import packed, unpacked

_DAY: Final = 86_400_000_000
_CACHED: Final = 100_000
_AT_ONCE: Final = 500  # values asked for in one statement

Key = str
"""A value by which messages are found: kind, "=", and the value."""
Place = tuple[int, int]
"""Time and number of a message."""


class Terms:
    """The ids of values that were met lately; what a transaction adds counts only once it is through."""

    def __init__(self) -> None:
        self._known: dict[Key, int] = {}
        self._new: dict[Key, int] = {}

    def ids(self, begun: Connection, places: dict[Key, list[Place]]) -> dict[Key, int]:
        """The id of each value; counts it, and adds it where it is new. `places` are in the order of time."""
        known = self._known
        missing = [key for key in places if key not in known]
        found = _look_up(begun, missing) if missing else {}
        self._new = found
        ids = {key: known[key] if key in known else found.get(key, 0) for key in places}
        following: int = 1 + (begun.scalar(select(func.max(schema.term.c.id))) or 0) if missing else 0
        added, met = [], []
        for key, mentioned in places.items():
            counted = (len(mentioned), mentioned[0][0], mentioned[-1][0])
            if ids[key]:
                met.append((ids[key], *counted))
                continue
            ids[key] = found[key] = following
            kind, _, value = key.partition("=")
            added.append((following, kind, value, value.casefold(), *counted))
            following += 1
        many(begun, _ADD_TERM, _TERM, added)
        many(begun, _COUNT_TERM, ("of", "more", "earliest", "latest"), sorted(met))
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
_ADD_TERM: Final = insert(schema.term)
_TERM: Final = tuple(column.name for column in _term)
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


def index_messages(begun: Connection, most: int, terms: Terms) -> int:
    """Sort the values of the first `most` messages that wait into the index; returns of how many.

    The end of the chain is locked until it is over, so that one program does so at a time.
    """
    begun.execute(select(schema.head.c.number).with_for_update())
    wanted = select(*_WAITING).join_from(schema.unindexed, schema.message, _number == schema.message.c.number)
    waiting = begun.execute(wanted.order_by(_number).limit(most)).all()
    if not waiting:
        return 0
    index = _Index()
    for number, values, at, arrived, event_time, node in waiting:
        index.take(number, at, unpacked(bytes(values)), node)
        index.count_node(node, number, arrived, event_time)
    index.write(begun, terms)
    begun.execute(delete(schema.unindexed).where(_number <= waiting[-1].number))
    return len(waiting)


_number = schema.unindexed.c.number
_WAITING: Final = (
    _number,
    schema.unindexed.c.terms,
    *(schema.message.c[name] for name in ("at", "arrived", "event_time", "node")),
)


def index_barely(begun: Connection, terms: Terms) -> int:
    """Index the first message that waits by its node and a mark only: the database does not take its values."""
    first = begun.execute(
        select(_number, schema.message.c.node)
        .join_from(schema.unindexed, schema.message, _number == schema.message.c.number)
        .order_by(_number)
        .limit(1)
    ).one()
    bare = packed([("node", first.node), ("mark", "not-examined")])
    begun.execute(update(schema.unindexed).where(_number == first.number).values(terms=bare))
    return index_messages(begun, 1, terms)


class _Index:
    """What some messages add to values, nodes and days."""

    def __init__(self) -> None:
        self._places: dict[Key, list[Place]] = defaultdict(list)
        self._node_of: dict[int, str] = {}
        self._nodes: dict[str, list[Any]] = {}

    def take(self, number: int, at: int, keys: Sequence[Key], node: str) -> None:
        """A message and the values by which it is found."""
        place, places = (at, number), self._places
        if (named := _node_key(node)) not in keys:
            keys = (*keys, named)
        for key in keys:
            places[key].append(place)
        self._node_of[number] = node

    def count_node(self, node: str, number: int, arrived: int, event_time: int | None) -> None:
        """A message came from `node`."""
        late = None if event_time is None else arrived - event_time
        entry = self._nodes.setdefault(node, [0, arrived, arrived, number, late])
        entry[0] += 1
        entry[2] = max(entry[2], arrived)
        entry[3] = number
        if late is not None:
            entry[4] = late if entry[4] is None else min(entry[4], late)

    def write(self, begun: Connection, terms: Terms) -> None:
        """Write it all."""
        for mentioned in self._places.values():
            mentioned.sort()
        ids = terms.ids(begun, self._places)
        ordered = sorted((ids[key], mentioned) for key, mentioned in self._places.items())
        mentions = [(term, *place) for term, mentioned in ordered for place in mentioned]
        many(begun, _MENTION, ("term", "at", "number"), mentions)
        tallies = self._tallies(ids)
        upsert(begun, schema.tally, tallies, add=("count",), greatest=("last",))
        upsert(
            begun,
            schema.total,
            _totals(tallies),
            add=("count",),
            least=("first_day",),
            greatest=("last_day", "last"),
        )
        upsert(
            begun,
            schema.node,
            self._counted_nodes(ids),
            add=("messages",),
            greatest=("last_arrived", "last_number"),
            given=("difference",),
        )

    def _tallies(self, ids: dict[Key, int]) -> list[dict[str, int]]:
        counted: dict[tuple[int, int, int], list[int]] = defaultdict(lambda: [0, 0])
        node_ids = {node: ids[_node_key(node)] for node in self._nodes}
        for key, mentioned in self._places.items():
            if key.partition("=")[0] not in schema.TALLIED:
                continue
            term = ids[key]
            for at, number in mentioned:
                entry = counted[at // _DAY, node_ids[self._node_of[number]], term]
                entry[0] += 1
                entry[1] = max(entry[1], number)
        return [
            {"day": day, "node": node, "term": term, "count": count, "last": last}
            for (day, node, term), (count, last) in counted.items()
        ]

    def _counted_nodes(self, ids: dict[Key, int]) -> list[dict[str, int]]:
        names = ("messages", "first_arrived", "last_arrived", "last_number", "difference")
        return [
            {"term": ids[_node_key(node)], **dict(zip(names, entry, strict=True))}
            for node, entry in self._nodes.items()
        ]


_MENTION: Final = insert(schema.mention)


def _node_key(node: str) -> Key:
    return f"node={node}"


def _totals(tallies: Sequence[dict[str, int]]) -> list[dict[str, int]]:
    """Tallies of all days together."""
    rows: dict[tuple[int, int], dict[str, int]] = {}
    for each in tallies:
        day, last = each["day"], each["last"]
        place = (each["node"], each["term"])
        row = rows.setdefault(
            place, {"node": place[0], "term": place[1], "count": 0, "first_day": day, "last_day": day, "last": last}
        )
        row["count"] += each["count"]
        row["first_day"] = min(row["first_day"], day)
        row["last_day"] = max(row["last_day"], day)
        row["last"] = max(row["last"], last)
    return list(rows.values())


def _look_up(begun: Connection, keys: Sequence[Key]) -> dict[Key, int]:
    """The ids of those of `keys` that are stored."""
    values: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        kind, _, value = key.partition("=")
        values[kind].append(value)
    found: dict[Key, int] = {}
    for kind, wanted in values.items():
        for start in range(0, len(wanted), _AT_ONCE):
            part = wanted[start : start + _AT_ONCE]
            rows = begun.execute(select(_term.id, _term.value).where(_term.kind == kind, _term.value.in_(part)))
            found |= {f"{kind}={value}": number for number, value in rows}
    return found
