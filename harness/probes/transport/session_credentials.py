"""What a session shows when it is asked for a certificate: given, made up by an unknown authority, or none."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from harness.errors import UsageProblem
from harness.probes.base import ClientCredentials
from reference_impl.transport.wire.codes import TLS12, TLS13
from reference_impl.transport.wire.messages import CertificateEntry, CertificateMessage

SigningKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
_DIGESTS: dict[int, hashes.HashAlgorithm] = {
    2: hashes.SHA1(),  # noqa: S303 - TLS 1.2 servers may ask for nothing else
    3: hashes.SHA224(),
    4: hashes.SHA256(),
    5: hashes.SHA384(),
    6: hashes.SHA512(),
}
_PSS = {0x0804: hashes.SHA256(), 0x0805: hashes.SHA384(), 0x0806: hashes.SHA512()}
_CURVE_OF_SCHEME = {0x0403: "secp256r1", 0x0503: "secp384r1", 0x0603: "secp521r1"}
_PSS_KEYS = {0x0809: hashes.SHA256(), 0x080A: hashes.SHA384(), 0x080B: hashes.SHA512()}  # for keys of that type alone
_RSA = (0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0301, 0x0201)
_ECDSA = (0x0403, 0x0503, 0x0603, 0x0303, 0x0203)


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
        if isinstance(self.key, rsa.RSAPrivateKey):
            usual = _RSA[:3] if version >= TLS13 else _RSA
            ours: tuple[int, ...] = tuple(_PSS_KEYS) if _holds_pss_key(self.chain) else usual
        elif isinstance(self.key, ec.EllipticCurvePrivateKey):
            curve = self.key.curve.name
            ours = _ECDSA if version < TLS13 else tuple(s for s, name in _CURVE_OF_SCHEME.items() if name == curve)
        else:
            ours = (0x0807,) if isinstance(self.key, ed25519.Ed25519PrivateKey) else (0x0808,)
        for scheme in ours:
            if scheme in accepted:
                return scheme
        raise SigningError("the server accepts no signature scheme that the client's key can make")

    def sign(self, scheme: int, data: bytes) -> bytes:
        """A signature over `data` under a scheme that `choose_scheme` gave."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            if scheme in _PSS or scheme in _PSS_KEYS:
                digest = (_PSS | _PSS_KEYS)[scheme]
                return self.key.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
            return self.key.sign(data, padding.PKCS1v15(), _DIGESTS[scheme >> 8])
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return self.key.sign(data, ec.ECDSA(_DIGESTS[scheme >> 8]))
        return self.key.sign(data)

    def certificate_verify(self, version: int, accepted: tuple[int, ...], transcript: bytes, hash_name: str) -> bytes:
        """Body of a CertificateVerify (RFC 5246 7.4.8, RFC 8446 4.4.3). Raises `SigningError`."""
        if version < TLS12:
            raise SigningError("client certificates are shown in TLS 1.2 and 1.3 only")
        scheme = self.choose_scheme(version, accepted)
        signed = transcript
        if version >= TLS13:
            digest = hashlib.new(hash_name, transcript).digest()
            signed = b" " * 64 + b"TLS 1.3, client CertificateVerify\0" + digest
        signature = self.sign(scheme, signed)
        return scheme.to_bytes(2, "big") + len(signature).to_bytes(2, "big") + signature


def _holds_pss_key(chain: tuple[bytes, ...]) -> bool:
    """Whether the leaf's key is one of the type RSASSA-PSS, which signs by schemes of its own (RFC 8446 4.2.3)."""
    from asn1crypto import x509 as asn1_x509

    if not chain:
        return False
    try:
        key = asn1_x509.Certificate.load(chain[0])["tbs_certificate"]["subject_public_key_info"]
        return str(key["algorithm"]["algorithm"].native) == "rsassa_pss"
    except (ValueError, TypeError):
        return False


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
