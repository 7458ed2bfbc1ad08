"""Syslog receivers: the TLS of PS3.15 A.6 and of RFC 5425, sections 4.2, 4.4 and 5."""

from __future__ import annotations

from collections.abc import Sequence

from harness import (
    SSL2,
    SSL3,
    TLS10,
    TLS11,
    TLS12,
    TLS13,
    Application,
    ClientAuthentication,
    CredentialTrial,
    Missing,
    NotApplicable,
    Plaintext,
    Reachability,
    Reaction,
    ReactionKind,
    Versions,
    expect,
    verifies,
)
from reference_impl.transport.registry import suite, version_name
from suites.transport.beside import APPROPRIATE, MANDATORY, MANDATORY_TLS13, PATH_RULES
from suites.transport.client_certificates import Shown, cases
from suites.transport.expectations import at_every_endpoint, not_applicable_without
from suites.transport.mutual import BAD, GIVEN, not_told_apart
from suites.transport.view import Endpoint, SeenSuite, TlsServer, any_of
from suites.transport.words import shown, unanswered

pytest_plugins = ("suites.transport.fixtures",)

UP_TO_TLS12 = (SSL3, TLS10, TLS11, TLS12)
CLOSE_NOTIFY = "close_notify"
OPEN_POLICY = "Let the server trust the authority of the site alone: RFC 5425 5.3 recommends against taking anybody."


@verifies("A.6-server-uses-tls")
@at_every_endpoint
def test_messages_are_taken_over_tls_only(server: Endpoint) -> None:
    """A.6: TLS MUST be used. Syslog answers nothing: a message taken in the clear shows by the connection being kept.

    A pure TLS server ends it as it ends that of a broken record.
    """
    reach = server.facts(Reachability)
    if reach.speaks != "tls":
        raise Missing(
            reach.diagnosis or f"{server.name} speaks no TLS", "Name the port on which the server speaks TLS."
        )
    facts = server.facts(Plaintext)
    broken = facts.broken_record
    kept = facts.reaction.kind is ReactionKind.SILENCE and broken is not None and broken.refused
    if not kept and not facts.reaction.refused:
        raise unanswered(facts.reaction, "a message sent without TLS")
    witnesses = [each.exchange for each in (facts.reaction, broken) if each is not None]
    expect(
        "kept open, where a broken record ends the connection" if kept else shown(facts.reaction),
        evidence=witnesses,
        what="message sent without TLS",
    ).to_hold(not kept, expected=("alert", "connection closed", "connection reset"))


@verifies("A.6-server-no-ssl")
@at_every_endpoint
def test_ssl_is_not_negotiated(server: Endpoint) -> None:
    """A.6: TLS MUST be used; SSL 2.0 and SSL 3.0 are not TLS."""
    expect_not_negotiated(server, SSL2, SSL3)


@verifies("A.6-server-no-older-tls")
@at_every_endpoint
def test_older_versions_are_not_negotiated(server: Endpoint) -> None:
    """A.6: version 1.2 or later is RECOMMENDED."""
    expect_not_negotiated(server, TLS10, TLS11)


@verifies("A.6-server-supports-tls-1.2", "IHE-3.19.6.2.3-server-supports-tls-1.2")
@at_every_endpoint
def test_tls_1_2_or_later_is_supported(server: Endpoint) -> None:
    """A.6 recommends TLS 1.2 or later where RFC 5425 4.2 demands it; IHE demands it."""
    versions = [version for version in (TLS12, TLS13) if server.accepts(version)]
    reactions = server.facts(Versions).reactions
    evidence = [reactions[version].exchange for version in versions or (TLS12, TLS13) if version in reactions]
    expect(versions, evidence=evidence, what="versions negotiated from TLS 1.2 on", show=version_name).to_hold(
        bool(versions), expected=("TLS 1.2", "TLS 1.3")
    )


def expect_not_negotiated(server: Endpoint, *versions: int) -> None:
    """None of `versions` is negotiated."""
    witnesses = {version: server.witnesses(version) for version in versions}
    accepted = [version for version in versions if witnesses[version]]
    expect(
        accepted, evidence=[each for version in accepted for each in witnesses[version][:1]], what="versions negotiated"
    ).to_be_empty(
        expected=f"neither {version_name(versions[0])} nor {version_name(versions[1])}", describe=version_name
    )
    for version in versions:
        server.accepts(version)


@verifies("RFC5425-4.2-server-mandatory-suite")
def test_the_mandatory_suite_is_supported(tls: TlsServer) -> None:
    """RFC 5425 4.2: TLS_RSA_WITH_AES_128_CBC_SHA is REQUIRED, which a certificate for key encipherment makes usable."""
    seen = tls.accepted(lambda each: each.code == MANDATORY, *UP_TO_TLS12)
    if not seen:
        versions = [version for version in UP_TO_TLS12 if tls.accepts(version)]
        if not versions:
            raise NotApplicable("the server supports no version up to TLS 1.2")
        able_to_decipher(tls)
        tls.every_suite_was_offered(*versions)
    expect_accepted_suite(MANDATORY, seen)


def able_to_decipher(tls: TlsServer) -> None:
    """Raise `Missing` unless a certificate was seen with which static RSA can be negotiated."""
    usable = [
        leaf
        for leaf in tls.leaves
        if leaf.facts.key_type == "rsa" and (not leaf.facts.key_usage or "keyEncipherment" in leaf.facts.key_usage)
    ]
    if not usable:
        raise Missing(
            f"without an RSA certificate for key encipherment {suite(MANDATORY).name} cannot be shown",
            "Install an RSA certificate with the key usage keyEncipherment, or name an endpoint with one as alternate.",
        )


@verifies("RFC5425-4.2-server-mandatory-suite-tls-1.3")
def test_the_mandatory_suite_of_tls_1_3_is_supported(tls: TlsServer) -> None:
    """RFC 5425 4.2, RFC 8446 9.1: the mandatory suite of the implemented version MUST be supported."""
    for server in tls.endpoints:
        not_applicable_without(server, TLS13)
    seen = tls.accepted(lambda each: each.code == MANDATORY_TLS13, TLS13)
    if not seen:
        tls.every_suite_was_offered(TLS13)
    expect_accepted_suite(MANDATORY_TLS13, seen)


def expect_accepted_suite(code: int, seen: Sequence[SeenSuite]) -> None:
    """The suite was accepted, as `seen`."""
    expect("accepted" if seen else "refused", evidence=[each.exchange for each in seen], what=suite(code).name).to_be(
        "accepted"
    )


@verifies("RFC5425-4.2.1-server-certificate-authentication")
def test_senders_are_authenticated_by_certificates(tls: TlsServer) -> None:
    """RFC 5425 4.2.1: implemented, if unused by a site: good and bad certificates are told apart at one endpoint.

    Whoever shows a certificate without having its key is admitted under no policy.
    """
    for server in tls.endpoints:
        nobody_without_the_key_is_admitted(server)
    asking = [server for server in tls.endpoints if any(server.facts(ClientAuthentication).requested.values())]
    if not asking:
        raise Missing(
            "the server asked for no client certificate, which a site may have switched off",
            "Switch client certificates on, or name an endpoint that asks for one as alternate; "
            "the declaration tells whether the server can.",
        )
    if not any_of(tells_good_from_bad, asking):
        raise Missing(f"{asking[0].name} admits a certificate of an unknown authority", OPEN_POLICY)
    facts = [server.facts(ClientAuthentication) for server in asking]
    good = [each.reaction.exchange for of in facts for each in of.trials if each.credential == GIVEN and each.admitted]
    expect("told apart", evidence=good, what="good and bad certificates").to_be("told apart")


def nobody_without_the_key_is_admitted(server: Endpoint) -> None:
    """The certificate of somebody else admits nobody, where that was tried."""
    try:
        trials = Shown(server).trials(cases("possession"))
    except (Missing, NotApplicable):
        return
    admitted = [each for each in trials if each.facts.admitted]
    expect(
        admitted, evidence=[each.facts.reaction.exchange for each in trials], what="certificates without their key"
    ).to_be_empty(expected="refused", describe=lambda each: f"admitted: {each}")


def tells_good_from_bad(server: Endpoint) -> bool:
    """Whether `server` admits the given certificate and not that of an unknown authority; `Missing` if unknown."""
    trials = server.facts(ClientAuthentication).trials
    if any(each.credential == BAD and each.admitted for each in trials):
        return False
    good = any(each.credential == GIVEN and each.admitted for each in trials)
    bad = any(each.credential == BAD and each.admitted is False for each in trials)
    if good and bad:
        return True
    raise not_told_apart(server)


@verifies("RFC5425-4.2.1-server-path-validation")
@at_every_endpoint
def test_paths_are_validated(server: Endpoint) -> None:
    """RFC 5425 4.2.1 and 5.2: certification path validation as RFC 5280 defines it."""
    shown_there = Shown(server)
    strangers = [each for each in shown_there.trials(cases("trust", level="shall")) if each.facts.admitted]
    if strangers:
        raise Missing(
            f"{server.name} admits certificates of unknown authorities, so that what it validates does not show",
            OPEN_POLICY,
            tuple(each.facts.reaction.exchange for each in strangers),
        )
    trials = shown_there.trials(cases(*PATH_RULES, level="shall"))
    admitted = [each for each in trials if each.facts.admitted]
    if not admitted:
        shown_there.refusals_tell(each.facts.version for each in trials)
        unclear = [each for each in trials if each.facts.admitted is None and each.shown]
        if unclear:
            named = ", ".join(str(each) for each in unclear[:5])
            raise Missing(
                f"it was not established whether {server.name} refuses {named}",
                "Run the observation again.",
                tuple(each.facts.reaction.exchange for each in unclear),
            )
    expect(
        admitted, evidence=[each.facts.reaction.exchange for each in admitted or trials], what="client certificates"
    ).to_be_empty(
        expected="refused: by an alert, or by closing",
        describe=lambda each: f"admitted: {each} ({each.case.text.removesuffix('.')})",
    )


@verifies("RFC5425-4.4-server-answers-close-notify")
@at_every_endpoint
def test_close_notify_is_answered(server: Endpoint) -> None:
    """RFC 5425 4.4: MUST reply with a close_notify, unless it knows that the connection is closed already."""
    facts = server.facts(Application)
    if facts.closing is None:
        raise Missing(f"no connection of {server.name} was closed by close_notify", "Run the observation again.")
    closing = facts.closing
    ended = closing.kind is ReactionKind.CLOSE
    if not ended:
        raise unanswered(closing, "a close_notify")
    expect(
        CLOSE_NOTIFY if closing.detail == CLOSE_NOTIFY else shown(closing),
        evidence=facts.exchanges,
        what="answer to close_notify",
    ).to_be(CLOSE_NOTIFY)


@verifies("RFC5425-5-server-aborts-with-alert")
@at_every_endpoint
def test_refused_senders_are_told_by_an_alert(server: Endpoint) -> None:
    """RFC 5425 5: a handshake with a peer that does not meet the policy MUST be aborted with an appropriate alert."""
    facts = server.facts(ClientAuthentication)
    refused = [each for each in facts.trials if each.admitted is False and each.credential != GIVEN]
    if not any(facts.requested.values()):
        raise NotApplicable(f"{server.name} asks for no client certificate, and refuses nobody for it")
    if not refused:
        if all(each.admitted for each in facts.trials):
            raise NotApplicable(f"{server.name} admits everybody")
        raise Missing(f"nobody was refused by {server.name} for a certificate", "Run the observation again.")
    lost = [each for each in refused if each.reaction.kind is ReactionKind.RESET]
    mute = [each for each in refused if each.reaction.kind is ReactionKind.CLOSE]
    expect(
        mute, evidence=[each.reaction.exchange for each in mute or refused], what="refusals of client certificates"
    ).to_be_empty(expected="each by an alert", describe=told)
    if lost:
        raise Missing(
            f"{server.name} reset a connection, which may have swallowed its alert",
            "Run the observation again.",
            tuple(each.reaction.exchange for each in lost),
        )
    odd = [each for each in refused if each.reaction.alert not in APPROPRIATE]
    if odd:
        raise Missing(
            f"whether {told(odd[0])} is appropriate is not for a program to say",
            "See what the alert says of the reason.",
            tuple(each.reaction.exchange for each in odd),
        )


def told(trial: CredentialTrial) -> str:
    """A refused trial in words."""
    return f"{shown(trial.reaction)} to certificate {trial.credential} in {version_name(trial.version)}"


@verifies("RFC5425-5.3-server-authenticates-sender")
@at_every_endpoint
def test_senders_are_authenticated(server: Endpoint) -> None:
    """RFC 5425 5.3, 5.5: to take messages of anybody is generally NOT RECOMMENDED."""
    facts = server.facts(ClientAuthentication)
    asked = any(facts.requested.values())
    admitted = [each for each in facts.trials if each.credential != GIVEN and each.admitted]
    named = [f"certificate {each.credential} in {version_name(each.version)}" for each in admitted]
    expect(
        named if asked else ["no certificate is asked for"],
        evidence=[each.reaction.exchange for each in admitted or facts.trials],
        what="senders that are not authenticated",
    ).to_hold(asked and not admitted, expected="none is admitted")
    unclear: list[Reaction] = [
        each.reaction for each in facts.trials if each.credential != GIVEN and each.admitted is None
    ]
    if unclear or not facts.trials:
        raise Missing(
            f"it was not established whether {server.name} admits senders that it cannot authenticate",
            "Run the observation again.",
            tuple(each.exchange for each in unclear),
        )
