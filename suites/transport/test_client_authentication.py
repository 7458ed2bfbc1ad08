"""Mutual authentication: PS3.15 B.12 and B.13."""

from __future__ import annotations

from harness import ClientAuthentication, Missing, expect, verifies
from reference_impl.transport.registry import version_name
from suites.transport.mutual import BAD, GIVEN, admitting_anybody, not_told_apart
from suites.transport.view import Endpoint, TlsServer

pytest_plugins = ("suites.transport.fixtures",)


@verifies("B.12-mutual-authentication-supported", "B.13-mutual-authentication-supported")
def test_mutual_authentication_is_supported(tls: TlsServer) -> None:
    """B.12, B.13: servers support mutual authentication, which a site may switch off.

    A bad certificate accepted is a failure. Not to ask for one is none: one endpoint that asks is enough.
    """
    asking: list[Endpoint] = []
    missing: Missing | None = None
    for server in tls.endpoints:
        try:
            if any(server.facts(ClientAuthentication).requested.values()):
                asking.append(server)
                no_bad_certificate_is_admitted(server)
        except Missing as reason:
            missing = missing or reason
    if not asking:
        raise missing or Missing(
            "the server asked for no client certificate, which a site may have switched off",
            "Switch client certificates on, or name an endpoint that asks for one as alternate; "
            "the declaration tells whether the server can.",
        )
    good_and_bad_are_told_apart(asking)


def no_bad_certificate_is_admitted(server: Endpoint) -> None:
    """A certificate of an authority that the server cannot know admits nobody, in a version that demands one."""
    facts = server.facts(ClientAuthentication)
    asking = {version for version, requested in facts.requested.items() if requested} - admitting_anybody(facts)
    trials = [each for each in facts.trials if each.credential == BAD and each.admitted and each.version in asking]
    expect(
        trials, evidence=[each.reaction.exchange for each in trials], what="certificate of an unknown authority"
    ).to_be_empty(
        expected="refused, in TLS 1.3 at the latest after the handshake",
        describe=lambda each: f"admitted in {version_name(each.version)}",
    )


def good_and_bad_are_told_apart(asking: list[Endpoint]) -> None:
    """One of the endpoints admits the given certificate and refuses that of an unknown authority."""
    facts = [(server, server.facts(ClientAuthentication)) for server in asking]
    for server, seen in facts:
        good = [each for each in seen.trials if each.credential == GIVEN and each.admitted]
        bad = [each for each in seen.trials if each.credential == BAD and each.admitted is False]
        if good and bad:
            expect("admitted", evidence=good[0].reaction.exchange, what=f"good certificate at {server.name}").to_be(
                "admitted"
            )
            expect("refused", evidence=bad[0].reaction.exchange, what=f"bad certificate at {server.name}").to_be(
                "refused"
            )
            return
    raise not_told_apart(asking[0])
