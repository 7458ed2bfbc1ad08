"""Links to the clauses that requirements stand in."""

from __future__ import annotations

import re

from harness.record import SourceRecord


def source_url(source: SourceRecord) -> str:
    """Where the clause can be read: the record's own link to the web, otherwise what follows from the names.

    DICOM leads to the page and paragraph of its edition at dicom.nema.org, an RFC to its section; otherwise "".
    """
    if source.url:
        return source.url if re.match(r"https?://[^\s]+$", source.url) else ""
    dicom = re.fullmatch(r"PS3\.(\d{1,2})", source.document)
    if dicom and source.edition and source.section:
        page = ".".join(source.section.split(".")[:2])
        anchor = source.paragraph or f"sect_{source.section}"
        edition = source.edition.lower()
        return f"https://dicom.nema.org/medical/dicom/{edition}/output/chtml/part{int(dicom[1]):02d}/sect_{page}.html#{anchor}"
    rfc = re.fullmatch(r"RFC (\d{1,5})", source.document)
    if rfc:
        appendix = source.section[:1].isalpha()
        section = f"#{'appendix' if appendix else 'section'}-{source.section}" if source.section else ""
        return f"https://www.rfc-editor.org/rfc/rfc{rfc[1]}{section}"
    return ""


def source_title(source: SourceRecord) -> str:
    """ "PS3.15 2026c, Section B.12": how the clause is cited."""
    edition = f" {source.edition}" if source.edition else ""
    section = f", Section {source.section}" if source.section else ""
    return f"{source.document}{edition}{section}"
