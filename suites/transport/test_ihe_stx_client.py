"""TLS clients by IHE ATNA: Authenticate Node [ITI-19] with the TLS 1.2 floor, and the FQDN option."""

from __future__ import annotations

from harness import TLS12, TLS13, Missing, expect, verifies
from reference_impl.transport.registry import suite, version_name
from suites.transport.beside import UNUSUAL_ATTRIBUTES, expect_ihe_key_lengths
from suites.transport.client_expectations import at_every_client_endpoint, copes, expect_gone_on, expect_refused
from suites.transport.client_view import AGAIN, ClientEndpoint, TlsClient
from suites.transport.view import JudgedRequirement

pytest_plugins = ("suites.transport.fixtures",)

SUITES = {
    f"IHE-3.19.6.2.3-client-suite-{suite(code).name.removeprefix('TLS_').lower().replace('_', '-')}": code
    for code in (0x009E, 0xC02F, 0x009F, 0xC030)
}
"""The requirement of each of the four suites."""
OLDER_TRIALS = {0x0300: "only-ssl-3.0", 0x0301: "only-tls-1.0", 0x0302: "only-tls-1.1"}


@verifies("IHE-3.19.6.2.3-client-supports-tls-1.2", "A.6-client-supports-tls-1.2")
@at_every_client_endpoint
def test_tls_1_2_or_later_is_offered(client: ClientEndpoint) -> None:
    """3.19.6.2.3 demands, A.6 recommends TLS 1.2 or higher."""
    versions = [version for version in (TLS12, TLS13) if client.hello.offers(version)]
    expect(versions, evidence=client.hello_exchange, what="versions offered", show=version_name).to_hold(
        bool(versions), expected=("TLS 1.2", "TLS 1.3")
    )


@verifies("IHE-3.19.6.2.3-client-restricted-to-tls-1.2")
@at_every_client_endpoint
def test_it_is_restricted_to_tls_1_2(client: ClientEndpoint) -> None:
    """3.19.6.2.3: able to restrict. An older version in use shows that the restriction is off, and no inability."""
    taken = [version for version, trial in OLDER_TRIALS.items() if client.played(trial).accepted]
    if taken:
        raise Missing(
            f"the client goes on in {' and '.join(map(version_name, taken))}: the restriction to TLS 1.2 is not on",
            "Switch the restriction to TLS 1.2 or higher on, and run again.",
            client.hello_exchange,
        )
    expect_refused(client, OLDER_TRIALS.values())


@verifies(*SUITES)
def test_a_suite_of_the_baseline_is_offered(client: TlsClient, requirement: JudgedRequirement) -> None:
    """3.19.6.2.3: each of the four."""
    code = SUITES[requirement.id]
    offers = {each.name: code in each.hello.suites for each in client.endpoints}
    expect(
        [f"not at {name}" for name, offered in offers.items() if not offered],
        evidence=[each.hello_exchange for each in client.endpoints],
        what=suite(code).name,
    ).to_hold(any(offers.values()), expected="offered")


@verifies("IHE-3.19.5-client-authenticates-every-connection")
@at_every_client_endpoint
def test_a_certificate_is_presented_when_asked_for(client: ClientEndpoint) -> None:
    """3.19.5: the authentication of nodes is always applied."""
    leaves = [each for each in client.certificates if each.place == 0]
    expect(
        "presented" if leaves else "none", evidence=client.hello_exchange, what="certificate of the client when asked"
    ).to_be("presented")


@verifies("IHE-3.19.6.1-client-validates-by-authority")
@at_every_client_endpoint
def test_certificates_are_validated_by_authority(client: ClientEndpoint) -> None:
    """3.19.6.1, 3.19.6.1.1: able to; whoever cannot be identified may be restricted instead, which does not show."""
    strangers = ("certificate/unknown-authority", "certificate/self-signed-unknown")
    taken = [trial for trial in strangers if client.played(trial).accepted]
    if taken:
        raise Missing(
            f"the client goes on with {' and '.join(taken)}; whether it restricts what it sends there does not show",
            "Let the client refuse certificates that lead to no trusted authority, and run again.",
            tuple(at for trial in taken for at in client.played(trial).exchanges),
        )
    expect_refused(client, strangers)


@verifies("IHE-3.19.6.1.3-client-no-demands-on-attributes")
@at_every_client_endpoint
def test_unusual_certificates_are_accepted(client: ClientEndpoint) -> None:
    """3.19.6.1.3: no specific contents are required of certificates, and none rejected for unknown attributes."""
    expect_gone_on(client, [f"certificate/{name}" for name in UNUSUAL_ATTRIBUTES], copes(client))


@verifies("IHE-3.19.6.1.3-client-rsa-key-length")
@at_every_client_endpoint
def test_the_key_of_the_certificate_is_long_enough(client: ClientEndpoint) -> None:
    """3.19.6.1.3: RSA of 1024 to 4096 bits by site policy, or as BCP 195 recommends."""
    leaves = [each for each in client.certificates if each.place == 0]
    if not leaves:
        raise Missing(f"the client presented no certificate at {client.name}", AGAIN, client.hello_exchange)
    expect_ihe_key_lengths(leaves, "client's certificates")


@verifies("IHE-3.19.6.1.4-client-matches-dns-id")
@at_every_client_endpoint
def test_the_dns_id_is_matched(client: ClientEndpoint) -> None:
    """3.19.6.1.4, RFC 6125 6: wrong names are refused, and names in the common name alone."""
    expect_refused(
        client,
        [
            f"certificate/{name}"
            for name in ("wrong-host-name", "host-name-continued", "nul-in-name", "common-name-only")
        ],
    )
