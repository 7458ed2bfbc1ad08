"""A storer of instances as its judgements see it: what was sent to it, and what came back.

What was not obtained raises `Missing`; nothing here judges.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from harness import Difference, Missing, StoredObject
from reference_impl.signatures.results import SignatureResult, Standing
from suites.signatures.claimed import Claimed
from suites.signatures.words import bounded, in_a_row

STORE = "Let the storer take the objects of the harness and give them back, and run again."
IMPLICIT = "1.2.840.10008.1.2"
_MOST_EVIDENCE = 20


@dataclass(frozen=True, eq=False)
class SeenStored:
    """An object that was sent to the storer."""

    facts: StoredObject

    def __str__(self) -> str:
        return self.facts.case

    @property
    def taken(self) -> bool:
        """Whether the storer said that it stored it."""
        return self.facts.taken

    @property
    def implicit(self) -> bool:
        """Whether it came back without VRs though it was sent with them."""
        return self.facts.returned_syntax == IMPLICIT != self.facts.stored_syntax

    def differences(self, *kinds: str) -> tuple[Difference, ...]:
        """In which ways of these kinds what came back is not what was sent."""
        return tuple(one for one in self.facts.differences if one.kind in kinds)

    @property
    def held(self) -> tuple[SignatureResult, ...]:
        """The signatures that held when it was sent."""
        return _of(self.facts.before.signatures if self.facts.before else (), Standing.VALID)

    @property
    def now(self) -> tuple[SignatureResult, ...]:
        """The signatures that came back."""
        return self.facts.after.signatures if self.facts.after else ()

    @property
    def new(self) -> tuple[SignatureResult, ...]:
        """The signatures that hold and that were not sent."""
        return tuple(one for one in _of(self.now, Standing.VALID) if one.uid not in self._sent)

    @property
    def unjudged(self) -> tuple[SignatureResult, ...]:
        """The signatures that were not sent and of which it cannot be told whether they hold."""
        return tuple(one for one in _of(self.now, Standing.UNKNOWN) if one.uid not in self._sent)

    @property
    def _sent(self) -> frozenset[str]:
        return frozenset(one.uid for one in self.facts.before.signatures) if self.facts.before else frozenset()

    def lost(self) -> tuple[SignatureResult, ...]:
        """The signatures that held, and did not come back or no longer hold.

        Raises `Missing` where that cannot be told of what came back.
        """
        back = {one.uid: one for one in self.now}
        unknown = [one for one in self.held if one.uid in back and back[one.uid].mac is Standing.UNKNOWN]
        if unknown:
            reason = next((each.text for each in back[unknown[0].uid].reasons), "no reason is known")
            raise Missing(f"what the signature of {self} is worth now cannot be told: {bounded(reason)}", STORE)
        return tuple(one for one in self.held if one.uid not in back or back[one.uid].mac is not Standing.VALID)


def _of(signatures: Iterable[SignatureResult], mac: Standing) -> tuple[SignatureResult, ...]:
    return tuple(one for one in signatures if one.mac is mac)


class InstanceStorer(Claimed):
    """The storer of the claim that is judged."""

    @cached_property
    def _obtained(self) -> tuple[tuple[SeenStored, ...], Missing | None]:
        found, first = self._observations.of_subjects(self._endpoints, StoredObject)
        return tuple(SeenStored(each) for each in found), first

    @property
    def shown(self) -> tuple[SeenStored, ...]:
        """Everything that was sent or proposed. Raises `Missing` where there is nothing."""
        found, first = self._obtained
        if not found:
            raise first or Missing(f"no object was sent to {self.name}", STORE)
        return found

    @property
    def returned(self) -> tuple[SeenStored, ...]:
        """What came back. Raises `Missing` where nothing did."""
        found = tuple(one for one in self.shown if one.facts.retrieved)
        if found:
            return found
        one = next((each for each in self.shown if each.taken), self.shown[0])
        how = "was taken, and did not come back" if one.taken else "was not taken"
        raise Missing(f"{one} {how}: {bounded(one.facts.detail)}", STORE, evidence_of(self.shown))

    def complete(self) -> None:
        """Raise `Missing` where something was taken and did not come back: what became of it is not known."""
        gone = [one for one in self.shown if one.taken and not one.facts.retrieved]
        if gone:
            why = f"{gone[0]} was taken, and did not come back: {bounded(gone[0].facts.detail)}"
            more = f" (and {len(gone) - 1} more)" if len(gone) > 1 else ""
            raise Missing(why + more, STORE, evidence_of(gone))

    def summary(self) -> str:
        """How many objects were looked at, and which the storer did not take."""
        refused = [one for one in self.shown if not one.taken]
        told = f"none, of {len(self.returned)} objects that came back"
        return told + (f"; not taken: {in_a_row(map(str, refused))}" if refused else "")


def evidence_of(seen: Sequence[SeenStored]) -> tuple[str, ...]:
    """What witnesses them: the first exchanges."""
    return tuple(dict.fromkeys(name for one in seen for name in one.facts.exchanges))[:_MOST_EVIDENCE]


def covers(signatures: Iterable[SignatureResult], location: str, tag: str) -> bool:
    """Whether one of `signatures` covers the element `tag` of the data set at `location`, there or from above."""
    parts = location.split(".") if location else []
    above = ((".".join(parts[:depth]), part.partition("[")[0]) for depth, part in enumerate(parts))
    places = {(location, tag), *above}
    return any((one.location, signed) in places for one in signatures for signed in one.signed)
