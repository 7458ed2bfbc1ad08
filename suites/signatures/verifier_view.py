"""A verifier of signatures as its judgements see it: what it said of the crafted objects that it was shown.

A verifier that calls nothing valid would be right about everything that is not: whether its refusals tell anything is
seen from plain good objects, the controls. One that calls nothing at all valid was most likely not asked as it should
be. What was not obtained raises `Missing`; nothing here judges.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from harness import Missing, VerifierAnswer
from suites.signatures.claimed import Claimed
from suites.signatures.words import bounded, in_a_row

CONTROL_RULES = frozenset({"ripemd160", "md5", "sha1", "sha256", "sha384", "sha512"})
"""Rules whose good objects are the plainest there are; a verifier that calls none of them valid tells nothing."""
SHOW = "Let the verifier look at the crafted objects, by a driver, by C-STORE or by the operator, and run again."
Met = Literal["met", "broken", "open"]


@dataclass(frozen=True, eq=False)
class SeenAnswer:
    """What the verifier said of one object."""

    facts: VerifierAnswer

    @property
    def exchange(self) -> str:
        """What holds the octets of the object, and how the verifier was asked."""
        return self.facts.exchange

    @property
    def understood(self) -> bool:
        """Whether there is an answer."""
        return bool(self.facts.answer)

    @property
    def said(self) -> str:
        """The answer in words, with what it was read from."""
        by = f", by {bounded(self.facts.told_by)}" if self.facts.told_by else ""
        return f"called {self.facts.answer}{by}" if self.understood else f"no answer{by}"

    def __str__(self) -> str:
        return self.facts.case


class SignatureVerifier(Claimed):
    """The verifier of the claim that is judged."""

    @cached_property
    def _obtained(self) -> tuple[tuple[SeenAnswer, ...], Missing | None]:
        found, first = self._observations.of_subjects(self._endpoints, VerifierAnswer)
        return tuple(SeenAnswer(each) for each in found), first

    def of_rule(self, rule: str) -> tuple[SeenAnswer, ...]:
        """The answers to the objects of `rule`. Raises `Missing` where there is none."""
        answers, first = self._obtained
        found = tuple(each for each in answers if each.facts.rule == rule)
        if not found:
            if first is not None:
                raise first
            raise Missing(f"no object of the rule {rule} was shown at {self.name}", SHOW)
        skipped = [each for each in found if not each.understood and each.facts.skipped]
        if len(skipped) == len(found):
            raise Missing(f"{skipped[0]} was not shown: {bounded(skipped[0].facts.skipped)}", SHOW)
        return found

    @property
    def calls_anything_valid(self) -> bool:
        """Whether any object, good or not, was called valid."""
        return any(each.facts.answer == "valid" for each in self._obtained[0])

    def control(self) -> None:
        """Raise `Missing` where plain good objects were not called valid: then a refusal tells nothing."""
        answers, _ = self._obtained
        controls = [each for each in answers if each.facts.rule in CONTROL_RULES and each.facts.treatment == "valid"]
        if any(each.facts.answer == "valid" for each in controls):
            return
        if not controls:
            raise Missing(f"no plain good object was shown at {self.name}, so that a refusal tells nothing", SHOW)
        shown = in_a_row(f"{each}: {each.said}" for each in controls)
        raise Missing(
            f"no plain good object was called valid, so that a refusal tells nothing: {shown}",
            "See whether the verifier trusts the authority of the test certificates, and what is taken for its answer.",
            tuple(each.exchange for each in controls),
        )
