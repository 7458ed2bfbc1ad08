"""How verdicts, roles, protocols and moments are called in a report: one place, so that every page says the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from harness.record import VerdictKind


@dataclass(frozen=True)
class VerdictWord:
    """A verdict as a reader meets it: never by colour alone, always with its word and symbol."""

    kind: str
    label: str
    symbol: str
    meaning: str


WORDS: Mapping[str, VerdictWord] = {
    word.kind: word
    for word in (
        VerdictWord("fail", "fail", "✕", "a shall (MUST) that applies is not met"),
        VerdictWord("error", "error", "■", "the harness itself failed; nothing is known about the device"),
        VerdictWord("inconclusive", "inconclusive", "?", "could not be established; the reason says what is missing"),
        VerdictWord("warning", "warning", "▲", "a should (SHOULD) is not met"),
        VerdictWord("pass", "pass", "✓", "what was observed is what the clause permits"),
        VerdictWord("not_applicable", "not applicable", "○", "the condition of the requirement is positively not met"),
    )
}
"""The six verdicts in the order in which findings are listed."""
_RANK = {kind: rank for rank, kind in enumerate(WORDS)}
_ROLL_UP = ("fail", "error", "inconclusive", "warning", "pass", "not_applicable")

PROTOCOLS = {
    "dicom-tls": "DICOM over TLS",
    "https": "DICOMweb over HTTPS",
    "syslog-tls": "syslog over TLS",
    "syslog-udp": "syslog over UDP",
    "dicom": "DICOM without TLS",
    "http": "DICOMweb without TLS",
    "files": "handed files",
}
WITHOUT_TLS = frozenset({"dicom", "http", "syslog-udp", "files"})
JUDGED = {
    "automatically": "judged automatically",
    "by-declaration": "judged by declaration",
    "by-operator": "judged with the operator",
    "not-testable": "not testable",
    "derived": "derived from its members",
}


def word(kind: VerdictKind | str) -> VerdictWord:
    """The word of a verdict."""
    return WORDS[str(kind)]


def rank(kind: VerdictKind | str) -> int:
    """Position of a verdict in listings: what failed comes first."""
    return _RANK[str(kind)]


def worst(kinds: Mapping[str, int]) -> VerdictWord | None:
    """The word for counts per verdict taken together; None where nothing was counted."""
    return next((WORDS[kind] for kind in _ROLL_UP if kinds.get(kind)), None)


def protocol(name: str) -> str:
    """ "DICOM over TLS" for ``dicom-tls``."""
    return PROTOCOLS.get(name, name)


def moment(time: datetime | None) -> str:
    """A moment with its zone, to the second: ``2026-11-22 10:31:42 UTC``; an offset where the zone is not UTC."""
    if time is None:
        return "not recorded"
    if time.tzinfo is None:
        return time.strftime("%Y-%m-%d %H:%M:%S (no zone)")
    offset = time.utcoffset()
    zone = "UTC" if offset is not None and not offset else f"UTC{time.isoformat()[-6:]}"
    return time.strftime("%Y-%m-%d %H:%M:%S ") + zone
