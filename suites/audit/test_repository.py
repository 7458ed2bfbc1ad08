"""Repositories: PS3.15 A.5, A.6 and A.7, RFC 5424 to 5426 and IHE's ATX options, by what was delivered to them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness import ClaimRecord, Endpoints, Missing, Observations, Requirement, expect, verifies
from harness.catalogue import load_catalogue
from suites.audit.repository_view import DELIVER, AuditRepository, SeenDelivery, bounded, evidence_of

MARK = "-repository-"
ROLE = "audit-repository"
SIZES = frozenset({"480-octets", "2048-octets", "8192-octets", "32768-octets"})
"""Rules about how long messages may be: here a message that is cut, or lost, has broken the rule."""
AS_SENT = SIZES | {"octet-counting"}
"""Rules under which nothing but what was sent has to have arrived."""
OPEN = frozenset({"A.7-repository-any-pri"})
"""Requirements under which a message that does not arrive is for a person to judge: "appropriately" says not how."""
BEGUN = frozenset({"truncated-datagrams"})
"""Rules under which a message has to have arrived from its beginning on."""
COMPANIONS = {"leap-seconds": "time/old", "480-octets": "extension/own-event"}
"""Rules whose messages have something in common, beside what they are about, with another delivery: where that does not
arrive either, that is why."""
KEEPS_UNICODE, UNICODE, CLOSE_NOTIFY = "keeps-unicode", "unicode", "answers-close-notify"
_SPECIAL = frozenset({KEEPS_UNICODE, CLOSE_NOTIFY})
_MOST = 5


@pytest.fixture
def repository(observations: Observations, endpoints: Endpoints, claim: ClaimRecord) -> AuditRepository:
    """The repository of the claim that is judged."""
    return AuditRepository(observations, endpoints, claim)


def rule_of(requirement: str) -> str:
    """The rule of deliveries that judges `requirement`."""
    return requirement.partition(MARK)[2]


def judged_by(*rules: str) -> tuple[str, ...]:
    """The requirements that deliveries of `rules` judge; without any all but those that are judged apart."""
    own = (
        each for each in load_catalogue() if each.role == ROLE and each.judged == "automatically" and MARK in each.id
    )
    return tuple(each.id for each in own if (rule_of(each.id) in rules if rules else rule_of(each.id) not in _SPECIAL))


@verifies(*judged_by())
def test_messages_arrive_and_harm_no_others(repository: AuditRepository, requirement: Requirement) -> None:
    """What has to arrive does, and whatever is sent, plain messages of others still get through."""
    rule = rule_of(requirement.id)
    deliveries = repository.of_rule(rule)
    broken = [each for each in deliveries if is_broken(repository, each, rule)]
    if broken and rule in COMPANIONS:
        _companion_arrives(repository, COMPANIONS[rule], broken)
    if not broken:
        _everything_is_known(repository, deliveries, requirement.id)
    expect(
        [each.said for each in broken[:_MOST]] + _more(broken),
        evidence=evidence_of(broken or deliveries),
        what=f"deliveries that went wrong, of {len(deliveries)}",
    ).to_be_empty(expected=expected_of(deliveries, rule))


def _companion_arrives(repository: AuditRepository, case: str, broken: Sequence[SeenDelivery]) -> None:
    """Raise `Missing` unless the delivery `case` arrived, which differs from what did not in what it is about alone."""
    companion = repository.of_case(case)
    if not companion.whole:
        raise Missing(
            f"{broken[0].said}, and {companion.said}, so that something else may be the reason",
            "Let the repository keep messages of any age and about any event, and run again.",
            evidence_of([*broken, companion]),
        )


def is_broken(repository: AuditRepository, delivery: SeenDelivery, rule: str) -> bool:
    """Whether a delivery went as no permitted reaction explains."""
    if delivery.others_arrive is False:
        return True
    if not delivery.facts.arrivals:
        return False
    match delivery.facts.wanted:
        case "whole-or-cut":
            return delivery.number("altered") > 0
        case "either":
            return rule in BEGUN and delivery.number("absent", "altered") > 0
    if rule not in SIZES and repository.beyond_its_limit(delivery):
        return False
    if delivery.number("absent") or (delivery.number("cut") and repository.shows_ends):
        return True
    return rule in AS_SENT and delivery.number("altered") > 0


def _everything_is_known(repository: AuditRepository, deliveries: Sequence[SeenDelivery], requirement: str) -> None:
    """Raise `Missing` where something about the deliveries is not known that the verdict depends on."""
    for each in deliveries:
        if not each.told or (each.facts.wanted != "whole" and each.others_arrive is None):
            why = bounded(each.facts.refused or each.facts.detail or "nothing told it")
            raise Missing(f"what became of {each} is not known: {why}", DELIVER, evidence_of([each]))
    cut = [each for each in deliveries if each.number("cut") and each.facts.wanted == "whole"]
    if cut and not repository.shows_ends:
        raise Missing(
            f"of {cut[0]} the end was not found, and what tells arrival may not show that at all",
            "Name a reading that shows messages whole, their objects included.",
            evidence_of(cut),
        )
    if requirement in OPEN and (lost := [each for each in deliveries if each.number("absent") and not malformed(each)]):
        raise Missing(
            f"{lost[0].said}: whether such messages are dealt with appropriately is not for a program to say",
            "See what the repository does with messages of other facilities.",
            evidence_of(lost),
        )
    if rule_of(requirement) not in SIZES and all(each.facts.wanted == "whole" for each in deliveries):
        telling = [each for each in deliveries if not repository.beyond_its_limit(each) or each.number("whole")]
        if not telling:
            raise Missing(
                f"{deliveries[0]} is longer than any message that arrived whole ({repository.longest_whole} octets)",
                "Let the repository take longer messages, and run again.",
                evidence_of(deliveries),
            )


def malformed(delivery: SeenDelivery) -> bool:
    """Whether a delivery of other PRI values is about such that RFC 5424 does not have."""
    return len(delivery.facts.arrivals) == 1


def expected_of(deliveries: Sequence[SeenDelivery], rule: str) -> tuple[str, ...]:
    """What is expected of the messages of a rule, in words."""
    wanted = {each.facts.wanted for each in deliveries}
    if rule in BEGUN:
        return ("messages arrive as far as they were sent",)
    words = []
    if "whole" in wanted:
        words.append("messages arrive whole" if rule in AS_SENT else "messages arrive")
    if "whole-or-cut" in wanted:
        words.append("messages arrive whole, cut at their end, or not at all, and a plain one afterwards")
    if "either" in wanted:
        words.append("a plain message arrives afterwards")
    return tuple(words)


def _more(broken: Sequence[SeenDelivery]) -> list[str]:
    return [f"and {len(broken) - _MOST} more"] if len(broken) > _MOST else []


@verifies(*judged_by(KEEPS_UNICODE))
def test_characters_are_kept(repository: AuditRepository) -> None:
    """Text beyond ASCII is kept as it was sent; that shows where messages are shown as they were received."""
    arrived = [each for each in repository.of_rule(UNICODE) if each.told and each.number("whole", "altered")]
    if not arrived:
        raise Missing("no message with text beyond ASCII arrived", DELIVER, evidence_of(repository.of_rule(UNICODE)))
    deliveries = [each for each in arrived if each.facts.as_received]
    if not deliveries:
        raise Missing(
            "what tells arrival does not show messages as they were received, so that changes do not show",
            "Name a reading that shows messages octet for octet.",
            evidence_of(arrived),
        )
    altered = [each for each in deliveries if each.number("altered")]
    expect(
        [each.said for each in altered[:_MOST]] + _more(altered),
        evidence=evidence_of(altered or deliveries),
        what=f"messages whose characters were changed, of {len(deliveries)}",
    ).to_be_empty(expected="characters as they were sent")


@verifies(*judged_by(CLOSE_NOTIFY))
def test_close_notify_is_answered(repository: AuditRepository) -> None:
    """RFC 5425 4.4: MUST reply with a close_notify, unless it knows that the connection is closed already."""
    closed = [
        each for each in repository.made if each.facts.wanted == "whole" and each.facts.answered_close is not None
    ]
    if not closed:
        raise Missing("of no connection it was told how the repository ended it", DELIVER)
    answered = [each for each in closed if each.facts.answered_close]
    expect(
        "close_notify" if answered else "no close_notify",
        evidence=evidence_of(answered or closed),
        what=f"answer to close_notify, of {len(closed)} deliveries",
    ).to_be("close_notify")
