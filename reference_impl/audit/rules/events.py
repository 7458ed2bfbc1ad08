"""Which of the fifteen messages it is, and what the table says about EventIdentification."""

from __future__ import annotations

from functools import cache

from reference_impl.audit.codes import groups
from reference_impl.audit.identifiers import DCM_NAMES
from reference_impl.audit.rules.collecting import Findings
from reference_impl.audit.rules.facts import Coded, Facts
from reference_impl.audit.tables import MessageTable, Row, by_event

_ACTIONS = {"C": "Create", "R": "Read", "U": "Update", "D": "Delete", "E": "Execute"}


def table_of(facts: Facts, findings: Findings) -> MessageTable | None:
    """The table that a message has to follow; None where EventID names no event of PS3.15.

    The code under another scheme's name is another event, unless it is evident that DICOM's is meant.
    """
    code = facts.event_id
    table = by_event().get(code.code) if code is not None else None
    if code is None or table is None:
        return None
    rule = f"{table.section}-event-id"
    if code.dcm:
        findings.told(rule)
        return table
    if not evidently_dcm(code, table.name):
        return None
    findings.add(
        rule,
        "shall",
        code.element,
        "codeSystemName" if code.system else "",
        expected=f"({code.code}, DCM)",
        found=str(code),
        text="EventID has the code of the event, and not its coding scheme DCM",
        remedy='Write codeSystemName="DCM".',
    )
    return table


def evidently_dcm(code: Coded, *meanings: str) -> bool:
    """Whether a code under another scheme's name is meant to be one of DCM: by that name, or by what it says it means.

    `meanings` are accepted beside the one that PS3.16 gives the code.
    """
    system = code.system.casefold()
    if system in {"", "dicom"} or any(name.casefold() in system for name in DCM_NAMES):
        return True
    known = {group.codes[code.code] for group in groups().values() if code.code in group.codes}
    return code.meaning.casefold() in {each.casefold() for each in (*known, *meanings)}


def check_event(facts: Facts, table: MessageTable, findings: Findings) -> None:
    """EventActionCode and EventTypeCode by the table."""
    event = table.part("event")
    action, types = event.row("EventActionCode"), event.row("EventTypeCode")
    if action is not None:
        _action(facts, action, findings)
    if types is not None and types.optionality == "M":
        _types(facts, types, findings)


def _action(facts: Facts, row: Row, findings: Findings) -> None:
    value = facts.of_event("EventActionCode")
    (rule,) = row.rules
    if value is None and row.optionality == "C":
        return  # the condition is not said
    findings.told(rule)
    if value in row.values:
        return
    expected = ", ".join(f"{each} ({_ACTIONS[each]})" for each in row.values)
    findings.add(
        rule,
        "shall",
        facts.root if facts.event is None else facts.event,
        "" if value is None else "EventActionCode",
        expected=expected,
        found=value or "",
        text="EventActionCode is missing" if value is None else "EventActionCode is another one than the table has",
        remedy=f"Write EventActionCode {' or '.join(row.values)}.",
    )


def _types(facts: Facts, row: Row, findings: Findings) -> None:
    (rule,) = row.rules
    findings.told(rule)
    wanted = row.codes or tuple(code for cid in row.groups for code in groups()[cid].codes)
    expected = " or ".join(f"({code}, DCM)" for code in row.codes) or f"a code of CID {row.groups[0]}"
    if any(code.dcm and code.code in wanted for code in facts.event_types):
        return
    place = facts.root if facts.event is None else facts.event
    if not facts.event_types:
        findings.add(
            rule,
            "shall",
            place,
            expected=expected,
            text="EventTypeCode is missing",
            remedy="Give EventTypeCode with a code of the table.",
        )
        return
    first = facts.event_types[0]
    if findings.has("A.5.2-codes-of-dcm") and first.dcm and first.code not in known_codes():
        return  # a placeholder is named by that rule
    misnamed = first.code in wanted and evidently_dcm(first)
    findings.add(
        rule,
        "shall" if misnamed or row.kind == "enumerated" else "open",
        first.element,
        expected=expected,
        found=str(first),
        text="EventTypeCode is none of those in the table"
        + ("" if misnamed or row.kind == "enumerated" else ", which may be extended"),
        remedy="Write a code of the table.",
    )


@cache
def known_codes() -> frozenset[str]:
    """All codes of DCM that audit messages are known to use."""
    return frozenset(code for group in groups().values() for code in group.codes)
