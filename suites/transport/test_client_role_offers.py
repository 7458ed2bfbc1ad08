"""What the ClientHello itself shows: PS3.15 B.12 and B.13, RFC 8996, RFC 9325 3 and 4."""

from __future__ import annotations

from harness import TLS10, TLS11, TLS12, TLS13, ClientHelloFacts, Missing, NotApplicable, expect, verifies
from reference_impl.transport.registry import group, signature_scheme, suite, version_name
from suites.transport.client_expectations import at_every_client_endpoint, expect_gone_on, expect_offered, went_on
from suites.transport.client_view import (
    ORDINARY,
    ORDINARY_TLS12,
    ClientEndpoint,
    Played,
    SeenHello,
    TlsClient,
    before_tls13,
    offered_suites,
    offers_curves,
)
from suites.transport.expectations import judged_everywhere

pytest_plugins = ("suites.transport.fixtures",)

TRUNCATED_HMAC, EXTENDED_MASTER_SECRET = 4, 23
SECP256R1, X25519 = 0x0017, 0x001D
FIRST_PROPOSAL = 0xC02F  # TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
RECOMMENDED = (0xC02B, 0xC02C, 0xC02F, 0xC030)
RSA_AES_128_CBC_SHA = 0x002F
UNCOMPRESSED = 0


def in_version(client: ClientEndpoint, version: int) -> Played | None:
    """An ordinary trial that the client went on with in `version`, None if it went on in none."""
    for trial in (ORDINARY, ORDINARY_TLS12) if version == TLS12 else (ORDINARY,):
        try:
            played = client.played(trial)
        except (Missing, NotApplicable):
            continue
        if any(each.version == version for each in played.accepted):
            return played
    return None


@verifies(
    "B.12-client-supports-tls-1.2",
    "RFC9325-3.1.1-client-supports-tls-1.2",
    "RFC7525-3.1.1-client-supports-tls-1.2",
)
@at_every_client_endpoint
def test_tls_1_2_is_supported(client: ClientEndpoint) -> None:
    """B.12, RFC 9325 3.1.1: the client offers TLS 1.2 and connects to a server that has nothing newer."""
    expect(offered_versions(client), evidence=client.hello_exchange, what="versions offered").to_hold(
        client.hello.offers(TLS12), expected="TLS 1.2 among them"
    )
    expect_gone_on(client, (ORDINARY_TLS12,), went_on)


def offered_versions(client: ClientEndpoint) -> list[str]:
    """The versions that the client offers: a list of them, or up to which one."""
    if not client.hello.supported_versions:
        return [f"up to {version_name(client.hello.version)}"]
    return [version_name(each) for each in (TLS10, TLS11, TLS12, TLS13) if client.hello.offers(each)]


@verifies("B.13-client-supports-tls-1.2-or-1.3")
@at_every_client_endpoint
def test_tls_1_2_or_1_3_is_supported(client: ClientEndpoint) -> None:
    """B.13: clients support at least one of TLS 1.2 and TLS 1.3."""
    expect(offered_versions(client), evidence=client.hello_exchange, what="versions offered").to_hold(
        client.hello.offers(TLS12) or client.hello.offers(TLS13), expected=("TLS 1.2 among them", "TLS 1.3 among them")
    )
    if in_version(client, TLS13) is None and in_version(client, TLS12) is None:
        client.control()
        raise Missing(
            f"the client connected neither in TLS 1.2 nor in TLS 1.3 at {client.name}", "Run the observation again."
        )


@verifies("RFC9325-3.1.1-client-supports-tls-1.3")
@at_every_client_endpoint
def test_tls_1_3_is_supported(client: ClientEndpoint) -> None:
    """RFC 9325 3.1.1: TLS 1.3 should be supported."""
    expect(offered_versions(client), evidence=client.hello_exchange, what="versions offered").to_hold(
        client.hello.offers(TLS13), expected="TLS 1.3 among them"
    )


@verifies("B.12-client-attempts-tls-1.3", "B.13-client-attempts-tls-1.3", "RFC9325-3.1.1-client-prefers-tls-1.3")
@at_every_client_endpoint
def test_tls_1_3_is_always_attempted(client: ClientEndpoint) -> None:
    """B.12, B.13, RFC 9325 3.1.1: a client that has TLS 1.3 offers it in every connection.

    After a connection that failed it may try again without.
    """
    first = first_hellos(client)
    if not any(each.facts.offers(TLS13) for each in client.hellos):
        raise NotApplicable(f"the client offers TLS 1.3 in no connection at {client.name}", client.hello_exchange)
    without = [each for each in first if not each.facts.offers(TLS13)]
    expect(
        [f"in trial {each.trial}" for each in without],
        evidence=[each.exchange for each in without] or client.hello_exchange,
        what="hellos without TLS 1.3",
    ).to_be_empty()


def first_hellos(client: ClientEndpoint) -> list[SeenHello]:
    """The hellos before which nothing had failed: the first of each trial that follows one that the client took.

    After a trial that failed the first may be a second try at the trial before.
    """
    found: list[SeenHello] = []
    failed = False
    for played in client.all_played:
        first = next((each for each in played.connections if each.hello is not None), None)
        if first is not None and first.hello is not None and not failed:
            found.append(SeenHello(first.hello, played.trial.id, first.exchange))
        failed = not played.accepted
    return found


@verifies("RFC8996-4-client-no-client-hello-tls-1.0")
@at_every_client_endpoint
def test_no_client_hello_of_tls_1_0(client: ClientEndpoint) -> None:
    """RFC 8996 4: no ClientHello.client_version {03,01}."""
    no_client_hello_of(client, TLS10)


@verifies("RFC8996-5-client-no-client-hello-tls-1.1")
@at_every_client_endpoint
def test_no_client_hello_of_tls_1_1(client: ClientEndpoint) -> None:
    """RFC 8996 5: no ClientHello.client_version {03,02}."""
    no_client_hello_of(client, TLS11)


def no_client_hello_of(client: ClientEndpoint, version: int) -> None:
    """No hello, in whichever trial, carries `version` as client_version."""
    sent = [each for each in client.hellos if each.facts.version == version]
    expect(
        [f"in trial {each.trial}" for each in sent],
        evidence=[each.exchange for each in sent] or client.hello_exchange,
        what=f"hellos of {version_name(version)}",
    ).to_be_empty()


@verifies("RFC9325-3.5-client-renegotiation-info")
@at_every_client_endpoint
def test_secure_renegotiation_is_implemented(client: ClientEndpoint) -> None:
    """RFC 9325 3.5, RFC 5746 3.4: the extension, or the signalling suite of the same meaning."""
    client.not_without(TLS12)
    expect(signals_renegotiation(client.hello), evidence=client.hello_exchange, what="secure renegotiation").to_be(
        True, expected=("the renegotiation_info extension", "TLS_EMPTY_RENEGOTIATION_INFO_SCSV")
    )


@verifies("RFC9325-3.5-client-renegotiation-info-sent")
@at_every_client_endpoint
def test_every_hello_signals_secure_renegotiation(client: ClientEndpoint) -> None:
    """RFC 9325 3.5: clients send renegotiation_info; RFC 5746 3.3 makes the signalling suite its equal."""
    client.not_without(TLS12)
    without = [each for each in client.hellos if each.facts.offers(TLS12) and not signals_renegotiation(each.facts)]
    expect(
        [f"in trial {each.trial}" for each in without],
        evidence=[each.exchange for each in without] or client.hello_exchange,
        what="hellos without renegotiation_info",
    ).to_be_empty()


def signals_renegotiation(hello: ClientHelloFacts) -> bool:
    """Whether a hello carries renegotiation_info or the signalling suite."""
    return hello.renegotiation_info or hello.renegotiation_scsv


@verifies("RFC9325-3.5-client-extended-master-secret")
@at_every_client_endpoint
def test_the_extended_master_secret_is_offered(client: ClientEndpoint) -> None:
    """RFC 9325 3.5, RFC 7627 5.2: extended_master_secret in every hello that offers TLS 1.2."""
    client.not_without(TLS12)
    without = [
        each
        for each in client.hellos
        if each.facts.offers(TLS12) and EXTENDED_MASTER_SECRET not in each.facts.extensions
    ]
    expect(
        [f"in trial {each.trial}" for each in without],
        evidence=[each.exchange for each in without] or client.hello_exchange,
        what="hellos without extended_master_secret",
    ).to_be_empty()


@verifies("RFC9325-4.1-client-supports-forward-secrecy", "RFC7525-4.1-client-supports-forward-secrecy")
@at_every_client_endpoint
def test_forward_secrecy_is_supported(client: ClientEndpoint) -> None:
    """RFC 9325 4.1: suites with forward secrecy are supported, under TLS 1.2 in its own right (3.1.1)."""
    if client.hello.offers(TLS12):
        found = client.offered(before_tls13(lambda each: each.forward_secrecy))
    else:
        found = client.offered(lambda each: each.forward_secrecy)
    expect([each.name for each in found[:3]], evidence=client.hello_exchange, what="suites offered").to_hold(
        bool(found), expected="a suite with forward secrecy among them"
    )


@verifies("RFC9325-4.1-client-prefers-forward-secrecy", "RFC7525-4.1-client-prefers-forward-secrecy")
@at_every_client_endpoint
def test_forward_secrecy_is_preferred(client: ClientEndpoint) -> None:
    """RFC 9325 4.1: the suite that the client names first has forward secrecy."""
    found = [each for each in offered_suites(client.hello) if each.name[:7] != "unknown"]
    if client.hello.offers(TLS12):
        found = [each for each in found if each.versions != "tls1.3"]
    if not found:
        raise Missing(f"the client offers no cipher suite that is known at {client.name}", "", client.hello_exchange)
    expect(found[0].name, evidence=client.hello_exchange, what="first suite").to_hold(
        found[0].forward_secrecy, expected="a suite with forward secrecy"
    )


@verifies("RFC9325-4.2-client-recommended-suites")
@at_every_client_endpoint
def test_the_recommended_suites_are_offered(client: ClientEndpoint) -> None:
    """RFC 9325 4.2: ECDHE with AES-128-GCM and AES-256-GCM, for RSA and for ECDSA."""
    expect_offered(client, RECOMMENDED)


@verifies("RFC9325-4.2.1-client-first-proposal")
@at_every_client_endpoint
def test_the_recommended_suite_is_the_first_proposal(client: ClientEndpoint) -> None:
    """RFC 9325 4.2.1: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 stands first among the suites of TLS 1.2."""
    client.not_without(TLS12)
    found = [each for each in offered_suites(client.hello) if each.versions != "tls1.3"]
    if not found:
        raise Missing(f"the client offers no cipher suite of TLS 1.2 at {client.name}", "", client.hello_exchange)
    expect(found[0].name, evidence=client.hello_exchange, what="first suite of TLS 1.2").to_be(
        suite(FIRST_PROPOSAL).name
    )


@verifies("RFC9325-4.2.1-client-no-rsa-aes-128-cbc-sha")
@at_every_client_endpoint
def test_the_mandatory_suite_of_tls_1_2_is_not_offered(client: ClientEndpoint) -> None:
    """RFC 9325 4.2.1: TLS_RSA_WITH_AES_128_CBC_SHA should not be supported; what a client offers it supports."""
    client.not_without(TLS12)
    offered = client.offered(lambda each: each.code == RSA_AES_128_CBC_SHA)
    expect([each.name for each in offered], evidence=client.hello_exchange, what="suites offered").to_be_empty(
        expected=f"{suite(RSA_AES_128_CBC_SHA).name} not among them"
    )


@verifies("RFC9325-4.2.1-client-supported-groups", "RFC7525-4.2.1-client-supported-groups-extension")
@at_every_client_endpoint
def test_the_groups_are_announced(client: ClientEndpoint) -> None:
    """RFC 9325 4.2.1: the groups are announced by extension."""
    if not offers_curves(client):
        raise NotApplicable(f"the client offers no key exchange over curves at {client.name}", client.hello_exchange)
    expect(client.hello.groups is not None, evidence=client.hello_exchange, what="supported_groups sent").to_be(True)


@verifies("RFC9325-4.2.1-client-supports-p256", "RFC7525-4.2.1-client-supports-p256")
@at_every_client_endpoint
def test_p256_is_offered(client: ClientEndpoint) -> None:
    """RFC 9325 4.2.1: P-256 should be supported."""
    group_is_offered(client, SECP256R1)


@verifies("RFC9325-4.2.1-client-supports-x25519")
@at_every_client_endpoint
def test_x25519_is_offered(client: ClientEndpoint) -> None:
    """RFC 9325 4.2.1: X25519 should be supported."""
    group_is_offered(client, X25519)


def group_is_offered(client: ClientEndpoint, code: int) -> None:
    """The group is announced. Without the extension any curve may be meant."""
    if client.hello.groups is None and offers_curves(client):
        raise Missing(
            f"the client offers curves and does not say which at {client.name}",
            "Use a TLS library that sends the supported_groups extension.",
            client.hello_exchange,
        )
    offered = client.hello.groups or ()
    expect(offered, evidence=client.hello_exchange, what="groups offered", show=lambda each: group(each).name).to_hold(
        code in offered, expected=f"{group(code).name} among them"
    )


@verifies("RFC9325-4.2.1-client-point-formats")
@at_every_client_endpoint
def test_only_uncompressed_points_are_announced(client: ClientEndpoint) -> None:
    """RFC 9325 4.2.1: ec_point_formats, if sent, holds the uncompressed format alone. It is about TLS 1.2 (4.2)."""
    client.not_without(TLS12)
    if client.hello.point_formats is None:
        raise NotApplicable(f"the client sends no ec_point_formats at {client.name}", client.hello_exchange)
    expect(client.hello.point_formats, evidence=client.hello_exchange, what="point formats").to_be(
        (UNCOMPRESSED,), expected="0 (uncompressed) alone"
    )


@verifies("RFC9325-4.5-client-requests-sha-256", "RFC7525-4.3-client-requests-sha-256")
@at_every_client_endpoint
def test_sha_256_is_requested(client: ClientEndpoint) -> None:
    """RFC 9325 4.5: the client asks for SHA-256 by signature_algorithms."""
    schemes = client.hello.schemes or ()
    named = [signature_scheme(each) for each in schemes]
    expect([each.name for each in named], evidence=client.hello_exchange, what="signature schemes").to_hold(
        any(each.hash.lower() == "sha256" for each in named), expected="schemes with SHA-256 among them"
    )


@verifies("RFC9325-4.6-client-no-truncated-hmac", "RFC7525-4.5-client-no-truncated-hmac")
@at_every_client_endpoint
def test_truncated_hmac_is_not_asked_for(client: ClientEndpoint) -> None:
    """RFC 9325 4.6: no truncated_hmac."""
    asking = [each for each in client.hellos if TRUNCATED_HMAC in each.facts.extensions]
    expect(
        [f"in trial {each.trial}" for each in asking],
        evidence=[each.exchange for each in asking] or client.hello_exchange,
        what="hellos with truncated_hmac",
    ).to_be_empty()


@verifies("B.13-client-tls-1.3-suites")
def test_a_listed_tls_1_3_suite_is_offered(client: TlsClient) -> None:
    """B.13: clients that support TLS 1.3 support one of its five suites at least."""
    one_is_offered(client, TLS13, "TLS 1.3")


@verifies("B.13-client-tls-1.2-suites")
def test_a_listed_tls_1_2_suite_is_offered(client: TlsClient) -> None:
    """B.13: clients support one of the ten suites at least; the list cannot bind a client without TLS 1.2."""
    one_is_offered(client, TLS12, "TLS 1.2")


def one_is_offered(client: TlsClient, version: int, key: str) -> None:
    """At every endpoint where `version` is offered, one of the profile's required suites is."""
    # The older wording of B.13 counts the suites of either list.
    also = client.profile.optional.get(key, ()) if client.profile.superseded else ()
    listed = (*client.profile.required[key], *also)

    def offers_one(endpoint: ClientEndpoint) -> None:
        endpoint.not_without(version)
        found = [code for code in endpoint.hello.suites if code in listed]
        expect(
            found, evidence=endpoint.hello_exchange, what="listed suites offered", show=lambda code: suite(code).name
        ).to_hold(bool(found), expected=f"at least one of the suites listed for {key}")

    judged_everywhere(offers_one, client.endpoints)
