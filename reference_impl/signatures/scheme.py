"""What a signature value says: whether it is the signature over a digest by the key of a certificate (PS3.15 C.1).

C.1 knows RSA with PKCS #1 v1.5 padding alone. That is opened once and compared strictly, octet by octet, with the
DigestInfo of the MAC algorithm; the digest in it tells why a MAC differs. ECDSA and DSA (in DER, as DCMTK writes them)
and RSA-PSS are recognised and said to be outside the profile.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from reference_impl.signatures.algorithms import ALGORITHMS
from reference_impl.signatures.certificates import UnreadableCertificateError, der_of, load_certificate

if TYPE_CHECKING:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

    PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | dsa.DSAPublicKey

RSA, RSA_OTHER, ECDSA, DSA = "rsa-pkcs1-v1.5", "rsa-other", "ecdsa", "dsa"
LARGEST = 8192
"""Octets of a signature value that are looked at."""


@dataclass(frozen=True, slots=True)
class _NoKey:
    problem: str


class SignatureValue:
    """A value of Signature (0400,0120) and the certificate (0400,0115) whose key should have made it.

    `scheme` is what it can be judged as; empty where it cannot, and then `problem` says why. `digest_info` is what the
    key of an RSA certificate opens it to, None where that is nothing: it was not made by this key, or is damaged, or
    is padded in another way.
    """

    def __init__(self, certificate: bytes, value: bytes, *, lenient: bool = False) -> None:
        self.scheme = self.problem = ""
        self.digest_info: bytes | None = None
        self._key: PublicKey | None = None
        self._value = value
        self.lenient = lenient
        key = _key_of(certificate)
        if isinstance(key, _NoKey):
            self.problem = key.problem
        elif len(value) > LARGEST:
            self.problem = f"the signature has {len(value)} octets, more than are looked at"
        else:
            self._key = key
            self._open()

    def fits(self, algorithm: str, digest: bytes) -> bool:
        """Whether this is the signature over `digest`, made by MAC `algorithm` (a defined term of (0400,0015)).

        Says so as well for RSA-PSS, and sets `scheme` to "rsa-other" then: that is no scheme of PS3.15 C.1.
        """
        if self.digest_info is not None:
            if self.lenient and self.digest_info.endswith(digest):
                return True
            return hmac.compare_digest(self.digest_info, ALGORITHMS[algorithm].digest_info(digest))
        if self.scheme in {ECDSA, DSA}:
            return self._fits_elsewhere(digest)
        if self.scheme == RSA_OTHER:
            return self._fits_pss(digest)
        return False

    @property
    def digest_algorithm(self) -> str:
        """The MAC algorithm that the opened value names, empty where it names none that is known."""
        opened = self.digest_info or b""
        for name, algorithm in ALGORITHMS.items():
            if len(opened) > algorithm.octets and opened == algorithm.digest_info(opened[-algorithm.octets :]):
                return name
        return ""

    @property
    def digest(self) -> bytes:
        """The digest in the opened value, empty where there is none of a known algorithm."""
        name = self.digest_algorithm
        return self.digest_info[-ALGORITHMS[name].octets :] if name and self.digest_info is not None else b""

    def _open(self) -> None:
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

        if isinstance(self._key, rsa.RSAPublicKey):
            octets = (self._key.key_size + 7) // 8
            if octets % 2 and len(self._value) == octets + 1 and self._value[-1] == 0:
                self._value = self._value[:-1]  # OB has an even length (PS3.5 7.1.1)
            self.scheme = RSA_OTHER
            try:
                self.digest_info = self._key.recover_data_from_signature(self._value, padding.PKCS1v15(), None)
            except (InvalidSignature, UnsupportedAlgorithm, ValueError):
                return
            self.scheme = RSA if self.digest_algorithm else RSA_OTHER
            return
        self.scheme = ECDSA if isinstance(self._key, ec.EllipticCurvePublicKey) else DSA
        try:
            self._value = der_of(self._value)
        except UnreadableCertificateError as problem:
            self.problem = f"the signature is not encoded as one: {problem}"

    def _fits_elsewhere(self, digest: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric import dsa, ec
        from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

        try:
            if isinstance(self._key, ec.EllipticCurvePublicKey):
                self._key.verify(self._value, digest, ec.ECDSA(Prehashed(_of_size(len(digest)))))
            elif isinstance(self._key, dsa.DSAPublicKey):
                self._key.verify(self._value, digest, Prehashed(_of_size(len(digest))))
            else:
                return False
        except (InvalidSignature, UnsupportedAlgorithm, ValueError):
            return False
        return True

    def _fits_pss(self, digest: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
        from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

        if not isinstance(self._key, rsa.RSAPublicKey):
            return False
        chosen = _of_size(len(digest))
        try:
            padded = padding.PSS(padding.MGF1(chosen), padding.PSS.AUTO)
            self._key.verify(self._value, digest, padded, Prehashed(chosen))
        except (InvalidSignature, UnsupportedAlgorithm, ValueError):
            return False
        return True


def _of_size(size: int) -> hashes.HashAlgorithm:
    """An algorithm with digests of that size: DSA and ECDSA take the digest alone, whatever it was made by."""
    from cryptography.hazmat.primitives import hashes

    known: dict[int, Callable[[], hashes.HashAlgorithm]] = {
        16: hashes.MD5,
        20: hashes.SHA1,
        32: hashes.SHA256,
        48: hashes.SHA384,
        64: hashes.SHA512,
    }
    return known[size]()


@lru_cache(maxsize=256)
def _key_of(certificate: bytes) -> PublicKey | _NoKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

    try:
        key = load_certificate(certificate).public_key()
    except UnreadableCertificateError as problem:
        return _NoKey(f"the certificate cannot be read: {problem}")
    except (UnsupportedAlgorithm, ValueError) as problem:
        return _NoKey(f"the key of the certificate cannot be used: {problem}")
    if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | dsa.DSAPublicKey):
        return key
    return _NoKey("the key of the certificate is of a kind that makes no DICOM signatures")
