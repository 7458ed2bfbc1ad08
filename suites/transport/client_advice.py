"""Advice on TLS clients, apart from verdicts: what newer rules than the claim, or good practice, would say.

The words stand in ``client_advice.toml``; here stands when each is said. To offer is not to use, so that what a client
merely offers is advised on, not failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

from harness import TLS12, TLS13, AdviceRecord, EndpointRecord
from reference_impl.transport.registry import SignatureScheme, group, signature_scheme
from suites.occasions import Occasion, Rule, advice_on, listed
from suites.transport.client_view import ClientEndpoint, TlsClient, before_tls13
from suites.transport.view import SeenCertificate, SuiteRule

SOON = timedelta(days=30)
CLIENT_PURPOSES = frozenset({"clientAuth", "anyExtendedKeyUsage"})
RFC10015_KEY_EXCHANGES = frozenset({"RSA", "DH", "DHE"})
HEARTBEAT = 15
_WORDS = Path(__file__).with_suffix(".toml")


def advise_client(endpoint: EndpointRecord, clients: Iterable[TlsClient]) -> list[AdviceRecord]:
    """The advice on the client that connects to `endpoint`, as each claim sees it."""
    return advice_on(endpoint, clients, RULES, _WORDS)


def leaves(client: TlsClient) -> Iterator[SeenCertificate]:
    """The client's own certificates."""
    for endpoint in client.endpoints:
        yield from (each for each in endpoint.certificates if each.place == 0)


def about(rule: str, leaf: SeenCertificate, detail: str) -> Occasion:
    """An occasion that a client certificate gives."""
    return Occasion(rule, f"{leaf} ({detail})", tuple(filter(None, [leaf.chain.exchange])))


def validity(client: TlsClient) -> Iterator[Occasion]:
    """Client certificates that are expired, not valid yet, or expire soon, at the time of observation."""
    for leaf in leaves(client):
        facts = leaf.facts
        if facts.not_after < client.observed_at:
            yield about("client-certificate-expired", leaf, f"since {facts.not_after:%Y-%m-%d}")
        elif facts.not_after < client.observed_at + SOON:
            yield about("client-certificate-expires-soon", leaf, f"on {facts.not_after:%Y-%m-%d}")
        if facts.not_before > client.observed_at:
            yield about("client-certificate-not-yet-valid", leaf, f"from {facts.not_before:%Y-%m-%d}")


def purpose(client: TlsClient) -> Iterator[Occasion]:
    """Client certificates that are for something else; a certificate without purposes is for anything."""
    for leaf in leaves(client):
        usage = leaf.facts.extended_key_usage
        if usage is not None and not CLIENT_PURPOSES & set(usage):
            yield about("client-certificate-purpose", leaf, listed(usage) or "no purpose at all")


def mutual_authentication(client: TlsClient) -> Iterator[Occasion]:
    """No certificate shown to a server that asked for one: the profiles encourage it."""
    for endpoint in client.endpoints:
        if not endpoint.certificates:
            yield Occasion("client-no-certificate", evidence=(endpoint.hello_exchange,))


def offered(client: TlsClient, rule: str, about_suite: SuiteRule) -> Iterator[Occasion]:
    """The occasion that offered suites of TLS 1.2 give."""
    for endpoint in client.endpoints:
        found = endpoint.offered(before_tls13(about_suite)) if endpoint.hello.offers(TLS12) else ()
        if found:
            yield Occasion(rule, listed(each.name for each in found), (endpoint.hello_exchange,))


def rfc10015(client: TlsClient) -> Iterator[Occasion]:
    """Key exchanges of TLS 1.2 that RFC 10015 forbids."""
    yield from offered(client, "client-rfc10015-key-exchange", lambda each: each.key_exchange in RFC10015_KEY_EXCHANGES)


def under_b13(client: TlsClient) -> Iterator[Occasion]:
    """Suites offered that B.13 does not permit, and DHE, which it allows and RFC 9325 recommends against."""
    if client.claim.profile != "B.13":
        return
    permitted = {*client.profile.required["TLS 1.2"], *client.profile.optional["TLS 1.2"]}
    yield from offered(client, "client-offers-outside-b13", lambda each: each.code not in permitted)
    yield from offered(
        client, "client-dhe-under-b13", lambda each: each.key_exchange == "DHE" and each.code in permitted
    )


def rfc9852(client: TlsClient) -> Iterator[Occasion]:
    """TLS 1.3 missing."""
    for endpoint in client.endpoints:
        if not endpoint.hello.offers(TLS13):
            yield Occasion("client-rfc9852-tls-1-3", evidence=(endpoint.hello_exchange,))


def rfc9155(client: TlsClient) -> Iterator[Occasion]:
    """SHA-1 and MD5 among the signature schemes."""
    for endpoint in client.endpoints:
        weak = [scheme.name for scheme in schemes(endpoint) if scheme.hash.lower() in {"sha1", "md5"}]
        if weak:
            yield Occasion("client-rfc9155-schemes", listed(weak), (endpoint.hello_exchange,))


def schemes(endpoint: ClientEndpoint) -> Iterator[SignatureScheme]:
    """The signature schemes that the client names."""
    yield from map(signature_scheme, endpoint.hello.schemes or ())


def heartbeat(client: TlsClient) -> Iterator[Occasion]:
    """The heartbeat extension offered."""
    for endpoint in client.endpoints:
        if HEARTBEAT in endpoint.hello.extensions:
            yield Occasion("client-heartbeat", evidence=(endpoint.hello_exchange,))


def post_quantum(client: TlsClient) -> Iterator[Occasion]:
    """No hybrid group among those of a client of TLS 1.3."""
    for endpoint in client.endpoints:
        named = endpoint.hello.groups or ()
        if endpoint.hello.offers(TLS13) and not any(group(each).kind in {"hybrid", "pq"} for each in named):
            yield Occasion("client-no-post-quantum-group", evidence=(endpoint.hello_exchange,))


RULES: tuple[Rule[TlsClient], ...] = (
    validity,
    purpose,
    mutual_authentication,
    under_b13,
    rfc10015,
    rfc9852,
    rfc9155,
    heartbeat,
    post_quantum,
)
