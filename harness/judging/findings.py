"""What one judgement of one requirement under one claim found, before it becomes a verdict of the record."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.catalogue import Requirement
from harness.errors import HarnessError
from harness.judging.expect import Evaluated
from harness.judging.lookup import Endpoints
from harness.judging.outcomes import Deviation, Missing, NotApplicable, exchange_ids, in_words
from harness.observations import Observation
from harness.record.models import ClaimRecord, VerdictKind

WORST_FIRST = (
    VerdictKind.ERROR,
    VerdictKind.FAIL,
    VerdictKind.INCONCLUSIVE,
    VerdictKind.WARNING,
    VerdictKind.PASS,
    VerdictKind.NOT_APPLICABLE,
)
_LONGEST_REASON = 400


@dataclass(frozen=True)
class Case:
    """One requirement that one claim selects: what a test item judges."""

    claim: ClaimRecord
    requirement: Requirement
    endpoints: Endpoints

    @property
    def key(self) -> tuple[ClaimRecord, str]:
        """Identifies the case within one judging."""
        return self.claim, self.requirement.id

    @property
    def label(self) -> str:
        """Readable id of the test item."""
        claim = self.claim
        return f"{claim.endpoint}/{claim.profile}-{claim.edition}-{claim.role}/{self.requirement.id}"


@dataclass(frozen=True)
class Finding:
    """The outcome of a judgement. `kinds` are the observation kinds that it consulted."""

    kind: VerdictKind
    reason: str
    expected: tuple[str, ...] = ()
    observed: Any = None
    remedy: str = ""
    evidence: tuple[str, ...] = ()
    kinds: frozenset[str] = frozenset()


def worst(findings: Sequence[Finding]) -> Finding:
    """The finding that counts where several test items judge one case."""
    return min(findings, key=lambda finding: WORST_FIRST.index(finding.kind))


def error(reason: str) -> Finding:
    """The harness's own fault: nothing is said about the SUT."""
    return Finding(VerdictKind.ERROR, shortened(reason))


def finding_of(
    case: Case, raised: BaseException | None, evaluated: Sequence[Evaluated], consulted: Sequence[Observation]
) -> Finding:
    """What a judgement that ended with `raised` (None: it returned) says about its requirement."""
    kinds = frozenset(observation.kind for observation in consulted)
    consulted_exchanges = exchange_ids(name for observation in consulted for name in observation.exchanges)
    witnessed = exchange_ids(name for one in evaluated for name in one.evidence) or consulted_exchanges
    match raised:
        case None if not evaluated:
            return error("the judgement evaluated no expectation: it judged nothing")
        case None:
            return Finding(
                VerdictKind.PASS,
                shortened(f"Observed as expected: {_in_one_line(evaluated)}."),
                tuple(dict.fromkeys(words for one in evaluated for words in one.expected)),
                _observed(evaluated),
                evidence=witnessed,
                kinds=kinds,
            )
        case Deviation():
            kind = VerdictKind.FAIL if case.requirement.level == "shall" else VerdictKind.WARNING
            return Finding(
                kind,
                shortened(f"{_subject(raised.what)}{_sentence(raised)}"),
                raised.expected,
                raised.observed,
                raised.remedy or case.requirement.remedy,
                raised.evidence or witnessed,
                kinds,
            )
        case Missing():
            return Finding(
                VerdictKind.INCONCLUSIVE,
                shortened(raised.what),
                tuple(dict.fromkeys(words for one in evaluated for words in one.expected)),
                remedy=raised.remedy,
                evidence=raised.evidence or witnessed,
                kinds=kinds,
            )
        case NotApplicable():
            return Finding(
                VerdictKind.NOT_APPLICABLE,
                shortened(raised.reason),
                evidence=raised.evidence or witnessed,
                kinds=kinds,
            )
        case HarnessError():
            return error(str(raised))
        case _:
            return error(f"the judgement broke off: {_told(raised)}")


def shortened(text: str) -> str:
    """`text` on one line, bounded: it may quote a SUT."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 3] + "..."


def _subject(what: str) -> str:
    return f"{what[0].upper()}{what[1:]}: " if what else ""


def _sentence(deviation: Deviation) -> str:
    return f"expected {' or '.join(deviation.expected)}, observed {in_words(deviation.observed)}."


def _in_one_line(evaluated: Sequence[Evaluated]) -> str:
    met = [in_words(_as_met(one)) for one in evaluated]
    return "; ".join(f"{one.what}: {words}" if one.what else words for one, words in zip(evaluated, met, strict=True))


def _as_met(one: Evaluated) -> Any:
    """What was observed; where a list of exceptions was expected to be empty, and is, that says it."""
    return "no exception" if one.observed == [] else one.observed


def _observed(evaluated: Sequence[Evaluated]) -> Any:
    if len(evaluated) == 1:
        return _as_met(evaluated[0])
    names = [one.what for one in evaluated]
    if all(names) and len(set(names)) == len(names):
        return {one.what: _as_met(one) for one in evaluated}
    return [_as_met(one) for one in evaluated]


def _told(raised: BaseException) -> str:
    """Type, message and place of an exception that is not an outcome."""
    frames = traceback.extract_tb(raised.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).name.startswith("test_")] or frames[-1:]
    place = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    message = str(raised)
    return f"{type(raised).__name__}{f': {message}' if message else ''}{place}"
