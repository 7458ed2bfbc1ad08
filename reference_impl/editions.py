"""Editions of the DICOM standard ("2011", "2018a", "2026c") and spans of them ("2018b..2022d", "..2018a")."""

from __future__ import annotations

import re
from functools import cache

_EDITION = re.compile(r"(\d{4})([a-e]?)\Z")


def edition_key(edition: str) -> tuple[int, str]:
    """What editions are ordered by. Raises ValueError for what is none (a year, from 2014 on with a letter a to e)."""
    match = _EDITION.match(edition)
    if match is None or (int(match[1]) >= 2014 and not match[2]):
        raise ValueError(f"{edition!r} is no edition of the standard; write for example 2018a")
    return int(match[1]), match[2]


def is_edition(text: str) -> bool:
    """Whether `text` names an edition of the standard."""
    try:
        edition_key(text)
    except ValueError:
        return False
    return True


@cache
def includes(span: str, edition: str) -> bool:
    """Whether `edition` lies in `span`: "first..last", either end left open, or one edition (then any words).

    Raises ValueError for a span whose ends are no editions.
    """
    if ".." not in span:
        return span == edition
    first, last = span.split("..", 1)
    ends = (edition_key(first) if first else None), (edition_key(last) if last else None)
    if not is_edition(edition):
        return False
    key = edition_key(edition)
    return (ends[0] is None or ends[0] <= key) and (ends[1] is None or key <= ends[1])


def last_of(span: str) -> str:
    """The last edition of `span`, empty where it is open."""
    return span.rpartition("..")[2]


def in_words(span: str) -> str:
    """`span` for a sentence: "2018b to 2022d", "up to 2018a"."""
    if ".." not in span:
        return span
    first, last = span.split("..", 1)
    if not first:
        return f"up to {last}"
    return f"{first} to {last}" if last else f"from {first} on"
