"""Certification paths (RFC 5280 6): OpenSSL validates them, here for whoever judges certificates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from OpenSSL import crypto

UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,  # a kind of string that names are not made of
    OverflowError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
    crypto.Error,
)
"""What the libraries raise for certificates that they cannot read."""

_KEYS = (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)


class PathError(Exception):
    """There is no valid path: OpenSSL's result (X509_V_ERR_*), the depth from the leaf (0), and its words."""

    def __init__(self, code: int, depth: int, text: str) -> None:
        super().__init__(f"certificate at depth {depth}: {text}")
        self.code = code
        self.depth = depth
        self.text = text


def valid_path(
    leaf: x509.Certificate,
    others: Iterable[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    at: datetime,
    flags: int = crypto.X509StoreFlags.X509_STRICT,
) -> list[x509.Certificate]:
    """The path from `leaf`, by way of `others`, to one of `anchors`, valid at the aware time `at`.

    Raises PathError; one of `UNREADABLE` for a certificate that OpenSSL cannot read.
    """
    store = crypto.X509Store()
    store.set_flags(flags)
    store.set_time(at.astimezone(UTC))  # the library takes the fields of a time as those of UTC
    for anchor in anchors:
        store.add_cert(crypto.X509.from_cryptography(anchor))
    untrusted = [crypto.X509.from_cryptography(each) for each in others]
    try:
        found = crypto.X509StoreContext(store, crypto.X509.from_cryptography(leaf), untrusted).get_verified_chain()
    except crypto.X509StoreContextError as problem:
        code, depth, text = problem.errors[:3]
        raise PathError(int(code), int(depth), str(text)) from None
    return [each.to_cryptography() for each in found]


def revocation_of(
    certificate: x509.Certificate, issuer: x509.Certificate, lists: Iterable[x509.CertificateRevocationList]
) -> x509.RevokedCertificate | None:
    """The entry of `certificate` in the first of `lists` that `issuer` signed and that has one (RFC 5280 6.3)."""
    key = issuer.public_key()
    if not isinstance(key, _KEYS):
        return None
    for each in lists:
        entry = each.get_revoked_certificate_by_serial_number(certificate.serial_number)
        if entry is not None and each.issuer == certificate.issuer and each.is_signature_valid(key):
            return None if reason_of(entry) is x509.ReasonFlags.remove_from_crl else entry
    return None


def reason_of(entry: x509.RevokedCertificate) -> x509.ReasonFlags | None:
    """Why a certificate was revoked, as far as its entry says so."""
    try:
        return entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        return None
