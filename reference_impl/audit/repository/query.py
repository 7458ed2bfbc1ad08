"""What can be asked of the repository, and what it answers: plain values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from reference_impl.audit.repository.facts import moment_of

FIELDS: Final = {
    "patient": ("patient", "patient-name"),
    "user": ("user", "user-name"),
    "node": ("node",),
    "site": ("site",),
    "host": ("host",),
    "peer": ("peer",),
    "address": ("address",),
    "event": ("event",),
    "event_type": ("event-type",),
    "action": ("action",),
    "outcome": ("outcome",),
    "study": ("study",),
    "entity": ("patient", "study", "object"),
    "rule": ("rule",),
    "mark": ("mark",),
}
"""The fields of a query, and the kinds of values in which each looks."""
TEXT_KINDS: Final = (
    "user", "user-name", "patient", "patient-name", "node", "site", "host", "application", "address",
)  # fmt: skip
"""The kinds of values in which free text is looked for anywhere."""
BEGUN_KINDS: Final = ("study", "object")
"""The kinds of values that may begin with free text: of these there are as many as messages."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A message holds one of `values` in one of `kinds`, without difference of case.

    A value that ends in "*" means all that begin so. `anywhere`: the value may stand inside of another, and at the
    beginning of one of the kinds `begins`.
    """

    kinds: tuple[str, ...]
    values: tuple[str, ...]
    anywhere: bool = False
    begins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """Which messages are wanted: all that are given must hold, an empty field asks nothing.

    `since` (included) and `until` (not included) are times of the event, or of arrival where a message tells no
    plausible one. A text that ends in "*" means all that begin so; case makes no difference. `text` is looked for
    inside of names, ids, hosts and addresses, and at the beginning of UIDs. `also` takes further conditions.
    """

    since: datetime | None = None
    until: datetime | None = None
    patient: str = ""  # id or name
    user: str = ""  # id, alias or name
    node: str = ""
    site: str = ""
    host: str = ""
    peer: str = ""
    address: str = ""
    event: str = ""  # code of EventID, "110114"
    event_type: str = ""
    action: str = ""
    outcome: str = ""
    study: str = ""
    entity: str = ""  # id of any participant object
    rule: str = ""  # id of a rule that a finding cites
    mark: str = ""
    text: str = ""
    only_findings: bool = False  # only messages in which a shall is broken or a should not met
    only_marked: bool = False
    also: tuple[Condition, ...] = ()

    @property
    def has_conditions(self) -> bool:
        """Whether messages have to hold anything, beside the time."""
        return next(self.conditions(), None) is not None

    def conditions(self) -> Iterator[Condition]:
        """What messages have to hold, beside the time."""
        for field, kinds in FIELDS.items():
            if wanted := getattr(self, field):
                yield Condition(kinds, (wanted,))
        if self.text:
            yield Condition(TEXT_KINDS, (self.text,), anywhere=True, begins=BEGUN_KINDS)
        if self.only_findings:
            yield Condition(("level",), ("shall", "should"))
        if self.only_marked:
            yield Condition(("mark",), ("*",))
        yield from self.also


@dataclass(frozen=True, slots=True)
class Row:
    """A message as lists show it. Everything that came from a node is text to be shown as text only."""

    number: int
    at: datetime  # of the event where it is plausible, or of arrival
    arrived: datetime
    event_time: datetime | None
    transport: str
    peer: str
    connection: int | None
    event: str
    event_system: str
    event_name: str
    action: str
    outcome: str
    node: str
    site: str
    host: str
    application: str
    users: str
    patients: str
    shall: int
    should: int
    open: int
    notes: int
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection from a node, as it is stored."""

    number: int
    transport: str
    peer: str
    port: int
    began: datetime
    ended: datetime | None
    tls_version: str
    cipher: str
    subject: str
    certificate: bytes | None
    ending: str
    problem: str
    messages: int


@dataclass(frozen=True, slots=True)
class Message:
    """A message with its octets as they arrived (syslog header included) and the connection that brought it."""

    row: Row
    octets: bytes
    digest: bytes
    connection: Connection | None


@dataclass(frozen=True, slots=True)
class Page:
    """Part of what a query finds. `following` goes on with (as `after`), empty at the end."""

    rows: tuple[Row, ...]
    following: str


@dataclass(frozen=True, slots=True)
class Count:
    """How many messages a query finds; more than that where not `exact`."""

    number: int
    exact: bool


@dataclass(frozen=True, slots=True)
class NodeSummary:
    """A node: how much came from it, when, and with what. `ahead` is by how much its clock is ahead, as far as told."""

    node: str
    messages: int
    first_arrived: datetime
    last_arrived: datetime
    last_number: int
    ahead: timedelta | None
    shall: int  # messages in which a shall is broken
    should: int
    marked: int
    failures: int  # messages with an outcome other than success
    events: tuple[tuple[str, int], ...]  # code and number of messages, most frequent first


@dataclass(frozen=True, slots=True)
class FindingCount:
    """In how many messages of a node a rule was not met, on which days, and the last of them."""

    node: str
    rule: str
    count: int
    first_day: date
    last_day: date
    last_number: int


@dataclass(frozen=True, slots=True)
class DayCount:
    """How many messages a node sent on a day (UTC) with a value, an event say."""

    day: date
    node: str
    kind: str
    value: str
    count: int


@dataclass(frozen=True, slots=True)
class Value:
    """A value by which messages are found, in how many it is, and when first and last."""

    kind: str
    value: str
    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Alert:
    """What a detection rule raised."""

    number: int
    rule: str
    severity: str
    title: str
    detail: str
    fields: tuple[tuple[str, str], ...]
    node: str
    raised: datetime
    began: datetime
    until: datetime
    count: int
    messages: tuple[int, ...]
    acknowledged: datetime | None
    acknowledged_by: str
    note: str


def cursor_of(row: Row) -> str:
    """The cursor that goes on after `row`."""
    from reference_impl.audit.repository.facts import microseconds

    return f"{microseconds(row.at)}.{row.number}"


def read_cursor(text: str) -> tuple[int, int]:
    """Time and number of a cursor. Raises ValueError for anything else."""
    at, dot, number = text.partition(".")
    if not dot or len(text) > 40:
        raise ValueError("no cursor")
    return int(at), int(number)


def to_moment(value: int | None) -> datetime | None:
    """The time of stored microseconds, None where there is none."""
    return None if value is None else moment_of(value)
