"""Looking at an object that came from a SUT: its signatures verified, and held against what the SUT was given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from harness.objects.base import Work
from harness.objects.folders import head
from harness.observations.signatures import SignedObject
from reference_impl.signatures.policy import Lookup
from reference_impl.signatures.results import FileResult, Reason, SignatureResult, Standing

_LOSSES = frozenset({"value", "removed", "item-order", "items"})
_LINES = 20


def inspect(
    work: Work,
    path: Path,
    name: str,
    *,
    purpose: str,
    peer: str,
    started: datetime,
    given: Path | None = None,
    beside: Lookup | None = None,
) -> SignedObject:
    """What is to be said of the object at `path`, which came from `peer`; it is recorded as an exchange.

    `name` is what it is called, `given` what the SUT was handed to sign, `beside` finds the instances that came with
    it, to which documents may refer. Whatever the file holds, nothing is raised.
    """
    result = replace(verified(work, path, beside), path=name)
    octets: list[tuple[Literal["sent", "received"], Path | bytes]] = [("sent", given)] if given is not None else []
    exchange = work.record(
        purpose,
        [*octets, ("received", path)],
        outcome_of(result),
        peer=peer,
        started=started,
        decoded=lines_of(result),
    )
    unchanged = None if given is None or not result.octets else holds(given, path)
    return SignedObject(name=name, result=result, exchange=exchange, unchanged=unchanged)


def instances_in(files: Sequence[Path]) -> Lookup:
    """Finds an instance among `files` by its SOP Instance UID. They are read when it is first asked."""
    from reference_impl.signatures.reader import UnreadableError, open_dicom

    found: dict[str, Path] = {}
    unread = list(files)

    def find(uid: str) -> Path | None:
        while unread:
            path = unread.pop()
            try:
                with open_dicom(path) as file:
                    found[file.sop_instance] = path
            except UnreadableError:
                continue
        return found.get(uid)

    return find


def verified(work: Work, path: Path, beside: Lookup | None = None) -> FileResult:
    """The result of verifying `path`; for what is no regular file, one that says so."""
    if head(path, 1) is None:
        problem = Reason("no-file", "it is no regular file, or it cannot be read")
        return FileResult(path.name, Standing.UNKNOWN, problems=(problem,))
    from reference_impl.signatures.verifier import verify_file

    policy = work.material.policy
    if beside is not None:
        ours = work.material.instance_with
        policy = replace(policy, references=lambda uid: beside(uid) or ours(uid))
    return verify_file(path, policy)


def outcome_of(result: FileResult) -> str:
    """A result in a sentence."""
    count = len(result.signatures)
    if result.problems:
        first = result.problems[0]
        return f"{first.place}: {first.text}" if first.place else first.text
    if not count:
        return "It bears no signature."
    return f"{count} signature{'' if count == 1 else 's'}, {result.standing.value}."


def lines_of(result: FileResult) -> tuple[str, ...]:
    """Readable lines that say what an object is, for the evidence."""
    lines = [f"SOP class {result.sop_class}, instance {result.sop_instance}, transfer syntax {result.transfer_syntax}"]
    lines += [f"{one.place}: {one.text}" if one.place else one.text for one in result.problems]
    return (*lines, *(_line(one) for one in result.signatures[:_LINES]))


def _line(one: SignatureResult) -> str:
    where = f" at {one.location}" if one.location else ""
    reasons = "; ".join(f"{reason.place} {reason.text}".strip() for reason in one.reasons[:3])
    return (
        f"signature {one.number}{where}: {one.standing.value}, {one.algorithm or 'no algorithm'}, MAC id {one.mac_id}, "
        f"{len(one.signed)} elements, {one.signed_at}" + (f": {reasons}" if reasons else "")
    )


def holds(given: Path, path: Path) -> bool | None:
    """Whether all that `given` holds stands in `path` bit for bit, at the same place; None if that cannot be told.

    Elements and signatures may have been added, VRs and transfer syntax may be others.
    """
    from harness.objects.comparing import compare
    from reference_impl.signatures.reader import UnreadableError

    try:
        differences = compare(given, path)
    except UnreadableError:
        return None
    return not any(difference.kind in _LOSSES for difference in differences)


def now() -> datetime:
    """The present time, as recorded."""
    return datetime.now(UTC)
