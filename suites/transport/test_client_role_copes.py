"""What a client copes with: PS3.15 B.12 and B.13 (integrity), RFC 8446 and RFC 5246 (odd but right servers)."""

from __future__ import annotations

from harness import TLS13, Missing, expect, verifies
from suites.transport.client_expectations import (
    at_every_client_endpoint,
    copes,
    expect_gone_on,
    expect_refused,
    went_on,
)
from suites.transport.client_view import AGAIN, ORDINARY, ClientEndpoint
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


@verifies(
    "B.12-client-integrity-failure-drops-connection",
    "B.13-client-integrity-failure-drops-connection",
    "B.1-client-integrity-failure-drops-connection",
    "B.3-client-integrity-failure-drops-connection",
    "B.9-client-integrity-failure-drops-connection",
    "B.10-client-integrity-failure-drops-connection",
    "B.11-client-integrity-failure-drops-connection",
)
@at_every_client_endpoint
def test_a_failed_integrity_check_drops_the_connection(client: ClientEndpoint) -> None:
    """B.12, B.13: the connection is dropped when an integrity check fails, in the handshake and after it."""
    expect_refused(client, (CORRUPT_HANDSHAKE, CORRUPT_APPLICATION))
    played = client.played(CORRUPT_APPLICATION)
    completed = [each for each in played.connections if each.progress == "completed"]
    if not completed:
        raise Missing(f"the client came to no answer that could be broken at {client.name}", AGAIN, played.exchanges)
    if client.protocol == "https" and all(each.ended == "close_notify" for each in completed):
        raise Missing(
            f"the client ended in good order after a broken answer at {client.name}, as it would after a good one",
            "Watch whether the client reports an error, or name a DIMSE endpoint as alternate.",
            played.exchanges,
        )


@verifies("RFC8446-4.1.4-client-hello-retry-request")
@at_every_client_endpoint
def test_a_hello_retry_request_is_followed(client: ClientEndpoint) -> None:
    """RFC 8446 4.1.4, 4.2.2: the second hello has the share that was asked for, and returns the cookie."""
    client.not_without(TLS13)
    trials = ("retry-cookie",) if client.skipped("retry") else ("retry", "retry-cookie")
    expect_gone_on(client, trials, went_on)


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
