"""The hellos of SSL 2.0 (RFC 6101 appendix E describes the client's; RFC 6176 forbids the protocol)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from reference_impl.transport.wire.codes import SSL2
from reference_impl.transport.wire.octets import Reader, WireError, numbers

CLIENT_HELLO, SERVER_HELLO, ERROR = 1, 4, 0
MAX_RECORD = 32767


def _challenge() -> bytes:
    return os.urandom(16)


@dataclass(frozen=True, slots=True)
class Ssl2ClientHello:
    """A CLIENT-HELLO: three-octet cipher kinds (registry SSL2_CIPHER_KINDS; TLS suites begin with 00)."""

    cipher_kinds: tuple[int, ...]
    version: int = SSL2
    session_id: bytes = b""
    challenge: bytes = field(default_factory=_challenge)

    def encode(self) -> bytes:
        """The record on the wire, two-octet header included."""
        kinds = numbers(self.cipher_kinds, 3, 2)[2:]
        body = b"\x01" + self.version.to_bytes(2, "big")
        for part in (kinds, self.session_id, self.challenge):
            body += len(part).to_bytes(2, "big")
        return _record(body + kinds + self.session_id + self.challenge)


@dataclass(frozen=True, slots=True)
class Ssl2ServerHello:
    """A SERVER-HELLO. `certificate` is DER."""

    cipher_kinds: tuple[int, ...]
    certificate: bytes = b""
    certificate_type: int = 1
    connection_id: bytes = b""
    session_id_hit: bool = False
    version: int = SSL2

    def encode(self) -> bytes:
        """The record on the wire, two-octet header included."""
        kinds = numbers(self.cipher_kinds, 3, 2)[2:]
        body = bytes((SERVER_HELLO, self.session_id_hit, self.certificate_type)) + self.version.to_bytes(2, "big")
        for part in (self.certificate, kinds, self.connection_id):
            body += len(part).to_bytes(2, "big")
        return _record(body + self.certificate + kinds + self.connection_id)


def _record(body: bytes) -> bytes:
    if len(body) > MAX_RECORD:
        raise OverflowError(f"SSL 2.0 record of {len(body)} octets")
    return (0x8000 | len(body)).to_bytes(2, "big") + body


def ssl2_record(data: bytes) -> bytes | None:
    """The body of the first SSL 2.0 record, None while it is incomplete. Raises `WireError` if it is none."""
    if len(data) < 2:
        return None
    if data[0] & 0x80:
        length, header, pad = int.from_bytes(data[:2], "big") & 0x7FFF, 2, 0
    else:
        if len(data) < 3:
            return None
        length, header, pad = int.from_bytes(data[:2], "big") & 0x3FFF, 3, data[2]
    if length == 0 or pad >= length:
        raise WireError(f"length {length}, padding {pad}", "SSL 2.0 record")
    if len(data) < header + length:
        return None
    return data[header : header + length - pad]


def parse_ssl2_server_hello(body: bytes) -> Ssl2ServerHello:
    """A SERVER-HELLO from the body of its record. Raises `WireError`."""
    reader = Reader(body, "SSL 2.0 SERVER-HELLO")
    if reader.number(1, "message type") != SERVER_HELLO:
        raise WireError("another message", "SSL 2.0 SERVER-HELLO")
    hit = bool(reader.number(1, "session id hit"))
    certificate_type = reader.number(1, "certificate type")
    version = reader.number(2, "version")
    if version != SSL2:
        raise WireError(f"version 0x{version:04X}", "SSL 2.0 SERVER-HELLO")
    certificate_length, kinds_length, id_length = (reader.number(2, "length") for _ in range(3))
    certificate = reader.take(certificate_length, "certificate")
    kinds = _kinds(reader.take(kinds_length, "cipher specs"), "SSL 2.0 SERVER-HELLO")
    connection_id = reader.take(id_length, "connection id")
    reader.end()
    return Ssl2ServerHello(kinds, certificate, certificate_type, connection_id, hit, version)


def parse_ssl2_client_hello(body: bytes) -> Ssl2ClientHello:
    """A CLIENT-HELLO from the body of its record. Raises `WireError`."""
    reader = Reader(body, "SSL 2.0 CLIENT-HELLO")
    if reader.number(1, "message type") != CLIENT_HELLO:
        raise WireError("another message", "SSL 2.0 CLIENT-HELLO")
    version = reader.number(2, "version")
    kinds_length, id_length, challenge_length = (reader.number(2, "length") for _ in range(3))
    kinds = _kinds(reader.take(kinds_length, "cipher specs"), "SSL 2.0 CLIENT-HELLO")
    session_id = reader.take(id_length, "session id")
    challenge = reader.take(challenge_length, "challenge")
    reader.end()
    return Ssl2ClientHello(kinds, version, session_id, challenge)


def _kinds(data: bytes, where: str) -> tuple[int, ...]:
    if len(data) % 3:
        raise WireError(f"cipher specs of {len(data)} octets, no multiple of 3", where)
    return tuple(int.from_bytes(data[at : at + 3], "big") for at in range(0, len(data), 3))
