"""Verifiers: PS3.15 C.1, C.2, C.3 and A.2, PS3.3 C.12.1.1.3, by the crafted objects that they were shown."""

from __future__ import annotations

from harness import Missing, Requirement, expect, verifies
from harness.catalogue import load_catalogue
from suites.signatures.verifier_view import SeenAnswer, SignatureVerifier
from suites.signatures.words import in_a_row, listed

pytest_plugins = ("suites.signatures.fixtures",)

MARK = "-verifier-"
ROLE = "signature-verifier"
OBLIGED = frozenset({"ripemd160", "md5", "sha1", "sha256", "sha384", "sha512"})
"""Rules under which a good object has to be called valid: "cannot be judged" is no answer (C.1)."""
_EXPECTED = {"valid": "called valid", "not-valid": "not called valid", "either": "any answer"}
_MOST_EVIDENCE = 20


def rule_of(requirement: str) -> str:
    """The rule of crafted objects that judges `requirement`."""
    return requirement.partition(MARK)[2]


def judged_by_answers() -> tuple[str, ...]:
    """The requirements that crafted objects judge."""
    own = (each for each in load_catalogue() if each.role == ROLE and each.judged == "automatically")
    return tuple(each.id for each in own if MARK in each.id)


@verifies(*judged_by_answers())
def test_crafted_objects_are_told_apart(verifier: SignatureVerifier, requirement: Requirement) -> None:
    """Good objects are called valid, others are not; where either is right, any answer is."""
    rule = rule_of(requirement.id)
    answers = verifier.of_rule(rule)
    broken = [each for each in answers if is_broken(each, rule)]
    expected = tuple(dict.fromkeys(_EXPECTED[each.facts.treatment] for each in broken or answers))
    if broken:
        if not verifier.calls_anything_valid:
            verifier.control()  # more likely whom it trusts, or what is read as its answer, is wrong
        expect(
            listed(f"{each}: {each.said} ({each.facts.text.rstrip('.')})" for each in broken),
            evidence=_evidence(broken),
            what="answers that are wrong",
        ).to_be_empty(expected=expected)
    unsaid = [each for each in answers if not each.understood]
    if unsaid:
        raise Missing(
            f"the verifier gave no answer to {listed(map(str, unsaid))[0]}"
            + (f" and {len(unsaid) - 1} more of {len(answers)}" if len(unsaid) > 1 else ""),
            "See what its driver prints for these objects, and write the patterns of its answers into the SUT file.",
            _evidence(unsaid),
        )
    unsettled = [each for each in answers if each.facts.treatment == "valid" and each.facts.answer != "valid"]
    if unsettled:
        raise Missing(
            f"the verifier could not judge {listed(map(str, unsettled))[0]}, which is valid"
            + (f", and {len(unsettled) - 1} more" if len(unsettled) > 1 else ""),
            requirement.remedy,
            _evidence(unsettled),
        )
    if any(each.facts.treatment == "not-valid" for each in answers):
        verifier.control()
    said = f"none, of {len(answers)} ({in_a_row(f'{each}: {each.facts.answer}' for each in answers)})"
    expect(said, evidence=_evidence(answers), what="answers that are wrong").to_hold(True, expected=expected)


def is_broken(answer: SeenAnswer, rule: str) -> bool:
    """Whether an answer is wrong, whatever else the verifier said."""
    facts = answer.facts
    if facts.treatment == "valid":
        return facts.answer == "invalid" or (facts.answer == "unverifiable" and rule in OBLIGED)
    return facts.treatment == "not-valid" and facts.answer == "valid"


def _evidence(answers: list[SeenAnswer] | tuple[SeenAnswer, ...]) -> tuple[str, ...]:
    return tuple(each.exchange for each in answers if each.exchange)[:_MOST_EVIDENCE]
