"""Advice on TLS servers is given on its occasions alone, and stays outside verdicts."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from fixtures.pki import Pki
from harness.catalogue import BUILT_IN
from harness.certificates import certificate_facts
from harness.judging import Observations
from harness.record.models import AdviceRecord, ClaimRecord, EndpointRecord
from suites.transport.advice import SERVER_PURPOSES, advise
from tests.unit.tls_observations import (
    NOW,
    TLS12,
    TLS13,
    accepted,
    alert,
    chain,
    changed,
    conforming,
    groups,
    hello,
    observations,
)

ENDPOINT = EndpointRecord(name="dimse", protocol="dicom-tls", host="127.0.0.1", port=2762)
CLAIMS = tuple(
    ClaimRecord(profile=profile, edition="2026c", role="tls-server", endpoint="dimse") for profile in ("B.12", "B.13")
)
WORDS = tomllib.loads((BUILT_IN / "transport" / "advice.toml").read_text(encoding="utf-8"))


def advice_on(facts: Mapping[str, Any], claims: tuple[ClaimRecord, ...] = CLAIMS) -> list[AdviceRecord]:
    return advise(ENDPOINT, claims, Observations.of(observations(facts), NOW))


def certificate(**facts: Any) -> dict[str, Any]:
    return {"tls.certificates": {"chains": (chain("rsa", **facts),)}}


def of_chain(**facts: Any) -> dict[str, Any]:
    return {"tls.certificates": {"chains": (chain("rsa") | facts,)}}


OCCASIONS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "expired": (certificate(not_after=NOW - timedelta(days=1)), {"certificate-expired"}),
    "expires soon": (certificate(not_after=NOW + timedelta(days=29)), {"certificate-expires-soon"}),
    "expires late enough": (certificate(not_after=NOW + timedelta(days=31)), set()),
    "not yet valid": (certificate(not_before=NOW + timedelta(days=1)), {"certificate-not-yet-valid"}),
    "other name": (of_chain(name_matches=False), {"certificate-name-mismatch"}),
    "no name asked for": (of_chain(name_matches=None), set()),
    "out of order": (of_chain(in_order=False), {"certificate-chain-order"}),
    "for clients only": (certificate(extended_key_usage=("clientAuth",)), {"certificate-purpose"}),
    "for anything": (certificate(extended_key_usage=None), set()),
    "renegotiation": ({"tls.renegotiation": {"secure_accepted": True}}, {"client-renegotiation"}),
    "DHE": (
        {"tls.cipher-suites": {"versions": {TLS12: accepted(0xC02F, 0x009E)}}},
        {"dhe-under-b13", "rfc10015-key-exchange"},
    ),
    "static RSA": ({"tls.cipher-suites": {"versions": {TLS12: accepted(0x009C)}}}, {"rfc10015-key-exchange"}),
    "no TLS 1.3": (
        {
            "tls.versions": {"reactions": {TLS13: alert(70)}, "all_offered": hello(TLS12)},
            "tls.cipher-suites": {"versions": {TLS13: accepted()}},
        },
        {"rfc9852-tls-1-3"},
    ),
    "heartbeat": ({"tls.extensions": {"heartbeat": True}}, {"heartbeat"}),
    "fallback overlooked": ({"tls.versions": {"fallback_scsv": hello(TLS12)}}, {"fallback-scsv"}),
    "fallback noticed": ({"tls.versions": {"fallback_scsv": alert(86)}}, set()),
    "no hybrid group": ({"tls.groups": {"versions": {TLS13: groups(0x1D, 0x17)}}}, {"no-post-quantum-group"}),
    "groups not all tried": ({"tls.groups": {"versions": {TLS13: groups(0x1D, complete=False)}}}, set()),
}


@pytest.mark.parametrize("occasion", OCCASIONS)
def test_advice_is_given_on_its_occasion_alone(occasion: str) -> None:
    changes, expected = OCCASIONS[occasion]
    given = advice_on(changed(conforming(), changes))
    assert {each.id for each in given} == expected
    assert len(given) == len(expected)  # once, however many claims are about the endpoint
    for each in given:
        assert each.text
        assert "{" not in each.text
        assert each.remedy


def test_every_piece_of_advice_has_an_occasion() -> None:
    told = {each for each in WORDS if not each.startswith("rfc9662")}  # of syslog receivers
    assert set().union(*(expected for _, expected in OCCASIONS.values())) == told


def test_a_conforming_server_and_an_unobserved_one_get_no_advice() -> None:
    assert advice_on(conforming()) == []
    assert advice_on(dict.fromkeys(conforming())) == []
    assert advice_on(conforming(), ()) == []


def test_dhe_is_advised_against_by_rfc_9325_only_where_no_verdict_says_so() -> None:
    facts = changed(conforming(), {"tls.cipher-suites": {"versions": {TLS12: accepted(0x009E)}}})
    assert {each.id for each in advice_on(facts, CLAIMS[:1])} == {"rfc10015-key-exchange"}


def test_a_real_server_certificate_has_a_purpose_that_advice_knows() -> None:
    """The names of purposes are one vocabulary, from the parser of certificates to the advice on them."""
    issued = Pki.create().issue("server").chain_der[0]
    assert SERVER_PURPOSES & set(certificate_facts(issued).extended_key_usage or ())
