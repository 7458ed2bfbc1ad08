"""Reading certificates and revocation lists: what stands in a value of OB, in files, and what a certificate says."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from reference_impl.signatures.results import CertificateResult, Reason, Standing

if TYPE_CHECKING:
    from cryptography import x509

    ExtensionT = TypeVar("ExtensionT", bound=x509.ExtensionType)

LARGEST = 1 << 16
"""Octets of a certificate that are read at most."""
_KEPT = 4096
_STRONG_RSA_BITS = 2048
_STRONG_EC_BITS = 224
_WEAK_HASHES = ("md5", "sha1")


class UnreadableCertificateError(Exception):
    """A value is no X.509 certificate that can be read; the message says why."""


def read_certificates(data: bytes) -> tuple[bytes, ...]:
    """The certificates (DER) of a file, PEM or DER. Raises ValueError."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    if b"-----BEGIN" not in data:
        return (x509.load_der_x509_certificate(data).public_bytes(Encoding.DER),)
    return tuple(one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(data))


def read_crls(data: bytes) -> tuple[bytes, ...]:
    """The revocation lists (DER) of a file, PEM (any number) or DER. Raises ValueError."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    if b"-----BEGIN" not in data:
        return (x509.load_der_x509_crl(data).public_bytes(Encoding.DER),)
    end = b"-----END X509 CRL-----"
    parts = [part + end for part in data.split(end)[:-1]]
    if not parts:
        raise ValueError("no revocation list in it")
    return tuple(x509.load_pem_x509_crl(part).public_bytes(Encoding.DER) for part in parts)


def der_of(value: bytes) -> bytes:
    """The DER encoding within an OB `value`, without the zero octet that makes its length even.

    Raises UnreadableCertificateError where it is none, is cut short, or is followed by anything else.
    """
    if len(value) > LARGEST:
        raise UnreadableCertificateError(f"it has {len(value)} octets, more than are read")
    if len(value) < 2 or value[0] != 0x30:
        raise UnreadableCertificateError("it does not begin as DER does")
    length, at = value[1], 2
    if length > 0x80:
        at += length - 0x80
        length = int.from_bytes(value[2:at])
    end = at + length
    if value[1] == 0x80 or end > len(value):
        raise UnreadableCertificateError("it is cut short")
    if value[end:] not in (b"", b"\0"):
        raise UnreadableCertificateError(f"{len(value) - end} octets follow it")
    return value[:end]


def load_certificate(value: bytes) -> x509.Certificate:
    """The certificate within an OB `value`. Raises UnreadableCertificateError."""
    found = read_certificate(value).certificate
    if isinstance(found, str):
        raise UnreadableCertificateError(found)
    return found


@dataclass(frozen=True, slots=True)
class ReadCertificate:
    """A certificate, or why it cannot be read; what it says, with the reasons that are only told."""

    certificate: x509.Certificate | str
    result: CertificateResult


@lru_cache(maxsize=_KEPT)
def read_certificate(value: bytes) -> ReadCertificate:
    """Read the certificate within an OB `value`; what was read is kept."""
    from cryptography import x509

    from reference_impl.paths import UNREADABLE

    nothing = CertificateResult(Standing.UNKNOWN, Standing.UNKNOWN)
    try:
        der = der_of(value)
        certificate = x509.load_der_x509_certificate(der)
        return ReadCertificate(certificate, _facts(certificate, der))
    except (UnreadableCertificateError, *UNREADABLE) as problem:
        return ReadCertificate(str(problem) or type(problem).__name__, nothing)


def _facts(certificate: x509.Certificate, der: bytes) -> CertificateResult:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    key_type, bits = _key(certificate)
    digest = _hash_of(certificate)
    usage = extension_of(certificate, x509.KeyUsage)
    extended = extension_of(certificate, x509.ExtendedKeyUsage)
    notes = []
    if bits is not None and bits < {"rsa": _STRONG_RSA_BITS, "dsa": _STRONG_RSA_BITS}.get(key_type, _STRONG_EC_BITS):
        notes.append(Reason("certificate-weak-key", f"the key ({key_type.upper()}, {bits} bits) is short"))
    if digest in _WEAK_HASHES and certificate.issuer != certificate.subject:
        notes.append(Reason("certificate-weak-hash", f"the certificate is signed with {digest}, which is weak"))
    return CertificateResult(
        at_signing=Standing.UNKNOWN,
        now=Standing.UNKNOWN,
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        serial=f"{certificate.serial_number:x}",
        not_before=certificate.not_valid_before_utc.isoformat(),
        not_after=certificate.not_valid_after_utc.isoformat(),
        key_type=key_type,
        key_bits=bits,
        signature_hash=digest,
        key_usage=None if usage is None else _usages(usage),
        extended_key_usage=None if extended is None else tuple(one.dotted_string for one in extended),
        sha256=hashlib.sha256(der).hexdigest(),
        pem=certificate.public_bytes(Encoding.PEM).decode("ascii"),
        version=certificate.version.value + 1,
        reasons=tuple(notes),
    )


def _key(certificate: x509.Certificate) -> tuple[str, int | None]:
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

    from reference_impl.paths import UNREADABLE

    try:
        key = certificate.public_key()
    except UNREADABLE:  # a kind that the library does not know
        return "unknown", None
    if isinstance(key, rsa.RSAPublicKey):
        return "rsa", key.key_size
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "ec", key.key_size
    if isinstance(key, dsa.DSAPublicKey):
        return "dsa", key.key_size
    return "unknown", None


def _hash_of(certificate: x509.Certificate) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        found = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return ""
    return found.name if found is not None else ""


def _usages(usage: x509.KeyUsage) -> tuple[str, ...]:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    return tuple(name for name in (*names, "key_cert_sign", "crl_sign") if getattr(usage, name))


def extension_of(certificate: x509.Certificate, kind: type[ExtensionT]) -> ExtensionT | None:
    """The extension of that kind, or None."""
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def timestamp_only(read: x509.Certificate) -> bool:
    """Whether a certificate has the one purpose of a time-stamping authority, marked critical (RFC 3161 2.3)."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    try:
        found = read.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return False
    return found.critical and list(found.value) == [ExtendedKeyUsageOID.TIME_STAMPING]
