"""Audit messages as XML (PS3.15 A.5.1.1): elements and attributes always in the same order, UTF-8, no declaration."""

from __future__ import annotations

import base64

from lxml import etree

from reference_impl.audit.model import (
    ActiveParticipant,
    AuditMessage,
    Code,
    EventIdentification,
    ObjectDescription,
    ParticipantObject,
)


def to_xml(message: AuditMessage, *, declaration: bool = False) -> bytes:
    """The message as UTF-8, without line breaks.

    Raises ValueError for characters that XML cannot carry (NUL and other controls, unpaired surrogates).
    """
    return etree.tostring(to_element(message), encoding="UTF-8", xml_declaration=declaration)


def to_element(message: AuditMessage) -> etree._Element:
    """The message as a tree. What is required is written even where it is empty. Raises ValueError like `to_xml`."""
    root = etree.Element("AuditMessage")
    _event(root, message.event)
    for participant in message.participants:
        _participant(root, participant)
    source = etree.SubElement(root, "AuditSourceIdentification")
    _optional(source, AuditEnterpriseSiteID=message.source.enterprise_site)
    source.set("AuditSourceID", message.source.id)
    for each in message.source.types:
        _code(source, "AuditSourceTypeCode", each)
    for item in message.objects:
        _object(root, item)
    return root


def _event(root: etree._Element, event: EventIdentification) -> None:
    element = etree.SubElement(root, "EventIdentification")
    _optional(element, EventActionCode=event.action)
    element.set("EventDateTime", event.date_time)
    element.set("EventOutcomeIndicator", event.outcome)
    _code(element, "EventID", event.id)
    for each in event.types:
        _code(element, "EventTypeCode", each)
    if event.outcome_description:
        etree.SubElement(element, "EventOutcomeDescription").text = event.outcome_description


def _participant(root: etree._Element, participant: ActiveParticipant) -> None:
    element = etree.SubElement(root, "ActiveParticipant")
    element.set("UserID", participant.user_id)
    _optional(element, AlternativeUserID=participant.alternative_user_id, UserName=participant.user_name)
    element.set("UserIsRequestor", _boolean(participant.is_requestor))
    _optional(
        element,
        NetworkAccessPointID=participant.access_point,
        NetworkAccessPointTypeCode=participant.access_point_type,
    )
    for each in participant.roles:
        _code(element, "RoleIDCode", each)
    if participant.media_type is not None:
        _code(etree.SubElement(element, "MediaIdentifier"), "MediaType", participant.media_type)


def _object(root: etree._Element, item: ParticipantObject) -> None:
    element = etree.SubElement(root, "ParticipantObjectIdentification")
    element.set("ParticipantObjectID", item.id)
    _optional(
        element,
        ParticipantObjectTypeCode=item.type,
        ParticipantObjectTypeCodeRole=item.role,
        ParticipantObjectDataLifeCycle=item.life_cycle,
        ParticipantObjectSensitivity=item.sensitivity,
    )
    _code(element, "ParticipantObjectIDTypeCode", item.id_type)
    if item.name or item.query is None:
        etree.SubElement(element, "ParticipantObjectName").text = item.name
    if item.query is not None:
        etree.SubElement(element, "ParticipantObjectQuery").text = _base64(item.query)
    for detail in item.details:
        etree.SubElement(element, "ParticipantObjectDetail", type=detail.type, value=_base64(detail.value))
    for description in item.descriptions:
        _description(element, description)


def _description(parent: etree._Element, description: ObjectDescription) -> None:
    element = etree.SubElement(parent, "ParticipantObjectDescription")
    for uid in description.mpps:
        etree.SubElement(element, "MPPS", UID=uid)
    for number in description.accessions:
        etree.SubElement(element, "Accession", Number=number)
    for sop_class in description.sop_classes:
        child = etree.SubElement(element, "SOPClass")
        _optional(child, UID=sop_class.uid)
        if sop_class.number is not None:
            child.set("NumberOfInstances", str(sop_class.number))
        for uid in sop_class.instances:
            etree.SubElement(child, "Instance", UID=uid)
    if description.studies:
        contains = etree.SubElement(element, "ParticipantObjectContainsStudy")
        for uid in description.studies:
            etree.SubElement(contains, "StudyIDs", UID=uid)
    if description.encrypted is not None:
        etree.SubElement(element, "Encrypted").text = _boolean(description.encrypted)
    if description.anonymized is not None:
        etree.SubElement(element, "Anonymized").text = _boolean(description.anonymized)


def _code(parent: etree._Element, name: str, code: Code) -> None:
    element = etree.SubElement(parent, name)
    element.set("csd-code", code.code)
    _optional(element, codeSystemName=code.system, displayName=code.display, originalText=code.text)


def _optional(element: etree._Element, **attributes: str) -> None:
    for name, value in attributes.items():
        if value:
            element.set(name, value)


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
