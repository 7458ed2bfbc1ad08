"""PS3.15 B.13: the algorithms that shall not be used and the only ones that are permitted, function by function.

The lists concern the TLS connection: cipher suites of every version that is accepted, key exchanges and the signatures
of the handshake. Certificates have rules of their own (`test_certificates`).
"""

from __future__ import annotations

from collections.abc import Iterable

from harness import TLS13, Missing, Resumption, verifies
from reference_impl.transport.registry import signature_scheme, version_name
from suites.transport.algorithms import (
    UNDECIDED_HASH,
    Function,
    block_cipher,
    block_mode,
    hashes,
    key_exchange,
    signature,
    stream_cipher,
)
from suites.transport.expectations import expect_no_signature, expect_no_suite
from suites.transport.view import TlsServer

pytest_plugins = ("suites.transport.fixtures",)


def nothing_is_forbidden(tls: TlsServer, what: str, function: Function) -> None:
    """No accepted suite has an algorithm of the forbidden list of `what`."""
    forbidden = tls.profile.forbidden[what]
    expect_no_suite(tls, f"suite with {', '.join(sorted(forbidden))}", lambda suite: bool(function(suite) & forbidden))


def all_is_permitted(tls: TlsServer, what: str, function: Function, undecided: Iterable[str] = ()) -> None:
    """Every accepted suite has only algorithms of the permitted list of `what`."""
    permitted = tls.profile.permitted[what]
    known = permitted | frozenset(undecided)
    expect_no_suite(
        tls, f"suite with anything but {', '.join(sorted(permitted))}", lambda suite: bool(function(suite) - known)
    )


@verifies("B.13-forbidden-key-exchange")
def test_no_forbidden_key_exchange(tls: TlsServer) -> None:
    """B.13: static DH, static ECDH and RSA key transport are not used."""
    nothing_is_forbidden(tls, "key_exchange", key_exchange)


@verifies("B.13-permitted-key-exchange")
def test_only_permitted_key_exchanges(tls: TlsServer) -> None:
    """B.13: keys are exchanged by ECDHE or DHE. Resumption by the old secret alone is neither, and undecided."""
    all_is_permitted(tls, "key_exchange", key_exchange)
    for server in tls.endpoints:
        if not server.accepts(TLS13):
            continue
        resumption = server.facts(Resumption)
        if resumption.psk_ke or resumption.selected_without_key_share:
            raise Missing(
                "TLS 1.3 sessions are resumed without a key exchange (psk_ke), which is neither ECDHE nor DHE; "
                "the standard does not say whether its list reaches resumption",
                "Let the server resume TLS 1.3 sessions with psk_dhe_ke only.",
                resumption.exchanges,
            )


@verifies("B.13-forbidden-signature")
def test_no_forbidden_signature(tls: TlsServer) -> None:
    """B.13: GOST R 34.10-2012 is not used."""
    forbidden = tls.profile.forbidden["signature"]
    nothing_is_forbidden(tls, "signature", signature)
    expect_no_signature(tls, sorted(forbidden), lambda scheme: scheme.signature in forbidden)


@verifies("B.13-permitted-signature")
def test_only_permitted_signatures(tls: TlsServer) -> None:
    """B.13: signatures are ECDSA, RSASSA PKCS#1 v1.5 or RSASSA-PSS; Ed25519 and Ed448 are not listed."""
    permitted = tls.profile.permitted["signature"]
    all_is_permitted(tls, "signature", signature)
    expect_no_signature(
        tls,
        ["anything but", *sorted(permitted)],
        lambda scheme: bool(scheme.signature) and scheme.signature not in permitted,
    )


@verifies("B.13-forbidden-block-cipher")
def test_no_forbidden_block_cipher(tls: TlsServer) -> None:
    """B.13: RC2, IDEA, DES, Triple DES, GOST 28147-89, Magma, Kuznyechik, ARIA and SEED are not used."""
    nothing_is_forbidden(tls, "block_cipher", block_cipher)


@verifies("B.13-permitted-block-cipher")
def test_only_permitted_block_ciphers(tls: TlsServer) -> None:
    """B.13: block ciphers are AES or Camellia."""
    all_is_permitted(tls, "block_cipher", block_cipher)


@verifies("B.13-forbidden-block-mode")
def test_no_forbidden_mode_of_operation(tls: TlsServer) -> None:
    """B.13: CBC and CTR-OMAC are not used."""
    nothing_is_forbidden(tls, "block_mode", block_mode)


@verifies("B.13-permitted-block-mode")
def test_only_permitted_modes_of_operation(tls: TlsServer) -> None:
    """B.13: block ciphers work in GCM, CCM or CCM_8."""
    all_is_permitted(tls, "block_mode", block_mode)


@verifies("B.13-forbidden-stream-cipher")
def test_no_forbidden_stream_cipher(tls: TlsServer) -> None:
    """B.13: RC4 is not used."""
    nothing_is_forbidden(tls, "stream_cipher", stream_cipher)


@verifies("B.13-permitted-stream-cipher")
def test_only_permitted_stream_ciphers(tls: TlsServer) -> None:
    """B.13: the stream cipher is ChaCha20-Poly1305."""
    all_is_permitted(tls, "stream_cipher", stream_cipher)


@verifies("B.13-forbidden-hash")
def test_no_forbidden_hash_function(tls: TlsServer) -> None:
    """B.13: MD5, SHA-1 and GOST R 34.11-2012 are not used, neither by suites nor under handshake signatures."""
    forbidden = tls.profile.forbidden["hash"]
    nothing_is_forbidden(tls, "hash", hashes)
    expect_no_signature(tls, sorted(forbidden), lambda scheme: scheme.hash.upper() in forbidden)


@verifies("B.13-permitted-hash")
def test_only_permitted_hash_functions(tls: TlsServer) -> None:
    """B.13: hash functions are SHA-256 and SHA-384. On SHA-512, good enough for certificates, it is undecided.

    A server that signs with SHA-512 because nothing else is offered merely supports it; one that prefers it uses it.
    """
    permitted = tls.profile.permitted["hash"]
    known = permitted | {UNDECIDED_HASH, ""}
    all_is_permitted(tls, "hash", hashes, {UNDECIDED_HASH})
    expect_no_signature(tls, ["anything but", *sorted(permitted)], lambda scheme: scheme.hash.upper() not in known)
    undecided = tls.accepted(lambda suite: UNDECIDED_HASH in hashes(suite))
    preferred = [
        f"{signature_scheme(chosen[0].code).name} in {version_name(version)}"
        for server in tls.endpoints
        for version, chosen in server.signatures.items()
        if chosen and signature_scheme(chosen[0].code).hash.upper() == UNDECIDED_HASH
    ]
    if undecided or preferred:
        raise Missing(
            f"SHA-512 is used ({', '.join([*map(str, undecided), *preferred])}); "
            "it is stronger than the permitted hash functions, yet not on their list",
            "Prefer signature schemes with SHA-256 or SHA-384.",
        )
