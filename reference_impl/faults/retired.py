"""What faults break under retired profiles and older wordings.

The tables are ``retired_server.toml`` (the node) and ``retired_client.toml``. Such a claim is
judged at a node, or client, that keeps its own profile, so that the rows are kept by node: the same fault breaks other
requirements there, and some show nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from reference_impl.faults.tables import check_outcome, table, texts_of
from reference_impl.transport.client_faults.retired import RETIRED_CLIENT_BEHAVIOURS
from reference_impl.transport.faults.retired import RETIRED_BEHAVIOURS
from reference_impl.transport.profiles import default_edition

_KIND = "retired"
_BEHAVIOURS: Mapping[str, Mapping[str, object]] = {
    "tls-server": RETIRED_BEHAVIOURS,
    "tls-client": RETIRED_CLIENT_BEHAVIOURS,
}

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


def texts(role: str = "tls-server") -> dict[str, str]:
    """The faults that show at these nodes only, with what they are. Raises ValueError where one has no text."""
    return texts_of(_KIND, role, _BEHAVIOURS[role])


@cache
def retired_faults(role: str = "tls-server") -> tuple[RetiredFault, ...]:
    """Every row of the table for `role`. Raises ValueError for an unknown node, profile or verdict."""
    return tuple(
        _row(role, name, node, row)
        for node, rows in table(_KIND, role).items()
        if node != "texts"
        for name, row in rows.items()
    )


def _row(role: str, name: str, node: str, row: Mapping[str, Any]) -> RetiredFault:
    profiles = [profile for profile, _ in NODES[node]] if node in NODES else []
    turns: dict[str, dict[str, str]] = {profile: {} for profile in profiles}
    for scope, by_verdict in row.items():
        if scope == "protocol":
            continue
        if scope not in (*profiles, "all"):
            raise ValueError(f"{node}: {name}: unknown node or profile {scope!r}")
        for verdict, ids in by_verdict.items():
            check_outcome(_KIND, role, f"{node}: {name}", verdict)
            for profile in profiles if scope == "all" else (scope,):
                turns[profile].update(dict.fromkeys(ids, verdict))
    return RetiredFault(name, node, turns, row.get("protocol", "dicom-tls"))
