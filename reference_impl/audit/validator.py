"""Validation of an audit message: schema, tables of A.5.3, conventions of A.5.2, plausibility.

`validate` is what everything else asks: commands, judgements, the repository. The ids of its rules are those of the
catalogue.
"""

from __future__ import annotations

from lxml import etree

from reference_impl.audit.findings import Finding, MessageResult
from reference_impl.audit.forms import forms_of
from reference_impl.audit.limits import Limits
from reference_impl.audit.parsing import UnreadableMessageError, parse_xml
from reference_impl.audit.quick import LARGEST, Known, fingerprint, is_plain
from reference_impl.audit.rules.collecting import Findings, local_name, shortened
from reference_impl.audit.rules.conventions import check_conventions
from reference_impl.audit.rules.events import check_event, table_of
from reference_impl.audit.rules.facts import facts_of
from reference_impl.audit.rules.objects import check_objects
from reference_impl.audit.rules.participants import check_participants
from reference_impl.audit.rules.plausibility import check_plausibility
from reference_impl.audit.rules.structure import RULE as SCHEMA_RULE
from reference_impl.audit.rules.structure import SCHEMA_RULES, departs, explain
from reference_impl.audit.rules.unreadable import explained
from reference_impl.audit.schema import follows_schema
from reference_impl.audit.skeletons import Parts, Skeletons, split

_USUAL = Limits()
_LARGE = 1 << 17
"""Octets beyond which a message is looked at before libxml2 is, whose time grows with the square of its faults."""
_KNOWN = Known()
_SKELETONS = Skeletons()


def validate(
    octets: bytes, *, want_checked: bool = False, limits: Limits = _USUAL, parts: Parts | None = None
) -> MessageResult:
    """What is to be said about one audit message, given as XML without any syslog header.

    `checked` of the result is filled where `want_checked`. `parts` is what `split` gave of these octets, where somebody
    asked before. Raises nothing, whatever the octets are.
    """
    usual = not want_checked and (limits is _USUAL or limits == _USUAL)
    parts = (parts or split(octets)) if usual else None
    if parts is not None and (known := _SKELETONS.find(parts)) is not None:
        return known
    try:
        root = parse_xml(octets, limits)
    except UnreadableMessageError as problem:
        return _unreadable(octets, problem, want_checked, limits)
    valid = not (len(octets) > _LARGE and departs(root, limits)) and follows_schema(root)
    marks = fingerprint(root) if usual and valid and len(octets) <= LARGEST and is_plain(octets) else None
    if marks is None:
        return examine(root, valid=valid, want_checked=want_checked, limits=limits)
    result = _KNOWN.get(marks)
    if result is not None:
        if parts is not None:
            _SKELETONS.keep(parts, root, result)
        return result
    result = examine(root, valid=valid, limits=limits)
    if not result.findings:
        _KNOWN.keep(marks, result)
    return result


def examine(root: etree._Element, *, valid: bool, want_checked: bool = False, limits: Limits = _USUAL) -> MessageResult:
    """What is to be said about a message that was parsed by `parse_xml`, and just held against the schema."""
    findings = Findings(limits)
    findings.told(*SCHEMA_RULES)
    if not valid:
        explain(root, findings)
    forms = () if valid else forms_of(root, limits)
    section = event = ""
    if local_name(root) == "AuditMessage":
        facts = facts_of(root)
        event = "" if facts.event_id is None else shortened(facts.event_id.code, limits.shown)
        check_conventions(facts, findings)
        table = table_of(facts, findings)
        if table is not None:
            section = table.section
            check_event(facts, table, findings)
            check_participants(facts, table, findings)
            check_objects(facts, table, findings)
        check_plausibility(facts, findings)
    checked = frozenset(findings.checked) if want_checked else frozenset()
    return MessageResult(findings.result(), checked, section, event, schema_valid=valid, forms=forms)


def _unreadable(octets: bytes, problem: UnreadableMessageError, want_checked: bool, limits: Limits) -> MessageResult:
    text, remedy = explained(octets, problem.text) if problem.malformed else (problem.text, "")
    finding = Finding(
        SCHEMA_RULE,
        "open" if problem.too_large else "shall",
        line=problem.line,
        expected="a message that can be examined"
        if problem.too_large
        else "a well-formed XML document without document type declaration",
        text=shortened(text, 2 * limits.shown),
        remedy=remedy or ("" if problem.too_large else "Write the message with an XML library, whole."),
    )
    return MessageResult((finding,), frozenset({SCHEMA_RULE}) if want_checked else frozenset())
