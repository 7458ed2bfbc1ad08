"""Integrity: PS3.15 B.12 and B.13, what happens when a record does not authenticate."""

from __future__ import annotations

from harness import TLS12, TLS13, Integrity, Missing, expect, verifies
from reference_impl.transport.registry import version_name
from suites.transport.expectations import at_every_endpoint
from suites.transport.view import Endpoint

pytest_plugins = ("suites.transport.fixtures",)


@verifies(
    "B.12-integrity-failure-drops-connection",
    "B.13-integrity-failure-drops-connection",
    "B.1-integrity-failure-drops-connection",
    "B.3-integrity-failure-drops-connection",
    "B.9-integrity-failure-drops-connection",
    "B.10-integrity-failure-drops-connection",
    "B.11-integrity-failure-drops-connection",
)
@at_every_endpoint
def test_a_failed_integrity_check_drops_the_connection(server: Endpoint) -> None:
    """B.1 to B.13: the connection is dropped when an integrity check fails."""
    facts = server.facts(Integrity)
    going_on = [version for version, dropped in facts.dropped.items() if dropped is False]
    evidence = [
        facts.reactions[version].exchange for version in going_on or facts.reactions if version in facts.reactions
    ]
    expect(going_on, evidence=evidence, what="went on after a broken record", show=version_name).to_be_empty(
        expected=("alert and the end of the connection", "connection closed", "connection reset")
    )
    asked = [version for version in (TLS12, TLS13) if server.accepts(version)] or list(facts.dropped)
    if not asked or not all(facts.dropped.get(version) for version in asked):
        raise Missing(
            f"whether {server.name} drops the connection after a broken record was not seen in every version",
            "Give the harness a client certificate if the server requires one, and run the observation again.",
        )
