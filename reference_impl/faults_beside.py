"""What faults of the reference node break beside the profiles of Annex B (``faults_beside.toml``).

A claim of A.6 or of IHE is judged at a node that serves its own profile, so that the rows are kept by node.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from reference_impl.transport.faults.beside import BESIDE_BEHAVIOURS

_FILE = Path(__file__).with_suffix(".toml")
_OUTCOMES = ("fail", "warning", "inconclusive", "not_applicable", "pass")

Turns = Mapping[str, Mapping[str, str]]
"""By fault: requirement to verdict, umbrellas left out."""


@cache
def _table() -> dict[str, dict[str, Any]]:
    with _FILE.open("rb") as file:
        return tomllib.load(file)


def texts_beside() -> dict[str, str]:
    """The faults that show beside Annex B only, with what they are. Raises ValueError where one has no text."""
    found: dict[str, str] = dict(_table()["texts"])
    if found.keys() ^ BESIDE_BEHAVIOURS.keys():
        raise ValueError(f"{_FILE.name} and the behaviours disagree on {found.keys() ^ BESIDE_BEHAVIOURS.keys()}")
    return found


@cache
def faults_beside() -> Mapping[str, Turns]:
    """What each fault turns, by the profile of the node. Raises ValueError for an unknown verdict."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for profile, rows in _table().items():
        if profile == "texts":
            continue
        turns = found.setdefault(profile, {})
        for fault, by_verdict in rows.items():
            for verdict, ids in by_verdict.items():
                if verdict not in _OUTCOMES:
                    raise ValueError(f"{_FILE.name}: {profile}: {fault}: {verdict!r} is none of {', '.join(_OUTCOMES)}")
                turns.setdefault(fault, {}).update(dict.fromkeys(ids, verdict))
    return found


def broken_beside(fault: str) -> dict[str, dict[str, str]]:
    """What `fault` makes fail or warn, by profile."""
    found = {
        profile: {name: verdict for name, verdict in turns.get(fault, {}).items() if verdict in {"fail", "warning"}}
        for profile, turns in faults_beside().items()
    }
    return {profile: verdicts for profile, verdicts in found.items() if verdicts}
