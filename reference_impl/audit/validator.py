"""Validation of an audit message: schema, tables of A.5.3, conventions of A.5.2, plausibility."""

from __future__ import annotations

from reference_impl.audit.findings import Finding, MessageResult
from reference_impl.audit.limits import Limits
from reference_impl.audit.parsing import UnreadableMessageError, parse_xml
from reference_impl.audit.schema import complaints, follows_schema

SCHEMA_RULE = "A.5.1-schema-valid"

_USUAL = Limits()


def validate(octets: bytes, *, want_checked: bool = False, limits: Limits = _USUAL) -> MessageResult:
    """What is to be said about one audit message, given as XML without any syslog header.

    `checked` of the result is filled where `want_checked`. Raises nothing, whatever the octets are.
    """
    checked = frozenset({SCHEMA_RULE}) if want_checked else frozenset()
    try:
        root = parse_xml(octets, limits)
    except UnreadableMessageError as problem:
        finding = Finding(
            SCHEMA_RULE,
            "shall",
            line=problem.line,
            expected="a well-formed XML document",
            text=problem.text,
            remedy="Write the message with an XML library.",
        )
        return MessageResult((finding,), checked)
    if follows_schema(root):
        return MessageResult((), checked, schema_valid=True)
    findings = tuple(
        Finding(SCHEMA_RULE, "shall", "/AuditMessage", line, "a message that follows the schema", text=text)
        for line, text in complaints(limits.findings)
    )
    return MessageResult(findings, checked, schema_valid=False)
