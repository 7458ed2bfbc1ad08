"""kind ``tls.signature-schemes``: the schemes that the server signs its handshakes with, by elimination.

TLS 1.2 shows its scheme in the clear (`signature_schemes`); in TLS 1.3 CertificateVerify has to be decrypted.
"""

from __future__ import annotations

from harness.observations import Observation, facts_of
from harness.observations.transport import TLS12, TLS13, AcceptedSuite, SignatureSchemes
from harness.probes.base import ProbeContext
from harness.probes.transport import signature_schemes
from harness.probes.transport.session import Session, Stop
from harness.probes.transport.session_offers import (
    SCHEMES_BRAINPOOL,
    SCHEMES_OLD,
    SCHEMES_PKCS1,
    SCHEMES_TLS12,
    SCHEMES_TLS13,
    no_version,
    offer_of,
    suites_tls12,
    supported_versions,
)
from reference_impl.transport.registry import SIGNATURE_SCHEMES, SUITES

_MAX_CONNECTIONS = 20
# CertificateVerify knows no PKCS #1 v1.5 and no SHA-1 (RFC 8446 4.2.3): offered, to see that they are kept out.
_ASKED = (*SCHEMES_TLS13, *SCHEMES_BRAINPOOL, *SCHEMES_PKCS1, *SCHEMES_OLD)


def _eliminate_tls13(context: ProbeContext) -> tuple[tuple[AcceptedSuite, ...], bool, tuple[str, ...]]:
    """Schemes in the order of choice, whether the elimination ended in a refusal, and the exchanges."""
    left = list(_ASKED)
    found: list[AcceptedSuite] = []
    exchanges: list[str] = []
    while left and len(exchanges) < _MAX_CONNECTIONS:
        offer = offer_of(context, TLS13, schemes=tuple(left), certificate_schemes=SCHEMES_TLS12, identity=None)
        with Session(context, offer, f"signature schemes: TLS 1.3, {len(left)} offered") as session:
            reaction = session.handshake(Stop.SERVER_FLIGHT)
        exchanges.append(session.id)
        scheme = session.flight.scheme
        if scheme is None:
            return tuple(found), reaction.refused, tuple(exchanges)
        if all(entry.code != scheme for entry in found):
            found.append(AcceptedSuite(code=scheme, exchange=session.id))
        if scheme not in left:  # the offer is not heeded: nothing can be eliminated
            return tuple(found), False, tuple(exchanges)
        left.remove(scheme)
    return tuple(found), not left, tuple(exchanges)


def _weak_tls12(context: ProbeContext) -> tuple[AcceptedSuite | None, str]:
    """A scheme of SHA-1 or MD5 that the server takes when nothing better is offered, not even what it cannot use."""
    weak = tuple(s.code for s in SIGNATURE_SCHEMES.values() if s.hash in {"sha1", "md5"} and s.versions != "tls1.3")
    suites = tuple(c for c in suites_tls12("RSA", "ECDSA", "DSS") if SUITES[c].key_exchange != "RSA")
    offer = offer_of(context, TLS12, schemes=weak, suites=suites, identity=None)
    with Session(context, offer, "signature schemes: TLS 1.2, SHA-1 and MD5 only") as session:
        session.handshake(Stop.SERVER_FLIGHT)
    scheme = session.flight.scheme
    return (None if scheme is None else AcceptedSuite(code=scheme, exchange=session.id)), session.id


def probe_signature_schemes(context: ProbeContext) -> Observation:
    """Schemes of ServerKeyExchange in TLS 1.2 and of CertificateVerify in TLS 1.3."""
    kind = "tls.signature-schemes"
    versions = supported_versions(context)
    schemes: dict[int, tuple[AcceptedSuite, ...]] = {}
    complete: dict[int, bool] = {}
    exchanges: tuple[str, ...] = ()
    missing = no_version("signature schemes").missing
    if TLS12 in versions:
        seen = signature_schemes.probe(context)
        exchanges += seen.exchanges
        missing = seen.missing
        if (facts := facts_of(seen, SignatureSchemes)) is not None:
            schemes |= facts.versions
            complete |= facts.complete
            weak, exchange = _weak_tls12(context)
            exchanges += (exchange,)
            if weak is not None and all(weak.code != entry.code for entry in schemes.get(TLS12, ())):
                schemes[TLS12] = (*schemes.get(TLS12, ()), weak)
    if TLS13 in versions:
        found, ended, trials = _eliminate_tls13(context)
        exchanges += trials
        if found or ended:
            schemes[TLS13], complete[TLS13] = found, ended
        else:
            missing = "no CertificateVerify of TLS 1.3 could be read"
    if not schemes:
        return context.observed(kind, None, missing=missing, exchanges=exchanges)
    return context.observed(kind, SignatureSchemes(versions=schemes, complete=complete), exchanges=exchanges)
