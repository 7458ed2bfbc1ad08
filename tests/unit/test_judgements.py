"""The judgements of secure transport: a conforming server passes, each spoilt fact turns what it should and no more."""

# ruff: noqa: E501 - the cases are a table

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from harness.catalogue import load_catalogue
from harness.judging import judge
from harness.record.models import ClaimRecord, EndpointRecord, SutRecord, VerdictKind
from tests.unit.tls_observations import (
    NOW,
    TLS12,
    TLS13,
    accepted,
    alert,
    certificate,
    chain,
    changed,
    conforming,
    groups,
    hello,
    observations,
    schemes,
    trial,
)

B12 = ClaimRecord(profile="B.12", edition="2026c", role="tls-server", endpoint="dimse")
B13 = B12.model_copy(update={"profile": "B.13"})
DIMSE = EndpointRecord(name="dimse", protocol="dicom-tls", host="127.0.0.1", port=2762)
SUT = SutRecord(id="pacs", claims=(B12, B13), endpoints=(DIMSE,))
Verdicts = dict[str, str]

OF_CLIENT_CERTIFICATES = [
    each.id for each in load_catalogue() if each.role == "tls-server" and "client-certificate-" in each.id
]
CONDITIONAL = {  # what does not apply to the conforming server
    "B.13-dhe-key-length",
    "RFC9325-4.5-dhe-2048",
    "RFC9325-4.2.1-prefers-recommended-suite",
    "RFC9325-4.2-cbc-only-with-encrypt-then-mac",
    "RFC9325-7.4-no-ffdh-reuse",
    "RFC9325-7.4-ecdh-reuse-safe",
    "RFC9325-7.5-ocsp-stapling",
}


def verdicts(facts: Mapping[str, Any], sut: SutRecord = SUT, others: Mapping[str, Any] | None = None) -> Verdicts:
    seen = observations(facts)
    for endpoint, of in (others or {}).items():
        seen += observations(of, endpoint)
    judgement = judge(sut, seen, observed_at=NOW, command="probe")
    assert not judgement.notes
    return {f"{one.profile} {one.requirement}": one.verdict.value for one in judgement.verdicts if not one.derived}


@pytest.fixture(scope="module")
def untouched() -> Verdicts:
    return verdicts(conforming())


def test_a_conforming_server_passes_everything_that_applies(untouched: Verdicts) -> None:
    assert len(untouched) > 150
    others = {key: verdict for key, verdict in untouched.items() if verdict != "pass"}
    expected = {
        f"{profile} {each}" for profile in ("B.12", "B.13") for each in CONDITIONAL if not each.startswith("B.13")
    }
    assert others == dict.fromkeys(expected | {"B.13 B.13-dhe-key-length"}, "not_applicable")


def spoilt(changes: Mapping[str, Any]) -> dict[str, Any]:
    return changed(conforming(), changes)


def suites(*more: int, version: int = TLS12) -> dict[str, Any]:
    codes = [each["code"] for each in conforming()["tls.cipher-suites"]["versions"][version]["accepted"]]
    return {"tls.cipher-suites": {"versions": {version: accepted(*codes, *more)}}}


def without(code: int, version: int) -> dict[str, Any]:
    codes = [each["code"] for each in conforming()["tls.cipher-suites"]["versions"][version]["accepted"]]
    return {"tls.cipher-suites": {"versions": {version: accepted(*(each for each in codes if each != code))}}}


def certificates(*chains: dict[str, Any], **flags: bool) -> dict[str, Any]:
    return {"tls.certificates": {"chains": chains, **flags}}


def both(verdict: str, *requirements: str) -> dict[str, str]:
    return {f"{profile} {each}": verdict for profile in ("B.12", "B.13") for each in requirements}


def b12(verdict: str, *requirements: str) -> dict[str, str]:
    return {f"B.12 {each}": verdict for each in requirements}


def b13(verdict: str, *requirements: str) -> dict[str, str]:
    return {f"B.13 B.13-{each}": verdict for each in requirements}


CBC = (
    b13("fail", "tls-1.2-closed-set", "forbidden-block-mode", "permitted-block-mode")
    | b13("fail", "forbidden-hash", "permitted-hash")
)  # fmt: skip
TRIAL = {"offered": (0x002F, 0xC02F), "selected": 0x002F, "reaction": hello(TLS12, 0x002F)}
GOOD_TRIAL = TRIAL | {"selected": 0xC02F}

CASES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "TLS 1.0 accepted": (
        {"tls.versions": {"reactions": {0x0301: hello(0x0301, 0xC013)}}, "tls.cipher-suites": {"versions": {0x0301: accepted(0xC013)}}},
        both("fail", "RFC9325-3.1.1-no-tls-1.0", "RFC8996-4-no-tls-1.0", "RFC8996-4-no-server-hello-tls-1.0", "RFC8996-4-protocol-version-alert")
        | both("inconclusive", "RFC9325-4.2-cbc-only-with-encrypt-then-mac")
        | {key: "fail" for key in CBC if "closed-set" not in key},
    ),
    "handshake_failure instead of protocol_version": (
        {"tls.versions": {"reactions": {0x0302: alert(40)}}},
        both("fail", "RFC8996-5-protocol-version-alert"),
    ),
    "close instead of protocol_version": (
        {"tls.versions": {"reactions": {0x0301: {"kind": "close"}}}},
        both("fail", "RFC8996-4-protocol-version-alert"),
    ),
    "reset instead of protocol_version": (
        {"tls.versions": {"reactions": {0x0301: {"kind": "reset"}}}},
        both("inconclusive", "RFC8996-4-protocol-version-alert"),
    ),
    "TLS 1.2 preferred": (
        {"tls.versions": {"all_offered": hello(TLS12)}},
        both("fail", "RFC9325-3.1.1-prefers-tls-1.3")
        | {f"{each} {each}-server-prefers-tls-1.3": "fail" for each in ("B.12", "B.13")},
    ),
    "static RSA with CBC": (
        suites(0x002F) | {"tls.preferences": {"forward_secrecy": GOOD_TRIAL, "recommended": GOOD_TRIAL},
                          "tls.extensions": {"cbc_without_encrypt_then_mac": hello(TLS12, 0x002F), "encrypt_then_mac": False}},
        CBC
        | b13("fail", "forbidden-key-exchange", "permitted-key-exchange")
        | both("warning", "RFC9325-4.1-no-static-rsa", "RFC9325-4.2.1-no-rsa-aes-128-cbc-sha", "RFC9325-4.2-cbc-only-with-encrypt-then-mac")
        | both("pass", "RFC9325-4.2.1-prefers-recommended-suite"),
    ),
    "static RSA preferred": (
        suites(0x009C) | {"tls.preferences": {"forward_secrecy": TRIAL, "recommended": TRIAL}},
        b13("fail", "tls-1.2-closed-set", "forbidden-key-exchange", "permitted-key-exchange")
        | both("warning", "RFC9325-4.1-no-static-rsa")
        | both("fail", "RFC9325-4.2.1-prefers-recommended-suite", "RFC9325-4.1-prefers-forward-secrecy"),
    ),
    "anonymous": (
        suites(0x00A6) | {"tls.preferences": {"recommended": GOOD_TRIAL}},
        b12("fail", "B.12-no-null-signature-hash")
        | b13("fail", "tls-1.2-closed-set", "permitted-key-exchange")
        | both("pass", "RFC9325-4.2.1-prefers-recommended-suite"),
    ),
    "integrity-only suite of TLS 1.3": (
        suites(0xC0B4, version=TLS13),
        b12("fail", "B.12-no-null-cipher") | both("fail", "RFC9325-4.1-no-null"),
    ),
    "DHE of 1024 bits": (
        suites(0x009E) | {"tls.groups": {"dhe": ({"suite": 0x009E, "version": TLS12, "bits": 1024, "prime": "0b", "public_keys_differ": True},)}},
        b13("fail", "dhe-key-length")
        | both("fail", "RFC9325-4.5-dhe-2048")
        | both("pass", "RFC9325-7.4-no-ffdh-reuse")
        | b12("warning", "RFC9325-4.1-no-dhe"),
    ),
    "Camellia-GCM, optional under B.13": (suites(0xC08B), {}),
    "ARIA-GCM": (suites(0xC061), b13("fail", "tls-1.2-closed-set", "forbidden-block-cipher", "permitted-block-cipher")),
    "a suite of B.13 missing": (without(0xC0AE, TLS12), b13("fail", "tls-1.2-ecdhe-ecdsa-with-aes-128-ccm-8")),
    "CCM of TLS 1.3 missing": (without(0x1304, TLS13), b13("fail", "tls-1.3-aes-128-ccm-sha256")),
    "no ECDSA certificate": (
        {"tls.cipher-suites": {"versions": {TLS12: accepted(0xC030, 0xCCA8, 0xC02F)}}}
        | certificates(chain("rsa"), ecdsa_refused=True),
        b13("inconclusive", *(f"tls-1.2-ecdhe-ecdsa-with-{each}" for each in (
            "aes-256-gcm-sha384", "aes-256-ccm", "aes-256-ccm-8", "chacha20-poly1305-sha256",
            "aes-128-gcm-sha256", "aes-128-ccm", "aes-128-ccm-8")))
        | b13("not_applicable", "certificate-ecc-key-length", "certificate-ecdsa-signature-key-length")
        | both("not_applicable", "RFC9325-4.2-recommended-suites-ecdsa", "RFC9325-4.2-ecdsa-p256"),
    ),
    "suites not all tried": (
        {"tls.cipher-suites": {"versions": {TLS12: {"complete": False}}}},
        b12("inconclusive", "B.12-no-null-cipher", "B.12-no-null-key-exchange", "B.12-no-null-signature-hash")
        | b12("inconclusive", "RFC9325-4.1-no-dhe")
        | both("inconclusive", "RFC9325-4.1-no-null", "RFC9325-4.1-no-rc4", "RFC9325-4.1-no-below-112-bits")
        | both("inconclusive", "RFC9325-4.1-no-below-128-bits", "RFC9325-4.1-no-static-rsa", "RFC9325-4.1-no-static-dh")
        | both("inconclusive", "RFC9325-4.1-no-static-ecdh", "RFC9325-4.2.1-no-rsa-aes-128-cbc-sha")
        | both("inconclusive", "RFC9325-4.5-dhe-2048", "RFC9325-4.2.1-prefers-recommended-suite")
        | both("inconclusive", "RFC9325-4.1-prefers-forward-secrecy", "RFC9325-7.4-no-ffdh-reuse")
        | both("inconclusive", "RFC9325-4.2-cbc-only-with-encrypt-then-mac")
        | b13("inconclusive", "dhe-key-length", "tls-1.2-closed-set")
        | b13("inconclusive", *(f"{kind}-{what}" for kind in ("forbidden", "permitted") for what in (
            "key-exchange", "signature", "block-cipher", "block-mode", "stream-cipher", "hash"))),
    ),
    "curve of 224 bits": (
        {"tls.groups": {"versions": {TLS12: groups(0x15, 0x17, 0x1D)}}}, b13("fail", "ecdhe-key-length")
    ),
    "curve of 192 bits": (
        {"tls.groups": {"versions": {TLS12: groups(0x13, 0x17, 0x1D)}}},
        b13("fail", "ecdhe-key-length") | both("fail", "RFC9325-4.5-no-curves-below-224"),
    ),
    "neither P-256 nor X25519": (
        {"tls.groups": {"versions": {TLS12: groups(0x18), TLS13: groups(0x18)}}},
        both("warning", "RFC9325-4.2.1-supports-p256", "RFC9325-4.2.1-supports-x25519"),
    ),
    "ECDHE key reused over P-256": (
        {"tls.groups": {"ecdhe_keys_differ": False, "ecdhe_reused_groups": (0x17,), "off_curve_point_accepted": True}},
        both("warning", "RFC9325-7.4-ecdh-reuse-safe"),
    ),
    "ECDHE key reused over X25519": (
        {"tls.groups": {"ecdhe_keys_differ": False, "ecdhe_reused_groups": (0x1D,)}},
        both("pass", "RFC9325-7.4-ecdh-reuse-safe"),
    ),
    "SHA-1 under the handshake": (
        {"tls.signature-schemes": {"versions": {TLS12: schemes(0x0401, 0x0201)}}},
        both("fail", "RFC9325-4.5-no-sha1-md5-handshake-signatures") | b13("fail", "forbidden-hash", "permitted-hash"),
    ),
    "Ed25519 under the handshake": (
        {"tls.signature-schemes": {"versions": {TLS13: schemes(0x0403, 0x0807)}}}, b13("fail", "permitted-signature")
    ),
    "SHA-512 preferred": (
        {"tls.signature-schemes": {"versions": {TLS12: schemes(0x0601, 0x0401)}}}, b13("inconclusive", "permitted-hash")
    ),
    "RSA certificate of 1024 bits": (
        certificates(chain("rsa", key_bits=1024), chain("ec")),
        b13("fail", "certificate-rsa-key-length") | both("fail", "RFC9325-4.5-rsa-certificate-2048"),
    ),
    "certificate signed with SHA-1": (
        certificates(chain("rsa", signature_hash="sha1"), chain("ec")),
        b13("fail", "certificate-hash")
        | both("fail", "RFC9325-4.5-no-sha1-md5-certificates")
        | both("warning", "RFC9325-4.5-certificate-sha-256"),
    ),
    "trust anchor signed with SHA-1": (
        certificates(
            chain("rsa") | {"certificates": (certificate("rsa"), certificate("rsa", sha256="a", self_signed=True, signature_hash="sha1")),
                            "signer_bits": (2048, 1024)},
            chain("ec"),
        ),
        {},
    ),
    "certificate signed by a short key": (
        certificates(chain("rsa", signer_bits=(1024,)), chain("ec")), b13("fail", "certificate-rsa-signature-key-length")
    ),
    "certificate signed by an unknown key": (
        certificates(chain("rsa"), chain("ec", signer_bits=(None,))),
        b13("inconclusive", "certificate-ecdsa-signature-key-length"),
    ),
    "no OCSP response stapled": (
        certificates(chain("rsa", ocsp_responders=("http://ocsp.example",)) | {"ocsp_stapled": False}, chain("ec")),
        both("warning", "RFC9325-7.5-ocsp-stapling"),
    ),
    "P-384 certificate": (certificates(chain("rsa"), chain("ec", curve="secp384r1", key_bits=384)), both("warning", "RFC9325-4.2-ecdsa-p256")),
    "compression": ({"tls.extensions": {"compression": 1}}, both("warning", "RFC9325-3.3-no-compression")),
    "no extended master secret": (
        {"tls.extensions": {"extended_master_secret": False}}, both("fail", "RFC9325-3.5-extended-master-secret")
    ),
    "insecure renegotiation": (
        {"tls.renegotiation": {"insecure_accepted": True}}, both("fail", "RFC9325-3.5-renegotiation-info")
    ),
    "client-initiated renegotiation is no failure": ({"tls.renegotiation": {"secure_accepted": True}}, {}),
    "truncated HMAC": ({"tls.extensions": {"truncated_hmac": True}}, both("fail", "RFC9325-4.6-no-truncated-hmac")),
    "unknown name accepted": (
        {"tls.extensions": {"unknown_server_name": hello(TLS13)}},
        both("warning", "RFC9325-3.7-unknown-name-not-continued", "RFC9325-3.7-unrecognized-name-alert"),
    ),
    "unknown name closed": (
        {"tls.extensions": {"unknown_server_name": {"kind": "close"}}},
        both("warning", "RFC9325-3.7-unrecognized-name-alert"),
    ),
    "early data": ({"tls.resumption": {"early_data_accepted": True}}, both("fail", "RFC9325-3.10-no-early-data")),
    "resumption without key share": (
        {"tls.resumption": {"psk_ke": True, "selected_without_key_share": True}},
        both("warning", "RFC9325-3.4-resumption-psk-dhe-ke") | b13("inconclusive", "permitted-key-exchange"),
    ),
    "tickets for a month": (
        {"tls.resumption": {"tickets": ({"version": TLS13, "lifetime": 2_592_000, "length": 200},)}},
        both("fail", "RFC8446-4.6.1-ticket-lifetime"),
    ),
    "client certificates not asked for": (
        {"tls.client-authentication": {"requested": {TLS12: False, TLS13: False}, "trials": ()}},
        {f"{each} {each}-mutual-authentication-supported": "inconclusive" for each in ("B.12", "B.13")}
        | both("not_applicable", *OF_CLIENT_CERTIFICATES),
    ),
    "any client certificate accepted": (
        {"tls.client-authentication": {"trials": (trial("given", TLS12, True), trial("unknown-authority", TLS12, True))}},
        {f"{each} {each}-mutual-authentication-supported": "fail" for each in ("B.12", "B.13")},
    ),
    "broken records read on": (
        {"tls.integrity": {"dropped": {TLS12: False}}},
        {f"{each} {each}-integrity-failure-drops-connection": "fail" for each in ("B.12", "B.13")},
    ),
    "nonces from an offset": ({"tls.record-protection": {"explicit_nonces": ("ffffffffffffffff", "0000000000000000")}}, {}),
    "random nonces": (
        {"tls.record-protection": {"explicit_nonces": ("1234567890abcdef", "fedcba0987654321")}},
        both("warning", "RFC9325-7.2.1-gcm-nonce-sequence"),
    ),
    "repeated nonces": (
        {"tls.record-protection": {"explicit_nonces": ("0000000000000001", "0000000000000001")}},
        both("warning", "RFC9325-7.2.1-gcm-nonce-sequence") | both("fail", "RFC5288-3-nonce-unique"),
    ),
    "plaintext accepted": (
        {"tls.plaintext": {"reaction": {"kind": "plaintext"}, "dicom_answer": True}},
        b12("fail", "B.12-encrypts-all-communications"),
    ),
    "HTTP on the DIMSE port": (
        {"tls.application": {"http_answer": True}},
        {f"{each} {each}-dicomweb-port-differs": "fail" for each in ("B.12", "B.13")},
    ),
    "C-ECHO fails": (
        {"tls.application": {"echo_status": 0x0110}},
        {f"{each} {each}-association-over-tls": "fail" for each in ("B.12", "B.13")},
    ),
    "an AE title that is not known": (
        {"tls.application": {"association": "rejected", "echo_status": None}},
        {f"{each} {each}-association-over-tls": "inconclusive" for each in ("B.12", "B.13")},
    ),
    "a port that does not speak DICOM": (
        {"tls.application": {"association": "no-dicom", "echo_status": None}},
        {f"{each} {each}-association-over-tls": "inconclusive" for each in ("B.12", "B.13")},
    ),
    "no downgrade sentinel": (
        {"tls.tolerance": {"random_tail_tls12": "0011223344556677"}}, both("fail", "RFC8446-4.1.3-downgrade-sentinel")
    ),
    "version intolerance": (
        {"tls.tolerance": {"client_versions": {0x03FF: alert(70)}}}, both("fail", "RFC5246-E.1-version-tolerance")
    ),
    "record version filtered": (
        {"tls.tolerance": {"record_versions": {0x0300: alert(70)}}}, both("fail", "RFC8996-4-any-record-version")
    ),
    "unknown values not ignored": (
        {"tls.tolerance": {"unknown_values_tls13": alert(47), "unknown_extensions_tls12": {"kind": "reset"}}},
        both("fail", "RFC8446-4.2.1-ignores-unknown-versions", "RFC5246-7.4.1.4-ignores-unknown-extensions"),
    ),
    "silence establishes nothing": (
        {"tls.tolerance": {"record_versions": {0x0300: {"kind": "silence"}}}},
        both("inconclusive", "RFC8996-4-any-record-version"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_spoilt_fact_turns_exactly_what_it_should(case: str, untouched: Verdicts) -> None:
    changes, expected = CASES[case]
    judged = verdicts(spoilt(changes))
    turned = {key: verdict for key, verdict in judged.items() if verdict != untouched[key]}
    assert turned == expected


def test_nothing_is_judged_from_nothing() -> None:
    judged = verdicts(dict.fromkeys(conforming()))
    assert set(judged.values()) == {"inconclusive"}


@pytest.mark.parametrize("kind", conforming())
def test_a_missing_observation_is_never_a_verdict_against_the_server(kind: str, untouched: Verdicts) -> None:
    judged = verdicts(conforming() | {kind: None})
    turned = {verdict for key, verdict in judged.items() if verdict != untouched[key]}
    assert turned <= {"inconclusive"}


def test_a_port_that_speaks_plain_dicom_is_told_by_its_diagnosis() -> None:
    facts: dict[str, Any] = dict.fromkeys(conforming())
    told = "this port speaks unencrypted DICOM"
    facts["tls.reachability"] = conforming()["tls.reachability"] | {"speaks": "plain-dicom", "diagnosis": told}
    judgement = judge(SUT, observations(facts), observed_at=NOW, command="probe")
    judged = [one for one in judgement.verdicts if not one.derived]
    assert {one.verdict for one in judged} == {VerdictKind.INCONCLUSIVE}
    assert all(told in one.reason for one in judged)


def test_a_server_that_refuses_everybody_is_not_failed() -> None:
    refused = {version: {"kind": "reset"} for version in (0x0002, 0x0300, 0x0301, 0x0302, TLS12, TLS13)}
    facts: dict[str, Any] = dict.fromkeys(conforming())
    facts["tls.versions"] = {"reactions": refused}
    assert set(verdicts(facts).values()) == {"inconclusive"}


def test_alternates_show_what_one_endpoint_cannot() -> None:
    other = EndpointRecord(name="ecdsa", protocol="dicom-tls", host="127.0.0.1", port=2763)
    claims = tuple(claim.model_copy(update={"alternates": ("ecdsa",)}) for claim in (B12, B13))
    sut = SUT.model_copy(update={"claims": claims, "endpoints": (DIMSE, other)})
    rsa = {"tls.cipher-suites": {"versions": {TLS12: accepted(0xC030, 0xCCA8, 0xC02F)}}} | certificates(chain("rsa"))
    ecdsa_suites = (0xC02C, 0xC0AD, 0xC0AF, 0xCCA9, 0xC02B, 0xC0AC, 0xC0AE)
    ecdsa = {"tls.cipher-suites": {"versions": {TLS12: accepted(*ecdsa_suites)}}} | certificates(chain("ec"))
    judged = verdicts(spoilt(rsa), sut, {"ecdsa": spoilt(ecdsa)})
    assert {verdict for key, verdict in judged.items() if "tls-1.2-ecdhe" in key} == {"pass"}
    assert "fail" not in judged.values()
    assert "inconclusive" not in judged.values()
    intolerant = spoilt(ecdsa | {"tls.tolerance": {"client_versions": {0x03FF: alert(70)}}})
    judged = verdicts(spoilt(rsa), sut, {"ecdsa": intolerant})
    assert judged["B.13 RFC5246-E.1-version-tolerance"] == "fail"  # the worst of the endpoints counts


def test_an_unencrypted_and_a_web_endpoint_on_one_port_are_seen_in_the_sut_file() -> None:
    web = EndpointRecord(name="web", protocol="https", host="127.0.0.1", port=2762)
    judged = verdicts(conforming(), SUT.model_copy(update={"endpoints": (DIMSE, web)}))
    assert judged["B.12 B.12-dicomweb-port-differs"] == "fail"


def test_a_web_server_that_leaves_an_association_request_unanswered_takes_none() -> None:
    heard = spoilt({"tls.application": {"association": "silence", "http_answer": True}})
    web = EndpointRecord(name="dimse", protocol="https", host="127.0.0.1", port=8443)
    assert verdicts(heard, SUT.model_copy(update={"endpoints": (web,)}))["B.12 B.12-dicomweb-port-differs"] == "pass"
    assert verdicts(heard)["B.12 B.12-dicomweb-port-differs"] == "inconclusive"


def test_https_is_asked_for_alpn() -> None:
    web = EndpointRecord(name="dimse", protocol="https", host="127.0.0.1", port=8443)
    sut = SUT.model_copy(update={"endpoints": (web,)})
    answered = {
        "tls.application": {"association": "no-dicom", "http_answer": True},
        "tls.extensions": {"alpn_selected": "h2"},
    }
    assert verdicts(spoilt(answered), sut)["B.12 RFC9325-3.8-alpn-https"] == "pass"
    silent = answered | {"tls.extensions": {"alpn_selected": ""}}
    assert verdicts(spoilt(silent), sut)["B.12 RFC9325-3.8-alpn-https"] == "warning"
    judged = verdicts(conforming(), sut)
    assert judged["B.12 RFC9325-3.8-alpn-https"] == "inconclusive"
