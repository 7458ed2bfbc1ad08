"""All faults of the reference audit source, by their names: of its messages, of their header, of the way they go."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from reference_impl.audit.faults.changing import Operation, changed, operation
from reference_impl.audit.faults.headers import HeaderChange, header_change, with_header_changed
from reference_impl.audit.faults.wires import PROPER, Wire


@dataclass(frozen=True)
class SourceFault:
    """What a faulty source does otherwise: with messages about `event` (empty: all), their header, the wire."""

    text: str
    event: str = ""
    operations: tuple[Operation, ...] = ()
    header: HeaderChange | None = None
    wire: Wire = PROPER
    silent: bool = False  # nothing is reported

    @property
    def in_messages(self) -> bool:
        """Whether it shows in the audit messages themselves."""
        return bool(self.operations) or self.silent


@cache
def source_faults() -> Mapping[str, SourceFault]:
    """Every fault of the source by its name. Raises ValueError where a table is wrong."""
    from reference_impl.audit.faults.along_tables import faults_along_tables

    found: dict[str, SourceFault] = {}
    for name, row in _table("messages").items():
        found[name] = _of_message(row)
    for name, row in _table("headers").items():
        found[name] = SourceFault(row["text"], event=row.pop("event", ""), header=header_change(row))
    for name, row in _table("wires").items():
        knobs = {key: value for key, value in row.items() if key not in {"text", "event"}}
        found[name] = SourceFault(row["text"], event=row.get("event", ""), wire=replace(PROPER, **knobs))
    made = faults_along_tables()
    if shared := found.keys() & made.keys():
        raise ValueError(f"messages.toml names faults that are made along the tables: {', '.join(sorted(shared))}")
    return {**found, **made}


def source_changes(names: Iterable[str]) -> tuple[SourceFault, ...]:
    """The faults of these names. Raises `UnknownFaultError` for a name that is none."""
    from reference_impl.faults.tables import known_names

    known = source_faults()
    return tuple(known[name] for name in known_names(names, known))


def source_texts() -> Mapping[str, str]:
    """What each fault of the source is."""
    return {name: fault.text for name, fault in source_faults().items()}


def message_with(faults: Iterable[SourceFault], event: str, octets: bytes) -> bytes:
    """An audit message about `event` as a source with `faults` writes it."""
    for fault in faults:
        if fault.event in {"", event}:
            octets = changed(octets, fault.operations)
    return octets


def syslog_with(faults: Iterable[SourceFault], event: str, octets: bytes) -> bytes:
    """The syslog message around it as a source with `faults` writes it."""
    for fault in faults:
        if fault.header is not None and fault.event in {"", event}:
            octets = with_header_changed(octets, fault.header)
    return octets


def wire_of(faults: Iterable[SourceFault], event: str) -> Wire:
    """How the messages about `event` of a source with `faults` go."""
    about = (fault.wire for fault in faults if fault.event in {"", event})
    return next((wire for wire in about if wire != PROPER), PROPER)


def _of_message(row: Mapping[str, Any]) -> SourceFault:
    changes = tuple(operation(each) for each in row.get("change", ()))
    return SourceFault(row["text"], event=row.get("event", ""), operations=changes, silent=row.get("silent", False))


def _table(name: str) -> dict[str, dict[str, Any]]:
    return tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text(encoding="utf-8"))
