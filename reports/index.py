"""``index.html``: one line per device where several were examined together."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from harness.record import RunRecord
from reports.document import summary_of
from reports.findings import claims_of
from reports.html import index_text
from reports.words import WORDS


def render_index(directory: Path, records: Iterable[RunRecord]) -> Path:
    """Write `directory`/index.html over reports that lie in `directory`/<sut id>/, and return its path."""
    devices = []
    for record in records:
        sut = record.header.sut
        devices.append(
            {
                "record": record,
                "sut": sut,
                "device": " ".join(filter(None, (sut.vendor, sut.product, sut.version))) or sut.id,
                "link": f"{quote(sut.id, safe='')}/report.html",
                "claims": claims_of(record),
                "summary": summary_of(record.verdicts),
            }
        )
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "index.html"
    path.write_text(index_text({"devices": devices, "words": WORDS}), encoding="utf-8")
    return path
