"""Names of a SUT's making, in words of a judgement: bounded, on one line, lists short. Shared by all suites."""

from __future__ import annotations

from collections.abc import Iterable

MOST_NAMED = 5
_LONGEST = 120
_LONGEST_ENTRY = 300


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


def counted(number: int, noun: str) -> str:
    """ "1 object", "2 objects"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
