"""Numbers and cipher suites as pictures: geometry computed here, drawn as inline SVG by the template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.record.facts import CipherSuites, Versions
from harness.record.names import suite_name, suite_quality, version_name
from reports.text import plural
from reports.words import WORDS, VerdictWord

QUALITIES = {
    "modern": "authenticated encryption with forward secrecy",
    "dated": "without forward secrecy, or not authenticated encryption (CBC)",
    "broken": "no encryption, no authentication, or a cipher below 128 bits",
}
BAR_WIDTH = 175.0
MAXIMUM_ROWS = 400


@dataclass(frozen=True)
class Bar:
    """One bar of the chart; lengths in SVG user units."""

    word: VerdictWord
    number: int
    y: int
    width: float


@dataclass(frozen=True)
class Chart:
    """The numbers of a run as horizontal bars."""

    bars: tuple[Bar, ...]
    height: int
    description: str


def chart_of(summary: Mapping[str, int]) -> Chart:
    """A bar for each verdict, the longest as wide as there is room."""
    longest = max((*summary.values(), 1))
    bars = tuple(
        Bar(word, summary[kind], 8 + 22 * row, max(BAR_WIDTH * summary[kind] / longest, 2.0) if summary[kind] else 0.0)
        for row, (kind, word) in enumerate(WORDS.items())
    )
    description = ", ".join(f"{bar.number} {bar.word.label}" for bar in bars)
    return Chart(bars, 8 + 22 * len(bars), description)


@dataclass(frozen=True)
class Cell:
    """A suite in a version: its rank in the order in which the server chose (None: not accepted)."""

    rank: int | None
    x: int
    version: str


@dataclass(frozen=True)
class Row:
    """One suite over all versions."""

    name: str
    code: str
    quality: str
    y: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Column:
    """One version, with what is to be said about its enumeration."""

    name: str
    x: int
    accepted: str
    remark: str


@dataclass(frozen=True)
class Matrix:
    """Suites by versions."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    width: int
    height: int
    description: str
    qualities: tuple[tuple[str, str], ...]
    rows_left_out: int


LABEL_WIDTH, COLUMN_WIDTH, ROW_HEIGHT, HEAD_HEIGHT = 352, 78, 20, 48
_BEST_FIRST = tuple(QUALITIES)


def matrix_of(facts: CipherSuites, tried: Versions | None = None) -> Matrix:
    """The accepted suites of every version that was asked or `tried`, best suites first, then in the server's order."""
    refused = {version for version, reaction in tried.reactions.items() if reaction.refused} if tried else set()
    versions = sorted(refused.union(facts.versions), reverse=True)
    ranks: dict[tuple[str, int], dict[int, int]] = {}
    for version in versions:
        seen = facts.versions.get(version)
        for rank, accepted in enumerate(seen.accepted if seen else (), 1):
            named = (suite_name(accepted.code, version), accepted.code)
            ranks.setdefault(named, {})[version] = rank
    quality = {named: suite_quality(named[1], max(found)) for named, found in ranks.items()}
    ordered = sorted(
        ranks, key=lambda named: (_BEST_FIRST.index(quality[named]), -max(ranks[named]), *_first(ranks[named]))
    )
    columns = tuple(_column(facts, version, index) for index, version in enumerate(versions))
    rows = tuple(
        Row(
            name=named[0],
            code=f"0x{named[1]:04X}",
            quality=quality[named],
            y=HEAD_HEIGHT + ROW_HEIGHT * index,
            cells=tuple(
                Cell(ranks[named].get(version), column.x, column.name)
                for version, column in zip(versions, columns, strict=True)
            ),
        )
        for index, named in enumerate(ordered[:MAXIMUM_ROWS])
    )
    counted = "; ".join(f"{column.name}: {column.accepted}" for column in columns)
    present = {row.quality for row in rows}
    return Matrix(
        columns=columns,
        rows=rows,
        width=LABEL_WIDTH + COLUMN_WIDTH * len(columns),
        height=HEAD_HEIGHT + ROW_HEIGHT * len(rows) + 4,
        description=f"{plural(len(ordered), 'cipher suite')} by protocol version. {counted}.",
        qualities=tuple((name, text) for name, text in QUALITIES.items() if name in present),
        rows_left_out=len(ordered) - len(rows),
    )


def _first(found: Mapping[int, int]) -> tuple[int, ...]:
    return tuple(found[version] for version in sorted(found, reverse=True))


def _column(facts: CipherSuites, version: int, index: int) -> Column:
    seen = facts.versions.get(version)
    x = LABEL_WIDTH + COLUMN_WIDTH * index + COLUMN_WIDTH // 2
    if seen is None:
        return Column(version_name(version), x, "refused", "")
    order = {"server": "server's order", "client": "client's order"}.get(seen.preference, "")
    return Column(
        name=version_name(version),
        x=x,
        accepted=f"{len(seen.accepted)} of {seen.offered}",
        remark=order if seen.complete else "incomplete",
    )
