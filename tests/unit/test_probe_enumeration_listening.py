"""What is read of a server's answer: key exchanges with kept keys, and octets that nobody would send."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.observations import ReactionKind, facts_of
from harness.observations.transport import TLS12, Groups
from harness.probes.transport.enumeration import ENUMERATION
from harness.probes.transport.listening import Ssl2Listener, TlsListener
from harness.probes.transport.upper_layer import answer_type, association_request, pdu_complete
from reference_impl.transport import wire
from reference_impl.transport.wire import extensions as ext
from tests.unit.probe_servers import context_of, observe, scripted

BY_KIND = {probe.kind: probe for probe in ENUMERATION}


def server_hello(suite: int = 0xC02F, version: int = TLS12) -> bytes:
    hello = wire.ServerHello(version, bytes(32), b"", suite, 0, (ext.renegotiation_info(),))
    return wire.encode_records(22, hello.encode())


class StaticCurve:
    """A TLS 1.2 server with one ECDHE key for ever; it may or may not look at the client's point."""

    def __init__(self, *, validates: bool, explicit: bool = False) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        self._curve = ec.SECP256R1()
        public = ec.generate_private_key(self._curve).public_key()
        self._point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self._validates = validates
        self._explicit = explicit

    def __call__(self, connection: socket.socket) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec

        hello = self._hello(connection)
        groups = ext.parse_numbers(hello.extension(10) or b"\0\0", 2, 2, "supported_groups")
        explicit = self._explicit and 0xFF01 in groups
        old = hello.client_version != TLS12 or hello.extension(wire.ExtensionType.SUPPORTED_VERSIONS) is not None
        if old or 0xC02F not in hello.cipher_suites or (0x17 not in groups and not explicit):
            connection.sendall(wire.encode_record(21, b"\x02\x46" if old else b"\x02\x28"))
            return
        key = wire.encode_server_key_exchange(
            wire.ServerKeyExchange(self._point, group=0x17, scheme=0x0401, signature=b"signature")
        )
        if explicit:
            parts = b"".join(wire.vector(part, 1) for part in (b"\x80" + bytes(23), b"a", b"b", b"g", b"n", b"\x01"))
            body = b"\x01" + parts + wire.vector(self._point, 1) + b"\x04\x01" + wire.vector(b"signature", 2)
            key = wire.HandshakeMessage(12, body).encode()
        flight = wire.CertificateMessage(()).encode() + key + wire.SERVER_HELLO_DONE
        connection.sendall(server_hello() + wire.encode_records(22, flight))
        (record,) = wire.RecordReader().feed(connection.recv(4096))
        (message,) = wire.HandshakeReader().feed(record.payload)
        if self._validates:
            try:
                ec.EllipticCurvePublicKey.from_encoded_point(self._curve, message.body[1:])
            except ValueError:
                connection.sendall(wire.encode_record(21, b"\x02\x2f"))
                return
        connection.recv(4096)

    @staticmethod
    def _hello(connection: socket.socket) -> wire.ClientHello:
        records = wire.RecordReader().feed(connection.recv(8192))
        (message,) = wire.HandshakeReader().feed(b"".join(record.payload for record in records))
        return wire.parse_client_hello(message.body)


@pytest.mark.parametrize("validates", [True, False])
def test_reused_keys_are_seen_and_off_curve_points_tried(validates: bool) -> None:
    kinds = ("tls.versions", "tls.cipher-suites", "tls.groups")
    with scripted(StaticCurve(validates=validates)) as port:
        context, _exchanges = context_of(port)
        groups = facts_of(observe(context, [BY_KIND[kind] for kind in kinds])["tls.groups"], Groups)
    assert groups is not None
    assert groups.ecdhe_keys_differ is False
    assert groups.ecdhe_reused_groups == (0x17,)
    assert groups.off_curve_point_accepted is not validates
    assert [(entry.code, entry.accepted) for entry in groups.versions[TLS12].groups] == [(0x17, True)]


def test_explicit_curves_are_described_and_are_no_named_group() -> None:
    kinds = ("tls.versions", "tls.cipher-suites", "tls.groups")
    with scripted(StaticCurve(validates=True, explicit=True)) as port:
        context, _exchanges = context_of(port)
        groups = facts_of(observe(context, [BY_KIND[kind] for kind in kinds])["tls.groups"], Groups)
    assert groups is not None
    assert groups.explicit_curves == ("192-bit explicit prime curve",)
    assert [entry.code for entry in groups.versions[TLS12].groups] == [0x17]


@given(st.lists(st.binary(max_size=300), max_size=4), st.sampled_from(list(ReactionKind)))
def test_listeners_never_raise(parts: list[bytes], ended: ReactionKind) -> None:
    listeners: list[TlsListener | Ssl2Listener] = [TlsListener(), Ssl2Listener()]
    for listener in listeners:
        for part in parts:
            if listener.feed(part):
                break
        assert listener.reaction(ended, "why").kind in set(ReactionKind)


@given(st.integers(0, 120), st.binary(min_size=1, max_size=8))
def test_mutilated_server_hellos_never_raise(at: int, patch: bytes) -> None:
    data = bytearray(server_hello() + wire.encode_record(21, b"\x02\x28"))
    data[at : at + len(patch)] = patch
    listener = TlsListener(until=wire.HandshakeType.SERVER_HELLO_DONE)
    listener.feed(bytes(data))
    assert listener.reaction(ReactionKind.CLOSE, "closed").kind in set(ReactionKind)


@given(st.binary(max_size=120))
def test_upper_layer_answers_are_recognised_without_raising(data: bytes) -> None:
    assert answer_type(data) in {None, 2, 3, 7}
    assert pdu_complete(data) in {True, False}


def test_the_association_request_is_one_that_pynetdicom_reads() -> None:
    from pynetdicom.pdu import A_ASSOCIATE_RQ

    pdu = A_ASSOCIATE_RQ()
    pdu.decode(association_request("PS315-HARNESS", "ANY-SCP"))
    assert pdu.calling_ae_title.strip() in {"PS315-HARNESS", b"PS315-HARNESS"}
    assert [context.abstract_syntax for context in pdu.presentation_context] == ["1.2.840.10008.1.1"]
    assert pdu.user_information is not None
