"""Audit sources and repositories to examine: what makes them act, and how many of them are put together.

Faults of audit messages show in the messages on one event alone. Faulty sources that err about different events are
therefore one endpoint: what each fault breaks by itself is told by the validator, what all of them break by a run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

from harness.drivers.base import Action, Stimulus
from reference_impl.audit.events import events
from reference_impl.audit.faults.sources import source_faults
from reference_impl.audit.source_node import AuditSource, Collector, certified
from reference_impl.audit.source_reports import REPORTS
from reference_impl.audit.validator import validate
from tests.faults.bench import Bench
from tests.faults.signature_bench import UNTOUCHED, Examination, Tried

NAME = "localhost"
WHEN = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
SETTLE = 0.05
_VERDICTS = {"shall": "fail", "should": "warning", "open": "inconclusive"}
_WORST = ("fail", "warning", "inconclusive")


@dataclass(frozen=True)
class Bundle:
    """Faults of audit messages that are tried together: each errs about another event."""

    name: str
    faults: tuple[str, ...]


def bundles(faults: Iterable[str]) -> tuple[Bundle, ...]:
    """Faults of audit messages in as few bundles as can be. Raises ValueError for one that is about every event."""
    by_event: dict[str, list[str]] = {}
    for name in faults:
        if (event := source_faults()[name].event) not in REPORTS:
            raise ValueError(f"{name} is about every event, and cannot be tried beside others")
        by_event.setdefault(event, []).append(name)
    columns = zip_longest(*by_event.values())
    return tuple(Bundle(f"bundle-{number}", tuple(filter(None, one))) for number, one in enumerate(columns))


def told_by_the_validator(*faults: str) -> dict[str, str]:
    """By rule, the verdict that the messages of a source with `faults` get for it, where that is not a pass."""
    source = AuditSource(faults, clock=lambda: WHEN)
    found: dict[str, str] = {}
    for event in events():
        for octets in source.audit_messages(event):
            for finding in validate(octets).findings:
                verdict = _VERDICTS.get(finding.level, "")
                if verdict and (finding.rule not in found or _rank(verdict) < _rank(found[finding.rule])):
                    found[finding.rule] = verdict
    return found


def _rank(verdict: str) -> int:
    return _WORST.index(verdict)


def worst_of(stated: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """By requirement the worst of several verdicts."""
    found: dict[str, str] = {}
    for one in stated:
        for requirement, verdict in one.items():
            if verdict in _WORST and (requirement not in found or _rank(verdict) < _rank(found[requirement])):
                found[requirement] = verdict
    return found


class SideBySide:
    """Examinations of which each is tried in a thread: they wait more than they work.

    `make` makes the examination of some names, which has the untouched one beside; `at_once` is how many there are.
    """

    def __init__(self, names: Sequence[str], make: Callable[[Sequence[str]], Examination], at_once: int = 4) -> None:
        parts = [names[first::at_once] for first in range(min(at_once, len(names)))]
        made = [make(part) for part in parts]
        with ThreadPoolExecutor(len(made)) as pool:
            list(pool.map(lambda one: one.observations, made))
        self._of = {name: one for part, one in zip(parts, made, strict=True) for name in (UNTOUCHED, *part)}

    def of(self, name: str) -> Examination:
        """The examination in which `name` was tried."""
        return self._of[name]


def captured(folder: Path, profiles: Sequence[str], *faults: str) -> Tried:
    """A source with `faults` whose messages were captured into `folder`, beside right ones on every event."""
    AuditSource(clock=lambda: WHEN).capture(events(), folder / "right")
    spoilt = {source_faults()[name].event for name in faults}
    AuditSource(faults, clock=lambda: WHEN).capture(filter(None, spoilt), folder / "spoilt")
    return Tried(_nothing, tuple(profiles), endpoint={"protocol": "files", "audit": {"folder": str(folder)}})


def listened(
    bench: Bench,
    folder: Path,
    protocol: str,
    profiles: Sequence[str],
    told: Sequence[str],
    *faults: str,
    msgid: str = "",
    **audit: Any,
) -> tuple[Tried, AuditSource]:
    """A source with `faults` that reports the events `told` to the harness; and the source itself, to be closed."""
    anchors = bench.campaign.pki.trust_anchors_file()
    source = AuditSource(faults, tls=certified(bench.campaign.pki, folder, anchors))
    if msgid:
        source.msgid = msgid
    endpoint = {
        "protocol": protocol,
        "host": "127.0.0.1",
        "listen": {"driver": "embedded", "name": NAME, "port": 0, "seconds": 4},
        "audit": {"events": list(told), "settle": SETTLE, **audit},
    }
    return Tried(reporting(source), tuple(profiles), endpoint=endpoint), source


def reporting(source: AuditSource) -> Action:
    """What makes a source within this process report."""

    def act(stimulus: Stimulus) -> None:
        transport = "udp" if stimulus.protocol == "syslog-udp" else "tls"
        to = Collector("127.0.0.1", stimulus.port, transport, stimulus.host)  # type: ignore[arg-type]
        source.report([stimulus.event], to)

    return act


def _nothing(_stimulus: Stimulus) -> None:
    """Captured messages are there already."""
