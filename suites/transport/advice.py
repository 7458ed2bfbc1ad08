"""Advice on TLS servers, apart from verdicts: what newer rules than the claim, or good practice, would say.

The words stand in ``advice.toml``; here stands when each is said. What was not observed is not advised on. Clients have
advice of their own: `suites.transport.client_advice`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from harness import (
    TLS12,
    TLS13,
    AdviceRecord,
    ClaimRecord,
    EndpointRecord,
    Endpoints,
    Extensions,
    Groups,
    Observations,
    Preferences,
    Renegotiation,
    Resumption,
    Versions,
)
from reference_impl.transport.registry import CipherSuite, group, suite
from suites.occasions import MOST_NAMED, Occasion, Rule, advice_on, listed
from suites.transport.client_advice import advise_client
from suites.transport.client_view import TlsClient
from suites.transport.view import SeenCertificate, TlsServer

SOON = timedelta(days=30)
SERVER_PURPOSES = frozenset({"serverAuth", "anyExtendedKeyUsage"})
RFC9662_SUITE = 0xC02F  # TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
RFC10015_KEY_EXCHANGES = frozenset({"RSA", "DH", "DHE"})
CLIENT = "tls-client"


_WORDS = Path(__file__).with_suffix(".toml")


def advise(endpoint: EndpointRecord, claims: tuple[ClaimRecord, ...], lookup: Observations) -> list[AdviceRecord]:
    """The advice on one endpoint, which `claims` are about, from what was observed there: each piece once."""
    servers = [TlsServer(lookup, Endpoints(endpoint), each) for each in claims if each.role != CLIENT]
    clients = [TlsClient(lookup, Endpoints(endpoint), each) for each in claims if each.role == CLIENT]
    return [*advice_on(endpoint, servers, RULES, _WORDS), *advise_client(endpoint, clients)]


def validity(tls: TlsServer) -> Iterator[Occasion]:
    """Server certificates that are expired, not valid yet, or expire soon, at the time of observation."""
    for leaf in tls.leaves:
        facts = leaf.facts
        if facts.not_after < tls.observed_at:
            yield about("certificate-expired", leaf, f"since {facts.not_after:%Y-%m-%d}")
        elif facts.not_after < tls.observed_at + SOON:
            yield about("certificate-expires-soon", leaf, f"on {facts.not_after:%Y-%m-%d}")
        if facts.not_before > tls.observed_at:
            yield about("certificate-not-yet-valid", leaf, f"from {facts.not_before:%Y-%m-%d}")


def names(tls: TlsServer) -> Iterator[Occasion]:
    """Server certificates for other names."""
    for leaf in tls.leaves:
        if leaf.chain.name_matches is False:
            covered = ", ".join((leaf.facts.names or (leaf.facts.common_name,))[:MOST_NAMED])
            yield about("certificate-name-mismatch", leaf, f"it is for {covered or 'no name at all'}")


def chains(tls: TlsServer) -> Iterator[Occasion]:
    """Chains out of order."""
    for leaf in tls.leaves:
        if not leaf.chain.in_order:
            yield about("certificate-chain-order", leaf, f"{len(leaf.chain.certificates)} certificates")


def purpose(tls: TlsServer) -> Iterator[Occasion]:
    """Server certificates that are for something else; a certificate without purposes is for anything."""
    for leaf in tls.leaves:
        usage = leaf.facts.extended_key_usage
        if usage is not None and not SERVER_PURPOSES & set(usage):
            yield about("certificate-purpose", leaf, ", ".join(usage[:MOST_NAMED]) or "no purpose at all")


def about(rule: str, leaf: SeenCertificate, detail: str) -> Occasion:
    """An occasion that a server certificate gives."""
    return Occasion(rule, f"{leaf} ({detail})", tuple(filter(None, [leaf.chain.exchange])))


def renegotiation(tls: TlsServer) -> Iterator[Occasion]:
    """Renegotiation that clients may start."""
    for server in tls.endpoints:
        facts = server.facts(Renegotiation)
        if facts.secure_accepted:
            yield Occasion("client-renegotiation", evidence=(facts.reaction.exchange,) if facts.reaction else ())


def dhe_under_b13(tls: TlsServer) -> Iterator[Occasion]:
    """DHE, where the profile allows what RFC 9325 recommends against."""
    if tls.claim.profile == "B.13":
        permitted = tls.profile.optional["TLS 1.2"]
        yield from accepted(tls, "dhe-under-b13", lambda suite: suite.key_exchange == "DHE" and suite.code in permitted)


def rfc10015(tls: TlsServer) -> Iterator[Occasion]:
    """Key exchanges of TLS 1.2 that RFC 10015 forbids."""
    yield from accepted(tls, "rfc10015-key-exchange", lambda suite: suite.key_exchange in RFC10015_KEY_EXCHANGES)


def accepted(tls: TlsServer, rule: str, about_suite: Callable[[CipherSuite], bool]) -> Iterator[Occasion]:
    """The occasion that accepted TLS 1.2 suites give."""
    seen = tls.accepted(about_suite, TLS12)
    if seen:
        evidence = tuple(each.exchange for each in seen[:MOST_NAMED] if each.exchange)
        yield Occasion(rule, listed(each.suite.name for each in seen), evidence)


def rfc9662(tls: TlsServer) -> Iterator[Occasion]:
    """What RFC 9662 asks of a syslog receiver beyond RFC 5425, which A.6 names."""
    if tls.claim.profile != "A.6":
        return
    if tls.accepts(TLS12) and not tls.has_suite(lambda each: each.code == RFC9662_SUITE, TLS12):
        yield Occasion("rfc9662-ecdhe-suite")
    for server in tls.endpoints:
        if server.facts(Resumption).early_data_accepted:
            yield Occasion("rfc9662-early-data", evidence=server.facts(Resumption).exchanges)


def rfc9662_preference(tls: TlsServer) -> Iterator[Occasion]:
    """The order that RFC 9662 asks a syslog receiver for: TLS 1.3, then ECDHE."""
    for server in tls.endpoints if tls.claim.profile == "A.6" else ():
        both = server.facts(Versions).all_offered
        if both is not None and both.accepted and both.version != TLS13 and server.accepts(TLS13):
            yield Occasion("rfc9662-preference", "TLS 1.3 is supported and not preferred", (both.exchange,))
        order = server.facts(Preferences).forward_secrecy
        if order is not None and order.selected is not None and not suite(order.selected).forward_secrecy:
            name = suite(order.selected).name
            yield Occasion("rfc9662-preference", f"{name} is preferred to ECDHE", (order.reaction.exchange,))


def rfc9852(tls: TlsServer) -> Iterator[Occasion]:
    """TLS 1.3 missing."""
    if not tls.accepts(TLS13):
        yield Occasion("rfc9852-tls-1-3")


def heartbeat(tls: TlsServer) -> Iterator[Occasion]:
    """The heartbeat extension answered."""
    for server in tls.endpoints:
        facts = server.facts(Extensions)
        if facts.heartbeat:
            yield Occasion("heartbeat", evidence=tuple(filter(None, [facts.hello_exchange])))


def fallback(tls: TlsServer) -> Iterator[Occasion]:
    """TLS_FALLBACK_SCSV overlooked by a server that has a higher version."""
    for server in tls.endpoints:
        reaction = server.facts(Versions).fallback_scsv
        if reaction is not None and reaction.accepted and server.accepts(TLS13):
            yield Occasion("fallback-scsv", evidence=tuple(filter(None, [reaction.exchange])))


def post_quantum(tls: TlsServer) -> Iterator[Occasion]:
    """No hybrid group among all groups of TLS 1.3."""
    for server in tls.endpoints:
        of_version = server.facts(Groups).versions.get(TLS13)
        if (
            of_version is not None
            and of_version.complete
            and not any(group(each.code).kind in {"hybrid", "pq"} for each in of_version.groups)
        ):
            yield Occasion("no-post-quantum-group")


RULES: tuple[Rule[TlsServer], ...] = (
    validity,
    names,
    chains,
    purpose,
    renegotiation,
    dhe_under_b13,
    rfc10015,
    rfc9662,
    rfc9662_preference,
    rfc9852,
    heartbeat,
    fallback,
    post_quantum,
)
