"""What is remembered of the messages that one rule counts or follows, group by group; memory is bounded.

Groups that nothing happened in for longest are forgotten first.
"""

from __future__ import annotations

import bisect
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice, product
from typing import Final

from reference_impl.audit.repository.detection.conditions import Seen, kind_of
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
class Kept:
    """What is remembered of a group: messages in the order of time, and those of the last window counted."""

    entries: list[Entry] = field(default_factory=list)
    low: int = 0  # where the last window begins
    values: dict[str, int] = field(default_factory=dict)  # what is to be told apart in it, and how often it is there
    said: int | None = None  # the time of the last alert
    expected: bool = False  # something has to come,
    due: int = 0  # until then
    queued: bool = False  # whether there is a look at it to come
    begun: int = 0  # when that after which something is absent happened

    def add(self, entry: Entry, width: int) -> None:
        """Remember a message; `width` is the time of a window."""
        entries = self.entries
        if entries and entry < entries[-1]:
            place = bisect.bisect(entries, entry)
            entries.insert(place, entry)
            if place < self.low:
                self.low += 1
                return
            if entry[0] < entries[-1][0] - width:
                self.low = place + 1
                return
        else:
            entries.append(entry)
        if value := entry[3]:
            values = self.values
            values[value] = values.get(value, 0) + 1
        begin = entries[-1][0] - width
        if entries[self.low][0] < begin:
            self.slide(begin)

    def slide(self, begin: int) -> None:
        """The last window begins at the time `begin` now."""
        entries, low = self.entries, self.low
        while entries[low][0] < begin:
            if value := entries[low][3]:
                _take_out(self.values, value)
            low += 1
        self.low = low

    def forget(self, number: int) -> None:
        """Forget the first messages."""
        entries, low = self.entries, self.low
        for place in range(low, number):
            if value := entries[place][3]:
                _take_out(self.values, value)
        del entries[:number]
        self.low = low - number if low > number else 0

    def clear(self) -> None:
        """Forget all messages."""
        self.entries, self.low = [], 0
        self.values.clear()


Later = Callable[["Memory", Group, Kept], None]
"""Is told of a group in which something has to come until `due`, and is to be looked at then."""


class Memory:
    """Remembers what one rule needs. Right for every rule; `memory_of` has faster ones for the usual."""

    def __init__(self, rule: Rule, later: Later) -> None:
        self.rule = rule
        self.groups: OrderedDict[Group, Kept] = OrderedDict()
        self._later = later
        self._number = 0  # of messages that are remembered
        self._width, self._quiet = _microseconds(rule.within), _microseconds(rule.quiet)
        self._kinds = tuple(kind_of(each) for each in rule.group)
        self._kind = self._kinds[0] if len(self._kinds) == 1 else ""
        self._distinct = kind_of(rule.distinct)
        last_counts = rule.absent is not None and len(rule.steps) == 1 and rule.steps[0].count == 1
        self._most = 1 if last_counts else _MOST_KEPT + sum(step.count for step in rule.steps)

    def take(self, message: Seen, steps: Sequence[int], ends: bool, raised: list[Raised]) -> None:
        """A message goes through these of the rule's steps, or `ends` the wait; adds to what is raised."""
        entry = self._entry(message)
        at = message.at
        for group in self._groups_of(message):
            kept = self.groups.get(group)
            if kept is None:
                if not steps:
                    continue
                kept = self._begin(group)
            self.groups.move_to_end(group)
            if ends and kept.expected and at >= kept.begun:
                kept.expected = False
                self._clear(kept)
            if not steps:
                continue
            for step in steps:
                kept.add((*entry[:2], step, *entry[3:]), self._width)
            self._number += len(steps)
            self._shorten(kept)
            if self.rule.absent is None:
                if not self._is_quiet(kept, at) and (found := self._found(kept, at)):
                    kept.said = at
                    raised.append(self._raised(group, found, message.arrived))
            elif self._found(kept, at):
                self._expect(group, kept, message)

    def tick(self, group: Group, kept: Kept) -> Raised | None:
        """What had to come in a group by its time has not come."""
        kept.expected = False
        raised = None
        if not self._is_quiet(kept, kept.due):
            kept.said = kept.due
            raised = self._raised(group, kept.entries, kept.due)
        self._clear(kept)
        return raised

    def _groups_of(self, message: Seen) -> Iterable[Group]:
        """The groups a message belongs to: one for each combination of its values; none where it has no such value."""
        if kind := self._kind:
            return [(value,) for value in message.of(kind)[:_MOST_COMBINATIONS]]
        return islice(product(*(message.of(each)[:_MOST_COMBINATIONS] for each in self._kinds)), _MOST_COMBINATIONS)

    def _entry(self, message: Seen) -> Entry:
        """What is remembered of a message, for the first step."""
        value = message.first(self._distinct) if self._distinct else ""
        return (message.at, message.number, 0, value, message.node)

    def _begin(self, group: Group) -> Kept:
        """Remember a group that is new."""
        kept = self.groups[group] = Kept()
        if len(self.groups) > MOST_GROUPS:
            self._forget_group()
        return kept

    def _shorten(self, kept: Kept) -> None:
        """Forget what is too much, of the group where something just happened, or whole groups."""
        excess = len(kept.entries) - self._most
        if excess > 0:
            kept.forget(excess)
            self._number -= excess
        while self._number > _MOST_REMEMBERED and len(self.groups) > 1:
            self._forget_group()

    def _clear(self, kept: Kept) -> None:
        self._number -= len(kept.entries)
        kept.clear()

    def _forget_group(self) -> None:
        self._number -= len(self.groups.popitem(last=False)[1].entries)

    def _is_quiet(self, kept: Kept, at: int) -> bool:
        return kept.said is not None and abs(at - kept.said) < self._quiet

    def _expect(self, group: Group, kept: Kept, message: Seen) -> None:
        """From now on something has to come in time."""
        kept.expected, kept.begun, kept.due = True, message.at, message.arrived + self._width
        if not kept.queued:
            self._later(self, group, kept)

    def _found(self, kept: Kept, at: int) -> Sequence[Entry]:
        """The messages that fulfil the rule in a window that holds the time `at`; empty where none do."""
        steps = self.rule.steps
        if len(steps) > 1:
            return in_sequence(kept.entries, at, self._width, [step.count for step in steps])
        return counted(kept, at, self._width, steps[0].count, distinct=bool(self._distinct))

    def _raised(self, group: Group, entries: Sequence[Entry], raised: int) -> Raised:
        nodes = {each[4] for each in entries}
        told_apart: Iterable[object] = (each[3] for each in entries if each[3])
        return Raised(
            self.rule,
            tuple(zip(self.rule.group, group, strict=True)),
            node=next(iter(nodes)) if len(nodes) == 1 else "",
            raised=raised,
            began=entries[0][0] if entries else raised,
            until=entries[-1][0] if entries else raised,
            count=len(set(told_apart) if self._distinct else {each[1] for each in entries}),
            messages=tuple(dict.fromkeys(each[1] for each in entries[:_NAMED])),
        )


class Counting(Memory):
    """For a rule that counts messages, or their different values: `Memory`, without what only others need."""

    def take(self, message: Seen, steps: Sequence[int], ends: bool, raised: list[Raised]) -> None:  # noqa: ARG002
        """A message counts."""
        groups, width, distinct, most = self.groups, self._width, self._distinct, self._most
        wanted = self.rule.steps[0].count
        at = message.at
        entry = self._entry(message)
        value = entry[3]
        for group in self._groups_of(message):
            kept = groups.get(group) or self._begin(group)
            groups.move_to_end(group)
            entries = kept.entries
            if entries and entry < entries[-1]:
                kept.add(entry, width)
            else:
                entries.append(entry)
                if value:
                    kept.values[value] = kept.values.get(value, 0) + 1
                if entries[kept.low][0] < at - width:
                    kept.slide(at - width)
            self._number += 1
            if len(entries) > most or self._number > _MOST_REMEMBERED:
                self._shorten(kept)
            enough = kept.low or (len(kept.values) if distinct else len(entries)) >= wanted
            if enough and not self._is_quiet(kept, at) and (found := self._found(kept, at)):
                kept.said = at
                raised.append(self._raised(group, found, message.arrived))


class Awaiting(Memory):
    """For a rule that waits after each message anew: `Memory`, where nothing but the last message counts."""

    def take(self, message: Seen, steps: Sequence[int], ends: bool, raised: list[Raised]) -> None:  # noqa: ARG002
        """A message is the last one, or `ends` the wait."""
        at, groups, width = message.at, self.groups, self._width
        for group in ((message.node,),) if self._kind == "node" and message.node else self._groups_of(message):
            kept = groups.get(group)
            if kept is None:
                if not steps:
                    continue
                kept = self._begin(group)
            groups.move_to_end(group)
            entries = kept.entries
            if ends and kept.expected and at >= kept.begun:
                kept.expected = False
                self._number -= len(entries)
                entries.clear()
            if not steps:
                continue
            entry = (at, message.number, 0, "", message.node)
            if not entries:
                entries.append(entry)
                self._number += 1
                while self._number > _MOST_REMEMBERED and len(groups) > 1:
                    self._forget_group()
            elif entry >= entries[0]:
                entries[0] = entry
            elif at < entries[0][0] - width:
                continue
            kept.expected, kept.begun, kept.due = True, at, message.arrived + width
            if not kept.queued:
                self._later(self, group, kept)


def memory_of(rule: Rule, later: Later) -> Memory:
    """What remembers for `rule`, in the fastest way."""
    single = len(rule.steps) == 1
    if single and rule.absent is None:
        return Counting(rule, later)
    if single and rule.steps[0].count == 1 and not rule.distinct:
        return Awaiting(rule, later)
    return Memory(rule, later)


def counted(kept: Kept, at: int, width: int, wanted: int, *, distinct: bool) -> Sequence[Entry]:
    """The messages, where they or their different values are as many as `wanted`, in a window that holds `at`."""
    entries, low = kept.entries, kept.low
    if at >= entries[-1][0] - width:
        number = len(kept.values) if distinct else len(entries) - low
        if number >= wanted:
            return entries[low:]
    if not low or entries[low - 1][0] < at - width:
        return ()
    return _in_earlier_window(kept, at, width, wanted, distinct=distinct)


def _in_earlier_window(kept: Kept, at: int, width: int, wanted: int, *, distinct: bool) -> Sequence[Entry]:
    """What is counted in a window that holds `at` and begins before the last one, of those that are nearest to it."""
    entries, values = kept.entries, kept.values.copy()
    left, right = kept.low, len(entries) - 1
    while left > 0 and entries[left - 1][0] >= at - width:
        left -= 1
        if value := entries[left][3]:
            values[value] = values.get(value, 0) + 1
        while entries[right][0] > entries[left][0] + width:
            if value := entries[right][3]:
                _take_out(values, value)
            right -= 1
        number = len(values) if distinct else right - left + 1
        if number >= wanted and entries[left][0] <= at:
            return entries[left : right + 1]
    return ()


def in_sequence(entries: Sequence[Entry], at: int, width: int, counts: Sequence[int]) -> Sequence[Entry]:
    """The last messages that go through all steps in their order within `width`, the end of them not before `at`.

    Of each step there are as many as `counts` tells.
    """
    last = len(counts) - 1
    begin = bisect.bisect_left(entries, (at,))
    ends = [place for place in range(begin, len(entries)) if entries[place][2] == last]
    for end in ends[:_MOST_ENDS]:
        step, left, taken = last, counts[last], list[Entry]()
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
            left = counts[step]
    return ()


def spoken(time: timedelta) -> str:
    """A time as it is written in rules."""
    seconds = time.total_seconds()
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit and seconds % unit == 0:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:g} s"


def _microseconds(time: timedelta) -> int:
    return time // timedelta(microseconds=1)


def _take_out(values: dict[str, int], value: str) -> None:
    if values[value] > 1:
        values[value] -= 1
    else:
        del values[value]
