"""What the record's observations say about each endpoint, picked out for renderers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from harness.record import RunRecord
from harness.record.facts import (
    AuditMessages,
    CertificateChain,
    Certificates,
    CipherSuites,
    ClientCertificates,
    ClientTrial,
    CreatedObjects,
    Delivered,
    Groups,
    Observation,
    Reachability,
    SecondOpinion,
    SignatureSchemes,
    StoredObject,
    VerifierAnswer,
    Versions,
    facts_of,
)

FactsT = TypeVar("FactsT", bound=BaseModel)
MAXIMUM_CHAINS = 16
MAXIMUM_CERTIFICATES = 16


@dataclass(frozen=True)
class Endpoint:
    """The facts of one endpoint that a report shows apart from verdicts; None where none were obtained."""

    name: str
    reachability: Reachability | None
    versions: Versions | None
    suites: CipherSuites | None
    groups: Groups | None
    schemes: SignatureSchemes | None
    chains: tuple[CertificateChain, ...]
    chains_left_out: int
    second_opinion: SecondOpinion | None
    trials: tuple[ClientTrial, ...] = ()
    client_certificates: ClientCertificates | None = None
    created: tuple[CreatedObjects, ...] = ()
    answers: tuple[VerifierAnswer, ...] = ()
    stored: tuple[StoredObject, ...] = ()
    received: tuple[AuditMessages, ...] = ()
    delivered: tuple[Delivered, ...] = ()


def endpoints_of(record: RunRecord) -> list[Endpoint]:
    """The facts of every endpoint, in the order of the SUT file; the last observation of a kind counts."""
    latest: dict[tuple[str, str, str], Observation] = {}
    for event in record.observations:
        seen = event.observation
        latest[seen.endpoint, seen.kind, seen.subject] = seen
    names = [endpoint.name for endpoint in record.header.sut.endpoints]
    names += [name for name, _, _ in latest if name not in names]
    return [_endpoint(name, latest) for name in dict.fromkeys(names)]


def _endpoint(name: str, latest: dict[tuple[str, str, str], Observation]) -> Endpoint:
    def facts(kind: str, model: type[FactsT], subject: str = "") -> FactsT | None:
        observation = latest.get((name, kind, subject))
        try:
            return None if observation is None else facts_of(observation, model)  # type: ignore[type-var]
        except ValidationError:  # facts of another schema version are in run.jsonl; verdicts do not rest on this
            return None

    def every(kind: str, model: type[FactsT]) -> tuple[FactsT, ...]:
        subjects = [subject for at, seen, subject in latest if (at, seen) == (name, kind)]
        found = (facts(kind, model, subject) for subject in subjects)
        return tuple(each for each in found if each is not None)

    played = every("tls.client-trial", ClientTrial)
    certificates = facts("tls.certificates", Certificates)
    chains = certificates.chains if certificates is not None else _shown_by_client(played)
    shown = tuple(
        chain.model_copy(update={"certificates": chain.certificates[:MAXIMUM_CERTIFICATES]})
        for chain in chains[:MAXIMUM_CHAINS]
    )
    return Endpoint(
        name=name,
        reachability=facts("tls.reachability", Reachability),
        versions=facts("tls.versions", Versions),
        suites=facts("tls.cipher-suites", CipherSuites),
        groups=facts("tls.groups", Groups),
        schemes=facts("tls.signature-schemes", SignatureSchemes),
        chains=shown,
        chains_left_out=len(chains) - len(shown),
        second_opinion=facts("tls.second-opinion", SecondOpinion),
        trials=played,
        client_certificates=facts("tls.client-certificates", ClientCertificates),
        created=every("signatures.created", CreatedObjects),
        answers=every("signatures.verified", VerifierAnswer),
        stored=every("signatures.stored", StoredObject),
        received=every("audit.messages", AuditMessages),
        delivered=every("audit.delivered", Delivered),
    )


def _shown_by_client(trials: tuple[ClientTrial, ...]) -> tuple[CertificateChain, ...]:
    """The chains that a client showed when it was asked for a certificate, each once."""
    chains: dict[tuple[str, ...], CertificateChain] = {}
    for connection in (connection for trial in trials for connection in trial.connections):
        shown = connection.certificates
        if not shown:
            continue
        name = tuple(certificate.sha256 for certificate in shown)
        known = chains.get(name)
        seen_in = {connection.version} if connection.version is not None else set()
        chains[name] = CertificateChain(
            certificates=shown,
            presented_in=tuple(sorted(seen_in.union(known.presented_in if known else ()))),
            key_kind=shown[0].key_type,
            in_order=all(lower.issuer == upper.subject for lower, upper in pairwise(shown)),
            exchange=known.exchange if known else connection.exchange,
        )
    return tuple(chains.values())
