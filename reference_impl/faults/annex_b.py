"""All faults by name, with what each breaks under the current B.12 and B.13 (``server.toml``, ``client.toml``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from reference_impl.faults.beside import broken_beside, texts_beside
from reference_impl.faults.retired import retired_faults, texts
from reference_impl.faults.tables import ROLES as TABLES
from reference_impl.faults.tables import check_same, known_names, table, table_name
from reference_impl.transport.client_faults import CLIENT_BEHAVIOURS
from reference_impl.transport.faults import BEHAVIOURS, missing_suite_faults
from reference_impl.transport.profiles import load_profile
from reference_impl.transport.registry import suite

_BEHAVIOURS: Mapping[str, Mapping[str, object]] = {"tls-server": BEHAVIOURS, "tls-client": CLIENT_BEHAVIOURS}
ROLES = tuple(TABLES)
"""The roles that faults are made for."""
_PROFILES = ("B.12", "B.13")
_PROTOCOLS = ("dicom-tls", "https")
_OUTCOMES = ("fail", "warning")
_CHANGES = ("inconclusive", "not_applicable", "pass")

Verdicts = Mapping[str, Mapping[str, str]]
"""Verdict by profile and requirement id."""


@dataclass(frozen=True)
class Fault:
    """A deliberate deviation of the reference node, or in the role "tls-client" of the reference client.

    `breaks` is its exact set: by profile, the requirements (umbrellas left out, they are derived) that turn "fail" or
    "warning". `becomes` holds those whose verdict turns "inconclusive", "not_applicable" or "pass" where the untouched
    node's is another; `advice` says what newer or stricter rules would make of it. `protocol` is the kind of endpoint
    that the node has to be (or the client to talk to) for all this to hold, one of `reference_impl.node.PROTOCOLS`.
    A `retired` fault shows only at a node that serves a retired profile or an older wording, one `beside` only at a
    node that serves A.6 or a profile of IHE (`reference_impl.faults.retired`, `reference_impl.faults.beside`).
    """

    id: str
    text: str
    breaks: Verdicts = field(default_factory=dict)
    becomes: Verdicts = field(default_factory=dict)
    advice: str = ""
    protocol: str = _PROTOCOLS[0]
    role: str = ROLES[0]
    retired: bool = False
    beside: bool = False


@cache
def _loaded(role: str) -> dict[str, Fault]:
    faults = {name: _fault(name, row, role) for name, row in table("", role).items()}
    if role == "tls-server":
        for name, code in missing_suite_faults().items():
            faults.setdefault(name, _missing_suite(name, code))
    faults |= {name: _retired(name, text, role) for name, text in texts(role).items()}
    faults |= {name: _beside(name, text, role) for name, text in texts_beside(role).items()}
    check_same("", role, faults, _BEHAVIOURS[role])
    return faults


def load_faults(role: str | None = "tls-server") -> dict[str, Fault]:
    """Every fault of `role` by name, of all roles with None; the missing suites of B.13 included.

    Raises ValueError where a table is wrong, or where two roles share a name.
    """
    if role is not None:
        return dict(_loaded(role))
    found: dict[str, Fault] = {}
    for each in ROLES:
        shared = found.keys() & _loaded(each).keys()
        if shared:
            raise ValueError(f"faults of two roles are both named {', '.join(sorted(shared))}")
        found |= _loaded(each)
    return found


def check_names(names: Iterable[str], role: str = "tls-server") -> tuple[str, ...]:
    """Return `names` without repetition. Raises `UnknownFaultError`, with close names, for an unknown one of `role`."""
    return known_names(names, _BEHAVIOURS[role])


def _fault(name: str, row: dict[str, Any], role: str) -> Fault:
    protocol = row.get("protocol", _PROTOCOLS[0])
    if protocol not in _PROTOCOLS:
        raise ValueError(f"{table_name('', role)}: {name}: unknown protocol {protocol!r}")
    return Fault(
        id=name,
        text=row["text"],
        breaks=_verdicts(name, row.get("breaks", {}), _OUTCOMES),
        becomes=_verdicts(name, row.get("becomes", {}), _CHANGES),
        advice=row.get("advice", ""),
        protocol=protocol,
        role=role,
    )


def _verdicts(name: str, rows: dict[str, Any], allowed: tuple[str, ...]) -> Verdicts:
    """Spread the rows of "both" over the profiles and turn verdict -> ids into id -> verdict."""
    found: dict[str, dict[str, str]] = {profile: {} for profile in _PROFILES}
    for scope, by_verdict in rows.items():
        if scope not in (*_PROFILES, "both"):
            raise ValueError(f"{name}: unknown profile {scope!r}")
        for verdict, ids in by_verdict.items():
            if verdict not in allowed:
                raise ValueError(f"{name}: {verdict!r} is none of {', '.join(allowed)}")
            for profile in _PROFILES if scope == "both" else (scope,):
                found[profile].update(dict.fromkeys(ids, verdict))
    return {profile: verdicts for profile, verdicts in found.items() if verdicts}


def _retired(name: str, text: str, role: str) -> Fault:
    """A fault under retired profiles, with what it breaks in the last edition of each."""
    breaks: dict[str, dict[str, str]] = {}
    for row in retired_faults(role):
        for profile, requirement in sorted(row.breaks) if row.id == name and row.node != "B.13 2023b" else ():
            breaks.setdefault(profile, {})[requirement] = row.turns[profile][requirement]
    return Fault(name, text, breaks, advice="It shows where a retired profile is claimed.", role=role, retired=True)


def _beside(name: str, text: str, role: str) -> Fault:
    """A fault that shows beside the profiles of Annex B."""
    told = "It shows where A.6 or a profile of IHE is claimed."
    return Fault(name, text, broken_beside(name, role), advice=told, role=role, beside=True)


def _missing_suite(name: str, code: int) -> Fault:
    """The fault that leaves out one suite of B.13's required lists."""
    version = next(v for v, codes in load_profile("B.13").required.items() if code in codes)
    requirement = f"B.13-tls-{version.removeprefix('TLS ')}-{name.removeprefix('missing-')}"
    breaks: dict[str, dict[str, str]] = {"B.13": {requirement: "fail"}}
    for kind, codes in (("rsa", (0xC02F, 0xC030)), ("ecdsa", (0xC02B, 0xC02C))):
        if code in codes:
            for profile in _PROFILES:
                breaks.setdefault(profile, {})[f"RFC9325-4.2-recommended-suites-{kind}"] = "warning"
    return Fault(name, f"{suite(code).name}, which B.13 requires of servers, is missing.", breaks)
