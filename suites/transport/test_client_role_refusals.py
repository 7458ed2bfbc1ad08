"""What a client breaks off: versions, suites, groups, extensions and messages that no server may come with.

RFC 8446, RFC 5246, RFC 8996, RFC 9325, RFC 5746 and RFC 6066, each requirement by the trials that show it.
"""

from __future__ import annotations

from collections.abc import Callable

from harness import TLS12, TLS13, Missing, NotApplicable, expect, verifies
from suites.transport.client_expectations import (
    at_every_client_endpoint,
    expect_refused,
    offers_alpn,
    offers_both_versions,
    offers_tls12,
    offers_tls13,
    told,
)
from suites.transport.client_view import ClientEndpoint, TlsClient
from suites.transport.client_words import shown
from suites.transport.expectations import judged_everywhere
from suites.transport.view import JudgedRequirement

pytest_plugins = ("suites.transport.fixtures",)

HANDSHAKE_FAILURE, PROTOCOL_VERSION = 40, 70
STATUS_REQUEST = 5

REFUSED: dict[str, tuple[str, ...]] = {
    "RFC9325-3.1.1-client-no-ssl-3.0": ("only-ssl-3.0",),
    "RFC7525-3.1.1-client-no-ssl-3.0": ("only-ssl-3.0",),
    "B.10-client-no-tls-1.0": ("only-tls-1.0",),
    "B.11-client-no-tls-1.0": ("only-tls-1.0",),
    "B.10-client-no-tls-1.1": ("only-tls-1.1", "downgrade-to-tls-1.1"),
    "B.11-client-no-tls-1.1": ("only-tls-1.1", "downgrade-to-tls-1.1"),
    "RFC9325-3.1.1-client-no-tls-1.0": ("only-tls-1.0",),
    "RFC8996-4-client-no-tls-1.0": ("only-tls-1.0",),
    "RFC9325-3.1.1-client-no-tls-1.1": ("only-tls-1.1", "downgrade-to-tls-1.1"),
    "RFC8996-5-client-no-tls-1.1": ("only-tls-1.1", "downgrade-to-tls-1.1"),
    "RFC8446-4.1.3-client-downgrade-sentinel": ("downgrade-to-tls-1.2",),
    "RFC8446-4.1.3-client-suite-not-offered": ("suite-not-offered-1.3", "suite-not-offered-1.2"),
    "RFC8446-4.1.4-client-second-retry-request": ("retry-twice",),
    "RFC8446-4.1.4-client-checks-retry-request": ("retry-without-change", "retry-group-not-offered"),
    "RFC8446-4.2-client-extension-not-offered": ("extension-unsolicited-1.3", "extension-unsolicited-1.2"),
    "RFC8446-4.2-client-duplicate-extension": ("extension-duplicate",),
    "RFC8446-4.2.1-client-version-not-offered": ("version-not-offered",),
    "RFC8446-4.2.8-client-group-not-offered": ("group-not-offered-1.3", "group-not-offered-1.2", "explicit-curve"),
    "RFC8446-4.4.2.4-client-empty-certificate": ("certificate-empty",),
    "RFC8446-4.4.3-client-no-pkcs1-signature": ("signature-pkcs1-1.3",),
    "RFC8446-4.4.4-client-verifies-finished": ("finished-wrong-1.3",),
    "RFC5246-7.4.9-client-verifies-finished": ("finished-wrong-1.2",),
    "RFC5746-3.4-client-checks-renegotiation-info": ("renegotiation-info-wrong",),
    "RFC9325-3.8-client-alpn-not-offered": ("alpn-unknown",),
}
"""The trials that the client has to break off, by requirement."""


CONDITIONS: dict[str, Callable[[ClientEndpoint], None]] = {
    "RFC8446-4.1.3-client-downgrade-sentinel": offers_both_versions,
    "RFC8446-4.1.4-client-second-retry-request": offers_tls13,
    "RFC8446-4.1.4-client-checks-retry-request": offers_tls13,
    "RFC8446-4.2.1-client-version-not-offered": offers_tls13,
    "RFC8446-4.4.3-client-no-pkcs1-signature": offers_tls13,
    "RFC8446-4.4.4-client-verifies-finished": offers_tls13,
    "RFC5246-7.4.9-client-verifies-finished": offers_tls12,
    "RFC5746-3.4-client-checks-renegotiation-info": offers_tls12,
    "RFC9325-3.8-client-alpn-not-offered": offers_alpn,
}
"""What raises `NotApplicable` where a requirement's condition is false, by requirement."""


@verifies(*REFUSED)
def test_the_client_breaks_off(client: TlsClient, requirement: JudgedRequirement) -> None:
    """The client sends no data, and where it can decide earlier does not go on, in any of the trials."""

    def breaks_off(endpoint: ClientEndpoint) -> None:
        if condition := CONDITIONS.get(requirement.id):
            condition(endpoint)
        expect_refused(endpoint, REFUSED[requirement.id])

    judged_everywhere(breaks_off, client.endpoints)


@verifies("RFC9325-3.1.1-client-no-ssl-2.0", "RFC7525-3.1.1-client-no-ssl-2.0")
@at_every_client_endpoint
def test_no_hello_in_the_format_of_ssl_2_0(client: ClientEndpoint) -> None:
    """RFC 9325 3.1.1 and RFC 6176 3: no hello in the format of SSL 2.0, no answer in SSL 2.0 accepted."""
    sent = [each for each in client.hellos if each.facts.ssl2_format]
    expect(
        [f"in trial {each.trial}" for each in sent],
        evidence=[each.exchange for each in sent] or client.hello_exchange,
        what="hellos in the format of SSL 2.0",
    ).to_be_empty()


def answered_by(client: ClientEndpoint, trial: str, alert: int, expected: str) -> None:
    """The client ends `trial` by the fatal `alert`. A reset may have swallowed it: inconclusive."""
    played = client.played(trial)
    if not played.accepted:
        client.control(played)
        told(played)
    telling = [each for each in played.connections if each in played.accepted or each.ended != "reset"]
    silent = [each for each in telling if each.alert is None and each.ended in {"silence", "harness"}]
    telling = [each for each in telling if each in played.accepted or each not in silent]
    if not telling:
        raise Missing(
            f"the client reset the connection in trial {trial} at {client.name}, which may have swallowed its alert",
            "Run the observation again.",
            played.exchanges,
        )
    expect(telling, evidence=[each.exchange for each in telling], what=f"end of trial {trial}", show=shown).to_hold(
        not played.accepted and all(each.alert == alert and each.fatal is not False for each in telling),
        expected=expected,
    )


@verifies("RFC8996-4-client-protocol-version-alert")
@at_every_client_endpoint
def test_a_server_hello_of_tls_1_0_gets_protocol_version(client: ClientEndpoint) -> None:
    """RFC 8996 4: a ServerHello of TLS 1.0 is answered with protocol_version."""
    answered_by(client, "only-tls-1.0", PROTOCOL_VERSION, "alert protocol_version and the end of the connection")


@verifies("RFC8996-5-client-protocol-version-alert")
@at_every_client_endpoint
def test_a_server_hello_of_tls_1_1_gets_protocol_version(client: ClientEndpoint) -> None:
    """RFC 8996 5: a ServerHello of TLS 1.1 is answered with protocol_version."""
    answered_by(client, "only-tls-1.1", PROTOCOL_VERSION, "alert protocol_version and the end of the connection")


@verifies("RFC9325-3.5-client-renegotiation-info-unacknowledged")
@at_every_client_endpoint
def test_a_server_without_secure_renegotiation_gets_handshake_failure(client: ClientEndpoint) -> None:
    """RFC 9325 3.5: a server that does not acknowledge renegotiation_info gets a fatal handshake_failure."""
    client.not_without(TLS12)
    answered_by(client, "no-renegotiation-info", HANDSHAKE_FAILURE, "fatal alert handshake_failure")


@verifies("RFC9325-3.3-client-no-compression", "RFC7525-3.3-client-no-compression")
@at_every_client_endpoint
def test_no_compression(client: ClientEndpoint) -> None:
    """RFC 9325 3.3: TLS compression should not be supported; what a client offers it supports."""
    client.not_without(TLS12)
    offering = [each for each in client.hellos if any(each.facts.compression_methods)]
    expect(
        [f"offered in trial {each.trial}" for each in offering],
        evidence=[each.exchange for each in offering] or client.hello_exchange,
        what="compression",
    ).to_be_empty(expected="no compression method but null")
    expect_refused(client, ("compression",))


@verifies("B.12-client-attempts-tls", "B.13-client-attempts-tls")
@at_every_client_endpoint
def test_tls_is_attempted(client: ClientEndpoint) -> None:
    """B.12, B.13: the client begins with TLS although nothing has announced it."""
    first = client.played("ordinary").connections[0]
    if first.opening == "other":
        raise Missing(f"what the client began with at {client.name} is no protocol known here", "", first.exchange)
    expect(first.opening, evidence=first.exchange, what="first octets").to_be_one_of(("tls", "ssl2"))


@verifies("B.12-client-encrypts-all-communications")
@at_every_client_endpoint
def test_nothing_is_sent_in_the_clear(client: ClientEndpoint) -> None:
    """B.12: all communications are encrypted, also after TLS has failed or was answered in plain text."""
    plain = [
        (played, each)
        for played in client.all_played
        for each in played.connections
        if each.opening in {"dicom", "http", "syslog"}
    ]
    expect(
        [f"{played}: {shown(each)}" for played, each in plain],
        evidence=[each.exchange for _, each in plain] or client.witnesses(*WITHOUT_TLS),
        what="what was sent without encryption",
    ).to_be_empty()
    for trial in WITHOUT_TLS:
        client.played(trial)


WITHOUT_TLS = ("ordinary", "plaintext-dicom", "fallback-after-handshake-failure")
"""The trials that tempt a client to go on without TLS, or that show it from the beginning."""


@verifies("RFC9325-3.1.3-client-no-fallback")
@at_every_client_endpoint
def test_no_fallback_below_tls_1_2(client: ClientEndpoint) -> None:
    """RFC 9325 3.1.3: a client of TLS 1.2 or higher does not fall back below it when a connection failed."""
    if client.hello.highest_version < TLS12:
        raise NotApplicable(f"the client does not offer TLS 1.2 at {client.name}", client.hello_exchange)
    lower = [each for each in client.hellos if each.facts.highest_version < TLS12]
    expect(
        [f"in trial {each.trial}" for each in lower],
        evidence=[each.exchange for each in lower] or client.witnesses(*FAILURES),
        what="hellos of at most TLS 1.1",
    ).to_be_empty(expected="none, whatever failed before")
    for trial in FAILURES:
        client.played(trial)


FAILURES = ("fallback-after-close", "fallback-after-handshake-failure", "fallback-after-protocol-version")
"""The trials in which every connection fails, each in its way."""


@verifies("RFC9325-3.10-client-no-early-data")
@at_every_client_endpoint
def test_no_early_data(client: ClientEndpoint) -> None:
    """RFC 9325 3.10: no 0-RTT data, for DICOM defines no use of it."""
    client.not_without(TLS13)
    early = [each for each in client.hellos if EARLY_DATA in each.facts.extensions]
    expect(
        [f"in trial {each.trial}" for each in early],
        evidence=[each.exchange for each in early] or client.hello_exchange,
        what="hellos with early data",
    ).to_be_empty()
    client.played("tickets")


EARLY_DATA = 42


@verifies("RFC6066-8-client-checks-stapled-response")
@at_every_client_endpoint
def test_a_stapled_response_is_checked(client: ClientEndpoint) -> None:
    """RFC 6066 8: who asks for an OCSP response and gets one that is not satisfactory breaks off."""
    if STATUS_REQUEST not in client.hello.extensions:
        raise NotApplicable(f"the client asks for no OCSP response at {client.name}", client.hello_exchange)
    expect_refused(client, stapled_trials())


def stapled_trials() -> tuple[str, ...]:
    """The trials in which a stapled response tells that the server's certificate was revoked."""
    from fixtures.pki.zoo import CASES  # late: only a client that asks needs them

    return tuple(
        f"certificate/{case.name}"
        for case in CASES.values()
        if case.rule == "revocation" and "stapling" in case.needs and case.server == "refuse"
    )
