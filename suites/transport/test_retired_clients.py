"""TLS clients that claim a retired profile: B.1, B.3, B.10 and B.11 by the tables of the profiles, and RFC 7525."""

from __future__ import annotations

from harness import SSL3, TLS10, TLS11, TLS12, Missing, NotApplicable, expect, verifies
from reference_impl.transport.profiles import load_profile
from reference_impl.transport.registry import group, suite, version_name
from suites.transport.client_expectations import at_every_client_endpoint, expect_no_suite_in_use, expect_offered
from suites.transport.client_view import ClientEndpoint, TlsClient, before_tls13, offered_suites, offers_curves
from suites.transport.expectations import judged_everywhere
from suites.transport.test_rfc9325_suites import is_weaker
from suites.transport.view import JudgedRequirement

pytest_plugins = ("suites.transport.fixtures",)

FRAMEWORK = (TLS10, TLS11, TLS12)  # the versions with the handshake and the key exchange by RSA of RFC 2246
WITH_PRIVACY, WITHOUT_PRIVACY = load_profile("B.1").derived["any"]
AES, TRIPLE_DES = load_profile("B.3").required["any"]
RECOMMENDED = (0x009E, 0xC02F, 0x009F, 0xC030)  # DHE_RSA and ECDHE_RSA with AES-GCM
FIRST_PROPOSAL = 0xC02F
UNCOMPRESSED = 0
LEAST_CURVE = 192


def _requirements(profile: str) -> dict[str, int]:
    codes = next(iter(load_profile(profile).required.values()))
    return {
        f"{profile}-client-offers-{suite(code).name.removeprefix('TLS_').lower().replace('_', '-')}": code
        for code in codes
    }


OFFERED = _requirements("B.3") | _requirements("B.10") | _requirements("B.11")


@verifies("B.1-client-tls-framework", "B.3-client-tls-framework")
@at_every_client_endpoint
def test_the_framework_of_tls_1_0_is_kept(client: ClientEndpoint) -> None:
    """B.1, B.3: the framework of TLS 1.0, which TLS 1.1 and 1.2 kept; no version is required or forbidden."""
    offered = [version_name(version) for version in FRAMEWORK if client.hello.offers(version)]
    expect(offered, evidence=client.hello_exchange, what="versions offered").to_hold(
        bool(offered), expected="one of TLS 1.0, 1.1 and 1.2"
    )


@verifies(*OFFERED)
def test_a_suite_of_the_profile_is_offered(client: TlsClient, requirement: JudgedRequirement) -> None:
    """B.3, B.10, B.11: all suites of the profile are supported; what a client does not offer it does not support."""
    judged_everywhere(lambda endpoint: is_offered(endpoint, OFFERED[requirement.id]), client.endpoints)


def is_offered(client: ClientEndpoint, code: int) -> None:
    """The suite stands in the hello that an ordinary server gets."""
    names = [each.name for each in offered_suites(client.hello)]
    expect(names[:8], evidence=client.hello_exchange, what="suites offered").to_hold(
        code in client.hello.suites, expected=f"{suite(code).name} among them"
    )


@verifies("B.1-client-offers-rsa-with-3des-ede-cbc-sha")
@at_every_client_endpoint
def test_triple_des_is_offered_where_privacy_is_supported(client: ClientEndpoint) -> None:
    """B.1, Table B.1-1: the minimum mechanisms together, if the client supports privacy."""
    if not encrypting(client):
        raise NotApplicable(f"the client offers no suite that encrypts at {client.name}", client.hello_exchange)
    is_offered(client, WITH_PRIVACY)


@verifies("B.1-client-offers-rsa-with-null-sha")
@at_every_client_endpoint
def test_null_is_offered_where_privacy_is_not_supported(client: ClientEndpoint) -> None:
    """B.1, Table B.1-1: the minimum mechanisms but for privacy, if the client does not support that."""
    if encrypting(client):
        raise NotApplicable(f"the client offers suites that encrypt at {client.name}", client.hello_exchange)
    is_offered(client, WITHOUT_PRIVACY)


def encrypting(client: ClientEndpoint) -> bool:
    """Whether the client offers a suite that encrypts."""
    return bool(client.offered(lambda each: each.cipher not in {"NULL", ""}))


@verifies("B.3-client-prefers-aes")
@at_every_client_endpoint
def test_aes_is_preferred_to_triple_des(client: ClientEndpoint) -> None:
    """B.3: of the two suites of the profile that with AES is named first."""
    named = [each for each in offered_suites(client.hello) if each.code in {AES, TRIPLE_DES}]
    if len({each.code for each in named}) < 2:
        raise NotApplicable(f"the client does not offer both suites at {client.name}", client.hello_exchange)
    expect(named[0].name, evidence=client.hello_exchange, what="named first").to_be(suite(AES).name)


@verifies("B.11-client-closed-set")
def test_no_other_suite_is_used(client: TlsClient) -> None:
    """B.11: no other cipher suites, those of TLS 1.3 included, which the list does not hold."""
    listed = {*client.profile.required["TLS 1.2"], *client.profile.optional["TLS 1.2"]}
    judged_everywhere(
        lambda endpoint: expect_no_suite_in_use(
            endpoint, "cipher suite outside the list of the profile", lambda each: each.code not in listed
        ),
        client.endpoints,
    )


@verifies("B.11-client-further-suites")
def test_one_of_the_further_suites_is_offered(client: TlsClient) -> None:
    """B.11: one or more of the eight suites with Camellia or ECDSA should be supported."""
    listed = client.profile.optional["TLS 1.2"]

    def offers_one(endpoint: ClientEndpoint) -> None:
        found = [suite(code).name for code in endpoint.hello.suites if code in listed]
        expect(found, evidence=endpoint.hello_exchange, what="further suites offered").to_hold(
            bool(found), expected="one of the eight suites at least"
        )

    judged_everywhere(offers_one, client.endpoints)


@verifies("RFC7525-3.1.1-client-prefers-tls-1.2")
@at_every_client_endpoint
def test_tls_1_2_is_preferred_to_earlier_versions(client: ClientEndpoint) -> None:
    """RFC 7525 3.1.1: TLS 1.2 is preferred to earlier versions: named before them, where versions are listed."""
    client.not_without(TLS12)
    listed = [version for version in client.hello.supported_versions if version in {*FRAMEWORK, SSL3}]
    first = listed[0] if listed else min(client.hello.version, TLS12)  # without a list it is the highest that counts
    expect(first, evidence=client.hello_exchange, what="first version below TLS 1.3", show=version_name).to_be(TLS12)


@verifies("RFC7525-3.1.3-client-no-fallback-to-ssl-3.0")
@at_every_client_endpoint
def test_no_fallback_to_ssl_3_0(client: ClientEndpoint) -> None:
    """RFC 7525 3.1.3: a client that falls back does not fall back to SSL 3.0 or anything older."""
    if client.hello.highest_version <= SSL3:
        raise NotApplicable(f"the client offers nothing above SSL 3.0 at {client.name}", client.hello_exchange)
    lower = [each for each in client.hellos if each.facts.highest_version <= SSL3]
    expect(
        [f"in trial {each.trial}" for each in lower],
        evidence=[each.exchange for each in lower],
        what="hellos of at most SSL 3.0",
    ).to_be_empty(expected="none, whatever failed before")
    for trial in ("fallback-after-close", "fallback-after-handshake-failure", "fallback-after-protocol-version"):
        client.played(trial)


@verifies("RFC7525-4.2-client-recommended-suites")
@at_every_client_endpoint
def test_the_four_recommended_suites_are_offered(client: ClientEndpoint) -> None:
    """RFC 7525 4.2: DHE_RSA and ECDHE_RSA with AES-128-GCM and AES-256-GCM are recommended."""
    expect_offered(client, RECOMMENDED)


@verifies("RFC7525-4.2.1-client-proposes-recommended-suite-first")
@at_every_client_endpoint
def test_the_recommended_suite_is_proposed_before_weaker_ones(client: ClientEndpoint) -> None:
    """RFC 7525 4.2.1: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 is the first proposal; stronger ones are free to lead."""
    client.not_without(TLS12)
    found = client.offered(before_tls13(lambda _: True))
    codes = [each.code for each in found]
    place = codes.index(FIRST_PROPOSAL) if FIRST_PROPOSAL in codes else len(codes)
    weaker = [each.name for each in found[:place] if is_weaker(each)]
    observed = weaker or [each.name for each in found[: place + 1]]
    expect(observed, evidence=client.hello_exchange, what="proposed first").to_hold(
        FIRST_PROPOSAL in codes and not weaker,
        expected=f"{suite(FIRST_PROPOSAL).name}, at most after suites that are not weaker",
    )


@verifies("RFC7525-4.2.1-client-ec-point-formats")
@at_every_client_endpoint
def test_uncompressed_points_are_announced(client: ClientEndpoint) -> None:
    """RFC 7525 4.2.1: ec_point_formats with the single element "uncompressed" should be sent."""
    client.not_without(TLS12)
    if not offers_curves(client):
        raise NotApplicable(f"the client offers no key exchange over curves at {client.name}", client.hello_exchange)
    expect(list(client.hello.point_formats or ()), evidence=client.hello_exchange, what="point formats sent").to_be(
        [UNCOMPRESSED], expected="0 (uncompressed) alone"
    )


@verifies("RFC7525-4.3-client-no-curves-below-192")
@at_every_client_endpoint
def test_no_curves_below_192_bits_are_offered(client: ClientEndpoint) -> None:
    """RFC 7525 4.3: curves of less than 192 bits should not be used; a server may take any that is offered."""
    if not offers_curves(client):
        raise NotApplicable(f"the client offers no key exchange over curves at {client.name}", client.hello_exchange)
    if client.hello.groups is None:
        raise Missing(
            f"the client offers curves and does not say which at {client.name}",
            "Use a TLS library that sends the supported_groups extension.",
            client.hello_exchange,
        )
    known = [group(code) for code in client.hello.groups]
    short = [each.name for each in known if each.kind == "ecdhe" and 0 < each.bits < LEAST_CURVE]
    expect(short, evidence=client.hello_exchange, what="curves offered").to_be_empty(
        expected=f"curves of at least {LEAST_CURVE} bits"
    )
