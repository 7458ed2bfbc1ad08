"""When something happened, who reports it and how it went: what every audit message says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from reference_impl.audit.checking import optional
from reference_impl.audit.model import AuditSource
from reference_impl.audit.parts import reporting

Outcome = Literal["0", "4", "8", "12"]
_FARTHEST = 14 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """When it happened (aware), who reports it, how it went: "0" success, "4" minor, "8" serious, "12" major failure.

    Raises ValueError for a naive time, an unknown outcome, a source without identifier.
    """

    when: datetime
    source: AuditSource
    outcome: Outcome = "0"
    description: str = ""  # EventOutcomeDescription

    def __post_init__(self) -> None:
        moment(self.when)
        if self.outcome not in {"0", "4", "8", "12"}:
            raise ValueError(f"{self.outcome!r} is no EventOutcomeIndicator (A.5.1.1)")
        optional(self.description, "EventOutcomeDescription")
        reporting(self.source)


def moment(when: datetime) -> str:
    """EventDateTime of an aware time (A.5.2.5). Raises ValueError for a naive one."""
    if when.tzinfo is None or when.utcoffset() is None:
        raise ValueError("the time of an event needs a time zone (PS3.15 A.5.2.5)")
    offset = (when.utcoffset() or timedelta()).total_seconds()
    if offset % 60 or abs(offset) > _FARTHEST:
        try:
            when = when.astimezone(UTC)  # xsd:dateTime has no seconds in an offset, and none of more than 14 hours
        except OverflowError:
            raise ValueError("the time of an event is outside the years 1 to 9999") from None
    text = when.isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text
