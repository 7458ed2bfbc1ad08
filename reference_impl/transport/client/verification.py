"""Judging a server's certificates: path, purpose, strength, name and revocation (RFC 5280 6, RFC 9525 6, RFC 9325 7).

OpenSSL validates the path, strictly; service-identity compares names. What neither of them looks at stands here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, SignatureAlgorithmOID

from reference_impl.paths import UNREADABLE, PathError, valid_path
from reference_impl.transport.client.names import fits_name
from reference_impl.transport.client.refusal import AlertDescription, RefusalError
from reference_impl.transport.client.revocation import revoked_by_list, revoked_by_status
from reference_impl.transport.client.revocation_online import OnlineRevocation
from reference_impl.transport.client.settings import Check, ClientSettings, Dread

MAX_CERTIFICATES = 20
_MAX_OCTETS = 1 << 17
_WITH_ISSUER = 2

_CHECK_OF_ERROR: dict[int, Check] = {
    2: Check.TRUST,  # unable to get issuer certificate
    18: Check.TRUST,  # self-signed certificate
    19: Check.TRUST,  # self-signed certificate in chain
    20: Check.TRUST,  # unable to get local issuer certificate
    21: Check.TRUST,  # unable to verify the first certificate
    7: Check.SIGNATURE,
    9: Check.NOT_YET_VALID,
    10: Check.EXPIRED,
    13: Check.NOT_YET_VALID,  # error in the field notBefore
    14: Check.EXPIRED,
    24: Check.BASIC_CONSTRAINTS,  # invalid CA certificate
    79: Check.BASIC_CONSTRAINTS,
    32: Check.BASIC_CONSTRAINTS,  # key usage does not include certificate signing
    25: Check.PATH_LENGTH,
    78: Check.SIGNATURE_ALGORITHM,  # the algorithms named inside and outside differ
    34: Check.CRITICAL_EXTENSION,
    **dict.fromkeys(range(47, 54), Check.NAME_CONSTRAINTS),
}
"""What a result of OpenSSL's path validation (X509_V_ERR_*) is about; others are matters of strict encoding."""

_ALERTS: dict[Check, AlertDescription] = {
    Check.TRUST: AlertDescription.UNKNOWN_CA,
    Check.SIGNATURE: AlertDescription.DECRYPT_ERROR,
    Check.EXPIRED: AlertDescription.CERTIFICATE_EXPIRED,
    Check.NOT_YET_VALID: AlertDescription.BAD_CERTIFICATE,
    Check.EXTENDED_KEY_USAGE: AlertDescription.UNSUPPORTED_CERTIFICATE,
    Check.KEY_USAGE: AlertDescription.UNSUPPORTED_CERTIFICATE,
    Check.CRITICAL_EXTENSION: AlertDescription.UNSUPPORTED_CERTIFICATE,
    Check.REVOCATION_LIST: AlertDescription.CERTIFICATE_REVOKED,
    Check.STAPLED_STATUS: AlertDescription.CERTIFICATE_REVOKED,
    Check.RESPONDER: AlertDescription.CERTIFICATE_REVOKED,
    Check.BASIC_CONSTRAINTS: AlertDescription.UNKNOWN_CA,
    Check.PATH_LENGTH: AlertDescription.UNKNOWN_CA,
}
_PURPOSES = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
ExtensionT = TypeVar("ExtensionT", bound=x509.ExtensionType)
_WITHOUT_HASH = {SignatureAlgorithmOID.ED25519, SignatureAlgorithmOID.ED448}


@dataclass(frozen=True)
class Trust:
    """Whom the client believes: `anchors`, the revocation lists that it was given, and whether it asks for others."""

    anchors: tuple[x509.Certificate, ...]
    revocation_lists: tuple[x509.CertificateRevocationList, ...] = ()
    online: OnlineRevocation | None = None


@dataclass(frozen=True)
class Verifier:
    """Judges what one server shows. `reference` is the host name or IP address that the client was told to reach."""

    trust: Trust
    settings: ClientSettings
    reference: str
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def verify(self, shown: Sequence[bytes], stapled: bytes | None) -> None:
        """Accept `shown` (DER, leaf first) with the OCSP response `stapled`, or raise `RefusalError`."""
        if not shown:
            if self.settings.checks(Check.SOME_CERTIFICATE):
                raise RefusalError(AlertDescription.DECODE_ERROR, "the server shows no certificate")
            return
        if len(shown) > MAX_CERTIFICATES or sum(map(len, shown)) > _MAX_OCTETS:
            raise RefusalError(AlertDescription.BAD_CERTIFICATE, "the server shows more certificates than are read")
        try:
            certificates = [x509.load_der_x509_certificate(der) for der in shown]
            self._verify(certificates, stapled)
        except UNREADABLE as problem:
            reason = str(problem) or type(problem).__name__
            self._refuse(Check.ENCODING, f"a certificate cannot be read: {reason}")

    def _verify(self, shown: list[x509.Certificate], stapled: bytes | None) -> None:
        path = self._path(shown)
        leaf = shown[0]
        self._purpose(leaf)
        for certificate in path if len(path) == 1 else path[:-1]:
            self._strength(certificate)
        self._name(leaf)
        self._revocation(path, stapled)

    def _refuse(self, check: Check, reason: str) -> None:
        """Raise what `check` found, unless it is left out."""
        if self.settings.checks(check):
            raise RefusalError(_ALERTS.get(check, AlertDescription.BAD_CERTIFICATE), reason)

    # -- path ----------------------------------------------------------------------------------------------------

    def _path(self, shown: list[x509.Certificate]) -> list[x509.Certificate]:
        """The path from the leaf to a trust anchor; what was shown where an ignored check stands in its way."""
        try:
            return valid_path(shown[0], shown[1:], self.trust.anchors, self.now)
        except PathError as problem:
            self._refuse(_CHECK_OF_ERROR.get(problem.code, Check.ENCODING), str(problem))
            return self._as_shown(shown)

    def _as_shown(self, shown: list[x509.Certificate]) -> list[x509.Certificate]:
        """The certificates shown, and the anchor that the last of them names as its issuer."""
        last = shown[-1]
        return [*shown, *(anchor for anchor in self.trust.anchors if anchor.subject == last.issuer and anchor != last)]

    # -- what a certificate is for, and how strong it is ----------------------------------------------------------

    def _purpose(self, leaf: x509.Certificate) -> None:
        extended = _extension(leaf, x509.ExtendedKeyUsage)
        if extended is None and self.settings.dreads(Dread.NO_PURPOSE):
            raise RefusalError(AlertDescription.UNSUPPORTED_CERTIFICATE, "the certificate has no extended key usage")
        if extended is not None and not _PURPOSES & set(extended):
            self._refuse(Check.EXTENDED_KEY_USAGE, "the certificate is not meant for servers")
        usage = _extension(leaf, x509.KeyUsage)
        if usage is not None and not usage.digital_signature:
            self._refuse(Check.KEY_USAGE, "the certificate's key is not meant for digital signatures")

    def _strength(self, certificate: x509.Certificate) -> None:
        key = certificate.public_key()
        weak_rsa = isinstance(key, rsa.RSAPublicKey) and key.key_size < self.settings.minimum_rsa_bits
        weak_ec = isinstance(key, ec.EllipticCurvePublicKey) and key.key_size < self.settings.minimum_ec_bits
        if weak_rsa or weak_ec:
            self._refuse(Check.KEY_STRENGTH, "a certificate's key is too short")
        if certificate in self.trust.anchors or certificate.signature_algorithm_oid in _WITHOUT_HASH:
            return
        digest = certificate.signature_hash_algorithm
        if digest is None or digest.name not in self.settings.certificate_hashes:
            self._refuse(Check.SIGNATURE_ALGORITHM, "a certificate is signed with a hash that is too weak")

    # -- name ----------------------------------------------------------------------------------------------------

    def _name(self, leaf: x509.Certificate) -> None:
        if fits_name(leaf, self.reference, _address(self.reference)):
            return
        named = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        if not self.settings.checks(Check.COMMON_NAME) and any(
            str(one.value).lower() == self.reference.lower() for one in named
        ):
            return
        self._refuse(Check.HOST_NAME, f"the certificate does not name {self.reference}")

    # -- revocation ----------------------------------------------------------------------------------------------

    def _revocation(self, path: list[x509.Certificate], stapled: bytes | None) -> None:
        online = self.trust.online
        for certificate, issuer in pairwise(path):
            lists = self.trust.revocation_lists + (online.lists(certificate) if online else ())
            if revoked_by_list(certificate, issuer, lists):
                self._refuse(Check.REVOCATION_LIST, "a revocation list names a certificate of the path")
        if len(path) < _WITH_ISSUER:
            return
        leaf, issuer = path[:_WITH_ISSUER]
        if stapled and revoked_by_status(leaf, issuer, stapled):
            self._refuse(Check.STAPLED_STATUS, "the stapled status says that the certificate is revoked")
        answer = online.status(leaf, issuer) if online and not stapled else None
        if answer and revoked_by_status(leaf, issuer, answer):
            self._refuse(Check.RESPONDER, "the responder says that the certificate is revoked")


def _extension(certificate: x509.Certificate, kind: type[ExtensionT]) -> ExtensionT | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _address(reference: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(reference)
    except ValueError:
        return None


def load_anchors(pem: bytes | Iterable[bytes]) -> tuple[x509.Certificate, ...]:
    """The certificates of PEM files. Raises ValueError."""
    files = (pem,) if isinstance(pem, bytes) else pem
    return tuple(one for data in files for one in x509.load_pem_x509_certificates(data))


def der_of(certificate: x509.Certificate) -> bytes:
    """The certificate in DER."""
    return certificate.public_bytes(Encoding.DER)
