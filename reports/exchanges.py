"""Exchanges as report.html shows them: decoded lines and octets, as far as a budget goes."""

from __future__ import annotations

from dataclasses import dataclass

from harness.record import RunRecord
from harness.record.facts import Exchange
from reports.evidence import EvidenceFiles, cited_exchanges, hex_dump, octets_of
from reports.text import plural, slug, visible_line

OCTETS_EACH = 2048
"""Octets of one segment that are shown; the evidence file has the rest."""
LINES_EACH = 80
_BARE_ENTRY = 900  # characters of markup that an exchange takes without its octets


@dataclass(frozen=True)
class Segment:
    """Octets that went one way at one time, as hex dump lines in one text."""

    title: str
    dump: str


@dataclass(frozen=True)
class ShownExchange:
    """An exchange in the report. `left_out` tells what is only in the evidence file."""

    record: Exchange
    anchor: str
    file: str
    decoded: str
    segments: tuple[Segment, ...]
    left_out: str


def exchanges_of(record: RunRecord, files: EvidenceFiles, budget: int) -> dict[str, ShownExchange]:
    """Every cited exchange by id, what failing verdicts rest on first; `budget` bounds the characters they take."""
    shown: dict[str, ShownExchange] = {}
    for position, exchange in enumerate(cited_exchanges(record), 1):
        entry = _shown(exchange, files.of_exchange.get(exchange.id, ""), position, budget > 0)
        budget -= _BARE_ENTRY + len(entry.decoded) + sum(len(segment.dump) for segment in entry.segments)
        shown[exchange.id] = entry
    return shown


def _shown(exchange: Exchange, file: str, position: int, with_octets: bool) -> ShownExchange:
    lines = [visible_line(line, 400) for line in exchange.decoded[:LINES_EACH]] if with_octets else []
    cut = len(exchange.decoded) > len(lines)
    segments = []
    for direction, at, octets in exchange.segments if with_octets else ():
        cut = cut or len(octets) > 2 * OCTETS_EACH
        data = octets_of(octets[: 2 * OCTETS_EACH])
        title = f"{direction} after {at:.1f} ms, {plural(len(octets) // 2, 'octet')}"
        segments.append(Segment(title, hex_dump(data)))
    where = f"whole in {file}" if file else "whole in run.jsonl"
    left_out = (
        "" if with_octets and not cut else (f"Shortened here; {where}." if with_octets else f"Not shown here; {where}.")
    )
    return ShownExchange(
        record=exchange,
        anchor=f"exchange-{position}-{slug(exchange.id)}",
        file=file,
        decoded="\n".join(lines),
        segments=tuple(segments),
        left_out=left_out,
    )
