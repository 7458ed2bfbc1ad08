"""A TLS client as its judgements see it: what it did in the trials of the endpoints where it was to connect.

A trial was accepted where the client sent application data (or, as the trial says, went on after the server's flight),
and refused where a connection came to an end from the client's side without. A refusal tells something only where an
ordinary server was accepted. What was not obtained raises `Missing`; nothing here judges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from harness import (
    TLS12,
    TLS13,
    CertificateChain,
    ClaimRecord,
    ClientConnection,
    ClientHelloFacts,
    ClientTrial,
    EndpointRecord,
    Endpoints,
    Missing,
    NotApplicable,
    Observations,
    SutRecord,
)
from reference_impl.transport.profiles import Profile, load_profile
from reference_impl.transport.registry import GREASE, CipherSuite, suite, version_name
from suites.transport.client_words import absent, shown
from suites.transport.view import SeenCertificate, SeenSuite, SuiteRule

if TYPE_CHECKING:
    from harness.listeners.transport.trials import Trial

ORDINARY, ORDINARY_TLS12 = "ordinary", "ordinary-1.2"
AGAIN = "Run the observation again."
TRUST = "Let the client trust the authority of the test campaign, as the page in its folder says, and run again."
BY_THE_CLIENT = frozenset({"alert", "close_notify", "close", "reset"})
"""How a client ends a connection; "silence" and "harness" tell nothing of it."""


@dataclass(frozen=True)
class Played:
    """A trial that was played, with what is known of it beforehand."""

    trial: Trial
    facts: ClientTrial

    @property
    def connections(self) -> tuple[ClientConnection, ...]:
        """The connections on which the client said something, or took what it was told."""
        return tuple(each for each in self.facts.connections if each.opening != "nothing")

    @property
    def accepted(self) -> tuple[ClientConnection, ...]:
        """The connections on which the client took what it should judge."""
        return tuple(each for each in self.connections if self._took(each))

    @property
    def refused(self) -> tuple[ClientConnection, ...]:
        """The connections that the client ended without having taken it."""
        return tuple(each for each in self.connections if not self._took(each) and broken_off(each))

    def _took(self, connection: ClientConnection) -> bool:
        if connection.opening not in {"tls", "ssl2"}:
            return False  # what is sent unprotected answers to no handshake
        early = self.trial.decided == "went-on" or self._beyond_us(connection)
        return (early and connection.progress in {"went-on", "completed"}) or connection.application_octets > 0

    def _beyond_us(self, connection: ClientConnection) -> bool:
        """Whether it was the listener that could not go on, with a suite that it selected and does not speak."""
        return self.trial.id.startswith("suite-") and connection.progress == "went-on" and connection.ended == "harness"

    @property
    def exchanges(self) -> tuple[str, ...]:
        """What witnesses it."""
        return tuple(each.exchange for each in self.connections)

    def __str__(self) -> str:
        return self.trial.id


def broken_off(connection: ClientConnection) -> bool:
    """Whether the client ended the connection."""
    return connection.ended in BY_THE_CLIENT or (connection.alert is not None and connection.fatal is not False)


@dataclass(frozen=True)
class SeenHello:
    """A ClientHello, the trial in which it came and its exchange."""

    facts: ClientHelloFacts
    trial: str
    exchange: str


class ClientEndpoint:
    """One endpoint where the client was to connect."""

    def __init__(self, observations: Observations, record: EndpointRecord) -> None:
        self._observations = observations
        self.record = record
        self.name = record.name
        self.protocol = record.protocol

    # -- trials

    def played(self, trial: str) -> Played:
        """What happened in `trial`.

        Raises `NotApplicable` where the client does not offer the version that it takes, and `Missing` where it was not
        recorded, could not be played or brought no connection.
        """
        known = trials()[trial]
        if known.version is not None and trial != ORDINARY and not self.hello.offers(known.version):
            raise NotApplicable(
                f"the client does not offer {version_name(known.version)} at {self.name}", self.hello_exchange
            )
        facts = self._observations.facts(self.record, ClientTrial, trial)
        if facts.skipped:
            raise Missing(f"trial {trial} was not played at {self.name}: {facts.skipped}", AGAIN)
        played = Played(known, facts)
        if not played.connections:
            raise absent(facts, self.name)
        return played

    def skipped(self, trial: str) -> str:
        """Why `trial` was not played; empty where it was, or where nothing is on record."""
        facts = self._observations.obtained(self.record, ClientTrial, trial)
        return facts.skipped if facts is not None else ""

    def was_played(self, trial: str) -> bool:
        """Whether `trial` brought a connection."""
        return any(each.trial.id == trial for each in self.all_played)

    def witnesses(self, *trials: str) -> tuple[str, ...]:
        """The exchanges of those of `trials` that brought a connection."""
        return tuple(at for each in self.all_played if each.trial.id in trials for at in each.exchanges)

    @cached_property
    def all_played(self) -> tuple[Played, ...]:
        """Every recorded trial that brought a connection."""
        known = trials()
        found = []
        for subject in self._observations.subjects(self.record, ClientTrial):
            facts = self._observations.obtained(self.record, ClientTrial, subject)
            if facts is not None and subject in known and facts.connections:
                found.append(Played(known[subject], facts))
        return tuple(found)

    def control(self, *trial: Played) -> None:
        """Raise `Missing` unless ordinary servers were accepted in the versions of these trials."""
        ordinary = self.played(ORDINARY)
        if not ordinary.accepted:
            raise _useless(ordinary, self.name)
        in_tls12 = any(
            each.trial.version == TLS12 or any(one.version == TLS12 for one in each.connections) for each in trial
        )
        if in_tls12 and not any(each.version == TLS12 for each in ordinary.accepted):
            older = self.played(ORDINARY_TLS12)
            if not older.accepted:
                raise _useless(older, self.name)

    # -- hellos

    @cached_property
    def _ordinary_hello(self) -> SeenHello:
        played = self.played(ORDINARY)
        for connection in played.connections:
            if connection.hello is not None:
                return SeenHello(connection.hello, ORDINARY, connection.exchange)
        raise Missing(
            f"the client sent no ClientHello to an ordinary server at {self.name}: {shown(played.connections[0])}",
            "Switch TLS on for this destination of the client.",
            played.exchanges,
        )

    @property
    def hello(self) -> ClientHelloFacts:
        """The first ClientHello that an ordinary server got."""
        return self._ordinary_hello.facts

    @property
    def hello_exchange(self) -> str:
        """The exchange that witnesses `hello`."""
        return self._ordinary_hello.exchange

    @cached_property
    def hellos(self) -> tuple[SeenHello, ...]:
        """The hello of every connection, whatever was played; `Missing` if there is none."""
        found = tuple(
            SeenHello(each.hello, played.trial.id, each.exchange)
            for played in self.all_played
            for each in played.facts.connections
            if each.hello is not None
        )
        return found or (self._ordinary_hello,)

    def offered(self, rule: SuiteRule) -> tuple[CipherSuite, ...]:
        """The suites of `hello` that `rule` is about, in its order; signals and GREASE left out."""
        return tuple(each for each in offered_suites(self.hello) if rule(each))

    def not_without(self, version: int) -> None:
        """Raise `NotApplicable` if the client does not offer `version`."""
        if not self.hello.offers(version):
            raise NotApplicable(
                f"the client does not offer {version_name(version)} at {self.name}", self.hello_exchange
            )

    def suites_in_use(self, rule: SuiteRule) -> tuple[SeenSuite, ...]:
        """The suites that `rule` is about and that the client went on with, in whichever trial."""
        found: dict[tuple[int, int], SeenSuite] = {}
        for played in self.all_played:
            for each in played.accepted:
                if each.version is None or each.suite is None or not rule(suite(each.suite)):
                    continue
                seen = SeenSuite(each.version, suite(each.suite), self.name, each.exchange)
                found.setdefault((each.version, each.suite), seen)
        return tuple(found.values())

    @cached_property
    def certificates(self) -> tuple[SeenCertificate, ...]:
        """The certificates that the client showed, each once; none where it has none to show.

        Raises `Missing` if it was never asked for one.
        """
        found: dict[tuple[str, int], SeenCertificate] = {}
        asked = False
        for played in self.all_played:
            for each in played.facts.connections:
                if each.certificates is None:
                    continue
                asked = True
                for place, facts in enumerate(each.certificates):
                    found.setdefault((facts.sha256, place), SeenCertificate(_chain(each), place, self.name))
        if not asked:
            self.played(ORDINARY)
            raise Missing(
                f"the client was not asked for a certificate at {self.name}, or ended before it answered", TRUST
            )
        return tuple(found.values())


class TlsClient:
    """The endpoints of one claim, and the profile that is claimed."""

    def __init__(
        self, observations: Observations, endpoints: Endpoints, claim: ClaimRecord, sut: SutRecord | None = None
    ) -> None:
        self.claim = claim
        self.sut = sut
        self.observed_at = observations.observed_at
        self.endpoints = tuple(ClientEndpoint(observations, record) for record in endpoints)

    @cached_property
    def profile(self) -> Profile:
        """The table of the claimed profile."""
        return load_profile(self.claim.profile, self.claim.edition)


def trials() -> Mapping[str, Trial]:
    """The trials by id. Imported late: where no client is judged nobody needs them."""
    from harness.listeners.transport.trials import TRIALS

    return TRIALS


def offered_suites(hello: ClientHelloFacts) -> Iterator[CipherSuite]:
    """The cipher suites of a hello in its order, without signals and GREASE values."""
    for code in hello.suites:
        each = suite(code)
        if not each.signalling and code not in GREASE:
            yield each


def before_tls13(rule: SuiteRule) -> SuiteRule:
    """`rule` for the suites of TLS 1.2 and below alone."""
    return lambda each: each.versions != "tls1.3" and rule(each)


def offers_curves(client: ClientEndpoint) -> bool:
    """Whether the client offers a key exchange over elliptic curves."""
    return client.hello.offers(TLS13) or bool(client.offered(lambda each: each.key_exchange.startswith("ECDHE")))


def any_offered(client: ClientEndpoint, holds: Callable[[ClientHelloFacts], bool]) -> SeenHello | None:
    """The first hello, in whichever trial, of which `holds` is true."""
    return next((each for each in client.hellos if holds(each.facts)), None)


def _useless(control: Played, endpoint: str) -> Missing:
    seen = shown(control.connections[0])
    return Missing(
        f"the client did not go on with an ordinary server at {endpoint} either (trial {control}: {seen}), "
        "so that its refusal of another tells nothing",
        TRUST,
        control.exchanges,
    )


def _chain(connection: ClientConnection) -> CertificateChain:
    sent = connection.certificates or ()
    signers = [below.key_bits if below.subject == facts.issuer else None for facts, below in pairwise(sent)]
    if sent:
        signers.append(sent[-1].key_bits if sent[-1].self_signed else None)
    return CertificateChain(
        certificates=sent,
        presented_in=() if connection.version is None else (connection.version,),
        key_kind=sent[0].key_type if sent else "",
        in_order=all(facts.issuer == below.subject for facts, below in pairwise(sent)),
        signer_bits=tuple(signers),
        exchange=connection.exchange,
    )
