"""What the server does with extensions: RFC 9325 3.3, 3.5, 3.7, 3.8, 3.10 and 4.6."""

from __future__ import annotations

from harness import (
    TLS12,
    TLS13,
    Extensions,
    Missing,
    Reaction,
    ReactionKind,
    Renegotiation,
    Resumption,
    Versions,
    expect,
    verifies,
)
from suites.transport.expectations import at_every_endpoint, established, not_applicable_without
from suites.transport.view import Endpoint
from suites.transport.words import shown, unanswered

pytest_plugins = ("suites.transport.fixtures",)

UNRECOGNIZED_NAME = 112
NULL_COMPRESSION = 0


@verifies("RFC9325-3.3-no-compression", "RFC7525-3.3-no-compression")
@at_every_endpoint
def test_no_compression(server: Endpoint) -> None:
    """RFC 9325 3.3: compression should not be supported under TLS 1.2."""
    not_applicable_without(server, TLS12)
    facts = server.facts(Extensions)
    if facts.compression is None:
        raise Missing(f"compression was not offered to {server.name}", "Run the observation again.")
    expect(facts.compression, evidence=facts.compression_exchange, what="compression method").to_be(NULL_COMPRESSION)


@verifies("RFC9325-3.5-renegotiation-info")
@at_every_endpoint
def test_secure_renegotiation_is_implemented(server: Endpoint) -> None:
    """RFC 9325 3.5: renegotiation_info is implemented, so that nobody renegotiates without it."""
    not_applicable_without(server, TLS12)
    facts = server.facts(Extensions)
    answered = established(facts.renegotiation_info, f"whether {server.name} answers renegotiation_info")
    expect(answered, evidence=facts.hello_exchange, what="renegotiation_info answered").to_be(True)
    insecure, exchange = insecure_renegotiation(server)
    expect(insecure, evidence=exchange, what="renegotiation without renegotiation_info accepted").to_hold(
        insecure is not True, expected=("refused", "no renegotiation at all")
    )


def insecure_renegotiation(server: Endpoint) -> tuple[bool | None, str]:
    """Whether the server renegotiated without renegotiation_info; what was not tried takes nothing back."""
    try:
        facts = server.facts(Renegotiation)
    except Missing:
        return None, ""
    return facts.insecure_accepted, facts.reaction.exchange if facts.reaction else ""


@verifies("RFC9325-3.5-extended-master-secret")
@at_every_endpoint
def test_the_extended_master_secret_is_supported(server: Endpoint) -> None:
    """RFC 9325 3.5: extended_master_secret is supported under TLS 1.2."""
    not_applicable_without(server, TLS12)
    facts = server.facts(Extensions)
    answered = established(facts.extended_master_secret, f"whether {server.name} answers extended_master_secret")
    expect(answered, evidence=facts.hello_exchange, what="extended_master_secret answered").to_be(True)


@verifies("RFC9325-4.6-no-truncated-hmac", "RFC7525-4.5-no-truncated-hmac")
@at_every_endpoint
def test_no_truncated_hmac(server: Endpoint) -> None:
    """RFC 9325 4.6: truncated_hmac is not used."""
    not_applicable_without(server, TLS12)
    facts = server.facts(Extensions)
    answered = established(facts.truncated_hmac, f"whether {server.name} answers truncated_hmac")
    expect(answered, evidence=facts.hello_exchange, what="truncated_hmac answered").to_be(False)


def reaction_to_unknown_name(server: Endpoint) -> Reaction:
    """The answer to a hello for a name that the server cannot know, where names are what made the difference."""
    facts = server.facts(Extensions)
    reaction = facts.unknown_server_name
    if reaction is None:
        raise Missing(f"an unknown server name was not tried at {server.name}", "Run the observation again.")
    if not reaction.accepted and reaction.kind is not ReactionKind.HELLO_RETRY_REQUEST:
        usual = facts.known_server_name or server.facts(Versions).all_offered
        if usual is None or not usual.accepted:
            raise Missing(f"{server.name} accepted no hello with its own name either", "Run the observation again.")
        if not reaction.refused:
            raise unanswered(reaction, "a hello for an unknown server name")
    return reaction


@verifies("RFC9325-3.7-unknown-name-not-continued")
@at_every_endpoint
def test_a_handshake_for_an_unknown_name_is_not_continued(server: Endpoint) -> None:
    """RFC 9325 3.7: a handshake for an unknown server name should not be continued."""
    reaction = reaction_to_unknown_name(server)
    expect(reaction, evidence=reaction.exchange, what="unknown server name", show=shown).to_hold(
        reaction.refused, expected=("alert unrecognized_name", "another alert", "connection closed", "connection reset")
    )


@verifies("RFC9325-3.7-unrecognized-name-alert")
@at_every_endpoint
def test_an_unknown_name_gets_unrecognized_name(server: Endpoint) -> None:
    """RFC 9325 3.7: a handshake for an unknown server name should end with the fatal alert unrecognized_name."""
    reaction = reaction_to_unknown_name(server)
    if reaction.kind is ReactionKind.RESET:
        raise unanswered(reaction, "a hello for an unknown server name")
    expect(reaction, evidence=reaction.exchange, what="unknown server name", show=shown).to_hold(
        reaction.kind is ReactionKind.ALERT and reaction.alert == UNRECOGNIZED_NAME and reaction.fatal is not False,
        expected="fatal alert unrecognized_name",
    )


@verifies("RFC9325-3.8-alpn-https")
@at_every_endpoint
def test_https_answers_alpn(server: Endpoint) -> None:
    """RFC 9325 3.8: an HTTPS server to which HTTP is offered by ALPN should say what it chose."""
    facts = server.facts(Extensions)
    if facts.alpn_selected is None:
        raise Missing(f"it was not established whether {server.name} answers ALPN", "Run the observation again.")
    expect(facts.alpn_selected, evidence=facts.alpn_exchange, what="ALPN protocol chosen").to_hold(
        bool(facts.alpn_selected), expected=("h2", "http/1.1")
    )


@verifies("RFC9325-3.10-no-early-data")
@at_every_endpoint
def test_no_early_data(server: Endpoint) -> None:
    """RFC 9325 3.10: early data is avoided, since no document says how DICOM would use it."""
    not_applicable_without(server, TLS13)
    facts = server.facts(Resumption)
    allowed = [ticket.max_early_data for ticket in facts.tickets if ticket.version == TLS13 and ticket.max_early_data]
    # A ticket that allows early data invites clients to send it, whether or not it is taken in the end.
    expect(allowed, evidence=facts.exchanges, what="octets of early data that tickets allow").to_be_empty()
    if facts.early_data_accepted is None and not facts.tickets:
        server.resumes_tls13()  # a server without tickets takes no early data; Missing if nothing was seen
    expect(bool(facts.early_data_accepted), evidence=facts.exchanges, what="early data accepted").to_be(False)
