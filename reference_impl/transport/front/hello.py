"""What a client says first on a connection, read with bounds: a ClientHello, an SSL 2.0 hello, or something else."""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from reference_impl.transport.wire import WireError, parse_client_hello

MAXIMUM_OPENING = 1 << 16
_HANDSHAKE_RECORD = 0x16
_CLIENT_HELLO = 1

SERVER_NAME, SUPPORTED_GROUPS, SIGNATURE_ALGORITHMS, ALPN = 0, 10, 13, 16
PRE_SHARED_KEY, SUPPORTED_VERSIONS, PSK_KEY_EXCHANGE_MODES, KEY_SHARE = 41, 43, 45, 51


class OpeningKind(Enum):
    """How a connection opened."""

    TLS = "tls"
    SSL2 = "ssl2"
    PLAINTEXT = "plaintext"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Hello:
    """A ClientHello, as far as routing needs it. Code points are those of the IANA registries."""

    record_version: int
    version: int
    random: bytes
    session_id: bytes
    suites: tuple[int, ...]
    compressions: bytes
    extensions: Mapping[int, bytes]
    message: bytes
    """The handshake message with its header, for the transcript hash."""

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions offered: supported_versions where it stands, else every one up to client_version."""
        body = self.extensions.get(SUPPORTED_VERSIONS)
        if body is not None:
            return _u16s(body[1:])
        return tuple(range(0x0300, min(self.version, 0x0303) + 1))

    @property
    def highest_version(self) -> int:
        """The highest of the offered versions that is TLS 1.3 or less (0 where there is none)."""
        return max((v for v in self.versions if v <= 0x0304), default=0)

    @property
    def groups(self) -> tuple[int, ...]:
        """The supported groups; empty where the extension is absent."""
        return _u16s(self.extensions.get(SUPPORTED_GROUPS, b"")[2:])

    @property
    def signature_schemes(self) -> tuple[int, ...]:
        """The signature schemes; empty where the extension is absent."""
        return _u16s(self.extensions.get(SIGNATURE_ALGORITHMS, b"")[2:])

    @property
    def server_name(self) -> str | None:
        """The host name of server_name, lower case; None where there is none."""
        body = self.extensions.get(SERVER_NAME, b"")
        if len(body) < 5 or body[2] != 0:
            return None
        return body[5:].decode("ascii", "replace").lower()

    @property
    def protocols(self) -> tuple[bytes, ...]:
        """The protocol names of ALPN."""
        rest, found = self.extensions.get(ALPN, b"")[2:], []
        while rest:
            found.append(rest[1 : 1 + rest[0]])
            rest = rest[1 + rest[0] :]
        return tuple(found)

    @property
    def psk_modes(self) -> bytes:
        """The PSK key exchange modes (0: psk_ke, 1: psk_dhe_ke)."""
        return self.extensions.get(PSK_KEY_EXCHANGE_MODES, b"")[1:]

    @property
    def key_shares(self) -> dict[int, bytes]:
        """The key shares by group."""
        rest, found = self.extensions.get(KEY_SHARE, b"")[2:], {}
        while len(rest) >= 4:
            group, length = struct.unpack_from(">HH", rest)
            found[group] = rest[4 : 4 + length]
            rest = rest[4 + length :]
        return found


@dataclass(frozen=True)
class Opening:
    """The first octets of a connection, all of them (`data`), and what they are. `hello` is None if unreadable."""

    kind: OpeningKind
    data: bytes
    hello: Hello | None = None


def read_opening(connection: socket.socket, timeout: float) -> Opening:
    """Read what the client says first, for at most `timeout` seconds and :data:`MAXIMUM_OPENING` octets.

    Octets beyond the first message may have been read as well: `data` holds all. Raises OSError as sockets do.
    """
    deadline = time.monotonic() + timeout
    data = bytearray()
    while not _complete(data) and len(data) < MAXIMUM_OPENING:
        left = deadline - time.monotonic()
        if left <= 0 or not _readable(connection, left):
            break
        received = connection.recv(1 << 14)
        if not received:
            break
        data += received
    return classify(bytes(data))


def classify(data: bytes) -> Opening:
    """Say what the first octets of a connection are."""
    if not data:
        return Opening(OpeningKind.NOTHING, data)
    if data[0] == _HANDSHAKE_RECORD:
        return Opening(OpeningKind.TLS, data, parse_hello(data))
    if _is_ssl2(data):
        return Opening(OpeningKind.SSL2, data)
    return Opening(OpeningKind.PLAINTEXT, data)


def parse_hello(records: bytes) -> Hello | None:
    """Parse the ClientHello in `records`; None if it is incomplete or not one."""
    message = _handshake_message(records)
    if message is None or len(message) < 4 + 35 or message[0] != _CLIENT_HELLO:
        return None
    try:
        return _parse(struct.unpack_from(">H", records, 1)[0], message)
    except WireError:
        return None


def _parse(record_version: int, message: bytes) -> Hello:
    parsed = parse_client_hello(message[4:])
    return Hello(
        record_version,
        parsed.client_version,
        parsed.random,
        parsed.session_id,
        parsed.cipher_suites,
        bytes(parsed.compression_methods),
        {extension.type: extension.data for extension in parsed.extensions or ()},
        message,
    )


def _u16s(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(data) // 2}H", data[: len(data) // 2 * 2])


def _handshake_message(records: bytes) -> bytes | None:
    """Join the fragments of the first handshake message; None while it is incomplete."""
    position, message = 0, b""
    while position + 5 <= len(records) and records[position] == _HANDSHAKE_RECORD:
        length = struct.unpack_from(">H", records, position + 3)[0]
        message += records[position + 5 : position + 5 + length]
        position += 5 + length
        if len(message) >= 4:
            total = 4 + int.from_bytes(message[1:4], "big")
            if len(message) >= total:
                return message[:total]
    return None


def _is_ssl2(data: bytes) -> bool:
    return len(data) >= 3 and bool(data[0] & 0x80) and data[2] == _CLIENT_HELLO


def _complete(data: bytearray) -> bool:
    if not data:
        return False
    if data[0] == _HANDSHAKE_RECORD:
        return _handshake_message(bytes(data)) is not None or _is_spoiled(data)
    if data[0] & 0x80 and len(data) < 3:
        return False
    if _is_ssl2(bytes(data)):
        return len(data) >= 2 + (((data[0] & 0x7F) << 8) | data[1])
    return True


def _is_spoiled(data: bytearray) -> bool:
    """Whether more octets cannot make this a ClientHello: another message, or one of absurd length."""
    if len(data) < 9:
        return False
    return data[5] != _CLIENT_HELLO or int.from_bytes(data[6:9], "big") > MAXIMUM_OPENING


def _readable(connection: socket.socket, timeout: float) -> bool:
    waiter = select.poll()
    waiter.register(connection, select.POLLIN)
    return bool(waiter.poll(max(0, timeout) * 1000))
