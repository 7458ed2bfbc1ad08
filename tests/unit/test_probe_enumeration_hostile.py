"""Whatever a server does, the probes end in time with what is missing and why; nothing escapes."""

from __future__ import annotations

import contextlib
import socket
import time

import pytest

from harness.observations import ReactionKind, facts_of
from harness.observations.transport import TLS12, CipherSuites, Groups, Plaintext, Reachability, Versions
from harness.probes.transport.enumeration import ENUMERATION
from harness.probes.transport.exchange import PLAIN, attend, converse
from harness.probes.transport.listening import TlsListener
from reference_impl.transport import wire
from reference_impl.transport.wire import extensions as ext
from tests.unit.probe_servers import IMPATIENT, Behaviour, context_of, observe, scripted

BY_KIND = {probe.kind: probe for probe in ENUMERATION}
HELLO = wire.ClientHello((0xC02F,), extensions=(ext.supported_groups((29,)),)).to_records()
REACHABILITY = (BY_KIND["tls.reachability"],)


def server_hello(suite: int = 0xC02F, version: int = TLS12) -> bytes:
    hello = wire.ServerHello(version, bytes(32), b"", suite, 0, (ext.renegotiation_info(),))
    return wire.encode_records(22, hello.encode())


def never_answers(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def closes_at_once(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def garbage(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(bytes(range(256)) * 40)


def greets(connection: socket.socket) -> None:
    connection.sendall(b"220 mail.example ESMTP ready\r\n")
    connection.recv(4096)


def endless_handshake(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(wire.encode_record(22, b"\x02\xff\xff\xff" + bytes(16000)))
    for _ in range(1024):
        connection.sendall(wire.encode_record(22, bytes(16384)))


def one_octet_a_while(connection: socket.socket) -> None:
    connection.recv(4096)
    for octet in server_hello():
        connection.sendall(bytes((octet,)))
        time.sleep(0.05)  # the server's own slowness, which no event can stand for


def breaks_off(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(server_hello()[:20])


def speaks_http(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def speaks_dicom(connection: socket.socket) -> None:
    request = connection.recv(4096)
    if request[:1] == b"\x01":
        connection.sendall(b"\x03\x00\x00\x00\x00\x04\x00\x01\x01\x07")
    else:
        connection.sendall(b"\x07\x00\x00\x00\x00\x04\x00\x00\x02\x01")


@pytest.mark.parametrize(
    ("behave", "speaks", "diagnosis"),
    [
        (never_answers, "silent", "never answers"),
        (closes_at_once, "unknown", "closes them unanswered"),
        (garbage, "unknown", "neither TLS, DICOM nor HTTP"),
        (greets, "speaks-first", "mail.example"),
        (endless_handshake, "unknown", "begins like TLS"),
        (one_octet_a_while, "unknown", "unfinished TLS message"),
        (breaks_off, "unknown", "unfinished TLS message"),
        (speaks_http, "http", "unencrypted HTTP"),
        (speaks_dicom, "plain-dicom", "This port speaks unencrypted DICOM"),
    ],
)
def test_what_does_not_speak_tls_is_diagnosed_in_bounded_time(behave: Behaviour, speaks: str, diagnosis: str) -> None:
    with scripted(behave) as port:
        context, _exchanges = context_of(port)
        began = time.monotonic()
        observation = observe(context, REACHABILITY)["tls.reachability"]
        assert time.monotonic() - began < 10
    facts = facts_of(observation, Reachability)
    assert facts is not None
    assert (facts.tcp, facts.speaks) == ("connected", speaks)
    assert diagnosis in facts.diagnosis


def test_a_refused_port_is_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    context, exchanges = context_of(port)
    facts = facts_of(observe(context, REACHABILITY)["tls.reachability"], Reachability)
    assert facts is not None
    assert (facts.tcp, facts.speaks) == ("refused", "")
    assert "refuses connections" in facts.diagnosis
    assert len(exchanges) == 2  # tried once more, both recorded


def test_an_unresolvable_host_is_told_apart() -> None:
    context, _exchanges = context_of(1)
    unresolvable = context.target.__class__("dimse", "dicom-tls", "ps315.invalid", 2762)
    context.target = unresolvable
    facts = facts_of(observe(context, REACHABILITY)["tls.reachability"], Reachability)
    assert facts is not None
    assert facts.tcp in {"unresolved", "unreachable"}


@pytest.mark.parametrize(
    ("behave", "kinds"),
    [
        (never_answers, {ReactionKind.SILENCE}),
        (closes_at_once, {ReactionKind.CLOSE, ReactionKind.RESET}),
        (garbage, {ReactionKind.PLAINTEXT, ReactionKind.RESET}),
        (endless_handshake, {ReactionKind.MALFORMED}),
        (one_octet_a_while, {ReactionKind.SILENCE}),
        (breaks_off, {ReactionKind.CLOSE, ReactionKind.RESET}),
    ],
)
def test_one_exchange_ends_at_its_deadline_with_what_it_saw(behave: Behaviour, kinds: set[ReactionKind]) -> None:
    with scripted(behave) as port:
        context, exchanges = context_of(port)
        began = time.monotonic()
        answer = converse(context, "a hello", HELLO)
        assert time.monotonic() - began < 4 * IMPATIENT.exchange
    assert answer.reaction.kind in kinds
    assert answer.hello is None
    assert answer.exchanges == tuple(exchange.id for exchange in exchanges)
    received = sum(len(text) // 2 for each in exchanges for way, _at, text in each.segments if way == "received")
    assert received <= 2 * (IMPATIENT.received_octets + 16_384)


def test_a_hiccup_is_tried_once_more_and_both_tries_are_recorded() -> None:
    calls: list[int] = []

    def silent_first(connection: socket.socket) -> None:
        connection.recv(4096)
        calls.append(1)
        if len(calls) == 1:
            connection.recv(4096)
        else:
            connection.sendall(server_hello())

    with scripted(silent_first) as port:
        context, exchanges = context_of(port)
        answer = converse(context, "a hello", HELLO)
    assert answer.reaction.accepted
    assert len(exchanges) == 2
    assert answer.reaction.exchange == exchanges[1].id


def test_a_warning_before_the_server_hello_is_kept() -> None:
    def warns(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(wire.encode_record(21, b"\x01\x70") + server_hello())

    with scripted(warns) as port:
        reaction = converse(context_of(port)[0], "a hello", HELLO).reaction
    assert (reaction.kind, reaction.alert, reaction.fatal) == (ReactionKind.SERVER_HELLO, 112, False)


@pytest.mark.parametrize("behave", [never_answers, closes_at_once, garbage, endless_handshake, breaks_off])
def test_every_probe_survives_every_server(behave: Behaviour) -> None:
    with scripted(behave) as port:
        context, _exchanges = context_of(port)
        began = time.monotonic()
        observed = observe(context, [probe for probe in ENUMERATION if probe.kind != "tls.reachability"])
        assert time.monotonic() - began < 30
    assert observed["tls.cipher-suites"].facts is None
    assert observed["tls.cipher-suites"].missing
    assert context.budget.connections < 80


def test_a_server_that_dies_half_way_leaves_a_note_instead_of_an_end() -> None:
    """It accepts what it is offered, for fifteen connections."""

    def accepts_the_first(connection: socket.socket) -> None:
        records = wire.RecordReader().feed(connection.recv(8192))
        (message,) = wire.HandshakeReader().feed(b"".join(record.payload for record in records))
        hello = wire.parse_client_hello(message.body)
        if hello.client_version == TLS12 and hello.extension(wire.ExtensionType.SUPPORTED_VERSIONS) is None:
            connection.sendall(server_hello(hello.cipher_suites[0]))
        else:
            connection.sendall(wire.encode_record(21, b"\x02\x46"))

    with scripted(accepts_the_first, most=15) as port:
        context, _exchanges = context_of(port)
        observed = observe(context, [BY_KIND["tls.versions"], BY_KIND["tls.cipher-suites"], BY_KIND["tls.groups"]])
    suites = facts_of(observed["tls.cipher-suites"], CipherSuites)
    assert suites is not None
    assert suites.versions[TLS12].accepted
    assert suites.versions[TLS12].complete is False
    assert "No connection" in suites.versions[TLS12].note
    groups = observed["tls.groups"]
    assert groups.facts is None or not Groups.model_validate(groups.facts).versions[TLS12].groups


def test_a_server_that_accepts_everything_is_asked_within_bounds() -> None:
    def accepts_the_first(connection: socket.socket) -> None:
        records = wire.RecordReader().feed(connection.recv(8192))
        (message,) = wire.HandshakeReader().feed(b"".join(record.payload for record in records))
        hello = wire.parse_client_hello(message.body)
        connection.sendall(server_hello(hello.cipher_suites[0]))

    with scripted(accepts_the_first) as port:
        context, _exchanges = context_of(port)
        observed = observe(context, [BY_KIND["tls.versions"], BY_KIND["tls.cipher-suites"]])
    suites = facts_of(observed["tls.cipher-suites"], CipherSuites)
    versions = facts_of(observed["tls.versions"], Versions)
    assert suites is not None
    assert versions is not None
    assert versions.reactions[0x0302].version == TLS12  # told as it was, though 1.1 was asked for
    assert set(suites.versions) == {TLS12}
    assert not suites.versions[TLS12].complete
    assert "accept whatever" in suites.versions[TLS12].note


def test_a_suite_that_was_not_offered_is_recorded_and_ends_the_elimination() -> None:
    def insists(connection: socket.socket) -> None:
        connection.recv(8192)
        connection.sendall(server_hello(0x7777))

    with scripted(insists) as port:
        context, _exchanges = context_of(port)
        observed = observe(context, [BY_KIND["tls.versions"], BY_KIND["tls.cipher-suites"]])
    suites = facts_of(observed["tls.cipher-suites"], CipherSuites)
    assert suites is not None
    assert [entry.code for entry in suites.versions[TLS12].accepted] == [0x7777]
    assert "0x7777, which was not offered" in suites.versions[TLS12].note


def chokes_on_long_hellos(connection: socket.socket) -> None:
    data = connection.recv(8192)
    if len(data) > 512:
        return
    records = wire.RecordReader().feed(data)
    (message,) = wire.HandshakeReader().feed(b"".join(record.payload for record in records))
    hello = wire.parse_client_hello(message.body)
    chosen = next((code for code in hello.cipher_suites if code in {0x002F, 0xC02F, 0xC08A}), None)
    old = hello.client_version != TLS12 or hello.extension(wire.ExtensionType.SUPPORTED_VERSIONS) is not None
    if chosen is None or old:
        connection.sendall(wire.encode_record(21, b"\x02\x46" if old else b"\x02\x28"))
    else:
        connection.sendall(server_hello(chosen))


def test_a_server_that_chokes_on_long_hellos_is_asked_in_parts() -> None:
    with scripted(chokes_on_long_hellos) as port:
        context, _exchanges = context_of(port)
        observed = observe(context, [BY_KIND["tls.versions"], BY_KIND["tls.cipher-suites"]])
    suites = facts_of(observed["tls.cipher-suites"], CipherSuites)
    assert suites is not None
    of_version = suites.versions[TLS12]
    assert {entry.code for entry in of_version.accepted} == {0x002F, 0xC02F, 0xC08A}
    assert of_version.complete
    assert "Long hellos are not understood" in of_version.note


def test_a_dicom_answer_in_plaintext_is_seen() -> None:
    with scripted(speaks_dicom) as port:
        context, _exchanges = context_of(port)
        observation = observe(context, [BY_KIND["tls.plaintext"]])["tls.plaintext"]
    facts = facts_of(observation, Plaintext)
    assert facts is not None
    assert facts.dicom_answer is True
    assert facts.answer.startswith("03000000")


def test_what_is_sent_and_received_is_kept_in_order() -> None:
    def answers(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(server_hello())
        with contextlib.suppress(OSError):
            connection.recv(1)

    with scripted(answers) as port:
        context, exchanges = context_of(port)
        reaction = attend(context, "evidence", HELLO, TlsListener(), PLAIN)
    (exchange,) = exchanges
    assert [way for way, _at, _text in exchange.segments] == ["sent", "received"]
    assert bytes.fromhex(exchange.segments[0][2]) == HELLO
    assert bytes.fromhex(exchange.segments[1][2]) == server_hello()
    assert exchange.id == reaction.exchange
    assert "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" in exchange.outcome
