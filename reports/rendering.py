"""Writing a report: evidence first, then the documents that name its files."""

from __future__ import annotations

from pathlib import Path

from harness.record import RunRecord
from reports.document import document_of, document_text
from reports.evidence import write_evidence
from reports.facts import endpoints_of
from reports.html import html_text
from reports.junit import junit_text


def render(record: RunRecord, directory: Path) -> Path:
    """Write report.html, report.json, junit.xml and evidence/ of `record` into `directory`; return report.html.

    Files of an earlier rendering are replaced, nothing else in `directory` is touched. Raises `OSError` if it
    cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    endpoints = endpoints_of(record)
    files = write_evidence(record, endpoints, directory)
    (directory / "report.json").write_text(document_text(document_of(record, files)), encoding="ascii")
    (directory / "junit.xml").write_text(junit_text(record), encoding="utf-8")
    report = directory / "report.html"
    report.write_text(html_text(record, endpoints, files), encoding="utf-8")
    return report
