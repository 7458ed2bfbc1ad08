"""What a SUT says of crafted objects: its driver's exit status or output, its C-STORE status, or an operator."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from harness.drivers.base import Stimulus
from harness.drivers.operator import NOBODY
from harness.errors import UsageProblem
from harness.objects.base import VERIFIED, Found, Handler, Subject, Work
from harness.objects.driving import Drive
from harness.objects.inspecting import now
from harness.observations.clients import DriverOutcome
from harness.observations.signatures import Answer, VerifierAnswer
from harness.operator_board import SKIP
from harness.plan import FileStep
from harness.sut import Sut
from harness.sut_clients import EMBEDDED, DriverTable

if TYPE_CHECKING:
    from fixtures.signatures import SignedCase

WORDS: dict[str, Answer] = {"valid": "valid", "invalid": "invalid", "unverifiable": "unverifiable"}
_CRASHES = range(128, 160)  # what a shell says of a program that a signal ended
_UNANSWERED = 3
CONTROL = "mac/sha256"
"""A good object, which is shown first: a SUT that does not trust the signer's authority calls it not valid."""
_UNTRUSTING = (
    "The SUT was not told to trust the test authority, and does not call a good object valid. Let it trust the "
    "authority of a campaign (`ps315 pki`), named as campaign in [credentials], or write {trust_anchors} into the "
    "driver's command."
)
_NO_LIST = (
    "The SUT was not given the revocation list; write {crl} into the driver's command, or install that of a campaign "
    "(`ps315 pki`), named as campaign in [credentials]."
)
QUESTION = (
    "Let the device verify {path}. What does it say of its signature? Answer valid, invalid, or unverifiable if it "
    "cannot judge it."
)


def subjects(sut: Sut, endpoint: str) -> Sequence[Subject]:  # noqa: ARG001 - every verifier is shown the same
    """One for each crafted object."""
    from fixtures.signatures import SIGNED_CASES

    return [Subject(name, f"verify: {case.text}", needs=(CONTROL,)) for name, case in SIGNED_CASES.items()]


def handler(work: Work) -> Handler:
    """What shows crafted objects at an endpoint."""
    table = work.sut.file.drivers.get(work.objects.driver)
    if work.objects.driver == EMBEDDED or (table is not None and table.kind == "command"):
        return Answering(work, ByDriver(work, table))
    if table is not None or work.where.protocol == "files":
        return Answering(work, ByOperator(work))
    from harness.objects.showing import Showing

    return Answering(work, Showing(work))


class Ask(Protocol):
    """Shows objects to the SUT."""

    @property
    def gone(self) -> str:
        """Why nothing can be shown to it any more; empty as long as it can."""

    def __call__(self, case: SignedCase, shown: Path, step: FileStep) -> VerifierAnswer:
        """What it says of the file of a case."""


class Answering:
    """Crafted objects are shown one after another, each as a copy that the SUT may do with as it likes."""

    def __init__(self, work: Work, ask: Ask) -> None:
        self._work, self._ask = work, ask
        self._number = 0
        self._check_folder()
        self._told = is_told_whom_to_trust(work)
        before = work.recorded(VERIFIED, CONTROL)
        self._untrusting = before is not None and (before.facts or {}).get("skipped") == _UNTRUSTING

    def start(self) -> None:
        """Nothing has to be got ready."""

    def stop(self) -> None:
        """Nothing is kept."""

    def do(self, step: FileStep) -> Found:
        """Show one object and record what is said of it."""
        from fixtures.signatures import SIGNED_CASES

        work, case = self._work, SIGNED_CASES[step.subject]
        if "crl" in case.needs and not knows_revoked(work):
            return Found(facts_of(case, skipped=_NO_LIST))
        if why := _UNTRUSTING if self._untrusting else self._ask.gone:
            return Found(facts_of(case, skipped=why))
        self._number += 1
        began = now()
        folder = self._folder()
        shown = folder / f"{step.subject.replace('/', '-')}.dcm"
        try:
            shutil.copyfile(work.material.case(step.subject), shown)
            answer = self._ask(case, shown, step)
            if case.name == CONTROL and not self._told and answer.answer in {"invalid", "unverifiable"}:
                self._untrusting = True
                answer = answer.model_copy(update={"answer": "", "skipped": _UNTRUSTING})
            peer = work.where.host or f"driver {work.objects.driver}".rstrip()
            said = f"{answer.answer or 'no answer'}: {answer.told_by}".rstrip(": ")
            octets = work.material.case(step.subject)
            name = work.record(
                case.text, [("sent", octets)], answer.skipped or said, peer=peer, started=began, decoded=(case.because,)
            )
            return Found(answer.model_copy(update={"exchange": name}), exchanges=(name,))
        finally:
            if folder.is_relative_to(work.folder):
                shutil.rmtree(folder, ignore_errors=True)
            else:
                shown.unlink(missing_ok=True)

    def _check_folder(self) -> None:
        """Raise `UsageProblem` where the SUT's folder, if it has one, cannot be written to."""
        work, named = self._work, self._work.objects.folder
        if not named or work.objects.retrieve:
            return
        folder = work.sut.folder / Path(named).expanduser()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as problem:
            raise UsageProblem(
                f"{work.sut.source}: endpoints.{work.endpoint}.objects.folder: {folder} cannot be written to: "
                f"{problem.strerror or problem}; name a folder from which the SUT takes what it verifies"
            ) from None

    def _folder(self) -> Path:
        """Where the object is put: the SUT's folder if it has one, else one of ours."""
        named = self._work.objects.folder
        if named and not self._work.objects.retrieve:
            folder = self._work.sut.folder / Path(named).expanduser()
        else:
            folder = self._work.folder / f"answer-{self._number}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def knows_revoked(work: Work) -> bool:
    """Whether the SUT was told which signers are revoked: by its driver, or before the run."""
    table = work.sut.file.drivers.get(work.objects.driver)
    by_command = table is not None and "crl" in table.names
    return by_command or work.objects.driver == EMBEDDED or work.material.installed


def is_told_whom_to_trust(work: Work) -> bool:
    """Whether the SUT was told to trust the signers' authority: by its driver, or before the run."""
    table = work.sut.file.drivers.get(work.objects.driver)
    by_command = table is not None and "trust_anchors" in table.names
    return by_command or work.objects.driver == EMBEDDED or work.material.installed


def facts_of(
    case: SignedCase,
    *,
    answer: Answer = "",
    told_by: str = "",
    status: int | None = None,
    driver: DriverOutcome | None = None,
    skipped: str = "",
) -> VerifierAnswer:
    """What is recorded of a case."""
    return VerifierAnswer(
        case=case.name,
        text=case.text,
        rule=case.rule,
        treatment=case.treatment,
        level=case.level,
        answer=answer,
        told_by=told_by,
        status=status,
        driver=driver,
        skipped=skipped,
    )


class ByDriver:
    """Answers of a command, as `table` reads them, or of a SUT within this process: its output is the word."""

    def __init__(self, work: Work, table: DriverTable | None) -> None:
        self._work, self._table = work, table
        self._drive = Drive(work)
        self._number = 0

    @property
    def gone(self) -> str:
        """Why it is asked no more."""
        return self._drive.gone

    def __call__(self, case: SignedCase, shown: Path, step: FileStep) -> VerifierAnswer:
        """What the SUT says."""
        outcome = self._made(shown, step)
        if self._table is None:
            answer, told_by = WORDS.get(outcome.output, ""), outcome.problem or "its answer"
        else:
            answer, told_by = answer_of(outcome, self._table)
        return facts_of(case, answer=answer, told_by=told_by, driver=outcome)

    def _made(self, shown: Path, step: FileStep) -> DriverOutcome:
        """How the driver did its work."""
        self._number += 1
        work = self._work
        return self._drive.once(
            Stimulus(
                endpoint=work.endpoint,
                protocol=work.where.protocol,
                host=work.where.host,
                port=work.where.port or 0,
                called_aet=work.where.called_aet,
                calling_aet=work.where.calling_aet,
                object=step.subject,
                text=step.text,
                input=shown,
                seconds=step.seconds,
                trust_anchors=work.material.trust_anchors,
                crl=work.material.crl,
                number=self._number,
                of=work.count,
            )
        )


def answer_of(outcome: DriverOutcome, table: DriverTable) -> tuple[Answer, str]:
    """What a command that ended so says of an object, and what that is read from; empty where nothing is said.

    What the SUT file names is looked for first: `unverifiable`, `invalid`, `valid`, in this order. Without that status
    0 says valid and any other invalid, but for those that say that the command crashed or could not be run.
    """
    status = outcome.exit_status
    if outcome.problem or outcome.timed_out or status is None:
        return "", outcome.problem or "The command did not end."
    for word, said in (("unverifiable", table.unverifiable), ("invalid", table.invalid), ("valid", table.valid)):
        if said is not None and status >= 0 and said.matches(status, outcome.output):
            read = f"exit status {status}" if said.exit else f"its output, which matches {said.output!r}"
            return WORDS[word], read
    if status < 0 or status in _CRASHES:
        return "", f"exit status {status}: the command crashed"
    if table.valid is None and status == 0:
        return "valid", "exit status 0"
    if table.invalid is None and status != 0:
        return "invalid", f"exit status {status}"
    return "", f"exit status {status}, and neither it nor the output is what the SUT file says of an answer"


class ByOperator:
    """Answers of a person, who shows the object to the SUT. With nobody there, nothing is waited for."""

    def __init__(self, work: Work) -> None:
        self._work = work
        table = work.sut.file.drivers.get(work.objects.driver)
        self._text = (table.operator if table else None) or ""
        self._number = self._unanswered = 0

    @property
    def gone(self) -> str:
        """Why nobody is asked."""
        if not self._work.board.fronts:
            return NOBODY
        return "Nobody answered the last questions; go on when somebody can." if self._unanswered >= _UNANSWERED else ""

    def __call__(self, case: SignedCase, shown: Path, step: FileStep) -> VerifierAnswer:
        """Ask what the SUT says."""
        board = self._work.board
        self._number += 1
        text = f"{self._text} {QUESTION.format(path=shown)}".strip()
        while True:
            task = board.post(
                "ask",
                sut=self._work.sut.id,
                title=step.subject,
                text=text,
                seconds=step.seconds,
                number=self._number,
                of=self._work.count,
                choices=tuple(WORDS),
            )
            self._work.await_reply(task)
            reply = task.reply
            self._unanswered = self._unanswered + 1 if reply is None else 0
            if reply is None:
                return facts_of(case, skipped=f"Nobody answered within {step.seconds:.0f} s.")
            if reply.said == SKIP:
                return facts_of(case, skipped="The operator skipped this object.")
            if word := word_of(reply.said):
                outcome = DriverOutcome(kind="operator", action=text, output=reply.said, confirmed_by=reply.by)
                return facts_of(case, answer=word, told_by=f"the operator, {reply.by}", driver=outcome)
            text = f"{reply.said!r} is none of valid, invalid and unverifiable. {QUESTION.format(path=shown)}"


def word_of(said: str) -> Answer:
    """The answer that a person gave, by its word or the beginning of it; empty for anything else."""
    word = said.strip().lower().rstrip(".!")
    found = [answer for known, answer in WORDS.items() if word and known.startswith(word)]
    return found[0] if len(found) == 1 else ""
