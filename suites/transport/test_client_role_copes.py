"""What a client copes with: PS3.15 B.12 and B.13 (integrity), RFC 8446 and RFC 5246 (odd but right servers)."""

from __future__ import annotations

from harness import TLS13, Missing, expect, verifies
from harness.observations.clients import ClientConnection
from suites.transport.client_expectations import (
    at_every_client_endpoint,
    copes,
    expect_gone_on,
    expect_refused,
    offers_another_group,
    unclear,
    went_on,
)
from suites.transport.client_view import AGAIN, BY_THE_CLIENT, ORDINARY, ClientEndpoint
from suites.transport.client_words import shown

pytest_plugins = ("suites.transport.fixtures",)

CORRUPT_HANDSHAKE, CORRUPT_APPLICATION = "record-corrupt-handshake", "record-corrupt-application"
BOUNDARIES = (
    "records-of-one-octet",
    "one-record",
    "application-empty-records",
    "application-records-of-one-octet",
)
PADDING = "padding"


@verifies("B.12-client-integrity-failure-drops-connection", "B.13-client-integrity-failure-drops-connection")
@at_every_client_endpoint
def test_a_failed_integrity_check_drops_the_connection(client: ClientEndpoint) -> None:
    """B.12, B.13: the connection is dropped when an integrity check fails, in the handshake and after it."""
    expect_refused(client, (CORRUPT_HANDSHAKE,))
    played = client.played(CORRUPT_APPLICATION)
    client.control(played)
    reached = [each for each in played.connections if was_answered(each)]
    going_on = [each for each in reached if each.application_octets]
    expect(
        [shown(each) for each in going_on],
        evidence=[each.exchange for each in going_on or reached],
        what="went on after a broken record",
    ).to_be_empty(expected=("alert and the end of the connection", "connection closed", "connection reset"))
    if not reached:
        raise Missing(f"the client asked for no answer in trial {played} at {client.name}", AGAIN)
    if not any(dropped(client, each) for each in reached):
        raise unclear(played)


def was_answered(connection: ClientConnection) -> bool:
    """Whether the broken answer was sent. What a client says in this trial counts from there on."""
    return connection.progress == "completed" and (connection.application_octets > 0 or connection.ended != "harness")


def dropped(client: ClientEndpoint, connection: ClientConnection) -> bool:
    """Whether the client ended the connection; an orderly end of HTTPS looks the same as if nothing had been amiss."""
    if connection.alert:
        return True
    return connection.ended in BY_THE_CLIENT - ({"close_notify"} if client.protocol == "https" else set())


@verifies("RFC8446-4.1.4-client-hello-retry-request")
@at_every_client_endpoint
def test_a_hello_retry_request_is_followed(client: ClientEndpoint) -> None:
    """RFC 8446 4.1.4, 4.2.2: the second hello has the share that was asked for, and returns the cookie."""
    offers_another_group(client)
    expect_gone_on(client, ("retry", "retry-cookie"), went_on)


@verifies("RFC8446-4.6.1-client-tickets")
@at_every_client_endpoint
def test_tickets_are_no_obstacle(client: ClientEndpoint) -> None:
    """RFC 8446 4.6.1, RFC 5077 3.3: clients use tickets, or ignore them."""
    expect_gone_on(client, ("tickets",), copes(client))


@verifies("RFC8446-4.6.3-client-key-update")
@at_every_client_endpoint
def test_a_key_update_is_followed(client: ClientEndpoint) -> None:
    """RFC 8446 4.6.3: who is asked to updates its keys, and goes on."""
    client.not_without(TLS13)
    expect_gone_on(client, ("key-update",), copes(client))


@verifies("RFC8446-5.1-client-record-boundaries")
@at_every_client_endpoint
def test_record_boundaries_do_not_matter(client: ClientEndpoint) -> None:
    """RFC 8446 5.1 and 5.4, RFC 5246 6.2.1: messages split, joined, beside empty records, padded."""
    trials = (*BOUNDARIES, PADDING) if client.hello.offers(TLS13) else BOUNDARIES
    expect_gone_on(client, trials, copes(client))


@verifies("RFC5246-7.4.6-client-answers-certificate-request")
@at_every_client_endpoint
def test_a_certificate_request_is_answered(client: ClientEndpoint) -> None:
    """RFC 5246 7.4.6, RFC 8446 4.4.2: a certificate, or an empty list; the client does not break off itself."""
    asking = client.played(ORDINARY)
    answered = [each for each in asking.connections if each.certificates is not None]
    if not answered and not asking.accepted:
        without = client.played("no-certificate-request")
        if not without.accepted or not asking.refused:
            client.control()
    expect(
        [] if answered or asking.accepted else [shown(each) for each in asking.refused],
        evidence=asking.exchanges,
        what="ended when it was asked for a certificate",
    ).to_be_empty(expected=("its certificate", "an empty list"))
    if not answered:
        raise Missing(f"whether the client was asked for a certificate at {client.name} was not recorded", AGAIN)
    expect_gone_on(client, ("request-without-authorities",), went_on)
