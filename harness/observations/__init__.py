"""Observations: what probes and listeners record. `FACTS` maps each kind to its facts model."""

from __future__ import annotations

from typing import TypeVar

from harness.observations import audit, clients, signatures, transport
from harness.observations.base import REFUSALS, Exchange, Frozen, Observation, Reaction, ReactionKind

FACTS: dict[str, type[Frozen]] = {
    "tls.reachability": transport.Reachability,
    "tls.versions": transport.Versions,
    "tls.cipher-suites": transport.CipherSuites,
    "tls.preferences": transport.Preferences,
    "tls.groups": transport.Groups,
    "tls.signature-schemes": transport.SignatureSchemes,
    "tls.certificates": transport.Certificates,
    "tls.extensions": transport.Extensions,
    "tls.tolerance": transport.Tolerance,
    "tls.renegotiation": transport.Renegotiation,
    "tls.resumption": transport.Resumption,
    "tls.client-authentication": transport.ClientAuthentication,
    "tls.integrity": transport.Integrity,
    "tls.record-protection": transport.RecordProtection,
    "tls.plaintext": transport.Plaintext,
    "tls.application": transport.Application,
    "tls.second-opinion": transport.SecondOpinion,
    "tls.client-certificates": clients.ClientCertificates,
    "tls.client-trial": clients.ClientTrial,
    "signatures.created": signatures.CreatedObjects,
    "signatures.verified": signatures.VerifierAnswer,
    "signatures.stored": signatures.StoredObject,
    "audit.messages": audit.AuditMessages,
    "audit.delivered": audit.Delivered,
}

FactsT = TypeVar("FactsT", bound=Frozen)


def facts_of(observation: Observation, model: type[FactsT]) -> FactsT | None:
    """The typed facts of `observation`, or None where none were obtained.

    Raises `TypeError` if `model` is not the model of the observation's kind.
    """
    if FACTS.get(observation.kind) is not model:
        raise TypeError(f"{observation.kind} does not carry {model.__name__}")
    return None if observation.facts is None else model.model_validate(observation.facts)


__all__ = [
    "FACTS",
    "REFUSALS",
    "Exchange",
    "Frozen",
    "Observation",
    "Reaction",
    "ReactionKind",
    "audit",
    "clients",
    "facts_of",
    "signatures",
    "transport",
]
