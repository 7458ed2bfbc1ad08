"""A creator of signatures as its judgements see it: the objects that it signed, with what verifying says of them.

Objects without a signature are left out of account: no profile obliges anybody to sign a given instance. What was not
obtained raises `Missing`; nothing here judges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TypeVar

from harness import (
    ClaimRecord,
    CreatedObjects,
    Endpoints,
    Missing,
    NotApplicable,
    Observations,
    SignedObject,
    SutRecord,
    expect,
)
from reference_impl.signatures.results import DocumentResult, FileResult, PresentElement, SignatureResult
from suites.driving import driven
from suites.signatures.claimed import Claimed
from suites.signatures.words import bounded, counted, in_a_row, listed

SIGN = "Let the SUT sign an object, by a driver, into a folder or by sending it, and run again."
LOOK = "See what `ps315 verify` says of this object, which is among the evidence."
_MOST_EVIDENCE = 20


@dataclass(frozen=True, eq=False)
class SeenObject:
    """An object that the SUT signed."""

    signed: SignedObject

    @property
    def result(self) -> FileResult:
        """What verifying says of it."""
        return self.signed.result

    @property
    def exchange(self) -> str:
        """What holds its octets."""
        return self.signed.exchange

    @property
    def present(self) -> tuple[PresentElement, ...]:
        """The elements at its top level."""
        return self.result.present

    @property
    def document(self) -> DocumentResult | None:
        """What it is as a structured report or key object selection."""
        return self.result.document

    @cached_property
    def signatures(self) -> tuple[SeenSignature, ...]:
        """All its signatures, in the order of the file."""
        return tuple(SeenSignature(self, each) for each in self.result.signatures)

    @cached_property
    def at_top(self) -> tuple[SeenSignature, ...]:
        """Those at its top level."""
        return tuple(each for each in self.signatures if not each.facts.location)

    def __str__(self) -> str:
        return bounded(self.signed.name or self.result.sop_instance or self.result.path)


@dataclass(frozen=True, eq=False)
class SeenSignature:
    """A signature and the object that holds it."""

    object: SeenObject = field(repr=False)
    facts: SignatureResult

    @property
    def exchange(self) -> str:
        """What holds its octets."""
        return self.object.exchange

    def __str__(self) -> str:
        if len(self.object.signatures) == 1:
            return str(self.object)
        place = f" in {bounded(self.facts.location)}" if self.facts.location else ""
        return f"{self.object}, signature {self.facts.number}{place}"


@dataclass
class _Obtained:
    """What came of all that was to be signed: `declined` came back unsigned, or did not, by the SUT's own decision."""

    objects: list[SeenObject] = field(default_factory=list)
    declined: list[str] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)
    first: Missing | None = None  # why there is no object, where there is none

    def take(self, subject: str, facts: CreatedObjects) -> None:
        """Take in what came of one instance, or of all that the SUT brought itself."""
        signed = [SeenObject(each) for each in facts.objects if each.result.signatures]
        self.objects += signed
        problems = [reason for each in facts.objects for reason in each.result.problems if not each.result.signatures]
        if problems:
            whence = f"came back for {subject}" if subject else "came from the SUT"
            self.lacks(subject, Missing(f"what {whence} cannot be read: {bounded(problems[0].text)}", SIGN))
        elif subject and not signed:
            driver = facts.driver
            how = f": {driven(driver)}" if driver is not None else ""
            why = f"{subject} came back unsigned" if facts.objects else f"nothing came back for {subject}{how}"
            if driver is not None and (driver.problem or driver.timed_out):
                self.lacks(subject, Missing(why, SIGN))
            else:
                self.declined.append(subject)
                self.first = self.first or Missing(why, SIGN)

    def lacks(self, subject: str, why: Missing) -> None:
        """Take note of what was not seen, or cannot be read."""
        self.first = self.first or why
        if subject:
            self.lacking.append(subject)


class SignatureCreator(Claimed):
    """The creator of the claim that is judged."""

    def __init__(self, observations: Observations, endpoints: Endpoints, claim: ClaimRecord, sut: SutRecord) -> None:
        super().__init__(observations, endpoints, claim)
        self.sut = sut

    @cached_property
    def _obtained(self) -> _Obtained:
        found = _Obtained()
        for endpoint in self._endpoints:
            for subject in self._observations.subjects(endpoint, CreatedObjects) or ("",):
                try:
                    facts = self._observations.facts(endpoint, CreatedObjects, subject)
                except Missing as missing:
                    found.lacks(subject, missing)
                else:
                    found.take(subject, facts)
        return found

    @property
    def objects(self) -> tuple[SeenObject, ...]:
        """The signed objects of all endpoints. Raises `Missing` where there is none."""
        found = self._obtained
        if not found.objects:
            raise found.first or Missing(f"no signed object was found at {self.name}", SIGN)
        return tuple(found.objects)

    @property
    def lacking(self) -> tuple[str, ...]:
        """Instances of which it is not known how the SUT signs them: it was not seen, or cannot be read."""
        return tuple(self._obtained.lacking)

    @property
    def observed_at(self) -> datetime:
        """The time at which validity is judged."""
        return self._observations.observed_at

    @cached_property
    def signatures(self) -> tuple[SeenSignature, ...]:
        """All signatures of all objects."""
        return tuple(signature for each in self.objects for signature in each.signatures)

    @cached_property
    def documents(self) -> tuple[SeenObject, ...]:
        """The structured reports and key object selections. Raises `Missing` where there is none."""
        found = tuple(each for each in self.objects if each.document is not None)
        if not found:
            raise Missing(
                f"none of the {counted(len(self.objects), 'signed object')} at {self.name} is a structured report "
                "or a key object selection",
                "Let the SUT sign a structured report or a key object selection, and run again.",
                evidence_of(self.objects),
            )
        return found

    def not_concerned(self, what: str, objects: Sequence[SeenObject]) -> Missing | NotApplicable:
        """The outcome where nothing is concerned: `what` says what none of `objects` has."""
        left = len(self._obtained.declined)
        unsigned = f", {left} left unsigned" if left else ""
        reason = f"no signed object has {what} ({counted(len(objects), 'signed object')} examined{unsigned})"
        if self.lacking:
            return Missing(
                f"{reason}; not obtained: {in_a_row(self.lacking)}",
                "See why these objects did not come, or narrow `select` to those that the SUT can sign.",
                evidence_of(objects),
            )
        return NotApplicable(reason, evidence_of(objects))


SeenT = TypeVar("SeenT", SeenObject, SeenSignature)


def evidence_of(seen: Sequence[SeenObject] | Sequence[SeenSignature]) -> tuple[str, ...]:
    """What witnesses them: the first exchanges."""
    return tuple(dict.fromkeys(each.exchange for each in seen if each.exchange))[:_MOST_EVIDENCE]


def expect_of_each(
    creator: SignatureCreator,
    seen: Sequence[SeenT],
    wrong: Callable[[SeenT], str],
    *,
    what: str,
    expected: str,
    concerned: str = "",
) -> None:
    """Expect that nothing is wrong with any of `seen`.

    `wrong` says what is wrong with one of them (empty: nothing), and raises `NotApplicable` where it is not concerned
    and `Missing` where that is not known. What is wrong anywhere fails; else what is not known anywhere is missing.
    `concerned` completes "no signed object has ..." where none is concerned.
    """
    problems: list[tuple[SeenT, str]] = []
    unknown: list[tuple[SeenT, Missing]] = []
    right: list[SeenT] = []
    for each in seen:
        try:
            words = wrong(each)
        except NotApplicable:
            continue
        except Missing as missing:
            unknown.append((each, missing))
            continue
        if words:
            problems.append((each, words))
        else:
            right.append(each)
    if problems:
        expect(
            listed(grouped(problems)),
            evidence=evidence_of([each for each, _ in problems]),
            what=what,
        ).to_be_empty(expected=expected)
    if unknown:
        raise _unknown(unknown, len(seen))
    if not right:
        raise creator.not_concerned(concerned or what, objects_of(seen))
    expect(f"none, of {len(right)} examined", evidence=evidence_of(right), what=what).to_hold(True, expected=expected)


def grouped(problems: Sequence[tuple[SeenT, str]]) -> list[str]:
    """What is wrong, each complaint once, behind the names of those that it is about."""
    about: dict[str, list[str]] = {}
    for each, words in problems:
        about.setdefault(words, []).append(str(each))
    return [f"{in_a_row(names)}: {words}" for words, names in about.items()]


def objects_of(seen: Sequence[SeenObject] | Sequence[SeenSignature]) -> tuple[SeenObject, ...]:
    """The objects of `seen`, each once."""
    found: dict[int, SeenObject] = {}
    for each in seen:
        one = each if isinstance(each, SeenObject) else each.object
        found[id(one)] = one
    return tuple(found.values())


def _unknown(unknown: Sequence[tuple[SeenT, Missing]], total: int) -> Missing:
    """What is said where something could not be told of some."""
    each, first = unknown[0]
    more = f" ({len(unknown)} of {total} cannot be judged)" if total > 1 else ""
    return Missing(f"{each}: {first.what}{more}", first.remedy or LOOK, evidence_of([one for one, _ in unknown]))


def with_parameters(signatures: Sequence[SeenSignature]) -> Iterator[SeenSignature]:
    """Those whose MAC Parameters item is known: it is the one with their number."""
    return (each for each in signatures if each.facts.mac_id_items == 1)
