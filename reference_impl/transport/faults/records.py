"""Faults behind the handshake: records of the conforming stack opened with its own secrets, changed, sealed again."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305
from tlslite.mathtls import calc_key
from tlslite.utils.cryptomath import HKDF_expand_label

from reference_impl.transport.front.openssl import OPENSSL_NAMES, OpenSslChannel
from reference_impl.transport.wire import ContentType, encode_record

_CODES = {name: code for code, name in OPENSSL_NAMES.items()}
_AES_GCM_KEY_OCTETS = {0xC02B: 16, 0xC02F: 16, 0xC02C: 32, 0xC030: 32}
_TLS_1_3_KEY_OCTETS = {0x1301: 16, 0x1302: 32, 0x1303: 32, 0x1304: 16, 0x1305: 16}

Nonces = Callable[[int], bytes]
"""The explicit nonce (8 octets) of the server's record with that number."""
Messages = Callable[[bytes], bytes]
"""A handshake message after the TLS 1.3 handshake, changed or as it was."""


@dataclass
class _Protection:
    """Keys of one direction. `explicit` tells TLS 1.2 AES-GCM, whose records carry eight octets of the nonce."""

    aead: AESGCM | AESCCM | ChaCha20Poly1305
    iv: bytes
    explicit: bool

    def open(self, header: bytes, payload: bytes, number: int) -> bytes | None:
        """Return the plaintext of record `number`, None if its tag is wrong."""
        try:
            if self.explicit:
                nonce, sealed = self.iv + payload[:8], payload[8:]
                return self.aead.decrypt(nonce, sealed, self._associated(header, len(sealed) - 16, number))
            return self.aead.decrypt(self._nonce(number), payload, header)
        except (InvalidTag, ValueError):
            return None

    def seal(self, header: bytes, plaintext: bytes, number: int, explicit_nonce: bytes) -> bytes:
        """Return the payload of record `number`."""
        if self.explicit:
            associated = self._associated(header, len(plaintext), number)
            return explicit_nonce + self.aead.encrypt(self.iv + explicit_nonce, plaintext, associated)
        return self.aead.encrypt(self._nonce(number), plaintext, header)

    def _nonce(self, number: int) -> bytes:
        return bytes(a ^ b for a, b in zip(self.iv, number.to_bytes(12, "big"), strict=True))

    @staticmethod
    def _associated(header: bytes, length: int, number: int) -> bytes:
        return struct.pack(">Q", number) + header[:3] + struct.pack(">H", length)


@dataclass
class _Direction:
    """A half of the connection: its undecided octets, and how many records were protected so far."""

    label: str
    pending: bytearray = field(default_factory=bytearray)
    number: int = 0
    resealed: int = 0
    changed_cipher: bool = False
    protection: _Protection | None = None

    def records(self, data: bytes) -> list[bytes]:
        """Cut whole records off what has arrived."""
        self.pending += data
        found = []
        while len(self.pending) >= 5:
            length = 5 + struct.unpack_from(">H", self.pending, 3)[0]
            if len(self.pending) < length:
                break
            found.append(bytes(self.pending[:length]))
            del self.pending[:length]
        return found


class RewritingChannel:
    """The conforming stack, but for records that are changed on their way.

    `ignore_bad_records` drops the client's records with a wrong tag and goes on; `nonces` chooses the explicit
    nonces of TLS 1.2 AES-GCM; `messages` changes what the server says after a TLS 1.3 handshake. The context of
    `inner` must keep secrets (FrontSettings.keep_secrets).
    """

    def __init__(
        self,
        inner: OpenSslChannel,
        *,
        ignore_bad_records: bool = False,
        nonces: Nonces | None = None,
        messages: Messages | None = None,
    ) -> None:
        self._inner = inner
        self._ignore = ignore_bad_records
        self._nonces = nonces
        self._messages = messages
        self._client = _Direction("CLIENT_TRAFFIC_SECRET_0")
        self._server = _Direction("SERVER_TRAFFIC_SECRET_0")

    @property
    def established(self) -> bool:
        """Whether the handshake is complete."""
        return self._inner.established

    @property
    def finished(self) -> bool:
        """Whether the connection is over."""
        return self._inner.finished

    @property
    def peer_certificate(self) -> x509.Certificate | None:
        """The client's certificate."""
        return self._inner.peer_certificate

    def receive(self, data: bytes) -> None:
        """Feed the stack with the client's records, one by one."""
        if not data:
            self._inner.receive(data)
        for record in self._client.records(data):
            fed = self._from_client(record)
            if fed and not self._inner.finished:
                self._inner.receive(fed)

    def data_to_send(self) -> bytes:
        """Take the stack's records, changed."""
        return b"".join(self._from_server(r) for r in self._server.records(self._inner.data_to_send()))

    def plaintext(self) -> bytes:
        """Take what was decrypted."""
        return self._inner.plaintext()

    def send_plaintext(self, data: bytes) -> None:
        """Encrypt `data`."""
        self._inner.send_plaintext(data)

    def close(self) -> None:
        """Send close_notify."""
        self._inner.close()

    def _from_client(self, record: bytes) -> bytes:
        side = self._client
        protection = self._protection(side, record)
        if protection is None and side.changed_cipher and record[0] == ContentType.HANDSHAKE:
            # The Finished of TLS 1.2 (TLS 1.3 hides the type): OpenSSL tells the secret only after it was read.
            side.number, side.resealed = side.number + 1, side.resealed + 1
        if protection is None or not self._ignore:
            return record
        number = side.number
        plaintext = protection.open(record[:5], record[5:], number)
        if plaintext is None:
            # In TLS 1.3 what does not open before the end of the handshake belongs to other keys.
            if not self.established and not protection.explicit:
                return record
            side.number += 1
            return b""
        side.number += 1
        side.resealed += 1
        if number == side.resealed - 1:
            return record
        explicit = struct.pack(">Q", side.resealed - 1)
        payload = protection.seal(record[:5], plaintext, side.resealed - 1, explicit)
        return record[:5] + payload

    def _from_server(self, record: bytes) -> bytes:
        side = self._server
        protection = self._protection(side, record)
        if protection is None:
            return record
        plaintext = protection.open(record[:5], record[5:], side.number)
        if plaintext is None:
            return record
        number, side.number = side.number, side.number + 1
        if protection.explicit:
            explicit = self._nonces(number) if self._nonces else record[5:13]
            return record[:5] + protection.seal(record[:5], plaintext, number, explicit)
        kind, body = plaintext.rstrip(b"\0")[-1], plaintext.rstrip(b"\0")[:-1]
        if self._messages is None or kind != ContentType.HANDSHAKE:
            return record
        inner = b"".join(self._messages(message) for message in _split(body)) + bytes([kind])
        header = encode_record(ContentType.APPLICATION_DATA, bytes(len(inner) + len(record) - 5 - len(plaintext)))
        return header[:5] + protection.seal(header[:5], inner, number, b"")

    def _protection(self, side: _Direction, record: bytes) -> _Protection | None:
        """Return the keys for `record`, None while there are none or the record is not protected by them."""
        if record[0] == ContentType.CHANGE_CIPHER_SPEC:
            side.changed_cipher = True
            return None
        if side.protection is None:
            side.protection = self._tls_1_3(side.label)
            if side.protection is not None:
                side.number = side.resealed = 0  # a second ClientHello after a compatible change_cipher_spec counts not
            elif side.changed_cipher:
                side.protection = self._tls_1_2(side.label)
        if side.protection is not None and not side.protection.explicit:
            return side.protection if record[0] == ContentType.APPLICATION_DATA else None
        return side.protection if side.changed_cipher else None

    def _tls_1_3(self, label: str) -> _Protection | None:
        secret = self._inner.secrets.get(label)
        code = _CODES.get(self._inner.suite_name or "", 0)
        if secret is None or code not in _TLS_1_3_KEY_OCTETS:
            return None
        digest = "sha384" if code == 0x1302 else "sha256"
        key = bytes(HKDF_expand_label(bytearray(secret), b"key", b"", _TLS_1_3_KEY_OCTETS[code], digest))
        iv = bytes(HKDF_expand_label(bytearray(secret), b"iv", b"", 12, digest))
        if code == 0x1303:
            return _Protection(ChaCha20Poly1305(key), iv, explicit=False)
        if code in (0x1304, 0x1305):
            return _Protection(AESCCM(key, 8 if code == 0x1305 else 16), iv, explicit=False)
        return _Protection(AESGCM(key), iv, explicit=False)

    def _tls_1_2(self, label: str) -> _Protection | None:
        master = self._inner.secrets.get("CLIENT_RANDOM")
        code = _CODES.get(self._inner.suite_name or "", 0)
        if master is None or code not in _AES_GCM_KEY_OCTETS:
            return None
        octets = _AES_GCM_KEY_OCTETS[code]
        client_random, server_random = self._inner.randoms
        block = bytes(
            calc_key(
                (3, 3),
                bytearray(master),
                code,
                b"key expansion",
                client_random=bytearray(client_random),
                server_random=bytearray(server_random),
                output_length=2 * (octets + 4),
            )
        )
        of_server = label.startswith("SERVER")
        key = block[octets : 2 * octets] if of_server else block[:octets]
        salt = block[2 * octets + 4 :] if of_server else block[2 * octets : 2 * octets + 4]
        return _Protection(AESGCM(key), salt, explicit=True)


def _split(body: bytes) -> list[bytes]:
    """Cut a record's handshake messages apart."""
    found = []
    while len(body) >= 4:
        length = 4 + int.from_bytes(body[1:4], "big")
        found.append(body[:length])
        body = body[length:]
    return found


def random_nonces(_number: int) -> bytes:
    """Choose explicit nonces at random."""
    return os.urandom(8)


def repeated_nonce(_number: int) -> bytes:
    """Use the same explicit nonce for every record."""
    return b"\x00" * 7 + b"\x2a"
