"""Cipher suites that a client goes on with: PS3.15 B.12 and B.13, RFC 9325 4.1 and 4.2.

To offer a suite is not to use it: what counts is that the client goes on when a server selects it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from harness import TLS12, TLS13, Missing, NotApplicable, expect, verifies
from reference_impl.transport.registry import SignatureScheme, signature_scheme, suite
from suites.transport.algorithms import (
    BY_FUNCTION,
    NULL_WITH_NULL_NULL,
    UNDECIDED_HASH,
    encrypts,
    hashes,
    is_anonymous,
)
from suites.transport.client_expectations import (
    at_every_client_endpoint,
    expect_no_suite_in_use,
    expect_refused,
    settled_by_trial,
)
from suites.transport.client_view import ClientEndpoint, TlsClient, before_tls13
from suites.transport.expectations import judged_everywhere
from suites.transport.view import JudgedRequirement, SuiteRule

pytest_plugins = ("suites.transport.fixtures",)

ED25519, ED448 = 0x0807, 0x0808
ED25519_TRIAL = "certificate/ed25519"
WEAK_SIGNATURES = ("signature-md5", "signature-sha1")
SHA224_SIGNATURE = "signature-sha224"

_OF_BCP_195: dict[str, tuple[str, SuiteRule]] = {
    "no-null": ("suite that does not encrypt", lambda each: each.cipher == "NULL"),
    "no-rc4": ("suite with RC4", lambda each: each.cipher == "RC4"),
    "no-below-112-bits": ("suite of less than 112 bits", lambda each: encrypts(each) and each.strength_bits < 112),
    "no-below-128-bits": ("suite of less than 128 bits", lambda each: encrypts(each) and each.strength_bits < 128),
    "no-static-rsa": ("suite with RSA key transport", lambda each: each.key_exchange == "RSA"),
}
"""What RFC 9325 and RFC 7525, both in 4.1, say alike."""
PROHIBITED: dict[str, tuple[str, SuiteRule]] = {
    "B.12-client-no-null-cipher": _OF_BCP_195["no-null"],
    "B.12-client-no-null-key-exchange": ("TLS_NULL_WITH_NULL_NULL", lambda each: each.code == NULL_WITH_NULL_NULL),
    "B.12-client-no-null-signature-hash": ("anonymous suite", is_anonymous),
    **{f"RFC{rfc}-4.1-client-{name}": rule for rfc in (9325, 7525) for name, rule in _OF_BCP_195.items()},
    "RFC9325-4.1-client-no-static-dh": ("suite with static DH", lambda each: each.key_exchange == "DH"),
    "RFC9325-4.1-client-no-static-ecdh": ("suite with static ECDH", lambda each: each.key_exchange == "ECDH"),
    "RFC9325-4.1-client-no-dhe": ("TLS_DHE_ suite", lambda each: each.key_exchange == "DHE"),
}
"""Suites that a client does not go on with, by requirement: in words, and by rule."""


@verifies(*PROHIBITED)
def test_no_prohibited_suite_is_used(client: TlsClient, requirement: JudgedRequirement) -> None:
    """B.12 and RFC 9325 4.1: the client goes on with no such suite."""
    what, rule = PROHIBITED[requirement.id]
    judged_everywhere(lambda endpoint: expect_no_suite_in_use(endpoint, what, rule), client.endpoints)


@verifies("RFC9325-4.2-client-cbc-only-with-encrypt-then-mac")
@at_every_client_endpoint
def test_cbc_only_with_encrypt_then_mac(client: ClientEndpoint) -> None:
    """RFC 9325 4.2: CBC suites should not be used unless encrypt_then_mac was negotiated."""
    client.not_without(TLS12)
    offered = client.offered(lambda each: each.mode == "CBC")
    if not offered:
        raise NotApplicable(f"the client offers no CBC suite at {client.name}", client.hello_exchange)
    used = [
        (suite(each.suite).name, each.exchange)
        for played in client.all_played
        if played.trial.id != ENCRYPT_THEN_MAC  # the others do not answer the extension
        for each in played.accepted
        if each.version == TLS12 and each.suite is not None and suite(each.suite).mode == "CBC"
    ]
    expect(
        [name for name, _ in used], evidence=[at for _, at in used] or client.hello_exchange, what="suites in use"
    ).to_be_empty(expected="no CBC suite without encrypt_then_mac")
    for each in offered:
        settled_by_trial(client, each)


ENCRYPT_THEN_MAC = "suite-cbc-encrypt-then-mac"


@verifies("B.13-client-tls-1.2-closed-set")
def test_no_other_tls_1_2_suite_is_used(client: TlsClient) -> None:
    """B.13: under TLS 1.2, suites outside the required and the optional list are not permitted."""
    permitted = {*client.profile.required["TLS 1.2"], *client.profile.optional["TLS 1.2"]}
    rule = before_tls13(lambda each: each.code not in permitted)
    judged_everywhere(
        lambda endpoint: expect_no_suite_in_use(endpoint, "TLS 1.2 suite outside both lists", rule), client.endpoints
    )


_FORBIDDEN, _PERMITTED = "B.13-client-forbidden-", "B.13-client-permitted-"


def function_of(requirement: JudgedRequirement) -> str:
    """The key of the profile's table that a requirement of the algorithms is about."""
    return requirement.id.removeprefix(_FORBIDDEN).removeprefix(_PERMITTED).replace("-", "_")


@verifies(*(_FORBIDDEN + each.replace("_", "-") for each in BY_FUNCTION))
def test_no_forbidden_algorithm_is_used(client: TlsClient, requirement: JudgedRequirement) -> None:
    """B.13: algorithms of the forbidden lists are used neither by suites nor under handshake signatures."""
    name = function_of(requirement)
    forbidden, function = client.profile.forbidden[name], BY_FUNCTION[name]

    def suites(endpoint: ClientEndpoint) -> None:
        what = f"suite with {', '.join(sorted(forbidden))}"
        expect_no_suite_in_use(endpoint, what, lambda each: bool(function(each) & forbidden))

    def signatures(endpoint: ClientEndpoint) -> None:
        if name == "signature":
            no_own_signature(endpoint, lambda scheme: scheme.signature in forbidden, sorted(forbidden))
        if name == "hash":
            no_own_signature(endpoint, lambda scheme: scheme.hash.upper() in forbidden, sorted(forbidden))
            refused_where_they_apply(endpoint, WEAK_SIGNATURES)

    def uses_none(endpoint: ClientEndpoint) -> None:
        judged_everywhere(lambda judge: judge(endpoint), (suites, signatures))

    judged_everywhere(uses_none, client.endpoints)


@verifies(*(_PERMITTED + each.replace("_", "-") for each in BY_FUNCTION))
def test_only_permitted_algorithms_are_used(client: TlsClient, requirement: JudgedRequirement) -> None:
    """B.13: what is used is on the permitted lists. On SHA-512, good enough for certificates, it is undecided."""
    name = function_of(requirement)
    permitted, function = client.profile.permitted[name], BY_FUNCTION[name]
    known = permitted | ({UNDECIDED_HASH} if name == "hash" else frozenset())

    def suites(endpoint: ClientEndpoint) -> None:
        what = f"suite with anything but {', '.join(sorted(permitted))}"
        expect_no_suite_in_use(endpoint, what, lambda each: bool(function(each) - known))

    def signatures(endpoint: ClientEndpoint) -> None:
        if name == "signature":
            only_permitted_signatures(endpoint, permitted)
        if name == "hash":
            only_permitted_hashes(endpoint, known)

    def uses_only_them(endpoint: ClientEndpoint) -> None:
        judged_everywhere(lambda judge: judge(endpoint), (suites, signatures))

    judged_everywhere(uses_only_them, client.endpoints)


def only_permitted_signatures(client: ClientEndpoint, permitted: frozenset[str]) -> None:
    """Handshakes are signed by permitted algorithms alone, on either side: Ed25519 and Ed448 are not listed."""
    no_own_signature(client, lambda scheme: bool(scheme.signature) and scheme.signature not in permitted, ["others"])
    schemes = client.hello.schemes or ()
    if ED25519 in schemes or client.was_played(ED25519_TRIAL):
        expect_refused(client, (ED25519_TRIAL,))
    elif ED448 in schemes:
        raise Missing(
            f"the client offers Ed448 at {client.name}, and no trial signs with it",
            "Remove Ed448 from the signature schemes of the client.",
            client.hello_exchange,
        )


def only_permitted_hashes(client: ClientEndpoint, known: frozenset[str]) -> None:
    """Handshakes are signed with permitted hash functions alone; on SHA-512 the standard does not decide."""
    no_own_signature(client, lambda scheme: bool(scheme.hash) and scheme.hash.upper() not in known, ["others"])
    refused_where_they_apply(client, (*WEAK_SIGNATURES, SHA224_SIGNATURE))
    undecided = [str(each) for each in client.suites_in_use(lambda each: UNDECIDED_HASH in hashes(each))]
    undecided += [scheme.name for scheme, _ in own_signatures(client) if scheme.hash.upper() == UNDECIDED_HASH]
    if undecided:
        raise Missing(
            f"SHA-512 is used ({', '.join(dict.fromkeys(undecided))}); "
            "it is stronger than the permitted hash functions, yet not on their list",
            "Prefer signature schemes with SHA-256 or SHA-384.",
        )


def own_signatures(client: ClientEndpoint) -> list[tuple[SignatureScheme, str]]:
    """The schemes with which the client signed handshakes, with their exchanges."""
    found = {
        each.scheme: each.exchange
        for played in client.all_played
        for each in played.connections
        if each.scheme is not None
    }
    return [(signature_scheme(code), exchange) for code, exchange in found.items()]


def no_own_signature(client: ClientEndpoint, rule: Callable[[SignatureScheme], bool], what: Iterable[str]) -> None:
    """The client signs no handshake with a scheme that `rule` is about."""
    offending = [(scheme.name, exchange) for scheme, exchange in own_signatures(client) if rule(scheme)]
    expect(
        [name for name, _ in offending],
        evidence=[exchange for _, exchange in offending],
        what="handshake signatures of the client",
    ).to_be_empty(expected=f"none with {' '.join(what)}")


def refused_where_they_apply(client: ClientEndpoint, trials: Iterable[str]) -> None:
    """The client breaks off those of `trials` whose version it offers."""
    try:
        expect_refused(client, trials)
    except NotApplicable:
        return


@verifies("RFC9325-4.5-client-no-sha1-md5-signatures")
@at_every_client_endpoint
def test_no_handshake_signature_with_sha_1_or_md5(client: ClientEndpoint) -> None:
    """RFC 9325 4.5, RFC 9155: neither side's part of the handshake is signed with SHA-1 or MD5."""
    if not client.hello.offers(TLS12) and not client.hello.offers(TLS13):
        raise NotApplicable(f"the client offers no version with signature schemes at {client.name}")
    no_own_signature(client, lambda scheme: scheme.hash.lower() in {"sha1", "md5"}, ["SHA-1 or MD5"])
    refused_where_they_apply(client, WEAK_SIGNATURES)
