"""The registry tables, held against independent sources: OpenSSL, tlslite-ng, and a second transcription of B.13."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from tlslite.constants import CipherSuite as TlsliteSuites

from reference_impl.transport import registry
from reference_impl.transport.profiles import UnknownProfileError, load_profile, profiles

B13_TLS12_REQUIRED = """
ECDHE_ECDSA AES_256_GCM_SHA384, ECDHE_RSA AES_256_GCM_SHA384, ECDHE_ECDSA AES_256_CCM, ECDHE_ECDSA AES_256_CCM_8,
ECDHE_ECDSA CHACHA20_POLY1305_SHA256, ECDHE_RSA CHACHA20_POLY1305_SHA256, ECDHE_RSA AES_128_GCM_SHA256,
ECDHE_ECDSA AES_128_GCM_SHA256, ECDHE_ECDSA AES_128_CCM, ECDHE_ECDSA AES_128_CCM_8
"""
B13_TLS12_OPTIONAL = """
ECDHE_ECDSA CAMELLIA_256_GCM_SHA384, ECDHE_RSA CAMELLIA_256_GCM_SHA384, ECDHE_ECDSA CAMELLIA_128_GCM_SHA256,
ECDHE_RSA CAMELLIA_128_GCM_SHA256, DHE_RSA AES_256_GCM_SHA384, DHE_RSA CAMELLIA_256_GCM_SHA384, DHE_RSA AES_256_CCM,
DHE_RSA AES_256_CCM_8, DHE_RSA CHACHA20_POLY1305_SHA256, DHE_RSA AES_128_GCM_SHA256,
DHE_RSA CAMELLIA_128_GCM_SHA256, DHE_RSA AES_128_CCM, DHE_RSA AES_128_CCM_8
"""


def names_of(transcription: str) -> set[str]:
    return {"TLS_" + "_WITH_".join(entry.split()) for entry in transcription.replace("\n", " ").split(",")}


def test_code_points_and_names_are_unique() -> None:
    assert len({suite.name for suite in registry.SUITES.values()}) == len(registry.SUITES)
    assert sum(suite.iana for suite in registry.SUITES.values()) >= 350
    assert {code for code, suite in registry.SUITES.items() if suite.signalling} == {0x00FF, 0x5600}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_openssl_agrees_about_every_suite_it_knows() -> None:
    listing = subprocess.run(
        ["openssl", "ciphers", "-V", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    pattern = r"0x(\w\w),0x(\w\w) - (\S+)\s+- \S+\s+\S+\s+Kx=(\S+)\s+Au=(\S+)\s+Enc=(\w+)(?:\((\d+)\))?\s+Mac=(\S+)"
    rows = re.findall(pattern, listing)
    assert len(rows) > 100
    ciphers = {
        "AESGCM": ("AES", "GCM"),
        "AESCCM": ("AES", "CCM"),
        "AESCCM8": ("AES", "CCM_8"),
        "ARIAGCM": ("ARIA", "GCM"),
        "AES": ("AES", "CBC"),
        "Camellia": ("CAMELLIA", "CBC"),
        "CHACHA20/POLY1305": ("CHACHA20", "POLY1305"),
        "CHACHA20": ("CHACHA20", "POLY1305"),
        "SEED": ("SEED", "CBC"),
        "IDEA": ("IDEA", "CBC"),
        "RC4": ("RC4", "stream"),
        "None": ("NULL", ""),
    }
    for high, low, name, _exchange, _authentication, encryption, bits, mac in rows:
        suite = registry.SUITES[int(high + low, 16)]
        assert suite.name == name
        if encryption in ciphers:
            assert (suite.cipher, suite.mode) == ciphers[encryption], name
            assert suite.strength_bits == int(bits or 0), name
        assert suite.mac == mac, name


def test_tlslite_agrees_about_code_points_and_properties() -> None:
    for code, name in TlsliteSuites.ietfNames.items():
        if code > 0xFFFF or code in {0xCC13, 0xCC14, 0xCC15}:  # SSL 2.0 kinds; drafts that reuse a final name
            continue
        assert registry.SUITES[code].name.lower() == name.lower()
    for code in TlsliteSuites.aeadSuites:
        assert registry.suite(code).aead
    for code in TlsliteSuites.tls13Suites:
        assert registry.suite(code).versions == "tls1.3"
    for code in TlsliteSuites.tripleDESSuites:
        assert (registry.suite(code).cipher, registry.suite(code).strength_bits) == ("3DES", 112)
    for code in TlsliteSuites.nullSuites:
        assert registry.suite(code).cipher == "NULL"
    for code in TlsliteSuites.certSuites:
        assert not registry.suite(code).forward_secrecy
    for code in TlsliteSuites.ecdheEcdsaSuites:
        suite = registry.suite(code)
        assert (suite.key_exchange, suite.authentication, suite.forward_secrecy) == ("ECDHE", "ECDSA", True)
    for code in TlsliteSuites.anonSuites:
        assert registry.suite(code).authentication == "anon"


def test_an_unknown_code_point_is_named_as_such() -> None:
    assert registry.suite(0x4242).name == "unknown 0x4242"
    assert registry.group(0x4242).name == "unknown 0x4242"
    assert registry.signature_scheme(0xFE00).signature == ""
    assert registry.alert_name(70) == "protocol_version"
    assert registry.alert_name(250) == "unknown (250)"


def test_export_suites_are_weak_and_marked() -> None:
    marked = {suite.name for suite in registry.SUITES.values() if suite.export}
    assert marked == {suite.name for suite in registry.SUITES.values() if "EXPORT" in suite.name}
    assert all(suite.strength_bits <= 56 for suite in registry.SUITES.values() if suite.export)


def test_the_suites_of_b13_match_a_second_transcription() -> None:
    profile = load_profile("B.13", "2026c")

    def names(codes: tuple[int, ...]) -> set[str]:
        return {registry.SUITES[code].name for code in codes}

    assert names(profile.required["TLS 1.2"]) == names_of(B13_TLS12_REQUIRED)
    assert names(profile.optional["TLS 1.2"]) == names_of(B13_TLS12_OPTIONAL)
    assert names(profile.required["TLS 1.3"]) == {
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_AES_128_CCM_SHA256",
        "TLS_AES_128_CCM_8_SHA256",
    }
    for code in profile.required["TLS 1.2"] + profile.optional["TLS 1.2"]:
        suite = registry.suite(code)
        assert suite.key_exchange in profile.permitted["key_exchange"]
        assert suite.mode in profile.permitted["block_mode"] or suite.cipher in profile.permitted["stream_cipher"]
        assert suite.hash in profile.permitted["hash"]


def test_permitted_and_forbidden_algorithms_never_overlap() -> None:
    for name, edition in profiles():
        profile = load_profile(name, edition)
        for function, permitted in profile.permitted.items():
            assert not permitted & profile.forbidden.get(function, frozenset())


def test_an_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(UnknownProfileError, match=r"B\.12 \(2026c\)"):
        load_profile("B.99", "2026c")
