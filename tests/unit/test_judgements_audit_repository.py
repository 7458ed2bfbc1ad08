"""Judgements of audit repositories, from facts made by hand: what passes, what fails, what stays open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from inspect import signature

import pytest

from fixtures.audit_deliveries import DELIVERIES, Transport, compose, new_tokens
from harness.catalogue import load_catalogue
from harness.judging import Observations
from harness.judging.expect import recording
from harness.judging.findings import Case, Finding, finding_of
from harness.judging.lookup import HARNESS_ERROR, Endpoints
from harness.judging.outcomes import Outcome
from harness.observations import Observation
from harness.observations.audit import Delivered
from harness.record.models import ClaimRecord, EndpointRecord
from suites.audit.repository_view import AuditRepository
from suites.audit.test_repository import COMPANIONS, judged_by, rule_of
from tests.unit.signature_judging import judgements, observed, unobserved

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
TLS = EndpointRecord(name="arr", protocol="syslog-tls", host="127.0.0.1", port=6514)
UDP = TLS.model_copy(update={"protocol": "syslog-udp", "port": 514})
ENDPOINTS: dict[Transport, EndpointRecord] = {"tls": TLS, "udp": UDP}
PROFILES: dict[Transport, tuple[str, ...]] = {
    "tls": ("A.5", "A.6", "IHE-ATX-TLS-Syslog"),
    "udp": ("A.5", "A.7", "IHE-ATX-UDP-Syslog"),
}
GONE = "The repository took no plain message any more after PS315DX."


@cache
def lengths(transport: Transport) -> Mapping[str, tuple[int, int]]:
    """The longest message and the number of those that are asked about, of every delivery."""
    made = {}
    for name, each in DELIVERIES.items():
        if transport in each.transports and not each.intrusive:
            composed = compose(name, new_tokens(), transport)
            made[name] = composed.octets, len(composed.asked)
    return made


def facts(name: str, transport: Transport, **changes: object) -> Delivered:
    """What a repository that keeps everything shows of a delivery, but for `changes`."""
    delivery, (octets, number) = DELIVERIES[name], lengths(transport)[name]
    whole = delivery.wanted == "whole"
    given = {
        "case": name,
        "text": delivery.text,
        "rule": delivery.rule,
        "wanted": delivery.wanted,
        "transport": transport,
        "octets": octets,
        "sent": number,
        "arrivals": ("whole",) * number,
        "follower": "" if whole else "whole",
        "told_by": "file",
        "as_received": True,
        "answered_close": True if transport == "tls" else None,
        "exchange": f"arr.objects-{name}",
        **changes,
    }
    return Delivered.model_validate(given)


def everything(transport: Transport = "tls") -> list[Observation]:
    """Every delivery, at a repository that keeps everything."""
    return [seen(facts(name, transport), transport) for name in lengths(transport)]


def seen(delivered: Delivered, transport: Transport = "tls") -> Observation:
    return observed(delivered, ENDPOINTS[transport], delivered.case)


def but(transport: Transport, changes: Mapping[str, Mapping[str, object]]) -> list[Observation]:
    """Every delivery, those named in `changes` with other facts."""
    assert set(changes) <= set(lengths(transport))
    return [seen(facts(name, transport, **changes.get(name, {})), transport) for name in lengths(transport)]


def arrivals(name: str, arrival: str, transport: Transport = "tls", **more: object) -> dict[str, object]:
    return {"arrivals": (arrival,) * lengths(transport)[name][1], **more}


def verdicts(observations: Iterable[Observation], profile: str, transport: Transport = "tls") -> dict[str, Finding]:
    """What is found, by requirement, where `profile` is claimed."""
    edition = "ITI-20.0" if profile.startswith("IHE") else "2026c"
    endpoint = ENDPOINTS[transport]
    of = ClaimRecord(profile=profile, edition=edition, role="audit-repository", endpoint=endpoint.name)
    given, found = tuple(observations), {}
    for requirement in load_catalogue().select(profile, edition, of.role, endpoint.protocol):
        if requirement.judged != "automatically":
            continue
        lookup = Observations({}, NOW)
        lookup.take(given)
        case = Case(of, requirement, Endpoints(endpoint))
        (function,) = judgements("audit")[requirement.id]
        sides: dict[str, Callable[[], object]] = {
            "repository": lambda: AuditRepository(lookup, case.endpoints, of),  # noqa: B023 - called at once
            "requirement": lambda: requirement,  # noqa: B023
        }
        raised: Outcome | None = None
        with recording() as ledger:
            try:
                function(**{name: sides[name]() for name in signature(function).parameters})
            except Outcome as outcome:
                raised = outcome
        found[requirement.id] = finding_of(case, raised, ledger, lookup.consulted)
    return found


def others(found: Mapping[str, Finding]) -> dict[str, str]:
    """What is no pass."""
    return {name: str(one.kind) for name, one in found.items() if str(one.kind) != "pass"}


@pytest.mark.parametrize("transport", ["tls", "udp"])
def test_a_repository_that_keeps_everything_passes(transport: Transport) -> None:
    for profile in PROFILES[transport]:
        found = verdicts(everything(transport), profile, transport)
        assert others(found) == {}
        assert found


@pytest.mark.parametrize("requirement", [*judged_by(), *judged_by("keeps-unicode", "answers-close-notify")])
def test_every_requirement_can_be_broken_and_told(requirement: str) -> None:
    rule = rule_of(requirement)
    profile = load_catalogue()[requirement].applies[0].profile
    chosen: Transport = "udp" if profile in {"A.7", "IHE-ATX-UDP-Syslog"} else "tls"
    changes: dict[str, dict[str, object]] = {}
    for name in lengths(chosen):
        delivery = DELIVERIES[name]
        if rule == "answers-close-notify":
            changes[name] = {"answered_close": False}
        elif rule == "keeps-unicode" and delivery.rule == "unicode":
            changes[name] = arrivals(name, "altered", chosen)
        elif delivery.rule == rule:
            lost = arrivals(name, "absent", chosen)
            changes[name] = (
                {**lost, "follower": "whole"} if delivery.wanted == "whole" else {**lost, "follower": "absent"}
            )
    if rule == "audit-messages":
        changes["control/plain"] = {}
    found = verdicts(but(chosen, changes), profile, chosen)
    wanted = {"shall": "fail", "should": "warning"}[load_catalogue()[requirement].level]
    assert others(found)[requirement] == wanted
    about_it = {rule, "keeps-unicode"} if rule == "unicode" else {rule}
    assert {rule_of(name) for name in others(found)} == about_it, "nothing else turns"
    assert found[requirement].observed


def test_a_limit_breaks_what_is_about_sizes_and_nothing_else() -> None:
    def limited(name: str, octets: int) -> dict[str, object]:
        delivery = DELIVERIES[name]
        follower = "whole" if delivery.wanted != "whole" or octets > 8000 else ""
        return {} if octets <= 8000 else arrivals(name, "cut", follower=follower)

    changes = {name: limited(name, octets) for name, (octets, _) in lengths("tls").items()}
    assert others(verdicts(but("tls", changes), "A.6")) == {
        "A.6-repository-32768-octets": "fail",
        "RFC5425-4.3.1-repository-8192-octets": "warning",
    }


def test_what_is_longer_than_has_to_be_taken_may_be_cut_or_lost_but_not_altered() -> None:
    for arrival, wanted in (
        ("cut", {}),
        ("absent", {}),
        ("altered", {"RFC5424-6.1-repository-truncates-at-the-end": "fail"}),
    ):
        changes = {name: arrivals(name, arrival) for name in ("size/65536", "size/131072", "size/1-mebioctet")}
        assert others(verdicts(but("tls", changes), "A.6")) == wanted


def test_over_udp_2048_octets_are_recommended_and_480_demanded() -> None:
    def limited(most: int) -> dict[str, dict[str, object]]:
        return {
            name: {} if octets <= most else arrivals(name, "absent", "udp", follower="whole")
            for name, (octets, _) in lengths("udp").items()
        }

    assert others(verdicts(but("udp", limited(1500)), "A.7", "udp")) == {
        "RFC5426-3.2-repository-2048-octets": "warning"
    }


def test_where_no_plain_message_arrives_nothing_is_judged() -> None:
    changes = {
        name: {"skipped": "No plain message arrived, so that others tell nothing: no file.", "arrivals": ()}
        for name in lengths("tls")
    }
    found = verdicts(but("tls", changes), "A.6")
    assert set(others(found).values()) == {"inconclusive"}
    assert len(others(found)) == len(found)
    nothing = {name: arrivals(name, "absent", follower="absent") for name in lengths("tls")}
    found = verdicts(but("tls", nothing), "A.6")
    assert set(others(found).values()) == {"inconclusive"}
    assert len(others(found)) == len(found)


def test_without_the_controls_what_followed_tells_that_messages_are_taken() -> None:
    some = [each for each in everything() if each.subject.startswith("framing/")]
    found = verdicts(some, "A.6")
    assert str(found["A.6-repository-broken-frames"].kind) == "pass"
    assert str(found["A.6-repository-audit-messages"].kind) == "inconclusive"


def test_what_was_not_made_because_the_repository_was_gone_is_open() -> None:
    changes: dict[str, dict[str, object]] = {
        name: {"skipped": GONE, "arrivals": ()} for name in lengths("tls") if name.startswith("senders/")
    }
    changes["framing/nul"] = {"follower": "absent"}
    assert others(verdicts(but("tls", changes), "A.6")) == {
        "A.6-repository-broken-frames": "fail",
        "A.6-repository-many-senders": "inconclusive",
    }


def test_other_facilities_that_do_not_arrive_are_for_a_person_to_judge_under_a_7() -> None:
    changes = {name: arrivals(name, "absent", "udp") for name in ("pri/all", "pri/other-facilities", "pri/192")}
    assert others(verdicts(but("udp", changes), "A.7", "udp")) == {"A.7-repository-any-pri": "inconclusive"}
    malformed = {name: arrivals(name, "absent", "udp") for name in ("pri/192", "pri/999", "pri/words")}
    assert others(verdicts(but("udp", malformed), "A.7", "udp")) == {}
    changes = {name: arrivals(name, "absent") for name in ("pri/all", "pri/other-facilities")}
    assert others(verdicts(but("tls", changes), "A.6")) == {}


def test_old_messages_that_are_not_kept_tell_nothing_about_leap_seconds() -> None:
    lost = arrivals("time/leap-second", "absent", follower="whole")
    name = "A.5.2.5-repository-leap-seconds"
    assert others(verdicts(but("tls", {"time/leap-second": lost}), "A.6")) == {name: "fail"}
    old = arrivals("time/old", "absent")
    assert others(verdicts(but("tls", {"time/leap-second": lost, "time/old": old}), "A.6")) == {name: "inconclusive"}


def test_a_short_message_about_an_event_of_nobody_else_tells_nothing_about_lengths() -> None:
    short = arrivals("size/480", "absent", follower="whole")
    assert others(verdicts(but("tls", {"size/480": short}), "A.6")) == {"RFC5424-6.1-repository-480-octets": "fail"}
    own = arrivals("extension/own-event", "absent", follower="whole")
    assert others(verdicts(but("tls", {"size/480": short, "extension/own-event": own}), "A.6")) == {
        "RFC5424-6.1-repository-480-octets": "inconclusive",
        "A.6-repository-extensions": "fail",
    }


def test_a_reading_of_some_columns_does_not_tell_what_was_cut() -> None:
    columns: dict[str, dict[str, object]] = {name: {"as_received": False} for name in lengths("tls")}
    for name in lengths("tls"):
        if name in {"kind/query", "kind/export", "kind/order-record"} or lengths("tls")[name][0] >= 4096:
            columns[name] = arrivals(name, "cut", as_received=False)
    unseen = {name: arrivals(name, "cut", as_received=False) for name in lengths("tls") if name.startswith("kind/")}
    found = others(verdicts(but("tls", columns | unseen), "A.6"))
    assert set(found.values()) == {"inconclusive"}
    assert {"A.6-repository-audit-messages", "A.6-repository-32768-octets"} <= found.keys()
    told = others(verdicts(but("tls", columns), "A.6"))
    assert told["A.6-repository-audit-messages"] == told["A.6-repository-32768-octets"] == "fail"


def test_every_rule_is_judged_and_every_requirement_has_its_deliveries() -> None:
    rules = {each.rule for each in DELIVERIES.values()}
    judged = {rule_of(name) for name in judged_by()}
    assert rules - judged == {DELIVERIES[each].rule for each in COMPANIONS.values()} - judged
    assert judged <= rules
    for name in judged_by():
        for of in load_catalogue()[name].applies:
            if of.profile == "A.5":
                continue
            transport = "udp" if of.profile in {"A.7", "IHE-ATX-UDP-Syslog"} else "tls"
            made = [one for one in DELIVERIES.values() if one.rule == rule_of(name) and transport in one.transports]
            assert made, f"{name} is judged by nothing under {of.profile}"


def test_altered_characters_are_a_warning_and_a_failure_under_ihe() -> None:
    changes = {"text/basic-plane": arrivals("text/basic-plane", "altered")}
    assert others(verdicts(but("tls", changes), "A.6")) == {"A.6-repository-keeps-unicode": "warning"}
    assert others(verdicts(but("tls", changes), "IHE-ATX-TLS-Syslog")) == {
        "IHE-3.20.4.1.3-repository-keeps-unicode": "fail"
    }


def test_without_a_reading_of_what_was_received_changes_of_characters_stay_open() -> None:
    changes = {name: {"as_received": False} for name in lengths("tls")}
    assert others(verdicts(but("tls", changes), "A.6")) == {"A.6-repository-keeps-unicode": "inconclusive"}


def test_one_answer_to_close_notify_is_enough_and_none_known_is_open() -> None:
    name = "RFC5425-4.4-repository-answers-close-notify"
    changes: dict[str, dict[str, object]] = {each: {"answered_close": False} for each in lengths("tls")}
    changes["control/plain"] = {}
    assert others(verdicts(but("tls", changes), "A.6")) == {}
    changes = {each: {"answered_close": None} for each in lengths("tls")}
    assert others(verdicts(but("tls", changes), "A.6")) == {name: "inconclusive"}


def test_what_is_not_told_is_open() -> None:
    changes = {"time/leap-second": arrivals("time/leap-second", "", detail="the database cannot be asked")}
    found = verdicts(but("tls", changes), "A.6")
    assert others(found) == {"A.5.2.5-repository-leap-seconds": "inconclusive"}
    assert "the database cannot be asked" in found["A.5.2.5-repository-leap-seconds"].reason


def test_a_truncated_datagram_should_be_taken_under_ihe_alone() -> None:
    changes = {"datagram/truncated": arrivals("datagram/truncated", "absent", "udp")}
    assert others(verdicts(but("udp", changes), "A.7", "udp")) == {}
    assert others(verdicts(but("udp", changes), "IHE-ATX-UDP-Syslog", "udp")) == {
        "IHE-3.20.4.1.3-repository-truncated-datagrams": "warning"
    }


def test_an_error_of_the_harness_is_none_of_the_repository() -> None:
    seen_all = [each for each in everything() if each.subject != "time/leap-second"]
    missing = unobserved(TLS, Delivered, "time/leap-second", f"{HARNESS_ERROR}ValueError: x")
    with pytest.raises(Exception, match="ValueError: x"):
        verdicts([*seen_all, missing], "A.6")


def test_nothing_observed_is_inconclusive() -> None:
    found = verdicts([], "A.6")
    assert set(others(found).values()) == {"inconclusive"}
    assert len(others(found)) == len(found) > 20
