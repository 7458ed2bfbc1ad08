"""The TLS profiles of PS3.15 Annex B as values, read from ``profiles.toml``: current, older wordings and retired."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from reference_impl.editions import in_words, includes, is_edition, last_of

_TABLE = Path(__file__).parent / "profiles.toml"
CURRENT = "B.12"
"""The profile that others are held against: what a new device would claim."""


class UnknownProfileError(LookupError):
    """There is no such TLS profile, or not in that edition; the message says what there is."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One TLS profile in one wording. Suites are IANA code points, in the order in which the standard lists them.

    `edition` is the one that was asked for, `span` the editions that have this wording. `required` and `optional` map
    "TLS 1.2" / "TLS 1.3" ("any" where the profile names no version) to suites, which the roles of `required_of` have
    to support all; clients of other profiles need one of either list in the versions of `client_minimum`. `derived`
    are suites that follow from `minimum_mechanisms` and are named nowhere. `closed` names the versions in which no
    other suite is permitted ("any": none at all). `permitted` and `forbidden` map a function (key_exchange, signature,
    block_cipher, block_mode, stream_cipher, hash) to algorithm names of the registry; empty where the profile has no
    such list. `bcp_195` holds the numbers of the RFCs that BCP 195 stands for, none where it is not named.
    """

    id: str
    edition: str
    span: str
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
    framework: str
    forbidden_versions: tuple[str, ...]
    discouraged_versions: tuple[str, ...]
    required_of: frozenset[str]
    client_minimum: tuple[str, ...]
    derived: Mapping[str, tuple[int, ...]]
    minimum_mechanisms: Mapping[str, str]
    mutual_authentication: bool
    ports: str
    statement: tuple[str, ...]
    bcp_195: tuple[int, ...]
    retired_after: str

    @property
    def retired(self) -> bool:
        """Whether later editions no longer hold the profile."""
        return bool(self.retired_after)

    @property
    def superseded(self) -> bool:
        """Whether it is retired, or a wording that later editions of the profile have changed."""
        return self.retired or last_of(self.span) != default_edition(self.id)


@cache
def _file() -> dict[str, Any]:
    with _TABLE.open("rb") as file:
        return tomllib.load(file)


@cache
def _tables() -> dict[str, dict[str, dict[str, Any]]]:
    return {name: spans for name, spans in _file().items() if name not in {"windows", "other_protocols"}}


def profiles() -> tuple[tuple[str, str], ...]:
    """Every known profile with the last edition of each of its wordings, e.g. ``("B.12", "2026c")``."""
    return tuple((name, last_of(span)) for name, spans in _tables().items() for span in spans)


def default_edition(profile: str) -> str:
    """The last edition that holds `profile`; empty for what is no TLS profile."""
    spans = _tables().get(profile, {})
    return last_of(list(spans)[-1]) if spans else ""


def other_protocol(profile: str) -> str:
    """Why `profile`, a profile of Annex B that is no TLS, is not judged; empty for any other."""
    row = _file()["other_protocols"].get(profile)
    return f"{profile} ({row['title']}) cannot be judged: {row['reason']}" if row else ""


def edition_problem(profile: str, edition: str) -> str:
    """Why a claim of the TLS profile `profile` in `edition` is not judged, as a clause with a remedy; empty if it is.

    Empty also for what is no TLS profile.
    """
    spans = _tables().get(profile)
    if not spans or any(includes(span, edition) for span in spans):
        return ""
    held = " and ".join(in_words(span) for span in spans)
    window = _file()["windows"].get(profile, {})
    if not is_edition(edition):
        return f"{edition!r} is no edition of the standard; {profile} is held in the editions {held}"
    if includes(window.get("unestablished", ""), edition):
        return (
            f"which text of {profile} the edition {edition} has is not established ({window['note']}); "
            f"write an edition by which to judge: {held}"
        )
    after = window.get("retired_after", "")
    told = f"{profile} was retired after {after} and is" if after and edition > after else f"{profile} is"
    return f"{told} not in edition {edition}; it is held in the editions {held}"


@cache
def load_profile(profile: str, edition: str = "") -> Profile:
    """The table of `profile` in `edition` (by default the last that holds it). Raises `UnknownProfileError`."""
    wanted = edition or default_edition(profile)
    span = next((each for each in _tables().get(profile, {}) if includes(each, wanted)), None)
    if span is None:
        known = ", ".join(f"{name} ({of})" for name, of in profiles())
        raise UnknownProfileError(f"no TLS profile {profile} in edition {wanted}; known: {known}")
    row = _tables()[profile][span]
    return Profile(
        id=profile,
        edition=wanted,
        span=span,
        title=row["title"],
        document=row["document"],
        section=row["section"],
        required_versions=tuple(row["required_versions"]),
        preferred_version=row["preferred_version"],
        required=_suites(row, "required"),
        optional=_suites(row, "optional"),
        closed=frozenset(row["closed"]),
        permitted={function: frozenset(names) for function, names in row.get("permitted", {}).items()},
        forbidden={function: frozenset(names) for function, names in row.get("forbidden", {}).items()},
        minimum_bits=dict(row.get("minimum_bits", {})),
        certificate_hashes=frozenset(row.get("certificates", {}).get("hash", ())),
        framework=row.get("framework", "TLS"),
        forbidden_versions=tuple(row.get("forbidden_versions", ())),
        discouraged_versions=tuple(row.get("discouraged_versions", ())),
        required_of=frozenset(row.get("required_of", ())),
        client_minimum=tuple(row.get("client_minimum", ())),
        derived=_suites(row, "derived"),
        minimum_mechanisms=dict(row.get("minimum_mechanisms", {})),
        mutual_authentication=row["mutual_authentication"],
        ports=row["ports"],
        statement=tuple(row["statement"]),
        bcp_195=tuple(row["bcp_195"]),
        retired_after=_file()["windows"].get(profile, {}).get("retired_after", ""),
    )


def _suites(row: Mapping[str, Any], key: str) -> dict[str, tuple[int, ...]]:
    return {version: tuple(codes) for version, codes in row.get(key, {}).items()}
