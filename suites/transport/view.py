"""A TLS server as its judgements see it: what was observed at the endpoints of one claim, united where that is right.

Suites, groups and certificate chains of a claim's endpoint and its alternates are united: what one of them shows, the
server can do. Everything else is judged endpoint by endpoint (`Endpoint`), and the worst verdict wins. A fact that was
not obtained raises `Missing`; nothing here judges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeVar

from harness import (
    SSL2,
    TLS12,
    TLS13,
    AcceptedSuite,
    CertificateChain,
    CertificateFacts,
    Certificates,
    CipherSuites,
    ClaimRecord,
    EndpointRecord,
    Endpoints,
    Frozen,
    Groups,
    Missing,
    Observations,
    Reachability,
    Resumption,
    SignatureSchemes,
    SuitesOfVersion,
    SutRecord,
    Versions,
    facts_of,
)
from reference_impl.transport.profiles import Profile, load_profile
from reference_impl.transport.registry import (
    VERSION_NAMES,
    CipherSuite,
    Group,
    group,
    suite,
    version_name,
)
from suites.transport.signers import signer_bits
from suites.transport.words import shown, unanswered

FactsT = TypeVar("FactsT", bound=Frozen)
SuiteRule = Callable[[CipherSuite], bool]
KEY_TYPES = {"RSA": frozenset({"rsa", "rsa-pss"}), "ECDSA": frozenset({"ec"})}
"""Key types of certificates, by the authentication that cipher suites name."""


class JudgedRequirement(Protocol):
    """The requirement that a judgement of several is asked about."""

    @property
    def id(self) -> str:
        """Its id in the catalogue."""


@dataclass(frozen=True)
class SeenSuite:
    """A cipher suite that the server selected in `version`."""

    version: int
    suite: CipherSuite
    endpoint: str
    exchange: str

    def __str__(self) -> str:
        return f"{self.suite.name} in {version_name(self.version)}"


@dataclass(frozen=True)
class SeenGroup:
    """A group that the server used (`accepted`) or at least named in `version`."""

    version: int
    group: Group
    accepted: bool
    exchange: str

    def __str__(self) -> str:
        return f"{self.group.name} in {version_name(self.version)}"


@dataclass(frozen=True)
class SeenCertificate:
    """A certificate that the server sent, with its place in the chain (0: the server's own)."""

    chain: CertificateChain
    place: int
    endpoint: str

    @property
    def facts(self) -> CertificateFacts:
        """What the certificate says."""
        return self.chain.certificates[self.place]

    @property
    def anchor(self) -> bool:
        """Whether it is a trust anchor that was sent along: how it signed itself is nobody's concern."""
        return self.place > 0 and self.facts.self_signed

    @property
    def signer_bits(self) -> int | None:
        """Length of the key that signed it, None if that cannot be told."""
        known = self.chain.signer_bits[self.place] if self.place < len(self.chain.signer_bits) else None
        return known or signer_bits(self.facts)

    def __str__(self) -> str:
        return self.facts.subject or f"certificate {self.facts.serial}"


class Endpoint:
    """One endpoint of the claim."""

    def __init__(self, observations: Observations, record: EndpointRecord) -> None:
        self._observations = observations
        self.record = record
        self.name = record.name
        self.protocol = record.protocol

    def facts(self, model: type[FactsT]) -> FactsT:
        """The facts of `model`. Where they are missing and nothing here speaks TLS, `Missing` tells what does."""
        try:
            return self._observations.facts(self.record, model)
        except Missing:
            observed = self._observations.get(self.record, "tls.reachability")
            reach = None if observed is None else facts_of(observed, Reachability)
            if observed is None or reach is None or not reach.diagnosis:
                raise
            raise Missing(reach.diagnosis, observed.remedy, observed.exchanges) from None

    def accepts(self, version: int) -> bool:
        """Whether the server negotiates `version`; `Missing` if that was not established."""
        if self.witnesses(version):
            return True
        reaction = self.facts(Versions).reactions.get(version)
        if reaction is None:
            raise Missing(f"no hello of {version_name(version)} was sent to {self.name}", "Run the observation again.")
        if not self.versions_accepted:
            raise Missing(
                f"{self.name} accepted no connection of any TLS version ({shown(reaction)} to {version_name(version)})",
                "See whether the server restricts who may connect, and look at its log.",
                reaction.exchange,
            )
        if reaction.refused or reaction.accepted:
            return False
        raise unanswered(reaction, f"a hello of {version_name(version)}")

    def witnesses(self, version: int) -> tuple[str, ...]:
        """The exchanges in which the server was seen to negotiate `version`; empty if it was not."""
        versions = self.facts(Versions)
        reactions = [(key, reaction) for key, reaction in versions.reactions.items()]
        reactions += [(0, reaction) for reaction in (versions.all_offered, versions.fallback_scsv) if reaction]
        seen = [
            reaction.exchange
            for asked, reaction in reactions
            if reaction.accepted and (reaction.version or asked) == version
        ]
        of_version = self.eliminations.get(version)
        return (*seen, *(each.exchange for each in of_version.accepted)) if of_version else tuple(seen)

    @cached_property
    def versions_accepted(self) -> tuple[int, ...]:
        """The protocol versions that the server negotiates, oldest first."""
        return tuple(version for version in sorted(self.facts(Versions).reactions) if self.witnesses(version))

    @property
    def eliminations(self) -> Mapping[int, SuitesOfVersion]:
        """The eliminations of cipher suites by version; empty where none was obtained."""
        observed = self._observations.get(self.record, "tls.cipher-suites")
        facts = None if observed is None else facts_of(observed, CipherSuites)
        return {} if facts is None else facts.versions

    def suites(self, version: int) -> SuitesOfVersion:
        """The elimination of the cipher suites of a version that the server accepts; `Missing` if there is none."""
        of_version = self.facts(CipherSuites).versions.get(version)
        if of_version is None:
            raise Missing(
                f"the cipher suites of {version_name(version)} were not tried at {self.name}",
                "Run the observation again.",
            )
        return of_version

    @property
    def signatures(self) -> Mapping[int, tuple[AcceptedSuite, ...]]:
        """The schemes with which the server signed handshakes, by version; empty where none was seen."""
        observed = self._observations.get(self.record, "tls.signature-schemes")
        facts = None if observed is None else facts_of(observed, SignatureSchemes)
        return {} if facts is None else facts.versions

    def resumes_tls13(self) -> bool:
        """Whether TLS 1.3 sessions are resumed; `Missing` if that was not established."""
        facts = self.facts(Resumption)
        if facts.psk_dhe_ke or facts.psk_ke or facts.selected_without_key_share:
            return True
        if facts.psk_dhe_ke is None:
            raise Missing(
                f"no TLS 1.3 session could be resumed or was refused to be at {self.name}",
                "Give the harness a client certificate that the server accepts, and run the observation again.",
                facts.exchanges,
            )
        return False


class TlsServer:
    """The endpoints of one claim, and what they show together."""

    def __init__(
        self, observations: Observations, endpoints: Endpoints, claim: ClaimRecord, sut: SutRecord | None = None
    ) -> None:
        self.claim = claim
        self.sut = sut
        self.observations = observations
        self.observed_at = observations.observed_at
        self.endpoints = tuple(Endpoint(observations, record) for record in endpoints)

    @cached_property
    def profile(self) -> Profile:
        """The table of the claimed profile."""
        return load_profile(self.claim.profile, self.claim.edition)

    def accepts(self, version: int) -> bool:
        """Whether one of the endpoints negotiates `version`; `Missing` if none does and one did not tell."""
        return any_of(lambda server: server.accepts(version), self.endpoints)

    def accepted(self, rule: SuiteRule, *versions: int) -> tuple[SeenSuite, ...]:
        """The accepted cipher suites that `rule` is about, in all versions from SSL 3.0 or in `versions` only."""
        asked = versions or tuple(version for version in VERSION_NAMES if version > SSL2)
        return tuple(seen for seen in self._accepted() if seen.version in asked and rule(seen.suite))

    def _accepted(self) -> Iterator[SeenSuite]:
        for server in self.endpoints:
            for version, of_version in sorted(server.eliminations.items()):
                for each in of_version.accepted:
                    yield SeenSuite(version, suite(each.code), server.name, each.exchange)

    def every_suite_was_offered(self, *versions: int) -> None:
        """Raise `Missing` unless every suite of each accepted version (of `versions`) was offered at every endpoint."""
        for server in self.endpoints:
            for version in versions or (version for version in server.versions_accepted if version > SSL2):
                if not server.accepts(version):
                    continue
                of_version = server.suites(version)
                if not of_version.complete:
                    raise Missing(
                        f"the cipher suites of {version_name(version)} at {server.name} were not all tried"
                        + (f": {of_version.note}" if of_version.note else ""),
                        "Run the observation again, with fewer connections at once if the server is slow.",
                    )
            if not server.versions_accepted:
                server.accepts(TLS12)

    def every_scheme_was_offered(self, *versions: int) -> None:
        """Raise `Missing` unless the server was made to sign with every scheme that it has, in `versions`."""
        for server in self.endpoints:
            for version in versions:
                if not server.accepts(version) or not self._signs(server, version):
                    continue
                if not server.facts(SignatureSchemes).complete.get(version):
                    raise Missing(
                        f"the signature schemes of {version_name(version)} at {server.name} were not all tried",
                        "Run the observation again, with fewer connections at once if the server is slow.",
                    )

    @staticmethod
    def _signs(server: Endpoint, version: int) -> bool:
        """Whether the server signs handshakes of `version`; False only if no such suite is accepted."""
        if version == TLS13:
            return True
        of_version = server.suites(version)
        return not of_version.complete or any(
            suite(each.code).key_exchange in {"DHE", "ECDHE"} and suite(each.code).authentication not in {"PSK", "anon"}
            for each in of_version.accepted
        )

    def has_suite(self, rule: SuiteRule, *versions: int) -> bool:
        """Whether a suite that `rule` is about is accepted; `Missing` if none was and not all were offered."""
        if self.accepted(rule, *versions):
            return True
        self.every_suite_was_offered(*versions)
        return False

    def groups(self) -> tuple[SeenGroup, ...]:
        """The groups that the endpoints used or named."""
        seen = []
        for server in self.endpoints:
            for version, of_version in sorted(self._groups_of(server).versions.items()):
                seen += [
                    SeenGroup(version, group(each.code), each.accepted, each.exchange) for each in of_version.groups
                ]
        return tuple(seen)

    def each_groups(self) -> tuple[Groups, ...]:
        """The group observations of the endpoints; empty facts where there are none."""
        return tuple(self._groups_of(server) for server in self.endpoints)

    @staticmethod
    def _groups_of(server: Endpoint) -> Groups:
        try:
            return server.facts(Groups)
        except Missing:
            return Groups(versions={})

    def every_group_was_offered(self, *versions: int) -> None:
        """Raise `Missing` unless every group was offered wherever keys are exchanged over groups (in `versions`)."""
        for server in self.endpoints:
            for version in versions or (TLS12, TLS13):
                if not server.accepts(version) or not self._uses_groups(server, version):
                    continue
                of_version = server.facts(Groups).versions.get(version)
                if of_version is None or not of_version.complete:
                    note = f": {of_version.note}" if of_version and of_version.note else ""
                    raise Missing(
                        f"the groups of {version_name(version)} at {server.name} were not all tried{note}",
                        "Run the observation again, with fewer connections at once if the server is slow.",
                    )

    @staticmethod
    def _uses_groups(server: Endpoint, version: int) -> bool:
        return version == TLS13 or any(
            suite(each.code).key_exchange.startswith("ECDHE") for each in server.suites(version).accepted
        )

    @cached_property
    def certificates(self) -> tuple[SeenCertificate, ...]:
        """Every certificate that the endpoints sent; `Missing` if none of them sent one."""
        found: dict[tuple[str, int, str], SeenCertificate] = {}
        missing: Missing | None = None
        for server in self.endpoints:
            try:
                chains = server.facts(Certificates).chains
            except Missing as reason:
                missing = missing or reason
                continue
            for chain in chains:
                for place, facts in enumerate(chain.certificates):
                    found.setdefault((facts.sha256, place, server.name), SeenCertificate(chain, place, server.name))
        if not found:
            raise missing or Missing("the server sent no certificate", "See which certificates the server has.")
        return tuple(found.values())

    @property
    def leaves(self) -> tuple[SeenCertificate, ...]:
        """The server's own certificates."""
        return tuple(each for each in self.certificates if each.place == 0)

    def has_certificate(self, kind: str) -> bool:
        """Whether the server has an ``"RSA"`` or ``"ECDSA"`` certificate; `Missing` unless shown or ruled out."""
        if any(leaf.facts.key_type in KEY_TYPES[kind] for leaf in self.leaves):
            return True
        for server in self.endpoints:
            facts = server.facts(Certificates)
            if not (facts.rsa_refused if kind == "RSA" else facts.ecdsa_refused):
                raise Missing(
                    f"whether {server.name} has an {kind} certificate was not established", "Run the observation again."
                )
        return False


def any_of(ask: Callable[[Endpoint], bool], endpoints: Iterable[Endpoint]) -> bool:
    """Whether `ask` holds for one endpoint; the first `Missing` is raised only if it holds for none."""
    missing: Missing | None = None
    for endpoint in endpoints:
        try:
            if ask(endpoint):
                return True
        except Missing as reason:
            missing = missing or reason
    if missing is not None:
        raise missing
    return False
