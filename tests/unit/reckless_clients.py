"""Clients that take whatever a server does, so that a trial that they should refuse shows that they did not."""

from __future__ import annotations

import contextlib
import os
import socket

from harness.probes.base import ClientCredentials
from harness.probes.transport.session import Session
from harness.probes.transport.session_offers import offer_of
from reference_impl.transport.registry import SUITES
from reference_impl.transport.wire import (
    TLS12,
    TLS13,
    ClientHello,
    ContentType,
    Extension,
    ExtensionType,
    HandshakeMessage,
    HandshakeReader,
    HandshakeType,
    KeyShare,
    RecordReader,
    WireError,
    encode_record,
    extensions,
    parse_server_hello,
)
from tests.unit.session_servers import context_of
from tests.unit.trial_bench import ASSOCIATE, DEADLINE, Bench

OLD_SUITES = tuple(code for code, entry in SUITES.items() if entry.versions != "tls1.3" and not entry.signalling)
NEW_SUITES = (0x1302, 0xC0B4, 0xC0B5)
_X25519, _P256 = 0x001D, 0x0017


def session(bench: Bench, version: int, **changes: object) -> None:
    """A handshake that authenticates nobody, with everything offered, and an A-ASSOCIATE-RQ after it."""
    credentials = ClientCredentials(
        bench.pki.certificate_file("client").read_bytes(), bench.pki.key_file("client").read_bytes()
    )
    context = context_of(bench.server.address[1], credentials=credentials)
    if version < TLS13:
        changes = {"suites": OLD_SUITES, **changes}
    with Session(context, offer_of(context, version, **changes), "unit") as client:
        client.handshake()
        if client.established:
            client.send(ASSOCIATE)
            client.read(0.5)
            client.send(ASSOCIATE)


def hello_of(version: int, *extra: Extension, suites: tuple[int, ...] = ()) -> ClientHello:
    """A hello of `version` that offers everything there is."""
    offered = [
        extensions.supported_groups((_X25519, _P256)),
        extensions.signature_algorithms((0x0403, 0x0804, 0x0401, 0x0201)),
        *extra,
    ]
    if version >= TLS13:
        offered += [
            extensions.supported_versions((TLS13,)),
            extensions.key_share((KeyShare(_X25519, os.urandom(32)),)),
        ]
        return ClientHello(suites or NEW_SUITES, TLS12, tuple(offered), os.urandom(32))
    return ClientHello(suites or (*OLD_SUITES, 0x00FF), version, tuple(offered), compression_methods=(1, 0))


def raw(bench: Bench, version: int) -> None:
    """Say hello, hear the server's flight, and go on as if nothing were wrong with it, without any key."""
    hello = hello_of(version, extensions.encrypt_then_mac(), extensions.truncated_hmac())
    with (
        contextlib.suppress(ConnectionError),
        socket.create_connection(bench.server.address, DEADLINE) as connection,
    ):
        connection.sendall(hello.to_records())
        answer = hear(connection)
        if version >= TLS13:
            while answer == RETRY:
                connection.sendall(hello_of(version).to_records())
                answer = hear(connection)
            connection.sendall(encode_record(ContentType.APPLICATION_DATA, os.urandom(64)))
        else:
            exchange = HandshakeMessage(HandshakeType.CLIENT_KEY_EXCHANGE, b"\0" * 66).encode()
            connection.sendall(
                encode_record(ContentType.HANDSHAKE, exchange, version)
                + encode_record(ContentType.CHANGE_CIPHER_SPEC, b"\x01", version)
                + encode_record(ContentType.HANDSHAKE, os.urandom(40), version)
            )
        drain(connection)


RETRY = "HelloRetryRequest"


def hear(connection: socket.socket) -> str:
    """Read up to ServerHelloDone, or in TLS 1.3 one hello; "HelloRetryRequest" if it is that."""
    records, messages = RecordReader(), HandshakeReader()
    while data := connection.recv(1 << 16):
        try:
            for record in records.feed(data):
                if record.content_type == ContentType.ALERT:
                    return "alert"
                if record.content_type != ContentType.HANDSHAKE:
                    continue
                for message in messages.feed(record.payload):
                    if message.type == HandshakeType.SERVER_HELLO_DONE:
                        return "done"
                    if message.type == HandshakeType.SERVER_HELLO:
                        said = parse_server_hello(message.body)
                        if said.is_hello_retry_request:
                            return RETRY
                        if said.extension(ExtensionType.SUPPORTED_VERSIONS) is not None:
                            return "hello"
        except WireError:
            return "garbage"
    return "end"


def drain(connection: socket.socket) -> None:
    """Read to the end."""
    connection.settimeout(DEADLINE)
    while connection.recv(1 << 16):
        pass


def in_plaintext(bench: Bench) -> None:
    """Say hello, and go on without TLS when the server answers without."""
    with (
        contextlib.suppress(ConnectionError),
        socket.create_connection(bench.server.address, DEADLINE) as connection,
    ):
        connection.sendall(hello_of(TLS13).to_records())
        connection.recv(1 << 16)
        connection.sendall(ASSOCIATE)
        connection.shutdown(socket.SHUT_WR)
        drain(connection)
