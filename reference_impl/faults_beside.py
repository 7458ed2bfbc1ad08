"""What faults break beside the profiles of Annex B (``faults_beside.toml``, ``client_faults_beside.toml``).

A claim of A.6 or of IHE is judged at a node, or a client, that keeps its own profile, so that the rows are kept by it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from reference_impl.transport.client_faults.beside import BESIDE_CLIENT_BEHAVIOURS
from reference_impl.transport.faults.beside import BESIDE_BEHAVIOURS

_FILES = {
    "tls-server": Path(__file__).with_name("faults_beside.toml"),
    "tls-client": Path(__file__).with_name("client_faults_beside.toml"),
}
_BEHAVIOURS: Mapping[str, Mapping[str, object]] = {
    "tls-server": BESIDE_BEHAVIOURS,
    "tls-client": BESIDE_CLIENT_BEHAVIOURS,
}
_OUTCOMES = ("fail", "warning", "inconclusive", "not_applicable", "pass")

Turns = Mapping[str, Mapping[str, str]]
"""By fault: requirement to verdict, umbrellas left out."""


@cache
def _table(role: str) -> dict[str, dict[str, Any]]:
    with _FILES[role].open("rb") as file:
        return tomllib.load(file)


def texts_beside(role: str = "tls-server") -> dict[str, str]:
    """The faults that show beside Annex B only, with what they are. Raises ValueError where one has no text."""
    found: dict[str, str] = dict(_table(role)["texts"])
    if unknown := found.keys() ^ _BEHAVIOURS[role].keys():
        raise ValueError(f"{_FILES[role].name} and the behaviours disagree on {unknown}")
    return found


@cache
def faults_beside(role: str = "tls-server") -> Mapping[str, Turns]:
    """What each fault turns, by the profile that is kept. Raises ValueError for an unknown verdict."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for profile, rows in _table(role).items():
        if profile == "texts":
            continue
        turns = found.setdefault(profile, {})
        for fault, by_verdict in rows.items():
            for verdict, ids in by_verdict.items():
                if verdict not in _OUTCOMES:
                    raise ValueError(
                        f"{_FILES[role].name}: {profile}: {fault}: {verdict!r} is none of {', '.join(_OUTCOMES)}"
                    )
                turns.setdefault(fault, {}).update(dict.fromkeys(ids, verdict))
    return found


def broken_beside(fault: str, role: str = "tls-server") -> dict[str, dict[str, str]]:
    """What `fault` makes fail or warn, by profile."""
    found = {
        profile: {name: verdict for name, verdict in turns.get(fault, {}).items() if verdict in {"fail", "warning"}}
        for profile, turns in faults_beside(role).items()
    }
    return {profile: verdicts for profile, verdicts in found.items() if verdicts}
