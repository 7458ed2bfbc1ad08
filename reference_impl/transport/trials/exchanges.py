"""Ephemeral keys of the trials' server, weak ones too."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from reference_impl.transport.protection.keys import FiniteField, KeyAgreementError, KeyPair, key_pair

P_192, P_224 = 0x0013, 0x0015
_WEAK_CURVES: dict[int, ec.EllipticCurve] = {P_192: ec.SECP192R1(), P_224: ec.SECP224R1()}


class WeakCurve:
    """A key pair on a curve of less than 256 bits."""

    def __init__(self, curve: ec.EllipticCurve) -> None:
        self._curve = curve
        self._private = ec.generate_private_key(curve)
        self.public = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def agree(self, peer: bytes) -> bytes:
        """The shared secret. Raises `KeyAgreementError`."""
        try:
            return self._private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(self._curve, peer))
        except ValueError as error:
            raise KeyAgreementError(str(error) or "the public value is no point of the curve") from error


def ephemeral(group: int) -> KeyPair:
    """A fresh key pair of an IANA group, P-192 and P-224 included. Raises `KeyAgreementError`."""
    if group in _WEAK_CURVES:
        return WeakCurve(_WEAK_CURVES[group])
    return key_pair(group)


def finite_field(bits: int) -> tuple[FiniteField, bytes, bytes]:
    """A fresh key pair of a group of 1024 (RFC 2409) or 2048 (RFC 7919) bits for TLS 1.2, its prime and generator."""
    from tlslite.mathtls import RFC2409_GROUP2, RFC7919_GROUPS  # a tenth of a second, which few trials need

    generator, prime = {1024: RFC2409_GROUP2, 2048: RFC7919_GROUPS[0]}[bits]
    pair = FiniteField(int(prime), int(generator), padded=False)
    return pair, int(prime).to_bytes(bits // 8, "big"), bytes([int(generator)])
