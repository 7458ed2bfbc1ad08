"""The three ways in which a judgement ends other than in a pass. Any other exception is the harness's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Outcome(Exception):  # noqa: N818 - an outcome of a judgement is no program error
    """Base of the outcomes; judgements raise its subclasses."""


class Deviation(Outcome):
    """The SUT was seen to do what the requirement does not permit. Raised by `expect` alone.

    `expected` lists all permitted reactions in words, `observed` is what was seen instead (JSON-able), `evidence`
    holds ids of exchanges.
    """

    def __init__(
        self, expected: tuple[str, ...], observed: Any, remedy: str = "", evidence: tuple[str, ...] = (), what: str = ""
    ) -> None:
        self.expected = expected
        self.observed = observed
        self.remedy = remedy
        self.evidence = evidence
        self.what = what
        subject = f"{what}: " if what else ""
        super().__init__(f"{subject}expected {' or '.join(expected)}, observed {in_words(observed)}")


class Missing(Outcome):
    """A fact that the judgement needs was not obtained: inconclusive. `what` is a sentence saying what is missing."""

    def __init__(self, what: str, remedy: str = "", evidence: str | Iterable[str] = ()) -> None:
        self.what = what
        self.remedy = remedy
        self.evidence = exchange_ids(evidence)
        super().__init__(what)


class NotApplicable(Outcome):
    """An observation positively shows that the requirement's condition is false; `reason` says which."""

    def __init__(self, reason: str, evidence: str | Iterable[str] = ()) -> None:
        self.reason = reason
        self.evidence = exchange_ids(evidence)
        super().__init__(reason)


def exchange_ids(evidence: str | Iterable[str]) -> tuple[str, ...]:
    """`evidence` (one id, or several) without empty ids and repetitions, in order."""
    ids = (evidence,) if isinstance(evidence, str) else evidence
    return tuple(dict.fromkeys(name for name in ids if name))


def in_words(value: Any) -> str:
    """`value` as a reader of a report wants it: no Python quotes, "nothing" for what is empty."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value in ("", [], {}):
        return "nothing"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {in_words(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(in_words(item) for item in value)
    return str(value)
