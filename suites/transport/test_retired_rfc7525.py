"""RFC 7525, as B.9, B.10, B.11 and the older wordings of B.12 and B.13 import it: what RFC 9325 says otherwise."""

from __future__ import annotations

from harness import TLS10, TLS11, TLS12, TLS13, Missing, NotApplicable, Reaction, Versions, expect, verifies
from reference_impl.transport.registry import suite, version_name
from suites.transport.expectations import at_every_endpoint, not_applicable_without
from suites.transport.view import Endpoint, TlsServer
from suites.transport.words import shown, unanswered

pytest_plugins = ("suites.transport.fixtures",)

RECOMMENDED = (0x009E, 0xC02F, 0x009F, 0xC030)  # DHE_RSA and ECDHE_RSA with AES-GCM


def offers_of_tls_1_2(server: Endpoint) -> list[Reaction]:
    """The reactions to hellos that offer TLS 1.2 or more; `Missing` where there are none."""
    facts = server.facts(Versions)
    asked = (facts.reactions.get(TLS12), facts.all_offered, facts.fallback_scsv)
    found = [reaction for reaction in asked if reaction is not None]
    if not found:
        raise Missing(f"no hello of {version_name(TLS12)} was sent to {server.name}", "Run the observation again.")
    return found


def is_not_chosen_before_a_better_one(server: Endpoint, version: int) -> None:
    """Nobody who offers TLS 1.2 or more is answered with `version`, old as it is."""
    reactions = offers_of_tls_1_2(server)
    offending = [each for each in reactions if each.accepted and each.version == version]
    expect(
        offending, evidence=[each.exchange for each in reactions], what="answers to an offer of TLS 1.2"
    ).to_be_empty(expected=f"a higher version than {version_name(version)}, or a refusal", describe=shown)
    server.accepts(version)  # a server that takes nobody tells nothing about versions


@verifies("RFC7525-3.1.1-tls-1.0-only-without-better")
@at_every_endpoint
def test_tls_1_0_only_without_a_better_version(server: Endpoint) -> None:
    """RFC 7525 3.1.1: TLS 1.0 should be negotiated only where no higher version is available."""
    is_not_chosen_before_a_better_one(server, TLS10)


@verifies("RFC7525-3.1.1-tls-1.1-only-without-better")
@at_every_endpoint
def test_tls_1_1_only_without_a_better_version(server: Endpoint) -> None:
    """RFC 7525 3.1.1: TLS 1.1 should be negotiated only where no higher version is available."""
    is_not_chosen_before_a_better_one(server, TLS11)


@verifies("RFC7525-3.1.1-prefers-tls-1.2")
@at_every_endpoint
def test_tls_1_2_is_preferred_to_earlier_versions(server: Endpoint) -> None:
    """RFC 7525 3.1.1: TLS 1.2 is negotiated in preference to earlier versions. TLS 1.3 is none of these."""
    not_applicable_without(server, TLS12)
    reactions = offers_of_tls_1_2(server)
    answered = [each for each in reactions if each.accepted and each.version is not None]
    if not answered:
        raise unanswered(reactions[0], f"a hello of {version_name(TLS12)}")
    earlier = [each for each in answered if each.version not in {TLS12, TLS13}]
    expect(earlier, evidence=[each.exchange for each in answered], what="answers to an offer of TLS 1.2").to_be_empty(
        expected="TLS 1.2 or TLS 1.3", describe=shown
    )


@verifies("RFC7525-4.2-recommended-suites")
def test_the_four_recommended_suites_are_supported(tls: TlsServer) -> None:
    """RFC 7525 4.2: DHE_RSA and ECDHE_RSA with AES-128-GCM and AES-256-GCM are recommended."""
    if not tls.accepts(TLS12):
        raise NotApplicable("the server does not support TLS 1.2")
    if not tls.has_certificate("RSA"):
        raise NotApplicable("the server has no RSA certificate")
    seen = {each.suite.code: each.exchange for each in tls.accepted(lambda each: each.code in RECOMMENDED, TLS12)}
    if set(RECOMMENDED) - set(seen):
        tls.every_suite_was_offered(TLS12)
    expect(sorted(seen), evidence=seen.values(), show=lambda code: suite(code).name).to_contain(RECOMMENDED)
