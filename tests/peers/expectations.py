"""Reads the verdicts to expect of each peer, umbrella requirements computed: ``expectations.toml`` for servers,
``client_expectations.toml`` for clients.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from harness.catalogue import Catalogue, Requirement, load_catalogue

EDITION = "2026c"
FILES = {"tls-server": "expectations.toml", "tls-client": "client_expectations.toml"}
"""Where the cases of a role stand."""
PROFILES = {"B.12": "b12", "B.13": "b13"}
PARTS = {**PROFILES, "A.6": "a6"}
"""What a row of the file calls a profile."""
VERDICTS = ("fail", "warning", "inconclusive", "not_applicable")


@dataclass(frozen=True)
class Case:
    """One peer in one configuration."""

    name: str
    family: str
    documented: str
    why: str
    options: Mapping[str, str] = field(default_factory=dict)
    protocol: str = "dicom-tls"
    credentials: str = ""  # a case of the certificate zoo, empty: none given
    role: str = "tls-server"
    only: tuple[str, ...] = ("*",)  # patterns of the requirements that are looked at
    named: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)  # part, verdict, patterns

    @property
    def profiles(self) -> tuple[str, ...]:
        """The profiles under which it is judged."""
        return ("A.6",) if self.protocol == "syslog-tls" else tuple(PROFILES)

    def looked_at(self, requirement: str) -> bool:
        """Whether the verdict on `requirement` is expected to be something in particular."""
        return any(fnmatchcase(requirement, pattern) for pattern in self.only)

    def expected(self, profile: str) -> dict[str, str]:
        """The verdict to expect per requirement under `profile`. Raises `ValueError` for names that match nothing."""
        catalogue = load_catalogue()
        bound = catalogue.select(profile, EDITION, self.role, self.protocol)
        verdicts = {each.id: "pass" for each in bound if each.judged == "automatically"}
        derived = [each for each in bound if each.judged == "derived"]
        explicit: dict[str, str] = {}
        for part in ("both", PARTS[profile]):
            for verdict in VERDICTS:
                for pattern in self.named.get(part, {}).get(verdict, ()):
                    for name in _matching(pattern, [*verdicts, *(each.id for each in derived)], catalogue):
                        if explicit.setdefault(name, verdict) != verdict:
                            raise ValueError(f"{self.name}: {name} is both {explicit[name]} and {verdict}")
        verdicts |= explicit
        found = verdicts | self._umbrellas(derived, verdicts, catalogue, profile)
        return {name: verdict for name, verdict in found.items() if self.looked_at(name)}

    def _umbrellas(
        self, derived: list[Requirement], verdicts: Mapping[str, str], catalogue: Catalogue, profile: str
    ) -> dict[str, str]:
        found = {}
        for umbrella in derived:
            members = catalogue.members_of(umbrella, profile, EDITION, self.role, self.protocol)
            reached = [(member.level, verdicts[member.id]) for member in members if member.id in verdicts]
            if umbrella.id in verdicts or not reached:
                continue  # named itself, or all of its members are judged by declaration
            if any(verdict == "fail" for _, verdict in reached):
                found[umbrella.id] = "fail"
            elif any(level == "shall" and verdict == "inconclusive" for level, verdict in reached):
                found[umbrella.id] = "inconclusive"
            else:
                found[umbrella.id] = "pass"
        return found


def _matching(pattern: str, known: list[str], catalogue: Catalogue) -> Iterator[str]:
    """The bound requirements that `pattern` names; those of the other profile are passed over."""
    found = [name for name in known if fnmatchcase(name, pattern)]
    if not found and not any(fnmatchcase(each.id, pattern) for each in catalogue):
        raise ValueError(f"{pattern} matches no requirement")
    yield from found


@cache
def cases(role: str = "tls-server") -> tuple[Case, ...]:
    """All cases of a role, in the order of the file."""
    with (Path(__file__).parent / FILES[role]).open("rb") as file:
        content = tomllib.load(file)
    return tuple(_case(row, content["sets"], role) for row in content["case"])


def _case(row: Mapping[str, Any], sets: Mapping[str, list[str]], role: str) -> Case:
    named: dict[str, dict[str, tuple[str, ...]]] = {}
    for part in ("both", *PARTS.values()):
        named[part] = {
            verdict: tuple(
                each for name in names for each in (sets[name.removeprefix("@")] if name.startswith("@") else [name])
            )
            for verdict, names in row.get(part, {}).items()
        }
    return Case(
        name=row["name"],
        family=row["family"],
        documented=row["documented"],
        why=row["why"],
        options=row.get("options", {}),
        protocol=row.get("protocol", "dicom-tls"),
        credentials=row.get("credentials", ""),
        role=role,
        only=tuple(row.get("only", ("*",))),
        named=named,
    )
