"""The retired profiles B.1, B.3, B.10 and B.11: their versions and cipher suites, from the tables of the profiles."""

from __future__ import annotations

from harness import (
    TLS10,
    TLS11,
    TLS12,
    Missing,
    NotApplicable,
    Preferences,
    Versions,
    expect,
    verifies,
)
from reference_impl.transport.profiles import load_profile
from reference_impl.transport.registry import suite
from suites.transport.expectations import at_every_endpoint, expect_no_suite
from suites.transport.test_b13_suites import is_supported, shows_certificate
from suites.transport.view import Endpoint, JudgedRequirement, TlsServer
from suites.transport.words import shown, unanswered

pytest_plugins = ("suites.transport.fixtures",)

FRAMEWORK = (TLS10, TLS11, TLS12)  # the versions with the handshake and the key exchange by RSA of RFC 2246
OLD = (TLS10, TLS11, TLS12)
WITH_PRIVACY, WITHOUT_PRIVACY = load_profile("B.1").derived["any"]
AES, TRIPLE_DES = load_profile("B.3").required["any"]


def _requirements(profile: str) -> dict[str, int]:
    codes = next(iter(load_profile(profile).required.values()))
    return {
        f"{profile}-server-accepts-{suite(code).name.removeprefix('TLS_').lower().replace('_', '-')}": code
        for code in codes
    }


OLD_SUITES = _requirements("B.3")
GCM_SUITES = _requirements("B.10") | _requirements("B.11")


@verifies("B.1-tls-framework", "B.3-tls-framework")
@at_every_endpoint
def test_the_framework_of_tls_1_0_is_kept(server: Endpoint) -> None:
    """B.1, B.3: the framework of TLS 1.0, which TLS 1.1 and 1.2 kept; no version is required or forbidden."""
    reactions = server.facts(Versions).reactions
    accepted = [version for version in FRAMEWORK if server.witnesses(version)]
    asked = [reactions[version] for version in FRAMEWORK if version in reactions]
    if not accepted:
        if not server.versions_accepted or len(asked) < len(FRAMEWORK):
            server.accepts(TLS12)  # Missing: a server that takes nobody tells nothing
        for reaction in asked:
            if not (reaction.refused or reaction.accepted):
                raise unanswered(reaction, "a hello of TLS 1.0 to 1.2")
    expect([shown(each) for each in asked], evidence=[each.exchange for each in asked], what="TLS 1.0 to 1.2").to_hold(
        bool(accepted), expected="one of TLS 1.0, 1.1 and 1.2 is accepted"
    )


@verifies(*OLD_SUITES)
def test_a_suite_of_aes_tls_is_accepted(tls: TlsServer, requirement: JudgedRequirement) -> None:
    """B.3: both suites of the profile are offered, in whichever of TLS 1.0 to 1.2."""
    is_accepted(tls, OLD_SUITES[requirement.id])


@verifies("B.1-server-accepts-rsa-with-3des-ede-cbc-sha")
def test_triple_des_is_accepted_where_privacy_is_supported(tls: TlsServer) -> None:
    """B.1, Table B.1-1: the minimum mechanisms together, if the server supports privacy."""
    if not encrypts(tls):
        raise NotApplicable("the server accepts no suite that encrypts")
    is_accepted(tls, WITH_PRIVACY)


@verifies("B.1-server-accepts-rsa-with-null-sha")
def test_null_is_accepted_where_privacy_is_not_supported(tls: TlsServer) -> None:
    """B.1, Table B.1-1: the minimum mechanisms but for privacy, if the server does not support that."""
    if encrypts(tls):
        raise NotApplicable("the server accepts suites that encrypt")
    is_accepted(tls, WITHOUT_PRIVACY)


def encrypts(tls: TlsServer) -> bool:
    """Whether the server supports privacy; `Missing` unless shown or ruled out."""
    return tls.has_suite(lambda each: each.cipher not in {"NULL", ""})


def is_accepted(tls: TlsServer, code: int) -> None:
    """The suite is accepted in one of TLS 1.0 to 1.2. Without an RSA certificate that cannot be shown."""
    seen = tls.accepted(lambda each: each.code == code, *OLD)
    if not seen:
        if not shows_certificate(tls, "RSA"):
            raise Missing(
                f"without an RSA certificate {suite(code).name} cannot be shown",
                "Install an RSA certificate, or name an endpoint that has one as alternate.",
            )
        tls.every_suite_was_offered(*OLD)
    expect("accepted" if seen else "refused", evidence=[each.exchange for each in seen], what=suite(code).name).to_be(
        "accepted"
    )


@verifies("B.3-server-prefers-aes")
@at_every_endpoint
def test_aes_is_preferred_to_triple_des(server: Endpoint) -> None:
    """B.3: of the two suites of the profile that with AES is preferred, even if it is offered last."""
    codes = {each.code for of_version in server.eliminations.values() for each in of_version.accepted}
    trial = server.facts(Preferences).aes_to_triple_des
    if trial is None:
        tried = [of_version for version, of_version in server.eliminations.items() if version in OLD]
        if tried and all(of_version.complete for of_version in tried) and not {AES, TRIPLE_DES} <= codes:
            raise NotApplicable(f"{server.name} does not accept both suites of the profile")
        raise Missing(f"the preference of {server.name} was not tried", "Run the observation again.")
    if trial.selected is None:
        raise unanswered(trial.reaction, "an offer of both suites of the profile")
    expect(
        trial.selected,
        evidence=trial.reaction.exchange,
        what="chosen of both suites",
        show=lambda code: suite(code).name,
    ).to_be(AES)


@verifies(*GCM_SUITES)
def test_a_suite_with_aes_gcm_is_accepted(tls: TlsServer, requirement: JudgedRequirement) -> None:
    """B.10, B.11: all four suites of DHE_RSA and ECDHE_RSA with AES-GCM are supported."""
    code = GCM_SUITES[requirement.id]
    refused = not tls.accepted(lambda each: each.code == code, TLS12)
    if refused and tls.accepts(TLS12) and not shows_certificate(tls, "RSA"):
        raise Missing(
            f"without an RSA certificate {suite(code).name} cannot be shown",
            "Install an RSA certificate beside the other one, or name an endpoint that has one as alternate.",
        )
    is_supported(tls, code, TLS12)


@verifies("B.11-closed-set")
def test_no_other_suite_is_accepted(tls: TlsServer) -> None:
    """B.11: no other cipher suites, those of TLS 1.3 included, which the list does not hold."""
    listed = {*tls.profile.required["TLS 1.2"], *tls.profile.optional["TLS 1.2"]}
    expect_no_suite(tls, "cipher suite outside the list of the profile", lambda each: each.code not in listed)


@verifies("B.11-further-suites")
def test_one_of_the_further_suites_is_accepted(tls: TlsServer) -> None:
    """B.11: one or more of the eight suites with Camellia or ECDSA should be supported."""
    listed = tls.profile.optional["TLS 1.2"]
    seen = tls.accepted(lambda each: each.code in listed, TLS12)
    if not seen and tls.accepts(TLS12):
        tls.every_suite_was_offered(TLS12)
        if not shows_certificate(tls, "ECDSA"):
            raise Missing(
                "none of the suites with Camellia is accepted, and those with ECDSA cannot be shown without an ECDSA "
                "certificate",
                "Install an ECDSA certificate beside the other one, or name an endpoint that has one as alternate.",
            )
    expect(
        [each.suite.name for each in seen], evidence=[each.exchange for each in seen], what="further suites"
    ).to_hold(bool(seen), expected="one of the eight suites at least")
