"""Sends signed objects to a SUT, retrieves them again, and tells what became of them (PS3.15 A.2, A.3)."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.errors import UsageProblem
from harness.objects.base import Found, InterruptedStepError, Subject, Work
from harness.objects.watching import WatchedFolder
from harness.observations.signatures import StoredObject

if TYPE_CHECKING:
    from fixtures.storage import StoredCase
    from harness.objects.dicom_port import Got, MoveDestination, Sent
    from harness.plan import FileStep
    from harness.sut import Sut
    from reference_impl.signatures.results import FileResult
    from reference_impl.storage.part10 import Instance

PREFIX = "store/"
"""How the names of the steps begin."""
_WEB = frozenset({"http", "https"})
_TOLD_BY = {"c-get": "C-GET", "c-move": "C-MOVE", "wado-rs": "WADO-RS", "folder": "folder"}
_TICK = 0.1
_BETWEEN, _BRIEFLY = 0.5, 1.0  # seconds between questions for one object, and for all of them once one never came


def subjects(sut: Sut, endpoint: str) -> Sequence[Subject]:
    """Every case: one object that is stored and retrieved."""
    from fixtures.storage import STORED_CASES

    del sut, endpoint
    return [Subject(PREFIX + name, case.text) for name, case in STORED_CASES.items()]


def handler(work: Work) -> Storing:
    """What executes the steps at an endpoint."""
    return Storing(work)


class Storing:
    """Stores one object after another and retrieves it. A `harness.objects.base.Handler`.

    Raises `UsageProblem` where a port that the SUT is to move to cannot be had.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._retrieved_by = work.objects.retrieved_by(work.where.protocol)
        self._patience = math.inf
        self._folder: WatchedFolder | None = None
        self._destination: MoveDestination | None = self._listen() if self._retrieved_by == "c-move" else None

    def _listen(self) -> MoveDestination:
        from harness.listeners.tls import addresses_of
        from harness.objects.dicom_port import MoveDestination
        from harness.sut_clients import is_loopback

        work, objects = self._work, self._work.objects
        where = f"{work.sut.source}: endpoints.{work.endpoint}"
        try:
            addresses = addresses_of(work.where.host)
        except (OSError, UnicodeError):
            raise UsageProblem(f"{where}.host: {work.where.host!r} cannot be resolved to an address") from None
        everywhere = "0.0.0.0"  # noqa: S104 - the SUT is another computer
        address = objects.address or ("127.0.0.1" if is_loopback(work.where.host) else everywhere)
        try:
            return MoveDestination(work, address, objects.port or 0, objects.destination or "", addresses)
        except OSError as problem:
            reason = problem.strerror or str(problem)
            raise UsageProblem(
                f"{where}.objects.port: {address} port {objects.port} cannot be listened at: {reason}; end the program "
                "that uses it, or write the port that the SUT moves to"
            ) from None

    def start(self) -> None:
        """Let the SUT move objects to us; note what is in its folder already."""
        if self._retrieved_by == "folder":
            self._folder = WatchedFolder(self._work.sut.folder / self._work.objects.folder)
        if self._destination is not None:
            self._destination.start()

    def stop(self) -> None:
        """Close the port."""
        if self._destination is not None:
            self._destination.stop()

    def do(self, step: FileStep) -> Found:
        """Store the object of `step`, retrieve it, compare both."""
        from fixtures.storage import STORED_CASES, write_case
        from reference_impl.storage.part10 import take_apart

        work = self._work
        case = STORED_CASES[step.subject.removeprefix(PREFIX)]
        sent_file = write_case(case.name, work.folder / f"{case.name}.dcm", work.material.pki)
        octets = sent_file.read_bytes()
        instance = take_apart(octets)
        started = datetime.now(UTC)
        seconds = step.seconds / 2
        sent = self._store(instance, octets, seconds)
        if sent.taken or sent.unsaid:
            unsaid = "" if sent.taken else "; whether it was stored, the SUT did not say"
            work.on_stored(instance.sop_instance, f"{case.text} (Patient ID PS315-TEST){unsaid}")
        work.check_running()
        facts = StoredObject(
            case=case.name,
            text=case.text,
            store_status=sent.status,
            stored_syntax=instance.syntax,
            contexts=sent.contexts,
            unverified=case.broken,
            taken=sent.taken,
            detail=sent.problem,
            told_by=_TOLD_BY[self._retrieved_by],
        )
        if not sent.taken:
            exchange = self._record(case, (sent_file, None), f"It was not stored: {sent.problem}.", started)
            if sent.status is None and not sent.contexts:
                missing = f"{case.name} could not be stored: {sent.problem}."
                return Found(None, missing, "Look whether the SUT stores such objects.", (exchange,))
            return Found(facts.model_copy(update={"exchanges": (exchange,)}), exchanges=(exchange,))
        got = self._retrieve(instance, seconds)
        return self._compared(case, sent_file, got, facts, started)

    def _store(self, instance: Instance, octets: bytes, seconds: float) -> Sent:
        if self._work.where.protocol in _WEB:
            from harness.objects import web_port

            return web_port.store(self._work, instance, octets, seconds)
        from harness.objects import dicom_port

        return dicom_port.store(self._work, instance, seconds)

    def _retrieve(self, instance: Instance, seconds: float) -> Got:
        """What comes back, asked for again as long as the SUT may be at work on what it took.

        Where that was in vain for one object, the others are waited for only briefly.
        """
        between = _TICK if self._folder is not None else _BETWEEN
        ends = time.monotonic() + min(seconds, self._patience)
        while True:
            got = self._asked_for(instance, seconds)
            if got.instance is not None or not got.later:
                return got
            if time.monotonic() > ends:
                self._patience = _BRIEFLY
                return got
            if self._work.stopping.wait(between):
                raise InterruptedStepError

    def _asked_for(self, instance: Instance, seconds: float) -> Got:
        from harness.objects import dicom_port, web_port

        if self._folder is not None:
            found = self._folder.find(instance.sop_instance)
            return dicom_port.Got(found, "" if found else "no file of this instance appeared in the folder", not found)
        if self._destination is not None:
            return self._destination.move(instance, seconds)
        ask = web_port.retrieve if self._retrieved_by == "wado-rs" else dicom_port.get
        return ask(self._work, instance, seconds)

    def _compared(self, case: StoredCase, sent_file: Path, got: Got, facts: StoredObject, started: datetime) -> Found:
        from harness.objects.comparing import compare
        from reference_impl.signatures.reader import UnreadableError

        if got.instance is None:
            exchange = self._record(case, (sent_file, None), f"It did not come back: {got.problem}.", started)
            told = facts.model_copy(update={"detail": got.problem, "exchanges": (exchange,)})
            return Found(told, exchanges=(exchange,))
        returned = self._work.folder / f"{case.name}-returned.dcm"
        returned.write_bytes(got.instance.octets())
        problem = ""
        try:
            differences = compare(sent_file, returned)
        except UnreadableError as unreadable:
            differences, problem = (), f"what came back cannot be read: {unreadable}"
        outcome = problem or (f"It came back with {len(differences)} differences." if differences else "It came back.")
        lines = [f"{one.kind} {one.place}: {one.detail}" for one in differences[:20]]
        exchange = self._record(case, (sent_file, returned), outcome, started, lines)
        told = facts.model_copy(
            update={
                "retrieved": not problem,
                "detail": problem,
                "returned_syntax": got.instance.syntax,
                "differences": differences,
                "before": _verified(sent_file),
                "after": _verified(returned),
                "exchanges": (exchange,),
            }
        )
        return Found(told, exchanges=(exchange,))

    def _record(
        self,
        case: StoredCase,
        files: tuple[Path, Path | None],
        outcome: str,
        started: datetime,
        lines: Sequence[str] = (),
    ) -> str:
        sent, returned = files
        octets: list[tuple[Literal["sent", "received"], Path | bytes]] = [("sent", sent)]
        if returned is not None:
            octets.append(("received", returned))
        where = self._work.where
        decoded = (f"{case.name}: {case.text}", f"stored, and retrieved by {_TOLD_BY[self._retrieved_by]}", *lines)
        return self._work.record(
            f"store and retrieve {case.name}",
            octets,
            outcome,
            peer=f"{where.host}:{where.port}",
            started=started,
            decoded=decoded,
        )


def _verified(path: Path) -> FileResult:
    """What the signatures of a file are worth, whoever signed."""
    from dataclasses import replace

    from reference_impl.signatures.policy import Policy
    from reference_impl.signatures.verifier import verify_file

    return replace(verify_file(path, Policy(integrity_only=True)), path=path.name)
