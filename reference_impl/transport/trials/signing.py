"""Signatures of a server whose key may be of any kind, by the scheme asked for (RFC 5246 7.4.3, RFC 8446 4.4.3)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa

from reference_impl.transport import registry
from reference_impl.transport.protection.signing import is_pss_key
from reference_impl.transport.wire import TLS12, TLS13

RSA_PSS_SHA256, RSA_PKCS1_SHA256, RSA_PKCS1_SHA1, ECDSA_SHA256, ECDSA_SHA1 = 0x0804, 0x0401, 0x0201, 0x0403, 0x0203
_PSS_KEY_SCHEMES = (0x0809, 0x080A, 0x080B)
_RSA_SCHEMES = (RSA_PSS_SHA256, 0x0805, 0x0806, RSA_PKCS1_SHA256, 0x0501, 0x0601, RSA_PKCS1_SHA1)
_ECDSA_SCHEMES = (ECDSA_SHA256, 0x0503, 0x0603, ECDSA_SHA1)
_ECDSA_BY_CURVE = {"secp256r1": 0x0403, "secp384r1": 0x0503, "secp521r1": 0x0603}
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "md5": hashes.MD5(),  # noqa: S303 - trials sign with it
    "sha1": hashes.SHA1(),  # noqa: S303
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


def is_ecdsa(key: Any) -> bool:
    """Whether suites of ECDHE_ECDSA go with `key` (elliptic-curve and Edwards keys, RFC 8422 2.2)."""
    return not isinstance(key, rsa.RSAPrivateKey)


def usable_schemes(key: Any, leaf: bytes, version: int) -> tuple[int, ...]:
    """The schemes that `key` signs by under `version`, the best first. `leaf` is the certificate shown (DER)."""
    if isinstance(key, rsa.RSAPrivateKey):
        if is_pss_key(leaf):
            return _PSS_KEY_SCHEMES
        return _RSA_SCHEMES[:3] if version >= TLS13 else _RSA_SCHEMES
    if isinstance(key, ec.EllipticCurvePrivateKey):
        if version >= TLS13:
            return (_ECDSA_BY_CURVE.get(key.curve.name, ECDSA_SHA256),)
        return _ECDSA_SCHEMES
    return (0x0807,) if isinstance(key, ed25519.Ed25519PrivateKey) else (0x0808,)


def choose_scheme(key: Any, leaf: bytes, version: int, offered: Iterable[int]) -> int:
    """The best scheme that the client offers too; the key's best where it offers none of them."""
    usable, wanted = usable_schemes(key, leaf, version), set(offered)
    return next((scheme for scheme in usable if scheme in wanted), usable[0])


def sign(key: Any, scheme: int, data: bytes) -> bytes:
    """Sign `data` by `scheme`, or by the nearest to it that the key can make. Raises ValueError for a foreign key."""
    entry = registry.signature_scheme(scheme)
    digest = _HASHES.get(entry.hash, hashes.SHA256())
    if isinstance(key, rsa.RSAPrivateKey):
        if entry.signature == "rsa-pss":
            return key.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        return key.sign(data, padding.PKCS1v15(), digest)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(digest))
    if isinstance(key, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)):
        return key.sign(data)
    raise ValueError("a key that signs no handshake")


def sign_legacy(key: Any, version: int, scheme: int, data: bytes) -> bytes:
    """Sign a ServerKeyExchange: by `scheme` in TLS 1.2, below it by MD5 with SHA-1, or ECDSA with SHA-1."""
    if version >= TLS12:
        return sign(key, scheme, data)
    if not isinstance(key, rsa.RSAPrivateKey):
        return sign(key, ECDSA_SHA1, data)
    from tlslite.utils.keyfactory import parsePEMKey

    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")
    digest = hashlib.md5(data, usedforsecurity=False).digest() + hashlib.sha1(data, usedforsecurity=False).digest()
    return bytes(parsePEMKey(pem, private=True).sign(bytearray(digest)))  # PKCS #1 type 1 without DigestInfo
