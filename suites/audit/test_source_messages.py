"""Audit sources: the format of messages, PS3.15 A.5. Each message is validated; here all of them are taken together."""

from __future__ import annotations

from collections.abc import Iterator

from harness import Missing, NotApplicable, Requirement, expect, verifies
from suites.audit.ruling import judge_rule, judged_automatically, section_of
from suites.audit.view import SEND, AuditSource, SeenMessage, Told, done, evidence_of, plain_place
from suites.wording import bounded, counted, listed

pytest_plugins = ("suites.audit.fixtures",)

CLAIMED = "A.5-events-claimed"
IDENTITY = "A.5.2-same-audit-source"
ACCESS_POINT = "A.5.2.4-constant-network-access-point"


def by_validation() -> tuple[str, ...]:
    """The requirements that are rules of the validator."""
    return judged_automatically("A.5", but=(CLAIMED, IDENTITY, ACCESS_POINT))


def validated(message: SeenMessage) -> Told:
    """What the validator says of a message."""
    return message.result.findings, message.result.checked


@verifies(*by_validation())
def test_messages_keep_their_format(source: AuditSource, requirement: Requirement) -> None:
    """A.5.1 to A.5.3: what is sent has to be right; nobody has to send it."""
    judge_rule(source, requirement, source.whole, validated, section_of(requirement))


@verifies(CLAIMED)
def test_claimed_events_are_reported(source: AuditSource) -> None:
    """A.5: the events that can be reported are described. None is a duty: what never came is open, not failed."""
    claimed = source.claimed_events
    if not claimed:
        raise NotApplicable(f"the SUT file claims no event at {source.name}")
    missing = source.unreported
    if missing:
        named = listed((f"{event.name} (what was done: {done(step)})" for event, step in missing), 20)
        raise Missing(
            f"{len(missing)} of {counted(len(claimed), 'claimed event')} never came: {'; '.join(named)}",
            "See whether the source is configured to report these events, and whether its driver brings them about; or "
            "whether it reports late: then let settle be longer.",
            evidence_of(each for each in source.everything),
        )
    expect(f"all of {counted(len(claimed), 'event')}", evidence=evidence_of(source.messages)).to_hold(
        True, expected="every claimed event is reported"
    )


@verifies(IDENTITY)
def test_a_source_keeps_its_identity(source: AuditSource) -> None:
    """A.5.2: AuditSourceID identifies the system that made the message; one application has one, at one site."""
    named: dict[tuple[str, str, str], set[tuple[str, str]]] = {}
    for each in source.messages:
        if each.codes.source:
            key = each.sender, each.host, each.app_name
            named.setdefault(key, set()).add((each.codes.source, each.codes.site))
    if not named:
        raise Missing(f"no message at {source.name} holds an AuditSourceID", SEND, evidence_of(source.messages))
    several = {key: found for key, found in named.items() if len(found) > 1 and any(key)}
    expect(
        [f"{_who(key)}: {', '.join(listed(map(_identity, sorted(found))))}" for key, found in several.items()],
        evidence=evidence_of(source.messages),
        what="senders with several identities",
    ).to_be_empty(expected="one AuditSourceID, and one AuditEnterpriseSiteID, in all messages of a sender")


@verifies(ACCESS_POINT)
def test_a_node_keeps_its_access_point(source: AuditSource) -> None:
    """A.5.2.4: the name or address by which a node is identified is the same in all of its messages."""
    applications = {(_node(each), user) for each in source.messages for user, _ in each.codes.applications}
    if not applications:
        raise NotApplicable(
            f"no message at {source.name} names the network access point of the application itself (role 110150)",
            evidence_of(source.messages),
        )
    named: dict[tuple[object, str], dict[str, str]] = {}
    for each in source.messages:
        for user, where in _places(each):
            if (_node(each), user) in applications:
                named.setdefault((_node(each), user), {}).setdefault(plain_place(where), where)
    several = {user: sorted(found.values()) for (_, user), found in named.items() if len(found) > 1}
    expect(
        [f"{bounded(user)}: {', '.join(listed(found))}" for user, found in several.items()],
        evidence=evidence_of(source.messages),
        what="applications with several network access points",
    ).to_be_empty(expected="the same NetworkAccessPointID in all messages of a node")


def _places(message: SeenMessage) -> Iterator[tuple[str, str]]:
    """Where a message says that its participants are.

    A UserID that stands at several places may be that of like programs on several nodes (a process number, the name of
    a service): then it counts where it is the application itself, if that is told.
    """
    for user in dict.fromkeys(user for user, _ in message.codes.participants):
        places = {plain_place(where): where for name, where in message.codes.participants if name == user}
        own = [where for name, where in message.codes.applications if name == user]
        for where in own or (places.values() if len(places) == 1 else ()):
            yield user, where


def _node(message: SeenMessage) -> tuple[str, ...]:
    """What tells the node of a message from others, whose messages may lie in the same folder."""
    return message.codes.source, message.codes.site, message.sender, message.host


def _who(key: tuple[str, str, str]) -> str:
    sender, host, application = map(bounded, key)
    return " ".join(filter(None, (application, f"at {host or sender}" if host or sender else "")))


def _identity(of: tuple[str, str]) -> str:
    source, site = map(bounded, of)
    return f"{source} at {site}" if site else source
