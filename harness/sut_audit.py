"""The table ``audit`` of an endpoint: what a source can report and how that is provoked, where messages are found."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from harness.sut_parts import Part, closest
from reference_impl.audit.events import events

AUDIT_ROLES = frozenset({"audit-source", "audit-repository"})
AWAY_AND_BACK = "away-and-back"
"""The step in which nobody listens for a while."""


def checked_event(name: str) -> str:
    """`name`, if it is an event that can be claimed."""
    if name not in events():
        near = closest(name, events()) or f"; known are: {', '.join(events())}"
        raise ValueError(f"{name!r} is no event{near}")
    return name


def _list_events(schema: dict[str, Any]) -> None:
    schema["enum"] = list(events())


EventName = Annotated[str, AfterValidator(checked_event), Field(json_schema_extra=_list_events)]


class Audit(Part):
    """What is to be known of an audit source or a repository at an endpoint.

    Of a source: the `events` that it can report, the `drivers` (tables of [drivers]) that provoke them; one without is
    provoked by ``listen.driver``, else by a person. After each, messages are waited for until none has come for
    `settle` seconds. `away` is the driver that is used while nobody listens, empty where that is not tried;
    `nothing_lost` claims that nothing is lost or doubled then. Where messages are handed over as files, they are in
    `folder` (or it is one file). `most` messages and `seconds` bound what is looked at.

    Of a repository: `arrived` names the table of [readings] by which it is told what arrived (empty: a person).
    `select` narrows what is provoked or delivered to names that match one of the patterns.
    """

    events: tuple[EventName, ...] = ()
    drivers: dict[EventName, str] = Field(default_factory=dict)
    settle: Annotated[float, Field(gt=0, le=600)] = 5.0
    away: str = ""
    nothing_lost: bool = False
    folder: Annotated[str, Field(max_length=1000)] = ""
    arrived: str = ""
    select: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    most: Annotated[int, Field(ge=1, le=100_000, strict=True)] = 10_000
    seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0

    @property
    def named_drivers(self) -> tuple[str, ...]:
        """The tables of [drivers] that are named here."""
        return tuple(dict.fromkeys(name for name in (*self.drivers.values(), self.away) if name))
