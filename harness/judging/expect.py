"""`expect`: the one way in which a judgement fails a SUT.

Every expectation that a judgement evaluates is recorded, met or not: a verdict shows what was expected and observed
on a pass too, and a judgement that evaluated none has judged nothing, which is an ``error``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, Generic, NoReturn, TypeVar

from pydantic import BaseModel

from harness.judging.outcomes import Deviation, exchange_ids, in_words

ObservedT = TypeVar("ObservedT")
Show = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One expectation that a judgement evaluated. `observed` is JSON-able."""

    what: str
    expected: tuple[str, ...]
    observed: Any
    evidence: tuple[str, ...]
    met: bool


_ledger: ContextVar[list[Evaluated] | None] = ContextVar("ledger of the running judgement", default=None)


@contextmanager
def recording() -> Iterator[list[Evaluated]]:
    """Collect the expectations that are evaluated inside the block."""
    ledger: list[Evaluated] = []
    token = _ledger.set(ledger)
    try:
        yield ledger
    finally:
        _ledger.reset(token)


def expect(
    observed: ObservedT, *, evidence: str | Iterable[str] = (), what: str = "", show: Show | None = None
) -> Expectation[ObservedT]:
    """Say what is expected of `observed`: ``expect(version, evidence=reaction.exchange).to_be_one_of(...)``.

    `evidence` names the exchanges that witness it, `what` says in a few words what it is ("version selected"), `show`
    turns a value (of a collection: each item) into words, for instance a code point into its IANA name.
    Each method passes silently or raises `Deviation`. All take `remedy` (one sentence; the catalogue's otherwise) and
    `expected`, the permitted reactions in words where the values do not speak for themselves.
    """
    return Expectation(observed, exchange_ids(evidence), what, show)


class Expectation(Generic[ObservedT]):
    """What is expected of one observed value. Made by `expect`."""

    def __init__(self, observed: ObservedT, evidence: tuple[str, ...], what: str, show: Show | None) -> None:
        self._observed = observed
        self._evidence = evidence
        self._what = what
        self._show = show

    def to_be(self, value: Any, *, remedy: str = "", expected: str | Iterable[str] = ()) -> None:
        """The observed value equals `value`."""
        self._settle(self._observed == value, _wording(expected) or (self._words(value),), remedy)

    def to_be_one_of(self, permitted: Iterable[Any], *, remedy: str = "", expected: str | Iterable[str] = ()) -> None:
        """The observed value is one of `permitted`: all the reactions that the requirement permits."""
        choices = tuple(permitted)
        if not choices:
            raise ValueError("to_be_one_of() permits nothing at all")
        words = _wording(expected) or tuple(self._words(choice) for choice in choices)
        self._settle(self._observed in choices, words, remedy)

    def to_contain(self, items: Any, *, remedy: str = "", expected: str | Iterable[str] = ()) -> None:
        """The observed collection holds every one of `items` (one item, or a collection of them)."""
        wanted = (items,) if isinstance(items, str) or not isinstance(items, Iterable) else tuple(items)
        if not wanted:
            raise ValueError("to_contain() asks for nothing")
        held = self._collection()
        words = _wording(expected) or tuple(self._words(item) for item in wanted)
        self._settle(all(item in held for item in wanted), words, remedy)

    def to_be_empty(
        self, *, remedy: str = "", expected: str | Iterable[str] = (), describe: Show | None = None
    ) -> None:
        """The observed collection has no items. `describe` puts one item into words, as `show` does."""
        if describe is not None:
            self._show = describe
        self._settle(not self._collection(), _wording(expected) or ("none",), remedy)

    def to_be_at_least(self, least: float, *, remedy: str = "", expected: str | Iterable[str] = ()) -> None:
        """The observed number is `least` or more."""
        if isinstance(self._observed, bool) or not isinstance(self._observed, (int, float)):
            raise TypeError(f"{self._observed!r} is no number to compare with {least}")
        self._settle(self._observed >= least, _wording(expected) or (f"at least {self._words(least)}",), remedy)

    def to_hold(self, condition: bool, *, expected: str | Iterable[str], remedy: str = "") -> None:
        """`condition`, computed by the judgement from the observed value, is true; `expected` says it in words."""
        words = _wording(expected)
        if not words:
            raise ValueError("to_hold() needs the expectation in words")
        if not isinstance(condition, bool):
            raise TypeError(f"to_hold() takes True or False, not {condition!r}: what is unknown is Missing")
        self._settle(condition, words, remedy)

    def __bool__(self) -> NoReturn:
        """An expectation is no condition: using it as one would judge nothing."""
        raise TypeError("say what is expected: expect(...).to_be(...)")

    def _collection(self) -> Collection[Any]:
        if isinstance(self._observed, str) or not isinstance(self._observed, Collection):
            raise TypeError(f"{self._observed!r} is no collection")
        return self._observed

    def _words(self, value: Any) -> str:
        return self._show(value) if self._show is not None and value is not None else in_words(plain(value))

    def _seen(self) -> Any:
        if self._show is None or self._observed is None:
            return plain(self._observed)
        if isinstance(self._observed, Mapping):
            return plain(self._observed)
        if isinstance(self._observed, (list, tuple, Set)):
            items = sorted(self._observed) if isinstance(self._observed, Set) else self._observed
            return [self._show(item) for item in items]
        return self._show(self._observed)

    def _settle(self, met: bool, expected: tuple[str, ...], remedy: str) -> None:
        seen = self._seen()
        ledger = _ledger.get()
        if ledger is not None:
            ledger.append(Evaluated(self._what, expected, seen, self._evidence, met))
        if not met:
            raise Deviation(expected, seen, remedy, self._evidence, self._what)


def _wording(expected: str | Iterable[str]) -> tuple[str, ...]:
    return ((expected,) if expected else ()) if isinstance(expected, str) else tuple(expected)


def plain(value: Any) -> Any:  # one return a shape reads best
    """`value` as JSON knows it: models dumped, enumerations by value, sets sorted, times in ISO 8601, octets in hex."""
    match value:
        case None | bool():
            return value
        case Enum():
            return plain(value.value)
        case int() | float() | str():
            return value
        case BaseModel():
            return value.model_dump(mode="json")
        case bytes():
            return value.hex()
        case datetime() | date():
            return value.isoformat()
        case Mapping():
            return {str(plain(key)): plain(item) for key, item in value.items()}
        case Set():
            return sorted((plain(item) for item in value), key=str)
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return str(value)
