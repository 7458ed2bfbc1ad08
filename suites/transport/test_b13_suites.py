"""PS3.15 B.13: the cipher suites that a server supports, and the closed set of TLS 1.2."""

from __future__ import annotations

from harness import TLS12, TLS13, Missing, Versions, expect, verifies
from reference_impl.transport.profiles import load_profile
from reference_impl.transport.registry import suite
from suites.transport.expectations import expect_no_suite
from suites.transport.view import JudgedRequirement, TlsServer

pytest_plugins = ("suites.transport.fixtures",)

PROTOCOL_VERSION = 70
_TABLE = load_profile("B.13").required


def _requirement(code: int, version: str) -> str:
    return f"B.13-tls-{version}-{suite(code).name.removeprefix('TLS_').lower().replace('_', '-')}"


TLS13_SUITES = {_requirement(code, "1.3"): code for code in _TABLE["TLS 1.3"]}
TLS12_SUITES = {
    _requirement(code, "1.2"): code
    for table in (_TABLE, load_profile("B.13", "2023b").required)
    for code in table["TLS 1.2"]
}
"""Of both wordings: the older one has four more."""


@verifies(*TLS13_SUITES)
def test_a_tls_1_3_suite_is_supported(tls: TlsServer, requirement: JudgedRequirement) -> None:
    """B.13: servers support all of the suites listed for TLS 1.3."""
    is_supported(tls, TLS13_SUITES[requirement.id], TLS13)


@verifies(*TLS12_SUITES)
def test_a_tls_1_2_suite_is_supported(tls: TlsServer, requirement: JudgedRequirement) -> None:
    """B.13: servers support all of the suites listed for TLS 1.2, by an RSA and by an ECDSA certificate."""
    code = TLS12_SUITES[requirement.id]
    kind = suite(code).authentication
    refused = not tls.accepted(lambda each: each.code == code, TLS12)
    if refused and not has_no_tls_1_2(tls) and not shows_certificate(tls, kind):
        raise Missing(
            f"without an {kind} certificate {suite(code).name} cannot be shown",
            f"Install an {kind} certificate beside the other one, or name an endpoint that has one as alternate.",
        )
    is_supported(tls, code, TLS12)


def has_no_tls_1_2(tls: TlsServer) -> bool:
    """Whether it is the version that every endpoint refuses, by its alert or by answering in an older one.

    Any other refusal may be for want of the certificate.
    """
    if tls.accepts(TLS12):
        return False
    reactions = [server.facts(Versions).reactions.get(TLS12) for server in tls.endpoints]
    return all(
        reaction is not None and (reaction.accepted or reaction.alert == PROTOCOL_VERSION) for reaction in reactions
    )


def is_supported(tls: TlsServer, code: int, version: int) -> None:
    """The suite is accepted by one of the endpoints."""
    seen = tls.accepted(lambda each: each.code == code, version)
    if not seen and tls.accepts(version):
        tls.every_suite_was_offered(version)
    expect("accepted" if seen else "refused", evidence=[each.exchange for each in seen], what=suite(code).name).to_be(
        "accepted"
    )


def shows_certificate(tls: TlsServer, kind: str) -> bool:
    """Whether a certificate of this kind was seen; that none was shown is not that there is none."""
    try:
        return tls.has_certificate(kind)
    except Missing:
        return False


@verifies("B.13-tls-1.2-closed-set")
def test_no_other_tls_1_2_suite_is_accepted(tls: TlsServer) -> None:
    """B.13: under TLS 1.2, suites outside the required and the optional list are not permitted."""
    permitted = {*tls.profile.required["TLS 1.2"], *tls.profile.optional["TLS 1.2"]}
    expect_no_suite(tls, "TLS 1.2 suite outside both lists", lambda each: each.code not in permitted, TLS12)
