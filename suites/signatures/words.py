"""What judgements of signatures say of objects, in words: names of a SUT's making are bounded, lists are short."""

from __future__ import annotations

from collections.abc import Sequence

from reference_impl.signatures.results import Code, Reason
from suites.wording import MOST_NAMED, bounded, counted, in_a_row, listed

__all__ = ["MOST_NAMED", "as_clause", "bounded", "coded", "counted", "in_a_row", "listed", "told"]

_PLAIN = frozenset({"The", "Whatever", "Of", "After", "Signed"})


def told(reasons: Sequence[Reason], most: int = 2) -> str:
    """Reasons on one line, each with its place; "no reason given" where there is none."""
    said = [f"{each.text} at {each.place}" if each.place else each.text for each in reasons]
    return "; ".join(listed(said, most)) or "no reason given"


def coded(purpose: Code) -> str:
    """A coded concept as PS3.16 writes it."""
    meaning = f', "{bounded(purpose.meaning)}"' if purpose.meaning else ""
    return f"({bounded(purpose.value) or 'no value'}, {bounded(purpose.scheme) or 'no scheme'}{meaning})"


def as_clause(sentence: str) -> str:
    """A sentence of the catalogue as part of another: no full stop, no capital letter unless it begins with a term."""
    plain = sentence.split(" ", 1)[0] in _PLAIN
    return (sentence[0].lower() + sentence[1:] if plain else sentence).rstrip(".")
