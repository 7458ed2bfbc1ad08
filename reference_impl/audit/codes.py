"""Codes of audit messages: the context groups of PS3.16 and the value sets of PS3.15 A.5.1.2 (`tables/codes.toml`)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from reference_impl.audit.model import Code

_TABLE = Path(__file__).parent / "tables" / "codes.toml"
DCM: Final = "DCM"
NOT_PHYSICAL: Final = frozenset({"110031", "110037"})
"""Media types of CID 405 that are no physical media: e-mail and URI."""
RFC_3881: Final = "RFC-3881"
"""What IHE ITI-20 names as codeSystemName of the numbers of A.5.1.2.4; the standard itself names none."""


@dataclass(frozen=True, slots=True)
class Group:
    """A context group: its codes (of scheme DCM) with their meanings. An incomplete one neither confirms nor doubts."""

    cid: int
    name: str
    complete: bool
    codes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ValueSet:
    """Values of one field with their meanings; `likely_types`: participant object types that go with a value."""

    name: str
    section: str
    table: str
    values: Mapping[str, str]
    likely_types: Mapping[str, tuple[str, ...]]


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(_TABLE.read_text(encoding="utf-8"))


@cache
def edition() -> str:
    """The edition of PS3.15 whose codes these are."""
    return str(_table()["edition"])


@cache
def groups() -> Mapping[int, Group]:
    """Context groups by number, 400 to 406."""
    return MappingProxyType(
        {
            int(cid): Group(int(cid), row["name"], row["complete"], MappingProxyType(row["codes"]))
            for cid, row in _table()["groups"].items()
        }
    )


@cache
def value_sets() -> Mapping[str, ValueSet]:
    """Value sets by name: "participant-object-role", "network-access-point-type", ..."""
    return MappingProxyType(
        {
            name: ValueSet(
                name,
                row["section"],
                row["table"],
                MappingProxyType(row["values"]),
                MappingProxyType({value: tuple(types) for value, types in row.get("likely_types", {}).items()}),
            )
            for name, row in _table()["value_sets"].items()
        }
    )


@cache
def _meanings() -> Mapping[str, str]:
    return MappingProxyType({code: text for group in groups().values() for code, text in group.codes.items()})


@cache
def dcm(code: str) -> Code:
    """A code of scheme DCM with its meaning. Raises KeyError for one that no group lists."""
    return Code(code, DCM, _meanings()[code])


@cache
def id_type(value: str) -> Code:
    """A number of A.5.1.2.4 ("2", Patient Number) as a coded value. Raises KeyError for one that is not listed."""
    return Code(value, RFC_3881, value_sets()["participant-object-id-type"].values[value])


@cache
def source_type(value: str) -> Code:
    """A number of A.5.1.2.1 as the bare digit that the schema allows. Raises ValueError for one that is not listed."""
    if value not in value_sets()["audit-source-type"].values:
        raise ValueError(f"{value!r} is no audit source type of A.5.1.2.1")
    return Code(value)
