"""`verifies`: which requirements a judgement holds observations against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])
_ATTRIBUTE = "__verifies__"


def verifies(*requirements: str) -> Callable[[FunctionT], FunctionT]:
    """Name the requirements that a test function judges; several only where they are true or false together.

    An attribute carries the ids, not a pytest mark: so a suite can be imported under any pytest configuration, however
    strict about marks, and without pytest.
    """
    if not requirements or not all(isinstance(name, str) and name for name in requirements):
        raise TypeError('verifies() takes requirement ids: @verifies("B.12-server-supports-tls-1.2")')

    def mark(function: FunctionT) -> FunctionT:
        setattr(function, _ATTRIBUTE, (*requirements, *verified_by(function)))
        return function

    return mark


def verified_by(function: object) -> tuple[str, ...]:
    """The requirement ids that `function` names; empty if it is no judgement."""
    named = getattr(function, _ATTRIBUTE, ())
    return tuple(named) if isinstance(named, tuple) else ()
