"""What it happened to, by the tables of A.5.3: studies and patients. Further objects are always allowed."""

from __future__ import annotations

import re

from reference_impl.audit.rules.collecting import Findings
from reference_impl.audit.rules.events import evidently_dcm
from reference_impl.audit.rules.facts import AuditObject, Facts, text_of
from reference_impl.audit.rules.special_objects import check_alert, check_audit_log, check_query
from reference_impl.audit.tables import MessageTable, Part

UID = re.compile(r"[0-9]+(?:\.[0-9]+)+\Z")
"""Something that is meant as a UID, however long its parts are: an audit source may report what it got."""
_STUDY = "110180"
_LIKE_A_PATIENT = 2
_WHOLLY = 3
_NOT_SAID = frozenset({"A.5.3.14"})
"""The table has one patient; that a message is about a single one is said of all others."""


def check_objects(facts: Facts, table: MessageTable, findings: Findings) -> None:
    """Everything that a table says about participant objects."""
    studies: list[AuditObject] = []
    for part in table.parts:
        match part.name:
            case "study":
                studies = _studies(facts, table.section, part, findings)
            case "patient":
                _patients(facts, table.section, part, studies, findings)
            case "audit-log":
                check_audit_log(facts, findings)
            case "query":
                check_query(facts, findings)
            case "subject":
                check_alert(facts, findings)


def _studies(facts: Facts, section: str, part: Part, findings: Findings) -> list[AuditObject]:
    rule = f"{section}-study"
    studies = [each for each in facts.objects if each.identified_by(_STUDY)]
    meant = [each for each in facts.objects if not each.identified_by(_STUDY) and _meant_as_study(each)]
    if studies or meant or part.least:
        findings.told(rule)
    for each in meant:
        findings.add(
            rule,
            "shall",
            each.element if each.id_type is None else each.id_type.element,
            expected='(110180, DCM, "Study Instance UID")',
            found=str(each.id_type),
            text="ParticipantObjectIDTypeCode of a study is another code than that of Study Instance UID",
            remedy="Write csd-code 110180 and codeSystemName DCM.",
        )
    if part.least and not studies and not meant:
        findings.add(
            rule,
            "shall",
            facts.root,
            expected='an object with ParticipantObjectIDTypeCode (110180, DCM, "Study Instance UID")',
            text="no study takes part",
            remedy="Give every study (110180, DCM) and its Study Instance UID.",
        )
    studies += meant
    for each in studies:
        if each.id and not UID.match(each.id):
            findings.add(
                rule,
                "shall",
                each.element,
                "ParticipantObjectID",
                expected="a Study Instance UID",
                found=each.id,
                text="ParticipantObjectID of a study is no UID",
                remedy="Write the Study Instance UID as ParticipantObjectID.",
            )
        name = "ParticipantObjectTypeCode"
        findings.fixed(f"{section}-study-type-code", each.element, name, "2", each.type)
        findings.fixed(f"{section}-study-role", each.element, f"{name}Role", "3", each.role)
    return studies


def _meant_as_study(each: AuditObject) -> bool:
    """Whether an object is evidently a study whose kind of identifier is wrong: by code, or by what that means."""
    code = each.id_type
    if code is None:
        return False
    if code.code == _STUDY:
        return evidently_dcm(code, "Study Instance UID")
    return code.meaning.casefold() == "study instance uid" and (code.dcm or each.role == "3")


def _likeness(each: AuditObject) -> int:
    """How many of type, role and kind of identifier are those of a patient."""
    return (each.type == "1") + (each.role == "1") + _has_patient_number(each)


def _has_patient_number(each: AuditObject) -> bool:
    """The standard names no coding scheme for "2 Patient Number": any will do."""
    return each.id_type is not None and each.id_type.code == "2"


def _may_be_the_same(patients: list[AuditObject]) -> bool:
    """Whether all have one identifier, or one name: a patient may be known by several identifiers."""
    names = {text_of(each.name).casefold() for each in patients}
    return len({each.id for each in patients}) == 1 or (len(names) == 1 and names != {""})


def _patients(facts: Facts, section: str, part: Part, studies: list[AuditObject], findings: Findings) -> None:
    rule = f"{section}-patient"
    findings.told(rule)
    known = set(studies)
    others = [each for each in facts.objects if each not in known]
    whole = [each for each in others if _likeness(each) == _WHOLLY]
    partly = [each for each in others if _likeness(each) == _LIKE_A_PATIENT]
    hardly = [each for each in others if each.role == "1" or (_has_patient_number(each) and not each.role)]
    found = whole or partly or hardly
    if not found:
        findings.add(
            rule,
            "shall",
            facts.root,
            expected="an object with type 1, role 1 and Patient Number",
            text="no patient takes part",
            remedy="Give the patient as ParticipantObjectIdentification.",
        )
        return
    if part.most == 1 and len(whole) > 1:
        same = _may_be_the_same(whole)
        findings.add(
            rule,
            "open" if same or section in _NOT_SAID else "shall",
            whole[1].element,
            expected="one patient",
            found=f"{len(whole)} objects that are patients",
            text="several objects are patients, and may be the same one"
            if same
            else "the message is about several patients",
            remedy="Name the patient in one object." if same else "Send a message of its own for every patient.",
        )
    elif whole and partly:
        findings.add(
            rule,
            "open",
            partly[0].element,
            expected="a patient as the table has it, or something else",
            text="another object is nearly a patient as the table has it; it may be one, or say more of the same",
        )
    single = part.most == 1 and not whole
    for each in found[:1] if single else found:
        _patient(each, section, part, findings)


def _patient(each: AuditObject, section: str, part: Part, findings: Findings) -> None:
    name = "ParticipantObjectTypeCode"
    findings.fixed(f"{section}-patient-type-code", each.element, name, "1", each.type)
    findings.fixed(f"{section}-patient-role", each.element, f"{name}Role", "1", each.role)
    kind = "" if each.id_type is None else each.id_type.code
    findings.fixed(f"{section}-patient-id-type", each.element, "ParticipantObjectIDTypeCode", "2", kind)
    row = part.row("ParticipantObjectName")
    if row is not None and row.optionality == "M":
        findings.told(f"{section}-patient-name")
        if not each.is_named:
            findings.add(
                f"{section}-patient-name",
                "shall",
                each.element,
                expected="ParticipantObjectName with the name of the patient",
                text="the patient has no name",
                remedy="Give ParticipantObjectName.",
            )
