"""Syslog senders: the TLS of PS3.15 A.6 and of RFC 5425, sections 4.2, 4.4 and 5."""

from __future__ import annotations

from harness import SSL3, TLS10, TLS11, TLS12, TLS13, Missing, NotApplicable, expect, verifies
from harness.observations.clients import ClientConnection
from reference_impl.transport.registry import alert_name, suite, version_name
from suites.transport.beside import APPROPRIATE, MANDATORY, MANDATORY_TLS13, PATH_RULES
from suites.transport.client_expectations import at_every_client_endpoint, expect_refused
from suites.transport.client_view import AGAIN, TRUST, ClientEndpoint, Played
from suites.transport.client_words import shown
from suites.transport.test_client_role_certificates import bad, trials_of

pytest_plugins = ("suites.transport.fixtures",)

STRANGERS = ("certificate/unknown-authority", "certificate/self-signed-unknown")
WRONG_NAMES = ("certificate/wrong-host-name", "certificate/host-name-continued", "certificate/nul-in-name")
OLD_TRIALS = {SSL3: "only-ssl-3.0", TLS10: "only-tls-1.0", TLS11: "only-tls-1.1"}


@verifies("A.6-client-uses-tls")
@at_every_client_endpoint
def test_messages_are_sent_over_tls_only(client: ClientEndpoint) -> None:
    """A.6: TLS MUST be used: in no trial does a connection open with anything but TLS."""
    client.played("ordinary")
    openings = [(played, each) for played in client.all_played for each in played.connections]
    clear = [(played, each) for played, each in openings if each.opening not in {"tls", "ssl2"}]
    expect(
        [f"trial {played}: {shown(each)}" for played, each in clear],
        evidence=[each.exchange for _, each in clear or openings][:20],
        what="connections that open without TLS",
    ).to_be_empty()


@verifies("A.6-client-no-ssl")
@at_every_client_endpoint
def test_ssl_is_neither_offered_nor_accepted(client: ClientEndpoint) -> None:
    """A.6: TLS MUST be used; SSL 2.0 and SSL 3.0 are not TLS."""
    old = [each for each in client.hellos if each.facts.ssl2_format or SSL3 in each.facts.supported_versions]
    expect(
        [f"in trial {each.trial}" for each in old],
        evidence=[each.exchange for each in old] or client.hello_exchange,
        what="hellos that offer SSL",
    ).to_be_empty()
    expect_refused(client, [OLD_TRIALS[SSL3]])


@verifies("A.6-client-no-older-tls")
@at_every_client_endpoint
def test_older_versions_are_not_offered(client: ClientEndpoint) -> None:
    """A.6: version 1.2 or later is RECOMMENDED; without a list of versions only what the client goes on with tells."""
    listed = [version for version in (TLS10, TLS11) if version in client.hello.supported_versions]
    expect(listed, evidence=client.hello_exchange, what="versions offered", show=version_name).to_be_empty(
        expected="neither TLS 1.0 nor TLS 1.1"
    )
    expect_refused(client, [OLD_TRIALS[TLS10], OLD_TRIALS[TLS11]])


@verifies("RFC5425-4.2-client-mandatory-suite")
@at_every_client_endpoint
def test_the_mandatory_suite_is_offered(client: ClientEndpoint) -> None:
    """RFC 5425 4.2: TLS_RSA_WITH_AES_128_CBC_SHA is REQUIRED."""
    if not any(client.hello.offers(version) for version in (TLS10, TLS11, TLS12)):
        raise NotApplicable(f"the client offers TLS 1.3 alone at {client.name}", client.hello_exchange)
    is_offered(client, MANDATORY)


@verifies("RFC5425-4.2-client-mandatory-suite-tls-1.3")
@at_every_client_endpoint
def test_the_mandatory_suite_of_tls_1_3_is_offered(client: ClientEndpoint) -> None:
    """RFC 5425 4.2, RFC 8446 9.1: the mandatory suite of the implemented version MUST be supported."""
    client.not_without(TLS13)
    is_offered(client, MANDATORY_TLS13)


def is_offered(client: ClientEndpoint, code: int) -> None:
    """The suite is among those of the ordinary hello."""
    offered = "offered" if code in client.hello.suites else "not offered"
    expect(offered, evidence=client.hello_exchange, what=suite(code).name).to_be("offered")


@verifies("RFC5425-4.2.1-client-certificate-authentication")
@at_every_client_endpoint
def test_receivers_are_authenticated_by_certificates(client: ClientEndpoint) -> None:
    """RFC 5425 4.2.1: implemented, if unused by a site. Who lacks the certificate's key is accepted by no policy."""
    expect_refused(client, trials_of(client, bad("possession")))
    authenticates(client)
    leaves = [each for each in client.certificates if each.place == 0]
    if not leaves:
        raise Missing(
            f"the client presented no certificate at {client.name}, which a site may have switched off",
            "Install a client certificate; the declaration tells whether the sender can have one.",
            client.hello_exchange,
        )
    expect("presented", evidence=[each.chain.exchange for each in leaves], what="certificate when asked").to_be(
        "presented"
    )


def authenticates(client: ClientEndpoint) -> None:
    """Raise `Missing` where the client goes on with receivers of unknown authorities: what it verifies is not seen."""
    taken = [played for played in map(client.played, STRANGERS) if played.accepted]
    if taken:
        raise Missing(
            f"the client goes on with receivers that it cannot authenticate ({', '.join(map(str, taken))})",
            "Let the sender trust the authority of the site alone: RFC 5425 5.4 recommends against sending to anybody.",
            tuple(at for each in taken for at in each.exchanges),
        )


@verifies("RFC5425-4.2.1-client-path-validation")
@at_every_client_endpoint
def test_paths_are_validated(client: ClientEndpoint) -> None:
    """RFC 5425 4.2.1 and 5.2: certification path validation as RFC 5280 defines it."""
    authenticates(client)
    expect_refused(client, trials_of(client, bad("trust", "chain", *PATH_RULES, level="shall")))


@verifies("RFC5425-5.2-client-host-names")
@at_every_client_endpoint
def test_the_receivers_name_is_matched(client: ClientEndpoint) -> None:
    """RFC 5425 5.2: the configured host name is matched with the dNSName entries."""
    authenticates(client)
    expect_refused(client, WRONG_NAMES)


@verifies("RFC5425-5.4-client-authenticates-receiver")
@at_every_client_endpoint
def test_receivers_are_authenticated(client: ClientEndpoint) -> None:
    """RFC 5425 5.4, 5.5: to send messages to anybody is generally NOT RECOMMENDED."""
    expect_refused(client, STRANGERS)


@verifies("RFC5425-4.4-client-close-notify")
@at_every_client_endpoint
def test_close_notify_comes_before_the_end(client: ClientEndpoint) -> None:
    """RFC 5425 4.4: MUST send close_notify before it closes. Seen where the client ended an ordinary connection."""
    ordinary = client.played("ordinary")
    done = [each for each in ordinary.accepted if each.progress == "completed"]
    ended = [each for each in done if each.ended in {"close_notify", "close"}]
    if not ended:
        raise Missing(
            f"the client closed no connection over which it had sent anything at {client.name}",
            "Let the sender close its connection within the trial: stop it, or let its idle time end.",
            ordinary.exchanges,
        )
    expect(
        sorted({each.ended for each in ended}), evidence=[each.exchange for each in ended], what="ends of connections"
    ).to_hold(all(each.ended == "close_notify" for each in ended), expected="close_notify")


@verifies("RFC5425-5-client-aborts-with-alert")
@at_every_client_endpoint
def test_refused_receivers_are_told_by_an_alert(client: ClientEndpoint) -> None:
    """RFC 5425 5: a handshake with a peer that does not meet the policy MUST be aborted with an appropriate alert."""
    refused = [(played, each) for trial in STRANGERS for played in [client.played(trial)] for each in _refused(played)]
    if not refused:
        if all(client.played(trial).accepted for trial in STRANGERS):
            raise NotApplicable(f"the client goes on with any receiver at {client.name}", client.hello_exchange)
        raise Missing(f"no receiver was refused at {client.name}", TRUST)
    client.control(*(played for played, _ in refused))
    mute = [
        (played, each) for played, each in refused if each.alert is None and each.ended in {"close", "close_notify"}
    ]
    expect(
        [f"trial {played}: {shown(each)}" for played, each in mute],
        evidence=[each.exchange for _, each in mute or refused],
        what="refusals of receivers",
    ).to_be_empty(expected="each by an alert")
    for played, each in refused:
        if each.alert is None:
            raise Missing(
                f"the client reset the connection in trial {played}, which may have swallowed its alert",
                AGAIN,
                each.exchange,
            )
        if each.alert not in APPROPRIATE:
            raise Missing(
                f"whether alert {alert_name(each.alert)} in trial {played} is appropriate is not for a program to say",
                "See what the alert says of the reason.",
                each.exchange,
            )


def _refused(played: Played) -> tuple[ClientConnection, ...]:
    return () if played.accepted else played.refused
