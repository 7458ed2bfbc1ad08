"""What the faults of creator and verifier of signatures do; what they break stands in `reference_impl.faults`.

A fault of the creator changes its plan for an instance, one of the verifier how it verifies or what it makes of the
result. Each is switched on by its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from reference_impl.signatures.faults.creating import BASE_CHANGES, Change
from reference_impl.signatures.faults.documents import DOCUMENT_CHANGES
from reference_impl.signatures.faults.leaving_out import leaving_out


@cache
def creator_behaviours() -> Mapping[str, Change]:
    """What each fault of the creator changes, by its name."""
    return {**BASE_CHANGES, **DOCUMENT_CHANGES, **leaving_out()}


def creator_changes(names: Iterable[str]) -> tuple[Change, ...]:
    """What these faults change. Raises `UnknownFaultError` for a name that is none."""
    from reference_impl.faults.tables import known_names

    known = creator_behaviours()
    return tuple(known[name] for name in known_names(names, known))


__all__ = ["Change", "creator_behaviours", "creator_changes"]
