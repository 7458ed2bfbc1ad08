"""The TLS codec: what is written is read back, limits hold, and arbitrary octets raise nothing but `WireError`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tlslite.messages import ServerHello as TlsliteServerHello
from tlslite.utils.codec import Parser

from reference_impl.transport import wire
from reference_impl.transport.wire import extensions as ext
from reference_impl.transport.wire.describe import describe

U16 = st.integers(0, 0xFFFF)
EXTENSIONS = st.lists(st.builds(wire.Extension, U16, st.binary(max_size=40)), max_size=8).map(tuple)
HELLOS = st.builds(
    wire.ClientHello,
    st.lists(U16, max_size=40).map(tuple),
    U16,
    st.none() | EXTENSIONS,
    st.binary(max_size=32),
    st.lists(st.integers(0, 255), max_size=4).map(tuple),
    st.binary(min_size=32, max_size=32),
)
SERVER_HELLOS = st.builds(
    wire.ServerHello,
    st.integers(0x0300, 0x03FF),
    st.binary(min_size=32, max_size=32),
    st.binary(max_size=32),
    U16,
    st.integers(0, 255),
    st.none() | EXTENSIONS,
)


def body_of(encoded: bytes) -> bytes:
    (message,) = wire.HandshakeReader().feed(encoded)
    return message.body


@given(HELLOS)
def test_a_client_hello_reads_back(hello: wire.ClientHello) -> None:
    assert wire.parse_client_hello(body_of(hello.encode())) == hello


@given(SERVER_HELLOS)
def test_a_server_hello_reads_back(hello: wire.ServerHello) -> None:
    assert wire.parse_server_hello(body_of(hello.encode())) == hello


def test_an_independent_codec_reads_the_same_server_hello() -> None:
    hello = wire.ServerHello(0x0303, bytes(range(32)), b"id", 0xC02F, 0, (ext.extended_master_secret(),))
    theirs = TlsliteServerHello().parse(Parser(bytearray(hello.encode()[1:])))
    assert (theirs.cipher_suite, bytes(theirs.random), bytes(theirs.session_id)) == (0xC02F, hello.random, b"id")
    assert [extension.extType for extension in theirs.extensions] == [23]


@given(st.lists(st.binary(max_size=60), max_size=5), st.integers(1, 50))
def test_certificates_read_back_in_both_forms(chain: list[bytes], _salt: int) -> None:
    message = wire.CertificateMessage(tuple(wire.CertificateEntry(der) for der in chain))
    assert wire.parse_certificate(body_of(message.encode(wire.TLS12)), wire.TLS12).certificates == tuple(chain)
    assert wire.parse_certificate(body_of(message.encode(wire.TLS13)), wire.TLS13).certificates == tuple(chain)


@given(st.binary(min_size=1, max_size=255), U16, U16, st.binary(min_size=1, max_size=80))
def test_an_ecdhe_exchange_reads_back(key: bytes, group: int, scheme: int, signature: bytes) -> None:
    exchange = wire.ServerKeyExchange(key, group=group, scheme=scheme, signature=signature)
    read = wire.parse_server_key_exchange(body_of(wire.encode_server_key_exchange(exchange)), "ECDHE", "RSA")
    assert (read.public_key, read.group, read.scheme, read.signature) == (key, group, scheme, signature)
    assert read.parameters == b"\x03" + group.to_bytes(2, "big") + bytes((len(key),)) + key


@given(st.binary(min_size=1, max_size=300), st.binary(min_size=1, max_size=300))
def test_an_anonymous_dhe_exchange_reads_back(prime: bytes, key: bytes) -> None:
    exchange = wire.ServerKeyExchange(key, prime=prime, generator=b"\x02")
    read = wire.parse_server_key_exchange(body_of(wire.encode_server_key_exchange(exchange)), "DH_anon", "anon")
    assert (read.prime, read.public_key, read.scheme) == (prime, key, None)
    assert read.prime_bits == int.from_bytes(prime, "big").bit_length()


def test_explicit_curves_are_described_by_their_size() -> None:
    parts = b"".join(wire.vector(part, 1) for part in (b"\x80" + bytes(23), b"a", b"b", b"g", b"n", b"\x01"))
    body = b"\x01" + parts + wire.vector(b"point", 1) + b"\x04\x03" + wire.vector(b"signature", 2)
    read = wire.parse_server_key_exchange(body, "ECDHE", "ECDSA")
    assert (read.group, read.explicit_curve) == (None, "192-bit explicit prime curve")


def test_requests_and_tickets_read_back() -> None:
    request = wire.CertificateRequest((1, 64), (0x0403, 0x0804), (b"name",))
    assert wire.parse_certificate_request(body_of(request.encode())) == request
    offer = wire.CertificateRequest(extensions=(ext.signature_algorithms((0x0804,)),))
    assert wire.parse_certificate_request(body_of(offer.encode(wire.TLS13)), wire.TLS13).schemes == (0x0804,)
    ticket = wire.NewSessionTicket(7200, b"t" * 32, 5, b"n", (wire.Extension(42, b"\0\0\x40\0"),))
    read = wire.parse_new_session_ticket(body_of(ticket.encode(wire.TLS13)), wire.TLS13)
    assert read == ticket
    assert read.max_early_data == 16384
    status = wire.CertificateStatus(1, b"response")
    assert wire.parse_certificate_status(body_of(status.encode())) == status


@given(st.lists(st.tuples(st.sampled_from([20, 21, 22, 23, 24]), st.binary(max_size=50)), max_size=10), st.data())
def test_records_are_split_wherever_the_stream_is_cut(parts: list[tuple[int, bytes]], data: st.DataObject) -> None:
    stream = b"".join(wire.encode_record(kind, payload) for kind, payload in parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    reader = wire.RecordReader()
    found: list[wire.Record] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += reader.feed(stream[start:end])
    assert [(record.content_type, record.payload) for record in found] == parts
    assert reader.pending == 0


@given(st.binary(min_size=1, max_size=400), st.integers(1, 60))
def test_a_message_is_reassembled_from_fragments(body: bytes, size: int) -> None:
    encoded = wire.HandshakeMessage(11, body).encode()
    reader = wire.HandshakeReader()
    messages = [
        message
        for record in wire.RecordReader().feed(wire.encode_records(22, encoded, limit=size))
        for message in reader.feed(record.payload)
    ]
    assert messages == [wire.HandshakeMessage(11, body)]


def test_limits_hold() -> None:
    with pytest.raises(wire.WireError, match="record of 20000 octets"):
        wire.RecordReader().feed(b"\x16\x03\x03" + (20000).to_bytes(2, "big"))
    with pytest.raises(wire.WireError, match="more octets"):
        wire.RecordReader(max_octets=10).feed(bytes(11))
    reader = wire.RecordReader(max_records=3)
    assert len(reader.feed(wire.encode_record(22, b"") * 4)) == 3
    with pytest.raises(wire.WireError, match="more records"):
        reader.feed(b"")
    with pytest.raises(wire.WireError, match="message of 16777215 octets"):
        wire.HandshakeReader().feed(b"\x0b\xff\xff\xff")
    with pytest.raises(wire.WireError, match="more than 64 certificates"):
        wire.parse_certificate((300).to_bytes(3, "big") + b"\0\0\0" * 100)


def test_what_is_complete_is_returned_before_garbage_is_told() -> None:
    reader = wire.RecordReader()
    assert len(reader.feed(wire.encode_record(21, b"\x02\x28") + b"HTTP/1.1 400")) == 1
    assert reader.broken is not None
    with pytest.raises(wire.WireError, match="no record type"):
        reader.feed(b"")


PARSERS: list[Callable[[bytes], object]] = [
    wire.parse_client_hello,
    wire.parse_server_hello,
    wire.parse_alert,
    wire.parse_certificate_status,
    wire.parse_certificate_verify,
    wire.parse_encrypted_extensions,
    wire.ssl2_record,
    wire.parse_ssl2_server_hello,
    wire.parse_ssl2_client_hello,
    ext.parse_alpn,
    ext.parse_client_key_shares,
    ext.parse_server_name,
    lambda data: wire.RecordReader().feed(data),
    lambda data: wire.HandshakeReader().feed(data),
    *(
        lambda data, parse=parse, version=version: parse(data, version)
        for parse in (wire.parse_certificate, wire.parse_certificate_request, wire.parse_new_session_ticket)
        for version in (wire.TLS11, wire.TLS12, wire.TLS13)
    ),
    *(
        lambda data, exchange=exchange, by=by: wire.parse_server_key_exchange(data, exchange, by)
        for exchange in ("ECDHE", "DHE", "DH_anon", "RSA", "SRP")
        for by in ("RSA", "anon", "PSK")
    ),
]


@pytest.mark.parametrize("parse", PARSERS)
@given(data=st.binary(max_size=200))
def test_arbitrary_octets_raise_nothing_but_wire_errors(parse: Callable[[bytes], object], data: bytes) -> None:
    with contextlib.suppress(wire.WireError):
        parse(data)


@given(SERVER_HELLOS, st.integers(0, 300), st.binary(min_size=1, max_size=3))
def test_a_mutilated_hello_raises_nothing_but_wire_errors(hello: wire.ServerHello, at: int, patch: bytes) -> None:
    body = bytearray(body_of(hello.encode()))
    body[at : at + len(patch)] = patch
    with contextlib.suppress(wire.WireError):
        read = wire.parse_server_hello(bytes(body))
        assert isinstance(read.version, int)
        assert read.key_share is None or read.key_share.group == read.selected_group


@given(HELLOS, SERVER_HELLOS, st.binary(max_size=100))
def test_describing_never_raises(hello: wire.ClientHello, answer: wire.ServerHello, tail: bytes) -> None:
    try:
        stream = hello.to_records() if hello.client_version >> 8 == 3 else b""
    except OverflowError:
        stream = b""
    for data in (stream + tail, wire.encode_records(22, answer.encode()) + tail, tail):
        assert all(isinstance(line, str) for line in describe(data))


def test_a_description_names_what_the_registry_names() -> None:
    hello = wire.ClientHello((0xC02F,), extensions=(ext.supported_groups((29,)), ext.supported_versions((0x0304,))))
    text = "\n".join(describe(hello.to_records() + wire.encode_record(21, b"\x02\x46")))
    assert "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" in text
    assert "x25519" in text
    assert "TLS 1.3" in text
    assert "alert fatal protocol_version" in text


def test_ssl2_hellos_read_back() -> None:
    client = wire.Ssl2ClientHello((0x010080, 0x0700C0))
    body = wire.ssl2_record(client.encode())
    assert body is not None
    assert wire.parse_ssl2_client_hello(body) == client
    server = wire.Ssl2ServerHello((0x010080,), b"certificate", connection_id=b"c" * 16)
    body = wire.ssl2_record(server.encode())
    assert body is not None
    assert wire.parse_ssl2_server_hello(body) == server
    assert wire.ssl2_record(server.encode()[:-1]) is None
    assert any("SSL_CK_RC4_128_WITH_MD5" in line for line in describe(client.encode()))


@pytest.mark.parametrize("name", ["127.0.0.1", "::1", "", "."])
def test_what_is_no_host_name_gives_no_server_name(name: str) -> None:
    assert ext.server_name(name) is None


def test_a_host_name_reads_back() -> None:
    offered = ext.server_name("pacs.example.")
    assert offered is not None
    assert ext.parse_server_name(offered.data) == "pacs.example"
