"""What holds for every audit message: A.5.2 and its sections (`tables/conventions.toml`)."""

from __future__ import annotations

import re
from collections.abc import Callable

from lxml import etree

from reference_impl.audit.codes import groups
from reference_impl.audit.identifiers import (
    ae_titles,
    can_be_of_dcm,
    is_ae_title,
    may_be_bare_ae_titles,
    resembles_ae_titles,
)
from reference_impl.audit.rules.collecting import Findings, local_name
from reference_impl.audit.rules.facts import XML_SPACE, AuditObject, Coded, Facts, Participant

_DATE_TIME = re.compile(r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?P<zone>Z|[+-]\d\d:\d\d)?\Z")
_OUTCOMES = frozenset({"0", "4", "8", "12"})
_GROUPS = {"EventID": 400, "EventTypeCode": 401, "RoleIDCode": 402, "ParticipantObjectIDTypeCode": 404}
_DESCRIBED = frozenset({"Accession", "MPPS", "NumberOfInstances", "Instance", "Encrypted", "Anonymized"})


def check_conventions(facts: Facts, findings: Findings) -> None:
    """All conventions, but for those of export and import."""
    _nothing_empty(facts, findings)
    _event(facts, findings)
    _codes(facts, findings)
    _source(facts, findings)
    _participants(facts, findings)
    for each in facts.objects:
        _object(each, findings)


def _nothing_empty(facts: Facts, findings: Findings) -> None:
    rule = "A.5.2-no-empty-values"
    findings.told(rule)
    for element in facts.root.iter():
        for name, value in element.items():
            if not str(value).strip(XML_SPACE):
                _empty(findings, rule, element, str(name), str(value))
        if len(element) == 0 and not element.attrib and not (element.text or "").strip(XML_SPACE):
            _empty(findings, rule, element, "", element.text or "")


def _empty(findings: Findings, rule: str, element: etree._Element, attribute: str, value: str) -> None:
    what = f"the attribute {attribute}" if attribute else f"the element {local_name(element)}"
    findings.add(
        rule,
        "open" if value else "shall",  # the clause speaks of the empty string, which a token comes to without blanks
        element,
        attribute,
        expected="a value, or nothing at all",
        found=f'"{value}"',
        text=f"{what} {'holds white space alone' if value else 'is empty'}",
        remedy=f"Give a value, or leave {what} out.",
    )


def _event(facts: Facts, findings: Findings) -> None:
    place = facts.root if facts.event is None else facts.event
    findings.told("A.5.2-event-id", "A.5.2-event-date-time", "A.5.2-event-outcome-indicator")
    if facts.event_id is None or not facts.event_id.code:
        _missing(findings, "A.5.2-event-id", place, "EventID with the code of the event")
    time, outcome = facts.of_event("EventDateTime"), facts.of_event("EventOutcomeIndicator")
    if time is None:
        _missing(findings, "A.5.2-event-date-time", place, "EventDateTime")
    elif read := _DATE_TIME.match(time):
        findings.told("A.5.2.5-time-zone")
        if not read["zone"]:
            findings.add(
                "A.5.2.5-time-zone",
                "shall",
                place,
                "EventDateTime",
                expected="a time with Z, or with the offset from UTC",
                found=time,
                text="the time of the event has no time zone",
                remedy="Write Z, or an offset such as +01:00, behind the time.",
            )
    if outcome is None:
        _missing(findings, "A.5.2-event-outcome-indicator", place, "EventOutcomeIndicator")
    elif outcome not in _OUTCOMES and outcome:
        findings.add(
            "A.5.2-event-outcome-indicator",
            "shall",
            place,
            "EventOutcomeIndicator",
            expected="0, 4, 8 or 12",
            found=outcome,
            text="the outcome is none of the values",
            remedy="Write 0 for success, 4, 8 or 12 for minor, serious or major failure.",
        )


def _missing(findings: Findings, rule: str, element: etree._Element, what: str) -> None:
    findings.add(rule, "shall", element, expected=what, text=f"{what} is missing", remedy=f"Give {what}.")


def _codes(facts: Facts, findings: Findings) -> None:
    rule = "A.5.2-codes-of-dcm"
    for name, code in facts.codes():
        if not code.dcm or not code.code:
            continue
        findings.told(rule)
        if not can_be_of_dcm(code.code):
            findings.add(
                rule,
                "shall",
                code.element,
                "csd-code",
                expected="a code of DCM",
                found=str(code),
                text=f"{name} says that its code is one of DCM, and it cannot be",
                remedy="Write the code of PS3.16 itself as csd-code.",
            )
            continue
        _listed(name, code, findings, rule)


def _listed(name: str, code: Coded, findings: Findings, rule: str) -> None:
    """Lists may be extended, and a newer edition may have more: what is not on one is left open."""
    group = groups().get(_GROUPS.get(name, 0))
    if group is None or not group.complete or (name.endswith("IDTypeCode") and len(code.code) <= 2):
        return  # the numbers of A.5.1.2.4 belong to no coding scheme that the standard names
    meaning = group.codes.get(code.code)
    if meaning is None:
        if any(code.code in each.codes for each in groups().values()):
            return
        findings.add(
            rule,
            "open" if name == "EventID" else "note",  # elsewhere other codes may always stand
            code.element,
            "csd-code",
            expected=f"a code of CID {group.cid}, or of an extension of it",
            found=str(code),
            text=f"{name} is not in the context group as it is known here",
        )
    elif code.meaning and code.meaning.casefold() != meaning.casefold():
        findings.add(
            rule,
            "note",
            code.element,
            "originalText",
            expected=meaning,
            found=code.meaning,
            text=f"the meaning of {name} is worded otherwise than in PS3.16",
        )


def _source(facts: Facts, findings: Findings) -> None:
    place = facts.root if facts.source is None else facts.source
    findings.told("A.5.2-audit-source-id")
    if facts.source is None or facts.source.get("AuditSourceID") is None:
        _missing(findings, "A.5.2-audit-source-id", place, "AuditSourceID")
    for code in facts.source_types:
        if code.code in set("123456789"):
            continue
        findings.told("A.5.1-source-type-code-system")
        if not code.system and code.code:
            findings.add(
                "A.5.1-source-type-code-system",
                "should",
                code.element,
                "csd-code",
                expected="1 to 9, or a code with codeSystemName",
                found=code.code,
                text="the type of source is none of the digits, and names no coding scheme",
                remedy="Give codeSystemName and originalText, or one of the digits 1 to 9.",
            )


def _participants(facts: Facts, findings: Findings) -> None:
    if facts.participants:
        findings.told("A.5.2-user-id", "A.5.2-user-is-requestor", "A.5.2-one-requestor")
    for each in facts.participants:
        if each.user_id is None:
            _missing(findings, "A.5.2-user-id", each.element, "UserID")
        if each.element.get("UserIsRequestor") is None:
            _missing(findings, "A.5.2-user-is-requestor", each.element, "UserIsRequestor")
        _titles(facts, each, findings)
        _media(each, findings)
    requestors = [each for each in facts.participants if each.requestor]
    if len(requestors) > 1:
        findings.add(
            "A.5.2-one-requestor",
            "shall",
            requestors[1].element,
            "UserIsRequestor",
            expected="true for one participant at most",
            found=f"true for {len(requestors)} participants",
            text="several participants are said to be the requestor",
            remedy="Choose one of them, and say false for all others.",
        )


def _titles(facts: Facts, participant: Participant, findings: Findings) -> None:
    """Only several AE titles have to be encoded in a certain way; a single one may stand alone (A.5.2.2)."""
    value, rule = participant.alternative, "A.5.2.2-ae-titles"
    if (titles := ae_titles(value)) is not None:
        findings.told(rule)
        if all(map(is_ae_title, titles)):
            return
        text = "something behind AETITLES= is no AE title"
    elif resembles_ae_titles(value) and re.search(r"[;,\\]", value):
        text = "several AE titles are encoded in another way"
    elif may_be_bare_ae_titles(value) and participant.plays("110150", "110153", "110152"):
        text = "several AE titles stand without AETITLES="
    else:
        return
    bare = not resembles_ae_titles(value)
    application = facts.event_id is not None and facts.event_id.code == "110100" and participant.plays("110150")
    findings.add(
        rule,
        "note" if bare and not application else "shall",  # elsewhere it may be another identifier
        participant.element,
        "AlternativeUserID",
        expected="AETITLES=FIRST;SECOND with AE titles of 1 to 16 characters",
        found=value,
        text=text,
        remedy="Write AETITLES= and the AE titles, with semicolons between them.",
    )


def _media(participant: Participant, findings: Findings) -> None:
    if participant.plays("110154", "110155"):
        findings.told("A.5.2.7-media-type")
        if participant.media_type is None:
            findings.add(
                "A.5.2.7-media-type",
                "should",
                participant.element,
                expected="MediaIdentifier with MediaType",
                text="a participant is a medium by its role, and its type is not said",
                remedy="Give MediaIdentifier with MediaType.",
            )


def _object(each: AuditObject, findings: Findings) -> None:
    findings.told("A.5.2-participant-object-id-type-code", "A.5.2-participant-object-id", "A.5.2-name-or-query")
    if each.id_type is None or (not each.id_type.code and "csd-code" not in each.id_type.element.attrib):
        _missing(findings, "A.5.2-participant-object-id-type-code", each.element, "ParticipantObjectIDTypeCode")
    if each.id is None:
        _missing(findings, "A.5.2-participant-object-id", each.element, "ParticipantObjectID")
    if each.name is None and each.query is None:
        _missing(findings, "A.5.2-name-or-query", each.element, "ParticipantObjectName or ParticipantObjectQuery")
    if each.identified_by("110180"):
        _sop_class(each, findings)


def _sop_class(study: AuditObject, findings: Findings) -> None:
    inside: set[str] = set()
    for described in [*study.descriptions, study.element]:  # older forms have them in the object itself
        inside.update(local_name(child) for child in described)
    if not inside & _DESCRIBED:
        return
    findings.told("A.5.2-sop-class")
    if "SOPClass" not in inside:
        findings.add(
            "A.5.2-sop-class",
            "shall",
            study.descriptions[0] if study.descriptions else study.element,
            expected=f"SOPClass beside {', '.join(sorted(inside & _DESCRIBED))}",
            text="a study is described, and its SOP classes are not named",
            remedy="Give SOPClass with UID and NumberOfInstances.",
        )


Check = Callable[[Facts, Findings], None]
"""A group of rules: looks at one message and adds to its findings."""
