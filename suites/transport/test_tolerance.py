"""What a server has to cope with: RFC 8996 4 (record versions), RFC 5246 and RFC 8446 (unknown values), downgrade."""

from __future__ import annotations

from harness import TLS12, TLS13, Missing, Reaction, Tolerance, Versions, expect, verifies
from reference_impl.transport.registry import version_name
from suites.transport.expectations import at_every_endpoint, expect_accepted, not_applicable_without
from suites.transport.view import Endpoint

pytest_plugins = ("suites.transport.fixtures",)

ORDINARY_RECORD = 0x0301  # what clients put on the record of a ClientHello
DOWNGRADED_TO_TLS_1_2 = b"DOWNGRD\x01".hex()


@verifies("RFC8996-4-any-record-version")
@at_every_endpoint
def test_any_record_version_is_accepted(server: Endpoint) -> None:
    """RFC 8996 4: the record that carries a ClientHello may have any version {03,XX}."""
    facts = server.facts(Tolerance)
    baseline = facts.record_versions.get(ORDINARY_RECORD) or facts.baseline_tls12 or facts.baseline_tls13
    version = baseline.version if baseline and baseline.version else TLS12
    tried(facts.record_versions, "versions of the record")
    for record_version, reaction in sorted(facts.record_versions.items()):
        expect_accepted(reaction, f"a hello in a record of version {in_octets(record_version)}", baseline, version)


@verifies("RFC5246-E.1-version-tolerance")
@at_every_endpoint
def test_higher_versions_lead_to_tls_1_2(server: Endpoint) -> None:
    """RFC 5246 E.1: a client version that is higher than the server's is answered with the server's highest one."""
    not_applicable_without(server, TLS12)
    facts = server.facts(Tolerance)
    tried(facts.client_versions, "versions of the client")
    for client_version, reaction in sorted(facts.client_versions.items()):
        stimulus = f"a hello of version {in_octets(client_version)}"
        expect_accepted(reaction, stimulus, facts.baseline_tls12, TLS12)


@verifies("RFC5246-7.4.1.4-ignores-unknown-extensions")
@at_every_endpoint
def test_unknown_values_in_a_tls_1_2_hello_are_ignored(server: Endpoint) -> None:
    """RFC 5246 7.4.1.4: extensions and suites that the server does not know are ignored."""
    not_applicable_without(server, TLS12)
    facts = server.facts(Tolerance)
    stimulus = "a TLS 1.2 hello with unknown extensions and suites"
    expect_accepted(obtained(facts.unknown_extensions_tls12, stimulus), stimulus, facts.baseline_tls12, TLS12)


@verifies("RFC8446-4.2.1-ignores-unknown-versions")
@at_every_endpoint
def test_unknown_values_in_a_tls_1_3_hello_are_ignored(server: Endpoint) -> None:
    """RFC 8446 4.2.1: versions that the server does not know are ignored, and so are suites, groups, extensions."""
    not_applicable_without(server, TLS13)
    facts = server.facts(Tolerance)
    stimulus = "a TLS 1.3 hello with unknown versions, suites, groups and extensions"
    expect_accepted(obtained(facts.unknown_values_tls13, stimulus), stimulus, facts.baseline_tls13, TLS13)


@verifies("RFC8446-4.1.3-downgrade-sentinel")
@at_every_endpoint
def test_the_downgrade_sentinel_is_set(server: Endpoint) -> None:
    """RFC 8446 4.1.3: a server with TLS 1.3 that negotiates TLS 1.2 says so in the end of its random value."""
    not_applicable_without(server, TLS13, TLS12)
    facts = server.facts(Tolerance)
    if not facts.random_tail_tls12:
        raise Missing(f"no TLS 1.2 ServerHello of {server.name} was seen", "Run the observation again.")
    newest = server.facts(Versions).reactions.get(TLS13)
    if facts.random_tail_tls12 != DOWNGRADED_TO_TLS_1_2 and newest is not None and newest.refused:
        raise Missing(
            f"{server.name} takes TLS 1.3 on some connections and refuses it on others, as if several servers stood "
            "behind one address",
            "Name each of the servers behind the address as an endpoint of its own.",
            newest.exchange,
        )
    expect(facts.random_tail_tls12, evidence=facts.downgrade_exchange, what="last octets of ServerHello.random").to_be(
        DOWNGRADED_TO_TLS_1_2
    )


def in_octets(version: int) -> str:
    """A version as the RFCs write it."""
    return f"{{{version >> 8:02X},{version & 0xFF:02X}}} ({version_name(version)})"


def tried(reactions: dict[int, Reaction], what: str) -> None:
    """Raise `Missing` where nothing was tried."""
    if not reactions:
        raise Missing(f"no other {what} were tried", "Run the observation again.")


def obtained(reaction: Reaction | None, stimulus: str) -> Reaction:
    """The reaction, `Missing` where there is none."""
    if reaction is None:
        raise Missing(f"{stimulus} was not sent", "Run the observation again.")
    return reaction
