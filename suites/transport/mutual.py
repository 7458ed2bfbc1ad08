"""Client certificates that were shown whatever the campaign: none, the given one, one of an unknown authority."""

from __future__ import annotations

from harness import ClientAuthentication, Missing
from suites.transport.view import Endpoint

GIVEN, BAD = "given", "unknown-authority"
"""The credentials of `harness.observations.transport.CredentialTrial` that are told apart."""


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
    return Missing(
        f"it was not established whether {server.name} tells good client certificates from bad ones",
        "Run the observation again.",
    )
