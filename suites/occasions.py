"""Occasions to give advice, and the record that they make: shared by the advice of all suites."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from harness import AdviceRecord, EndpointRecord, Missing, NotApplicable

MOST_NAMED = 4
SideT = TypeVar("SideT")


@dataclass(frozen=True)
class Occasion:
    """An occasion to give advice: the id of the rule, what in particular, and the exchanges that witness it."""

    rule: str
    detail: str = ""
    evidence: tuple[str, ...] = ()


Rule = Callable[[SideT], Iterable[Occasion]]


def advice_on(
    endpoint: EndpointRecord, sides: Iterable[SideT], rules: Iterable[Rule[SideT]], words: Path
) -> list[AdviceRecord]:
    """The advice that `rules` give on one endpoint, each piece once; `words` is the file that holds their texts.

    `sides` are the endpoint as each claim sees it. What was not observed is not advised on.
    """
    sides = tuple(sides)
    occasions: dict[str, list[Occasion]] = {}
    for rule in rules:
        for side in sides:
            for occasion in _given(rule, side):
                told = occasions.setdefault(occasion.rule, [])
                if occasion not in told:
                    told.append(occasion)
    return [_record(endpoint, words, rule, told) for rule, told in occasions.items()]


def listed(names: Iterable[str]) -> str:
    """The first few of `names`, and how many more there are."""
    names = tuple(names)
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _record(endpoint: EndpointRecord, words: Path, rule: str, told: list[Occasion]) -> AdviceRecord:
    """One piece of advice for all occasions of a rule."""
    said = _words(words)[rule]
    return AdviceRecord(
        id=rule,
        endpoint=endpoint.name,
        text=said["text"].replace("{detail}", "; ".join(each.detail for each in told)),
        remedy=said["remedy"],
        source=said["source"],
        evidence=tuple(dict.fromkeys(exchange for each in told for exchange in each.evidence)),
    )


@cache
def _words(file: Path) -> dict[str, dict[str, str]]:
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _given(rule: Rule[SideT], side: SideT) -> list[Occasion]:
    try:
        return list(rule(side))
    except (Missing, NotApplicable):
        return []
