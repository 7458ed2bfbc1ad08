"""The rules at work: fed by the thread that writes messages, their alerts stored, told and, where wanted, recorded."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import select

from reference_impl.audit.repository import schema
from reference_impl.audit.repository.detection.conditions import Seen
from reference_impl.audit.repository.detection.engine import Engine, Raised
from reference_impl.audit.repository.detection.rules import Rule
from reference_impl.audit.repository.examining import examine
from reference_impl.audit.repository.facts import Received
from reference_impl.audit.repository.search import Search
from reference_impl.audit.repository.store import AlertFacts

LOG: Final = logging.getLogger("ps315.audit")
_MOST_REPLAYED: Final = 2_000
_SECURITY_ALERT: Final = "110113"

_MOST_ALERTS: Final = 100  # of one rule in a minute; more are only counted
_MINUTE: Final = 60_000_000

Tell = Callable[[Sequence[tuple[Raised, AlertFacts]]], None]


class Watching:
    """Holds stored messages against `rules`, and tells what they raise. Not thread-safe: one thread feeds it."""

    def __init__(self, rules: Sequence[Rule], tell: Tell) -> None:
        self.rules = tuple(rules)
        self._engine = Engine(rules)
        self._tell = tell
        self._raised: dict[str, tuple[int, int]] = {}  # by rule: the minute, and how many in it

    def replay(self, search: Search, now: int) -> None:
        """Remember the last messages, without raising anything again: those in the time that rules look back on.

        What a rule finds absent is waited for anew from `now` on: nothing could come while nobody listened.
        """
        if not self.rules:
            return
        longest = max(rule.within for rule in self.rules) // timedelta(microseconds=1)
        for message in _last_messages(search, now - longest):
            message.arrived = now
            self._engine.take(message)

    def take(self, batch: Sequence[Received], numbers: Sequence[int]) -> None:
        """Messages were stored under these numbers."""
        if not self.rules:
            return
        raised: list[Raised] = []
        take = self._engine.take
        for received, number in zip(batch, numbers, strict=True):
            message = Seen(received, number)
            if received.transport == "own" and message.event == _SECURITY_ALERT:
                continue  # an alert about an alert would never end
            raised += take(message)
        self._raise(raised)

    def tick(self, now: int) -> None:
        """So late it is: what had to come by now is absent."""
        self._raise(self._engine.tick(now))

    def _raise(self, raised: Iterable[Raised]) -> None:
        told = []
        for each in raised:
            if self._are_many(each):
                continue
            LOG.warning("%s: %s", each.rule.id, "".join(sign if sign.isprintable() else "?" for sign in each.title))
            told.append((each, facts_of(each)))
        if told:
            self._tell(told)

    def _are_many(self, raised: Raised) -> bool:
        """Whether a rule has raised so much in this minute that no more is kept of it: somebody floods the trail."""
        minute = raised.raised // _MINUTE
        began, number = self._raised.get(raised.rule.id, (minute, 0))
        number = number + 1 if began == minute else 1
        self._raised[raised.rule.id] = (minute, number)
        if number == _MOST_ALERTS + 1:
            LOG.warning("%s: more alerts than are kept in a minute", raised.rule.id)
        return number > _MOST_ALERTS


def facts_of(raised: Raised) -> AlertFacts:
    """What is stored of an alert."""
    return AlertFacts(
        rule=raised.rule.id,
        severity=raised.rule.severity,
        title=raised.title,
        detail=raised.rule.text,
        fields=json.dumps(dict(raised.fields)),
        node=raised.node,
        raised=raised.raised,
        began=raised.began,
        until=raised.until,
        count=raised.count,
        messages=raised.messages,
    )


def _last_messages(search: Search, since: int) -> list[Seen]:
    """The messages that arrived since then, the last few thousand at most, and the last of each node; in order."""
    columns = schema.message.c
    wanted = select(
        columns.number, columns.arrived, columns.transport, columns.peer, columns.connection, schema.original.c.octets
    ).join_from(schema.message, schema.original)
    late = wanted.where(columns.arrived >= since).order_by(columns.number.desc()).limit(_MOST_REPLAYED)
    last = wanted.where(columns.number.in_(select(schema.node.c.last_number).limit(_MOST_REPLAYED)))
    with search.reading(indexed=True) as begun:
        rows = {row.number: row for statement in (late, last) for row in begun.execute(statement)}
    found = []
    for number in sorted(rows):
        row = rows[number]
        octets = bytes(row.octets)
        facts = examine(octets, row.arrived, row.transport, row.peer)
        received = Received(octets, row.arrived, row.transport, row.peer, row.connection, facts)
        found.append(Seen(received, number))
    return found
