"""Resumption and tickets: RFC 9325 3.4, RFC 8446 4.6.1."""

from __future__ import annotations

from harness import TLS13, Missing, NotApplicable, Resumption, expect, verifies
from suites.transport.expectations import at_every_endpoint, not_applicable_without
from suites.transport.view import Endpoint

pytest_plugins = ("suites.transport.fixtures",)

SEVEN_DAYS = 604_800  # seconds


@verifies("RFC9325-3.4-resumption-psk-dhe-ke")
@at_every_endpoint
def test_resumption_brings_fresh_key_material(server: Endpoint) -> None:
    """RFC 9325 3.4: TLS 1.3 sessions should be resumed with psk_dhe_ke and a key share, when that is offered."""
    not_applicable_without(server, TLS13)
    if not server.resumes_tls13():
        raise NotApplicable(f"{server.name} resumes no TLS 1.3 sessions")
    facts = server.facts(Resumption)
    without = facts.selected_without_key_share or (facts.psk_ke and facts.psk_dhe_ke is False)
    if not without and facts.selected_without_key_share is None:
        raise Missing(f"the two ways of resumption were not offered together to {server.name}", "Run it again.")
    expect("psk_ke" if without else "psk_dhe_ke", evidence=facts.exchanges, what="resumption").to_be("psk_dhe_ke")


@verifies("RFC8446-4.6.1-ticket-lifetime")
@at_every_endpoint
def test_tickets_live_seven_days_at_most(server: Endpoint) -> None:
    """RFC 8446 4.6.1: the lifetime of a ticket is at most 604800 seconds."""
    not_applicable_without(server, TLS13)
    facts = server.facts(Resumption)
    tickets = [ticket for ticket in facts.tickets if ticket.version == TLS13]
    if not tickets:
        server.resumes_tls13()  # Missing if nothing was seen
        raise NotApplicable(f"{server.name} issues no TLS 1.3 tickets")
    longest = max(ticket.lifetime for ticket in tickets)
    expect(longest, evidence=facts.exchanges, what="longest lifetime of a ticket in seconds").to_hold(
        longest <= SEVEN_DAYS, expected=f"at most {SEVEN_DAYS} seconds"
    )
