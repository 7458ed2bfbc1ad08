"""Conditions of detection rules: what a message has to hold, as tables of a rules file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reference_impl.audit.repository.facts import KINDS, Received, moment_of

FIELDS: Final = frozenset({*(kind.replace("-", "_") for kind in KINDS), "transport"})
"""Fields of a message that conditions name and rules group by: the kinds of values, and the way it came."""
_NESTED: Final = ("any", "all", "none")
_UNITS: Final = {"s": 1, "min": 60, "h": 3600, "d": 86400}
_DURATION: Final = re.compile(r"(\d{1,6}(?:\.\d{1,3})?) ?(s|min|h|d)")
_TIMES: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_DEEPEST: Final = 10
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class RulesError(ValueError):
    """A rules file is wrong: one sentence with the place in it."""


class Seen:
    """A stored message as rules see it: number, and times in microseconds since 1970 UTC; of one event at most.

    `ahead`: how far the event's time lies before its arrival when negative, after it when positive; None: not told.
    Values are sought as they are asked for: most messages are asked for few.
    """

    __slots__ = ("_packed", "_text", "ahead", "arrived", "at", "event", "node", "number", "transport")

    def __init__(self, received: Received, number: int) -> None:
        _, arrived, self.transport, _, _, facts = received
        self.number, self.arrived = number, arrived
        self.event, self.node, self._packed = facts.event, facts.node, facts.values
        self._text = ""
        told = facts.event_time
        if told is None:
            self.at, self.ahead = arrived, None
        else:
            self.at = arrived if "future" in facts.marks else told
            self.ahead = told - arrived

    def of(self, kind: str) -> Sequence[str]:
        """The values of a kind, or of "transport"."""
        if kind == "transport":
            return (self.transport,)
        text, begins = self._text or self._unpacked(), f"\0{kind}="
        values = []
        place = text.find(begins)
        while place >= 0:
            start = place + len(begins)
            place = text.find("\0", start)
            values.append(text[start:place])
            place = text.find(begins, place)
        return values

    def first(self, kind: str) -> str:
        """The first value of a kind, empty where there is none."""
        return next(iter(self.of(kind)), "")

    def _unpacked(self) -> str:
        """Kinds and values with a NUL before and after each."""
        text = self._text = f"\0{self._packed.decode()}\0"
        return text


Test = Callable[[Seen], bool]


def kind_of(field: str) -> str:
    """The kind of values that a field of a rules file names."""
    return field.replace("_", "-")


def duration(text: object, where: str) -> timedelta:
    """A time like "90 s", "5 min", "1.5 h", "2 d". Raises `RulesError`."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None or not float(found[1]):
        raise RulesError(f'{where}: a time is written like "90 s", "5 min", "2 h", "1 d", not {text!r}')
    return timedelta(seconds=float(found[1]) * _UNITS[found[2]])


def condition(table: object, where: str, depth: int = 0) -> Test:
    """What a table of a rules file demands of a message: all of its keys. Raises `RulesError`."""
    if not isinstance(table, dict):
        raise RulesError(f'{where}: a condition is a table, {{ event = "110114" }} for example')
    if depth > _DEEPEST:
        raise RulesError(f"{where}: conditions are nested too deep")
    zone = _zone(table.get("zone"), where)
    tests = [_test(key, value, f"{where}.{key}", zone, depth) for key, value in table.items() if key != "zone"]
    if len(tests) == 1:
        return tests[0]
    return lambda message: all(test(message) for test in tests)


def events_of(table: Mapping[str, Any]) -> frozenset[str] | None:
    """The events, in lower case, of which a message has to be one that a condition holds of; None: it may be any."""
    value = table.get("event")
    wanted: list[Any] = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str) and not each.endswith("*") for each in wanted):
        return None
    return frozenset(each.casefold() for each in wanted)


def beside_event(table: Mapping[str, Any]) -> Test | None:
    """What a condition that was read before demands of a message that is of one of its `events_of`; None: no more."""
    rest = {key: value for key, value in table.items() if key != "event" or events_of(table) is None}
    return condition(rest, "") if rest.keys() - {"zone"} else None


def _test(key: str, value: object, where: str, zone: tzinfo, depth: int) -> Test:
    if key in _NESTED:
        return _nested(key, value, where, depth)
    if key in {"ahead", "late"}:
        return _apart(key, value, where)
    if key == "time":
        return _at_time(value, where, zone)
    if key == "day":
        return _on_day(value, where, zone)
    if key not in FIELDS:
        from difflib import get_close_matches

        known = (*sorted(FIELDS), *_NESTED, "ahead", "late", "time", "day", "zone")
        close = get_close_matches(key, known, 1)
        hint = f"; is {close[0]} meant?" if close else f"; there are {', '.join(known)}"
        raise RulesError(f"{where}: there is no such field{hint}")
    if isinstance(value, dict):
        if set(value) != {"not"}:
            raise RulesError(f'{where}: a table here has the one key "not"')
        inner = _holds(key, value["not"], where)
        return lambda message: not inner(message)
    return _holds(key, value, where)


def _holds(field: str, value: object, where: str) -> Test:
    """That one value of the field is one of those given; "*" at the end means all that begin so."""
    wanted: list[Any] = value if isinstance(value, list) else [value]
    if not wanted or not all(isinstance(each, str) and each for each in wanted):
        raise RulesError(f"{where}: give a text, or a list of texts; codes are texts, too")
    exact = frozenset(each.casefold() for each in wanted if not each.endswith("*"))
    begins = tuple(each[:-1].casefold() for each in wanted if each.endswith("*"))
    kind = kind_of(field)
    if kind == "node" and "" in begins:
        return lambda message: bool(message.node)
    if "" in begins:
        return lambda message: bool(message.of(kind))

    def holds(message: Seen) -> bool:
        for each in message.of(kind):
            folded = each.casefold()
            if folded in exact or (begins and folded.startswith(begins)):
                return True
        return False

    return holds


def _nested(key: str, value: object, where: str, depth: int) -> Test:
    if not isinstance(value, list) or not value:
        raise RulesError(f"{where}: give a list of conditions")
    tests = [condition(each, f"{where}[{number}]", depth + 1) for number, each in enumerate(value, 1)]
    if key == "any":
        return lambda message: any(test(message) for test in tests)
    if key == "all":
        return lambda message: all(test(message) for test in tests)
    return lambda message: not any(test(message) for test in tests)


def _apart(key: str, value: object, where: str) -> Test:
    """That the event's time is ahead of its arrival, or so late, by more than a time."""
    least = duration(value, where) // timedelta(microseconds=1)
    sign = 1 if key == "ahead" else -1
    return lambda message: message.ahead is not None and sign * message.ahead > least


def _at_time(value: object, where: str, zone: tzinfo) -> Test:
    found = _TIMES.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise RulesError(f'{where}: a time of day is written like "22:00-06:00", not {value!r}')
    numbers = [int(each) for each in found.groups()]
    begin, end = time(numbers[0], numbers[1]), time(numbers[2], numbers[3])

    def at_time(message: Seen) -> bool:
        now = _local(message, zone).time()
        return begin <= now < end if begin < end else now >= begin or now < end

    return at_time


def _on_day(value: object, where: str, zone: tzinfo) -> Test:
    wanted = value if isinstance(value, list) else [value]
    if not wanted or any(each not in _DAYS for each in wanted):
        raise RulesError(f"{where}: days are {', '.join(_DAYS)}")
    days = frozenset(_DAYS.index(each) for each in wanted)
    return lambda message: _local(message, zone).weekday() in days


def _local(message: Seen, zone: tzinfo) -> datetime:
    return moment_of(message.at).astimezone(zone)


def _zone(name: Any, where: str) -> tzinfo:
    if name is None:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise RulesError(f'{where}.zone: {name!r} is no time zone; write one like "Europe/Berlin"') from None
