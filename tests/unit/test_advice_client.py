"""Advice on TLS clients is given on its occasions alone, and stays outside verdicts."""

from __future__ import annotations

import tomllib
from datetime import timedelta

import pytest

from harness.catalogue import BUILT_IN
from harness.judging import Observations
from harness.record.models import AdviceRecord, ClaimRecord
from suites.transport.advice import advise
from tests.unit.client_changes import showing
from tests.unit.client_judging import B12, B13, SCU
from tests.unit.client_observations import SUITES, Record, conforming, observations, with_hello
from tests.unit.tls_observations import NOW, TLS12, certificate

WORDS = tomllib.loads((BUILT_IN / "transport" / "client_advice.toml").read_text(encoding="utf-8"))
HYBRID = (0x11EC, 0x001D, 0x0017)


def modern(record: Record | None = None, **offer: object) -> Record:
    """A client that offers a hybrid group, and its certificate for clients."""
    return with_hello(record or shown(), **{"groups": HYBRID} | offer)


def shown(**facts: object) -> Record:
    return showing(certificate("rsa", **{"extended_key_usage": ("clientAuth",)} | facts))


def advice_on(record: Record, claims: tuple[ClaimRecord, ...] = (B12, B13)) -> list[AdviceRecord]:
    return advise(SCU, claims, Observations.of(observations(record), NOW))


OCCASIONS: dict[str, tuple[Record, set[str]]] = {
    "expired": (modern(shown(not_after=NOW - timedelta(days=1))), {"client-certificate-expired"}),
    "expires soon": (modern(shown(not_after=NOW + timedelta(days=29))), {"client-certificate-expires-soon"}),
    "expires late enough": (modern(shown(not_after=NOW + timedelta(days=31))), set()),
    "not yet valid": (modern(shown(not_before=NOW + timedelta(days=1))), {"client-certificate-not-yet-valid"}),
    "for servers only": (modern(shown(extended_key_usage=("serverAuth",))), {"client-certificate-purpose"}),
    "for anything": (modern(shown(extended_key_usage=None)), set()),
    "no certificate": (modern(showing()), {"client-no-certificate"}),
    "DHE": (modern(suites=(*SUITES, 0x009E)), {"client-rfc10015-key-exchange", "client-dhe-under-b13"}),
    "static RSA": (modern(suites=(*SUITES, 0x009C)), {"client-rfc10015-key-exchange", "client-offers-outside-b13"}),
    "TLS 1.2": (modern(supported_versions=(TLS12,)), {"client-rfc9852-tls-1-3"}),
    "SHA-1": (modern(schemes=(0x0403, 0x0201)), {"client-rfc9155-schemes"}),
    "heartbeat": (modern(extensions=(15, 23)), {"client-heartbeat"}),
    "no hybrid group": (modern(groups=(0x1D,)), {"client-no-post-quantum-group"}),
}


@pytest.mark.parametrize("occasion", OCCASIONS)
def test_advice_is_given_on_its_occasion_alone(occasion: str) -> None:
    record, expected = OCCASIONS[occasion]
    given = advice_on(record)
    assert {each.id for each in given} == expected
    assert len(given) == len(expected)  # once, however many claims are about the endpoint
    for each in given:
        assert each.evidence
        assert "{" not in each.text
        assert each.remedy


def test_every_piece_of_advice_has_an_occasion() -> None:
    assert set().union(*(expected for _, expected in OCCASIONS.values())) == set(WORDS)


def test_a_conforming_client_and_an_unobserved_one_get_no_advice() -> None:
    assert advice_on(modern()) == []
    assert advice_on({}) == []
    assert advice_on(conforming(), ()) == []
    assert advice_on({name: {"skipped": "never played"} for name in conforming()}) == []


def test_what_b13_does_not_permit_is_advised_on_under_b13_alone() -> None:
    assert {each.id for each in advice_on(modern(suites=(*SUITES, 0x009C)), (B12,))} == {"client-rfc10015-key-exchange"}
