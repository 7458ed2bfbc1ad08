"""Adding messages: rows, octets and the chain of digests, in one transaction; the index follows (`indexing`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from reference_impl.audit.repository import schema
from reference_impl.audit.repository.bulk import many
from reference_impl.audit.repository.chain import digest
from reference_impl.audit.repository.facts import Facts, Received


def add_messages(begun: Connection, batch: Sequence[Received]) -> list[int]:
    """Write `batch` through `begun`; returns the numbers given. The end of the chain is locked until it is over."""
    if not batch:
        return []
    ends = begun.execute(select(schema.head.c.number, schema.head.c.digest).with_for_update()).one()
    number, current = int(ends.number), bytes(ends.digest)
    rows, octets, waiting = [], [], []
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
        rows.append(_row(number, received, current))
        octets.append((number, received.octets))
        waiting.append((number, received.facts.values))
    many(begun, _MESSAGE, _ROW, rows)
    many(begun, _ORIGINAL, ("number", "octets"), octets)
    many(begun, _UNINDEXED, ("number", "terms"), waiting)
    begun.execute(update(schema.head).values(number=number, digest=current))
    return list(range(number - len(batch) + 1, number + 1))


_MESSAGE: Final = insert(schema.message)
_ORIGINAL: Final = insert(schema.original)
_UNINDEXED: Final = insert(schema.unindexed)


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


def _row(number: int, received: Received, current: bytes) -> tuple[Any, ...]:
    """The values of `_ROW`: all that was told of the message but its terms."""
    facts = received.facts
    way = (facts.event_time, received.transport, received.peer, received.connection)
    return (number, _at(received), received.arrived, *way, *facts[1:-2], " ".join(facts.marks), current)
