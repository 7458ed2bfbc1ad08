"""``report.json``: the machine-readable report, the contract that build pipelines rely on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from harness.record import RunRecord, SeparationRecord, VerdictKind, VerdictRecord
from reports.evidence import EvidenceFiles
from reports.sources import source_url

REPORT_SCHEMA_VERSION = 1
"""Grows when a field changes its meaning or goes; new fields alone do not raise it."""


def summary_of(verdicts: Iterable[VerdictRecord]) -> dict[str, int]:
    """How many verdicts of each kind there are; every kind has its number."""
    summary = {kind.value: 0 for kind in _ORDER}
    for verdict in verdicts:
        summary[verdict.verdict.value] += 1
    return summary


_ORDER = (
    VerdictKind.PASS,
    VerdictKind.FAIL,
    VerdictKind.WARNING,
    VerdictKind.INCONCLUSIVE,
    VerdictKind.NOT_APPLICABLE,
    VerdictKind.ERROR,
)


def document_of(record: RunRecord, files: EvidenceFiles) -> dict[str, Any]:
    """The report of `record` as values that `document_text` writes, as ``report.schema.json`` describes it."""
    header, footer, judging = record.header, record.footer, record.judging
    sut = header.sut.model_dump(exclude={"claims", "waivers"})
    return {
        "schema_version": REPORT_SCHEMA_VERSION,
        "record_schema_version": header.schema_version,
        "tool": header.tool.model_dump(),
        "command": header.command,
        "sut": sut,
        "started": _time(header.started),
        "finished": None if footer is None else _time(footer.finished),
        "interrupted": footer is None,
        "observed_at": None if judging is None else _time(judging.observed_at),
        "judged_at": None if judging is None else _time(judging.at),
        "judged_by_version": None if judging is None else judging.tool_version,
        "judged_profile": "" if judging is None else judging.profile,
        "judged_edition": "" if judging is None else judging.edition,
        "limits": header.limits.model_dump(),
        "connections": None if footer is None else footer.connections,
        "exit_status": None if footer is None else footer.exit_status,
        "summary": summary_of(record.verdicts),
        "claims": [claim.model_dump() for claim in record.claims],
        "verdicts": [_verdict(verdict, files) for verdict in record.verdicts],
        "advice": [{**advice.model_dump(), "evidence": files.cited(advice.evidence)} for advice in record.advice],
        "separations": [_separation(separation, files) for separation in record.separations],
        "not_examined": [item.model_dump() for item in record.not_examined],
        "waivers": [waiver.model_dump() for waiver in header.sut.waivers],
        "stored_objects": [stored.model_dump(exclude={"event"}) for stored in record.stored_objects],
        "answers": [answer.model_dump(exclude={"event"}) for answer in record.answers],
        "notes": [
            *({"at": _time(note.at), "text": note.text} for note in record.notes),
            *({"at": None, "text": text} for text in files.notes),
        ],
    }


def document_text(document: dict[str, Any]) -> str:
    """The document as ASCII JSON, a verdict a line: what a SUT sent can hide nothing in an editor or a comparison."""
    return "{\n" + ",\n".join(f"  {_json(name)}: {_lines(value)}" for name, value in document.items()) + "\n}\n"


def _lines(value: object) -> str:
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(f"    {_json(item)}" for item in value) + "\n  ]"
    return _json(value)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False, default=_plain)


def _verdict(verdict: VerdictRecord, files: EvidenceFiles) -> dict[str, Any]:
    dumped = verdict.model_dump()
    dumped["evidence"] = files.cited(verdict.evidence)
    for source, original in zip(dumped["sources"], verdict.sources, strict=True):
        source["url"] = source_url(original)
    return dumped


def _separation(separation: SeparationRecord, files: EvidenceFiles) -> dict[str, Any]:
    deviations = [_verdict(verdict, files) for verdict in separation.deviations]
    return {**separation.model_dump(), "deviations": deviations}


def _time(moment: datetime) -> str:
    return moment.isoformat()


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON value")
