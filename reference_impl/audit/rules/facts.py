"""An audit message as rules look at it: what is there, however incomplete, each with the element it stands in.

Older forms are seen through, so that one deviation from the schema is one finding: a namespace is left aside, `code`
of RFC 3881 is taken for `csd-code`, and MediaType needs no MediaIdentifier around it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from reference_impl.audit.identifiers import DCM_NAMES
from reference_impl.audit.rules.collecting import local_name

XML_SPACE = " \t\r\n"
"""What is white space in XML, and nothing else."""
_SPACES = re.compile("[ \t\r\n]+")
_TRUE = frozenset({"true", "1"})
_FALSE = frozenset({"false", "0"})


@dataclass(slots=True, eq=False)
class Coded:
    """A coded value: code, scheme, meaning, and the element that holds them."""

    element: etree._Element
    code: str
    system: str
    meaning: str

    @property
    def dcm(self) -> bool:
        """Whether it says that its scheme is DCM."""
        return self.system in DCM_NAMES

    def __str__(self) -> str:
        return f'({self.code}, {self.system}, "{self.meaning}")'


@dataclass(slots=True, eq=False)
class Participant:
    """One ActiveParticipant; `requestor` is None where that is not said in the schema's words."""

    element: etree._Element
    user_id: str | None
    alternative: str
    requestor: bool | None
    point: str | None
    point_type: str | None
    roles: list[Coded] = field(default_factory=list)
    media: etree._Element | None = None
    media_type: Coded | None = None

    def plays(self, *codes: str) -> bool:
        """Whether one of its roles is one of these codes of DCM."""
        return any(role.dcm and role.code in codes for role in self.roles)


@dataclass(slots=True, eq=False)
class AuditObject:
    """One ParticipantObjectIdentification; details as (type, value as it stands, element)."""

    element: etree._Element
    id: str | None
    type: str
    role: str
    id_type: Coded | None = None
    name: etree._Element | None = None
    query: etree._Element | None = None
    details: list[tuple[str, str, etree._Element]] = field(default_factory=list)
    descriptions: list[etree._Element] = field(default_factory=list)

    @property
    def is_named(self) -> bool:
        """Whether its name is there."""
        return self.name is not None

    def identified_by(self, code: str) -> bool:
        """Whether its identifier is of the kind that a code of DCM names."""
        return self.id_type is not None and self.id_type.dcm and self.id_type.code == code


@dataclass(slots=True, eq=False)
class Facts:
    """One message."""

    root: etree._Element
    event: etree._Element | None = None
    event_id: Coded | None = None
    event_types: list[Coded] = field(default_factory=list)
    source: etree._Element | None = None
    source_types: list[Coded] = field(default_factory=list)
    participants: list[Participant] = field(default_factory=list)
    objects: list[AuditObject] = field(default_factory=list)

    def of_event(self, attribute: str) -> str | None:
        """An attribute of EventIdentification, None where it is absent."""
        return None if self.event is None else value_of(self.event, attribute)

    def codes(self) -> Iterator[tuple[str, Coded]]:
        """All coded values but AuditSourceTypeCode, with the names of their elements."""
        if self.event_id is not None:
            yield "EventID", self.event_id
        for code in self.event_types:
            yield "EventTypeCode", code
        for participant in self.participants:
            for code in participant.roles:
                yield "RoleIDCode", code
            if participant.media_type is not None:
                yield "MediaType", participant.media_type
        for each in self.objects:
            if each.id_type is not None:
                yield "ParticipantObjectIDTypeCode", each.id_type


def facts_of(root: etree._Element) -> Facts:
    """What a message says."""
    facts = Facts(root)
    for child in root:
        match local_name(child):
            case "EventIdentification":
                if facts.event is None:
                    facts.event = child
                    _read_event(facts, child)
            case "ActiveParticipant":
                facts.participants.append(_participant(child))
            case "AuditSourceIdentification":
                facts.source = child if facts.source is None else facts.source
                facts.source_types += [coded(each) for each in child if local_name(each) == "AuditSourceTypeCode"]
            case "ParticipantObjectIdentification":
                facts.objects.append(_object(child))
    return facts


def value_of(element: etree._Element, attribute: str) -> str | None:
    """An attribute with white space collapsed, as the schema's token; None where it is absent."""
    value = element.get(attribute)
    return None if value is None else collapsed(value)


def collapsed(value: str) -> str:
    """A value as the data type token has it: white space between words alone, one blank each."""
    return value if value.isalnum() else _SPACES.sub(" ", value).strip(XML_SPACE)


def coded(element: etree._Element) -> Coded:
    """The coded value of an element, empty strings for what is absent."""
    code = value_of(element, "csd-code")
    if code is None:
        code = value_of(element, "code") or ""
    meaning = value_of(element, "originalText") or value_of(element, "displayName") or ""
    return Coded(element, code, value_of(element, "codeSystemName") or "", meaning)


def decoded(value: str) -> bytes | None:
    """What base64 holds, None where it is no base64."""
    try:
        return base64.b64decode(_SPACES.sub("", value), validate=True)
    except (ValueError, binascii.Error):
        return None


def text_of(element: etree._Element | None) -> str:
    """The text of an element with white space collapsed."""
    return "" if element is None else collapsed(element.text or "")


def _read_event(facts: Facts, element: etree._Element) -> None:
    for child in element:
        name = local_name(child)
        if name == "EventID" and facts.event_id is None:
            facts.event_id = coded(child)
        elif name == "EventTypeCode":
            facts.event_types.append(coded(child))


def _participant(element: etree._Element) -> Participant:
    said = value_of(element, "UserIsRequestor")
    participant = Participant(
        element,
        user_id=element.get("UserID"),
        alternative=element.get("AlternativeUserID", ""),
        requestor=True if said in _TRUE else False if said in _FALSE else None,
        point=value_of(element, "NetworkAccessPointID"),
        point_type=value_of(element, "NetworkAccessPointTypeCode"),
    )
    for child in element:
        name = local_name(child)
        if name == "RoleIDCode":
            participant.roles.append(coded(child))
        elif name == "MediaIdentifier" and participant.media is None:
            participant.media = child
            types = [each for each in child if local_name(each) == "MediaType"]
            participant.media_type = coded(types[0]) if types else None
        elif name == "MediaType" and participant.media is None:
            participant.media, participant.media_type = child, coded(child)
    return participant


def _object(element: etree._Element) -> AuditObject:
    found = AuditObject(
        element,
        id=value_of(element, "ParticipantObjectID"),
        type=value_of(element, "ParticipantObjectTypeCode") or "",
        role=value_of(element, "ParticipantObjectTypeCodeRole") or "",
    )
    for child in element:
        match local_name(child):
            case "ParticipantObjectIDTypeCode":
                found.id_type = found.id_type or coded(child)
            case "ParticipantObjectName":
                found.name = child
            case "ParticipantObjectQuery":
                found.query = child
            case "ParticipantObjectDetail":
                detail = (value_of(child, "type") or "", child.get("value", ""), child)
                found.details.append(detail)
            case "ParticipantObjectDescription":
                found.descriptions.append(child)
    return found
