"""Objects that single messages have: the audit log, the query, the subject of an alert (A.5.3.2, .10, .11)."""

from __future__ import annotations

import re

from lxml import etree

from reference_impl.audit.identifiers import cannot_be_uri, has_scheme, may_name_a_transfer_syntax, names_a_node
from reference_impl.audit.rules.collecting import Findings
from reference_impl.audit.rules.facts import AuditObject, Facts, decoded, text_of

_MARKS = 4
_NAME = "Security Audit Log"
_UID = re.compile(r"[0-9]+(?:\.[0-9]+)+\Z")
_TYPE, _ROLE = "ParticipantObjectTypeCode", "ParticipantObjectTypeCodeRole"
_SUBJECT_ROLES = frozenset({"5", "13"})
_NODE, _QUERY = "110182", "110181"


def _number(each: AuditObject) -> str:
    return "" if each.id_type is None else each.id_type.code


def check_audit_log(facts: Facts, findings: Findings) -> None:
    """The one object of A.5.3.2; further objects are something else."""
    rule = "A.5.3.2-audit-log"

    def likeness(each: AuditObject) -> int:
        marks = (each.type == "2", each.role == "13", _number(each) == "12", text_of(each.name) == _NAME)
        return sum(marks)

    findings.told(rule)
    best = max(facts.objects, key=likeness, default=None)
    if best is None or not likeness(best):
        _absent(facts, findings, rule, "the audit log")
        return
    alike = [each for each in facts.objects if likeness(each) == _MARKS]
    if len(alike) > 1:
        _several(findings, rule, alike, "audit log")
    _uri(findings, rule, best, "the audit log")
    findings.fixed(f"{rule}-type-code", best.element, _TYPE, "2", best.type)
    findings.fixed(f"{rule}-role", best.element, _ROLE, "13", best.role)
    findings.fixed(f"{rule}-id-type", best.element, "ParticipantObjectIDTypeCode", "12", _number(best))
    findings.fixed(f"{rule}-name", best.element, "ParticipantObjectName", _NAME, text_of(best.name))


def _absent(facts: Facts, findings: Findings, rule: str, what: str) -> None:
    findings.add(
        rule,
        "shall",
        facts.root,
        expected=f"an object for {what}",
        text=f"no object stands for {what}",
        remedy=f"Give a ParticipantObjectIdentification for {what}.",
    )


def _several(findings: Findings, rule: str, alike: list[AuditObject], what: str) -> None:
    findings.add(
        rule,
        "shall",
        alike[1].element,
        expected=f"one {what}",
        found=f"{len(alike)} objects",
        text=f"the table has one {what}",
        remedy="Send a message for each of them.",
    )


def _uri(findings: Findings, rule: str, each: AuditObject, what: str) -> None:
    """What cannot be a URI fails; what has no scheme is a relative reference, and left open."""
    if not each.id:
        return
    impossible = cannot_be_uri(each.id)
    if impossible or not has_scheme(each.id):
        findings.add(
            rule,
            "shall" if impossible else "open",
            each.element,
            "ParticipantObjectID",
            expected=f"the URI of {what}",
            found=each.id,
            text="ParticipantObjectID is no URI" if impossible else "ParticipantObjectID is a URI without its scheme",
            remedy="Write a URI, such as https://node.example/audit or file:///var/log/audit.",
        )


def check_query(facts: Facts, findings: Findings) -> None:
    """The one object of A.5.3.10 that is the query."""
    rule = "A.5.3.10-query"

    def likeness(each: AuditObject) -> int:
        said = 3 * (each.query is not None) + 3 * each.identified_by(_QUERY) + (each.type == "2")
        return said + {"3": 2, "24": 1}.get(each.role, 0)  # what senders call a query is none of the table

    findings.told(rule)
    best = max(facts.objects, key=likeness, default=None)
    if best is None or not likeness(best) or (best.role == "1" and best.query is None):
        _absent(facts, findings, rule, "the query")
        return
    whole = [each for each in facts.objects if each.query is not None and each.type == "2" and each.role == "3"]
    if len(whole) > 1:
        _several(findings, rule, whole, "query")
    findings.fixed(f"{rule}-type-code", best.element, _TYPE, "2", best.type)
    findings.fixed(f"{rule}-role", best.element, _ROLE, "3", best.role)
    findings.told(f"{rule}-query")
    if best.query is None:
        findings.add(
            f"{rule}-query",
            "shall",
            best.element,
            expected="ParticipantObjectQuery",
            text="the query itself is missing",
            remedy="Give ParticipantObjectQuery with the query in base64.",
        )
    if best.identified_by(_QUERY):
        _dicom_query(best, findings)


def _dicom_query(query: AuditObject, findings: Findings) -> None:
    findings.told("A.5.3.10-query-sop-class", "A.5.3.10-query-transfer-syntax")
    if query.id and not _UID.match(query.id):
        findings.add(
            "A.5.3.10-query-sop-class",
            "shall",
            query.element,
            "ParticipantObjectID",
            expected="the UID of the SOP class",
            found=query.id,
            text="ParticipantObjectID is no UID, as ParticipantObjectIDTypeCode says",
            remedy="Write the SOP Class UID as ParticipantObjectID.",
        )
    named = [(value, element) for type_, value, element in query.details if type_ == "TransferSyntax"]
    alike = [element for type_, _, element in query.details if type_.replace(" ", "").casefold() == "transfersyntax"]
    if named:
        for value, element in named:
            _transfer_syntax(value, element, findings)
        return
    findings.add(
        "A.5.3.10-query-transfer-syntax",
        "open" if alike else "shall",
        alike[0] if alike else query.element,
        expected='ParticipantObjectDetail with type="TransferSyntax"',
        text="the transfer syntax of the query is named in another spelling"
        if alike
        else "the transfer syntax of the query is not told",
        remedy='Give ParticipantObjectDetail type="TransferSyntax" with the UID in base64.',
    )


def _transfer_syntax(value: str, element: etree._Element, findings: Findings) -> None:
    octets = decoded(value)
    uid = None if octets is None else octets.decode("latin-1").strip(" \0")
    if uid is not None and _UID.match(uid) and may_name_a_transfer_syntax(uid):
        return
    bare = _UID.match(value.strip())
    findings.add(
        "A.5.3.10-query-transfer-syntax",
        "shall",
        element,
        "value",
        expected="the UID of a transfer syntax of DICOM, in base64",
        found=value if uid is None or bare else uid,
        text="the UID stands in plain text" if bare else "the value is no UID of a transfer syntax",
        remedy="Write the UID of the transfer syntax, encoded in base64.",
    )


def check_alert(facts: Facts, findings: Findings) -> None:
    """Subjects of A.5.3.11: objects that are nodes or URIs, or have one of the roles; others are something else."""
    of_its_kind = {each: None for each in facts.objects if each.identified_by(_NODE) or _number(each) == "12"}
    sure = [each for each in facts.objects if each.role in _SUBJECT_ROLES or (each in of_its_kind and not each.role)]
    for each in sure or [each for each in of_its_kind if each.role != "1"]:
        _subject(each, findings)


def _subject(subject: AuditObject, findings: Findings) -> None:
    findings.fixed("A.5.3.11-subject-type-code", subject.element, _TYPE, "2", subject.type)
    if subject.role and subject.role not in _SUBJECT_ROLES:
        findings.add(
            "A.5.3.11-subject-role",
            "note",
            subject.element,
            _ROLE,
            expected="5 (Master File) or 13 (Security Resource)",
            found=subject.role,
            text="the role is none of the defined terms, which may be extended",
        )
    findings.told("A.5.3.11-subject-id", "A.5.3.11-subject-name", "A.5.3.11-alert-description")
    if _number(subject) == "12":
        _uri(findings, "A.5.3.11-subject-id", subject, "what the alert is about")
    elif subject.identified_by(_NODE) and subject.id and not names_a_node(subject.id):
        findings.add(
            "A.5.3.11-subject-id",
            "shall",
            subject.element,
            "ParticipantObjectID",
            expected="node_name@domain_name, or an IP address",
            found=subject.id,
            text="ParticipantObjectID does not identify a node in either form",
            remedy="Write node_name@domain_name or an IP address.",
        )
    if not subject.is_named:
        findings.add(
            "A.5.3.11-subject-name",
            "shall",
            subject.element,
            expected="ParticipantObjectName",
            text="what the alert is about has no name",
            remedy="Give ParticipantObjectName.",
        )
    _description(subject, findings)


def _description(subject: AuditObject, findings: Findings) -> None:
    described = [value for type_, value, _ in subject.details if type_ == "Alert Description"]
    if any((decoded(value) or b"").strip() for value in described):
        return
    if described and any(decoded(value) is None for value in described):
        return  # no base64: the schema's matter
    findings.add(
        "A.5.3.11-alert-description",
        "shall",
        subject.element,
        expected='ParticipantObjectDetail with type="Alert Description" and a text',
        text="the description of the alert is empty" if described else "the alert is not described",
        remedy='Give ParticipantObjectDetail type="Alert Description" with the text in base64.',
    )
