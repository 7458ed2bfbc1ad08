"""Faults of a server that verifies its clients: what it overlooks in their certificates, and where it is too strict."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto

from fixtures.pki import Pki
from fixtures.pki.zoo import Zoo
from reference_impl.transport.faults.behaviour import Behaviour
from reference_impl.transport.front import FrontSettings, PathStep, PathVerdict

SIGNATURE_FAILURE, NOT_YET_VALID, EXPIRED = 7, 9, 10
SELF_SIGNED, SELF_SIGNED_IN_CHAIN, ISSUER_NOT_FOUND, LEAF_NOT_VERIFIED = 18, 19, 20, 21
REVOKED, PATH_LENGTH_EXCEEDED, INVALID_PURPOSE = 23, 25, 26
NO_CERT_SIGN, UNHANDLED_CRITICAL_EXTENSION = 32, 34
PERMITTED_VIOLATION, EXCLUDED_VIOLATION = 47, 48
LEAF_KEY_TOO_SMALL, ISSUER_KEY_TOO_SMALL, DIGEST_TOO_WEAK = 66, 67, 68
ALGORITHMS_DISAGREE, INVALID_AUTHORITY, CERT_SIGN_OF_NO_AUTHORITY = 78, 79, 82
"""Errors of OpenSSL's path validation (X509_V_ERR_*)."""

Condition = Callable[[PathStep], bool]
_CLIENT = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])


def _judging(verdict: PathVerdict) -> Behaviour:
    return Behaviour(adjust=lambda settings, _pki: replace(settings, path_verdict=verdict))


def accepting_any() -> Behaviour:
    """Let in whatever is presented, if its key signs the handshake."""
    return _judging(_pass)


def overlooking(*errors: int, where: Condition = lambda _step: True) -> Behaviour:
    """Let certificates pass in spite of `errors`, where the condition holds."""
    return _judging(lambda step: _pass(step) if step.error in errors and where(step) else None)


def _pass(_step: PathStep) -> bool:
    # What OpenSSL had to say of a signature would end the handshake later; a failing call takes it away.
    with contextlib.suppress(crypto.Error):
        crypto.load_certificate(crypto.FILETYPE_ASN1, b"")
    return True


def wrong_purpose(step: PathStep) -> bool:
    """The client's certificate names purposes, and none of them is to authenticate a client."""
    return step.depth == 0 and _extension(step, x509.ExtendedKeyUsage) not in {None, _CLIENT}


def wrong_usage(step: PathStep) -> bool:
    """It is not for its purposes that the client's certificate does not fit."""
    return step.depth == 0 and not wrong_purpose(step)


def of_authority(step: PathStep) -> bool:
    """An issuer's certificate that its basic constraints make an authority's."""
    constraints = _extension(step, x509.BasicConstraints)
    return step.depth > 0 and isinstance(constraints, x509.BasicConstraints) and constraints.ca


def of_no_authority(step: PathStep) -> bool:
    """An issuer's certificate that no basic constraints make an authority's."""
    return step.depth > 0 and not of_authority(step)


def signed_with(digest: type[hashes.HashAlgorithm]) -> Condition:
    """The certificate is signed with `digest`."""
    return lambda step: isinstance(step.certificate.to_cryptography().signature_hash_algorithm, digest)


def demanding_purpose() -> Behaviour:
    """Refuse a client whose certificate has no extended key usage."""

    def verdict(step: PathStep) -> bool | None:
        lacking = step.depth == 0 and _extension(step, x509.ExtendedKeyUsage) is None
        return False if lacking else None

    return _judging(verdict)


def not_verifying_possession() -> Behaviour:
    """Take the signature of an impostor, whose key is not that of the certificate.

    OpenSSL verifies it whatever it is told; so the impostor's key is put into the certificate that it holds in memory.
    """

    def adjust(settings: FrontSettings, pki: Pki) -> FrontSettings:
        impostor = Zoo(pki).present("possession", "client")
        subject = x509.load_der_x509_certificate(impostor.chain[0]).subject.public_bytes()
        pinned = [anchor.public_key() for anchor in settings.client_anchors[1:]]
        key = crypto.PKey.from_cryptography_key(_usable([*pinned, impostor.key.public_key()]))

        def verdict(step: PathStep) -> bool | None:
            if step.depth == 0 and step.error == 0 and step.certificate.get_subject().der() == subject:
                step.certificate.set_pubkey(key)
            return None

        return replace(settings, path_verdict=verdict)

    return Behaviour(adjust=adjust)


def _usable(keys: Iterable[object]) -> rsa.RSAPublicKey:
    """The first RSA key: the pinned certificate's in a campaign, the zoo's own otherwise."""
    return next(key for key in keys if isinstance(key, rsa.RSAPublicKey))


def _extension(step: PathStep, kind: type[x509.ExtensionType]) -> x509.ExtensionType | None:
    try:
        return step.certificate.to_cryptography().extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return None
