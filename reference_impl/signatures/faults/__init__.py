"""What the faults of creator and verifier of signatures do; what they break stands in `reference_impl.faults`.

A fault of the creator changes its plan for an instance, one of the verifier how it verifies or what it makes of the
result. Each is switched on by its name. Faults that are made from a table have texts that are made, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from reference_impl.signatures.faults.creating import BASE_CHANGES, Change
from reference_impl.signatures.faults.documents import DOCUMENT_CHANGES
from reference_impl.signatures.faults.leaving_out import leaving_out, leaving_out_texts
from reference_impl.signatures.faults.verifying import VERIFIER_BEHAVIOURS, VerifierBehaviour, made_texts


@cache
def creator_behaviours() -> Mapping[str, Change]:
    """What each fault of the creator changes, by its name."""
    return {**BASE_CHANGES, **DOCUMENT_CHANGES, **leaving_out()}


def verifier_behaviours() -> Mapping[str, VerifierBehaviour]:
    """What each fault of the verifier changes, by its name."""
    return VERIFIER_BEHAVIOURS


def creator_changes(names: Iterable[str]) -> tuple[Change, ...]:
    """What these faults change. Raises `UnknownFaultError` for a name that is none."""
    from reference_impl.faults.tables import known_names

    known = creator_behaviours()
    return tuple(known[name] for name in known_names(names, known))


def verifier_changes(names: Iterable[str]) -> tuple[VerifierBehaviour, ...]:
    """What these faults change. Raises `UnknownFaultError` for a name that is none."""
    from reference_impl.faults.tables import known_names

    return tuple(VERIFIER_BEHAVIOURS[name] for name in known_names(names, VERIFIER_BEHAVIOURS))


def creator_texts() -> Mapping[str, str]:
    """What those faults of the creator are that are made from a table."""
    return leaving_out_texts()


def verifier_texts() -> Mapping[str, str]:
    """What those faults of the verifier are that are made from a table."""
    return made_texts()


__all__ = [
    "Change",
    "VerifierBehaviour",
    "creator_behaviours",
    "creator_changes",
    "creator_texts",
    "verifier_behaviours",
    "verifier_changes",
    "verifier_texts",
]
