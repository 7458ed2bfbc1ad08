"""A repository of audit messages as its judgements see it: what was delivered to it, and what has arrived.

Plain messages are the controls: where none of them arrives, it is more likely that what tells arrival is read wrongly.
A message longer than any that arrived whole tells of the repository's limit, and of nothing else. What was not obtained
raises `Missing`; nothing here judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from harness import ClaimRecord, Endpoints, Missing, Observations
from harness.observations.audit import Arrival, Delivered

DELIVER = (
    "Let the harness deliver its messages and be told what has arrived ([readings] of the SUT file), and run again."
)
READ = (
    "See whether what [readings] names shows messages that were sent, and whether the repository lets the harness in "
    "(client certificate, sender's address)."
)
CONTROLS = "control/"
_WITHOUT_OBJECTS = frozenset(
    {"kind/application-activity", "kind/network-entry", "kind/security-alert", "kind/user-authentication"}
)
"""Deliveries of messages that have no object, or of which one has none."""
_NO_SUITE = "no message was delivered at {name}"
_LONGEST = 160


@dataclass(frozen=True, eq=False)
class SeenDelivery:
    """One delivery."""

    facts: Delivered

    def __str__(self) -> str:
        return self.facts.case

    @property
    def made(self) -> bool:
        """Whether it was made at all."""
        return not self.facts.skipped

    @property
    def told(self) -> bool:
        """Whether it is known what became of every message."""
        return self.made and "" not in self.facts.arrivals

    @property
    def whole(self) -> bool:
        """Whether every message that was asked about arrived whole."""
        return bool(self.facts.arrivals) and all(one == "whole" for one in self.facts.arrivals)

    @property
    def others_arrive(self) -> bool | None:
        """Whether a plain message sent afterwards arrived; None: that is not known, or none was sent."""
        return {"whole": True, "": None}.get(self.facts.follower, False)

    def number(self, *arrivals: Arrival) -> int:
        """How many messages came to this."""
        return sum(one in arrivals for one in self.facts.arrivals)

    @property
    def said(self) -> str:
        """What became of its messages, in words."""
        facts = self.facts
        words = [
            f"{self.number(kind)} of {len(facts.arrivals)} {word}"
            for kind, word in _WORDS.items()
            if self.number(kind) and kind != "whole"
        ]
        told = ", ".join(words) or ("all whole" if facts.arrivals else "sent")
        after = f", and a plain message afterwards {_WORDS[facts.follower]}" if self.others_arrive is False else ""
        refused = f" ({bounded(facts.refused)})" if facts.refused else ""
        return f"{facts.case}: {told}{after}{refused}"


_WORDS: dict[Arrival, str] = {
    "whole": "whole",
    "absent": "did not arrive",
    "cut": "arrived cut",
    "altered": "arrived altered",
    "": "not told",
}


class AuditRepository:
    """The repository of the claim that is judged."""

    def __init__(self, observations: Observations, endpoints: Endpoints, claim: ClaimRecord) -> None:
        self._observations, self._endpoints = observations, endpoints
        self.claim = claim

    @property
    def name(self) -> str:
        """The endpoint of the claim."""
        return self.claim.endpoint

    @cached_property
    def _obtained(self) -> tuple[tuple[SeenDelivery, ...], Missing | None]:
        found, first = self._observations.of_subjects(self._endpoints, Delivered)
        return tuple(SeenDelivery(each) for each in found), first

    @property
    def all(self) -> tuple[SeenDelivery, ...]:
        """Every delivery. Raises `Missing` where there is none."""
        found, first = self._obtained
        if not found:
            raise first or Missing(_NO_SUITE.format(name=self.name), DELIVER)
        return found

    @property
    def made(self) -> tuple[SeenDelivery, ...]:
        """Every delivery that was made. Raises `Missing` where no plain message arrived: then others tell nothing."""
        made = tuple(each for each in self.all if each.made)
        controls = [each for each in self.all if each.facts.case.startswith(CONTROLS)]
        if any(each.whole or each.others_arrive for each in made):
            return made
        if not made:
            raise Missing(bounded(self.all[0].facts.skipped.rstrip(".")), READ)
        shown = (controls or list(made))[0]
        why = bounded(shown.facts.refused or shown.facts.detail or shown.facts.skipped) or shown.said
        raise Missing(f"no plain message arrived, so that others tell nothing: {why}", READ, evidence_of(controls))

    def of_rule(self, rule: str) -> tuple[SeenDelivery, ...]:
        """The deliveries of `rule` that were made. Raises `Missing` where none was."""
        made = self.made
        found = tuple(each for each in made if each.facts.rule == rule)
        if found:
            return found
        skipped = next((each for each in self.all if each.facts.rule == rule), None)
        if skipped is None:
            raise Missing(f"nothing of the rule {rule} was delivered at {self.name}", DELIVER)
        raise Missing(f"{skipped} was not delivered: {bounded(skipped.facts.skipped.rstrip('.'))}", DELIVER)

    def of_case(self, case: str) -> SeenDelivery:
        """The delivery `case`. Raises `Missing` where it was not made."""
        found = next((each for each in self.made if each.facts.case == case), None)
        if found is None:
            raise Missing(f"{case} was not delivered at {self.name}", DELIVER)
        return found

    @cached_property
    def longest_whole(self) -> int:
        """The longest message that arrived whole, in octets."""
        return max((each.facts.octets for each in self.all if each.whole), default=0)

    @cached_property
    def shows_ends(self) -> bool:
        """Whether what tells arrival shows ends that stand in objects, and not just who did it and where."""
        return any(
            each.facts.as_received
            or each.facts.told_by == "operator"
            or (_ends_in_an_object(each) and each.number("whole") > 0)
            for each in self.all
        )

    def beyond_its_limit(self, delivery: SeenDelivery) -> bool:
        """Whether the messages of a delivery are longer than any that arrived whole."""
        return delivery.facts.octets > self.longest_whole


def _ends_in_an_object(delivery: SeenDelivery) -> bool:
    """Whether the second mark of its messages stands in their last object; of others it is the AuditSourceID."""
    case, octets = delivery.facts.case, delivery.facts.octets
    return (case.startswith("kind/") and case not in _WITHOUT_OBJECTS) or (case.startswith("size/") and octets >= 4096)


def evidence_of(seen: Sequence[SeenDelivery]) -> tuple[str, ...]:
    """The exchanges that witness deliveries, the first of them."""
    return tuple(each.facts.exchange for each in seen if each.facts.exchange)[:20]


def bounded(text: str, longest: int = _LONGEST) -> str:
    """`text` on one line and not too long: it may come from a SUT."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text[: 4 * longest]).split())
    return line if len(line) <= longest else line[: longest - 3] + "..."
