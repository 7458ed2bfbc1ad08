"""Record protection that deviates: nonces out of order or repeated, integrity that nobody checks."""

from __future__ import annotations

import os

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from reference_impl.transport.protection.records import (
    DirectionKeys,
    KeyShape,
    ProtectionError,
    RecordProtection,
    protection,
)
from reference_impl.transport.wire import TLS12, TLS13, Record, encode_record

_TAG, _EXPLICIT, _INNER_TYPE = 16, 8, 1


class _NumberedAtWill(RecordProtection):
    """AES-GCM of TLS 1.2 whose explicit nonces are made by `number`."""

    def __init__(self, keys: DirectionKeys, *, repeated: bool) -> None:
        super().__init__()
        self._aead = AESGCM(keys.key)
        self._iv = keys.iv
        self._repeated = os.urandom(_EXPLICIT) if repeated else b""

    def seal(self, content_type: int, payload: bytes, *, corrupt: bool = False) -> bytes:
        """See `RecordProtection.seal`."""
        explicit = self._repeated or os.urandom(_EXPLICIT)
        associated = self._next() + bytes((content_type, 3, 3)) + len(payload).to_bytes(2, "big")
        sealed = self._aead.encrypt(self._iv + explicit, payload, associated)
        del corrupt
        return encode_record(content_type, explicit + sealed, TLS12)

    def open(self, record: Record) -> tuple[int, bytes]:
        """Never asked for: this is the direction of sending."""
        del record
        raise ProtectionError("this direction is not read")


def numbered_at_random(shape: KeyShape, version: int, keys: DirectionKeys) -> RecordProtection:
    """Random explicit nonces (TLS 1.2 with AES-GCM; other suites as they should be)."""
    if version != TLS12 or shape.suite.mode != "GCM":
        return protection(shape, version, keys)
    return _NumberedAtWill(keys, repeated=False)


def numbered_alike(shape: KeyShape, version: int, keys: DirectionKeys) -> RecordProtection:
    """One explicit nonce for every record (TLS 1.2 with AES-GCM; other suites as they should be)."""
    if version != TLS12 or shape.suite.mode != "GCM":
        return protection(shape, version, keys)
    return _NumberedAtWill(keys, repeated=True)


class _Unchecked(RecordProtection):
    """AES-GCM that decrypts and does not authenticate: GCM encrypts in counter mode from 2 on (SP 800-38D 7.1)."""

    def __init__(self, version: int, keys: DirectionKeys) -> None:
        super().__init__()
        self._version = version
        self._keys = keys

    def seal(self, content_type: int, payload: bytes, *, corrupt: bool = False) -> bytes:
        """Never asked for: this is the direction of receiving."""
        del content_type, payload, corrupt
        raise ProtectionError("this direction is not written")

    def open(self, record: Record) -> tuple[int, bytes]:
        """See `RecordProtection.open`; what was changed on the way is not noticed."""
        sequence, iv, sealed = self._next(), self._keys.iv, record.payload
        if self._version >= TLS13:
            nonce = bytes(a ^ b for a, b in zip(iv, bytes(4) + sequence, strict=True))
        else:
            nonce, sealed = iv + sealed[:_EXPLICIT], sealed[_EXPLICIT:]
        if len(sealed) < _TAG:
            raise ProtectionError("a protected record is too short")
        counter = Cipher(algorithms.AES(self._keys.key), modes.CTR(nonce + b"\0\0\0\2")).decryptor()
        plain = counter.update(sealed[:-_TAG]) + counter.finalize()
        if self._version < TLS13:
            return record.content_type, plain
        plain = plain.rstrip(b"\0")
        if not plain:
            raise ProtectionError("a record without a type")
        return plain[-_INNER_TYPE], plain[:-_INNER_TYPE]


def unchecked(shape: KeyShape, version: int, keys: DirectionKeys) -> RecordProtection:
    """AES-GCM without its integrity check; other suites as they should be."""
    if shape.suite.mode != "GCM" or version < TLS12:
        return protection(shape, version, keys)
    return _Unchecked(version, keys)
