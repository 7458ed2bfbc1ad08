"""What the standard does not forbid and is hardly meant: notes beside a message, which break nothing."""

from __future__ import annotations

import ipaddress
import re
from calendar import monthrange
from functools import lru_cache

from lxml import etree

from reference_impl.audit.codes import value_sets
from reference_impl.audit.model import utc
from reference_impl.audit.rules.collecting import Findings, local_name
from reference_impl.audit.rules.facts import AuditObject, Facts, Participant, value_of

_LIKELY = "A.5.1-likely-object-type"
_VALUES = "A.5.2-plausible-values"
_UID = re.compile(r"(?=.{1,64}\Z)(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))+\Z")
"""A UID as PS3.5 9.1 has it."""
_WITH_UID = frozenset({"MPPS", "SOPClass", "Instance", "StudyIDs"})
_LONGEST = 64
_LEAP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:60")
_COUNT = re.compile(r"\s*\+?[0-9]{1,9}\s*\Z")


def check_plausibility(facts: Facts, findings: Findings) -> None:
    """Notes about times, objects and network access points."""
    _time(facts, findings)
    for participant in facts.participants:
        _access_point(participant, findings)
    for each in facts.objects:
        _likely_type(each, findings)
        _study_uid(each, findings)
        for described in each.descriptions:
            _description(described, findings)


def _note(findings: Findings, rule: str, element: etree._Element, attribute: str, said: tuple[str, str, str]) -> None:
    expected, found, text = said
    findings.add(rule, "note", element, attribute, expected=expected, found=found, text=text)


def _time(facts: Facts, findings: Findings) -> None:
    """Leap seconds are the last of a month in UTC: a second 60 elsewhere is a clock, or a rounding, that is wrong."""
    text = facts.of_event("EventDateTime") or ""
    if facts.event is None or not _LEAP.match(text) or (at := utc(text)) is None:
        return
    if (at.hour, at.minute, at.day) != (23, 59, monthrange(at.year, at.month)[1]):
        said = (
            "a second up to 59; leap seconds are the last of a month, in UTC",
            text,
            "no leap second is at that time",
        )
        _note(findings, _VALUES, facts.event, "EventDateTime", said)


def _access_point(participant: Participant, findings: Findings) -> None:
    point, kind, element = participant.point, participant.point_type, participant.element
    if point is None or kind is None:
        if point is not None or kind is not None:
            said = ("both, or neither", "", "NetworkAccessPointID and NetworkAccessPointTypeCode do not come together")
            _note(findings, _VALUES, element, "", said)
        return
    if fits_its_type(point, kind):
        return
    if kind == "2":
        said = ("an IP address", point, "something else is said to be an IP address")
        _note(findings, _VALUES, element, "NetworkAccessPointID", said)
    else:
        said = ("type 2 (IP address)", point, "an IP address is said to be a machine name")
        _note(findings, _VALUES, element, "NetworkAccessPointTypeCode", said)


def fits_its_type(point: str, kind: str) -> bool:
    """Whether a network access point is an IP address where its type says so, and none where it is a machine name."""
    return kind not in {"1", "2"} or _fits(point[:_LONGEST], kind)


@lru_cache(maxsize=4096)
def _fits(point: str, kind: str) -> bool:
    try:
        ipaddress.ip_address(point.strip("[]").partition("%")[0])
    except ValueError:
        return kind == "1"
    return kind == "2"


def _likely_type(each: AuditObject, findings: Findings) -> None:
    if not each.type:
        return
    number = "" if each.id_type is None or each.id_type.dcm else each.id_type.code
    for name, value, field in (
        ("participant-object-role", each.role, "ParticipantObjectTypeCodeRole"),
        ("participant-object-id-type", number, "ParticipantObjectIDTypeCode"),
    ):
        likely = value_sets()[name].likely_types.get(value, ())
        if likely and each.type not in likely:
            said = (
                f"ParticipantObjectTypeCode {' or '.join(likely)}",
                each.type,
                f"the type is none of those that are likely for {field} {value}",
            )
            _note(findings, _LIKELY, each.element, "ParticipantObjectTypeCode", said)


def _study_uid(each: AuditObject, findings: Findings) -> None:
    if each.identified_by("110180") and each.id and each.id[:1].isdigit() and not _UID.match(each.id):
        _uid(findings, each.element, "ParticipantObjectID", each.id)


def _uid(findings: Findings, element: etree._Element, attribute: str, value: str) -> None:
    text = "the UID breaks a rule of PS3.5 9.1 (64 characters, no leading zeros, digits and dots)"
    _note(findings, _VALUES, element, attribute, ("a UID", value, text))


def _description(described: etree._Element, findings: Findings) -> None:
    for element in described.iter():
        name = local_name(element)
        if name in _WITH_UID and (uid := value_of(element, "UID")) and not _UID.match(uid):
            _uid(findings, element, "UID", uid)
        if name == "SOPClass":
            listed = sum(1 for child in element if local_name(child) == "Instance")
            said = element.get("NumberOfInstances", "")
            if said.strip().startswith("-") and said.strip("-0 \t\r\n"):
                told = ("0 or more", said.strip(), "a number of instances is negative")
                _note(findings, _VALUES, element, "NumberOfInstances", told)
            elif _COUNT.match(said) and int(said) < listed:  # not all of them need to be listed
                _note(
                    findings,
                    _VALUES,
                    element,
                    "NumberOfInstances",
                    (f"{listed} or more", said.strip(), f"{listed} instances are listed, and fewer are told"),
                )
