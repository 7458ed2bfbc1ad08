"""The judgements of A.6 and of IHE ATNA on servers: each spoilt fact turns what it should and no more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from harness.judging import Observations, judge
from harness.record.models import ClaimRecord, EndpointRecord, SutRecord
from suites.transport.advice import advise
from tests.unit.tls_observations import (
    NOW,
    TLS12,
    TLS13,
    accepted,
    alert,
    chain,
    changed,
    conforming,
    hello,
    observations,
    trial,
    zoo_shown,
)

RSA = {"tls.certificates": {"chains": (chain("rsa", key_usage=("digitalSignature", "keyEncipherment")),)}}
SYSLOG = {
    "tls.application": {
        "association": "",
        "echo_status": None,
        "http_answer": None,
        "closing": {"kind": "close", "detail": "close_notify"},
    },
    "tls.cipher-suites": {"versions": {TLS12: accepted(0xC02F, 0xC030, 0x002F), TLS13: accepted(0x1302, 0x1301)}},
    **RSA,
}
IHE = {"tls.cipher-suites": {"versions": {TLS12: accepted(0xC02F, 0xC030, 0x009E, 0x009F)}}}
A6 = ClaimRecord(profile="A.6", edition="2026c", role="tls-server", endpoint="dimse")
STX = A6.model_copy(update={"profile": "IHE-STX-TLS-1.2-Floor", "edition": "ITI-20.0"})
FQDN = STX.model_copy(update={"profile": "IHE-FQDN"})
Changes = Mapping[str, Any]


def facts(claim: ClaimRecord, changes: Changes) -> dict[str, Any]:
    return changed(changed(conforming(), SYSLOG if claim is A6 else IHE), changes)


def endpoint(claim: ClaimRecord, host: str = "pacs.example.org") -> EndpointRecord:
    return EndpointRecord(name="dimse", protocol="syslog-tls" if claim is A6 else "dicom-tls", host=host, port=6514)


def turned(claim: ClaimRecord, changes: Changes, host: str = "pacs.example.org") -> dict[str, str]:
    sut = SutRecord(id="sut", claims=(claim,), endpoints=(endpoint(claim, host),))
    found = judge(sut, observations(facts(claim, changes)), observed_at=NOW, command="probe")
    assert not found.notes
    return {
        one.requirement: one.verdict.value for one in found.verdicts if not one.derived and one.verdict.value != "pass"
    }


def authentication(requested: bool = True, **admitted: bool | None) -> dict[str, Any]:
    """Facts of a server that treats credentials as said (names with _ for -), in both versions."""
    treated = {"none": False, "given": True, "unknown_authority": False} | admitted
    trials = [
        trial(name.replace("_", "-"), version, bool(let_in)) | {"admitted": let_in}
        for version in (TLS12, TLS13)
        for name, let_in in treated.items()
    ]
    return {
        "tls.client-authentication": {
            "requested": {TLS12: requested, TLS13: requested},
            "trials": tuple(trials),
            "credentials_given": True,
        }
    }


def refusing_by(reaction: Mapping[str, Any]) -> dict[str, Any]:
    seen = authentication()
    trials = seen["tls.client-authentication"]["trials"]
    told = tuple(each if each["admitted"] else each | {"reaction": dict(reaction)} for each in trials)
    return changed(seen, {"tls.client-authentication": {"trials": told}})


def versions(**reactions: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {"ssl2": 0x0002, "ssl3": 0x0300, "tls10": 0x0301, "tls11": 0x0302, "tls12": TLS12, "tls13": TLS13}
    return {"tls.versions": {"reactions": {numbers[name]: reaction for name, reaction in reactions.items()}}}


def suites(tls12: tuple[int, ...], tls13: tuple[int, ...] = (0x1301,)) -> dict[str, Any]:
    return {"tls.cipher-suites": {"versions": {TLS12: accepted(*tls12), TLS13: accepted(*tls13)}}}


AUTHENTICATES, PATHS = "RFC5425-4.2.1-server-certificate-authentication", "RFC5425-4.2.1-server-path-validation"
ALERTS, SENDERS = "RFC5425-5-server-aborts-with-alert", "RFC5425-5.3-server-authenticates-sender"
CLOSES, SUITE = "RFC5425-4.4-server-answers-close-notify", "RFC5425-4.2-server-mandatory-suite"
SILENT = {"kind": "silence"}
NO_CAMPAIGN = zoo_shown() | {
    "campaign": False,
    "trials": tuple(
        each for each in zoo_shown()["trials"] if each["case"] in {"unknown-authority", "self-signed-unknown"}
    ),
}

SYSLOG_CASES: dict[str, tuple[Changes, dict[str, str]]] = {
    "nothing": ({}, {}),
    "plaintext met with silence, as a broken record": (
        {"tls.plaintext": {"reaction": SILENT, "broken_record": SILENT}}, {"A.6-server-uses-tls": "inconclusive"},
    ),
    "plaintext kept, a broken record refused": (
        {"tls.plaintext": {"reaction": SILENT, "broken_record": {"kind": "close"}}}, {"A.6-server-uses-tls": "fail"},
    ),
    "no TLS": (
        {"tls.reachability": {"speaks": "silent", "diagnosis": "It never answers."}},
        {"A.6-server-uses-tls": "inconclusive"},
    ),
    "SSL 3.0": (versions(ssl3=hello(0x0300)), {"A.6-server-no-ssl": "fail"}),
    "TLS 1.0": (versions(tls10=hello(0x0301)), {"A.6-server-no-older-tls": "warning"}),
    "no mandatory suite": (suites((0xC02F,)), {SUITE: "fail"}),
    "no mandatory suite and no certificate for it": (
        suites((0xC02F,)) | {"tls.certificates": {"chains": (chain("rsa", key_usage=("digitalSignature",)),)}},
        {SUITE: "inconclusive"},
    ),
    "an ECDSA certificate alone": (
        suites((0xC02B,)) | {"tls.certificates": {"chains": (chain("ec"),)}}, {SUITE: "inconclusive"},
    ),
    "no mandatory suite of TLS 1.3": (suites((0x002F,), (0x1302,)), {f"{SUITE}-tls-1.3": "fail"}),
    "anybody is admitted": (
        authentication(none=True, unknown_authority=True),
        {SENDERS: "warning", AUTHENTICATES: "inconclusive", ALERTS: "not_applicable", PATHS: "not_applicable"},
    ),
    "any certificate is admitted": (
        authentication(unknown_authority=True) | {"tls.client-certificates": zoo_shown(unknown_authority=True)},
        {SENDERS: "warning", AUTHENTICATES: "inconclusive", PATHS: "inconclusive"},
    ),
    "no certificate is asked for": (
        authentication(requested=False, none=True)
        | {"tls.client-certificates": {"requested": False, "trials": (), "controls": ()}},
        {SENDERS: "warning", AUTHENTICATES: "inconclusive", ALERTS: "not_applicable", PATHS: "not_applicable"},
    ),
    "silence to strangers": (
        authentication(unknown_authority=None), {AUTHENTICATES: "inconclusive", SENDERS: "inconclusive"},
    ),
    "expired admitted": ({"tls.client-certificates": zoo_shown(expired=True)}, {PATHS: "fail"}),
    "somebody else's certificate admitted": (
        {"tls.client-certificates": zoo_shown(possession=True)}, {AUTHENTICATES: "fail"},
    ),
    "no campaign": ({"tls.client-certificates": NO_CAMPAIGN}, {PATHS: "inconclusive"}),
    "refusals by closing": (refusing_by({"kind": "close"}), {ALERTS: "fail"}),
    "refusals by a reset": (refusing_by({"kind": "reset"}), {ALERTS: "inconclusive"}),
    "refusals by internal_error": (refusing_by(alert(80)), {ALERTS: "inconclusive"}),
    "closed without close_notify": (
        {"tls.application": {"closing": {"kind": "close", "detail": ""}}}, {CLOSES: "fail"},
    ),
    "close_notify met with silence": (
        {"tls.application": {"closing": {"kind": "silence", "detail": ""}}}, {CLOSES: "inconclusive"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SYSLOG_CASES)
def test_a_spoilt_receiver_turns_what_it_should(case: str) -> None:
    changes, expected = SYSLOG_CASES[case]
    assert turned(A6, changes) == expected


PREFIX = "IHE-3.19.6.2.3-server-"
ATTRIBUTES, AUTHORITY = "IHE-3.19.6.1.3-server-no-demands-on-attributes", "IHE-3.19.6.1-server-validates-by-authority"
EVERY = "IHE-3.19.5-server-authenticates-every-connection"
STX_CASES: dict[str, tuple[Changes, dict[str, str]]] = {
    "nothing": ({}, {}),
    "TLS 1.0": (versions(tls10=hello(0x0301)), {f"{PREFIX}restricted-to-tls-1.2": "inconclusive"}),
    "no DHE": (
        suites((0xC02F, 0xC030)),
        {f"{PREFIX}suite-dhe-rsa-with-aes-{each}": "fail" for each in ("128-gcm-sha256", "256-gcm-sha384")},
    ),
    "an unusual certificate refused": (
        {"tls.client-certificates": zoo_shown(missing_extended_key_usage=False)}, {ATTRIBUTES: "fail"},
    ),
    "an expired one admitted": ({"tls.client-certificates": zoo_shown(expired=True)}, {}),
    "a stranger admitted": (authentication(unknown_authority=True), {AUTHORITY: "inconclusive"}),
    "no certificate is asked for": (
        authentication(requested=False, none=True)
        | {"tls.client-certificates": {"requested": False, "trials": (), "controls": ()}},
        {EVERY: "fail", AUTHORITY: "inconclusive", ATTRIBUTES: "not_applicable"},
    ),
    "RSA of 512 bits": (
        {"tls.certificates": {"chains": (chain("rsa", key_bits=512),)}},
        {"IHE-3.19.6.1.3-server-rsa-key-length": "fail"},
    ),
    "RSA of 1024 bits": ({"tls.certificates": {"chains": (chain("rsa", key_bits=1024),)}}, {}),
}  # fmt: skip


@pytest.mark.parametrize("case", STX_CASES)
def test_a_spoilt_node_turns_what_it_should(case: str) -> None:
    changes, expected = STX_CASES[case]
    assert turned(STX, changes) == expected


DNS_ID, FITS = "IHE-3.19.6.1.4-server-certificate-dns-id", "IHE-3.19.6.1.4-server-certificate-fits"


@pytest.mark.parametrize(
    ("names", "matches", "host", "expected"),
    [
        (("DNS:pacs.example.org",), True, "pacs.example.org", {}),
        (("DNS:other.example.org",), False, "pacs.example.org", {FITS: "warning"}),
        (("IP:192.0.2.7",), False, "pacs.example.org", {DNS_ID: "fail", FITS: "warning"}),
        ((), False, "pacs.example.org", {DNS_ID: "fail", FITS: "warning"}),
        (("DNS:pacs.example.org",), False, "192.0.2.7", {FITS: "not_applicable"}),
        (("DNS:pacs.example.org",), None, "pacs.example.org", {FITS: "inconclusive"}),
    ],
)
def test_the_dns_id(names: tuple[str, ...], matches: bool | None, host: str, expected: dict[str, str]) -> None:
    changes = {"tls.certificates": {"chains": (chain("rsa", names=names) | {"name_matches": matches},)}}
    assert turned(FQDN, changes, host) == expected


STATIC_RSA_PREFERRED = {"offered": (0x002F, 0xC02F), "selected": 0x002F, "reaction": hello(TLS12)}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, set()),
        (suites((0x002F,)), {"rfc9662-ecdhe-suite"}),
        ({"tls.resumption": {"early_data_accepted": True}}, {"rfc9662-early-data"}),
        ({"tls.versions": {"all_offered": hello(TLS12)}}, {"rfc9662-preference"}),
        ({"tls.preferences": {"forward_secrecy": STATIC_RSA_PREFERRED}}, {"rfc9662-preference"}),
    ],
)  # fmt: skip
def test_rfc_9662_is_advice_on_receivers_alone(changes: Changes, expected: set[str]) -> None:
    for claim in (A6, STX):
        lookup = Observations.of(observations(facts(claim, changes)), NOW)
        told = {each.id for each in advise(endpoint(claim), (claim,), lookup)}
        assert {each for each in told if each.startswith("rfc9662")} == (expected if claim is A6 else set())
