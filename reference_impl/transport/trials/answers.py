"""Answers of a server that speaks no TLS, and a key exchange with an explicit curve."""

from __future__ import annotations

import struct

from reference_impl.transport.wire import HandshakeMessage, HandshakeType, Reader, vector


def _item(kind: int, data: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(data)) + data


def _associate_ac() -> bytes:
    """An A-ASSOCIATE-AC that accepts the first presentation context (PS3.8 9.3.3)."""
    context = bytes((1, 0, 0, 0)) + _item(0x40, b"1.2.840.10008.1.2")
    user = _item(0x51, struct.pack(">I", 16_384)) + _item(0x52, b"2.25.281472531853459381443")
    body = struct.pack(">HH", 1, 0) + b"PS315-HARNESS   " * 2 + bytes(32)
    body += _item(0x10, b"1.2.840.10008.3.1.1.1") + _item(0x21, context) + _item(0x50, user)
    return struct.pack(">BBI", 2, 0, len(body)) + body


ASSOCIATE_AC = _associate_ac()
HTTP_RESPONSE = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 6\r\nConnection: close\r\n\r\nno TLS"
)
GARBAGE = bytes(range(64, 128))

_PRIME = bytes.fromhex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff")
_A = bytes.fromhex("ffffffff00000001000000000000000000000000fffffffffffffffffffffffc")
_B = bytes.fromhex("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b")
_BASE = bytes.fromhex(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)
_ORDER = bytes.fromhex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")


def explicit_curve(message: bytes) -> bytes:
    """The ServerKeyExchange `message` with P-256 described by its numbers (SEC 2) in place of its name (RFC 4492 5.4).

    The signature stays that of the named curve: a client that goes as far as to check it refuses all the same.
    """
    reader = Reader(message[4:], "ServerKeyExchange")
    reader.take(3, "curve_type and namedcurve")
    rest = reader.rest()
    described = b"\x01" + vector(_PRIME, 1) + vector(_A, 1) + vector(_B, 1) + vector(_BASE, 1)
    described += vector(_ORDER, 1) + vector(b"\x01", 1)
    return HandshakeMessage(HandshakeType.SERVER_KEY_EXCHANGE, described + rest).encode()
