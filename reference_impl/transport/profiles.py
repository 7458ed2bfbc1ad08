"""The TLS profiles of PS3.15 Annex B as values, read from ``profiles.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_TABLE = Path(__file__).parent / "profiles.toml"


class UnknownProfileError(LookupError):
    """There is no such TLS profile, or not in that edition."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One TLS profile in one edition. Suites are IANA code points, in the order in which the standard lists them.

    `required` and `optional` map "TLS 1.2" / "TLS 1.3" to suites; `closed` names the versions in which no other
    suite is permitted. `permitted` and `forbidden` map a function (key_exchange, signature, block_cipher, block_mode,
    stream_cipher, hash) to algorithm names of the registry; empty where the profile has no such list.
    """

    id: str
    edition: str
    title: str
    document: str
    section: str
    required_versions: tuple[str, ...]
    preferred_version: str
    required: Mapping[str, tuple[int, ...]]
    optional: Mapping[str, tuple[int, ...]]
    closed: frozenset[str]
    permitted: Mapping[str, frozenset[str]]
    forbidden: Mapping[str, frozenset[str]]
    minimum_bits: Mapping[str, int]
    certificate_hashes: frozenset[str]


@cache
def _tables() -> dict[str, dict[str, dict[str, Any]]]:
    with _TABLE.open("rb") as file:
        return tomllib.load(file)


def profiles() -> tuple[tuple[str, str], ...]:
    """Every known profile with its edition, e.g. ``("B.12", "2026c")``."""
    return tuple((name, edition) for name, editions in _tables().items() for edition in editions)


@cache
def load_profile(profile: str, edition: str = "2026c") -> Profile:
    """The table of `profile` in `edition`. Raises `UnknownProfileError`."""
    row = _tables().get(profile, {}).get(edition)
    if row is None:
        known = ", ".join(f"{name} ({of})" for name, of in profiles())
        raise UnknownProfileError(f"no TLS profile {profile} in edition {edition}; known: {known}")
    return Profile(
        id=profile,
        edition=edition,
        title=row["title"],
        document=row["document"],
        section=row["section"],
        required_versions=tuple(row["required_versions"]),
        preferred_version=row["preferred_version"],
        required={version: tuple(codes) for version, codes in row.get("required", {}).items()},
        optional={version: tuple(codes) for version, codes in row.get("optional", {}).items()},
        closed=frozenset(row["closed"]),
        permitted={function: frozenset(names) for function, names in row.get("permitted", {}).items()},
        forbidden={function: frozenset(names) for function, names in row.get("forbidden", {}).items()},
        minimum_bits=dict(row.get("minimum_bits", {})),
        certificate_hashes=frozenset(row.get("certificates", {}).get("hash", ())),
    )
