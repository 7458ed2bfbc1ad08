"""Advice on audit trails is given on its occasions alone, and stays outside verdicts."""

from __future__ import annotations

import tomllib

import pytest

from harness.catalogue import BUILT_IN
from harness.judging import Observations
from harness.observations import Observation
from harness.record.models import AdviceRecord, EndpointRecord
from suites.audit.advice import advise
from tests.unit.audit_source_judging import DATAGRAMS, NOW, SECURE, TLS, UDP, body, came, claim, nothing, syslog

WORDS = tomllib.loads((BUILT_IN / "audit" / "advice.toml").read_text(encoding="utf-8"))
LOGIN = syslog(body("login"))
OTHER = b"<38>1 2026-05-04T12:00:00Z node sshd 4 - - session opened"


def advice(*given: Observation, profile: str = "A.6", endpoint: EndpointRecord = TLS) -> dict[str, AdviceRecord]:
    lookup = Observations.of(given, NOW)
    return {each.id: each for each in advise(endpoint, (claim(profile),), lookup)}


def over(**changes: object) -> Observation:
    return came(LOGIN, over=SECURE.model_copy(update=changes))


def test_there_is_nothing_to_advise_on_a_modern_source() -> None:
    assert advice(came(LOGIN)) == {}
    assert advice(over(asked=True, client_certificate="ab")) == {}
    assert advice() == {}


@pytest.mark.parametrize(
    ("rule", "observation", "told"),
    [
        ("audit-old-tls", over(version="TLSv1.1", suite="ECDHE-RSA-AES128-SHA"), "TLSv1.1"),
        ("audit-no-tls-1-3", over(version="TLSv1.2", suite="ECDHE-RSA-AES128-GCM-SHA256"), "TLS 1.2"),
        ("audit-static-rsa", over(version="TLSv1.3", suite="AES128-SHA"), "AES128-SHA"),
        ("audit-no-certificate", over(asked=True), "shows no certificate"),
        ("audit-other-messages", came(LOGIN, OTHER), "1 message"),
        ("audit-lost", came(LOGIN, subject="away-and-back", away=True, provoked=2), "1 event"),
    ],
)
def test_advice_is_given_on_its_occasion_alone(rule: str, observation: Observation, told: str) -> None:
    found = advice(came(LOGIN, subject="first"), observation)
    assert set(found) == {rule}
    given = found[rule]
    assert told in given.text
    assert "{detail}" not in given.text
    assert given.remedy == WORDS[rule]["remedy"]
    assert given.source


def test_over_udp_the_transport_and_what_it_cut_are_advised_on() -> None:
    found = advice(came(LOGIN, LOGIN[:600], over=DATAGRAMS), profile="A.7", endpoint=UDP)
    assert set(found) == {"audit-over-udp", "audit-cut-datagrams"}
    assert "2 messages" in found["audit-over-udp"].text
    assert "after 600 octets" in found["audit-cut-datagrams"].text


def test_what_was_not_observed_is_not_advised_on() -> None:
    assert advice(came(subject="away-and-back", away=True, provoked=2)) == {}
    assert advice(nothing()) == {}
    other = claim("A.6").model_copy(update={"role": "audit-repository"})
    assert advise(TLS, (other,), Observations.of([came(LOGIN)], NOW)) == []


def test_every_rule_has_its_words() -> None:
    assert set(WORDS) == {
        *("audit-old-tls", "audit-no-tls-1-3", "audit-static-rsa", "audit-no-certificate", "audit-over-udp"),
        *("audit-cut-datagrams", "audit-lost", "audit-other-messages"),
    }
