"""Audit messages as values: what the schema of PS3.15 A.5.1.1 can say, under its names.

An attribute or element that is absent is the empty string, None or an empty tuple: a conforming message holds nothing
that is empty (A.5.2), so nothing is lost. `builders` makes conforming messages; these types hold any.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

STUDY_INSTANCE_UID = "110180"
PATIENT_ROLE = "1"
QUERY_ROLE = "24"
_MIDNIGHT = re.compile(r"(\d{4}-\d\d-\d\dT)24(:00:00(?:\.0+)?(?:Z|[+-]\d\d:\d\d)?)\Z")
"""The end of a day, as xsd:dateTime may have it."""


@dataclass(frozen=True, slots=True)
class Code:
    """A coded value. `system` is codeSystemName, `text` originalText (the Code Meaning), `display` displayName.

    A bare digit of AuditSourceTypeCode has no `system` and no `text`.
    """

    code: str  # csd-code
    system: str = ""
    text: str = ""
    display: str = ""


@dataclass(frozen=True, slots=True)
class EventIdentification:
    """What happened, when and with what outcome. `date_time` is the text of EventDateTime (xsd:dateTime)."""

    id: Code
    date_time: str
    outcome: str  # "0", "4", "8", "12"
    action: str = ""  # "C", "R", "U", "D", "E"
    types: tuple[Code, ...] = ()
    outcome_description: str = ""

    @property
    def at(self) -> datetime | None:
        """`date_time` in UTC; a leap second is the last microsecond before. None: no time, or one without a zone."""
        return utc(self.date_time)


@dataclass(frozen=True, slots=True)
class ActiveParticipant:
    """Who took part: a person, a process, a node or a medium."""

    user_id: str
    is_requestor: bool = False
    alternative_user_id: str = ""
    user_name: str = ""
    roles: tuple[Code, ...] = ()
    media_type: Code | None = None
    access_point: str = ""  # NetworkAccessPointID
    access_point_type: str = ""  # NetworkAccessPointTypeCode, "1" to "5"


@dataclass(frozen=True, slots=True)
class AuditSource:
    """AuditSourceIdentification: who reports."""

    id: str
    enterprise_site: str = ""
    types: tuple[Code, ...] = ()


@dataclass(frozen=True, slots=True)
class Detail:
    """ParticipantObjectDetail: `value` is what its base64 text stands for."""

    type: str
    value: bytes


@dataclass(frozen=True, slots=True)
class SopClass:
    """Instances of one SOP Class. `number` is NumberOfInstances (required by the schema)."""

    uid: str
    number: int | None
    instances: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ObjectDescription:
    """ParticipantObjectDescription. `studies` are the StudyIDs of ParticipantObjectContainsStudy."""

    mpps: tuple[str, ...] = ()
    accessions: tuple[str, ...] = ()
    sop_classes: tuple[SopClass, ...] = ()
    studies: tuple[str, ...] = ()
    encrypted: bool | None = None
    anonymized: bool | None = None


@dataclass(frozen=True, slots=True)
class ParticipantObject:
    """ParticipantObjectIdentification: a patient, a study, a query, a log. Either `name` or `query` is present."""

    id: str
    id_type: Code
    name: str = ""
    query: bytes | None = None
    type: str = ""  # ParticipantObjectTypeCode, "1" to "4"
    role: str = ""  # ParticipantObjectTypeCodeRole, "1" to "26"
    life_cycle: str = ""  # ParticipantObjectDataLifeCycle, "1" to "15"
    sensitivity: str = ""
    details: tuple[Detail, ...] = ()
    descriptions: tuple[ObjectDescription, ...] = ()

    @property
    def is_patient(self) -> bool:
        """Whether its role is Patient."""
        return self.role == PATIENT_ROLE

    @property
    def is_study(self) -> bool:
        """Whether it is identified by a Study Instance UID."""
        return self.id_type.code == STUDY_INSTANCE_UID


@dataclass(frozen=True, slots=True)
class AuditMessage:
    """A whole message."""

    event: EventIdentification
    participants: tuple[ActiveParticipant, ...]
    source: AuditSource
    objects: tuple[ParticipantObject, ...] = ()

    @property
    def patients(self) -> tuple[ParticipantObject, ...]:
        """The patients among its objects."""
        return tuple(each for each in self.objects if each.is_patient)

    @property
    def studies(self) -> tuple[str, ...]:
        """Study Instance UIDs: of objects that are studies, and those that other objects are said to contain."""
        return tuple(dict.fromkeys(self._studies()))

    def _studies(self) -> Iterator[str]:
        for each in self.objects:
            if each.is_study:
                yield each.id
            for description in each.descriptions:
                yield from description.studies


@lru_cache(maxsize=1024)
def utc(text: str) -> datetime | None:
    """An xsd:dateTime in UTC, None where it is none or has no zone; a leap second is the last microsecond before.

    24:00:00 is the first moment of the next day. None, too, for years that datetime does not know.
    """
    at = text.strip()
    midnight = _MIDNIGHT.match(at)
    if midnight is not None:
        at = f"{midnight[1]}00{midnight[2]}"
    leap = at[17:19] == "60" and at[16:17] == ":"
    if leap:
        at = at[:17] + "59.999999" + at[19:].lstrip(".0123456789")
    if "T" not in at:
        return None
    try:
        value = datetime.fromisoformat(at) + timedelta(days=midnight is not None)
        return value.astimezone(UTC) if value.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
