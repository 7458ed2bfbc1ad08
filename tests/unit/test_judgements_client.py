"""The judgements of TLS clients: a conforming one passes, each spoilt trial or offer turns what it should and no more."""

# ruff: noqa: E501 - the cases are a table

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.catalogue import load_catalogue
from harness.judging import Observations, judge
from harness.judging.expect import recording
from harness.judging.lookup import Endpoints
from harness.judging.outcomes import Outcome
from harness.listeners.transport.trials import TRIALS
from harness.record.models import SutRecord
from suites.transport.client_view import TlsClient
from tests.unit import client_cases_offers, client_cases_server
from tests.unit.client_changes import everywhere, taken
from tests.unit.client_judging import B12, B13, SCU, Verdicts, judges, verdicts
from tests.unit.client_observations import accepted, conforming, hello, observations, refused, trial, went_on
from tests.unit.tls_observations import NOW, certificate

SUT = SutRecord(id="ct", claims=(B12, B13), endpoints=(SCU,))
CASES = client_cases_server.CASES | client_cases_offers.CASES

CONDITIONAL = {  # what does not apply to the conforming client
    "RFC9325-3.8-client-alpn-not-offered",
    "RFC9325-4.2-client-cbc-only-with-encrypt-then-mac",
    "RFC9325-4.2-client-ecdsa-p256",
    "RFC9325-4.5-client-dhe-2048",
    "RFC9325-7.4-client-no-ffdh-reuse",
    "RFC6066-8-client-checks-stapled-response",
}
CONDITIONAL_B13 = {
    "B.13-client-dhe-key-length",
    "B.13-client-certificate-ecc-key-length",
    "B.13-client-certificate-ecdsa-signature-key-length",
}


def judged_by_the_engine(
    record: Mapping[str, Any], sut: SutRecord = SUT, others: Mapping[str, Any] | None = None
) -> Verdicts:
    seen = observations(record)
    for endpoint, of in (others or {}).items():
        seen += observations(of, endpoint)
    judgement = judge(sut, seen, observed_at=NOW, command="probe")
    assert not judgement.notes
    return {f"{one.profile} {one.requirement}": one.verdict.value for one in judgement.verdicts if not one.derived}


@pytest.fixture(scope="module")
def untouched() -> Verdicts:
    return verdicts(conforming())


def test_a_conforming_client_passes_everything_that_applies(untouched: Verdicts) -> None:
    assert len(untouched) > 200
    others = {key: verdict for key, verdict in untouched.items() if verdict != "pass"}
    expected = {f"{profile} {each}" for profile in ("B.12", "B.13") for each in CONDITIONAL}
    assert others == dict.fromkeys(expected | {f"B.13 {each}" for each in CONDITIONAL_B13}, "not_applicable")


@pytest.mark.parametrize("case", CASES)
def test_a_spoilt_trial_turns_exactly_what_it_should(case: str, untouched: Verdicts) -> None:
    record, expected = CASES[case]
    found = verdicts(record)
    assert {key: verdict for key, verdict in found.items() if verdict != untouched[key]} == {
        key: verdict for key, verdict in expected.items() if verdict != untouched[key]
    }


def test_every_automatic_requirement_is_turned_by_a_case() -> None:
    deviating = {
        key for _, expected in CASES.values() for key, verdict in expected.items() if verdict in {"fail", "warning"}
    }
    wanted = {
        f"{profile} {each.id}"
        for profile in ("B.12", "B.13")
        for each in load_catalogue().select(profile, "2026c", "tls-client", "dicom-tls")
        if each.judged == "automatically"
    }
    assert wanted - deviating - PLAIN == set()


PLAIN = {"B.12 B.12-client-attempts-tls", "B.13 B.13-client-attempts-tls", "B.13 B.13-client-supports-tls-1.2-or-1.3"}
"""Turned by clients that leave nearly everything else inconclusive."""


def test_a_client_that_begins_in_the_clear_is_failed_for_that() -> None:
    plain = trial(
        refused(opening="dicom", hello=None, progress="nothing", ended="close", alert=None, application="association")
    )
    found = verdicts(dict.fromkeys(conforming(), plain))
    assert {key for key, verdict in found.items() if verdict == "fail"} == {
        "B.12 B.12-client-attempts-tls", "B.13 B.13-client-attempts-tls", "B.12 B.12-client-encrypts-all-communications",
    }  # fmt: skip
    assert set(found.values()) == {"fail", "inconclusive"}


def test_a_client_of_neither_version_is_failed_for_that() -> None:
    old = everywhere(version=0x0301, supported_versions=(), suites=(0x002F, 0xC013), extensions=(), schemes=None)
    assert verdicts(old)["B.13 B.13-client-supports-tls-1.2-or-1.3"] == "fail"


def test_refusals_tell_nothing_where_the_good_server_is_refused_too() -> None:
    found = verdicts({name: trial(refused()) for name in conforming()})
    assert {verdict for key, verdict in found.items() if "server-certificate" in key or "verifies" in key} == {
        "inconclusive"
    }


def test_a_client_that_breaks_off_when_it_is_asked_for_a_certificate_is_failed_for_that() -> None:
    found = verdicts(conforming() | {"ordinary": trial(refused())})
    assert found["B.12 RFC5246-7.4.6-client-answers-certificate-request"] == "fail"
    assert "fail" not in {verdict for key, verdict in found.items() if "server-certificate" in key}


def test_possession_is_judged_in_tls_1_2_where_there_is_nothing_higher() -> None:
    old = everywhere(supported_versions=(), key_shares=None)
    old["ordinary"] = trial(accepted(0x0303, hello=hello(supported_versions=())))
    old["certificate/possession"] = trial(accepted(0x0303, hello=hello(supported_versions=())))
    assert verdicts(old)["B.12 RFC5246-7.4.3-client-verifies-signature"] == "fail"


def test_a_client_without_tls_1_2_suites_in_the_old_trial_is_failed_for_that_version() -> None:
    found = verdicts(conforming() | {"ordinary-1.2": trial(refused(0x0303))})
    assert {key for key, verdict in found.items() if verdict == "fail"} == {
        "B.12 B.12-client-supports-tls-1.2",
        "B.12 RFC9325-3.1.1-client-supports-tls-1.2",
    }
    assert found["B.12 RFC5246-7.4.9-client-verifies-finished"] == "inconclusive"


NOTHING_TO_TAKE = (  # nothing that a client could take comes from the server, or it takes an offer that is not there
    "fallback-after-", "plaintext-", "garbage", "cut-after-", "reset", "silence", "ssl-2.0", "suite-", "dhe-1024",
    "alpn-unknown", "certificate/revoked-stapled", "certificate/self-signed-pinned", "no-certificate-request",
)  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [name for name, known in TRIALS.items() if known.treatment != "either" and not name.startswith(NOTHING_TO_TAKE)],
)
def test_nothing_that_conforming_clients_do_goes_unjudged(name: str, untouched: Verdicts) -> None:
    known = TRIALS[name]
    refusing = known.treatment == "refuse"
    opposite = accepted(known.version or 0x0304) if refusing else refused(known.version)
    found = verdicts(conforming() | {name: trial(opposite)}, (B12,))
    assert {verdict for key, verdict in found.items() if verdict != untouched[key]} & {"fail", "warning"}


def test_a_conforming_client_of_dicomweb_passes_as_well() -> None:
    https = SUT.model_copy(update={"endpoints": (SCU.model_copy(update={"protocol": "https"}),)})
    record = {
        name: facts
        | {
            "connections": tuple(
                each
                | ({"application": "http", "association_accepted": False} if each.get("application") else {})
                | ({"operations": ("GET /",)} if each.get("operations") else {})
                for each in facts["connections"]
            )
        }
        for name, facts in conforming().items()
    }
    found = judged_by_the_engine(record, https)
    assert "fail" not in found.values()
    assert [key for key, verdict in found.items() if verdict == "inconclusive" and "statement" not in key] == []
    polite = record | {"record-corrupt-application": trial(accepted(application_octets=0, operations=()))}
    assert judged_by_the_engine(polite, https)["B.12 B.12-client-integrity-failure-drops-connection"] == "inconclusive"


def test_the_engine_finds_the_same() -> None:
    record = taken("finished-wrong-1.2")
    assert judged_by_the_engine(record) == verdicts(record)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (trial(), "its driver ended"),
        (trial(driver={"kind": "command", "exit_status": 127, "output": "sh: echoscu: not found\n"}), "status 127 (sh: echoscu: not found)"),
        (trial(driver={"kind": "command", "timed_out": True, "seconds": 60.0}), "had not ended after 60 s"),
        (trial(driver={"kind": "operator"}), "the operator confirmed nothing"),
        (trial(strangers=("192.0.2.7",)), "turned away were 192.0.2.7"),
        (trial(refused(opening="nothing", hello=None, progress="nothing")), "one connection came"),
        (trial(refused(ended="silence", alert=None, fatal=None)), "neither went on"),
        (trial(skipped="the port is taken"), "the port is taken"),
    ],
)  # fmt: skip
def test_what_was_not_seen_is_inconclusive_and_says_why(facts: dict[str, Any], said: str) -> None:
    judgement = judge(
        SUT, observations(conforming() | {"certificate/expired": facts}), observed_at=NOW, command="probe"
    )
    (verdict,) = [
        one for one in judgement.verdicts if one.requirement.endswith("certificate-validity") and one.profile == "B.12"
    ]
    assert verdict.verdict.value == "inconclusive"
    assert said in verdict.reason
    assert verdict.remedy


def test_a_trial_that_is_not_on_record_is_inconclusive() -> None:
    record = conforming()
    del record["finished-wrong-1.3"]
    assert verdicts(record)["B.12 RFC8446-4.4.4-client-verifies-finished"] == "inconclusive"


def test_the_worst_endpoint_decides() -> None:
    sut = SUT.model_copy(
        update={
            "claims": (B12.model_copy(update={"alternates": ("second",)}),),
            "endpoints": (SCU, SCU.model_copy(update={"name": "second"})),
        }
    )
    found = judged_by_the_engine(conforming(), sut, {"second": taken("finished-wrong-1.2")})
    assert found["B.12 RFC5246-7.4.9-client-verifies-finished"] == "fail"


CODES = st.integers(0, 0xFFFF)
HELLOS = st.fixed_dictionaries(
    {},
    optional={
        "version": st.sampled_from([0x0002, 0x0300, 0x0301, 0x0303, 0x0304, 0xFFFF]),
        "supported_versions": st.lists(st.sampled_from([0x0303, 0x0304, 0x7F1C, 0x0A0A]), max_size=3),
        "suites": st.lists(
            CODES | st.sampled_from([0x002F, 0xC02F, 0x009E, 0x0000, 0x00C6, 0xC0B4, 0x0A0A]), max_size=8
        ),
        "groups": st.none() | st.lists(CODES | st.integers(1, 30), max_size=5),
        "key_shares": st.none() | st.lists(st.sampled_from([0x1D, 0x17]), max_size=2),
        "schemes": st.none() | st.lists(CODES | st.sampled_from([0x0807, 0x0201]), max_size=5),
        "point_formats": st.none() | st.lists(st.integers(0, 255), max_size=3),
        "extensions": st.lists(st.sampled_from([4, 5, 23, 42]), max_size=4),
        "alpn": st.none() | st.lists(st.text(max_size=4), max_size=2),
        "compression_methods": st.lists(st.integers(0, 255), max_size=2),
        "server_name": st.none() | st.text(max_size=8),
    },
)
CONNECTIONS = st.builds(
    lambda made, offered, more: (
        made() | ({"hello": hello(**offered)} if offered is not None else {"hello": None}) | more
    ),
    st.sampled_from([accepted, refused, went_on]),
    st.none() | HELLOS,
    st.fixed_dictionaries(
        {},
        optional={
            "opening": st.sampled_from(["tls", "ssl2", "dicom", "http", "syslog", "other", "nothing"]),
            "version": st.none() | st.sampled_from([0x0300, 0x0303, 0x0304, 0xABCD]),
            "suite": st.none() | CODES,
            "group": st.none() | CODES,
            "scheme": st.none() | CODES,
            "progress": st.sampled_from(["nothing", "hello", "went-on", "completed"]),
            "ended": st.sampled_from(["alert", "close_notify", "close", "reset", "silence", "harness"]),
            "alert": st.none() | st.integers(0, 255),
            "application_octets": st.integers(0, 5),
            "certificates": st.none()
            | st.just(())
            | st.just((certificate("ed25519", key_bits=None, signature_hash=""),)),
            "explicit_nonces": st.lists(st.sampled_from(["0", "ff", "1"]), max_size=3),
            "dhe_public": st.sampled_from(["", "ab", "cd"]),
        },
    ),
)
TRIAL_FACTS = st.builds(
    lambda many, skipped: trial(*many, skipped=skipped),
    st.lists(CONNECTIONS, max_size=2),
    st.just("") | st.text(max_size=5),
)


@given(st.dictionaries(st.sampled_from(sorted(TRIALS)), TRIAL_FACTS, max_size=12), TRIAL_FACTS, st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_no_judgement_breaks_on_an_odd_record(odd: dict[str, Any], ordinary: dict[str, Any], beside: bool) -> None:
    record = (conforming() if beside else {"ordinary": ordinary}) | odd
    lookup = Observations.of(observations(record), NOW)
    for claim in (B12, B13):
        for each in judges(claim.profile):
            with recording() as ledger:
                try:
                    each(TlsClient(lookup.fresh(), Endpoints(SCU), claim))
                except Outcome:
                    continue
            assert ledger, f"{each.requirement.id} passed without an expectation"
