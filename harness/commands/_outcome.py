"""How a run ended: the lines that are printed, summary.json, the exit status."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.record import RunRecord, VerdictKind
from harness.version import version

_WORDS = {
    VerdictKind.PASS: "pass",
    VerdictKind.FAIL: "fail",
    VerdictKind.WARNING: "warning",
    VerdictKind.INCONCLUSIVE: "inconclusive",
    VerdictKind.NOT_APPLICABLE: "not applicable",
    VerdictKind.ERROR: "error",
}
_SHOWN_FAILS = 8
_SHOWN_REASON = 200


@dataclass(frozen=True)
class Outcome:
    """A SUT's judged record, its folder, and why nothing could be judged (empty: something could)."""

    record: RunRecord
    directory: Path
    nothing: str = ""

    @property
    def status(self) -> int:
        """The exit status of this SUT alone."""
        return self.record.footer.exit_status if self.record.footer else 2

    @property
    def name(self) -> str:
        """The SUT's id."""
        return self.record.header.sut.id


def exit_status_of(outcomes: Sequence[Outcome]) -> int:
    """The exit status of several SUTs, in the order of the design: nothing judged, failed, error, inconclusive, 0."""
    if all(outcome.nothing for outcome in outcomes):
        return 2
    statuses = {outcome.status for outcome in outcomes}
    return next((status for status in (1, 2, 3) if status in statuses), 0)


def conclude(outcomes: Sequence[Outcome], out: Path, *, several: bool, quiet: bool, as_json: bool) -> int:
    """Write the index of several SUTs, tell how the run ended and return the exit status."""
    status = exit_status_of(outcomes)
    summary = summary_of(outcomes, out, status)
    if several:
        (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        _write_index(outcomes, out)
    if as_json:
        sys.stdout.write(json.dumps(summary, indent=2) + "\n")
    elif not quiet:
        for outcome in outcomes:
            sys.stdout.write("\n".join(lines_of(outcome)) + "\n")
        if several:
            sys.stdout.write(f"all: {out / 'index.html'}\n")
    for outcome in outcomes:
        if outcome.nothing:
            sys.stderr.write(f"ps315: nothing could be judged: {outcome.name}: {outcome.nothing}\n")
    return status


def _write_index(outcomes: Sequence[Outcome], out: Path) -> None:
    from reports import render_index

    render_index(out, [outcome.record for outcome in outcomes])


def summary_of(outcomes: Sequence[Outcome], out: Path, status: int) -> dict[str, Any]:
    """The content of summary.json (``schemas/summary.schema.json``)."""
    return {
        "schema_version": 1,
        "tool": {"name": "ps315", "version": version()},
        "exit_status": status,
        "suts": [
            {
                "id": outcome.name,
                "directory": outcome.directory.relative_to(out).as_posix(),
                "exit_status": outcome.status,
                "nothing_judged": outcome.nothing,
                "summary": _counts(outcome.record),
                "claims": [
                    claim.model_dump(mode="json", include={"profile", "edition", "role", "endpoint", "verdict"})
                    for claim in outcome.record.claims
                ],
            }
            for outcome in outcomes
        ],
    }


def _counts(record: RunRecord) -> dict[str, int]:
    counted = record.footer.summary if record.footer else {}
    return {kind.value: counted.get(kind, 0) for kind in VerdictKind}


def lines_of(outcome: Outcome) -> list[str]:
    """What is printed about one SUT: verdict per claim, what failed, numbers, where the report is."""
    record = outcome.record
    sut = record.header.sut
    described = " ".join(part for part in (sut.vendor, sut.product, sut.version) if part)
    lines = [f"{sut.id}{f' ({described})' if described else ''}"]
    for claim in record.claims:
        verdict = _WORDS[claim.verdict].upper()
        lines.append(f"  {verdict:13} {claim.profile} ({claim.edition}) as {claim.role} at {claim.endpoint}")
    failed = [verdict for verdict in record.verdicts if verdict.verdict is VerdictKind.FAIL and not verdict.derived]
    for fail in failed[:_SHOWN_FAILS]:
        waived = " [waived]" if fail.waiver and not fail.waiver.expired else ""
        lines.append(f"    fail  {fail.requirement} at {fail.endpoint}{waived}: {_printable(fail.reason)}")
    if len(failed) > _SHOWN_FAILS:
        lines.append(f"    ... and {len(failed) - _SHOWN_FAILS} more")
    counts = _counts(record)
    numbers = ", ".join(f"{counts[kind.value]} {_WORDS[kind]}" for kind in _WORDS)
    connections = record.footer.connections if record.footer else 0
    lines.append(f"  {numbers}; {connections} connection{'' if connections == 1 else 's'}")
    lines.append(f"  report: {outcome.directory / 'report.html'}")
    return lines


def _printable(text: str) -> str:
    """`text`, shortened, without control characters: what a SUT sent must not steer a terminal."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    return shown if len(shown) <= _SHOWN_REASON else shown[: _SHOWN_REASON - 3] + "..."
