"""Key agreement and key schedules of TLS over `cryptography` (RFC 5246 5, 6.3, 8.1; RFC 8446 7.1)."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, x448, x25519
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from reference_impl.transport.protection.records import DirectionKeys, KeyShape
from reference_impl.transport.wire.codes import TLS12

X25519, X448, P256, P384, P521 = 0x001D, 0x001E, 0x0017, 0x0018, 0x0019
_CURVES: dict[int, ec.EllipticCurve] = {
    0x0016: ec.SECP256K1(),
    P256: ec.SECP256R1(),
    P384: ec.SECP384R1(),
    P521: ec.SECP521R1(),
    0x001A: ec.BrainpoolP256R1(),
    0x001B: ec.BrainpoolP384R1(),
    0x001C: ec.BrainpoolP512R1(),
    0x001F: ec.BrainpoolP256R1(),
    0x0020: ec.BrainpoolP384R1(),
    0x0021: ec.BrainpoolP512R1(),
}
_FFDHE = {0x0100: "FFDHE2048", 0x0101: "FFDHE3072", 0x0102: "FFDHE4096", 0x0103: "FFDHE6144", 0x0104: "FFDHE8192"}
GROUPS_TLS12 = (X25519, P256, P384, P521, X448, 0x0016, 0x001A, 0x001B, 0x001C)
GROUPS_TLS13 = (X25519, P256, P384, P521, X448, *_FFDHE, 0x001F, 0x0020, 0x0021)
_HASHES: dict[str, hashes.HashAlgorithm] = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384()}
MAX_DH_BITS = 8192
MIN_DH_BITS = 512


class KeyAgreementError(ValueError):
    """A peer's public value is unusable, or a group is one that this machine's library cannot compute."""


class KeyPair(Protocol):
    """Our half of a key agreement."""

    @property
    def public(self) -> bytes:
        """Our public value in the encoding of TLS."""

    def agree(self, peer: bytes) -> bytes:
        """The shared secret. Raises `KeyAgreementError`."""


class _Edwards:
    def __init__(self, kind: Any) -> None:
        private, self._peer = kind
        self._private = private.generate()
        self.public: bytes = self._private.public_key().public_bytes_raw()

    def agree(self, peer: bytes) -> bytes:
        try:
            shared: bytes = self._private.exchange(self._peer.from_public_bytes(peer))
        except ValueError as error:
            raise KeyAgreementError(str(error) or "the public value is no point of the curve") from error
        return shared


class _Weierstrass:
    def __init__(self, curve: ec.EllipticCurve) -> None:
        self._curve = curve
        try:
            self._private = ec.generate_private_key(curve)
        except Exception as error:  # an unsupported curve is told by several types
            raise KeyAgreementError(f"{curve.name} is not available on this machine") from error
        self.public = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def agree(self, peer: bytes) -> bytes:
        try:
            point = ec.EllipticCurvePublicKey.from_encoded_point(self._curve, peer)
            return self._private.exchange(ec.ECDH(), point)
        except ValueError as error:
            raise KeyAgreementError(str(error) or "the public value is no point of the curve") from error


class FiniteField:
    """Diffie-Hellman over a prime field; `padded`: the secret keeps leading zero octets (TLS 1.3).

    tlslite-ng computes it: `cryptography` first proves a prime that it does not know, half a second for 2048 bits.
    """

    def __init__(self, prime: int, generator: int, *, padded: bool) -> None:
        if not MIN_DH_BITS <= prime.bit_length() <= MAX_DH_BITS or not prime & 1:
            raise KeyAgreementError(f"a prime of {prime.bit_length()} bits is not computed here")
        from tlslite.errors import TLSIllegalParameterException
        from tlslite.keyexchange import FFDHKeyExchange

        self._illegal: type[Exception] = TLSIllegalParameterException
        self._octets = (prime.bit_length() + 7) // 8
        self._padded = padded
        try:
            self._exchange = FFDHKeyExchange(None, (3, 3), generator, prime)
            self._private = self._exchange.get_random_private_key()
            value = int(self._exchange.calc_public_value(self._private))
        except TLSIllegalParameterException as error:
            raise KeyAgreementError(str(error)) from error
        self.public = value.to_bytes(self._octets, "big")

    def agree(self, peer: bytes) -> bytes:
        """See `KeyPair.agree`."""
        try:
            shared = bytes(self._exchange.calc_shared_key(self._private, int.from_bytes(peer, "big"))).lstrip(b"\0")
        except self._illegal as error:
            raise KeyAgreementError(str(error)) from error
        return shared.rjust(self._octets, b"\0") if self._padded else shared


def key_pair(group: int) -> KeyPair:
    """A fresh key pair of an IANA group. Raises `KeyAgreementError` for a group that cannot be computed here."""
    if group == X25519:
        return _Edwards((x25519.X25519PrivateKey, x25519.X25519PublicKey))
    if group == X448:
        return _Edwards((x448.X448PrivateKey, x448.X448PublicKey))
    if group in _CURVES:
        return _Weierstrass(_CURVES[group])
    if group in _FFDHE:
        from tlslite import mathtls

        generator, prime = getattr(mathtls, _FFDHE[group])
        return FiniteField(int(prime), int(generator), padded=True)
    raise KeyAgreementError(f"group 0x{group:04X} is not computed here")


def _p_hash(name: str, secret: bytes, seed: bytes, octets: int) -> bytes:
    out, link = b"", seed
    while len(out) < octets:
        link = hmac.digest(secret, link, name)
        out += hmac.digest(secret, link + seed, name)
    return out[:octets]


def prf(version: int, hash_name: str, secret: bytes, label: bytes, *, seed: bytes, octets: int) -> bytes:
    """The pseudorandom function of TLS 1.0 to 1.2 (RFC 2246 5, RFC 5246 5)."""
    if version >= TLS12:
        return _p_hash(hash_name, secret, label + seed, octets)
    half = (len(secret) + 1) // 2
    left = _p_hash("md5", secret[:half], label + seed, octets)
    right = _p_hash("sha1", secret[-half:], label + seed, octets)
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def transcript_hash(version: int, hash_name: str, transcript: bytes) -> bytes:
    """Hash of the handshake messages: that of the suite, or MD5 and SHA-1 below TLS 1.2."""
    if version >= TLS12:
        return hashlib.new(hash_name, transcript).digest()
    md5 = hashlib.md5(transcript, usedforsecurity=False)
    return md5.digest() + hashlib.sha1(transcript, usedforsecurity=False).digest()


def legacy_keys(
    version: int, shape: KeyShape, master: bytes, client_random: bytes, server_random: bytes
) -> tuple[DirectionKeys, DirectionKeys]:
    """Keys of the client's and the server's direction (RFC 5246 6.3)."""
    # Explicit-IV CBC takes no IV from the key block; TLS 1.0 does.
    fixed_iv = shape.fixed_iv if shape.tag or version < TLS12 - 1 else 0
    octets = 2 * (shape.mac + shape.key + fixed_iv)
    block = prf(version, shape.prf_hash, master, b"key expansion", seed=server_random + client_random, octets=octets)
    parts: list[bytes] = []
    for length in (shape.mac, shape.mac, shape.key, shape.key, fixed_iv, fixed_iv):
        parts.append(block[:length])
        block = block[length:]
    return DirectionKeys(parts[0], parts[2], parts[4]), DirectionKeys(parts[1], parts[3], parts[5])


def expand_label(hash_name: str, secret: bytes, label: str, context: bytes, octets: int) -> bytes:
    """HKDF-Expand-Label (RFC 8446 7.1)."""
    name = b"tls13 " + label.encode("ascii")
    info = octets.to_bytes(2, "big") + bytes((len(name),)) + name + bytes((len(context),)) + context
    return HKDFExpand(_HASHES[hash_name], octets, info).derive(secret)


@cache
def _empty_hash(hash_name: str) -> bytes:
    return hashlib.new(hash_name, b"").digest()


def extract(hash_name: str, salt: bytes, keying_material: bytes) -> bytes:
    """HKDF-Extract (RFC 5869 2.2)."""
    return hmac.digest(salt, keying_material, hash_name)


@dataclass
class Schedule13:
    """The key schedule of TLS 1.3 under one hash (RFC 8446 7.1)."""

    hash_name: str
    psk: bytes = b""

    def __post_init__(self) -> None:
        self.octets = hashlib.new(self.hash_name).digest_size
        self._secret = extract(self.hash_name, bytes(self.octets), self.psk or bytes(self.octets))

    def _derive(self, label: str, digest: bytes) -> bytes:
        return expand_label(self.hash_name, self._secret, label, digest, self.octets)

    def advance(self, keying_material: bytes = b"") -> None:
        """Go on to the handshake secret (with the shared secret) or the master secret (without)."""
        salt = self._derive("derived", _empty_hash(self.hash_name))
        self._secret = extract(self.hash_name, salt, keying_material or bytes(self.octets))

    def secret(self, label: str, transcript: bytes) -> bytes:
        """Derive-Secret of the present stage over the handshake messages in `transcript`."""
        return self._derive(label, hashlib.new(self.hash_name, transcript).digest())

    def traffic_keys(self, shape: KeyShape, secret: bytes) -> DirectionKeys:
        """Key and IV of a traffic secret (RFC 8446 7.3)."""
        key = expand_label(self.hash_name, secret, "key", b"", shape.key)
        return DirectionKeys(b"", key, expand_label(self.hash_name, secret, "iv", b"", shape.fixed_iv))

    def finished(self, base: bytes, transcript: bytes) -> bytes:
        """verify_data of a Finished or a binder under `base` (RFC 8446 4.4.4)."""
        key = expand_label(self.hash_name, base, "finished", b"", self.octets)
        return hmac.digest(key, hashlib.new(self.hash_name, transcript).digest(), self.hash_name)
