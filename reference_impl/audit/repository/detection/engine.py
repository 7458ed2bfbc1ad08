"""Holds messages against the rules: pure, fed with messages and with the time; says what is to be raised.

Counts and sequences go by the times of events, in whatever order the messages come, so a backlog that arrives at once
looks like the days it tells of. What is absent goes by the clock of the repository. Memory is bounded: groups that
nothing happened in for longest are forgotten first.
"""

from __future__ import annotations

import bisect
import heapq
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import product
from typing import Final

from reference_impl.audit.repository.detection.conditions import Seen
from reference_impl.audit.repository.detection.rules import Rule

MOST_GROUPS: Final = 10_000
_MOST_KEPT: Final = 1_000  # messages of a group beside those that the rule counts
_MOST_COMBINATIONS: Final = 16  # groups that one message with several users, say, belongs to
_NAMED: Final = 50  # numbers of messages in an alert

Group = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Raised:
    """What a rule found: the group's values, from when to when (microseconds since 1970 UTC), in which messages."""

    rule: Rule
    fields: tuple[tuple[str, str], ...]
    node: str
    raised: int
    began: int
    until: int
    count: int
    messages: tuple[int, ...]

    @property
    def title(self) -> str:
        """The rule's title with its places filled in."""
        values = dict(self.fields) | {"count": str(self.count), "within": spoken(self.rule.within)}
        return self.rule.title.format_map(values)


@dataclass(slots=True)
class _Kept:
    """What is remembered of a group: (time, number, step, value, node), in the order of time."""

    entries: list[tuple[int, int, int, str, str]] = field(default_factory=list)
    said: int | None = None  # the time of the last alert
    awaited: int = 0  # tells expectations apart; a new one makes older ones void
    expected: bool = False
    begun: int = 0  # when that after which something is absent happened


class Engine:
    """Remembers what rules need. Not thread-safe. Times are microseconds since 1970 UTC."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._kept: dict[str, OrderedDict[Group, _Kept]] = {rule.id: OrderedDict() for rule in rules}
        self._due: list[tuple[int, int, str, Group, int]] = []
        self._by_id = {rule.id: rule for rule in rules}
        self._awaited = 0
        events = {rule.id: rule.events for rule in rules}
        named = {event for of_rule in events.values() for event in of_rule or ()}
        self._of_any_event = tuple(rule for rule in rules if events[rule.id] is None)
        self._of_event = {
            event: tuple(rule for rule in rules if (of := events[rule.id]) is None or event in of) for event in named
        }

    def take(self, message: Seen) -> list[Raised]:
        """What is raised because of a message."""
        raised: list[Raised] = []
        for rule in self._of_event.get(message.first("event").casefold(), self._of_any_event):
            steps = [number for number, step in enumerate(rule.steps) if step.test(message)]
            ends = rule.absent is not None and rule.absent(message)
            if steps or ends:
                for group in _groups(rule, message):
                    raised += self._of_group(rule, group, message, steps, ends)
        return raised

    def tick(self, now: int) -> list[Raised]:
        """What is raised because nothing came until `now`."""
        raised = []
        while self._due and self._due[0][0] <= now:
            due, _, rule_id, group, awaited = heapq.heappop(self._due)
            kept = self._kept[rule_id].get(group)
            if kept is None or not kept.expected or kept.awaited != awaited:
                continue
            kept.expected = False
            rule = self._by_id[rule_id]
            if not _is_quiet(rule, kept, due):
                kept.said = due
                raised.append(_raised(rule, group, kept.entries, due))
            kept.entries = []
        return raised

    def _of_group(self, rule: Rule, group: Group, message: Seen, steps: Sequence[int], ends: bool) -> Iterator[Raised]:
        groups = self._kept[rule.id]
        kept = groups.get(group)
        if kept is None:
            if not steps:
                return
            kept = groups[group] = _Kept()
            if len(groups) > MOST_GROUPS:
                groups.popitem(last=False)
        groups.move_to_end(group)
        if ends and kept.expected and message.at >= kept.begun:
            kept.expected, kept.entries = False, []
        if not steps:
            return
        value = message.first(rule.distinct) if rule.distinct else ""
        for step in steps:
            bisect.insort(kept.entries, (message.at, message.number, step, value, message.first("node")))
        _forget_old(rule, kept)
        found = _found(rule, kept.entries, message.at)
        if not found:
            return
        if rule.absent is not None:
            self._expect(rule, group, kept, message)
        elif not _is_quiet(rule, kept, message.at):
            kept.said = message.at
            yield _raised(rule, group, found, message.arrived)

    def _expect(self, rule: Rule, group: Group, kept: _Kept, message: Seen) -> None:
        """From now on something has to come in time."""
        self._awaited += 1
        kept.expected, kept.awaited, kept.begun = True, self._awaited, message.at
        due = message.arrived + rule.within // timedelta(microseconds=1)
        heapq.heappush(self._due, (due, self._awaited, rule.id, group, self._awaited))
        if len(self._due) > 4 * MOST_GROUPS:
            self._due = [each for each in self._due if self._is_awaited(each)]
            heapq.heapify(self._due)

    def _is_awaited(self, due: tuple[int, int, str, Group, int]) -> bool:
        kept = self._kept[due[2]].get(due[3])
        return kept is not None and kept.expected and kept.awaited == due[4]


def spoken(time: timedelta) -> str:
    """A time as it is written in rules."""
    seconds = time.total_seconds()
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit and seconds % unit == 0:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:g} s"


def _groups(rule: Rule, message: Seen) -> Iterator[Group]:
    """The groups that a message belongs to: one for each combination of its values; none where it has no such value."""
    if not rule.group:
        yield ()
        return
    if len(rule.group) == 1:
        yield from ((each,) for each in message.values.get(rule.group[0], ())[:_MOST_COMBINATIONS])
        return
    values = [message.values.get(name, ())[:_MOST_COMBINATIONS] for name in rule.group]
    for number, group in enumerate(product(*values)):
        if number >= _MOST_COMBINATIONS:
            return
        yield group


def _forget_old(rule: Rule, kept: _Kept) -> None:
    """Leave only what can still matter: the last window, and no more than is counted."""
    oldest = kept.entries[-1][0] - 2 * (rule.within // timedelta(microseconds=1))
    first = bisect.bisect_left(kept.entries, (oldest,))
    most = _MOST_KEPT + sum(step.count for step in rule.steps)
    first = max(first, len(kept.entries) - most)
    if rule.absent is not None and len(rule.steps) == 1 and rule.steps[0].count == 1:
        first = max(first, len(kept.entries) - 1)  # only the last counts
    del kept.entries[:first]


def _found(rule: Rule, entries: list[tuple[int, int, int, str, str]], at: int) -> list[tuple[int, int, int, str, str]]:
    """The messages that fulfil `rule` in a window around `at`; empty where none do."""
    width = rule.within // timedelta(microseconds=1)
    low = bisect.bisect_left(entries, (at - width,))
    high = bisect.bisect_right(entries, (at + width, 1 << 62))
    near = entries[low:high]
    if len(rule.steps) == 1:
        return _counted(rule, near, at, width)
    return _in_sequence(rule, near, width)


def _counted(
    rule: Rule, near: list[tuple[int, int, int, str, str]], at: int, width: int
) -> list[tuple[int, int, int, str, str]]:
    wanted = rule.steps[0].count
    if len(near) < wanted:
        return []
    for start, entry in enumerate(near):
        if entry[0] > at:
            break
        window = near[start : bisect.bisect_right(near, (entry[0] + width, 1 << 62))]
        number = len({each[3] for each in window if each[3]}) if rule.distinct else len(window)
        if number >= wanted:
            return window
    return []


def _in_sequence(
    rule: Rule, near: list[tuple[int, int, int, str, str]], width: int
) -> list[tuple[int, int, int, str, str]]:
    """The first messages that go through all steps in their order within the time."""
    for start, entry in enumerate(near):
        if entry[2] != 0:
            continue
        step, left, taken = 0, rule.steps[0].count, []
        last = -1
        for each in near[start:]:
            if each[0] > entry[0] + width:
                break
            if each[2] != step or each[1] == last:
                continue
            taken.append(each)
            last = each[1]
            left -= 1
            if not left:
                step += 1
                if step == len(rule.steps):
                    return taken
                left = rule.steps[step].count
    return []


def _is_quiet(rule: Rule, kept: _Kept, at: int) -> bool:
    return kept.said is not None and abs(at - kept.said) < rule.quiet // timedelta(microseconds=1)


def _raised(rule: Rule, group: Group, entries: Sequence[tuple[int, int, int, str, str]], raised: int) -> Raised:
    nodes = {each[4] for each in entries}
    count = len({each[3] for each in entries if each[3]}) if rule.distinct else len({each[1] for each in entries})
    return Raised(
        rule,
        tuple(zip(rule.group, group, strict=True)),
        node=next(iter(nodes)) if len(nodes) == 1 else "",
        raised=raised,
        began=entries[0][0] if entries else raised,
        until=entries[-1][0] if entries else raised,
        count=count,
        messages=tuple(dict.fromkeys(each[1] for each in entries[:_NAMED])),
    )
