"""What judgements of signatures say of objects, in words: names of a SUT's making are bounded, lists are short."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reference_impl.signatures.results import Code, Reason

MOST_NAMED = 5
_LONGEST = 120
_LONGEST_ENTRY = 300
_PLAIN = frozenset({"The", "Whatever", "Of", "After", "Signed"})


def listed(names: Iterable[str], most: int = MOST_NAMED) -> list[str]:
    """The first of `names`, and as last entry how many more there are."""
    every = [bounded(each, _LONGEST_ENTRY) for each in names]
    return every if len(every) <= most else [*every[:most], f"and {len(every) - most} more"]


def in_a_row(names: Iterable[str], most: int = MOST_NAMED) -> str:
    """The same on one line."""
    return ", ".join(listed(names, most))


def bounded(text: str, longest: int = _LONGEST) -> str:
    """`text` on one line and not too long: it may come from a SUT."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text[: 4 * longest]).split())
    return line if len(line) <= longest else line[: longest - 3] + "..."


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


def counted(number: int, noun: str) -> str:
    """ "1 object", "2 objects"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
