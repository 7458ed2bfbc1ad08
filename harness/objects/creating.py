"""Objects that a SUT has signed: of what it is given by a driver, from a folder of its own, or sent to us."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from harness.drivers.base import Stimulus
from harness.objects.base import CREATED, Found, Handler, Subject, Work
from harness.objects.driving import Drive
from harness.objects.folders import Contents, contents_of, printable
from harness.objects.inspecting import inspect, instances_in, now
from harness.observations.clients import DriverOutcome
from harness.observations.signatures import CreatedObjects, SignedObject
from harness.plan import FileStep
from harness.sut import Sut
from harness.sut_clients import EMBEDDED

_NOT_TO_BE_SIGNED = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.2"})
"""Implicit VR, big endian: whoever signs such an object and leaves it so makes a signature that nobody can judge."""
_BROUGHT = "objects that the SUT has signed"


def subjects(sut: Sut, endpoint: str) -> Sequence[Subject]:
    """One for each instance that the SUT can be given, and one for what it brings itself."""
    planned: list[Subject] = []
    if _is_given(sut, endpoint):
        from fixtures.instances import INSTANCES

        planned += [
            Subject(name, f"sign: {spec.text}", only_if_named=spec.transfer_syntax in _NOT_TO_BE_SIGNED)
            for name, spec in INSTANCES.items()
        ]
    if sut.listen(endpoint) is not None or sut.objects(endpoint).folder:
        planned.append(Subject("", _BROUGHT))
    return planned


def handler(work: Work) -> Handler:
    """What looks at the objects of an endpoint. Raises `UsageProblem` where a port cannot be had."""
    if work.sut.listen(work.endpoint) is None:
        return FolderHandler(work)
    from harness.objects.receiving import Receiving

    return Receiving(work)


def _is_given(sut: Sut, endpoint: str) -> bool:
    """Whether the driver of `endpoint` signs what it is given."""
    name = sut.objects(endpoint).driver
    if name == EMBEDDED:
        return True
    table = sut.file.drivers.get(name)
    return table is not None and "input" in table.names


class FolderHandler:
    """Instances go through the SUT's driver; what it brings itself is found in its folder."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._drive = Drive(work) if work.objects.driver else None
        self._number = 0
        table = work.sut.file.drivers.get(work.objects.driver)
        self._in_place = table is not None and table.kind == "command" and "output" not in table.names

    def start(self) -> None:
        """Nothing has to be got ready."""

    def stop(self) -> None:
        """Nothing is kept."""

    def do(self, step: FileStep) -> Found:
        """Have the instance signed, or look at what there is."""
        return self._signed(step) if step.subject else self._brought(step)

    def _signed(self, step: FileStep) -> Found:
        """The instance that `step` names, signed by the SUT."""
        assert self._drive is not None  # noqa: S101 - planned for a driver alone
        if self._drive.gone:
            outcome = DriverOutcome(kind="none", problem=self._drive.gone)
            return Found(CreatedObjects(text=step.text, driver=outcome))
        self._number += 1
        folder = self._work.folder / f"create-{self._number}"
        folder.mkdir()
        try:
            given = self._work.material.instance(step.subject)
            handed, output = folder / given.name, folder / "signed" / given.name
            output.parent.mkdir()
            shutil.copyfile(given, handed)
            began = now()
            outcome = self._drive.once(self._stimulus(step, handed, output))
            made = handed if self._in_place else output
            if not made.exists():
                return Found(CreatedObjects(text=step.text, driver=outcome))
            peer = f"driver {self._work.objects.driver}"
            seen = inspect(self._work, made, step.subject, purpose=step.text, peer=peer, started=began, given=given)
            return Found(CreatedObjects(text=step.text, objects=(seen,), driver=outcome), exchanges=(seen.exchange,))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _stimulus(self, step: FileStep, handed: Path | None = None, output: Path | None = None) -> Stimulus:
        work = self._work
        return Stimulus(
            endpoint=work.endpoint,
            protocol=work.where.protocol,
            object=step.subject,
            text=step.text,
            input=handed,
            output=output,
            instances=work.material.instances,
            seconds=step.seconds,
            trust_anchors=work.material.trust_anchors,
            number=max(self._number, 1),
            of=work.count,
        )

    def _brought(self, step: FileStep) -> Found:
        """What the folder of the SUT holds, once its driver (if that is not given instances) has filled it."""
        work = self._work
        outcome = None
        if self._drive is not None and not _is_given(work.sut, work.endpoint):
            outcome = self._drive.once(self._stimulus(step))
        folder = work.sut.folder / Path(work.objects.folder).expanduser()
        contents = contents_of(folder, work.objects.most, step.seconds)
        if not contents.files:
            why = _empty(folder, contents)
            facts = None if outcome is None else CreatedObjects(text=step.text, driver=outcome)
            return Found(facts, why, f"Let the SUT put signed objects there, or mend endpoints.{work.endpoint}.objects")
        return looked_at(work, step, contents, folder, outcome=outcome, peer=f"folder {folder}")


def looked_at(
    work: Work, step: FileStep, contents: Contents, folder: Path, *, outcome: DriverOutcome | None, peer: str
) -> Found:
    """Every object in `contents` inspected, for at most `step.seconds`; what time did not suffice for is counted."""
    ends = time.monotonic() + step.seconds
    objects: list[SignedObject] = []
    left_out = contents.left_out
    beside = instances_in(contents.files)
    for number, path in enumerate(contents.files):
        work.check_running()
        if time.monotonic() > ends:
            left_out += len(contents.files) - number
            break
        name = printable(path.relative_to(folder))
        seen = inspect(work, path, name, purpose=_BROUGHT, peer=peer, started=now(), beside=beside)
        objects.append(seen)
    return Found(
        CreatedObjects(text=step.text, objects=tuple(objects), left_out=left_out, driver=outcome),
        exchanges=tuple(one.exchange for one in objects),
        note=" ".join(filter(None, (_beyond(left_out), contents.problem))),
    )


def _beyond(left_out: int) -> str:
    """What is told of objects that were not looked at."""
    if not left_out:
        return ""
    return f"There are {left_out} objects more, which were not looked at; write a higher number as most, or seconds."


def _empty(folder: Path, contents: Contents) -> str:
    if contents.problem:
        return contents.problem
    if contents.others:
        return f"{folder} holds {contents.others} files, and none of them is a DICOM file."
    return f"{folder} holds no files."


__all__ = ["CREATED", "FolderHandler", "handler", "looked_at", "subjects"]
