"""Who signs: a private key, its certificate, and the signature value over a digest (PS3.15 C.1, PKCS #1 v1.5).

RSA with each of the six MAC algorithms is what C.1 asks for. ECDSA and DSA (DER, as DCMTK writes them) and the other
encodings exist to make and to judge what deviates; `Signer.scheme` tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from reference_impl.signatures.algorithms import ALGORITHMS

LEAST_RSA_BITS = 2048
"""RSA keys below this are not used to sign unless that is asked for; PS3.15 C.1 itself names no size."""

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey
Padding = Literal["pkcs1-v1.5", "pss", "other-digest-info"]

_HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "MD5": hashes.MD5,
    "SHA1": hashes.SHA1,
    "SHA256": hashes.SHA256,
    "SHA384": hashes.SHA384,
    "SHA512": hashes.SHA512,
}
_OTHER_OF_SAME_SIZE: dict[int, Callable[[], hashes.HashAlgorithm]] = {
    32: hashes.SHA3_256,
    48: hashes.SHA3_384,
    64: hashes.SHA3_512,
}
_MOST_OCTETS = 1 << 20


class SigningError(Exception):
    """Something cannot be signed as ordered: one sentence with the remedy."""


@dataclass(frozen=True)
class Signer:
    """A private key and its certificate (DER)."""

    key: PrivateKey
    certificate: bytes

    @property
    def scheme(self) -> Literal["rsa-pkcs1-v1.5", "ecdsa", "dsa"]:
        """The signature scheme of the key; anything but RSA is outside PS3.15 C.1."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            return "rsa-pkcs1-v1.5"
        return "ecdsa" if isinstance(self.key, ec.EllipticCurvePrivateKey) else "dsa"

    @property
    def is_weak(self) -> bool:
        """Whether this is an RSA key of fewer than 2048 bits."""
        return isinstance(self.key, rsa.RSAPrivateKey) and self.key.key_size < LEAST_RSA_BITS

    @property
    def length(self) -> int | None:
        """Octets of a signature, None where they differ from one to the next."""
        return (self.key.key_size + 7) // 8 if isinstance(self.key, rsa.RSAPrivateKey) else None

    def sign(self, algorithm: str, digest: bytes, encoding: Padding = "pkcs1-v1.5") -> bytes:
        """Return the signature over `digest`, which `algorithm` (a defined term of (0400,0015)) made.

        RSA: as many octets as the modulus. ECDSA, DSA: DER. Raises `SigningError` where the key is too short for it.
        """
        try:
            if isinstance(self.key, ec.EllipticCurvePrivateKey):
                return self.key.sign(digest, ec.ECDSA(Prehashed(_hash_for(algorithm))))
            if isinstance(self.key, dsa.DSAPrivateKey):
                return self.key.sign(digest, Prehashed(_hash_for(algorithm)))
            return self._sign_rsa(self.key, algorithm, digest, encoding)
        except (ValueError, TypeError, UnsupportedAlgorithm) as problem:
            raise SigningError(f"the key cannot sign a {algorithm} digest ({problem}); use a longer RSA key") from None

    def _sign_rsa(self, key: rsa.RSAPrivateKey, algorithm: str, digest: bytes, encoding: Padding) -> bytes:
        if encoding == "pss":
            chosen = _hash_for(algorithm)
            return key.sign(digest, padding.PSS(padding.MGF1(chosen), len(digest)), Prehashed(chosen))
        if encoding == "other-digest-info":
            if len(digest) not in _OTHER_OF_SAME_SIZE:
                raise SigningError(f"no other algorithm makes digests of the size of {algorithm}'s; use SHA256")
            return key.sign(digest, padding.PKCS1v15(), Prehashed(_OTHER_OF_SAME_SIZE[len(digest)]()))
        if algorithm == "RIPEMD160":
            return _Ripemd160Scheme(key).sign(_Ripemd160Digest(digest))
        hashed = Prehashed(_HASHES[algorithm]())
        value = key.sign(digest, padding.PKCS1v15(), hashed)
        try:
            key.public_key().verify(value, digest, padding.PKCS1v15(), hashed)
        except InvalidSignature:
            raise SigningError("the RSA key is damaged: what it signs does not verify; use another") from None
        return value


class _Ripemd160Digest:
    """What PKCS #1 v1.5 needs to know of a digest: the object identifier of its algorithm, and its octets."""

    oid = ALGORITHMS["RIPEMD160"].oid

    def __init__(self, digest: bytes) -> None:
        self._digest = digest

    def digest(self) -> bytes:
        return self._digest


class _Ripemd160Scheme:
    """RSA with RIPEMD160, which OpenSSL's bindings of cryptography do not offer."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        from Crypto.PublicKey import RSA
        from Crypto.Signature import pkcs1_15

        numbers = key.private_numbers()
        public = numbers.public_numbers
        parts = (public.n, public.e, numbers.d, numbers.p, numbers.q)
        # whether the primes are prime takes seconds to find out; what is signed is checked
        self._scheme = pkcs1_15.new(RSA.construct(parts, consistency_check=False))

    def sign(self, digest: _Ripemd160Digest) -> bytes:
        return self._scheme.sign(digest)


def _hash_for(algorithm: str) -> hashes.HashAlgorithm:
    """The hash as the schemes see it that take nothing but the digest: there SHA1 stands for RIPEMD160 of its size."""
    return _HASHES["SHA1" if algorithm == "RIPEMD160" else algorithm]()


def load_signer(key: Path, certificate: Path, password: bytes | None = None) -> Signer:
    """Read a private key (PEM or DER, PKCS #8 or traditional) and its certificate (PEM or DER, others may be with it).

    Raises `SigningError` where a file is not what it should be, or the two do not belong together.
    """
    loaded = _load_key(key, password)
    wanted = _public_octets(loaded.public_key())
    found = next((each for each in _load_certificates(certificate) if _has_key(each, wanted)), None)
    if found is None:
        raise SigningError(f"{key} is not the key of a certificate in {certificate}; name a pair that belongs together")
    return Signer(loaded, found.public_bytes(serialization.Encoding.DER))


def _load_key(path: Path, password: bytes | None) -> PrivateKey:
    """Read a private key. Whether primes are prime is not asked, which takes long: what a key signs is checked."""
    octets = _read(path)
    load = serialization.load_pem_private_key if b"-----BEGIN" in octets else serialization.load_der_private_key
    try:
        try:
            key = load(octets, password, unsafe_skip_rsa_key_validation=True)
        except TypeError:
            if password is None:
                raise SigningError(f"{path}: the key is encrypted; give its password") from None
            # a password that is not needed does no harm
            key = load(octets, None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, UnsupportedAlgorithm):
        hint = "check its password" if password is not None else "name a private key in PEM or DER"
        raise SigningError(f"{path}: holds no private key that can be read; {hint}") from None
    if not isinstance(key, PrivateKey):
        raise SigningError(f"{path}: DICOM signatures are made with RSA; name an RSA key")
    return key


def _load_certificates(path: Path) -> list[x509.Certificate]:
    octets = _read(path)
    try:
        if b"-----BEGIN" in octets:
            return x509.load_pem_x509_certificates(octets)
        return [x509.load_der_x509_certificate(octets)]
    except ValueError:
        raise SigningError(f"{path}: holds no certificate that can be read; name one in PEM or DER") from None


def _has_key(certificate: x509.Certificate, public_octets: bytes) -> bool:
    try:
        return _public_octets(certificate.public_key()) == public_octets
    except (ValueError, UnsupportedAlgorithm):
        return False


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MOST_OCTETS:
            raise SigningError(f"{path}: is too large for a key or certificate; name another file")
        return path.read_bytes()
    except OSError as problem:
        raise SigningError(f"{path}: cannot be read: {problem.strerror}; name another file") from None


def _public_octets(key: object) -> bytes:
    octets: bytes = key.public_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return octets
