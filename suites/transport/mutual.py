"""Client certificates that were shown whatever the campaign: none, the given one, one of an unknown authority."""

from __future__ import annotations

from harness import ClientAuthentication, Missing
from suites.transport.view import Endpoint

GIVEN, BAD, NOTHING = "given", "unknown-authority", "none"
"""The credentials of `harness.observations.transport.CredentialTrial` that are told apart."""


def admitting_anybody(facts: ClientAuthentication) -> set[int]:
    """The versions in which a client without a certificate is admitted.

    There a server may go on with one whose certificate it rejects, and take it for unauthenticated (RFC 5246 7.4.6,
    RFC 8446 4.4.2.4).
    """
    return {each.version for each in facts.trials if each.credential == NOTHING and each.admitted}


def not_told_apart(server: Endpoint) -> Missing:
    """Why it was not established that `server` tells the given certificate from that of an unknown authority."""
    seen = server.facts(ClientAuthentication)
    if not seen.credentials_given:
        return Missing(
            f"{server.name} asks for a client certificate, but the harness was given none that it should accept",
            "Give the harness a client certificate and key that the server trusts.",
        )
    if any(each.credential == GIVEN and each.admitted is False for each in seen.trials):
        return Missing(
            f"{server.name} refused the client certificate that the harness was given",
            "Import the issuer of the given client certificate into the server's trusted authorities.",
        )
    if admitting_anybody(seen):
        return Missing(
            f"{server.name} admits clients without a certificate, and may go on with one whose certificate it rejects",
            "Let the server demand client certificates, or name an endpoint that does as alternate.",
        )
    return Missing(
        f"it was not established whether {server.name} tells good client certificates from bad ones",
        "Run the observation again.",
    )
