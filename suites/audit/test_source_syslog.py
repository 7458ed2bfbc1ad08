"""Audit sources: the syslog message around the audit message, RFC 5424 and what PS3.15 A.6, A.7 and IHE ITI-20 add."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness import Missing, NotApplicable, Requirement, expect, verifies
from reference_impl.audit.syslog.model import SECURITY
from suites.audit.ruling import MOST_PLACES, judge_rule, judged_automatically
from suites.audit.view import SEND, AuditSource, SeenMessage, evidence_of
from suites.wording import bounded, counted, in_a_row

pytest_plugins = ("suites.audit.fixtures",)

HOSTNAME = "RFC5424-6.2.4-source-same-hostname"
OF_PROFILES = tuple(
    f"{clause}-source-{rule}"
    for clause, rules in {
        "A.6": ("facility", "msgid", "msg-present"),
        "A.7": ("facility", "severity", "msgid", "msg-present"),
        "IHE-3.20.4.1.2": ("msgid", "no-bom"),
    }.items()
    for rule in rules
)
_SEVERITIES = frozenset({4, 5})


def by_examining() -> tuple[str, ...]:
    """The requirements that are rules of single syslog messages."""
    return (*judged_automatically("RFC5424-", but=(HOSTNAME,)), *OF_PROFILES)


def with_headers(source: AuditSource) -> tuple[SeenMessage, ...]:
    """The messages that have a syslog header. Raises `Missing` where none has."""
    found = tuple(each for each in source.messages if each.facts.header)
    if not found:
        raise Missing(
            f"the messages at {source.name} are XML files without syslog headers",
            "Let the source send to the harness, or hand over a capture of syslog messages or packets.",
            evidence_of(source.messages),
        )
    return found


@verifies(*by_examining())
def test_syslog_messages_are_as_described(source: AuditSource, requirement: Requirement) -> None:
    """RFC 5424 6; A.6, A.7: facility 10, MSGID set, MSG present; ITI-20: its MSGID, no BOM."""
    judge_rule(source, requirement, with_headers(source), lambda each: each.syslog(source.claim.profile))


@verifies(HOSTNAME)
def test_a_sender_keeps_its_hostname(source: AuditSource) -> None:
    """RFC 5424 6.2.4: SHOULD consistently use the same value. Names of hosts are alike in any case (RFC 4343).

    Who made a message is told by its AuditSourceID and the address that it came from, which may be that of a relay.
    """
    named: dict[tuple[str, str, str], dict[str, str]] = {}
    for each in with_headers(source):
        if each.hostname:
            sender = each.sender, each.codes.source, each.codes.site
            named.setdefault(sender, {}).setdefault(each.host, each.hostname)
    if not named:
        raise NotApplicable("no message has a HOSTNAME", evidence_of(source.messages))
    several = {sender: sorted(found.values()) for sender, found in named.items() if len(found) > 1 and any(sender)}
    expect(
        [f"{bounded(who[1] or who[0])}: {in_a_row(found)}" for who, found in several.items()],
        evidence=evidence_of(source.messages),
        what="senders with several host names",
    ).to_be_empty(expected="one HOSTNAME in all messages of a sender")


@verifies("IHE-3.20.4.1.2-source-facility")
def test_ihe_facility(source: AuditSource) -> None:
    """ITI-20: facility 10."""
    _expect_of_each(source, with_headers(source), _facility, expected="facility 10")


@verifies("IHE-3.20.4.1.2-source-severity")
def test_ihe_severity(source: AuditSource) -> None:
    """ITI-20: severity 5, or 4."""
    _expect_of_each(source, with_headers(source), _severity, expected="severity 5, or 4")


@verifies("IHE-3.20.4.1.2-source-no-structured-data")
def test_ihe_uses_no_structured_data(source: AuditSource) -> None:
    """ITI-20: STRUCTURED-DATA is not used."""
    _expect_of_each(source, with_headers(source), _structured_data, expected='STRUCTURED-DATA "-"')


@verifies("IHE-3.20.4.1.2-source-message-format")
def test_ihe_messages_follow_the_schema(source: AuditSource) -> None:
    """ITI-20: the schema of PS3.15 A.5.1, in which PurposeOfUse may stand beside what it has."""
    _expect_of_each(source, source.whole, _format, expected="XML that follows the schema of PS3.15 A.5.1")


Problem = Callable[[SeenMessage], str | None]
"""What is wrong with a message, in words; empty where nothing is, None where that cannot be told."""


def _expect_of_each(source: AuditSource, messages: Sequence[SeenMessage], problem: Problem, *, expected: str) -> None:
    """No message has the problem. Raises `Missing` where it cannot be told of any."""
    told = [(each, words) for each in messages if (words := problem(each)) is not None]
    if not told:
        raise Missing(f"of no message at {source.name} can that be told", SEND, evidence_of(messages))
    wrong = [(each, words) for each, words in told if words]
    shown = [f"{each}: {bounded(words)}" for each, words in wrong[:MOST_PLACES]]
    expect(
        shown or f"none, in {counted(len(told), 'message')}",
        evidence=evidence_of(each for each, _ in wrong or told),
        what="messages that are not so",
    ).to_hold(not wrong, expected=expected)


def _facility(message: SeenMessage) -> str | None:
    pri = message.parsed.pri if message.parsed else None
    return None if pri is None else "" if pri // 8 == SECURITY else f"facility {pri // 8}"


def _severity(message: SeenMessage) -> str | None:
    pri = message.parsed.pri if message.parsed else None
    return None if pri is None else "" if pri % 8 in _SEVERITIES else f"severity {pri % 8}"


def _structured_data(message: SeenMessage) -> str | None:
    found = message.parsed.message if message.parsed else None
    return None if found is None else in_a_row(element.name for element in found.structured_data)


def _format(message: SeenMessage) -> str | None:
    """What the schema says of a message without the element that IHE adds."""
    from reference_impl.audit.parsing import UnreadableMessageError, parse_xml
    from reference_impl.audit.schema import follows_schema

    if message.result.schema_valid:
        return ""
    try:
        root = parse_xml(message.body)
    except UnreadableMessageError as problem:
        return problem.text
    for event in root.findall("EventIdentification"):
        for added in event.findall("PurposeOfUse"):
            event.remove(added)
    if follows_schema(root):
        return ""
    return next((one.text for one in message.result.findings if one.text), "does not follow the schema")
