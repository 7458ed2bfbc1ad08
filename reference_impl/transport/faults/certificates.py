"""Faults of certificates: other keys, other signatures, nothing stapled, any client let in."""

from __future__ import annotations

from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from fixtures.pki import LEAF_CASES, Pki
from reference_impl.transport.faults.behaviour import Behaviour
from reference_impl.transport.front import FrontSettings, Identity


def identity_of(pki: Pki, case: str) -> Identity:
    """Return the identity of the certificate `case`, with its root and a fresh OCSP response."""
    issued = pki.issue(case)
    chain = (issued.certificate, *issued.intermediates, pki.root_of(case).certificate)
    return Identity(chain, issued.key, pki.ocsp_response(case))


def presenting(case: str, *, schemes: frozenset[int] = frozenset(), unable: frozenset[int] = frozenset()) -> Behaviour:
    """Present the certificate `case` in place of the good one with the same kind of key, or beside them if none has.

    `schemes` are further signature schemes that its key needs, `unable` those that it cannot sign with.
    """

    def adjust(settings: FrontSettings, pki: Pki) -> FrontSettings:
        bad = identity_of(pki, case)
        kind = next((k for k in (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey) if isinstance(bad.key, k)), None)
        kept = tuple(good for good in settings.identities if kind is None or not isinstance(good.key, kind))
        return replace(
            settings,
            identities=(*kept, bad),
            security_level=0,
            signature_schemes=(settings.signature_schemes | schemes) - unable,
        )

    return Behaviour(adjust=adjust, anchors=(LEAF_CASES[case][1],))


def not_stapling() -> Behaviour:
    """Staple no OCSP response though the certificates name a responder."""

    def adjust(settings: FrontSettings, _pki: Pki) -> FrontSettings:
        return replace(settings, identities=tuple(replace(good, ocsp_response=b"") for good in settings.identities))

    return Behaviour(adjust=adjust)
