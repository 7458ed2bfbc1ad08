"""The tables of PS3.15 A.5.3 and the conventions of A.5.2 as data, with edition and paragraphs.

`tables/messages.json` holds every row of the fifteen messages, `tables/conventions.toml` what holds for all of them.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast

Kind = Literal["fixed", "enumerated", "defined", "extensible", "text", "general"]
"""How a row constrains its field: to one value or to some, to terms or a context group that may be extended, in prose,
or not further than A.5.2 does."""
Optionality = Literal["M", "MC", "U", "UC", "C"]
Level = Literal["shall", "should", "may"]

_TABLES = Path(__file__).with_name("tables")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: `values` are literal ones, `codes` of DCM, `groups` CIDs of PS3.16; `rules` judge it."""

    field: str
    optionality: Optionality
    kind: Kind
    rules: tuple[str, ...]
    paragraph: str
    values: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    groups: tuple[int, ...] = ()
    condition: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """The rows about one thing in the real world, which `least` to `most` elements stand for; None: any number."""

    name: str
    title: str
    element: str
    least: int
    most: int | None
    rows: tuple[Row, ...]

    def row(self, field: str) -> Row | None:
        """The row of a field, None where the part has none."""
        return next((row for row in self.rows if row.field == field), None)


@dataclass(frozen=True, slots=True)
class MessageTable:
    """One of the fifteen messages; `event` is the code of DCM that its EventID has."""

    section: str
    name: str
    event: str
    parts: tuple[Part, ...]

    def part(self, name: str) -> Part:
        """Raises KeyError where the message has no such part."""
        for part in self.parts:
            if part.name == name:
                return part
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Convention:
    """Something that holds for every message: `rule` judges it, `fields` are concerned, `paragraphs` say it."""

    rule: str
    level: Level
    section: str
    text: str
    fields: tuple[str, ...]
    paragraphs: tuple[str, ...]


@cache
def messages() -> Mapping[str, MessageTable]:
    """The fifteen messages by section ("A.5.3.1")."""
    return MappingProxyType({each["section"]: _message(each) for each in _document()["messages"]})


@cache
def by_event() -> Mapping[str, MessageTable]:
    """The fifteen messages by the code of their EventID."""
    return MappingProxyType({each.event: each for each in messages().values()})


@cache
def conventions() -> Mapping[str, Convention]:
    """The conventions by rule, in the order of the standard."""
    table = tomllib.loads((_TABLES / "conventions.toml").read_text(encoding="utf-8"))
    return MappingProxyType(
        {
            rule: Convention(
                rule, each["level"], each["section"], each["text"], tuple(each["fields"]), tuple(each["paragraphs"])
            )
            for rule, each in table["rules"].items()
        }
    )


def edition() -> str:
    """The edition of PS3.15 that the tables are from."""
    return str(_document()["edition"])


@cache
def _document() -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads((_TABLES / "messages.json").read_text(encoding="utf-8")))


def _message(entry: dict[str, Any]) -> MessageTable:
    parts = tuple(_part(each) for each in entry["parts"])
    event = parts[0].rows[0].codes[0]
    return MessageTable(entry["section"], entry["name"], event, parts)


def _part(entry: dict[str, Any]) -> Part:
    least, _, most = entry["cardinality"].partition("..")
    return Part(
        entry["part"],
        title=entry["title"],
        element=entry["element"],
        least=int(least),
        most=None if most == "N" else int(most or least),
        rows=tuple(
            Row(
                each["field"],
                optionality=each["optionality"],
                kind=each["kind"],
                rules=tuple(each["rules"]),
                paragraph=each["paragraph"],
                values=tuple(each.get("values", ())),
                codes=tuple(each.get("codes", ())),
                groups=tuple(each.get("groups", ())),
                condition=each.get("condition", ""),
            )
            for each in entry["rows"]
        ),
    )
