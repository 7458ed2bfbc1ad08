"""Rows of the time line as they are shown: the same values for the page, for what comes live, and for a CSV file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final
from urllib.parse import urlencode

from reference_impl.audit.codes import groups, value_sets
from reference_impl.audit.repository.facts import MARKS
from reference_impl.audit.repository.query import Row

_LATE: Final = timedelta(seconds=60)
_MOST: Final = 120
_LANES: Final = 12
_LEFT, _RIGHT, _TOP, _STEP, _WIDTH = 180, 20, 22, 24, 1200
_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


@dataclass(frozen=True, slots=True)
class Pill:
    """A word in a colour: "pass", "fail", "warn", "open", "na"."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A message in a list. Everything is text, shown as text only."""

    number: int
    at: str  # sorts as time does
    day: str
    time: str
    full_time: str
    event: str
    node: str
    site: str
    users: str
    patients: str
    outcome: Pill | None
    findings: Pill | None
    marks: str
    late: str

    @property
    def json(self) -> dict[str, Any]:
        """As values for the script of the page."""
        return asdict(self)


def shown(row: Row, zone: tzinfo) -> ShownRow:
    """`row` in the time of `zone`."""
    local = row.at.astimezone(zone)
    return ShownRow(
        number=row.number,
        at=f"{row.at.astimezone(UTC):%Y%m%d%H%M%S%f}-{row.number:012d}",
        day=day_of(local),
        time=f"{local:%H:%M:%S}",
        full_time=moment_in(row.at, zone),
        event=event_of(row),
        node=_line(row.node, 48),
        site=_line(row.site, 32),
        users=_line(row.users),
        patients=_line(row.patients),
        outcome=outcome_of(row.outcome),
        findings=findings_of(row),
        marks=", ".join(mark.replace("-", " ") for mark in row.marks if mark != "own"),
        late=_late(row),
    )


def remarks_of(row: Row) -> str:
    """What is remarkable about how the message came, in sentences."""
    return "; ".join(MARKS.get(mark, mark) for mark in row.marks)


def event_of(row: Row) -> str:
    """What happened, in words."""
    return _line(row.event_name) or groups()[400].codes.get(row.event, "") or _line(row.event) or "Not an audit message"


def outcome_of(value: str) -> Pill | None:
    """The outcome in words; none where none is told."""
    if not value:
        return None
    words = value_sets()["event-outcome"].values
    kind = {"0": "pass", "4": "warn", "8": "fail", "12": "fail"}.get(value, "na")
    return Pill(kind, words.get(value, _line(value, 20)))


def findings_of(row: Row) -> Pill | None:
    """The worst that was found."""
    if row.shall:
        return Pill("fail", f"{row.shall} broken")
    if row.should:
        return Pill("warn", f"{row.should} not met")
    return Pill("open", f"{row.open} open") if row.open else None


def day_of(local: datetime) -> str:
    """A day in words."""
    return f"{local:%A}, {local.day} {local:%B %Y}"


def moment_in(moment: datetime, zone: tzinfo) -> str:
    """Date, time and difference from UTC."""
    local = moment.astimezone(zone)
    offset = f"{local:%z}"
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d} {offset[:3]}:{offset[3:5]}"


def duration(seconds: float) -> str:
    """A duration in words, to its two largest units."""
    left = round(abs(seconds))
    if left < 1:
        return f"{abs(seconds):.1f} s"
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2])


def _late(row: Row) -> str:
    if row.event_time is None:
        return ""
    delay = row.arrived - row.event_time
    return f"arrived {duration(delay.total_seconds())} later" if delay > _LATE else ""


def seen(text: str) -> str:
    """A name as it is shown outside of lists: what is not seen, or turns the direction of writing, is replaced."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text)


def _line(text: str, most: int = _MOST) -> str:
    """`text` on one line, without what is not seen."""
    cleaned = "".join(each if each.isprintable() else " " for each in text[: most + 1])
    return cleaned[:most] + "…" if len(text) > most else cleaned


def by_day(rows: Iterable[ShownRow]) -> list[tuple[str, list[ShownRow]]]:
    """Rows under their days, in their order."""
    days: list[tuple[str, list[ShownRow]]] = []
    for row in rows:
        if not days or days[-1][0] != row.day:
            days.append((row.day, []))
        days[-1][1].append(row)
    return days


def patient_address(patient: str) -> str:
    """Where one patient's story is."""
    return f"/patient?{urlencode({'id': patient})}"


def user_address(user: str, day: str = "") -> str:
    """Where one user's day is."""
    return f"/user?{urlencode({'id': user, **({'day': day} if day else {})})}"


def node_address(node: str) -> str:
    """Where one node is."""
    return f"/node?{urlencode({'id': node})}"


@dataclass(frozen=True, slots=True)
class Dot:
    """A message on its lane."""

    x: float
    y: float
    kind: str
    number: int
    title: str


@dataclass(frozen=True, slots=True)
class Lanes:
    """A picture of some rows: a lane a node, time from left to right. Lengths in the units of its own view box."""

    width: int
    height: int
    left: int
    names: tuple[tuple[str, float], ...]
    ticks: tuple[tuple[str, float], ...]
    dots: tuple[Dot, ...]


def lanes_of(rows: Sequence[Row], zone: tzinfo) -> Lanes | None:
    """The picture of `rows`, None where it would show nothing."""
    if len(rows) < 2:
        return None
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.node] = counts.get(row.node, 0) + 1
    nodes = sorted(counts, key=lambda node: (-counts[node], node))
    shown_nodes = sorted(nodes[: _LANES if len(nodes) <= _LANES else _LANES - 1])
    lane = {node: number for number, node in enumerate(shown_nodes)}
    names = [_line(node, 24) or "no name" for node in shown_nodes]
    if len(nodes) > len(shown_nodes):
        names.append(f"{len(nodes) - len(shown_nodes)} other nodes")
    begin, end = min(row.at for row in rows), max(row.at for row in rows)
    span = max((end - begin).total_seconds(), 1.0)
    scale = (_WIDTH - _LEFT - _RIGHT) / span

    def x(at: datetime) -> float:
        return round(_LEFT + (at - begin).total_seconds() * scale, 1)

    def y(number: int) -> float:
        return _TOP + _STEP * (number + 0.5)

    dots = tuple(
        Dot(
            x(row.at),
            y(lane.get(row.node, len(shown_nodes))),
            (outcome_of(row.outcome) or Pill("na", "")).kind,
            row.number,
            f"{row.at.astimezone(zone):%H:%M:%S} {event_of(row)}",
        )
        for row in rows
    )
    return Lanes(
        _WIDTH,
        _TOP + _STEP * len(names) + 4,
        _LEFT,
        tuple((name, y(number)) for number, name in enumerate(names)),
        tuple((text, x(at)) for text, at in _ticks(begin, end, zone)),
        dots,
    )


def _ticks(begin: datetime, end: datetime, zone: tzinfo) -> list[tuple[str, datetime]]:
    """Up to nine round times between two, with how they are written."""
    span = (end - begin).total_seconds()
    step = next((step for step in _STEPS if span / step <= 9), 86400 * max(1, round(span / 9 / 86400)))
    midnight = begin.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    passed = (begin - midnight).total_seconds()
    at = midnight + timedelta(seconds=(passed // step + 1) * step)
    form = "%d %b" if step >= 86400 else "%d %b %H:%M" if span > 86400 else "%H:%M" if step >= 60 else "%H:%M:%S"
    ticks: list[tuple[str, datetime]] = []
    while at <= end and len(ticks) < 12:
        ticks.append((f"{at.astimezone(zone):{form}}", at))
        at += timedelta(seconds=step)
    return ticks
