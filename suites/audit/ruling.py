"""Holding all messages of a source against one rule: what was found in each, taken together into one verdict."""

from __future__ import annotations

from collections.abc import Sequence

from harness import Missing, NotApplicable, Requirement, expect
from harness.catalogue import load_catalogue
from reference_impl.audit.events import events
from reference_impl.audit.findings import Finding
from suites.audit.view import AuditSource, Reading, SeenMessage, done, evidence_of
from suites.wording import bounded, counted, in_a_row

ROLE = "audit-source"
MOST_PLACES = 20
_BREAKS = frozenset({"shall", "should"})

Place = tuple[SeenMessage, Finding]


def judged_automatically(*prefixes: str, but: Sequence[str] = ()) -> tuple[str, ...]:
    """The requirements of sources whose ids begin with one of `prefixes` and that are judged automatically."""
    return tuple(
        each.id
        for each in load_catalogue()
        if each.role == ROLE
        and each.judged == "automatically"
        and each.id.startswith(prefixes)
        and each.id not in but
        and not each.vendor_suite
    )


def judge_rule(
    source: AuditSource, requirement: Requirement, messages: Sequence[SeenMessage], reading: Reading, section: str = ""
) -> None:
    """Every message for which the rule of `requirement` can be told keeps it.

    Several that are broken alike make one deviation. What nobody can tell, and what could be told of no message,
    raises `Missing`; that no message is of a kind for which the rule stands makes it not applicable.
    """
    rule = requirement.id
    broken: list[Place] = []
    unclear: list[Place] = []
    told: list[SeenMessage] = []
    for message in messages:
        findings, checked = reading(message)
        mine = [each for each in findings if each.rule == rule]
        broken += [(message, each) for each in mine if each.level in _BREAKS]
        unclear += [(message, each) for each in mine if each.level == "open"]
        if rule in checked or mine:
            told.append(message)
    if broken:
        expect(
            _places(broken), evidence=evidence_of(message for message, _ in broken), what=_what(requirement)
        ).to_be_empty(expected=_expected(broken, requirement), remedy=_remedy(broken, requirement))
    if unclear:
        message, finding = unclear[0]
        more = f" (and {len(unclear) - 1} more)" if len(unclear) > 1 else ""
        raise Missing(
            f"{message}: {bounded(finding.text or finding.found)}{more}; nobody but its maker can tell",
            finding.remedy or requirement.remedy,
            evidence_of(message for message, _ in unclear),
        )
    if not told:
        _nothing_told(source, requirement, messages, section)
    expect(
        f"none, in {counted(len(told), 'message')}", evidence=evidence_of(told[:MOST_PLACES]), what=_what(requirement)
    ).to_hold(True, expected="none")


def _nothing_told(source: AuditSource, requirement: Requirement, messages: Sequence[SeenMessage], section: str) -> None:
    """Raise what is to be said where the rule stood for no message."""
    evidence = evidence_of(messages[:MOST_PLACES])
    if section:
        awaited = [(event, step) for event, step in source.unreported if event.section == section]
        if awaited:
            event, step = awaited[0]
            raise Missing(
                f"no message reports that {event.text}; what was done: {done(step)}",
                f"See why the source does not report {event.name}, or take it out of the events that it claims.",
                evidence,
            )
    illegible = [each for each in messages if not _is_legible(each, requirement)]
    if illegible:
        raise Missing(f"{illegible[0]} cannot be read, and no other message tells", requirement.remedy, evidence)
    if section and not any(each.result.section == section for each in messages):
        raise NotApplicable(f"none of {counted(len(messages), 'message')} is one of {section}", evidence)
    condition = requirement.condition or "it stands for what no message holds"
    raise NotApplicable(f"{condition.rstrip('.')}: in none of {counted(len(messages), 'message')}", evidence)


def _is_legible(message: SeenMessage, requirement: Requirement) -> bool:
    """Whether the part of a message that a rule is about, header or audit message, can be read at all."""
    if requirement.id.startswith("A.5"):
        return message.result.schema_valid is not None
    return message.parsed is not None and message.parsed.message is not None


def _places(found: Sequence[Place]) -> list[str]:
    """Where something was found, with what is there; the first of them."""
    words = [_in_words(message, finding) for message, finding in found[:MOST_PLACES]]
    return [*words, f"and {len(found) - MOST_PLACES} more"] if len(found) > MOST_PLACES else words


def _in_words(message: SeenMessage, finding: Finding) -> str:
    place = f" {bounded(finding.place)}" if finding.place else ""
    line = f" line {finding.line}" if finding.line else ""
    text = bounded(finding.text, 200).rstrip(".")
    found = f" ({bounded(finding.found, 80)})" if finding.found and finding.found not in finding.text else ""
    return f"{message}{place}{line}: {text or 'is not right'}{found}"


def _what(requirement: Requirement) -> str:
    return (
        "places in messages that break this" if requirement.level == "shall" else "places that are not as they should"
    )


def _expected(found: Sequence[Place], requirement: Requirement) -> list[str]:
    """What should be there: as the findings say, the first few; else the requirement's own words."""
    said = dict.fromkeys(bounded(finding.expected, 200) for _, finding in found if finding.expected)
    return list(said)[:3] or [requirement.title]


def _remedy(found: Sequence[Place], requirement: Requirement) -> str:
    said = dict.fromkeys(finding.remedy for _, finding in found if finding.remedy)
    return bounded(next(iter(said)), 300) if len(said) == 1 else requirement.remedy


def section_of(requirement: Requirement) -> str:
    """The section of A.5.3 whose messages a requirement is about, empty for one about every message."""
    sections = {each.section for each in events().values()}
    cited = [each.section for each in requirement.sources if each.document == "PS3.15"]
    found = [section for section in sorted(sections, key=len) for name in cited if name == section]
    return found[-1] if len(set(found)) == 1 else ""


__all__ = ["MOST_PLACES", "ROLE", "in_a_row", "judge_rule", "judged_automatically", "section_of"]
