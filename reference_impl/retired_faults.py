"""What faults break under retired profiles and older wordings.

The tables are ``retired_faults.toml`` (the node) and ``retired_client_faults.toml`` (the client). Such a claim is
judged at a node, or client, that keeps its own profile, so that the rows are kept by node: the same fault breaks other
requirements there, and some show nowhere else.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from reference_impl.transport.client_faults.retired import RETIRED_CLIENT_BEHAVIOURS
from reference_impl.transport.faults.retired import RETIRED_BEHAVIOURS
from reference_impl.transport.profiles import default_edition

_FILES = {
    "tls-server": Path(__file__).with_name("retired_faults.toml"),
    "tls-client": Path(__file__).with_name("retired_client_faults.toml"),
}
_BEHAVIOURS: Mapping[str, Mapping[str, object]] = {
    "tls-server": RETIRED_BEHAVIOURS,
    "tls-client": RETIRED_CLIENT_BEHAVIOURS,
}
_OUTCOMES = ("fail", "warning", "inconclusive", "not_applicable", "pass")

NODES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "B.3": (("B.1", "2018a"), ("B.3", "2018a")),
    "B.10": (("B.9", "2022d"), ("B.10", "2022d")),
    "B.11": (("B.11", "2022d"),),
    "B.13 2023b": (("B.12", "2023b"), ("B.13", "2023b")),
}
"""The nodes and clients, by the profile (and edition) that they keep, with the claims to which they conform."""


@dataclass(frozen=True)
class RetiredFault:
    """What a fault turns at one of `NODES`: by profile, requirement and verdict, umbrellas left out.

    `protocol` is the kind of endpoint that the node has to be.
    """

    id: str
    node: str
    turns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    protocol: str = "dicom-tls"

    @property
    def breaks(self) -> set[tuple[str, str]]:
        """The profiles and requirements that fail or warn."""
        return {
            (profile, name)
            for profile, verdicts in self.turns.items()
            for name, verdict in verdicts.items()
            if verdict in {"fail", "warning"}
        }


def served(node: str) -> tuple[str, str]:
    """Profile and edition that one of `NODES` serves."""
    profile, _, edition = node.partition(" ")
    return profile, edition or default_edition(profile)


@cache
def _table(role: str) -> dict[str, dict[str, Any]]:
    with _FILES[role].open("rb") as file:
        return tomllib.load(file)


def texts(role: str = "tls-server") -> dict[str, str]:
    """The faults that show at these nodes only, with what they are. Raises ValueError where one has no text."""
    found: dict[str, str] = dict(_table(role)["texts"])
    if unknown := found.keys() ^ _BEHAVIOURS[role].keys():
        raise ValueError(f"{_FILES[role].name} and the behaviours disagree on {', '.join(sorted(unknown))}")
    return found


@cache
def retired_faults(role: str = "tls-server") -> tuple[RetiredFault, ...]:
    """Every row of the table for `role`. Raises ValueError for an unknown node, profile or verdict."""
    return tuple(
        _row(name, node, row) for node, rows in _table(role).items() if node != "texts" for name, row in rows.items()
    )


def _row(name: str, node: str, row: Mapping[str, Any]) -> RetiredFault:
    profiles = [profile for profile, _ in NODES[node]] if node in NODES else []
    turns: dict[str, dict[str, str]] = {profile: {} for profile in profiles}
    for scope, by_verdict in row.items():
        if scope == "protocol":
            continue
        if scope not in (*profiles, "all"):
            raise ValueError(f"{node}: {name}: unknown node or profile {scope!r}")
        for verdict, ids in by_verdict.items():
            if verdict not in _OUTCOMES:
                raise ValueError(f"{node}: {name}: {verdict!r} is none of {', '.join(_OUTCOMES)}")
            for profile in profiles if scope == "all" else (scope,):
                turns[profile].update(dict.fromkeys(ids, verdict))
    return RetiredFault(name, node, turns, row.get("protocol", "dicom-tls"))
