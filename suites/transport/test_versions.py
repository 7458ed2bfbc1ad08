"""Protocol versions: PS3.15 B.12 and B.13, RFC 9325 3.1.1, RFC 8996 4 and 5."""

from __future__ import annotations

from harness import SSL2, SSL3, TLS10, TLS11, TLS12, TLS13, Missing, Reaction, ReactionKind, Versions, expect, verifies
from reference_impl.transport.registry import version_name
from suites.transport.expectations import at_every_endpoint, not_applicable_without
from suites.transport.view import Endpoint
from suites.transport.words import shown, unanswered

pytest_plugins = ("suites.transport.fixtures",)

PROTOCOL_VERSION = 70


def is_supported(server: Endpoint, version: int) -> None:
    """The server negotiates `version`."""
    supported = server.accepts(version)
    reaction = server.facts(Versions).reactions.get(version)
    evidence = server.witnesses(version) or ((reaction.exchange,) if reaction else ())
    observed = "accepted" if supported or reaction is None else shown(reaction)
    expect(observed, evidence=evidence[:1], what=f"hello of {version_name(version)}").to_hold(
        supported, expected=f"accepted with {version_name(version)}"
    )


def is_not_negotiated(server: Endpoint, version: int) -> None:
    """The server does not negotiate `version`."""
    witnesses = server.witnesses(version)
    reaction = server.facts(Versions).reactions.get(version)
    observed = "accepted" if witnesses or reaction is None else shown(reaction)
    evidence = witnesses[:1] or ((reaction.exchange,) if reaction else ())
    expect(observed, evidence=evidence, what=f"hello of {version_name(version)}").to_hold(
        not witnesses, expected=("alert", "connection closed", "connection reset", "a version that is permitted")
    )
    server.accepts(version)


def is_preferred(reaction: Reaction, stimulus: str) -> None:
    """An offer of TLS 1.3 beside TLS 1.2 is answered with TLS 1.3."""
    if not reaction.accepted and reaction.kind is not ReactionKind.HELLO_RETRY_REQUEST:
        raise unanswered(reaction, stimulus)
    expect(reaction.version, evidence=reaction.exchange, what=stimulus, show=version_name).to_be(TLS13)


@verifies(
    "B.12-server-supports-tls-1.2",
    "B.13-server-supports-tls-1.2",
    "RFC9325-3.1.1-supports-tls-1.2",
    "RFC7525-3.1.1-supports-tls-1.2",
)
@at_every_endpoint
def test_tls_1_2_is_supported(server: Endpoint) -> None:
    """B.12, B.13, RFC 9325 3.1.1: TLS 1.2 is supported."""
    is_supported(server, TLS12)


@verifies("B.13-server-supports-tls-1.3", "RFC9325-3.1.1-supports-tls-1.3")
@at_every_endpoint
def test_tls_1_3_is_supported(server: Endpoint) -> None:
    """B.13 demands TLS 1.3 of a server, RFC 9325 3.1.1 recommends it."""
    is_supported(server, TLS13)


@verifies("B.12-server-prefers-tls-1.3", "B.13-server-prefers-tls-1.3", "RFC9325-3.1.1-prefers-tls-1.3")
@at_every_endpoint
def test_tls_1_3_is_preferred(server: Endpoint) -> None:
    """B.12, B.13, RFC 9325 3.1.1: a server with TLS 1.3 chooses it when the client offers it."""
    not_applicable_without(server, TLS13)
    reaction = server.facts(Versions).all_offered
    if reaction is None:
        raise Missing(f"TLS 1.3 and TLS 1.2 were not offered together to {server.name}", "Run the observation again.")
    is_preferred(reaction, "TLS 1.3 and TLS 1.2 offered together")


@verifies("RFC9325-3.1.1-no-ssl-2.0", "RFC7525-3.1.1-no-ssl-2.0")
@at_every_endpoint
def test_ssl_2_0_is_not_negotiated(server: Endpoint) -> None:
    """RFC 9325 3.1.1: SSL 2.0 is not negotiated."""
    is_not_negotiated(server, SSL2)


@verifies("RFC9325-3.1.1-no-ssl-3.0", "RFC7525-3.1.1-no-ssl-3.0")
@at_every_endpoint
def test_ssl_3_0_is_not_negotiated(server: Endpoint) -> None:
    """RFC 9325 3.1.1: SSL 3.0 is not negotiated."""
    is_not_negotiated(server, SSL3)


@verifies(
    "RFC9325-3.1.1-no-tls-1.0",
    "RFC8996-4-no-tls-1.0",
    "RFC8996-4-no-server-hello-tls-1.0",
    "B.10-no-tls-1.0",
    "B.11-no-tls-1.0",
)
@at_every_endpoint
def test_tls_1_0_is_not_negotiated(server: Endpoint) -> None:
    """RFC 9325 3.1.1 and RFC 8996 4: no negotiation ends in TLS 1.0, no ServerHello carries {03,01}."""
    is_not_negotiated(server, TLS10)


@verifies(
    "RFC9325-3.1.1-no-tls-1.1",
    "RFC8996-5-no-tls-1.1",
    "RFC8996-5-no-server-hello-tls-1.1",
    "B.10-no-tls-1.1",
    "B.11-no-tls-1.1",
)
@at_every_endpoint
def test_tls_1_1_is_not_negotiated(server: Endpoint) -> None:
    """RFC 9325 3.1.1 and RFC 8996 5: no negotiation ends in TLS 1.1, no ServerHello carries {03,02}."""
    is_not_negotiated(server, TLS11)


def is_answered_with_protocol_version(server: Endpoint, version: int) -> None:
    """A hello of at most `version` gets the alert protocol_version. A reset may have swallowed it: inconclusive."""
    stimulus = f"hello of at most {version_name(version)}"
    reaction = server.facts(Versions).reactions.get(version)
    if reaction is None:
        raise Missing(f"no {stimulus} was sent to {server.name}", "Run the observation again.")
    told = reaction.accepted or reaction.kind in {ReactionKind.ALERT, ReactionKind.CLOSE}
    if not told:
        raise unanswered(reaction, f"the {stimulus}")
    server.accepts(TLS12)  # a server that takes nobody tells nothing about versions
    expect(reaction, evidence=reaction.exchange, what=stimulus, show=shown).to_hold(
        reaction.kind is ReactionKind.ALERT and reaction.alert == PROTOCOL_VERSION,
        expected="alert protocol_version and the end of the connection",
    )


@verifies("RFC8996-4-protocol-version-alert")
@at_every_endpoint
def test_a_hello_of_tls_1_0_gets_protocol_version(server: Endpoint) -> None:
    """RFC 8996 4: a hello whose highest version is TLS 1.0 is answered with protocol_version."""
    is_answered_with_protocol_version(server, TLS10)


@verifies("RFC8996-5-protocol-version-alert")
@at_every_endpoint
def test_a_hello_of_tls_1_1_gets_protocol_version(server: Endpoint) -> None:
    """RFC 8996 5: a hello whose highest version is TLS 1.1 is answered with protocol_version."""
    is_answered_with_protocol_version(server, TLS11)
