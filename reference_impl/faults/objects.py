"""What faults of creators and verifiers of signatures, of storers, and of audit sources and repositories break.

There is one table for each role. A row is kept by the profile that is kept: ``["C.2".leaves-out-waveform]``. The
requirements of the base profile are judged alike under every profile that rests on it, so that their faults stand
under C.1 alone. In the same way what an audit message breaks stands under A.5, and what its transmission breaks under
the profile by which it is tried: every profile that asks for it is told it (`_ASKED_BY`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import cast

from reference_impl.faults.annex_b import Fault
from reference_impl.faults.tables import OBJECT_ROLES, check_outcome, table, texts_of

_BEHAVIOURS: Mapping[str, tuple[str, str]] = {
    "signature-creator": ("reference_impl.signatures.faults", "creator_behaviours"),
    "signature-verifier": ("reference_impl.signatures.faults", "verifier_behaviours"),
    "instance-storer": ("reference_impl.storage.faults", "storer_behaviours"),
    "audit-source": ("reference_impl.audit.faults.sources", "source_faults"),
    "audit-repository": ("reference_impl.audit.faults.collecting", "repository_behaviours"),
}
"""By role, module and function that tell what is implemented."""
_MADE_TEXTS: Mapping[str, tuple[str, str]] = {
    "signature-creator": ("reference_impl.signatures.faults", "creator_texts"),
    "signature-verifier": ("reference_impl.signatures.faults", "verifier_texts"),
    "audit-source": ("reference_impl.audit.faults.sources", "source_texts"),
}
"""The same for texts of faults that are made from a table of another kind."""
ROLES = tuple(_BEHAVIOURS)
"""The roles that have such a table; a closed list."""

Turns = Mapping[str, Mapping[str, str]]
"""By fault: requirement to verdict, umbrellas left out."""


def behaviours_of(role: str) -> Mapping[str, object]:
    """What the faults of `role` do, by their names."""
    return _called(*_BEHAVIOURS[role])


def texts_of_objects(role: str) -> dict[str, str]:
    """The faults of `role`, with what they are. Raises ValueError where one has no text."""
    made = _called(*_MADE_TEXTS[role]) if role in _MADE_TEXTS else {}
    behaviours = behaviours_of(role)
    written = texts_of("", role, [name for name in behaviours if name not in made])
    return {name: str(made.get(name) or written[name]) for name in behaviours}


def _called(module: str, function: str) -> Mapping[str, object]:
    return cast("Callable[[], Mapping[str, object]]", getattr(import_module(module), function))()


@cache
def faults_of_objects(role: str) -> Mapping[str, Turns]:
    """What each fault turns, by the profile that is kept. Raises ValueError for an unknown verdict or fault."""
    known = texts_of_objects(role)
    found: dict[str, dict[str, dict[str, str]]] = {}
    for profile, rows in table("", role).items():
        if profile == "texts":
            continue
        turns = found.setdefault(profile, {})
        for fault, by_verdict in rows.items():
            if fault not in known:
                raise ValueError(f"{OBJECT_ROLES[role]}.toml: {profile}: there is no fault {fault!r}")
            for verdict, ids in by_verdict.items():
                check_outcome("", role, fault, verdict)
                turns.setdefault(fault, {}).update(dict.fromkeys(ids, verdict))
    return found


def turned_by(fault: str, role: str, verdicts: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """The requirements that `fault` turns to one of `verdicts`, by profile."""
    found = {
        profile: {name: verdict for name, verdict in turns.get(fault, {}).items() if verdict in verdicts}
        for profile, turns in faults_of_objects(role).items()
    }
    return {profile: each for profile, each in found.items() if each}


_LIKE: Mapping[tuple[str, str], tuple[str, ...]] = {("signature-creator", "C.4"): ("C.4", "A.4")}
"""The profiles that are claimed of what keeps a profile, where it is not that one alone."""
_TLS, _UDP = "IHE-ATX-TLS-Syslog", "IHE-ATX-UDP-Syslog"
_ASKED_BY: Mapping[str, tuple[str, ...]] = {
    "A.5.1-schema-valid": ("A.5", "A.6", "A.7"),
    "A.5.1-older-spelling": ("A.5", "A.6", "A.7"),
    "A.5.2-no-empty-values": ("A.5", "A.6", _TLS, _UDP),
    "A.5.2-one-requestor": ("A.5", "A.6", _TLS, _UDP),
    "A.5.2.5-time-zone": ("A.5", "A.6", _TLS, _UDP),
    "A.5": ("A.5", "A.6"),
    "A.6-": ("A.6",),
    "A.7-": ("A.7",),
    "IHE-3.20.4.1.2-source-over-tls": (_TLS,),
    "IHE-3.20.4.1.2-source-stored": (_TLS,),
    "IHE-3.20.4.1.3-repository-truncated-datagrams": (_UDP,),
    "IHE-3.20.4.1.": (_TLS, _UDP),
    "RFC5424-6.1-repository-truncates-at-the-end": ("A.6", _TLS),
    "RFC5424-": ("A.6", "A.7", _TLS, _UDP),
    "RFC5425-": ("A.6", _TLS),
    "RFC5426-": ("A.7", _UDP),
}
"""By the beginning of their ids, the profiles that ask for requirements of audit trails; the first that fits counts."""
_PROTOCOLS = {"instance-storer": "dicom", "audit-repository": "syslog-tls"}
_ADVICE = {
    "signature-creator": "What C.1 and PS3.3 ask is asked alike under C.2, C.3, C.4 and A.4.",
    "signature-verifier": "What C.1 and PS3.3 ask is asked alike under C.2, C.3 and A.2.",
}


@cache
def load_object_faults(role: str) -> Mapping[str, Fault]:
    """Every fault of `role` by name, with what it breaks under the profiles of its rows. Raises ValueError."""
    return {
        name: Fault(
            id=name,
            text=text,
            breaks=_by_profile(name, role, ("fail", "warning")),
            becomes=_by_profile(name, role, ("inconclusive", "not_applicable", "pass")),
            advice=_ADVICE.get(role, "") if name in faults_of_objects(role).get("C.1", {}) else "",
            protocol=_PROTOCOLS.get(role, "files"),
            role=role,
        )
        for name, text in texts_of_objects(role).items()
    }


def _by_profile(fault: str, role: str, verdicts: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """What a fault turns to one of `verdicts`, by the profiles that are claimed; ids begin with the one they are of."""
    found: dict[str, dict[str, str]] = {}
    if role.startswith("audit-"):
        for turned in turned_by(fault, role, verdicts).values():
            for name, verdict in turned.items():
                for profile in next((asked for begin, asked in _ASKED_BY.items() if name.startswith(begin)), ()):
                    found.setdefault(profile, {})[name] = verdict
        return found
    for kept, turned in turned_by(fault, role, verdicts).items():
        profiles = _LIKE.get((role, kept), (kept,))
        for profile in profiles:
            others = tuple(f"{other}-" for other in profiles[1:] if other != profile)
            found[profile] = {name: verdict for name, verdict in turned.items() if not name.startswith(others)}
    return {profile: each for profile, each in found.items() if each}
