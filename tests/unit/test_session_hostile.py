"""Sessions with servers that break every rule: bounded in time and octets, and never an exception."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.observations import Exchange, ReactionKind
from harness.observations.transport import TLS12, TLS13
from harness.probes.base import Deadlines
from harness.probes.transport.session import Session, Stop
from harness.probes.transport.session_offers import offer_of
from harness.probes.transport.session_probes import SESSION_PROBES
from reference_impl.transport.wire.codes import ExtensionType
from reference_impl.transport.wire.extensions import Extension, KeyShare, server_key_share
from reference_impl.transport.wire.hello import ServerHello
from reference_impl.transport.wire.records import encode_record, encode_records
from tests.unit.session_servers import HASTY, context_of, serving

X25519_BASE = b"\x09" + bytes(31)


def hello(version: int) -> bytes:
    extensions: tuple[Extension, ...] = ()
    if version == TLS13:
        selected = Extension(ExtensionType.SUPPORTED_VERSIONS, b"\x03\x04")
        extensions = (selected, server_key_share(KeyShare(0x001D, X25519_BASE)))
    suite = 0x1301 if version == TLS13 else 0xC02F
    return ServerHello(0x0303, bytes(32), b"", suite, 0, extensions).encode()


def handshake(data: bytes) -> bytes:
    return encode_records(22, data)


def answering(answer: bytes) -> Callable[[socket.socket], None]:
    def script(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(answer)
        connection.recv(65_536)

    return script


def silent(connection: socket.socket) -> None:
    while connection.recv(65_536):
        pass


def dribbling(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"\x16")
        time.sleep(0.05)  # the point of this server


def resetting(connection: socket.socket) -> None:
    connection.recv(65_536)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def closing(connection: socket.socket) -> None:
    connection.recv(65_536)


def flooding(connection: socket.socket) -> None:
    connection.recv(65_536)
    connection.sendall(handshake(hello(TLS12)))
    certificate = b"\x0b" + ((16 << 20) - 1).to_bytes(3, "big")
    while True:
        connection.sendall(encode_record(22, certificate + bytes(16_000)))
        certificate = b""


def warning_for_ever(connection: socket.socket) -> None:
    connection.recv(65_536)
    while True:
        connection.sendall(encode_record(21, b"\x01\x70") * 100)


HOSTILE: dict[str, tuple[Callable[[socket.socket], None], set[ReactionKind]]] = {
    "silent": (silent, {ReactionKind.SILENCE}),
    "one octet now and then": (dribbling, {ReactionKind.SILENCE, ReactionKind.MALFORMED, ReactionKind.PLAINTEXT}),
    "reset": (resetting, {ReactionKind.RESET}),
    "close": (closing, {ReactionKind.CLOSE, ReactionKind.RESET}),
    "plain text": (answering(b"220 ready\r\n"), {ReactionKind.PLAINTEXT}),
    "plain DICOM": (answering(b"\x03\x00\x00\x00\x00\x04\x00\x01\x01\x07"), {ReactionKind.PLAINTEXT}),
    "endless warnings": (warning_for_ever, {ReactionKind.MALFORMED, ReactionKind.ALERT}),
    "16 MB of handshake": (flooding, {ReactionKind.MALFORMED, ReactionKind.SERVER_HELLO}),
    "alert": (answering(encode_record(21, b"\x02\x28")), {ReactionKind.ALERT}),
    "alert of one octet": (answering(encode_record(21, b"\x02")), {ReactionKind.MALFORMED}),
    "application data": (answering(encode_record(23, b"data")), {ReactionKind.MALFORMED}),
    "early ChangeCipherSpec": (answering(encode_record(20, b"\x01")), {ReactionKind.MALFORMED, ReactionKind.SILENCE}),
    "SSL 3.0": (answering(handshake(b"\x02\x00\x00\x26\x03\x00" + bytes(36))), {ReactionKind.SERVER_HELLO}),
    "Certificate first": (answering(handshake(b"\x0b\x00\x00\x03\x00\x00\x00")), {ReactionKind.MALFORMED}),
}


@pytest.mark.parametrize("version", [TLS12, TLS13])
@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_server_ends_in_a_reaction(name: str, version: int) -> None:
    script, expected = HOSTILE[name]
    exchanges: list[Exchange] = []
    began = time.monotonic()
    with serving(script) as port:
        context = context_of(port, exchanges=exchanges)
        with Session(context, offer_of(context, version), name) as session:
            reaction = session.handshake()
        elapsed = time.monotonic() - began
        assert reaction.kind in expected, reaction
        assert not session.established
        assert elapsed < 2 * HASTY.exchange + 1
        received = sum(len(data) // 2 for side, _, data in exchanges[-1].segments if side == "received")
        assert received <= HASTY.received_octets
        assert len(exchanges) <= 2


def test_a_hiccup_is_tried_once_more_and_both_are_kept() -> None:
    exchanges: list[Exchange] = []
    with serving(resetting) as port:
        context = context_of(port, exchanges=exchanges)
        with Session(context, offer_of(context, TLS12), "unit") as session:
            reaction = session.handshake()
    assert [exchange.id for exchange in exchanges] == ["unit-0001", "unit-0002"]
    assert reaction.exchange == "unit-0002"


def test_dead_port_is_soon_asked_no_more() -> None:
    with serving(silent) as port:
        pass
    context = context_of(port)
    for _ in range(10):
        with Session(context, offer_of(context, TLS12), "unit") as session:
            assert session.handshake().kind is ReactionKind.UNREACHABLE
    assert context.budget.connections <= 8
    assert "no more" in session.handshake().detail


@pytest.mark.parametrize("name", ["silent", "plain text", "16 MB of handshake", "reset", "alert"])
def test_no_probe_raises_and_each_says_what_is_missing(name: str) -> None:
    hasty = Deadlines(connect=0.3, exchange=0.3, silence=0.1, received_octets=65_536)
    with serving(HOSTILE[name][0]) as port:
        context = context_of(port, deadlines=hasty)
        for probe in SESSION_PROBES:
            observation = probe.run(context)
            context.learn(observation)
            assert observation.kind == probe.kind
            if observation.facts is None:
                assert observation.missing
        assert context.budget.connections <= 40


_PARTS = st.lists(
    st.one_of(
        st.binary(max_size=60),
        st.builds(encode_record, st.sampled_from([20, 21, 22, 23, 24]), st.binary(max_size=60)),
        st.builds(
            lambda kind, body: handshake(bytes((kind,)) + len(body).to_bytes(3, "big") + body),
            st.sampled_from([0, 1, 2, 4, 8, 11, 12, 13, 14, 15, 20, 22, 24]),
            st.binary(max_size=80),
        ),
    ),
    max_size=5,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(parts=_PARTS, version=st.sampled_from([TLS12, TLS13]), greeted=st.booleans())
def test_whatever_comes_nothing_is_raised(parts: list[bytes], version: int, greeted: bool) -> None:
    answer = (handshake(hello(version)) if greeted else b"") + b"".join(parts)

    def script(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(answer)

    with serving(script) as port:
        context = context_of(port)
        with Session(context, offer_of(context, version), "fuzz") as session:
            reaction = session.handshake(Stop.COMPLETED)
    assert reaction.kind is not ReactionKind.COMPLETED
