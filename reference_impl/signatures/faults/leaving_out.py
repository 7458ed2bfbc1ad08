"""Faults of creators against the lists of PS3.15 C.2, C.3 and C.4: one entry of a list is not signed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from reference_impl.signatures.faults.creating import Change
from reference_impl.signatures.profiles import PROFILES, demanded, foreign, parse_tag
from reference_impl.signatures.results import FileResult, PresentElement
from reference_impl.signatures.signing_node import Pass, Plan

PREFIX = "leaves-out-"
"""What the names of these faults begin with; the name of the entry in ``profiles.json`` follows."""


def leaving_out() -> Mapping[str, Change]:
    """A fault for each entry of the lists that says what to sign; what is within a sequence is left out with that."""
    entries = (rule for profile in PROFILES.values() for rule in profile.rules)
    rules = (rule for rule in entries if rule.kind != "declaration" and not rule.within)
    return {f"{PREFIX}{rule.name}": _leaving_out(rule.name) for rule in rules}


def leaving_out_texts() -> Mapping[str, str]:
    """What these faults are, in a sentence each."""
    return {name: f"Nothing is signed of what the lists have under {_words(name)}." for name in leaving_out()}


def _words(name: str) -> str:
    """The name of an entry in words."""
    return name.removeprefix(PREFIX).replace("-", " ")


def _leaving_out(name: str) -> Change:
    """Sign nothing of what this entry of the list alone asks for."""

    def changed(plan: Plan, instance: FileResult) -> Plan:
        return replace(plan, passes=tuple(_without(each, name, instance) for each in plan.passes))

    return changed


def _without(each: Pass, name: str, instance: FileResult) -> Pass:
    profile = each.orders[0].profile
    if profile not in PROFILES:
        return each
    tags = own_tags(profile, instance.sop_class, instance.present).get(name, frozenset())
    return replace(each, deviations=replace(each.deviations, leave_out=tags)) if tags else each


@lru_cache(maxsize=256)
def own_tags(profile: str, sop_class: str, present: tuple[PresentElement, ...]) -> Mapping[str, frozenset[int]]:
    """What each entry asks of an object by modules of its own, less what others ask for as well if anything is left."""
    rules = PROFILES[profile].rules
    asked = {
        rule.name: frozenset(tags := demanded(rule, present)) - frozenset(foreign(rule, tags, sop_class))
        for rule in rules
    }
    found: dict[str, frozenset[int]] = {}
    for name, mine in asked.items():
        others = frozenset(tag for other, tags in asked.items() if other != name for tag in tags)
        found[name] = frozenset(map(parse_tag, (mine - others) or mine))
    return found
