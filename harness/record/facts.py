"""The facts models that a record's observations carry, for renderers, which import nothing but the record."""

from __future__ import annotations

from harness.observations import FACTS, facts_of
from harness.observations.base import Exchange, Observation
from harness.observations.clients import (
    CertificateTrial,
    ClientCertificates,
    ClientConnection,
    ClientHelloFacts,
    ClientTrial,
    DriverOutcome,
)
from harness.observations.transport import (
    AcceptedSuite,
    CertificateChain,
    CertificateFacts,
    Certificates,
    CipherSuites,
    Groups,
    Reachability,
    SecondOpinion,
    SignatureSchemes,
    SuitesOfVersion,
    Versions,
)

__all__ = [
    "FACTS",
    "AcceptedSuite",
    "CertificateChain",
    "CertificateFacts",
    "CertificateTrial",
    "Certificates",
    "CipherSuites",
    "ClientCertificates",
    "ClientConnection",
    "ClientHelloFacts",
    "ClientTrial",
    "DriverOutcome",
    "Exchange",
    "Groups",
    "Observation",
    "Reachability",
    "SecondOpinion",
    "SignatureSchemes",
    "SuitesOfVersion",
    "Versions",
    "facts_of",
]
