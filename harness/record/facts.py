"""The facts models that a record's observations carry, for renderers, which import nothing but the record."""

from __future__ import annotations

from harness.observations import FACTS, facts_of
from harness.observations.audit import AuditMessages, Delivered, ReceivedMessage, SyslogConnection
from harness.observations.base import Exchange, Observation
from harness.observations.clients import (
    CertificateTrial,
    ClientCertificates,
    ClientConnection,
    ClientHelloFacts,
    ClientTrial,
    DriverOutcome,
)
from harness.observations.signatures import CreatedObjects, Difference, SignedObject, StoredObject, VerifierAnswer
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
from reference_impl.signatures.results import (
    CertificateResult,
    FileResult,
    Reason,
    SignatureResult,
    Standing,
    TimestampResult,
)

__all__ = [
    "FACTS",
    "AcceptedSuite",
    "AuditMessages",
    "CertificateChain",
    "CertificateFacts",
    "CertificateResult",
    "CertificateTrial",
    "Certificates",
    "CipherSuites",
    "ClientCertificates",
    "ClientConnection",
    "ClientHelloFacts",
    "ClientTrial",
    "CreatedObjects",
    "Delivered",
    "Difference",
    "DriverOutcome",
    "Exchange",
    "FileResult",
    "Groups",
    "Observation",
    "Reachability",
    "Reason",
    "ReceivedMessage",
    "SecondOpinion",
    "SignatureResult",
    "SignatureSchemes",
    "SignedObject",
    "Standing",
    "StoredObject",
    "SuitesOfVersion",
    "SyslogConnection",
    "TimestampResult",
    "VerifierAnswer",
    "Versions",
    "facts_of",
]
