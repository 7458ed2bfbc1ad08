"""What each fault of the reference node does. What it breaks stands in ``reference_impl/faults/server.toml``."""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.hazmat.primitives import hashes

from reference_impl.transport.faults import certificates, handshake, suites, versions
from reference_impl.transport.faults import client_certificates as clients
from reference_impl.transport.faults.behaviour import Behaviour
from reference_impl.transport.faults.beside import BESIDE_BEHAVIOURS
from reference_impl.transport.faults.flights import dhe
from reference_impl.transport.faults.records import random_nonces, repeated_nonce
from reference_impl.transport.faults.retired import RETIRED_BEHAVIOURS
from reference_impl.transport.profiles import load_profile
from reference_impl.transport.registry import suite

_TLS_1_0, _TLS_1_1 = 0x0301, 0x0302


def missing_suite_faults() -> dict[str, int]:
    """The faults that leave out one required suite of B.13 each: name to code point."""
    required = load_profile("B.13").required
    return {
        f"missing-{suite(code).name.removeprefix('TLS_').lower().replace('_', '-')}": code
        for codes in required.values()
        for code in codes
    }


BEHAVIOURS: Mapping[str, Behaviour] = {
    # protocol versions
    "ssl-2.0": versions.serving_ssl2(),
    "ssl-3.0": versions.serving_old(0x0300),
    "tls-1.0-also": versions.serving_old(_TLS_1_0),
    "tls-1.1-also": versions.serving_old(_TLS_1_1),
    "tls-1.0-only": versions.serving_old(_TLS_1_0, only=True),
    "tls-1.1-only": versions.serving_old(_TLS_1_1, only=True),
    "no-tls-1.2": versions.without_tls_1_2(),
    "no-tls-1.3": versions.without_tls_1_3(),
    "tls-1.3-not-preferred": versions.preferring_tls_1_2(),
    "no-downgrade-sentinel": versions.without_sentinel(),
    "handshake-failure-for-tls-1.0": versions.refusing_by(40, _TLS_1_0),
    "handshake-failure-for-tls-1.1": versions.refusing_by(40, _TLS_1_1),
    "version-intolerant": versions.intolerant_of_versions(),
    "extension-intolerant": versions.intolerant_of_extensions(),
    "grease-intolerant": versions.intolerant_of_grease(),
    "record-version-intolerant": versions.intolerant_of_record_versions(),
    # cipher suites
    "null-cipher": suites.accepting(0xC010, stack=suites.tlslite(["null"], ["sha"], ["ecdhe_rsa"])),
    "null-with-null-null": suites.accepting(0x0000),
    "integrity-only": suites.accepting_in_tls_1_3(0xC0B4, 0xC0B5),
    "anonymous": suites.accepting(0x00A6),
    "rc4": suites.accepting(0xC011, stack=suites.tlslite(["rc4"], ["sha"], ["ecdhe_rsa"])),
    "triple-des": suites.accepting(0xC012, stack=suites.tlslite(["3des"], ["sha"], ["ecdhe_rsa"])),
    "des": suites.accepting(0x0009),
    "export": suites.accepting(0x0003, 0x0008),
    "idea": suites.accepting(0x0007),
    "seed": suites.accepting(0x0096),
    "gost": suites.accepting(0xC100),
    "aria": suites.accepting(0xC060),
    "camellia-cbc": suites.accepting(0xC076),
    "cbc": suites.accepting(0xC027),
    "draft-chacha20": suites.accepting(0xCC13),
    "static-rsa": suites.serving_also(0x009C),
    "static-rsa-aes-128-cbc-sha": suites.accepting(0x002F, stack=suites.tlslite(["aes128"], ["sha"], ["rsa"])),
    "static-dh": suites.accepting(0x00A0),
    "static-ecdh": suites.accepting(0xC031),
    "dhe": suites.accepting(0x009E),
    "dhe-1024": suites.accepting(0x009E, exchange=dhe(1024)),
    "dhe-key-reused": suites.accepting(0x009E, exchange=dhe(reused=True)),
    "no-forward-secrecy": suites.serving_only(0x009C),
    "forward-secrecy-not-preferred": suites.preferring(0x009C),
    "recommended-suite-not-preferred": suites.preferring(0xC027),
    "no-recommended-suites-rsa": suites.without_recommended(0xC02F, 0xC030, instead=(0xCCA8,)),
    "no-recommended-suites-ecdsa": suites.without_recommended(0xC02B, 0xC02C, instead=(0xCCA9,)),
    **{name: suites.missing(code) for name, code in missing_suite_faults().items()},
    # groups and keys
    "curve-p-192": handshake.using_group(0x0013),
    "curve-p-224": handshake.using_group(0x0015),
    "ecdhe-key-reused": handshake.reusing_ecdhe_key(),
    "no-x25519": handshake.without_x25519(),
    "no-p-256": handshake.without_p256(),
    # certificates
    "rsa-1024-certificate": certificates.presenting("server_rsa_1024", unable=frozenset({0x0806})),
    "p-224-certificate": certificates.presenting("server_p224"),
    "p-384-certificate": certificates.presenting("server_p384"),
    "ed25519-certificate": certificates.presenting("server_ed25519", schemes=frozenset({0x0807})),
    "rsa-1024-signer": certificates.presenting("server_signed_by_rsa_1024"),
    "p-224-signer": certificates.presenting("server_signed_by_p224"),
    "sha-1-certificate": certificates.presenting("server_sha1"),
    "md5-certificate": certificates.presenting("server_md5"),
    "expired-certificate": certificates.presenting("server_expired"),
    "script-names-certificate": certificates.presenting("server_script_names"),
    "no-ocsp-staple": certificates.not_stapling(),
    # certificates of clients
    "any-client-certificate": clients.accepting_any(),
    "accepts-expired-client": clients.overlooking(clients.NOT_YET_VALID, clients.EXPIRED),
    "accepts-unknown-client-issuer": clients.overlooking(
        clients.SELF_SIGNED, clients.SELF_SIGNED_IN_CHAIN, clients.ISSUER_NOT_FOUND, clients.LEAF_NOT_VERIFIED
    ),
    "ignores-client-signature": clients.overlooking(clients.SIGNATURE_FAILURE, clients.ALGORITHMS_DISAGREE),
    "ignores-basic-constraints": clients.overlooking(
        clients.INVALID_AUTHORITY,
        clients.INVALID_PURPOSE,
        clients.NO_CERT_SIGN,
        clients.CERT_SIGN_OF_NO_AUTHORITY,
        where=clients.of_no_authority,
    ),
    "ignores-path-length": clients.overlooking(clients.PATH_LENGTH_EXCEEDED),
    "ignores-key-usage-of-issuers": clients.overlooking(
        clients.INVALID_AUTHORITY, clients.INVALID_PURPOSE, clients.NO_CERT_SIGN, where=clients.of_authority
    ),
    "ignores-key-usage-of-clients": clients.overlooking(clients.INVALID_PURPOSE, where=clients.wrong_usage),
    "ignores-name-constraints": clients.overlooking(clients.PERMITTED_VIOLATION, clients.EXCLUDED_VIOLATION),
    "ignores-critical-extensions": clients.overlooking(clients.UNHANDLED_CRITICAL_EXTENSION),
    "accepts-any-purpose": clients.overlooking(clients.INVALID_PURPOSE, where=clients.wrong_purpose),
    "accepts-weak-client-keys": clients.overlooking(clients.LEAF_KEY_TOO_SMALL, clients.ISSUER_KEY_TOO_SMALL),
    "accepts-md5-client": clients.overlooking(clients.DIGEST_TOO_WEAK, where=clients.signed_with(hashes.MD5)),
    "accepts-sha-1-client": clients.overlooking(clients.DIGEST_TOO_WEAK, where=clients.signed_with(hashes.SHA1)),
    "ignores-client-revocation": clients.overlooking(clients.REVOKED),
    "skips-certificate-verify": clients.not_verifying_possession(),
    "refuses-missing-purpose": clients.demanding_purpose(),
    # extensions, names, tickets
    "compression": handshake.compressing(),
    "no-renegotiation-info": handshake.without_renegotiation_info(),
    "no-extended-master-secret": handshake.without_extended_master_secret(),
    "truncated-hmac": handshake.truncating_hmac(),
    "sha-1-handshake-signature": handshake.signing_with(0x0201, 0x0203),
    "md5-handshake-signature": handshake.signing_with(0x0101),
    "unknown-name-continued": handshake.continuing_with_unknown_name(),
    "unknown-name-other-alert": handshake.refusing_unknown_name_by(40),
    "early-data": handshake.issuing_tickets(early_data=16384),
    "ticket-lifetime": handshake.issuing_tickets(lifetime=30 * 86400),
    "resumption-without-key-share": handshake.resuming_without_key_share(),
    # after the handshake
    "bad-mac-ignored": handshake.ignoring_bad_records(),
    "nonce-random": handshake.numbering_records_by(random_nonces),
    "nonce-repeated": handshake.numbering_records_by(repeated_nonce),
    "plaintext-accepted": handshake.accepting_plaintext(),
    "http-on-dicom-port": handshake.sharing_port(),
    "echo-fails": Behaviour(echo_status=0x0110),
    # at HTTPS endpoints
    "dicom-on-https-port": handshake.sharing_port(),
    "no-alpn": handshake.ignoring_alpn(),
    # under retired profiles and older wordings
    **RETIRED_BEHAVIOURS,
    **BESIDE_BEHAVIOURS,
}
"""Every fault of the TLS front by name."""

__all__ = ["BEHAVIOURS", "Behaviour", "missing_suite_faults"]
