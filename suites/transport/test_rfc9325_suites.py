"""Cipher suites: PS3.15 B.12 (nothing unencrypted or unsigned), RFC 9325 4.1, 4.2 and 4.2.1."""

from __future__ import annotations

from harness import (
    SSL3,
    TLS10,
    TLS11,
    TLS12,
    TLS13,
    Extensions,
    Missing,
    NotApplicable,
    Preferences,
    PreferenceTrial,
    expect,
    verifies,
)
from reference_impl.transport.registry import CipherSuite, suite
from suites.transport.algorithms import NULL_WITH_NULL_NULL, encrypts, is_anonymous
from suites.transport.expectations import at_every_endpoint, expect_no_suite
from suites.transport.view import Endpoint, TlsServer
from suites.transport.words import shown, unanswered

pytest_plugins = ("suites.transport.fixtures",)

BEFORE_TLS13 = (SSL3, TLS10, TLS11, TLS12)
RSA_AES_128_CBC_SHA = 0x002F
RECOMMENDED = 0xC02F  # TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
RECOMMENDED_RSA = (0xC02F, 0xC030)
RECOMMENDED_ECDSA = (0xC02B, 0xC02C)


def is_weaker(each: CipherSuite) -> bool:
    """Whether the suite is weaker than TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256."""
    return not each.forward_secrecy or not each.aead or each.strength_bits < 128 or is_anonymous(each)


@verifies("B.12-no-null-cipher", "RFC9325-4.1-no-null", "RFC7525-4.1-no-null")
def test_no_suite_without_encryption(tls: TlsServer) -> None:
    """B.12: no NULL cipher; RFC 9325 4.1: no NULL encryption. The integrity-only suites of TLS 1.3 are such."""
    expect_no_suite(tls, "suite that does not encrypt", lambda each: each.cipher == "NULL")


@verifies("B.12-no-null-key-exchange")
def test_no_suite_without_key_exchange(tls: TlsServer) -> None:
    """B.12: no NULL key exchange."""
    expect_no_suite(tls, "TLS_NULL_WITH_NULL_NULL", lambda each: each.code == NULL_WITH_NULL_NULL)


@verifies("B.12-no-null-signature-hash")
def test_no_suite_without_signature_or_hash(tls: TlsServer) -> None:
    """B.12: no NULL signature or hash, hence no anonymous suite."""
    expect_no_suite(tls, "anonymous suite", is_anonymous)


@verifies("RFC9325-4.1-no-rc4", "RFC7525-4.1-no-rc4")
def test_no_rc4(tls: TlsServer) -> None:
    """RFC 9325 4.1: no RC4."""
    expect_no_suite(tls, "suite with RC4", lambda each: each.cipher == "RC4")


@verifies("RFC9325-4.1-no-below-112-bits", "RFC7525-4.1-no-below-112-bits")
def test_no_suite_below_112_bits(tls: TlsServer) -> None:
    """RFC 9325 4.1: no suite of less than 112 bits. Suites that do not encrypt at all are forbidden apart."""
    expect_no_suite(tls, "suite of less than 112 bits", lambda each: encrypts(each) and each.strength_bits < 112)


@verifies("RFC9325-4.1-no-below-128-bits", "RFC7525-4.1-no-below-128-bits")
def test_no_suite_below_128_bits(tls: TlsServer) -> None:
    """RFC 9325 4.1: suites of less than 128 bits should not be negotiated."""
    expect_no_suite(tls, "suite of less than 128 bits", lambda each: encrypts(each) and each.strength_bits < 128)


@verifies("RFC9325-4.1-no-static-rsa", "RFC7525-4.1-no-static-rsa")
def test_no_static_rsa(tls: TlsServer) -> None:
    """RFC 9325 4.1: RSA key transport should not be negotiated."""
    expect_no_suite(tls, "suite with RSA key transport", lambda each: each.key_exchange == "RSA")


@verifies("RFC9325-4.1-no-static-dh")
def test_no_static_dh(tls: TlsServer) -> None:
    """RFC 9325 4.1: static finite-field Diffie-Hellman should not be negotiated."""
    expect_no_suite(tls, "suite with static DH", lambda each: each.key_exchange == "DH")


@verifies("RFC9325-4.1-no-static-ecdh")
def test_no_static_ecdh(tls: TlsServer) -> None:
    """RFC 9325 4.1: static elliptic curve Diffie-Hellman should not be negotiated."""
    expect_no_suite(tls, "suite with static ECDH", lambda each: each.key_exchange == "ECDH")


@verifies("RFC9325-4.1-no-dhe")
def test_no_dhe(tls: TlsServer) -> None:
    """RFC 9325 4.1: TLS_DHE_ suites should not be negotiated under TLS 1.2. B.13 allows them: advice there."""
    expect_no_suite(tls, "TLS_DHE_ suite", lambda each: each.key_exchange == "DHE", TLS12)


@verifies("RFC9325-4.1-supports-forward-secrecy", "RFC7525-4.1-supports-forward-secrecy")
def test_forward_secrecy_is_supported(tls: TlsServer) -> None:
    """RFC 9325 4.1: suites with forward secrecy are supported, under TLS 1.2 in its own right (3.1.1)."""
    versions = (TLS12,) if tls.accepts(TLS12) else (TLS13,)
    seen = tls.accepted(lambda each: each.forward_secrecy, *versions)
    if not seen:
        tls.every_suite_was_offered(*versions)
    expect([str(each) for each in seen[:3]], evidence=[each.exchange for each in seen[:1]]).to_hold(
        bool(seen), expected="a suite with forward secrecy is accepted"
    )


@verifies("RFC9325-4.1-prefers-forward-secrecy", "RFC7525-4.1-prefers-forward-secrecy")
@at_every_endpoint
def test_forward_secrecy_is_preferred(server: Endpoint) -> None:
    """RFC 9325 4.1: offered suites with and without forward secrecy, the server chooses one that has it."""
    trial = preference(server)
    if trial is not None:
        if trial.selected is None:
            raise unanswered(trial.reaction, f"an offer of both kinds of suites to {server.name}")
        expect(
            trial.selected,
            evidence=trial.reaction.exchange,
            what="chosen of both kinds",
            show=lambda code: suite(code).name,
        ).to_hold(suite(trial.selected).forward_secrecy, expected="a suite with forward secrecy")
        return
    accepted = server.suites(TLS12 if server.accepts(TLS12) else server.versions_accepted[-1])
    if not accepted.complete:
        raise Missing(f"not all suites were tried at {server.name}", "Run the observation again.")
    without = [suite(each.code) for each in accepted.accepted if not suite(each.code).forward_secrecy]
    if without and len(without) < len(accepted.accepted):
        raise Missing(f"the preference of {server.name} was not tried", "Run the observation again.")
    expect([each.name for each in without], what="suites without forward secrecy").to_be_empty(
        expected=("chosen only where nothing else is offered", "none accepted at all")
    )


def preference(server: Endpoint) -> PreferenceTrial | None:
    """The trial of both kinds of suites; None where there was none, for want of one kind or of an answer."""
    try:
        return server.facts(Preferences).forward_secrecy
    except Missing:
        return None


@verifies("RFC9325-4.2-recommended-suites-rsa")
def test_the_recommended_rsa_suites_are_supported(tls: TlsServer) -> None:
    """RFC 9325 4.2: with an RSA certificate, ECDHE_RSA with AES-128-GCM and AES-256-GCM is recommended."""
    recommended_suites_are_supported(tls, "RSA", RECOMMENDED_RSA)


@verifies("RFC9325-4.2-recommended-suites-ecdsa")
def test_the_recommended_ecdsa_suites_are_supported(tls: TlsServer) -> None:
    """RFC 9325 4.2: with an ECDSA certificate, ECDHE_ECDSA with AES-128-GCM and AES-256-GCM is recommended."""
    recommended_suites_are_supported(tls, "ECDSA", RECOMMENDED_ECDSA)


def recommended_suites_are_supported(tls: TlsServer, kind: str, codes: tuple[int, ...]) -> None:
    """Those who have a certificate of `kind` accept the suites `codes` under TLS 1.2."""
    if not tls.accepts(TLS12):
        raise NotApplicable("the server does not support TLS 1.2")
    if not tls.has_certificate(kind):
        raise NotApplicable(f"the server has no {kind} certificate")
    seen = {each.suite.code: each.exchange for each in tls.accepted(lambda each: each.code in codes, TLS12)}
    if set(codes) - set(seen):
        tls.every_suite_was_offered(TLS12)
    expect(sorted(seen), evidence=seen.values(), show=lambda code: suite(code).name).to_contain(codes)


@verifies("RFC9325-4.2-cbc-only-with-encrypt-then-mac")
def test_cbc_only_with_encrypt_then_mac(tls: TlsServer) -> None:
    """RFC 9325 4.2: CBC suites should not be used unless encrypt_then_mac was negotiated."""
    if not tls.has_suite(lambda each: each.mode == "CBC", *BEFORE_TLS13):
        raise NotApplicable("the server accepts no CBC suite")
    at_every_endpoint(uses_no_cbc_without_encrypt_then_mac)(tls)


def uses_no_cbc_without_encrypt_then_mac(server: Endpoint) -> None:
    """A hello with CBC suites but without encrypt_then_mac is refused, one with it is answered with it."""
    facts = server.facts(Extensions)
    reaction = facts.cbc_without_encrypt_then_mac
    if reaction is None and facts.encrypt_then_mac is None:
        raise Missing(
            f"CBC suites with and without encrypt_then_mac were not tried at {server.name}",
            "Run the observation again.",
        )
    if reaction is not None:
        if not (reaction.accepted or reaction.refused):
            raise unanswered(reaction, "a hello with CBC suites alone")
        expect(reaction, evidence=reaction.exchange, what="CBC without encrypt_then_mac", show=shown).to_hold(
            reaction.refused, expected=("alert", "connection closed", "connection reset")
        )
    if facts.encrypt_then_mac is not None:
        expect(facts.encrypt_then_mac, evidence=facts.hello_exchange, what="encrypt_then_mac answered").to_be(True)


@verifies("RFC9325-4.2.1-prefers-recommended-suite", "RFC7525-4.2.1-prefers-recommended-suite")
def test_the_recommended_suite_is_preferred_to_weaker_ones(tls: TlsServer) -> None:
    """RFC 9325 4.2.1: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 is preferred to weaker suites, even if offered last."""
    if not tls.has_suite(lambda each: each.code == RECOMMENDED, TLS12):
        raise NotApplicable(f"the server does not accept {suite(RECOMMENDED).name}")
    if not tls.has_suite(is_weaker, TLS12):
        raise NotApplicable(f"the server accepts no suite weaker than {suite(RECOMMENDED).name} under TLS 1.2")
    at_every_endpoint(prefers_the_recommended_suite)(tls)


def prefers_the_recommended_suite(server: Endpoint) -> None:
    """Offered weaker suites and the recommended one, the server chooses no weaker one."""
    trial = server.facts(Preferences).recommended
    if trial is None:
        accepted = server.suites(TLS12)
        codes = {each.code for each in accepted.accepted}
        if accepted.complete and not (RECOMMENDED in codes and any(is_weaker(suite(code)) for code in codes)):
            raise NotApplicable(f"{server.name} does not accept both the recommended and a weaker suite")
        raise Missing(f"the preference of {server.name} was not tried", "Run the observation again.")
    if trial.selected is None:
        raise unanswered(trial.reaction, f"an offer of weaker suites and {suite(RECOMMENDED).name}")
    expect(trial.selected, evidence=trial.reaction.exchange, what="chosen", show=lambda code: suite(code).name).to_hold(
        not is_weaker(suite(trial.selected)), expected=f"{suite(RECOMMENDED).name} or a suite that is not weaker"
    )


@verifies("RFC9325-4.2.1-no-rsa-aes-128-cbc-sha")
def test_the_mandatory_suite_of_tls_1_2_is_not_supported(tls: TlsServer) -> None:
    """RFC 9325 4.2.1: TLS_RSA_WITH_AES_128_CBC_SHA should not be supported."""
    expect_no_suite(tls, suite(RSA_AES_128_CBC_SHA).name, lambda each: each.code == RSA_AES_128_CBC_SHA)
