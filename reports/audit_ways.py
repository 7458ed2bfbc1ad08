"""What a report says of the ways of audit messages: connections over which they came, deliveries to a repository."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.record.facts import AuditMessages, Delivered, SyslogConnection
from reports.text import plural
from reports.trials import driver_of

_ENDINGS = {
    "close-notify": "closed in good order (close_notify)",
    "close": "closed",
    "reset": "reset",
    "open": "left open",
    "": "",
}
_TRANSPORTS = {"tls": "TLS", "udp": "UDP", "files": "file"}
_ARRIVALS = {"whole": "whole", "cut": "cut", "altered": "altered", "absent": "not there", "": "not asked"}
_WANTED = {"whole": "keeps it whole", "whole-or-cut": "keeps it whole or its beginning", "either": "either"}
ORDER = {"fail": 0, "warning": 1, "": 2}
"""Rows by the worst verdict that rests on them."""


@dataclass(frozen=True)
class ConnectionRow:
    """One connection over which messages came, or did not."""

    number: int
    peer: str
    secured: str
    certificate: str
    messages: int
    ended: str
    problem: str
    exchange: str
    kind: str = ""


@dataclass(frozen=True)
class DeliveryRow:
    """One delivery to a repository and what became of it; `striking`: not what a conforming repository does."""

    name: str
    text: str
    wanted: str
    arrived: str
    follower: str
    way: str
    told_by: str
    exchange: str
    striking: bool = False
    kind: str = ""


def connections_of(steps: Sequence[AuditMessages]) -> dict[int, SyslogConnection]:
    """Every connection as it was seen last, with all its messages counted."""
    found: dict[int, SyslogConnection] = {}
    for step in steps:
        for each in step.connections:
            known = found.get(each.number)
            kept = {"messages": known.messages + each.messages} if known else {}
            if known and not each.exchange:
                kept["exchange"] = known.exchange  # type: ignore[assignment]
            found[each.number] = each.model_copy(update=kept)
    return found


def connection_row(one: SyslogConnection, cited: Mapping[str, str]) -> ConnectionRow:
    """One connection; `cited`: see `reports.trials.cited_by`."""
    secured = f"{one.version} {one.suite}".strip() if one.transport == "tls" else _TRANSPORTS[one.transport]
    problem = [
        f"handshake failed: {one.refused}" if one.refused else "",
        one.framing,
        f"{plural(one.pending, 'octet')} of an unfinished frame" if one.pending else "",
    ]
    return ConnectionRow(
        number=one.number,
        peer=one.peer,
        secured=secured or ("no TLS was agreed on" if one.transport == "tls" else ""),
        certificate=one.client_certificate or ("none" if one.transport == "tls" and not one.refused else ""),
        messages=one.messages,
        ended=_ENDINGS[one.ending],
        problem="; ".join(filter(None, problem)),
        exchange=one.exchange,
        kind=cited.get(one.exchange, ""),
    )


def delivery_row(one: Delivered, cited: Mapping[str, str]) -> DeliveryRow:
    """One delivery; `cited`: see `reports.trials.cited_by`."""
    driver = driver_of(one.driver) if one.driver is not None and not any(one.arrivals) else ""
    lost = {"absent", "altered", *(() if one.wanted == "whole-or-cut" else ("cut",))}
    unwanted = one.wanted != "either" and bool(set(one.arrivals) & lost)
    wanted = _WANTED[one.wanted]
    return DeliveryRow(
        name=one.case,
        text=one.text or one.case,
        wanted=f"should: {wanted}" if one.level == "should" and one.wanted != "either" else wanted,
        arrived="not sent" if one.skipped else _arrived(one),
        follower=_ARRIVALS[one.follower] if one.follower else "",
        way="; ".join(_way(one)),
        told_by=" ".join(filter(None, (one.skipped or one.told_by, driver))),
        exchange=one.exchange,
        striking=unwanted or one.follower in {"absent", "cut", "altered"},
        kind=cited.get(one.exchange, ""),
    )


def _arrived(one: Delivered) -> str:
    counts = {arrival: one.arrivals.count(arrival) for arrival in _ARRIVALS}
    if len(one.arrivals) == 1:
        return _ARRIVALS[one.arrivals[0]]
    return ", ".join(f"{number} {_ARRIVALS[arrival]}" for arrival, number in counts.items() if number) or "not known"


def _way(one: Delivered) -> Iterable[str]:
    yield f"{plural(one.sent, 'message')} over {_TRANSPORTS[one.transport]}, {plural(one.octets, 'octet')}"
    if one.refused:
        yield one.refused
    if one.answered_close is not None:
        yield "answered close_notify" if one.answered_close else "did not answer close_notify"
    if one.detail:
        yield one.detail
