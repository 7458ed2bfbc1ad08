"""Detection rules, and the file (TOML) that holds them.

A rule counts messages (`when`, `count`, `distinct`), or follows a sequence of them (`step`); `absent` turns it round:
it speaks where a message does not follow in time. All of it happens within a time and among messages of one group.
"""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal, get_args

from reference_impl.audit.repository.detection.conditions import (
    FIELDS,
    RulesError,
    Test,
    condition,
    duration,
)

Severity = Literal["note", "warning", "critical"]
DEFAULT_RULES: Final = Path(__file__).with_name("default.toml")
"""The rules that are used where no file is given."""
_MOST_OCTETS: Final = 1 << 20
_MOST_RULES: Final = 500
_MOST_COUNT: Final = 10_000
_LONGEST: Final = timedelta(days=31)
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_KEYS: Final = frozenset(
    "id title text severity when group count distinct within step absent quiet send enabled".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Step:
    """Part of a sequence: `count` messages that pass `test`."""

    test: Test
    count: int = 1


@dataclass(frozen=True, slots=True)
class Rule:
    """A detection rule. `definition` is the table it was read from, to be shown."""

    id: str
    title: str  # with places for count, within and the fields of group
    text: str
    severity: Severity
    steps: tuple[Step, ...]
    group: tuple[str, ...]
    distinct: str  # field whose different values are counted, instead of messages; empty: messages
    within: timedelta
    absent: Test | None
    quiet: timedelta  # the same is not said again for so long
    send: bool  # a Security Alert message is written into the trail, too
    definition: Mapping[str, Any]

    @property
    def tables(self) -> tuple[Mapping[str, Any], ...]:
        """The conditions of the steps, as they were read."""
        return tuple(
            each["when"] for each in ([self.definition] if "when" in self.definition else self.definition["step"])
        )


def load_rules(path: Path | None = None) -> tuple[Rule, ...]:
    """The rules of a file, or those that come with this package. Raises `RulesError` with the place of a mistake."""
    source = path or DEFAULT_RULES
    try:
        with source.open("rb") as opened:
            octets = opened.read(_MOST_OCTETS + 1)
    except OSError as problem:
        raise RulesError(f"{source}: cannot be read: {problem.strerror}") from None
    if len(octets) > _MOST_OCTETS:
        raise RulesError(f"{source}: has more than {_MOST_OCTETS} octets; is it a rules file?")
    try:
        return read_rules(octets.decode())
    except UnicodeDecodeError:
        raise RulesError(f"{source}: is no UTF-8; save it as UTF-8") from None
    except RulesError as problem:
        raise RulesError(f"{source}: {problem}") from None


def read_rules(text: str) -> tuple[Rule, ...]:
    """The rules in `text` (TOML). Raises `RulesError`."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise RulesError(f"is no TOML: {problem}") from None
    except RecursionError:
        raise RulesError("is nested too deep") from None
    listed = table.pop("rule", [])
    if table:
        raise RulesError(f"{next(iter(table))}: there are only [[rule]] tables")
    if not isinstance(listed, list) or len(listed) > _MOST_RULES:
        raise RulesError(f"rule: give [[rule]] tables, {_MOST_RULES} at most")
    rules: dict[str, Rule] = {}
    for number, each in enumerate(listed, 1):
        rule = _rule(each, number)
        if rule.id in rules:
            raise RulesError(f"rule {number} ({rule.id}).id: there is another rule with this id")
        if each.get("enabled", True):
            rules[rule.id] = rule
    return tuple(rules.values())


def _rule(table: object, number: int) -> Rule:
    if not isinstance(table, dict):
        raise RulesError(f"rule {number}: give a [[rule]] table")
    identity = table.get("id")
    if not isinstance(identity, str) or not _ID.fullmatch(identity):
        raise RulesError(f'rule {number}.id: give an id of letters, digits, "-", "_" and "."')
    where = f"rule {number} ({identity})"
    for key in table:
        if key not in _KEYS:
            raise RulesError(f"{where}.{key}: there is no such key; there are {', '.join(sorted(_KEYS))}")
    _check_kinds(table, where)
    group = _group(table.get("group", []), where)
    steps = _steps(table, where)
    distinct = table.get("distinct", "")
    if distinct and (distinct not in FIELDS or "step" in table):
        raise RulesError(f"{where}.distinct: name one field of messages, in a rule with when; {distinct!r} is none")
    absent = condition(table["absent"], f"{where}.absent") if "absent" in table else None
    several = len(steps) > 1 or steps[0].count > 1 or absent is not None
    if several and "within" not in table:
        raise RulesError(f'{where}.within: say within which time, "5 min" for example')
    within = duration(table.get("within", "1 s"), f"{where}.within")
    quiet = duration(table["quiet"], f"{where}.quiet") if "quiet" in table else within
    if max(within, quiet) > _LONGEST:
        raise RulesError(f"{where}.within: times are {_LONGEST.days} days at most")
    title = _title(table.get("title", identity), group, where)
    severity = table.get("severity", "warning")
    return Rule(
        identity, title, table.get("text", ""), severity, steps, group, distinct, within, absent, quiet,
        table.get("send", False), table,
    )  # fmt: skip


def _check_kinds(table: Mapping[str, Any], where: str) -> None:
    for key, kind, called in (
        ("title", str, "a text"),
        ("text", str, "a text"),
        ("distinct", str, "a text"),
        ("send", bool, "true or false"),
        ("enabled", bool, "true or false"),
    ):
        if key in table and not isinstance(table[key], kind):
            raise RulesError(f"{where}.{key}: give {called}")
    if table.get("severity", "warning") not in get_args(Severity):
        raise RulesError(f"{where}.severity: severities are {', '.join(get_args(Severity))}")
    if ("when" in table) == ("step" in table):
        raise RulesError(f"{where}: give either when, or several [[rule.step]]")


def _steps(table: Mapping[str, Any], where: str) -> tuple[Step, ...]:
    if "when" in table:
        count = _count(table.get("count", 1), f"{where}.count")
        return (Step(condition(table["when"], f"{where}.when"), count),)
    if "count" in table:
        raise RulesError(f"{where}.count: in a sequence each [[rule.step]] has its own")
    listed = table["step"]
    if not isinstance(listed, list) or not 1 <= len(listed) <= 10:
        raise RulesError(f"{where}.step: give one to ten [[rule.step]] tables")
    steps = []
    for number, each in enumerate(listed, 1):
        here = f"{where}.step[{number}]"
        if not isinstance(each, dict) or not {"when"} <= set(each) <= {"when", "count"}:
            raise RulesError(f"{here}: a step has when, and may have count")
        count = _count(each.get("count", 1), f"{here}.count")
        steps.append(Step(condition(each["when"], f"{here}.when"), count))
    return tuple(steps)


def _count(value: object, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MOST_COUNT:
        raise RulesError(f"{where}: give a number from 1 to {_MOST_COUNT}")
    return value


def _group(value: object, where: str) -> tuple[str, ...]:
    fields = [value] if isinstance(value, str) else value
    if not isinstance(fields, list) or any(each not in FIELDS for each in fields):
        raise RulesError(f"{where}.group: give a list of fields; there are {', '.join(sorted(FIELDS))}")
    return tuple(fields)


def _title(value: str, group: tuple[str, ...], where: str) -> str:
    """A title, with nothing in braces but what is known when it is filled in."""
    known = {"count", "within", *group}
    try:
        parts = list(string.Formatter().parse(value))
    except ValueError as problem:
        raise RulesError(f"{where}.title: {problem}") from None
    for _, name, form, conversion in parts:
        if name is not None and (name not in known or form or conversion):
            raise RulesError(f"{where}.title: {{{name}}} is not known; there are {', '.join(sorted(known))}")
    return value
