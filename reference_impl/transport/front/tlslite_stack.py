"""The permissive stack: tlslite-ng over memory, for versions and suites that OpenSSL no longer serves."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from tlslite.errors import TLSError
from tlslite.handshakesettings import HandshakeSettings
from tlslite.tlsconnection import TLSConnection
from tlslite.utils.keyfactory import parsePEMKey
from tlslite.x509certchain import X509CertChain

from reference_impl.transport.front.settings import Identity

_MAXIMUM_READ = 1 << 14


class _MemorySocket:
    """What tlslite-ng takes for a socket that never blocks."""

    def __init__(self) -> None:
        self.incoming = bytearray()
        self.outgoing = bytearray()
        self.ended = False

    def recv(self, size: int) -> bytes:
        if not self.incoming:
            if self.ended:
                return b""
            raise OSError(errno.EWOULDBLOCK, "nothing yet")
        data = bytes(self.incoming[:size])
        del self.incoming[:size]
        return data

    def send(self, data: bytes) -> int:
        self.outgoing += data
        return len(data)

    def sendall(self, data: bytes) -> None:
        self.outgoing += data

    def close(self) -> None:
        self.ended = True

    def shutdown(self, _how: int) -> None:
        self.ended = True


@dataclass
class TlsliteChannel:
    """One connection served by tlslite-ng with `settings`; `anonymous` allows suites without a certificate."""

    identity: Identity
    settings: HandshakeSettings
    anonymous: bool = False
    established: bool = False
    finished: bool = False
    peer_certificate: x509.Certificate | None = None
    _plaintext: bytearray = field(default_factory=bytearray)
    _reading: Iterator[Any] | None = None

    def __post_init__(self) -> None:
        self._socket = _MemorySocket()
        self._connection = TLSConnection(self._socket)
        pem = "".join(c.public_bytes(serialization.Encoding.PEM).decode() for c in self.identity.chain)
        chain = X509CertChain()
        chain.parsePemList(pem)
        key = self.identity.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self._handshake: Iterator[Any] = self._connection.handshakeServerAsync(
            certChain=None if self.anonymous else chain,
            privateKey=None if self.anonymous else parsePEMKey(key.decode(), private=True),
            settings=self.settings,
            anon=self.anonymous,
        )

    def receive(self, data: bytes) -> None:
        """Feed octets of the wire and go on as far as they reach."""
        self._socket.incoming += data
        self._socket.ended = self._socket.ended or not data
        try:
            if not self.established and self._ended(self._handshake):
                self.established = True
            if self.established:
                self._read()
        except (TLSError, OSError, ValueError):
            self.finished = True
        self.finished = self.finished or not data

    @staticmethod
    def _ended(steps: Iterator[Any]) -> bool:
        """Run `steps` until they want more octets; whether they came to their end."""
        return not any(step == 0 for step in steps)

    def _read(self) -> None:
        while not self.finished:
            self._reading = self._reading or self._connection.readAsync(max=_MAXIMUM_READ, min=1)
            for step in self._reading:
                if isinstance(step, int):
                    if step == 0:
                        return
                    continue
                self._plaintext += step
                self.finished = not step
                break
            self._reading = None

    def data_to_send(self) -> bytes:
        """Take what tlslite-ng wants sent."""
        data = bytes(self._socket.outgoing)
        self._socket.outgoing.clear()
        return data

    def plaintext(self) -> bytes:
        """Take what was decrypted."""
        data = bytes(self._plaintext)
        self._plaintext.clear()
        return data

    def send_plaintext(self, data: bytes) -> None:
        """Encrypt `data`."""
        try:
            self._ended(self._connection.writeAsync(data))
        except (TLSError, OSError, ValueError):
            self.finished = True

    def close(self) -> None:
        """Send close_notify."""
        if not self.finished:
            with contextlib.suppress(TLSError, OSError, ValueError):
                self._ended(self._connection.closeAsync())
        self.finished = True
