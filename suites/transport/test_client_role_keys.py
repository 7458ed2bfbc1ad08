"""Keys and certificates of a client: PS3.15 B.13, RFC 9325 4.2, 4.5, 7.2.1 and 7.4, RFC 5288 3."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

from harness import TLS12, ClientConnection, Missing, NotApplicable, expect, verifies
from reference_impl.transport.registry import group, suite
from suites.transport.certificate_rules import (
    EC_KEYS,
    RSA_SIGNATURES,
    are_signed_strongly,
    key_bits,
    key_lengths,
    not_broken,
)
from suites.transport.client_expectations import at_every_client_endpoint, expect_refused, told
from suites.transport.client_view import AGAIN, ORDINARY, ClientEndpoint, TlsClient, offers_curves
from suites.transport.expectations import expect_certificates, judged_everywhere
from suites.transport.view import KEY_TYPES, SeenCertificate

pytest_plugins = ("suites.transport.fixtures",)

X25519 = 0x001D  # 255 bits by field, "256 bits or more" by the standard: no ruling, never failed
WEAK_CURVES = {0x0013: "curve-p-192", 0x0015: "curve-p-224"}
"""The weak curves that a trial exchanges keys over."""
LEAST_BITS = 224
A_FEW = 4


def offers_dhe(client: ClientEndpoint) -> None:
    """Raise `NotApplicable` unless the client offers a DHE suite of TLS 1.2; groups of TLS 1.3 are all long enough."""
    if not client.offered(lambda each: each.key_exchange.startswith("DHE")):
        raise NotApplicable(f"the client offers no DHE suite at {client.name}", client.hello_exchange)


@verifies(
    "B.13-client-dhe-key-length",
    "B.11-client-dhe-key-length",
    "RFC9325-4.5-client-dhe-2048",
    "RFC7525-4.3-client-dhe-2048",
)
@at_every_client_endpoint
def test_short_dhe_keys_are_refused(client: ClientEndpoint) -> None:
    """B.13 and RFC 9325 4.5: the key length of DHE is 2048 bits or more."""
    offers_dhe(client)
    expect_refused(client, ("dhe-1024",))


def no_short_curves(client: ClientEndpoint, least: int) -> None:
    """The client exchanges keys over no curve of fewer than `least` bits, and none stays untried that it offers."""
    if not offers_curves(client):
        raise NotApplicable(f"the client offers no key exchange over curves at {client.name}", client.hello_exchange)

    def short(code: int) -> bool:
        of = group(code)
        return of.kind == "ecdhe" and 0 < of.bits < least and code != X25519

    used = [
        (f"{group(each.group).name} in trial {played}", each.exchange)
        for played in client.all_played
        for each in played.accepted
        if each.group is not None and short(each.group)
    ]
    expect(
        [what for what, _ in used], evidence=[at for _, at in used] or client.hello_exchange, what="curves"
    ).to_be_empty(expected=f"curves of at least {least} bits")
    offered = [code for code in client.hello.groups or () if short(code)]
    trials = [
        trial
        for code, trial in WEAK_CURVES.items()
        if short(code) and (client.was_played(trial) or (code in offered and client.hello.offers(TLS12)))
    ]
    if trials:
        expect_refused(client, trials)
    if untried := [group(code).name for code in offered if code not in WEAK_CURVES]:
        raise Missing(
            f"the client offers {', '.join(untried[:3])} at {client.name}, which no trial selects",
            "Restrict the groups of the client to curves of at least 256 bits.",
            client.hello_exchange,
        )


@verifies("B.13-client-ecdhe-key-length", "B.11-client-ecdhe-key-length")
def test_ecdhe_keys_have_256_bits(client: TlsClient) -> None:
    """B.13: the key length of ECDHE is 256 bits or more. X25519 and hybrids have no ruling and are never failed."""
    least = client.profile.minimum_bits["ecdhe"]
    judged_everywhere(lambda endpoint: no_short_curves(endpoint, least), client.endpoints)


@verifies("RFC9325-4.5-client-no-curves-below-224")
@at_every_client_endpoint
def test_no_curves_below_224_bits(client: ClientEndpoint) -> None:
    """RFC 9325 4.5: curves of less than 224 bits are not used."""
    no_short_curves(client, LEAST_BITS)


# -- certificates that the client shows


def shown(
    client: ClientEndpoint, what: str, about: Callable[[SeenCertificate], bool] = lambda _: True
) -> list[SeenCertificate]:
    """The certificates that the client shows and that `about` holds of; `NotApplicable` where there is none."""
    found = [each for each in client.certificates if about(each)]
    if not found:
        said = f"the client shows no certificate {what}".rstrip()
        raise NotApplicable(f"{said} at {client.name}", client.witnesses(ORDINARY))
    return found


def by_others(each: SeenCertificate) -> bool:
    """Whether the signature counts: it is no trust anchor that was sent along."""
    return not each.anchor


@verifies("B.13-client-certificate-rsa-key-length")
def test_rsa_keys_of_client_certificates(client: TlsClient) -> None:
    """B.13: an RSA subject key has 2048 bits or more."""
    least = client.profile.minimum_bits["certificate_rsa"]

    def long_enough(endpoint: ClientEndpoint) -> None:
        found = shown(endpoint, "with an RSA key", lambda each: each.facts.key_type in KEY_TYPES["RSA"])
        key_lengths(found, "RSA keys of certificates", key_bits, least)

    judged_everywhere(long_enough, client.endpoints)


@verifies("B.13-client-certificate-ecc-key-length")
def test_elliptic_curve_keys_of_client_certificates(client: TlsClient) -> None:
    """B.13: an elliptic curve subject key has 256 bits or more."""
    least = client.profile.minimum_bits["certificate_ecc"]

    def long_enough(endpoint: ClientEndpoint) -> None:
        found = shown(endpoint, "with an elliptic curve key", lambda each: each.facts.key_type in EC_KEYS)
        key_lengths(found, "elliptic curve keys of certificates", key_bits, least)

    judged_everywhere(long_enough, client.endpoints)


@verifies("B.13-client-certificate-rsa-signature-key-length")
def test_rsa_keys_that_sign_client_certificates(client: TlsClient) -> None:
    """B.13: a certificate signed with RSA is signed by a key of 2048 bits or more."""
    signed_by_long_keys(client, RSA_SIGNATURES, "RSA", "certificate_rsa_signature")


@verifies("B.13-client-certificate-ecdsa-signature-key-length")
def test_ecdsa_keys_that_sign_client_certificates(client: TlsClient) -> None:
    """B.13: a certificate signed with ECDSA is signed by a key of 256 bits or more."""
    signed_by_long_keys(client, frozenset({"ecdsa"}), "ECDSA", "certificate_ecdsa_signature")


def signed_by_long_keys(client: TlsClient, algorithms: frozenset[str], kind: str, key: str) -> None:
    """The keys that signed the client's certificates by one of `algorithms` are as long as the profile wants."""

    def long_enough(endpoint: ClientEndpoint) -> None:
        found = shown(
            endpoint,
            f"signed with {kind}",
            lambda each: by_others(each) and each.facts.signature_algorithm in algorithms,
        )
        what = f"{kind} keys that sign certificates"
        key_lengths(found, what, lambda each: each.signer_bits, client.profile.minimum_bits[key])

    judged_everywhere(long_enough, client.endpoints)


@verifies("B.13-client-certificate-hash")
@at_every_client_endpoint
def test_hash_of_client_certificates(client: ClientEndpoint) -> None:
    """B.13: the hash function of certificates is SHA-256 or greater."""
    are_signed_strongly(shown(client, "", by_others))


@verifies("RFC9325-4.5-client-no-sha1-md5-certificates")
@at_every_client_endpoint
def test_no_client_certificate_is_signed_with_sha_1_or_md5(client: ClientEndpoint) -> None:
    """RFC 9325 4.5: signatures of certificates use neither SHA-1 nor MD5."""
    not_broken(shown(client, "", by_others))


@verifies("RFC9325-4.2-client-ecdsa-p256")
@at_every_client_endpoint
def test_ecdsa_client_certificates_are_on_p256(client: ClientEndpoint) -> None:
    """RFC 9325 4.2: ECDSA with the curve P-256 is recommended."""
    leaves = shown(client, "for ECDSA", lambda each: each.place == 0 and each.facts.key_type in EC_KEYS)
    expect_certificates(
        leaves, "curves of ECDSA client certificates", lambda leaf: leaf.facts.curve == "secp256r1", "P-256"
    )


# -- nonces and ephemeral keys


def counted(client: ClientEndpoint) -> list[tuple[list[int], ClientConnection]]:
    """The explicit AES-GCM nonces of every TLS 1.2 connection with at least two records, in order."""
    client.not_without(TLS12)
    if not client.offered(lambda each: each.mode == "GCM" and each.versions != "tls1.3"):
        raise NotApplicable(f"the client offers no GCM suite of TLS 1.2 at {client.name}", client.hello_exchange)
    found = [
        ([int(nonce, 16) for nonce in each.explicit_nonces], each)
        for played in client.all_played
        for each in played.connections
        if each.version == TLS12 and len(each.explicit_nonces) > 1 and each.suite is not None
        and suite(each.suite).mode == "GCM"
    ]  # fmt: skip
    if not found:
        raise Missing(f"no TLS 1.2 connection with two records under AES-GCM came to {client.name}", AGAIN)
    return found


@verifies("RFC9325-7.2.1-client-gcm-nonce-sequence")
@at_every_client_endpoint
def test_gcm_nonces_count_the_records(client: ClientEndpoint) -> None:
    """RFC 9325 7.2.1: the explicit nonce of AES-GCM counts the records, from zero or from another beginning."""
    seen = counted(client)
    odd = [
        (nonces, each)
        for nonces, each in seen
        if {(after - before) % 2**64 for before, after in pairwise(nonces)} != {1}
    ]
    expect(
        [", ".join(f"{nonce:016x}" for nonce in nonces[:4]) for nonces, _ in odd],
        evidence=[each.exchange for _, each in odd or seen[:A_FEW]],
        what="explicit nonces out of sequence",
    ).to_be_empty(expected="each one more than that of the record before")


@verifies("RFC5288-3-client-nonce-unique")
@at_every_client_endpoint
def test_no_gcm_nonce_is_used_twice(client: ClientEndpoint) -> None:
    """RFC 5288 3: the explicit nonce of AES-GCM is distinct for every record of a key."""
    seen = counted(client)
    twice = [
        (f"{nonce:016x}", each.exchange)
        for nonces, each in seen
        for nonce, times in Counter(nonces).items()
        if times > 1
    ]
    expect(
        [nonce for nonce, _ in twice],
        evidence=[exchange for _, exchange in twice] or [each.exchange for _, each in seen[:A_FEW]],
        what="nonces used twice",
    ).to_be_empty()


@verifies("RFC9325-7.4-client-no-ffdh-reuse")
@at_every_client_endpoint
def test_dhe_keys_are_used_once(client: ClientEndpoint) -> None:
    """RFC 9325 7.4: finite-field Diffie-Hellman keys should not be used for several connections."""
    offers_dhe(client)
    seen = [
        (each.dhe_public, each.exchange)
        for played in client.all_played
        for each in played.connections
        if each.dhe_public
    ]
    twice = [key for key, times in Counter(key for key, _ in seen).items() if times > 1]
    expect(
        [f"{key[:32]}..." for key in twice],
        evidence=[exchange for key, exchange in seen if not twice or key in twice],
        what="DHE keys used again",
    ).to_be_empty()
    if len(seen) < 2:
        played = client.played("suite-dhe")
        if not played.accepted:
            client.control(played)
            told(played)
            raise NotApplicable(f"the client goes on with no DHE suite at {client.name}", played.exchanges)
        raise Missing(f"the client made one DHE key at {client.name}, with none to compare it with", AGAIN)
