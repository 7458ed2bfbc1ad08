"""Facts of a ClientHello: what it says in its own order, and no exception whatever the octets are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.pki import Pki
from harness.listeners.transport.applications import Sink, UpperLayer, WebServer
from harness.listeners.transport.hello_facts import hello_facts, ssl2_hello_facts
from reference_impl.transport.trials import GOOD, SERVER_SCRIPTS, Script, Server, ServerStack
from reference_impl.transport.wire import (
    ClientHello,
    Extension,
    KeyShare,
    Ssl2ClientHello,
    encode_record,
    extensions,
    grease_extensions,
)

GREASE = 0x0A0A
HELLO = ClientHello(
    (GREASE, 0x1301, 0xC02F, 0x00FF, 0x5600),
    0x0303,
    (
        *grease_extensions((GREASE,)),
        Extension(0, extensions.server_name("pacs.example").data),  # type: ignore[union-attr]
        extensions.supported_versions((GREASE, 0x0304, 0x0303)),
        extensions.supported_groups((GREASE, 0x11EC, 0x001D)),
        extensions.key_share((KeyShare(GREASE, b"\0"), KeyShare(0x001D, bytes(32)))),
        extensions.signature_algorithms((0x0804, 0x0403)),
        extensions.signature_algorithms_cert((0x0401,)),
        extensions.ec_point_formats((0, 1)),
        extensions.alpn(("h2", "http/1.1")),
        extensions.psk_key_exchange_modes((1, 0)),
        extensions.renegotiation_info(),
    ),
    session_id=bytes(32),
    compression_methods=(1, 0),
)


def test_everything_that_a_hello_says() -> None:
    facts = hello_facts(0x0301, HELLO.encode())
    assert facts is not None
    assert facts.suites == HELLO.cipher_suites
    assert facts.supported_versions == (GREASE, 0x0304, 0x0303)
    assert facts.highest_version == 0x0304
    assert facts.groups == (GREASE, 0x11EC, 0x001D)
    assert facts.key_shares == (GREASE, 0x001D)
    assert (facts.schemes, facts.certificate_schemes) == ((0x0804, 0x0403), (0x0401,))
    assert (facts.point_formats, facts.psk_modes, facts.compression_methods) == ((0, 1), (1, 0), (1, 0))
    assert (facts.server_name, facts.alpn) == ("pacs.example", ("h2", "http/1.1"))
    assert facts.renegotiation_info
    assert facts.renegotiation_scsv
    assert facts.fallback_scsv
    assert facts.session_id_octets == 32
    assert facts.extensions[0] == GREASE
    assert facts.length == len(HELLO.encode())
    assert facts.ja4.startswith("t13d0410h2_")


def test_what_is_absent_is_none_and_what_is_malformed_too() -> None:
    bare = hello_facts(0x0300, ClientHello((0x0005,), 0x0301, None).encode())
    assert bare is not None
    absent = (bare.groups, bare.schemes, bare.alpn, bare.server_name, bare.key_shares)
    assert absent == (None,) * 5
    assert bare.highest_version == 0x0301
    odd = hello_facts(0x0301, ClientHello((0x1301,), 0x0303, (Extension(10, b"\x00\x03\x00"),)).encode())
    assert odd is not None
    assert odd.groups is None
    assert odd.extensions == (10,)


def test_a_hello_in_the_format_of_ssl2() -> None:
    facts = ssl2_hello_facts(Ssl2ClientHello((0x010080, 0x00000A, 0x0000FF), 0x0301).encode())
    assert facts is not None
    assert facts.ssl2_format
    assert (facts.version, facts.suites, facts.renegotiation_scsv) == (0x0301, (0x000A, 0x00FF), True)


@given(st.integers(0, 0xFFFF), st.binary(max_size=400))
def test_no_octets_raise(version: int, data: bytes) -> None:
    hello_facts(version, data)
    hello_facts(version, b"\x01" + len(data).to_bytes(3, "big") + data)
    ssl2_hello_facts(data)
    ssl2_hello_facts((0x8000 | len(data)).to_bytes(2, "big") + data)


def spoiled(data: bytes, at: int, octet: int) -> bytes:
    at %= len(data)
    return data[:at] + bytes((octet,)) + data[at + 1 :]


@given(st.integers(0, 1000), st.integers(0, 255), st.integers(0, 1000))
def test_no_spoiled_hello_raises(at: int, octet: int, cut: int) -> None:
    hello_facts(0x0301, spoiled(HELLO.encode(), at, octet))
    hello_facts(0x0301, HELLO.encode()[: cut % len(HELLO.encode())])


@dataclass(frozen=True)
class Shown:
    chain: tuple[bytes, ...]
    key: Any
    ocsp_response: bytes = b""


@pytest.fixture(scope="module")
def server() -> Server:
    from cryptography.hazmat.primitives.serialization import Encoding

    issued = Pki.create().issue("server")
    return Server(Shown((issued.certificate.public_bytes(Encoding.DER),), issued.key))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(SERVER_SCRIPTS)), st.integers(0, 1000), st.integers(0, 255), st.lists(st.binary(max_size=80))
)
def test_the_server_survives_any_client(server: Server, trial: str, at: int, octet: int, more: list[bytes]) -> None:
    stack = ServerStack(server, SERVER_SCRIPTS[trial])
    stack.receive(encode_record(22, spoiled(HELLO.encode(), at, octet), 0x0301))
    for number, data in enumerate(more):
        stack.receive(encode_record((20, 21, 22, 23)[number % 4], data))
        stack.receive(data)
        stack.data_to_send()
        stack.plaintext()
    stack.send_plaintext(b"x")
    stack.close()
    assert stack.finished


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=200)), st.sampled_from([0x0300, 0x0301, 0x0302, 0x0303]))
def test_the_server_survives_any_second_flight(server: Server, flight: list[bytes], version: int) -> None:
    stack = ServerStack(server, Script(version=version))
    stack.receive(encode_record(22, HELLO.encode(), 0x0301))
    for message_type, body in zip((11, 16, 15, 20), flight, strict=False):
        stack.receive(encode_record(22, bytes((message_type,)) + len(body).to_bytes(3, "big") + body))
        stack.receive(encode_record(20, b"\x01"))
    stack.receive(b"")
    assert stack.finished


def test_a_flood_of_records_ends(server: Server) -> None:
    stack = ServerStack(server, GOOD)
    stack.receive(encode_record(22, HELLO.encode()[:50], 0x0301))
    for _ in range(300_000):
        if stack.finished:
            break
        stack.receive(encode_record(22, b""))
    assert stack.finished


@given(st.lists(st.binary(max_size=120), max_size=6))
def test_applications_survive_anything(pieces: list[bytes]) -> None:
    for application in (UpperLayer(), WebServer(), Sink()):
        for piece in pieces:
            application.feed(piece)


@given(st.binary(max_size=200), st.lists(st.binary(max_size=60), max_size=4))
def test_the_upper_layer_survives_any_association(body: bytes, data: list[bytes]) -> None:
    application = UpperLayer()
    application.feed(b"\x01\x00" + (68 + len(body)).to_bytes(4, "big") + bytes(68) + body)
    for value in data:
        fragment = (len(value) + 2).to_bytes(4, "big") + b"\x01\x03" + value
        application.feed(b"\x04\x00" + len(fragment).to_bytes(4, "big") + fragment)
