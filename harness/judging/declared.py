"""What the SUT file and the operator answer: requirements that nothing on the wire can show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.catalogue import Requirement
from harness.judging.findings import Finding
from harness.record.models import AnswerEvent, VerdictKind

_YES = frozenset({"yes", "true", "pass"})
_NO = frozenset({"no", "false", "fail"})


def declared(requirement: Requirement, declarations: Mapping[str, str], answers: Iterable[AnswerEvent]) -> Finding:
    """The finding for a requirement judged by-declaration, from the SUT file (else from a recorded answer)."""
    recorded = _latest(requirement, answers)
    answer = declarations.get(requirement.id, recorded.answer if recorded is not None else "").strip()
    expected = ("yes",) if requirement.answer == "yes" else ("an answer",)
    example = '"yes" or "no"' if requirement.answer == "yes" else '"..."'
    if not answer:
        return Finding(
            VerdictKind.INCONCLUSIVE,
            f"The SUT file does not answer: {requirement.question}",
            expected,
            remedy=f'Add to [declarations] of the SUT file: "{requirement.id}" = {example}',
        )
    if requirement.answer == "yes":
        return _yes_or_no(requirement, answer, "The SUT file declares", f'Answer {example} for "{requirement.id}".')
    return Finding(VerdictKind.PASS, "The SUT file declares it.", expected, answer)


def answered(requirement: Requirement, answers: Iterable[AnswerEvent]) -> Finding:
    """The finding for a requirement judged by-operator, from the last recorded answer."""
    recorded = _latest(requirement, answers)
    if recorded is None or not recorded.answer.strip():
        return Finding(
            VerdictKind.INCONCLUSIVE,
            "The guided step was not answered.",
            ("yes",),
            remedy=f"Answer the guided step, or add a table [operator.{_quoted(requirement.id)}] to the SUT file.",
        )
    return _yes_or_no(
        requirement, recorded.answer.strip(), f"{recorded.confirmed_by or 'The operator'} answered", "Answer yes or no."
    )


def _latest(requirement: Requirement, answers: Iterable[AnswerEvent]) -> AnswerEvent | None:
    fitting = [answer for answer in answers if answer.requirement == requirement.id]
    return max(fitting, key=lambda answer: answer.at, default=None)


def _yes_or_no(requirement: Requirement, answer: str, who: str, remedy: str) -> Finding:
    word = answer.lower().rstrip(".!")
    if word in _YES:
        return Finding(VerdictKind.PASS, f"{who}: {answer}.", ("yes",), answer)
    if word in _NO and requirement.denied == "inconclusive":
        return Finding(
            VerdictKind.INCONCLUSIVE,
            f"{who}: {answer}; whether the clause reaches this application protocol is open.",
            ("yes",),
            answer,
            requirement.remedy,
        )
    if word in _NO:
        kind = VerdictKind.FAIL if requirement.level == "shall" else VerdictKind.WARNING
        return Finding(kind, f"{who}: {answer}.", ("yes",), answer, requirement.remedy)
    return Finding(VerdictKind.INCONCLUSIVE, f"{who} neither yes nor no: {answer}", ("yes",), answer, remedy)


def _quoted(name: str) -> str:
    return f'"{name}"'
