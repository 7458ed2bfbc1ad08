"""Servers that show less, or less consistently, than they could: what is not shown is not failed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.test_judgements import Verdicts, spoilt, verdicts
from tests.unit.tls_observations import TLS12, TLS13, alert, chain, conforming, hello

HANDSHAKE_FAILURE, PROTOCOL_VERSION = 40, 70


def only_tls_1_3_with_an_ecdsa_certificate(answer: dict[str, Any]) -> dict[str, Any]:
    facts = spoilt({"tls.versions": {"reactions": {TLS12: answer}}})
    facts["tls.cipher-suites"] = {"versions": {TLS13: conforming()["tls.cipher-suites"]["versions"][TLS13]}}
    facts["tls.certificates"] = {"chains": (chain("ec") | {"presented_in": (TLS13,)},), "rsa_refused": True}
    return facts


def by_authentication(judged: Verdicts, kind: str) -> set[str]:
    return {verdict for key, verdict in judged.items() if key.startswith(f"B.13 B.13-tls-1.2-ecdhe-{kind}-")}


def test_suites_of_a_certificate_that_is_not_installed_are_not_failed_with_tls_1_2() -> None:
    """A server whose only TLS 1.2 suites need an RSA certificate, given an ECDSA one, finds nothing in common."""
    judged = verdicts(only_tls_1_3_with_an_ecdsa_certificate(alert(HANDSHAKE_FAILURE)))
    assert judged["B.13 B.13-server-supports-tls-1.2"] == "fail"
    assert by_authentication(judged, "rsa") == {"inconclusive"}
    assert by_authentication(judged, "ecdsa") == {"fail"}


@pytest.mark.parametrize("answer", [alert(PROTOCOL_VERSION), {"kind": "server_hello", "version": 0x0301}])
def test_suites_of_a_version_that_is_not_there_are_failed_whatever_the_certificate(answer: dict[str, Any]) -> None:
    judged = verdicts(only_tls_1_3_with_an_ecdsa_certificate(answer))
    assert by_authentication(judged, "rsa") | by_authentication(judged, "ecdsa") == {"fail"}


@pytest.mark.parametrize(("tail", "verdict"), [("0011223344556677", "inconclusive"), ("444f574e47524401", "pass")])
def test_two_servers_behind_one_address_owe_no_sentinel_to_each_other(tail: str, verdict: str) -> None:
    """TLS 1.3 chosen on one connection and refused on another: who answered in TLS 1.2 may not have it."""
    odd = spoilt({"tls.versions": {"reactions": {TLS13: alert(PROTOCOL_VERSION)}, "all_offered": hello(TLS13, 0x1302)}})
    odd["tls.tolerance"] = conforming()["tls.tolerance"] | {"random_tail_tls12": tail}
    assert verdicts(odd)["B.12 RFC8446-4.1.3-downgrade-sentinel"] == verdict
