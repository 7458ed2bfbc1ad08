"""Ask steps: answers recorded in the SUT file first, then whoever sits at the terminal or looks at the page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from harness.observe import SutRun
from harness.operator_board import Board, Reply
from harness.plan import AskStep
from harness.record.models import AnswerEvent

QUESTION_SECONDS = 600.0
"""So long the answer to a question is waited for on the operator's page."""
Prompt = Callable[[str], str]


def ask(
    run: SutRun,
    prompt: Prompt | None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    board: Board | None = None,
) -> None:
    """Execute the ask steps of a plan: answers of the SUT file first, then `board` or `prompt`, if there is one."""
    answered = {event.step for event in run.before.answers} if run.before else set()
    for step in run.plan.asks():
        if step.id in answered:
            continue
        recorded = run.sut.file.operator.get(step.requirement)
        if recorded is not None:
            reply, at = Reply(recorded.answer, recorded.confirmed_by), recorded.at
        elif given := _asked(run, step, prompt, board):
            reply, at = given, now()
        else:
            continue
        run.journal.append(
            AnswerEvent(step=step.id, requirement=step.requirement, answer=reply.said, confirmed_by=reply.by, at=at)
        )


def _asked(run: SutRun, step: AskStep, prompt: Prompt | None, board: Board | None) -> Reply | None:
    """The answer of somebody who is there; None if nobody is, or nothing was answered."""
    if board is not None:
        return board.ask(sut=run.sut.id, title=step.requirement, text=step.question, seconds=QUESTION_SECONDS)
    if prompt is not None and (said := prompt(f"{step.requirement}: {step.question}").strip()):
        return Reply(said, run.sut.file.identity.tester or "operator")
    return None
