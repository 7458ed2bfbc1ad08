"""Certificates of servers, good, odd and bad, at a client: RFC 5280 6.1, RFC 9325 7.1, RFC 8446 4.4.3."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from harness import TLS12, TLS13, Missing, NotApplicable, verifies
from suites.transport.client_expectations import at_every_client_endpoint, copes, expect_gone_on, expect_refused
from suites.transport.client_view import ClientEndpoint, TlsClient
from suites.transport.expectations import judged_everywhere
from suites.transport.view import JudgedRequirement

if TYPE_CHECKING:
    from fixtures.pki.zoo import ZooCase

pytest_plugins = ("suites.transport.fixtures",)

_PREFIX = "RFC5280-6.1-server-certificate-"
RULES = (
    "validity",
    "trust",
    "signature",
    "signature-algorithm",
    "extended-key-usage",
    "key-usage",
    "basic-constraints",
    "path-length",
    "name-constraints",
    "critical-extension",
    "version",
    "encoding",
    "chain",
)
"""The rules of the zoo whose clauses bind by a MUST; what they merely recommend is a requirement of its own."""
RECOMMENDED_RULES = ("key-strength", "revocation")
BY_CIRCUMSTANCE = frozenset({"stapling", "by-name", "by-address", "qualified-name"})
"""Needs that are a matter of how the client calls the server or of what it asks for: without them a case is no case."""
NOT_IN_B13 = frozenset({"ed25519", "ed448"})
"""Certificates whose signatures are on none of B.13's lists."""


def cases(about: Callable[[ZooCase], bool]) -> tuple[ZooCase, ...]:
    """The cases of the zoo that a server can show and that `about` holds of."""
    from fixtures.pki.zoo import CASES  # late: only clients need them

    return tuple(case for case in CASES.values() if case.server is not None and about(case))


def bad(*rules: str, level: str = "") -> tuple[ZooCase, ...]:
    """The cases of `rules` that clients refuse, those whose clause binds as `level` says if it is given."""
    return cases(lambda case: case.rule in rules and case.server == "refuse" and (not level or case.level == level))


def trials_of(client: ClientEndpoint, wanted: Iterable[ZooCase]) -> list[str]:
    """The trials that show the `wanted` cases, without those that this client cannot be brought into.

    Raises `NotApplicable` where that leaves none.
    """
    wanted = tuple(wanted)
    found = [
        f"certificate/{case.name}" for case in wanted if not (case.needs & BY_CIRCUMSTANCE and left_out(client, case))
    ]
    if wanted and not found:
        raise NotApplicable(
            f"how the client calls the server at {client.name}, or what it asks of it, leaves no such case",
            client.hello_exchange,
        )
    return found


def left_out(client: ClientEndpoint, case: ZooCase) -> bool:
    """Whether `case` was not played for what it needs of the client."""
    return bool(client.skipped(f"certificate/{case.name}"))


@verifies(*(_PREFIX + rule for rule in RULES))
def test_bad_certificates_are_refused(client: TlsClient, requirement: JudgedRequirement) -> None:
    """RFC 5280 6: whoever validates a path does so as 6.1 does, or to the same effect."""
    rule = requirement.id.removeprefix(_PREFIX)
    judged_everywhere(
        lambda endpoint: expect_refused(endpoint, trials_of(endpoint, bad(rule, level="shall"))), client.endpoints
    )


@verifies(*(_PREFIX + rule for rule in RECOMMENDED_RULES))
def test_certificates_that_no_must_speaks_of(client: TlsClient, requirement: JudgedRequirement) -> None:
    """Short keys, which bind whoever has them; revocation, whose strategy RFC 9325 7.5 leaves open: warnings."""
    rule = requirement.id.removeprefix(_PREFIX)

    def refuses(endpoint: ClientEndpoint) -> None:
        wanted = [each for each in bad(rule) if "stapling" not in each.needs]  # in the handshake: RFC 6066 8
        expect_refused(endpoint, trials_of(endpoint, wanted))

    judged_everywhere(refuses, client.endpoints)


@verifies(_PREFIX + "recommended-refusals")
@at_every_client_endpoint
def test_recommended_refusals(client: ClientEndpoint) -> None:
    """RFC 8446 4.4.2.4 and others: what is better refused."""
    expect_refused(client, trials_of(client, bad(*RULES, level="should")))


@verifies("RFC9325-7.1-client-host-name")
@at_every_client_endpoint
def test_the_host_name_is_verified(client: ClientEndpoint) -> None:
    """RFC 9325 7.1 and RFC 9525 6: the certificate names the host that the client was told to connect to."""
    expect_refused(client, trials_of(client, bad("name")))


@verifies("RFC9325-3.7-client-acknowledged-name")
@at_every_client_endpoint
def test_a_certificate_for_another_name_than_the_acknowledged_one(client: ClientEndpoint) -> None:
    """RFC 9325 3.7: the client aborts when its server name is acknowledged but the certificate has another."""
    if client.hello.server_name is None:
        raise NotApplicable(f"the client sends no server name at {client.name}", client.hello_exchange)
    expect_refused(client, ("certificate/wrong-host-name",))


@verifies("RFC8446-4.4.3-client-verifies-signature")
@at_every_client_endpoint
def test_the_signature_of_certificate_verify_is_verified(client: ClientEndpoint) -> None:
    """RFC 8446 4.4.3: the receiver verifies the signature, which proves that the certificate's key is the server's."""
    client.not_without(TLS13)
    shown = ["signature-wrong-1.3", "certificate-verify-missing", *trials_of(client, bad("possession"))]
    expect_refused(client, shown)


@verifies("RFC5246-7.4.3-client-verifies-signature")
@at_every_client_endpoint
def test_the_signature_of_server_key_exchange_is_verified(client: ClientEndpoint) -> None:
    """RFC 5246 7.4.3: the signature proves that the certificate's key is the server's."""
    client.not_without(TLS12)
    shown = ["signature-wrong-1.2", "key-exchange-missing"]
    if not client.hello.offers(TLS13):  # certificates are shown in the highest version
        shown += trials_of(client, bad("possession"))
    expect_refused(client, shown)


@verifies(_PREFIX + "acceptable")
def test_odd_certificates_that_are_right_are_accepted(client: TlsClient) -> None:
    """RFC 5280 6.1 accepts them; 6.2 lets a client be stricter, so that a refusal is a warning."""
    odd = cases(
        lambda case: (
            case.server == "accept"
            and case.name != "good"
            and "pinned" not in case.needs
            and not (client.claim.profile == "B.13" and case.name in NOT_IN_B13)
        )
    )

    def accepts(endpoint: ClientEndpoint) -> None:
        wanted = trials_of(endpoint, odd)
        if not wanted:
            raise Missing("there is no such certificate", "Update ps315.")
        expect_gone_on(endpoint, wanted, copes(endpoint))

    judged_everywhere(accepts, client.endpoints)
