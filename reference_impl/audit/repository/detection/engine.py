"""Holds messages against the rules: pure, fed with messages and with the time; says what is to be raised.

Counts and sequences go by the times of events, in whatever order the messages come, so a backlog that arrives at once
looks like the days it tells of. What is absent goes by the clock of the repository. A message is held only against
rules that its event may matter to, and there only against what the event alone does not settle.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from reference_impl.audit.repository.detection.conditions import Seen, Test, beside_event, events_of
from reference_impl.audit.repository.detection.remembering import (
    MOST_GROUPS,
    Group,
    Kept,
    Memory,
    Raised,
    memory_of,
)
from reference_impl.audit.repository.detection.rules import Rule

__all__ = ["Engine", "Raised"]

_MOST_LOOKS: Final = 2 * MOST_GROUPS  # beside twice those that are needed


class Engine:
    """Remembers what rules need. Not thread-safe. Times are microseconds since 1970 UTC."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self.memories = tuple(memory_of(rule, self._look_later) for rule in rules)
        self._places = {memory.rule.id: place for place, memory in enumerate(self.memories)}
        self._looks: list[tuple[int, str, Group]] = []  # when to look next what has not come, by id of the rule
        self._looks_needed = 0  # when they were counted last
        self._named = frozenset().union(*(_named(rule) for rule in rules))
        self._of_event: dict[str, tuple[_Turn, ...]] = {}
        self._of_others = self._turns(None)

    @property
    def looks(self) -> int:
        """How many looks at what has to come are put down."""
        return len(self._looks)

    def take(self, message: Seen) -> list[Raised]:
        """What is raised because of a message."""
        raised: list[Raised] = []
        event = message.event.casefold()
        turns = self._of_event.get(event) or self._turns_of(event)
        for gate, read, steps, ends, take in turns:
            if gate is not None and not gate(message):
                continue
            if read is None:
                take(message, steps, ends, raised)
                continue
            passed, ended = read(message)
            if passed or ended:
                take(message, passed, ended, raised)
        return raised

    def tick(self, now: int) -> list[Raised]:
        """What is raised because nothing came until `now`."""
        raised = []
        while self._looks and self._looks[0][0] <= now:
            _, rule_id, group = heapq.heappop(self._looks)
            memory = self.memories[self._places[rule_id]]
            kept = memory.groups.get(group)
            if kept is None:
                continue
            kept.queued = False
            if not kept.expected:
                continue
            if kept.due > now:
                self._look_later(memory, group, kept)
            elif found := memory.tick(group, kept):
                raised.append(found)
        return raised

    def _turns_of(self, event: str) -> tuple[_Turn, ...]:
        """The turns of rules at a message of `event`, in lower case; kept where a rule names it."""
        if event not in self._named:
            return self._of_others
        turns = self._of_event[event] = self._turns(event)
        return turns

    def _turns(self, event: str | None) -> tuple[_Turn, ...]:
        made = (_turn(memory, event) for memory in self.memories)
        return tuple(each for each in made if each is not None)

    def _look_later(self, memory: Memory, group: Group, kept: Kept) -> None:
        kept.queued = True
        heapq.heappush(self._looks, (kept.due, memory.rule.id, group))
        if len(self._looks) > _MOST_LOOKS + 2 * self._looks_needed:  # groups were forgotten, and some came again
            self._looks = sorted(
                (kept.due, each.rule.id, group)
                for each in self.memories
                for group, kept in each.groups.items()
                if kept.queued
            )
            self._looks_needed = len(self._looks)


class _Turn(NamedTuple):
    """What is asked of a message, of one event or of any that no rule names, for one rule.

    Where it passes `gate` it goes through `steps`, and `ends` the wait; where `read` is given, that tells both.
    """

    gate: Test | None
    read: Callable[[Seen], tuple[Sequence[int], bool]] | None
    steps: Sequence[int]
    ends: bool
    take: Callable[[Seen, Sequence[int], bool, list[Raised]], None]


def _turn(memory: Memory, event: str | None) -> _Turn | None:
    """How `memory` is asked about messages of `event` (None: of none that is named); None where it never matters."""
    tables, absent = memory.rule.tables, memory.rule.definition.get("absent")
    steps = [number for number, table in enumerate(tables) if _may_be(event, events_of(table))]
    ends = absent is not None and _may_be(event, events_of(absent))
    if not steps and not ends:
        return None
    if absent is not None and not steps:
        return _Turn(beside_event(absent), None, (), True, memory.take)
    if len(steps) == 1 and (not ends or absent == tables[0]):
        return _Turn(beside_event(tables[steps[0]]), None, tuple(steps), ends, memory.take)
    tests = [(number, beside_event(tables[number])) for number in steps]
    ending = beside_event(absent) if absent is not None and ends else None

    def read(message: Seen) -> tuple[Sequence[int], bool]:
        passed = [number for number, test in tests if test is None or test(message)]
        return passed, ends and (ending is None or ending(message))

    return _Turn(None, read, (), False, memory.take)


def _may_be(event: str | None, events: frozenset[str] | None) -> bool:
    return events is None or event in events


def _named(rule: Rule) -> frozenset[str]:
    tables = (*rule.tables, *([rule.definition["absent"]] if rule.absent is not None else ()))
    return frozenset().union(*(events_of(table) or () for table in tables))
