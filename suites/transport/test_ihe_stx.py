"""TLS servers by IHE ATNA: Authenticate Node [ITI-19] with the TLS 1.2 floor, and the FQDN option."""

from __future__ import annotations

from fixtures.pki.zoo import CASES
from harness import SSL2, SSL3, TLS10, TLS11, TLS12, ClientAuthentication, Missing, NotApplicable, expect, verifies
from reference_impl.transport.registry import suite, version_name
from suites.transport.beside import UNUSUAL_ATTRIBUTES, expect_ihe_key_lengths
from suites.transport.client_certificates import Shown
from suites.transport.expectations import at_every_endpoint
from suites.transport.mutual import BAD, GIVEN, not_told_apart
from suites.transport.view import Endpoint, JudgedRequirement, TlsServer, any_of

pytest_plugins = ("suites.transport.fixtures",)

SUITES = {
    f"IHE-3.19.6.2.3-server-suite-{suite(code).name.removeprefix('TLS_').lower().replace('_', '-')}": code
    for code in (0x009E, 0xC02F, 0x009F, 0xC030)
}
"""The requirement of each of the four suites."""
OLDER = (SSL2, SSL3, TLS10, TLS11)


@verifies("IHE-3.19.6.2.3-server-restricted-to-tls-1.2")
@at_every_endpoint
def test_it_is_restricted_to_tls_1_2(server: Endpoint) -> None:
    """3.19.6.2.3: able to restrict. An older version in use shows that the restriction is off, and no inability."""
    older = [version for version in OLDER if server.accepts(version)]
    if older:
        named = " and ".join(map(version_name, older))
        raise Missing(
            f"{server.name} negotiates {named}: the restriction to TLS 1.2 is not switched on",
            "Switch the restriction to TLS 1.2 or higher on, and run again.",
            tuple(each for version in older for each in server.witnesses(version)[:1]),
        )
    expect(older, what="versions before TLS 1.2 that are negotiated").to_be_empty()


@verifies(*SUITES)
def test_a_suite_of_the_baseline_is_supported(tls: TlsServer, requirement: JudgedRequirement) -> None:
    """3.19.6.2.3: each of the four, which takes an RSA certificate."""
    code = SUITES[requirement.id]
    seen = tls.accepted(lambda each: each.code == code, TLS12)
    if not seen and tls.accepts(TLS12):
        tls.every_suite_was_offered(TLS12)
        if not any(leaf.facts.key_type in {"rsa", "rsa-pss"} for leaf in tls.leaves):
            raise Missing(
                f"without an RSA certificate {suite(code).name} cannot be shown",
                "Install an RSA certificate, or name an endpoint that has one as alternate.",
            )
    expect("accepted" if seen else "refused", evidence=[each.exchange for each in seen], what=suite(code).name).to_be(
        "accepted"
    )


@verifies("IHE-3.19.5-server-authenticates-every-connection")
@at_every_endpoint
def test_every_connection_is_authenticated(server: Endpoint) -> None:
    """3.19.5: the authentication of nodes is always applied; a server begins it by asking for a certificate."""
    facts = server.facts(ClientAuthentication)
    silent = [version for version, asked in facts.requested.items() if not asked]
    expect(
        silent,
        evidence=[each.reaction.exchange for each in facts.trials],
        what="versions without a request for a client certificate",
    ).to_be_empty(expected="a certificate is asked for in every version", describe=version_name)


@verifies("IHE-3.19.6.1-server-validates-by-authority")
def test_certificates_are_validated_by_authority(tls: TlsServer) -> None:
    """3.19.6.1, 3.19.6.1.1: able to; the good certificate and that of a stranger are told apart at one endpoint.

    Whoever cannot be identified may be restricted instead of rejected, which does not show: inconclusive.
    """
    asking = [server for server in tls.endpoints if any(server.facts(ClientAuthentication).requested.values())]
    if not asking:
        raise Missing("the server asked for no client certificate", "Let the server require client certificates.")
    any_of(tells_apart, asking)
    good = [
        each.reaction.exchange
        for server in asking
        for each in server.facts(ClientAuthentication).trials
        if each.credential == GIVEN and each.admitted
    ]
    expect("told apart", evidence=good, what="good and bad certificates").to_be("told apart")


def tells_apart(server: Endpoint) -> bool:
    """Whether the given certificate is admitted and that of an unknown authority refused; otherwise `Missing`."""
    trials = server.facts(ClientAuthentication).trials
    stranger = [each for each in trials if each.credential == BAD]
    if any(each.admitted for each in stranger):
        raise Missing(
            f"{server.name} admits a certificate of an unknown authority; whether it restricts that node does not show",
            "Let the server refuse certificates that lead to no trusted authority, and run again.",
            tuple(each.reaction.exchange for each in stranger),
        )
    if any(each.admitted is False for each in stranger) and any(
        each.credential == GIVEN and each.admitted for each in trials
    ):
        return True
    raise not_told_apart(server)


@verifies("IHE-3.19.6.1.3-server-no-demands-on-attributes")
@at_every_endpoint
def test_unusual_certificates_are_accepted(server: Endpoint) -> None:
    """3.19.6.1.3: no specific contents are required of certificates, and none rejected for unknown attributes."""
    shown = Shown(server)
    trials = shown.trials(CASES[name] for name in UNUSUAL_ATTRIBUTES)
    shown.refusals_tell(each.facts.version for each in trials)
    refused = [each for each in trials if each.facts.admitted is False]
    expect(
        refused, evidence=[each.facts.reaction.exchange for each in refused or trials], what="unusual certificates"
    ).to_be_empty(expected="admitted", describe=lambda each: f"refused: {each} ({each.case.text.removesuffix('.')})")
    unclear = [each for each in trials if each.facts.admitted is None and not shown.like_the_good_one(each)]
    if unclear:
        raise Missing(
            f"it was not established whether {server.name} admits {', '.join(map(str, unclear[:5]))}",
            "Run the observation again.",
            tuple(each.facts.reaction.exchange for each in unclear),
        )


@verifies("IHE-3.19.6.1.3-server-rsa-key-length")
def test_the_key_of_the_certificate_is_long_enough(tls: TlsServer) -> None:
    """3.19.6.1.3: RSA of 1024 to 4096 bits by site policy, or as BCP 195 recommends (longer RSA, P-256 and beyond)."""
    expect_ihe_key_lengths(tls.leaves, "server's certificates")


@verifies("IHE-3.19.6.1.4-server-certificate-dns-id")
def test_the_certificate_has_a_dns_id(tls: TlsServer) -> None:
    """3.19.6.1.4: a subjectAltName entry of type DNS-ID."""
    without = [leaf for leaf in tls.leaves if not any(name.startswith("DNS:") for name in leaf.facts.names)]
    expect(
        without, evidence=[each.chain.exchange for each in without or tls.leaves], what="server certificates"
    ).to_be_empty(
        expected="a subject alternative name of type dNSName in each",
        describe=lambda each: f"{each}: {', '.join(each.facts.names) or 'no alternative name'}",
    )


@verifies("IHE-3.19.6.1.4-server-certificate-fits")
def test_the_dns_id_is_the_name_of_the_server(tls: TlsServer) -> None:
    """RFC 6125 4.1: the name by which clients reach the server."""
    by_name = {each.name for each in tls.endpoints if is_domain_name(each.record.server_name or each.record.host)}
    if not by_name:
        raise NotApplicable("the server was reached by an address")
    leaves = [leaf for leaf in tls.leaves if leaf.endpoint in by_name]
    if not leaves or any(leaf.chain.name_matches is None for leaf in leaves):
        raise Missing("it was not established whether the certificate fits", "Run the observation again.")
    other = [leaf for leaf in leaves if not leaf.chain.name_matches]
    expect(other, evidence=[each.chain.exchange for each in other or leaves], what="server certificates").to_be_empty(
        expected="a dNSName that fits the name by which the server was reached",
        describe=lambda each: f"{each}: {', '.join(each.facts.names) or 'no alternative name'}",
    )


def is_domain_name(host: str) -> bool:
    """Whether `host` is no address."""
    return ":" not in host and not host.replace(".", "").isdigit()
