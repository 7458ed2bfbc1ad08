"""Signatures of a TLS handshake by scheme: made with our key, checked with the peer's (RFC 8446 4.2.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.x509.oid import PublicKeyAlgorithmOID

from reference_impl.transport.wire import TLS12, TLS13

SigningKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey

_HASH_OF_OCTET: dict[int, hashes.HashAlgorithm] = {
    1: hashes.MD5(),  # noqa: S303 - known, so that a deviating client can accept it
    2: hashes.SHA1(),  # noqa: S303
    3: hashes.SHA224(),
    4: hashes.SHA256(),
    5: hashes.SHA384(),
    6: hashes.SHA512(),
}
_RSA_PSS = {  # rsa_pss_rsae_* for keys named rsaEncryption, rsa_pss_pss_* for keys named RSASSA-PSS
    0x0804: hashes.SHA256(),
    0x0805: hashes.SHA384(),
    0x0806: hashes.SHA512(),
    0x0809: hashes.SHA256(),
    0x080A: hashes.SHA384(),
    0x080B: hashes.SHA512(),
}
_RSAE, _PSS = (0x0804, 0x0805, 0x0806), (0x0809, 0x080A, 0x080B)
RSA_MD5 = 0x0101
_PKCS1 = (0x0401, 0x0501, 0x0601, 0x0301, 0x0201, RSA_MD5)
_ECDSA = (0x0403, 0x0503, 0x0603, 0x0303, 0x0203)
_CURVE_OF_SCHEME = {0x0403: "secp256r1", 0x0503: "secp384r1", 0x0603: "secp521r1"}
_ED25519, _ED448 = 0x0807, 0x0808


def schemes_of(key: PublicKey, version: int, *, pss_only: bool = False) -> tuple[int, ...]:
    """The schemes that fit `key` in `version`, in our order. `pss_only`: the key's certificate names RSASSA-PSS."""
    if isinstance(key, rsa.RSAPublicKey):
        if pss_only:
            return _PSS
        return _RSAE if version >= TLS13 else (*_RSAE, *_PKCS1)
    if isinstance(key, ec.EllipticCurvePublicKey):
        if version < TLS13:
            return _ECDSA
        return tuple(scheme for scheme, name in _CURVE_OF_SCHEME.items() if name == key.curve.name)
    return (_ED25519,) if isinstance(key, ed25519.Ed25519PublicKey) else (_ED448,)


def is_pss_only(certificate: x509.Certificate) -> bool:
    """Whether the certificate's key is named RSASSA-PSS, so that it signs by rsa_pss_pss_* alone."""
    return certificate.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS


def is_pss_key(leaf: bytes) -> bool:
    """As `is_pss_only`, of a certificate (DER) that may be too odd to be parsed as a whole."""
    from asn1crypto import x509 as asn1  # late: only peers' own, odd certificates need it

    try:
        algorithm = asn1.Certificate.load(leaf)["tbs_certificate"]["subject_public_key_info"]["algorithm"]
        return str(algorithm["algorithm"].dotted) == PublicKeyAlgorithmOID.RSASSA_PSS.dotted_string
    except (ValueError, TypeError, KeyError):
        return False


def choose_scheme(key: SigningKey, version: int, accepted: Iterable[int]) -> int | None:
    """The first scheme of ours that the peer accepts, None if there is none."""
    theirs = set(accepted)
    return next((scheme for scheme in schemes_of(key.public_key(), version) if scheme in theirs), None)


def sign(key: SigningKey, scheme: int, data: bytes) -> bytes:
    """A signature over `data` under a scheme that `choose_scheme` gave."""
    if isinstance(key, rsa.RSAPrivateKey):
        if scheme in _RSA_PSS:
            digest = _RSA_PSS[scheme]
            return key.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        return key.sign(data, padding.PKCS1v15(), _HASH_OF_OCTET[scheme >> 8])
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(_HASH_OF_OCTET[scheme >> 8]))
    return key.sign(data)


def signed_content(side: Literal["client", "server"], transcript_hash: bytes) -> bytes:
    """What the CertificateVerify of a `side` covers in TLS 1.3 (RFC 8446 4.4.3)."""
    return b" " * 64 + f"TLS 1.3, {side} CertificateVerify".encode("ascii") + b"\0" + transcript_hash


def is_signed(key: PublicKey, scheme: int, signature: bytes, data: bytes) -> bool:
    """Whether `signature` over `data` is good under `scheme`; False also where `scheme` does not suit `key`."""
    try:
        _check(key, scheme, signature, data)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, KeyError):
        return False
    return True


def _check(key: PublicKey, scheme: int, signature: bytes, data: bytes) -> None:
    if scheme not in schemes_of(key, TLS12) and not (scheme in _PSS and isinstance(key, rsa.RSAPublicKey)):
        raise ValueError("the scheme does not suit the key")
    if isinstance(key, rsa.RSAPublicKey):
        if scheme in _RSA_PSS:
            digest = _RSA_PSS[scheme]
            key.verify(signature, data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        else:
            key.verify(signature, data, padding.PKCS1v15(), _HASH_OF_OCTET[scheme >> 8])
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, data, ec.ECDSA(_HASH_OF_OCTET[scheme >> 8]))
    else:
        key.verify(signature, data)
