"""Faults of audit messages that are made along the tables of PS3.15 A.5.3: one for each of their rules.

A rule (`tables/messages.json`) belongs to one or several rows; a fault breaks the first of them, as `_OF_FIELD` says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reference_impl.audit.faults.changing import Operation

if TYPE_CHECKING:
    from reference_impl.audit.faults.sources import SourceFault

_TABLES = Path(__file__).parents[1] / "tables" / "messages.json"
_OBJECT, _PARTICIPANT = "ParticipantObjectIdentification", "ActiveParticipant"
EVENTS: Mapping[str, str] = {
    "A.5.3.1": "application-start",
    "A.5.3.2": "audit-log-used",
    "A.5.3.3": "begin-transferring",
    "A.5.3.4": "export",
    "A.5.3.5": "import",
    "A.5.3.6": "instances-accessed",
    "A.5.3.7": "instances-transferred",
    "A.5.3.8": "study-deleted",
    "A.5.3.9": "network-attach",
    "A.5.3.10": "query",
    "A.5.3.11": "security-alert",
    "A.5.3.12": "login",
    "A.5.3.13": "order-record",
    "A.5.3.14": "patient-record",
    "A.5.3.15": "procedure-record",
}
"""The event whose message is spoilt, by the section of its table."""
_ROLES = {
    "application": "110150",
    "launcher": "110151",
    "source": "110153",
    "exporter": "110153",
    "destination": "110152",
    "importer": "110152",
    "remote": "110152",
}
"""RoleIDCode of those who take part, by the part of the table."""
_OTHER_ACTION = {"C": "E", "R": "E", "U": "E", "D": "E", "E": "C"}


@dataclass(frozen=True)
class _Row:
    """A row of a table, with what it belongs to."""

    section: str
    message: str
    part: str
    title: str
    element: str
    field: str
    kind: str
    wanted: tuple[str, ...]

    @property
    def at(self) -> str:
        """Where the part stands in a message of the reference source."""
        if self.element == _OBJECT:
            return f"{_OBJECT}{_PLACES.get(self.part, '')}"
        if self.element == _PARTICIPANT:
            if self.part in _PARTS:
                return f"{_PARTICIPANT}{_PARTS[self.part]}"
            role = _ROLES.get(self.part)
            return f"{_PARTICIPANT}[RoleIDCode/@csd-code = '{role}']" if role else f"{_PARTICIPANT}[1]"
        return self.element


_PARTS = {"media": "[MediaIdentifier]"}
_PLACES = {
    "patient": "[@ParticipantObjectTypeCodeRole = '1']",
    "study": "[ParticipantObjectIDTypeCode/@csd-code = '110180']",
}
_Made = Callable[[_Row], tuple[Operation, ...]]


def _to(attribute: str, value: str) -> _Made:
    return lambda row: (Operation("set", f"{row.at}/{attribute}", value),)


def _without(path: str) -> _Made:
    return lambda row: (Operation("remove", f"{row.at}/{path}"),)


def _other_action(row: _Row) -> tuple[Operation, ...]:
    """An action of the schema that the table does not permit."""
    value = _OTHER_ACTION[row.wanted[0]] if "D" in row.wanted or len(row.wanted) == 1 else "D"
    return (Operation("set", f"{row.at}/@EventActionCode", value),)


def _query_for_name(row: _Row) -> tuple[Operation, ...]:
    """A query stands where the name belongs, as the schema permits."""
    name = f"{row.at}/ParticipantObjectName"
    return Operation("set", name, "T1RU"), Operation("rename", name, name="ParticipantObjectQuery")


def _without_role(row: _Row) -> tuple[Operation, ...]:
    """Nobody has the role of the part; the media are recognised by more than that, and do not take part at all."""
    return (Operation("remove", row.at if row.part == "media" else f"{row.at}/RoleIDCode"),)


def _without_object(row: _Row) -> tuple[Operation, ...]:
    return (Operation("remove", row.at),)


_OF_FIELD: Mapping[str, _Made] = {
    "EventID": _to("EventID/@codeSystemName", "99VENDOR"),
    "EventActionCode": _other_action,
    "EventTypeCode": _without("EventTypeCode"),
    "UserID": _without_role,
    "RoleIDCode": lambda row: (Operation("remove", f"{row.at}/RoleIDCode"),),
    "UserIsRequestor": _to("@UserIsRequestor", "true"),
    "ParticipantObjectTypeCode": _to("@ParticipantObjectTypeCode", "3"),
    "ParticipantObjectTypeCodeRole": _to("@ParticipantObjectTypeCodeRole", "20"),
    "ParticipantObjectIDTypeCode": _to("ParticipantObjectIDTypeCode/@csd-code", "9"),
    "ParticipantObjectName": _query_for_name,
    "ParticipantObjectID": _without_object,
    "NetworkAccessPointTypeCode": _without("@NetworkAccessPointTypeCode"),
    "NetworkAccessPointID": _without("@NetworkAccessPointID"),
    "MediaIdentifier": _without("MediaIdentifier"),
    "MediaType": _without("MediaIdentifier/MediaType"),
}
"""What breaks what is asked of a field, wherever it is asked."""
_BY_HAND = frozenset(
    {
        "A.5.3.10-query-sop-class",
        "A.5.3.11-performer-user-is-requestor",
        "A.5.3.11-subject-id",
        "A.5.3.11-subject-role",  # its list may be extended
        "A.5.3.12-user-network-access-point",
        "A.5.3.4-media",
        "A.5.3.4-media-identifier",  # the schema leaves no place for what it asks
        "A.5.3.4-remote",
        "A.5.3.5-media-identifier",
        "A.5.3.5-source",
    }
)
"""Rules that a fault of messages.toml breaks, or that cannot be broken."""


@cache
def faults_along_tables() -> Mapping[str, SourceFault]:
    """The faults by their names, ``wrong-`` and the rule."""
    from reference_impl.audit.faults.sources import SourceFault

    found: dict[str, SourceFault] = {}
    for rule, row in _rows():
        name = f"wrong-{rule}"
        make = _OF_FIELD.get(row.field)
        if name in found or make is None or rule in _BY_HAND or not rule.startswith(f"{row.section}-"):
            continue
        text = f"{row.message}: {row.field} of {row.title} is not as {row.section} asks."
        found[name] = SourceFault(text, event=EVENTS[row.section], operations=make(row))
    return found


def _rows() -> Iterator[tuple[str, _Row]]:
    """The rules with their rows, in the order of the tables."""
    table: dict[str, Any] = json.loads(_TABLES.read_text(encoding="utf-8"))
    for message in table["messages"]:
        for part in message["parts"]:
            for row in part["rows"]:
                wanted = tuple(str(one) for one in row.get("values") or row.get("codes") or ())
                made = _Row(
                    message["section"],
                    message["name"],
                    part["part"],
                    part["title"],
                    part["element"],
                    row["field"],
                    row["kind"],
                    wanted,
                )
                for rule in row["rules"]:
                    yield rule, made
