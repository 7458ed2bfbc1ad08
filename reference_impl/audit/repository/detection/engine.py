"""Holds messages against the rules: pure, fed with messages and with the time; says what is to be raised.

Counts and sequences go by the times of events, in whatever order the messages come, so a backlog that arrives at once
looks like the days it tells of. What is absent goes by the clock of the repository. Memory is bounded: groups that
nothing happened in for longest are forgotten first.
"""

from __future__ import annotations

import bisect
import heapq
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import product
from typing import Final

from reference_impl.audit.repository.detection.conditions import Seen
from reference_impl.audit.repository.detection.rules import Rule

MOST_GROUPS: Final = 10_000
_MOST_KEPT: Final = 1_000  # messages of a group beside those that the rule counts
_MOST_REMEMBERED: Final = 100_000  # messages of all groups of a rule
_MOST_COMBINATIONS: Final = 16  # groups that one message with several users, say, belongs to
_MOST_ENDS: Final = 16  # messages that may end a sequence, looked at for one that came late
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


Entry = tuple[int, int, int, str, str]
"""A message that a rule remembers: time, number, step, value to be told apart, node."""


@dataclass(slots=True)
class _Kept:
    """What is remembered of a group: messages in the order of time, and those of the last window counted."""

    entries: list[Entry] = field(default_factory=list)
    low: int = 0  # where the last window begins
    values: Counter[str] = field(default_factory=Counter)  # what is to be told apart in it
    said: int | None = None  # the time of the last alert
    expected: bool = False  # something has to come,
    due: int = 0  # until then
    queued: bool = False  # whether there is a look at it to come
    begun: int = 0  # when that after which something is absent happened

    def add(self, entry: Entry, width: int) -> None:
        """Remember a message; `width` is the time of a window."""
        if self.entries and entry < self.entries[-1]:
            place = bisect.bisect(self.entries, entry)
            self.entries.insert(place, entry)
            if place < self.low:
                self.low += 1
                return
            if entry[0] < self.entries[-1][0] - width:
                self.low = place + 1
                return
        else:
            self.entries.append(entry)
        if entry[3]:
            self.values[entry[3]] += 1
        begin = self.entries[-1][0] - width
        while self.entries[self.low][0] < begin:
            if self.entries[self.low][3]:
                _take_out(self.values, self.entries[self.low][3])
            self.low += 1

    def forget(self, number: int) -> None:
        """Forget the first messages."""
        for entry in self.entries[self.low : number]:
            if entry[3]:
                _take_out(self.values, entry[3])
        del self.entries[:number]
        self.low = max(0, self.low - number)

    def clear(self) -> None:
        """Forget all messages."""
        self.entries, self.low = [], 0
        self.values.clear()


class Engine:
    """Remembers what rules need. Not thread-safe. Times are microseconds since 1970 UTC."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._kept: dict[str, OrderedDict[Group, _Kept]] = {rule.id: OrderedDict() for rule in rules}
        self._number: Counter[str] = Counter()  # of messages that are remembered for each rule
        self._looks: list[tuple[int, str, Group]] = []  # when to look next what has not come
        self._by_id = {rule.id: rule for rule in rules}
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
        while self._looks and self._looks[0][0] <= now:
            _, rule_id, group = heapq.heappop(self._looks)
            kept = self._kept[rule_id].get(group)
            if kept is None:
                continue
            kept.queued = False
            if kept.expected and kept.due > now:
                self._look_later(rule_id, group, kept)
                continue
            if not kept.expected:
                continue
            kept.expected = False
            rule = self._by_id[rule_id]
            if not _is_quiet(rule, kept, kept.due):
                kept.said = kept.due
                raised.append(_raised(rule, group, kept.entries, kept.due))
            self._number[rule_id] -= len(kept.entries)
            kept.clear()
        return raised

    def _of_group(self, rule: Rule, group: Group, message: Seen, steps: Sequence[int], ends: bool) -> Iterator[Raised]:
        groups = self._kept[rule.id]
        kept = groups.get(group)
        if kept is None:
            if not steps:
                return
            kept = groups[group] = _Kept()
            if len(groups) > MOST_GROUPS:
                self._number[rule.id] -= len(groups.popitem(last=False)[1].entries)
        groups.move_to_end(group)
        if ends and kept.expected and message.at >= kept.begun:
            kept.expected = False
            self._number[rule.id] -= len(kept.entries)
            kept.clear()
        if not steps:
            return
        value = message.first(rule.distinct) if rule.distinct else ""
        for step in steps:
            kept.add((message.at, message.number, step, value, message.first("node")), _width(rule))
        self._number[rule.id] += len(steps) - _forget_old(rule, kept)
        while self._number[rule.id] > _MOST_REMEMBERED and len(groups) > 1:
            self._number[rule.id] -= len(groups.popitem(last=False)[1].entries)
        if (rule.absent is None and _is_quiet(rule, kept, message.at)) or not kept.entries:
            return
        found = _found(rule, kept, message.at)
        if not found:
            return
        if rule.absent is not None:
            self._expect(rule, group, kept, message)
        else:
            kept.said = message.at
            yield _raised(rule, group, found, message.arrived)

    def _expect(self, rule: Rule, group: Group, kept: _Kept, message: Seen) -> None:
        """From now on something has to come in time."""
        kept.expected, kept.begun = True, message.at
        kept.due = message.arrived + _width(rule)
        if not kept.queued:
            self._look_later(rule.id, group, kept)

    def _look_later(self, rule_id: str, group: Group, kept: _Kept) -> None:
        kept.queued = True
        heapq.heappush(self._looks, (kept.due, rule_id, group))
        if len(self._looks) > 4 * MOST_GROUPS:  # groups that were forgotten and came again
            known = {each for each in self._looks if each[2] in self._kept[each[1]]}
            self._looks = sorted(known)


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


def _width(rule: Rule) -> int:
    return rule.within // timedelta(microseconds=1)


def _forget_old(rule: Rule, kept: _Kept) -> int:
    """Leave no more than is counted; returns how many messages are forgotten."""
    first = len(kept.entries) - _MOST_KEPT - sum(step.count for step in rule.steps)
    if rule.absent is not None and len(rule.steps) == 1 and rule.steps[0].count == 1:
        first = len(kept.entries) - 1  # only the last counts
    if first <= 0:
        return 0
    kept.forget(first)
    return first


def _found(rule: Rule, kept: _Kept, at: int) -> Sequence[Entry]:
    """The messages that fulfil `rule` in a window that holds the time `at`; empty where none do."""
    if len(rule.steps) > 1:
        return _in_sequence(rule, kept.entries, at)
    if at >= kept.entries[-1][0] - _width(rule):
        number = len(kept.values) if rule.distinct else len(kept.entries) - kept.low
        if number >= rule.steps[0].count:
            return kept.entries[kept.low :]
    return _in_earlier_window(rule, kept, at) if kept.low else ()


def _in_earlier_window(rule: Rule, kept: _Kept, at: int) -> Sequence[Entry]:
    """What is counted in a window that holds `at` and begins before the last one, of those that are nearest to it."""
    entries, width, values = kept.entries, _width(rule), kept.values.copy()
    left, right = kept.low, len(entries) - 1
    while left > 0 and entries[left - 1][0] >= at - width:
        left -= 1
        if entries[left][3]:
            values[entries[left][3]] += 1
        while entries[right][0] > entries[left][0] + width:
            if entries[right][3]:
                _take_out(values, entries[right][3])
            right -= 1
        number = len(values) if rule.distinct else right - left + 1
        if number >= rule.steps[0].count and entries[left][0] <= at:
            return entries[left : right + 1]
    return ()


def _in_sequence(rule: Rule, entries: Sequence[Entry], at: int) -> Sequence[Entry]:
    """The last messages that go through all steps in their order within the time, the end of them not before `at`."""
    last, width = len(rule.steps) - 1, _width(rule)
    begin = bisect.bisect_left(entries, (at,))
    ends = [place for place in range(begin, len(entries)) if entries[place][2] == last]
    for end in ends[:_MOST_ENDS]:
        step, left, taken = last, rule.steps[last].count, list[Entry]()
        used: set[int] = set()
        for place in range(end, -1, -1):
            entry = entries[place]
            if entry[0] < entries[end][0] - width:
                break
            if entry[2] != step or entry[1] in used:
                continue
            taken.append(entry)
            used.add(entry[1])
            left -= 1
            if left:
                continue
            if step == 0:
                return taken[::-1]
            step -= 1
            left = rule.steps[step].count
    return ()


def _take_out(values: Counter[str], value: str) -> None:
    values[value] -= 1
    if not values[value]:
        del values[value]


def _is_quiet(rule: Rule, kept: _Kept, at: int) -> bool:
    return kept.said is not None and abs(at - kept.said) < rule.quiet // timedelta(microseconds=1)


def _raised(rule: Rule, group: Group, entries: Sequence[Entry], raised: int) -> Raised:
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
