"""Events that an audit source can report, by slug, and the audit message that reports each (PS3.15 A.5.3)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

_TABLE = Path(__file__).with_name("tables") / "events.toml"


@dataclass(frozen=True, slots=True)
class Event:
    """An event: what happens, and what the message that reports it holds.

    `event` is the csd-code of EventID, `types` those of EventTypeCode of which one is there (empty: any, or none),
    `actions` the values of EventActionCode (empty: any), `outcome` whether EventOutcomeIndicator is 0.
    """

    name: str
    text: str
    section: str
    event: str
    instruction: str
    types: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    outcome: Literal["success", "failure", ""] = ""

    def is_reported_by(self, event: str, types: tuple[str, ...], action: str, outcome: str) -> bool:
        """Whether a message with these codes reports this event."""
        if event != self.event or (self.types and not set(self.types).intersection(types)):
            return False
        if self.actions and action not in self.actions:
            return False
        return not self.outcome or (outcome == "0") == (self.outcome == "success")


@cache
def events() -> Mapping[str, Event]:
    """All events by slug, in the order of the table."""
    table = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    return {
        name: Event(
            name,
            text=row["text"],
            section=row["section"],
            event=row["event"],
            instruction=row["instruction"],
            types=tuple(row.get("types", ())),
            actions=tuple(row.get("actions", ())),
            outcome=row.get("outcome", ""),
        )
        for name, row in table.items()
    }
