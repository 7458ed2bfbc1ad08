"""Certificates: PS3.15 B.13, RFC 9325 4.2, 4.5 and 7.5."""

from __future__ import annotations

from harness import Missing, NotApplicable, expect, verifies
from suites.transport.certificate_rules import (
    EC_KEYS,
    RSA_SIGNATURES,
    are_signed_strongly,
    key_bits,
    key_lengths,
    not_broken,
)
from suites.transport.expectations import expect_certificates
from suites.transport.view import KEY_TYPES, SeenCertificate, TlsServer

pytest_plugins = ("suites.transport.fixtures",)


def signed_by_others(tls: TlsServer) -> list[SeenCertificate]:
    """The certificates whose signature counts: all but trust anchors that were sent along."""
    return [each for each in tls.certificates if not each.anchor]


@verifies("B.13-certificate-rsa-key-length")
def test_rsa_keys_of_certificates(tls: TlsServer) -> None:
    """B.13: an RSA subject key has 2048 bits or more."""
    found = [each for each in tls.certificates if each.facts.key_type in KEY_TYPES["RSA"]]
    if not found and not tls.has_certificate("RSA"):
        raise NotApplicable("no certificate of the server has an RSA key")
    key_lengths(found, "RSA keys of certificates", key_bits, tls.profile.minimum_bits["certificate_rsa"])


@verifies("B.13-certificate-ecc-key-length")
def test_elliptic_curve_keys_of_certificates(tls: TlsServer) -> None:
    """B.13: an elliptic curve subject key has 256 bits or more."""
    found = [each for each in tls.certificates if each.facts.key_type in EC_KEYS]
    if not found and not tls.has_certificate("ECDSA"):
        raise NotApplicable("no certificate of the server has an elliptic curve key")
    least = tls.profile.minimum_bits["certificate_ecc"]
    key_lengths(found, "elliptic curve keys of certificates", key_bits, least)


@verifies("B.13-certificate-rsa-signature-key-length")
def test_rsa_keys_that_sign_certificates(tls: TlsServer) -> None:
    """B.13: a certificate signed with RSA is signed by a key of 2048 bits or more."""
    found = [each for each in signed_by_others(tls) if each.facts.signature_algorithm in RSA_SIGNATURES]
    every_kind_was_seen(tls, found, "RSA")
    least = tls.profile.minimum_bits["certificate_rsa_signature"]
    key_lengths(found, "RSA keys that sign certificates", lambda each: each.signer_bits, least)


@verifies("B.13-certificate-ecdsa-signature-key-length")
def test_ecdsa_keys_that_sign_certificates(tls: TlsServer) -> None:
    """B.13: a certificate signed with ECDSA is signed by a key of 256 bits or more."""
    found = [each for each in signed_by_others(tls) if each.facts.signature_algorithm == "ecdsa"]
    every_kind_was_seen(tls, found, "ECDSA")
    least = tls.profile.minimum_bits["certificate_ecdsa_signature"]
    key_lengths(found, "ECDSA keys that sign certificates", lambda each: each.signer_bits, least)


def every_kind_was_seen(tls: TlsServer, found: list[SeenCertificate], kind: str) -> None:
    """Raise `NotApplicable` if none was found although every chain that the server has was seen."""
    if found:
        return
    for each in KEY_TYPES:
        tls.has_certificate(each)  # Missing where a chain may have stayed unseen
    raise NotApplicable(f"no certificate of the server is signed with {kind}")


@verifies("B.13-certificate-hash")
def test_hash_of_certificates(tls: TlsServer) -> None:
    """B.13: the hash function of certificates is SHA-256 or greater."""
    are_signed_strongly(signed_by_others(tls))


@verifies("RFC9325-4.5-certificate-sha-256", "RFC7525-4.3-certificate-sha-256")
def test_certificates_are_signed_with_sha_256(tls: TlsServer) -> None:
    """RFC 9325 4.5: certificates should be signed with SHA-256."""
    are_signed_strongly(signed_by_others(tls))


@verifies("RFC9325-4.5-no-sha1-md5-certificates")
def test_no_certificate_is_signed_with_sha_1_or_md5(tls: TlsServer) -> None:
    """RFC 9325 4.5: signatures of certificates use neither SHA-1 nor MD5."""
    not_broken(signed_by_others(tls))


@verifies("RFC9325-4.5-rsa-certificate-2048", "RFC7525-4.3-rsa-certificate-2048")
def test_rsa_server_certificates_have_2048_bits(tls: TlsServer) -> None:
    """RFC 9325 4.5: the modulus of an RSA server certificate has 2048 bits or more."""
    if not tls.has_certificate("RSA"):
        raise NotApplicable("the server has no RSA certificate")
    found = [leaf for leaf in tls.leaves if leaf.facts.key_type in KEY_TYPES["RSA"]]
    key_lengths(found, "keys of RSA server certificates", key_bits, 2048)


@verifies("RFC9325-4.2-ecdsa-p256")
def test_ecdsa_server_certificates_are_on_p256(tls: TlsServer) -> None:
    """RFC 9325 4.2: ECDSA with the curve P-256 is recommended."""
    if not tls.has_certificate("ECDSA"):
        raise NotApplicable("the server has no ECDSA certificate")
    found = [leaf for leaf in tls.leaves if leaf.facts.key_type in EC_KEYS]
    expect_certificates(
        found, "curves of ECDSA server certificates", lambda leaf: leaf.facts.curve == "secp256r1", "P-256"
    )


@verifies("RFC9325-7.5-ocsp-stapling", "RFC7525-6.5-ocsp-stapling")
def test_an_ocsp_response_is_stapled(tls: TlsServer) -> None:
    """RFC 9325 7.5: a server whose certificate can be asked about by OCSP should staple the answer."""
    leaves = [leaf for leaf in tls.leaves if leaf.facts.ocsp_responders]
    if not leaves:
        raise NotApplicable("no server certificate names an OCSP responder")
    asked = [leaf for leaf in leaves if leaf.chain.ocsp_stapled is not None]
    if not asked:
        raise Missing("the status of the certificate was not asked for", "Run the observation again.")
    without = [leaf for leaf in asked if not leaf.chain.ocsp_stapled]
    expect([str(leaf) for leaf in without], evidence=[leaf.chain.exchange for leaf in asked]).to_be_empty(
        expected="an OCSP response stapled to every certificate that names a responder"
    )
