"""The engine: SUT description, plan, probes, record, judging. Vendors import what it exports for their own suites.

The exports are resolved on first use (PEP 562), so that importing a submodule costs nothing more.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.catalogue import Requirement as Requirement
    from harness.judging.expect import expect as expect
    from harness.judging.lookup import Endpoints as Endpoints
    from harness.judging.lookup import Observations as Observations
    from harness.judging.outcomes import Deviation as Deviation
    from harness.judging.outcomes import Missing as Missing
    from harness.judging.outcomes import NotApplicable as NotApplicable
    from harness.judging.verifies import verifies as verifies
    from harness.observations import REFUSALS as REFUSALS
    from harness.observations import Exchange as Exchange
    from harness.observations import Frozen as Frozen
    from harness.observations import Observation as Observation
    from harness.observations import Reaction as Reaction
    from harness.observations import ReactionKind as ReactionKind
    from harness.observations import facts_of as facts_of
    from harness.observations.audit import AuditMessages as AuditMessages
    from harness.observations.audit import Delivered as Delivered
    from harness.observations.audit import ReceivedMessage as ReceivedMessage
    from harness.observations.audit import SyslogConnection as SyslogConnection
    from harness.observations.clients import CertificateTrial as CertificateTrial
    from harness.observations.clients import ClientCertificates as ClientCertificates
    from harness.observations.clients import ClientConnection as ClientConnection
    from harness.observations.clients import ClientHelloFacts as ClientHelloFacts
    from harness.observations.clients import ClientTrial as ClientTrial
    from harness.observations.clients import DriverOutcome as DriverOutcome
    from harness.observations.signatures import CreatedObjects as CreatedObjects
    from harness.observations.signatures import Difference as Difference
    from harness.observations.signatures import SignedObject as SignedObject
    from harness.observations.signatures import StoredObject as StoredObject
    from harness.observations.signatures import VerifierAnswer as VerifierAnswer
    from harness.observations.transport import SSL2 as SSL2
    from harness.observations.transport import SSL3 as SSL3
    from harness.observations.transport import TLS10 as TLS10
    from harness.observations.transport import TLS11 as TLS11
    from harness.observations.transport import TLS12 as TLS12
    from harness.observations.transport import TLS13 as TLS13
    from harness.observations.transport import AcceptedSuite as AcceptedSuite
    from harness.observations.transport import Application as Application
    from harness.observations.transport import CertificateChain as CertificateChain
    from harness.observations.transport import CertificateFacts as CertificateFacts
    from harness.observations.transport import Certificates as Certificates
    from harness.observations.transport import CipherSuites as CipherSuites
    from harness.observations.transport import ClientAuthentication as ClientAuthentication
    from harness.observations.transport import CredentialTrial as CredentialTrial
    from harness.observations.transport import DheParameter as DheParameter
    from harness.observations.transport import Extensions as Extensions
    from harness.observations.transport import GroupResult as GroupResult
    from harness.observations.transport import Groups as Groups
    from harness.observations.transport import GroupsOfVersion as GroupsOfVersion
    from harness.observations.transport import Integrity as Integrity
    from harness.observations.transport import Plaintext as Plaintext
    from harness.observations.transport import Preferences as Preferences
    from harness.observations.transport import PreferenceTrial as PreferenceTrial
    from harness.observations.transport import Reachability as Reachability
    from harness.observations.transport import RecordProtection as RecordProtection
    from harness.observations.transport import Renegotiation as Renegotiation
    from harness.observations.transport import Resumption as Resumption
    from harness.observations.transport import SecondOpinion as SecondOpinion
    from harness.observations.transport import SignatureSchemes as SignatureSchemes
    from harness.observations.transport import SuitesOfVersion as SuitesOfVersion
    from harness.observations.transport import TicketFacts as TicketFacts
    from harness.observations.transport import Tolerance as Tolerance
    from harness.observations.transport import Versions as Versions
    from harness.record.models import AdviceRecord as AdviceRecord
    from harness.record.models import ClaimRecord as ClaimRecord
    from harness.record.models import EndpointRecord as EndpointRecord
    from harness.record.models import SutRecord as SutRecord

_EXPORTS = {
    "harness.catalogue": ("Requirement",),
    "harness.judging.expect": ("expect",),
    "harness.judging.lookup": ("Endpoints", "Observations"),
    "harness.judging.outcomes": ("Deviation", "Missing", "NotApplicable"),
    "harness.judging.verifies": ("verifies",),
    "harness.observations": ("REFUSALS", "Exchange", "Frozen", "Observation", "Reaction", "ReactionKind", "facts_of"),
    "harness.observations.audit": ("AuditMessages", "Delivered", "ReceivedMessage", "SyslogConnection"),
    "harness.observations.clients": (
        *("CertificateTrial", "ClientCertificates", "ClientConnection", "ClientHelloFacts", "ClientTrial"),
        "DriverOutcome",
    ),
    "harness.observations.signatures": (
        *("CreatedObjects", "Difference", "SignedObject", "StoredObject", "VerifierAnswer"),
    ),
    "harness.observations.transport": (
        *("SSL2", "SSL3", "TLS10", "TLS11", "TLS12", "TLS13"),
        *("AcceptedSuite", "Application", "CertificateChain", "CertificateFacts", "Certificates", "CipherSuites"),
        *("ClientAuthentication", "CredentialTrial", "DheParameter", "Extensions", "GroupResult", "Groups"),
        *("GroupsOfVersion", "Integrity", "Plaintext", "PreferenceTrial", "Preferences", "Reachability"),
        *("RecordProtection", "Renegotiation", "Resumption", "SecondOpinion", "SignatureSchemes", "SuitesOfVersion"),
        *("TicketFacts", "Tolerance", "Versions"),
    ),
    "harness.record.models": ("AdviceRecord", "ClaimRecord", "EndpointRecord", "SutRecord"),
}
_MODULE_OF = {name: module for module, names in _EXPORTS.items() for name in names}

__all__ = sorted(_MODULE_OF)  # noqa: PLE0605 - a list of names, computed from the one table


def __getattr__(name: str) -> Any:
    """Import what `name` stands for on first use."""
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Every exported name."""
    return sorted({*globals(), *_MODULE_OF})
