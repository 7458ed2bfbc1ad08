"""ClientHello, ServerHello and HelloRetryRequest (RFC 5246 7.4.1, RFC 8446 4.1)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from reference_impl.transport.wire.codes import (
    HELLO_RETRY_RANDOM,
    SSL3,
    TLS12,
    ContentType,
    ExtensionType,
    HandshakeType,
)
from reference_impl.transport.wire.extensions import (
    Extension,
    KeyShare,
    encode_extensions,
    find,
    parse_extensions,
    parse_numbers,
)
from reference_impl.transport.wire.octets import Reader, WireError, numbers, vector
from reference_impl.transport.wire.records import HandshakeMessage, encode_records


def _random() -> bytes:
    return os.urandom(32)


@dataclass(frozen=True, slots=True)
class ClientHello:
    """A ClientHello. `extensions` None: the hello carries no extension block at all (SSL 3.0)."""

    cipher_suites: tuple[int, ...]
    client_version: int = TLS12
    extensions: tuple[Extension, ...] | None = ()
    session_id: bytes = b""
    compression_methods: tuple[int, ...] = (0,)
    random: bytes = field(default_factory=_random)

    def encode(self) -> bytes:
        """The handshake message with its header. Raises `OverflowError` if a vector is too long."""
        body = (
            self.client_version.to_bytes(2, "big")
            + self.random
            + vector(self.session_id, 1)
            + numbers(self.cipher_suites, 2, 2)
            + numbers(self.compression_methods, 1, 1)
            + (b"" if self.extensions is None else encode_extensions(self.extensions))
        )
        return HandshakeMessage(HandshakeType.CLIENT_HELLO, body).encode()

    def to_records(self, record_version: int | None = None) -> bytes:
        """The hello in records, whose version is {03,01} (RFC 8446 5.1; {03,00} for SSL 3.0) unless given."""
        version = record_version if record_version is not None else min(max(self.client_version, SSL3), 0x0301)
        return encode_records(ContentType.HANDSHAKE, self.encode(), version)

    def extension(self, extension_type: int) -> bytes | None:
        """The data of that extension, None where it was not sent."""
        return find(self.extensions or (), extension_type)

    @property
    def offered_versions(self) -> tuple[int, ...]:
        """What supported_versions lists, or the legacy version alone. Raises `WireError`."""
        data = self.extension(ExtensionType.SUPPORTED_VERSIONS)
        return (self.client_version,) if data is None else parse_numbers(data, 1, 2, "supported_versions")


def parse_client_hello(body: bytes) -> ClientHello:
    """A ClientHello from the body of its handshake message. Raises `WireError`."""
    reader = Reader(body, "ClientHello")
    version = reader.number(2, "client_version")
    random = reader.take(32, "random")
    session_id = reader.vector(1, "session_id")
    suites = reader.numbers(2, 2, "cipher_suites")
    compression = tuple(reader.vector(1, "compression_methods"))
    extensions = None
    if reader.remaining:
        extensions = parse_extensions(reader.vector(2, "extensions"), "ClientHello")
    reader.end()
    return ClientHello(suites, version, extensions, session_id, compression, random)


@dataclass(frozen=True, slots=True)
class ServerHello:
    """A ServerHello or HelloRetryRequest. `legacy_version` is what the version field says."""

    legacy_version: int
    random: bytes
    session_id: bytes
    cipher_suite: int
    compression_method: int = 0
    extensions: tuple[Extension, ...] | None = None

    @property
    def is_hello_retry_request(self) -> bool:
        """Whether this is a HelloRetryRequest: the server names a group and has accepted nothing yet."""
        return self.random == HELLO_RETRY_RANDOM

    @property
    def version(self) -> int:
        """The negotiated version: that of supported_versions, or the legacy version."""
        data = self.extension(ExtensionType.SUPPORTED_VERSIONS)
        return int.from_bytes(data, "big") if data is not None and len(data) == 2 else self.legacy_version

    def extension(self, extension_type: int) -> bytes | None:
        """The data of that extension, None where it was not sent."""
        return find(self.extensions or (), extension_type)

    @property
    def selected_group(self) -> int | None:
        """The group that key_share names, in a ServerHello as in a HelloRetryRequest; None without key_share."""
        data = self.extension(ExtensionType.KEY_SHARE)
        return int.from_bytes(data[:2], "big") if data is not None and len(data) >= 2 else None

    @property
    def key_share(self) -> KeyShare | None:
        """The server's key share, None if there is none. Raises `WireError`."""
        data = self.extension(ExtensionType.KEY_SHARE)
        if data is None or self.is_hello_retry_request:
            return None
        reader = Reader(data, "key_share of ServerHello")
        share = KeyShare(reader.number(2, "group"), reader.vector(2, "key"))
        reader.end()
        return share

    def encode(self) -> bytes:
        """The handshake message with its header."""
        body = (
            self.legacy_version.to_bytes(2, "big")
            + self.random
            + vector(self.session_id, 1)
            + self.cipher_suite.to_bytes(2, "big")
            + bytes((self.compression_method,))
            + (b"" if self.extensions is None else encode_extensions(self.extensions))
        )
        return HandshakeMessage(HandshakeType.SERVER_HELLO, body).encode()


def parse_server_hello(body: bytes) -> ServerHello:
    """A ServerHello or HelloRetryRequest from the body of its handshake message. Raises `WireError`."""
    reader = Reader(body, "ServerHello")
    version = reader.number(2, "server_version")
    if version >> 8 != 3:
        raise WireError(f"version 0x{version:04X}", "ServerHello")
    random = reader.take(32, "random")
    session_id = reader.vector(1, "session_id")
    if len(session_id) > 32:
        raise WireError(f"session_id of {len(session_id)} octets", "ServerHello")
    suite = reader.number(2, "cipher_suite")
    compression = reader.number(1, "compression_method")
    extensions = None
    if reader.remaining:
        extensions = parse_extensions(reader.vector(2, "extensions"), "ServerHello")
    reader.end()
    return ServerHello(version, random, session_id, suite, compression, extensions)


def grease_extensions(values: Sequence[int], data: bytes = b"") -> tuple[Extension, ...]:
    """Extensions of reserved or unassigned types, which every server has to ignore (RFC 8701)."""
    return tuple(Extension(value, data) for value in values)
