"""Reading the tables of faults: one file for each role, checked against what is implemented."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

ROLES = {"tls-server": "server", "tls-client": "client"}
"""The roles of connections that faults are made for, as the names of their tables have them."""
OBJECT_ROLES = {
    "signature-creator": "signature_creator",
    "signature-verifier": "signature_verifier",
    "instance-storer": "instance_storer",
    "audit-source": "audit_source",
    "audit-repository": "audit_repository",
}
"""The same for the roles of objects."""
_OUTCOMES = ("fail", "warning", "inconclusive", "not_applicable", "pass")


class UnknownFaultError(ValueError):
    """A fault was named that does not exist."""


def known_names(names: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """Return `names` without repetition. Raises `UnknownFaultError`, with close names, for one that is not `known`."""
    chosen, there = tuple(dict.fromkeys(names)), tuple(known)
    for name in chosen:
        if name not in there:
            close = difflib.get_close_matches(name, there, n=5, cutoff=0.4)
            hint = f"; did you mean {', '.join(close)}?" if close else ""
            raise UnknownFaultError(f"there is no fault {name!r}{hint}")
    return chosen


def table_name(kind: str, role: str) -> str:
    """The file of a `kind` ("", "retired", "beside") of faults."""
    return f"{kind}{kind and '_'}{(ROLES | OBJECT_ROLES)[role]}.toml"


@cache
def table(kind: str, role: str) -> Mapping[str, Any]:
    """The table of a `kind` of faults for `role`. Raises OSError, TOMLDecodeError."""
    with Path(__file__).with_name(table_name(kind, role)).open("rb") as file:
        return tomllib.load(file)


def texts_of(kind: str, role: str, implemented: Iterable[str]) -> dict[str, str]:
    """The faults that a table introduces, with what they are. Raises ValueError where others are implemented."""
    found: dict[str, str] = dict(table(kind, role)["texts"])
    check_same(kind, role, found, implemented)
    return found


def check_same(kind: str, role: str, named: Iterable[str], implemented: Iterable[str]) -> None:
    """Raise ValueError for faults that are named in a table and not implemented, or the other way round."""
    if unknown := set(named) ^ set(implemented):
        raise ValueError(f"{table_name(kind, role)} and the behaviours disagree on {', '.join(sorted(unknown))}")


def check_outcome(kind: str, role: str, fault: str, verdict: str) -> None:
    """Raise ValueError for a verdict that is none."""
    if verdict not in _OUTCOMES:
        raise ValueError(f"{table_name(kind, role)}: {fault}: {verdict!r} is none of {', '.join(_OUTCOMES)}")
