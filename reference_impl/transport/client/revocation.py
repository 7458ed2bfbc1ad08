"""Whether a certificate is known to be revoked: by a list at hand, or by a stapled status (RFC 5280 6.3, RFC 6960).

What cannot be read or authenticated says nothing: revocation that cannot be learned is tolerated.
"""

from __future__ import annotations

from collections.abc import Iterable

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from reference_impl.paths import revocation_of


def revoked_by_list(
    certificate: x509.Certificate, issuer: x509.Certificate, lists: Iterable[x509.CertificateRevocationList]
) -> bool:
    """Whether one of `lists`, signed by `issuer`, names `certificate`."""
    return revocation_of(certificate, issuer, lists) is not None


def revoked_by_status(certificate: x509.Certificate, issuer: x509.Certificate, response: bytes) -> bool:
    """Whether the OCSP response (DER), signed by `issuer` or its delegate, says that `certificate` is revoked."""
    try:
        status = ocsp.load_der_ocsp_response(response)
        if status.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return False
        revoked = any(
            one.serial_number == certificate.serial_number and one.certificate_status is ocsp.OCSPCertStatus.REVOKED
            for one in status.responses
        )
        return revoked and any(_signed(status, signer) for signer in _signers(status, issuer))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False


def _signers(status: ocsp.OCSPResponse, issuer: x509.Certificate) -> list[x509.Certificate]:
    """The issuer, and those whom it has made responders (RFC 6960 4.2.2.2)."""
    found = [issuer]
    for one in status.certificates:
        try:
            one.verify_directly_issued_by(issuer)
            purposes = one.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
            continue
        if ExtendedKeyUsageOID.OCSP_SIGNING in purposes:
            found.append(one)
    return found


def _signed(status: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    key, digest = signer.public_key(), status.signature_hash_algorithm
    try:
        if isinstance(key, rsa.RSAPublicKey) and isinstance(digest, hashes.HashAlgorithm):
            key.verify(status.signature, status.tbs_response_bytes, padding.PKCS1v15(), digest)
        elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(digest, hashes.HashAlgorithm):
            key.verify(status.signature, status.tbs_response_bytes, ec.ECDSA(digest))
        elif isinstance(key, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)):
            key.verify(status.signature, status.tbs_response_bytes)
        else:
            return False
    except InvalidSignature:
        return False
    return True
