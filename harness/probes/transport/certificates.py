"""kind ``tls.certificates``: every chain the server can show, with the offers that only such a chain satisfies."""

from __future__ import annotations

from dataclasses import dataclass

from harness.certificate_chains import in_order, load_anchors, name_matches, signers
from harness.certificates import certificate_facts, ocsp_status
from harness.observations import Observation, Reaction, ReactionKind
from harness.observations.transport import TLS12, TLS13, CertificateChain, CertificateFacts, Certificates
from harness.probes.base import ProbeContext
from harness.probes.transport.session import Offer, ServerFlight, Session, Stop
from harness.probes.transport.session_offers import (
    SCHEMES_BRAINPOOL,
    SCHEMES_TLS12,
    asked_name,
    no_version,
    offer_of,
    suites_tls12,
    supported_versions,
    told,
)
from reference_impl.transport.protection.keys import GROUPS_TLS12
from reference_impl.transport.registry import GROUPS

_EDDSA = (0x0807, 0x0808)
_SCHEMES_TLS13: dict[str, tuple[int, ...]] = {
    "rsa": (0x0804, 0x0805, 0x0806, 0x0809, 0x080A, 0x080B),
    "ec": (0x0403, 0x0503, 0x0603, *SCHEMES_BRAINPOOL),
    "eddsa": _EDDSA,
}
_KINDS = {"rsa": "rsa", "rsa-pss": "rsa", "ec": "ec", "ed25519": "eddsa", "ed448": "eddsa"}


@dataclass(frozen=True)
class _Trial:
    kind: str
    version: int
    reaction: Reaction
    flight: ServerFlight
    exchange: str


def _offers(context: ProbeContext, versions: tuple[int, ...]) -> list[tuple[str, Offer]]:
    """The kind that each offer asks for, and the offer."""
    found: list[tuple[str, Offer]] = []
    legacy = max((version for version in versions if version <= TLS12), default=None)
    if TLS13 in versions:
        # Schemes choose the key only; the signatures within the chain may be any (signature_algorithms_cert).
        common = {"status_request": True, "certificate_schemes": SCHEMES_TLS12, "identity": None}
        for kind, schemes in _SCHEMES_TLS13.items():
            found.append((kind, offer_of(context, TLS13, schemes=schemes, **common)))
    if legacy is not None:
        # The suite chooses the key: so all schemes are offered, and no old server is misled about its chain.
        old = legacy < TLS12
        schemes = tuple(scheme for scheme in SCHEMES_TLS12 if scheme not in _EDDSA)
        for kind, authentication in (("rsa", "RSA"), ("ec", "ECDSA")):
            suites = suites_tls12(authentication, old=old)
            # All curves: a server may show a certificate only if its curve is on offer (RFC 8422 5.1).
            groups = (*GROUPS_TLS12, *_more_curves())
            offer = offer_of(
                context, legacy, suites=suites, schemes=schemes, groups=groups, status_request=True, identity=None
            )
            found.append((kind, offer))
        if TLS13 not in versions and not old:
            suites = suites_tls12("ECDSA")
            found.append(("eddsa", offer_of(context, legacy, suites=suites, schemes=_EDDSA, identity=None)))
    return found


def _more_curves() -> tuple[int, ...]:
    return tuple(
        group.code
        for group in GROUPS.values()
        if group.kind == "ecdhe" and group.versions == "tls1.2" and group.code not in GROUPS_TLS12
    )


def _try(context: ProbeContext, kind: str, offer: Offer) -> _Trial:
    with Session(context, offer, f"certificates: {kind} keys only") as session:
        reaction = session.handshake(Stop.SERVER_FLIGHT)
    return _Trial(kind, session.version, reaction, session.flight, session.id)


def _leaf_kind(leaf: CertificateFacts) -> str:
    return _KINDS.get(leaf.key_type, leaf.key_type)


def _chain(context: ProbeContext, trials: list[_Trial]) -> CertificateChain:
    """One chain from all the trials in which it was shown."""
    first = trials[0]
    ders = first.flight.certificates or ()
    facts = tuple(certificate_facts(der) for der in ders)
    found = signers(ders, load_anchors(context.target.trust_anchors))
    staple = next((trial.flight.ocsp for trial in trials if trial.flight.ocsp is not None), None)
    return CertificateChain(
        certificates=facts,
        presented_in=tuple(sorted({trial.version for trial in trials})),
        key_kind=_leaf_kind(facts[0]),
        in_order=in_order(ders),
        signer_bits=tuple(bits for bits, _ in found),
        signer_key_types=tuple(kind for _, kind in found),
        name_matches=name_matches(facts[0], asked_name(context.target)),
        ocsp_stapled=staple is not None,
        ocsp_status="" if staple is None else ocsp_status(staple, ders[0]),
        exchange=first.exchange,
    )


def _refused(kind: str, trials: list[_Trial], chains: tuple[CertificateChain, ...]) -> bool | None:
    if any(chain.key_kind == kind for chain in chains):
        return False
    asked = [trial for trial in trials if trial.kind == kind]
    return True if asked and all(trial.reaction.refused for trial in asked) else None


def probe_certificates(context: ProbeContext) -> Observation:
    """Every certificate chain, per version and kind of key."""
    versions = supported_versions(context)
    if not versions:
        return context.observed("tls.certificates", None, missing=no_version("a certificate").missing)
    trials = [_try(context, kind, offer) for kind, offer in _offers(context, versions)]
    exchanges = tuple(trial.exchange for trial in trials)
    by_chain: dict[tuple[bytes, ...], list[_Trial]] = {}
    for trial in trials:
        if trial.flight.certificates:
            by_chain.setdefault(trial.flight.certificates, []).append(trial)
    chains = tuple(_chain(context, shown) for shown in by_chain.values())
    rsa, ecdsa = (_refused(kind, trials, chains) for kind in ("rsa", "ec"))
    if not chains and not all(trial.reaction.kind is ReactionKind.ALERT for trial in trials):
        reasons = "; ".join(dict.fromkeys(told(trial.reaction) for trial in trials))
        missing = f"no certificate could be read: {reasons}"
        return context.observed("tls.certificates", None, missing=missing, exchanges=exchanges)
    facts = Certificates(chains=chains, rsa_refused=rsa, ecdsa_refused=ecdsa)
    return context.observed("tls.certificates", facts, exchanges=exchanges)
