"""What a session shows when it is asked for a certificate: given, made up by an unknown authority, or none."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from harness.errors import UsageProblem
from harness.probes.base import ClientCredentials
from reference_impl.transport.protection.signing import (
    RSA_MD5,
    SigningKey,
    is_pss_key,
    schemes_of,
    sign,
    signed_content,
)
from reference_impl.transport.wire.codes import TLS12, TLS13
from reference_impl.transport.wire.messages import CertificateEntry, CertificateMessage


class SigningError(ValueError):
    """The server asks for a signature that the client's key cannot make."""


@dataclass(frozen=True)
class ClientIdentity:
    """A certificate chain (DER, leaf first) and its key."""

    chain: tuple[bytes, ...]
    key: SigningKey

    def certificate_message(self, version: int, context: bytes) -> bytes:
        """The Certificate message that shows this chain."""
        return CertificateMessage(tuple(CertificateEntry(der) for der in self.chain), context).encode(version)

    def choose_scheme(self, version: int, accepted: tuple[int, ...]) -> int:
        """The first scheme of ours that the server accepts in `version`. Raises `SigningError`."""
        pss_only = isinstance(self.key, rsa.RSAPrivateKey) and bool(self.chain) and is_pss_key(self.chain[0])
        for scheme in schemes_of(self.key.public_key(), version, pss_only=pss_only):
            if scheme in accepted and scheme != RSA_MD5:
                return scheme
        raise SigningError("the server accepts no signature scheme that the client's key can make")

    def sign(self, scheme: int, data: bytes) -> bytes:
        """A signature over `data` under a scheme that `choose_scheme` gave."""
        return sign(self.key, scheme, data)

    def certificate_verify(self, version: int, accepted: tuple[int, ...], transcript: bytes, hash_name: str) -> bytes:
        """Body of a CertificateVerify (RFC 5246 7.4.8, RFC 8446 4.4.3). Raises `SigningError`."""
        if version < TLS12:
            raise SigningError("client certificates are shown in TLS 1.2 and 1.3 only")
        scheme = self.choose_scheme(version, accepted)
        signed = transcript
        if version >= TLS13:
            signed = signed_content("client", hashlib.new(hash_name, transcript).digest())
        signature = self.sign(scheme, signed)
        return scheme.to_bytes(2, "big") + len(signature).to_bytes(2, "big") + signature


def load_identity(credentials: ClientCredentials) -> ClientIdentity:
    """The identity in `credentials`. Raises `UsageProblem` if certificate or key cannot be read."""
    try:
        chain = x509.load_pem_x509_certificates(credentials.certificate)
    except ValueError as error:
        raise UsageProblem(
            "the client certificate is no PEM certificate; give the file that begins with -----BEGIN CERTIFICATE-----"
        ) from error
    try:
        key = load_pem_private_key(credentials.key, credentials.password)
    except (ValueError, TypeError) as error:
        raise UsageProblem("the client's private key cannot be read; give its PEM file and its password") from error
    if not isinstance(key, SigningKey):
        raise UsageProblem("the client's private key is of a type that TLS client authentication does not use")
    return ClientIdentity(tuple(certificate.public_bytes(Encoding.DER) for certificate in chain), key)


@cache
def unknown_identity(kind: str = "ec") -> ClientIdentity:
    """A client certificate of an authority that nobody can know: made when first needed, in memory only.

    `kind`: "ec" or "rsa", the client's key.
    """
    now = datetime.now(UTC)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "PS315 authority that nobody knows")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "PS315 client of an unknown authority")])

    known = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())

    def build(
        name: x509.Name, public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey, *, authority: bool
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(known, critical=False)
            .add_extension(_usage(authority=authority), critical=True)
        )

    leaf = build(subject, key.public_key(), authority=False)
    leaf = leaf.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    root = build(issuer, authority_key.public_key(), authority=True)
    chain = tuple(builder.sign(authority_key, hashes.SHA256()).public_bytes(Encoding.DER) for builder in (leaf, root))
    return ClientIdentity(chain, key)


def _usage(*, authority: bool) -> x509.KeyUsage:
    """The key usage of an authority, or of one who signs handshakes."""
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
