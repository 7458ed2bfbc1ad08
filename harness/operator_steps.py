"""Ask steps: answers recorded in the SUT file first, then whoever sits at the terminal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from harness.observe import SutRun
from harness.record.models import AnswerEvent


def ask(
    run: SutRun, prompt: Callable[[str], str] | None, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> None:
    """Execute the ask steps of a plan: answers of the SUT file first, then `prompt` where somebody can be asked."""
    answered = {event.step for event in run.before.answers} if run.before else set()
    for step in run.plan.asks():
        if step.id in answered:
            continue
        recorded = run.sut.file.operator.get(step.requirement)
        if recorded is not None:
            answer, by, at = recorded.answer, recorded.confirmed_by, recorded.at
        elif prompt is not None and (given := prompt(f"{step.requirement}: {step.question}").strip()):
            answer, by, at = given, run.sut.file.identity.tester or "operator", now()
        else:
            continue
        run.journal.append(
            AnswerEvent(step=step.id, requirement=step.requirement, answer=answer, confirmed_by=by, at=at)
        )
