"""What the signatures of an object cover of what PS3.15 C.2, C.3 and C.4 list, rule by rule.

The profiles list modules. Attributes that an object has stand in several of them, so that what its own modules ask for
is told under these; under others only what none of its own asks for. The note of C.2 says that attributes count even so
("the use of Modules ... is for documentation brevity"); C.3 and C.4 have no such note, so that there it stays open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

from harness.catalogue import load_catalogue
from reference_impl.signatures.profiles import MODULES, PROFILES, Rule, demanded, foreign, is_verification, parse_tag
from reference_impl.signatures.results import PresentElement
from suites.signatures.view import SeenObject, SeenSignature

LISTS = {"C.2": "C.2", "C.3": "C.3", "C.4": "C.4", "A.4": "C.4"}
"""Whose list a signature follows under a claim; C.1 has none."""
FOREIGN_COUNT = frozenset({"C.2"})
VERIFIED = "VERIFIED"


@dataclass(frozen=True)
class Wanted:
    """What one rule asks of one object: `own` by the modules of the object, `borrowed` by modules of other objects."""

    own: frozenset[str]
    borrowed: frozenset[str]

    @property
    def all(self) -> frozenset[str]:
        """Both."""
        return self.own | self.borrowed


@lru_cache(maxsize=4096)
def _asked(profile: str, sop_class: str, present: tuple[PresentElement, ...]) -> Mapping[str, Wanted]:
    """What each rule, by its paragraph, asks of an object."""
    rules = PROFILES[profile].rules
    asked = {rule: frozenset(demanded(rule, present)) for rule in rules}
    strange = {rule: frozenset(foreign(rule, asked[rule], sop_class) if rule.modules else ()) for rule in rules}
    at_home = frozenset(tag for rule in rules for tag in asked[rule] - strange[rule])
    if profile not in FOREIGN_COUNT:
        at_home |= frozenset(tag for each in strange.values() for tag in each if _has_other_home(tag, sop_class))
    return {rule.paragraph: Wanted(asked[rule] - strange[rule], strange[rule] - at_home) for rule in rules}


def _has_other_home(tag: str, sop_class: str) -> bool:
    """Whether a module that the profile does not list, and that objects of `sop_class` have, holds the attribute."""
    number = parse_tag(tag)
    return any(module.has(number) for module in MODULES.values() if module.belongs_to(sop_class))


class Coverage:
    """What the list of `profile` asks of one object, and which of its signatures come next to it."""

    def __init__(self, profile: str, seen: SeenObject) -> None:
        self.profile = profile
        self.seen = seen
        self._wanted = _asked(profile, seen.result.sop_class, seen.present)

    @property
    def verified(self) -> bool:
        """Whether it is a verified document."""
        document = self.seen.document
        return document is not None and document.verification_flag == VERIFIED

    def wanted(self, rule: Rule) -> Wanted:
        """What `rule` asks of the object."""
        return self._wanted[rule.paragraph]

    def lacking(self, signature: SeenSignature, *, verified: bool) -> int:
        """How many elements that its list asks for `signature` does not cover."""
        return len((self._asked_if_verified if verified else self._asked_always) - covered(signature))

    @cached_property
    def _asked_if_verified(self) -> frozenset[str]:
        return self._counting(PROFILES[self.profile].rules)

    @cached_property
    def _asked_always(self) -> frozenset[str]:
        return self._counting(rule for rule in PROFILES[self.profile].rules if rule.kind != "verified-only")

    def _counting(self, rules: Iterable[Rule]) -> frozenset[str]:
        wanted = (self.wanted(rule) for rule in rules)
        return frozenset(tag for each in wanted for tag in (each.all if self.profile in FOREIGN_COUNT else each.own))

    @property
    def nominee(self) -> SeenSignature | None:
        """The signature at the top level that comes next to the list; in a verified document, that of verification.

        None where no signature is at the top level.
        """
        candidates = self.seen.at_top
        if self.profile == "C.4":
            purposed = [each for each in candidates if each.facts.purposes]
            verifying = [each for each in purposed if any(map(is_verification, each.facts.purposes))]
            candidates = tuple((self.verified and verifying) or purposed or candidates)
        return min(candidates, key=lambda each: self.lacking(each, verified=self.verified), default=None)


def covered(signature: SeenSignature) -> frozenset[str]:
    """The elements that a signature covers: those listed that may be."""
    return frozenset(signature.facts.signed) - frozenset(signature.facts.forbidden)


def follows(profile: str, seen: SeenObject) -> bool:
    """Whether a signature of the object covers all that `profile` lists."""
    if profile == "C.4" and seen.document is None:
        return False
    coverage = Coverage(profile, seen)
    candidates = [each for each in seen.at_top if profile != "C.4" or each.facts.purposes]
    return any(not coverage.lacking(each, verified=False) for each in candidates)


def judged_by(profile: str, others: Iterable[str], seen: SeenObject) -> bool:
    """Whether the signatures of an object are to be judged by `profile`.

    Not where they follow the list of another claimed profile and not this one's: an object may have either signature.
    """
    if profile == "C.4" and seen.document is None:
        return False
    rivals = [other for other in others if other != profile]
    return not rivals or follows(profile, seen) or not any(follows(other, seen) for other in rivals)


@cache
def signing_rules() -> Mapping[str, tuple[str, Rule]]:
    """Profile and rule by the requirement that cites its paragraph."""
    by_paragraph = {rule.paragraph: (name, rule) for name, profile in PROFILES.items() for rule in profile.rules}
    found: dict[str, tuple[str, Rule]] = {}
    for each in load_catalogue():
        if each.role == "signature-creator" and each.judged == "automatically" and "signs-" in each.id:
            found[each.id] = by_paragraph[each.sources[0].paragraph]
    return found
