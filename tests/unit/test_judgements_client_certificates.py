"""Judgements of what a server makes of its clients' certificates, one case spoilt at a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from fixtures.pki.zoo import CASES
from harness.record.models import SutRecord
from suites.transport.client_certificates import acceptable, cases
from tests.unit.test_judgements import SUT, Verdicts, spoilt, verdicts
from tests.unit.tls_observations import TLS12, TLS13, conforming, shown, trial, zoo_shown

CLIENT = "client-certificate"
ONE_CLAIM = SUT.model_copy(update={"claims": SUT.claims[:1]})
OF_RULE = {
    "validity": "RFC5280-6.1-client-certificate-validity",
    "trust": "RFC5280-6.1-client-certificate-trust",
    "chain": "RFC5280-6.1-client-certificate-trust",
    "signature": "RFC5280-6.1-client-certificate-signature",
    "encoding": "RFC5280-6.1-client-certificate-signature",
    "basic-constraints": "RFC5280-6.1-client-certificate-basic-constraints",
    "version": "RFC5280-6.1-client-certificate-basic-constraints",
    "path-length": "RFC5280-6.1-client-certificate-path-length",
    "name-constraints": "RFC5280-6.1-client-certificate-name-constraints",
    "critical-extension": "RFC5280-6.1-client-certificate-critical-extension",
    "extended-key-usage": "RFC5280-4.2.1.12-client-certificate-purpose",
    "key-strength": "RFC9325-4.5-client-certificate-key-strength",
}
OF_CASE = {
    "algorithms-disagree": "RFC5280-6.1-client-certificate-signature",
    "md5-signature": "RFC8446-4.4.2.4-client-certificate-no-md5",
    "sha1-signature": "RFC8446-4.4.2.4-client-certificate-no-sha1",
    "sha1-intermediate": "RFC8446-4.4.2.4-client-certificate-no-sha1",
    "authority-without-cert-sign": "RFC5280-6.1-client-certificate-issuer-key-usage",
    "key-usage-encipherment-only": "RFC5280-4.2.1.3-client-certificate-key-usage",
    "key-usage-without-signature": "RFC5280-4.2.1.3-client-certificate-key-usage",
}
WARNINGS = ("RFC9325", "RFC5280-4.2.1.3", "RFC8446-4.4.2.4-client-certificate-no-sha1", "-acceptable")


def of(judged: Verdicts, profile: str = "B.12") -> dict[str, str]:
    """The verdicts about client certificates."""
    return {
        key.removeprefix(f"{profile} "): verdict
        for key, verdict in judged.items()
        if key.startswith(profile) and CLIENT in key
    }


def judged(zoo: dict[str, Any] | None, sut: SutRecord = ONE_CLAIM, **authentication: Any) -> dict[str, str]:
    facts: dict[str, Any] = spoilt({"tls.client-authentication": authentication})
    facts["tls.client-certificates"] = zoo
    found = verdicts(facts, sut)
    if len(sut.claims) > 1:
        assert of(found) == of(found, "B.13")
    return of(found)


def turned(found: dict[str, str]) -> dict[str, str]:
    return {name: verdict for name, verdict in found.items() if verdict != "pass"}


def level(requirement: str) -> str:
    return "warning" if any(part in requirement for part in WARNINGS) else "fail"


def test_a_conforming_server_passes() -> None:
    found = judged(zoo_shown(), SUT)
    assert len(found) == 17
    assert set(found.values()) == {"pass"}


BAD = [case for case in CASES.values() if case.client == "refuse"]


@pytest.mark.parametrize(
    "case", [case for case in BAD if case.rule not in {"possession", "revocation"}], ids=lambda c: c.name
)
def test_each_bad_certificate_that_is_admitted_turns_one_requirement(case: Any) -> None:
    requirement = OF_CASE.get(case.name) or OF_RULE[case.rule]
    assert turned(judged(zoo_shown(**{case.name: True}))) == {requirement: level(requirement)}


def test_possession_is_judged_by_version() -> None:
    both = {
        "RFC5246-7.4.8-client-certificate-possession": "fail",
        "RFC8446-4.4.3-client-certificate-possession": "fail",
    }
    assert turned(judged(zoo_shown(possession=True))) == both
    facts = zoo_shown()
    facts["trials"] = tuple(
        shown("possession", TLS12, True) if (t["case"], t["version"]) == ("possession", TLS12) else t
        for t in facts["trials"]
    )
    assert turned(judged(facts)) == {"RFC5246-7.4.8-client-certificate-possession": "fail"}


def test_revocation_by_one_strategy_is_enough() -> None:
    requirement = "RFC9325-7.5-client-certificate-revocation"
    ways = [case.name for case in cases("revocation")]
    assert len(ways) > 2
    for way in ways:
        assert turned(judged(zoo_shown(**{name: name != way for name in ways}))) == {}
    assert turned(judged(zoo_shown(**dict.fromkeys(ways, True)))) == {requirement: "warning"}
    assert turned(judged(zoo_shown(**dict.fromkeys(ways)))) == {requirement: "inconclusive"}


@pytest.mark.parametrize("case", acceptable(), ids=lambda case: case.name)
def test_each_odd_certificate_that_is_refused_is_a_warning(case: Any) -> None:
    assert turned(judged(zoo_shown(**{case.name: False}))) == {"RFC5280-6.1-client-certificate-acceptable": "warning"}


def test_where_either_is_right_nothing_turns() -> None:
    either = [case.name for case in CASES.values() if case.client == "either"]
    assert len(either) > 10
    assert turned(judged(zoo_shown(**dict.fromkeys(either, True)))) == {}
    assert turned(judged(zoo_shown(**dict.fromkeys(either, False)))) == {}


def test_what_is_pinned_may_not_have_been_installed() -> None:
    assert turned(judged(zoo_shown(self_signed_pinned=False))) == {}


def test_no_rule_is_shown_in_vain() -> None:
    by_case = {"possession", "revocation", "signature-algorithm", "key-usage"}
    assert {case.rule for case in BAD} == set(OF_RULE) | by_case


def test_a_server_that_asks_for_none_is_asked_nothing() -> None:
    found = judged({"requested": False}, requested={TLS12: False, TLS13: False}, trials=())
    assert set(found.values()) == {"not_applicable"}


def without_certificate(admitted: bool | None, versions: Iterable[int] = (TLS12, TLS13)) -> tuple[Any, ...]:
    kept = [t for t in conforming()["tls.client-authentication"]["trials"] if t["credential"] != "none"]
    return (
        *kept,
        *(trial("none", version, bool(admitted)) | {"admitted": admitted} for version in versions),
    )


def test_a_server_that_admits_everybody_may_go_on_with_a_bad_certificate() -> None:
    """RFC 8446 4.4.2.4: it may continue, considering the client unauthenticated."""
    found = judged(zoo_shown(expired=True), trials=without_certificate(True))
    assert set(found.values()) == {"not_applicable"}


@pytest.mark.parametrize(("anybody", "verdict"), [(True, "inconclusive"), (False, "fail"), (None, "fail")])
def test_mutual_authentication_is_failed_by_servers_that_demand_a_certificate(
    anybody: bool | None, verdict: str
) -> None:
    bad = tuple(trial("unknown-authority", version, True) for version in (TLS12, TLS13))
    seen = tuple(each for each in without_certificate(anybody) if each["credential"] != "unknown-authority") + bad
    found = verdicts(spoilt({"tls.client-authentication": {"trials": seen}}), ONE_CLAIM)
    assert found["B.12 B.12-mutual-authentication-supported"] == verdict


def test_whether_a_certificate_is_demanded_has_to_be_known_before_anything_fails() -> None:
    found = judged(zoo_shown(expired=True), trials=without_certificate(None))
    assert turned(found) == {"RFC5280-6.1-client-certificate-validity": "inconclusive"}


def test_one_version_may_demand_what_the_other_does_not_ask_for() -> None:
    found = judged(zoo_shown(), requested={TLS13: True, TLS12: False})
    assert turned(found) == {"RFC5246-7.4.8-client-certificate-possession": "not_applicable"}


def controls(*admitted: bool | None, stage: str = "") -> dict[str, Any]:
    made = [shown("good", version, each) for version in (TLS13, TLS12) for each in admitted]
    return {"controls": tuple(each | {"stage": stage or each["stage"]} for each in made)}


@pytest.mark.parametrize("seen", [(False,), (True, False), (True, None), (None, None)])
def test_refusals_tell_nothing_where_the_good_one_is_not_admitted(seen: tuple[bool | None, ...]) -> None:
    """It was never trusted, or the server shut us out on the way."""
    assert set(judged(zoo_shown() | controls(*seen)).values()) == {"inconclusive"}


def test_what_was_admitted_fails_whoever_is_shut_out_later() -> None:
    found = judged(zoo_shown(expired=True) | controls(True, False))
    assert found.pop("RFC5280-6.1-client-certificate-validity") == "fail"
    assert set(found.values()) == {"inconclusive"}


def test_associations_rejected_for_their_titles_still_tell_refusals_by_tls() -> None:
    """The good certificate is let through by TLS, and rejected for reasons of its own."""
    facts = zoo_shown() | controls(None, None, stage="association")
    facts["trials"] = tuple(
        each | {"admitted": None, "stage": "association"} if each["admitted"] else each for each in facts["trials"]
    )
    assert turned(judged(facts)) == {}
    unclear = [each["case"] for each in facts["trials"]].index("expired")
    facts["trials"][unclear].update({"admitted": None, "stage": "association"})
    assert turned(judged(facts)) == {"RFC5280-6.1-client-certificate-validity": "inconclusive"}


def test_without_a_campaign_only_trust_is_judged() -> None:
    facts = zoo_shown()
    kept = tuple(each for each in facts["trials"] if each["case"] in {"unknown-authority", "self-signed-unknown"})
    found = judged(facts | {"campaign": False, "trials": kept})
    assert found.pop("RFC5280-6.1-client-certificate-trust") == "pass"
    assert set(found.values()) == {"inconclusive"}


def test_what_could_not_be_shown_is_passed_over_beside_what_could() -> None:
    facts = zoo_shown()
    lost = {"kind": "server_hello", "version": TLS13, "detail": "no scheme in common", "exchange": "dimse-0001"}

    def losing(*names: str) -> dict[str, Any]:
        trials = tuple(
            each | {"admitted": None, "stage": "", "reaction": lost} if each["case"] in names else each
            for each in facts["trials"]
        )
        return facts | {"trials": trials}

    assert turned(judged(losing("p-192"))) == {}
    weak = [case.name for case in cases("key-strength")]
    assert turned(judged(losing(*weak))) == {"RFC9325-4.5-client-certificate-key-strength": "inconclusive"}


def test_what_was_not_observed_is_inconclusive() -> None:
    assert set(judged(None).values()) == {"inconclusive"}
