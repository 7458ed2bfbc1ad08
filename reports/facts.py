"""What the record's observations say about each endpoint, picked out for renderers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from harness.record import RunRecord
from harness.record.facts import (
    CertificateChain,
    Certificates,
    CipherSuites,
    Groups,
    Observation,
    Reachability,
    SecondOpinion,
    SignatureSchemes,
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


def endpoints_of(record: RunRecord) -> list[Endpoint]:
    """The facts of every endpoint, in the order of the SUT file; the last observation of a kind counts."""
    latest: dict[tuple[str, str], Observation] = {}
    for event in record.observations:
        latest[event.observation.endpoint, event.observation.kind] = event.observation
    names = [endpoint.name for endpoint in record.header.sut.endpoints]
    names += [name for name, _ in latest if name not in names]
    return [_endpoint(name, latest) for name in dict.fromkeys(names)]


def _endpoint(name: str, latest: dict[tuple[str, str], Observation]) -> Endpoint:
    def facts(kind: str, model: type[FactsT]) -> FactsT | None:
        observation = latest.get((name, kind))
        try:
            return None if observation is None else facts_of(observation, model)  # type: ignore[type-var]
        except ValidationError:  # facts of another schema version are in run.jsonl; verdicts do not rest on this
            return None

    certificates = facts("tls.certificates", Certificates)
    chains = certificates.chains if certificates is not None else ()
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
    )
