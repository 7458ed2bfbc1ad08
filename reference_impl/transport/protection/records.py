"""Record protection of TLS 1.0 to 1.3 for the suites that are spoken here, sans-I/O.

The ciphers are those of `cryptography`; what stands here is how TLS frames them (RFC 5246 6.2.3, RFC 7366,
RFC 7905, RFC 6655, RFC 8446 5.2). Every `seal` can break the integrity check value on purpose.
"""

from __future__ import annotations

import hmac
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4, TripleDES
from cryptography.hazmat.primitives.ciphers import (
    AEADDecryptionContext,
    AEADEncryptionContext,
    Cipher,
    CipherContext,
    algorithms,
    modes,
)
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305

from reference_impl.transport.registry import CipherSuite, suite
from reference_impl.transport.wire.codes import TLS10, TLS12, TLS13, ContentType
from reference_impl.transport.wire.records import Record, encode_record

_BLOCKS = {"AES": 16, "CAMELLIA": 16, "3DES": 8}
_TAGS = {"GCM": 16, "CCM": 16, "CCM_8": 8, "POLY1305": 16}
_MACS = {"MD5": 16, "SHA1": 20, "SHA256": 32, "SHA384": 48}
_MASK_64 = (1 << 64) - 1


class ProtectionError(ValueError):
    """A record of the peer cannot be opened: wrong tag, MAC, padding or length."""


@dataclass(frozen=True, slots=True)
class KeyShape:
    """How much key material a suite takes in each direction, in octets."""

    suite: CipherSuite
    mac: int
    key: int
    fixed_iv: int
    tag: int = 0
    block: int = 0

    @property
    def prf_hash(self) -> str:
        """hashlib name of the hash of the PRF of TLS 1.2 and of the key schedule of TLS 1.3."""
        return "sha384" if self.suite.hash == "SHA384" else "sha256"


def key_shape(code: int) -> KeyShape | None:
    """What protection under this suite takes, None where a session cannot speak it."""
    entry = suite(code)
    if entry.export or entry.signalling:
        return None
    octets = entry.strength_bits // 8
    if entry.aead and entry.mode in _TAGS and entry.cipher in {"AES", "CHACHA20"}:
        fixed = 12 if entry.cipher == "CHACHA20" or entry.versions == "tls1.3" else 4
        return KeyShape(entry, 0, octets, fixed, tag=_TAGS[entry.mode])
    mac = _MACS.get(entry.mac)
    if mac is None or entry.versions == "tls1.3":
        return None
    if entry.mode == "CBC" and entry.cipher in _BLOCKS:
        block = _BLOCKS[entry.cipher]
        return KeyShape(entry, mac, 24 if entry.cipher == "3DES" else octets, block, block=block)
    if entry.cipher == "RC4" or (entry.cipher == "NULL" and entry.mac != "NULL"):
        return KeyShape(entry, mac, octets, 0)
    return None


class RecordProtection(ABC):
    """One direction of one connection under one set of keys."""

    def __init__(self) -> None:
        self.sequence = 0

    def _next(self) -> bytes:
        number = self.sequence.to_bytes(8, "big")
        self.sequence = (self.sequence + 1) & _MASK_64
        return number

    @abstractmethod
    def seal(self, content_type: int, payload: bytes, *, corrupt: bool = False) -> bytes:
        """The record on the wire. `corrupt`: one bit of its integrity check value is wrong."""

    @abstractmethod
    def open(self, record: Record) -> tuple[int, bytes]:
        """Content type and plaintext of a record of the peer. Raises `ProtectionError`."""


class _Aead(Protocol):
    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes: ...


def _aead(shape: KeyShape, key: bytes) -> _Aead:
    if shape.suite.mode == "GCM":
        return AESGCM(key)
    if shape.suite.mode == "POLY1305":
        return ChaCha20Poly1305(key)
    return AESCCM(key, tag_length=shape.tag)


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")


def _flip_last_bit(data: bytes) -> bytes:
    return data[:-1] + bytes((data[-1] ^ 1,))


class Aead13(RecordProtection):
    """TLS 1.3 (RFC 8446 5.2): the content type travels inside, the nonce is the sequence number under the IV."""

    def __init__(self, shape: KeyShape, key: bytes, iv: bytes) -> None:
        super().__init__()
        self._aead = _aead(shape, key)
        self._iv = iv
        self._tag = shape.tag

    def _nonce(self) -> bytes:
        return _xor(self._iv, bytes(4) + self._next())

    def seal(self, content_type: int, payload: bytes, *, corrupt: bool = False) -> bytes:
        """See `RecordProtection.seal`."""
        inner = payload + bytes((content_type,))
        header = bytes((ContentType.APPLICATION_DATA, 3, 3))
        header += (len(inner) + self._tag).to_bytes(2, "big")
        sealed = self._aead.encrypt(self._nonce(), inner, header)
        return header + (_flip_last_bit(sealed) if corrupt else sealed)

    def open(self, record: Record) -> tuple[int, bytes]:
        """See `RecordProtection.open`."""
        header = bytes((record.content_type,)) + record.version.to_bytes(2, "big")
        header += len(record.payload).to_bytes(2, "big")
        try:
            inner = self._aead.decrypt(self._nonce(), record.payload, header)
        except (InvalidTag, ValueError) as error:
            raise ProtectionError("a TLS 1.3 record does not decrypt") from error
        content = inner.rstrip(b"\0")
        if not content:
            raise ProtectionError("a TLS 1.3 record without a content type")
        return content[-1], content[:-1]


class Aead12(RecordProtection):
    """AEAD suites of TLS 1.2 (RFC 5288, 6655, 7905)."""

    def __init__(self, shape: KeyShape, key: bytes, iv: bytes) -> None:
        super().__init__()
        self._aead = _aead(shape, key)
        self._iv = iv
        self._explicit = 8 if len(iv) == 4 else 0
        self._overhead = self._explicit + shape.tag

    def _nonce(self, sequence: bytes, explicit: bytes) -> bytes:
        return self._iv + explicit if self._explicit else _xor(self._iv, bytes(4) + sequence)

    def seal(self, content_type: int, payload: bytes, *, corrupt: bool = False) -> bytes:
        """See `RecordProtection.seal`."""
        sequence = self._next()
        explicit = sequence if self._explicit else b""
        associated = sequence + bytes((content_type, 3, 3)) + len(payload).to_bytes(2, "big")
        sealed = self._aead.encrypt(self._nonce(sequence, explicit), payload, associated)
        return encode_record(content_type, explicit + (_flip_last_bit(sealed) if corrupt else sealed), TLS12)

    def open(self, record: Record) -> tuple[int, bytes]:
        """See `RecordProtection.open`."""
        sequence = self._next()
        length = len(record.payload) - self._overhead
        if length < 0:
            raise ProtectionError("a protected record is too short")
        explicit, sealed = record.payload[: self._explicit], record.payload[self._explicit :]
        associated = sequence + bytes((record.content_type, 3, 3)) + length.to_bytes(2, "big")
        try:
            return record.content_type, self._aead.decrypt(self._nonce(sequence, explicit), sealed, associated)
        except (InvalidTag, ValueError) as error:
            raise ProtectionError("a protected record does not decrypt") from error


class MacAndCipher(RecordProtection):
    """HMAC with a block cipher in CBC mode, a stream cipher, or none (TLS 1.0 to 1.2, RFC 7366)."""

    def __init__(
        self, shape: KeyShape, version: int, mac_key: bytes, key: bytes, iv: bytes, *, encrypt_then_mac: bool = False
    ) -> None:
        super().__init__()
        self._shape = shape
        self._version = version
        self._mac_key = mac_key
        self._key = key
        self._chained_iv = iv if version == TLS10 else b""
        self._encrypt_then_mac = encrypt_then_mac and shape.block > 0
        self._stream = Cipher(ARC4(key), mode=None) if shape.suite.cipher == "RC4" else None
        self._stream_context: CipherContext | AEADEncryptionContext | AEADDecryptionContext | None = None

    def _mac(self, sequence: bytes, content_type: int, data: bytes) -> bytes:
        header = sequence + bytes((content_type,)) + self._version.to_bytes(2, "big") + len(data).to_bytes(2, "big")
        return hmac.digest(self._mac_key, header + data, self._shape.suite.mac.lower())

    def _cipher(self, iv: bytes) -> Cipher[modes.CBC]:
        name = self._shape.suite.cipher
        if name == "3DES":
            return Cipher(TripleDES(self._key), modes.CBC(iv))
        block = algorithms.AES(self._key) if name == "AES" else algorithms.Camellia(self._key)
        return Cipher(block, modes.CBC(iv))

    def _keystream(self, data: bytes, *, encrypt: bool) -> bytes:
        if self._stream is None:
            return data
        if self._stream_context is None:
            self._stream_context = self._stream.encryptor() if encrypt else self._stream.decryptor()
        return self._stream_context.update(data)

    def _encrypt_blocks(self, data: bytes) -> bytes:
        block = self._shape.block
        padding = block - 1 - len(data) % block
        iv = self._chained_iv or os.urandom(block)
        encryptor = self._cipher(iv).encryptor()
        sealed = encryptor.update(data + bytes((padding,)) * (padding + 1)) + encryptor.finalize()
        if self._chained_iv:
            self._chained_iv = sealed[-block:]
            return sealed
        return iv + sealed

    def _decrypt_blocks(self, data: bytes) -> bytes:
        block = self._shape.block
        iv, sealed = (self._chained_iv, data) if self._chained_iv else (data[:block], data[block:])
        if not sealed or len(sealed) % block:
            raise ProtectionError("a protected record is no multiple of the block length")
        decryptor = self._cipher(iv).decryptor()
        padded = decryptor.update(sealed) + decryptor.finalize()
        if self._chained_iv:
            self._chained_iv = sealed[-block:]
        padding = padded[-1]
        if padding >= len(padded) or padded[-padding - 1 :] != bytes((padding,)) * (padding + 1):
            raise ProtectionError("the padding of a protected record is wrong")
        return padded[: -padding - 1]

    def seal(self, content_type: int, payload: bytes, *, corrupt: bool = False) -> bytes:
        """See `RecordProtection.seal`."""
        sequence = self._next()
        if self._encrypt_then_mac:
            sealed = self._encrypt_blocks(payload)
            mac = self._mac(sequence, content_type, sealed)
            return encode_record(content_type, sealed + (_flip_last_bit(mac) if corrupt else mac), self._version)
        mac = self._mac(sequence, content_type, payload)
        data = payload + (_flip_last_bit(mac) if corrupt else mac)
        sealed = self._encrypt_blocks(data) if self._shape.block else self._keystream(data, encrypt=True)
        return encode_record(content_type, sealed, self._version)

    def open(self, record: Record) -> tuple[int, bytes]:
        """See `RecordProtection.open`."""
        sequence, octets = self._next(), self._shape.mac
        data = record.payload
        if self._encrypt_then_mac:
            data, mac = data[:-octets], data[-octets:]
            self._check(mac, self._mac(sequence, record.content_type, data))
            return record.content_type, self._decrypt_blocks(data)
        data = self._decrypt_blocks(data) if self._shape.block else self._keystream(data, encrypt=False)
        if len(data) < octets:
            raise ProtectionError("a protected record is too short")
        data, mac = data[:-octets], data[-octets:]
        self._check(mac, self._mac(sequence, record.content_type, data))
        return record.content_type, data

    @staticmethod
    def _check(seen: bytes, expected: bytes) -> None:
        if not hmac.compare_digest(seen, expected):
            raise ProtectionError("the MAC of a protected record is wrong")


@dataclass(frozen=True, slots=True)
class DirectionKeys:
    """Keys of one direction."""

    mac: bytes
    key: bytes
    iv: bytes


def protection(
    shape: KeyShape, version: int, keys: DirectionKeys, *, encrypt_then_mac: bool = False
) -> RecordProtection:
    """The protection of one direction under `keys`."""
    if version >= TLS13:
        return Aead13(shape, keys.key, keys.iv)
    if shape.tag:
        return Aead12(shape, keys.key, keys.iv)
    return MacAndCipher(shape, version, keys.mac, keys.key, keys.iv, encrypt_then_mac=encrypt_then_mac)
