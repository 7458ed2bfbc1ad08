"""Client certificates, good, odd and bad, at a server that demands one: RFC 5280 6.1 and what TLS adds."""

from __future__ import annotations

from collections.abc import Iterable

from fixtures.pki.zoo import CASES, ZooCase
from harness import TLS12, TLS13, Missing, expect, verifies
from suites.transport.client_certificates import AGAIN, TITLES, SeenTrial, Shown, acceptable, cases
from suites.transport.expectations import at_every_endpoint
from suites.transport.view import Endpoint

pytest_plugins = ("suites.transport.fixtures",)


@verifies("RFC5280-6.1-client-certificate-validity")
@at_every_endpoint
def test_expired_client_certificates_are_refused(server: Endpoint) -> None:
    """RFC 5280 6.1.3 (a) (2): every certificate of the path is valid at the time of its validation."""
    expect_refused(server, cases("validity", level="shall"))


@verifies("RFC5280-6.1-client-certificate-trust")
@at_every_endpoint
def test_client_certificates_of_unknown_authorities_are_refused(server: Endpoint) -> None:
    """RFC 5280 6.1.1 (d): a path begins at a trust anchor."""
    expect_refused(server, cases("trust", "chain", level="shall"))


@verifies("RFC5280-6.1-client-certificate-signature")
@at_every_endpoint
def test_client_certificates_with_a_wrong_signature_are_refused(server: Endpoint) -> None:
    """RFC 5280 6.1.3 (a) (1): the signature verifies with the issuer's key."""
    expect_refused(server, (*cases("signature", "encoding", level="shall"), CASES["algorithms-disagree"]))


@verifies("RFC5280-6.1-client-certificate-basic-constraints")
@at_every_endpoint
def test_only_authorities_issue_client_certificates(server: Endpoint) -> None:
    """RFC 5280 6.1.4 (k): issuers are authorities by their basic constraints."""
    expect_refused(server, cases("basic-constraints", "version", level="shall"))


@verifies("RFC5280-6.1-client-certificate-path-length")
@at_every_endpoint
def test_path_lengths_are_kept(server: Endpoint) -> None:
    """RFC 5280 6.1.4 (l), (m): no more authorities follow than the path length allows."""
    expect_refused(server, cases("path-length", level="shall"))


@verifies("RFC5280-6.1-client-certificate-issuer-key-usage")
@at_every_endpoint
def test_only_keys_that_may_sign_certificates_issue_client_certificates(server: Endpoint) -> None:
    """RFC 5280 6.1.4 (n): an issuer's key usage, if it has one, includes the signing of certificates."""
    expect_refused(server, cases("key-usage", level="shall"))


@verifies("RFC5280-4.2.1.3-client-certificate-key-usage")
@at_every_endpoint
def test_client_certificates_whose_key_is_not_for_signatures_are_refused(server: Endpoint) -> None:
    """RFC 5280 4.2.1.3 defines the usage; 6.1 leaves what to do about an end entity's to the application."""
    expect_refused(server, cases("key-usage", level="should"))


@verifies("RFC5280-6.1-client-certificate-name-constraints")
@at_every_endpoint
def test_name_constraints_are_kept(server: Endpoint) -> None:
    """RFC 5280 6.1.3 (b), (c): names lie within the permitted subtrees and outside the excluded ones."""
    expect_refused(server, cases("name-constraints", level="shall"))


@verifies("RFC5280-6.1-client-certificate-critical-extension")
@at_every_endpoint
def test_unknown_critical_extensions_lead_to_refusal(server: Endpoint) -> None:
    """RFC 5280 4.2: who meets a critical extension that it does not recognize rejects the certificate."""
    expect_refused(server, cases("critical-extension", level="shall"))


@verifies("RFC5280-4.2.1.12-client-certificate-purpose")
@at_every_endpoint
def test_certificates_for_other_purposes_are_refused(server: Endpoint) -> None:
    """RFC 5280 4.2.1.12: a certificate that names purposes is used for these alone."""
    expect_refused(server, cases("extended-key-usage", level="shall"))


@verifies("RFC5246-7.4.8-client-certificate-possession")
@at_every_endpoint
def test_the_client_proves_its_key_under_tls_1_2(server: Endpoint) -> None:
    """RFC 5246 7.4.8, 7.2.2: a signature that cannot be verified is a fatal decrypt_error."""
    expect_refused(server, cases("possession"), TLS12)


@verifies("RFC8446-4.4.3-client-certificate-possession")
@at_every_endpoint
def test_the_client_proves_its_key_under_tls_1_3(server: Endpoint) -> None:
    """RFC 8446 4.4.3: the receiver verifies the signature, and ends the handshake where it fails."""
    expect_refused(server, cases("possession"), TLS13)


@verifies("RFC8446-4.4.2.4-client-certificate-no-md5")
@at_every_endpoint
def test_client_certificates_signed_with_md5_are_refused(server: Endpoint) -> None:
    """RFC 8446 4.4.2.4: who would need MD5 to validate a certificate aborts the handshake."""
    expect_refused(server, [CASES["md5-signature"]], TLS13)


@verifies("RFC8446-4.4.2.4-client-certificate-no-sha1")
@at_every_endpoint
def test_client_certificates_signed_with_sha_1_are_refused(server: Endpoint) -> None:
    """RFC 8446 4.4.2.4: to abort is recommended where SHA-1 would be needed."""
    expect_refused(server, cases("signature-algorithm", level="should"), TLS13)


@verifies("RFC9325-4.5-client-certificate-key-strength")
@at_every_endpoint
def test_weak_keys_of_clients_are_refused(server: Endpoint) -> None:
    """RFC 9325 4.5 binds servers to 2048 bits and to curves of 224 bits themselves; of clients none else is safe."""
    expect_refused(server, cases("key-strength"))


@verifies("RFC9325-7.5-client-certificate-revocation")
@at_every_endpoint
def test_revoked_client_certificates_are_refused(server: Endpoint) -> None:
    """RFC 9325 7.5 leaves open by which strategy: one that works, by lists or by OCSP, is enough."""
    shown = Shown(server)
    trials = shown.trials(cases("revocation"))
    refused = [each for each in trials if each.facts.admitted is False]
    if refused:
        shown.refusals_tell(each.facts.version for each in refused)
    elif not any(each.facts.admitted and shown.demands(each) for each in trials):
        not_established(server, trials, "refuses")
    expect(
        [("refused: " if each in refused else "admitted: ") + str(each) for each in trials],
        evidence=[each.facts.reaction.exchange for each in trials],
        what="revoked client certificates",
    ).to_hold(bool(refused), expected="refused where the revocation list, or the OCSP responder, says so")


@verifies("RFC5280-6.1-client-certificate-acceptable")
@at_every_endpoint
def test_odd_but_valid_client_certificates_are_accepted(server: Endpoint) -> None:
    """RFC 5280 6.1 accepts them; 6.2 lets a system be stricter, so that a refusal is a warning."""
    expect_admitted(server, acceptable())


def expect_refused(server: Endpoint, bad: Iterable[ZooCase], *versions: int) -> None:
    """None of the certificates in `bad` admits a client, in no version (of `versions`)."""
    shown = Shown(server, *versions)
    trials = shown.trials(bad)
    admitted = [each for each in trials if each.facts.admitted and shown.demands(each)]
    if not admitted:
        shown.refusals_tell(each.facts.version for each in trials)
    expect(
        admitted, evidence=[each.facts.reaction.exchange for each in admitted or trials], what="client certificates"
    ).to_be_empty(
        expected="refused: by an alert, by closing, or above TLS",
        describe=lambda each: f"admitted: {each} ({each.case.text.removesuffix('.')})",
    )
    not_established(server, trials, "refuses")


def expect_admitted(server: Endpoint, good: Iterable[ZooCase]) -> None:
    """Every certificate in `good` that could be shown admits a client."""
    shown = Shown(server)
    trials = shown.trials(good)
    shown.refusals_tell(each.facts.version for each in trials)
    refused = [each for each in trials if each.facts.admitted is False]
    expect(
        refused, evidence=[each.facts.reaction.exchange for each in refused or trials], what="client certificates"
    ).to_be_empty(expected="admitted", describe=lambda each: f"refused: {each} ({each.case.text.removesuffix('.')})")
    not_established(server, [each for each in trials if not shown.like_the_good_one(each)], "admits")


def not_established(server: Endpoint, trials: Iterable[SeenTrial], what: str) -> None:
    """Raise `Missing` where it remained open whether one of `trials` admitted a client."""
    unclear = [each for each in trials if each.facts.admitted is None and each.shown]
    if unclear:
        named = ", ".join(str(each) for each in unclear[:5]) + (" and others" if len(unclear) > 5 else "")
        raise Missing(
            f"it was not established whether {server.name} {what} {named}",
            TITLES if any(each.facts.stage == "association" for each in unclear) else AGAIN,
            tuple(each.facts.reaction.exchange for each in unclear),
        )
