"""The TLS front where it conforms, seen by clients of OpenSSL (Python's ssl, pyOpenSSL, s_client)."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterator

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL

from fixtures.pki import Pki
from reference_impl.transport.faults.certificates import identity_of
from reference_impl.transport.front import (
    SUITES_TLS_1_2,
    SUITES_TLS_1_3,
    Front,
    FrontSettings,
    Limits,
    OpeningKind,
    Router,
    classify,
    parse_hello,
)
from reference_impl.transport.front.openssl import OPENSSL_NAMES
from reference_impl.transport.wire import ClientHello, extensions

DEADLINE = 10.0


def echo(connection: socket.socket, _address: tuple[str, int], _certificate: x509.Certificate | None) -> None:
    """An application that returns what it is told."""

    def run() -> None:
        with contextlib.suppress(OSError), connection:
            while data := connection.recv(1 << 16):
                connection.sendall(data)

    threading.Thread(target=run, daemon=True).start()


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


def settings_for(pki: Pki, profile: str, client_auth: str = "off", limits: Limits | None = None) -> FrontSettings:
    return FrontSettings(
        identities=(identity_of(pki, "server"), identity_of(pki, "server_ec")),
        client_anchors=(pki.issue("ca").certificate,),
        client_auth=client_auth,
        suites_tls_1_2=SUITES_TLS_1_2[profile],
        suites_tls_1_3=SUITES_TLS_1_3[profile],
        limits=limits or Limits(),
    )


@pytest.fixture(scope="module", params=["B.12", "B.13"])
def profile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def front(pki: Pki, profile: str) -> Iterator[Front]:
    with Front(Router(settings_for(pki, profile)), echo) as running:
        yield running


def client_context(*, level: int = 0, version: int | None = None) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_cipher_list(f"ALL:COMPLEMENTOFALL:@SECLEVEL={level}".encode())
    context.set_options(0x4)  # a legacy peer would be reported, not hidden
    if version is not None:
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
    else:
        context.set_min_proto_version(0)
    return context


def handshake(front: Front, context: SSL.Context, name: bytes | None = b"localhost") -> SSL.Connection:
    raw = socket.create_connection(front.address, DEADLINE)
    raw.settimeout(None)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(DEADLINE), 0))
    connection = SSL.Connection(context, raw)
    if name is not None:
        connection.set_tlsext_host_name(name)
    connection.set_connect_state()
    connection.do_handshake()
    return connection


def alert_of(front: Front, hello: bytes) -> tuple[int, int] | None:
    """Send `hello`, return (alert, record version) of a fatal alert followed by the end of the connection."""
    with socket.create_connection(front.address, DEADLINE) as raw:
        raw.sendall(hello)
        data = b""
        while piece := raw.recv(1 << 16):
            data += piece
    if len(data) != 7 or data[0] != 0x15 or data[5] != 2:
        return None
    return data[6], int.from_bytes(data[1:3], "big")


def hello(*suites: int, version: int = 0x0303, extra: tuple[extensions.Extension, ...] = ()) -> ClientHello:
    return ClientHello(
        suites,
        version,
        (
            extensions.supported_groups((0x001D, 0x0017)),
            extensions.signature_algorithms((0x0403, 0x0804, 0x0401)),
            extensions.ec_point_formats(),
            *extra,
        ),
    )


def first_message(front: Front, data: bytes) -> int:
    """The type of the first handshake message that answers `data`; -1 for anything else."""
    with socket.create_connection(front.address, DEADLINE) as raw:
        raw.sendall(data)
        answer = raw.recv(6, socket.MSG_WAITALL)
    return answer[5] if len(answer) == 6 and answer[0] == 0x16 else -1


@pytest.mark.parametrize("code", sorted(set(OPENSSL_NAMES)), ids=lambda code: OPENSSL_NAMES[code])
def test_the_profiles_suites_are_negotiated_and_no_other(front: Front, profile: str, code: int) -> None:
    name = OPENSSL_NAMES[code]
    tls_1_3 = code >> 8 == 0x13
    context = client_context(version=0x0304 if tls_1_3 else 0x0303)
    if tls_1_3:
        context.set_tls13_ciphersuites(name.encode())
    else:
        context.set_cipher_list(f"{name}:@SECLEVEL=0".encode())
    served = SUITES_TLS_1_3[profile] if tls_1_3 else SUITES_TLS_1_2[profile]
    if code not in served:
        with pytest.raises(SSL.Error):
            handshake(front, context)
        return
    connection = handshake(front, context)
    assert connection.get_cipher_name() == name
    connection.sendall(b"ping")
    assert connection.recv(4) == b"ping"


def test_a_two_way_client_gets_tls_1_3_and_a_staple(front: Front, pki: Pki) -> None:
    context = client_context()
    stapled: list[bytes] = []

    def keep(_connection: SSL.Connection, response: bytes, _data: object) -> bool:
        stapled.append(response)
        return True

    context.set_ocsp_client_callback(keep)
    raw = socket.create_connection(front.address, DEADLINE)
    raw.settimeout(None)
    connection = SSL.Connection(context, raw)
    connection.request_ocsp()
    connection.set_connect_state()
    connection.do_handshake()
    assert connection.get_protocol_version_name() == "TLSv1.3"
    leaf = connection.get_peer_certificate(as_cryptography=True)
    case = "server" if leaf == pki.issue("server").certificate else "server_ec"
    assert stapled
    assert x509.ocsp.load_der_ocsp_response(stapled[0]).serial_number == pki.issue(case).certificate.serial_number


def test_the_chain_sent_is_that_of_the_certificate(front: Front, pki: Pki) -> None:
    for cipher, root in ((b"ECDHE-RSA-AES256-GCM-SHA384", "ca"), (b"ECDHE-ECDSA-AES256-GCM-SHA384", "ca_ec")):
        context = client_context(version=0x0303)
        context.set_cipher_list(cipher)
        chain = handshake(front, context).get_peer_cert_chain(as_cryptography=True)
        assert chain is not None
        assert chain[-1] == pki.issue(root).certificate
        assert len(chain) == 2


@pytest.mark.parametrize("version", [0x0300, 0x0301, 0x0302])
def test_old_versions_get_protocol_version(front: Front, version: int) -> None:
    assert (alert_of(front, hello(0xC013, 0x002F, version=version).to_records()) or (0,))[0] == 70


@pytest.mark.parametrize("record_version", [0x0300, 0x0301, 0x0302, 0x0303, 0x0304, 0x03FF])
def test_any_record_version_is_understood(front: Front, record_version: int) -> None:
    assert first_message(front, hello(0xC02F).to_records(record_version)) == 2


@pytest.mark.parametrize("version", [0x0304, 0x0305, 0x03FF])
def test_a_higher_client_version_leads_to_tls_1_2(front: Front, version: int) -> None:
    assert first_message(front, hello(0xC02F, version=version).to_records()) == 2


def test_unknown_values_are_ignored(front: Front) -> None:
    grease = extensions.Extension(0x3A3A, b"\0")
    assert first_message(front, hello(0x4A4A, 0xC02F, extra=(grease,)).to_records()) == 2


def test_unknown_names_and_protocols_are_refused_by_their_alerts(front: Front) -> None:
    name = extensions.server_name("nobody.invalid")
    assert name is not None
    assert (alert_of(front, hello(0xC02F, extra=(name,)).to_records()) or (0,))[0] == 112
    assert (alert_of(front, hello(0xC02F, extra=(extensions.alpn(["h2"]),)).to_records()) or (0,))[0] == 120
    known = extensions.server_name("localhost")
    assert known is not None
    assert first_message(front, hello(0xC02F, extra=(known,)).to_records()) == 2


def test_a_fallback_that_was_not_needed_is_refused(front: Front) -> None:
    assert (alert_of(front, hello(0xC02F, 0x5600).to_records()) or (0,))[0] == 86


@pytest.mark.parametrize("groups", [(0x0013,), (0x0015,), (0x0100,)])
def test_weak_curves_and_finite_fields_are_refused(front: Front, groups: tuple[int, ...]) -> None:
    weak = ClientHello(
        (0xC02F, 0xC02B),
        extensions=(extensions.supported_groups(groups), extensions.signature_algorithms((0x0403, 0x0401))),
    )
    assert (alert_of(front, weak.to_records()) or (0,))[0] == 40


@pytest.mark.parametrize("suites", [(0xC02F, 0xC02B), (0xC0AE,)])
def test_sha_1_and_md5_never_sign(front: Front, suites: tuple[int, ...]) -> None:
    only = extensions.signature_algorithms((0x0201, 0x0203, 0x0101))
    weak = ClientHello(suites, extensions=(extensions.supported_groups((0x0017,)), only))
    assert (alert_of(front, weak.to_records()) or (0,))[0] == 40
    silent = ClientHello(suites, extensions=(extensions.supported_groups((0x0017,)),))
    assert (alert_of(front, silent.to_records()) or (0,))[0] == 40


def test_a_corrupted_record_ends_the_connection_with_bad_record_mac(front: Front) -> None:
    for version in (0x0303, 0x0304):
        raw = socket.create_connection(front.address, DEADLINE)
        connection = SSL.Connection(client_context(version=version), None)
        connection.set_connect_state()
        shake(connection, raw)
        connection.send(b"ping")
        record = bytearray(connection.bio_read(1 << 16))
        record[-1] ^= 1
        raw.sendall(record)
        with pytest.raises(SSL.Error) as raised:
            while data := raw.recv(1 << 16):
                connection.bio_write(data)
                with contextlib.suppress(SSL.WantReadError):
                    connection.recv(1)
        assert "bad record mac" in str(raised.value)
        assert raw.recv(1) == b""
        raw.close()


def shake(connection: SSL.Connection, raw: socket.socket) -> None:
    """Complete the handshake of a memory `connection` over `raw`."""
    raw.settimeout(DEADLINE)
    while True:
        done = False
        with contextlib.suppress(SSL.WantReadError):
            connection.do_handshake()
            done = True
        with contextlib.suppress(SSL.WantReadError):
            raw.sendall(connection.bio_read(1 << 16))
        if done:
            return
        connection.bio_write(raw.recv(1 << 16))


def test_renegotiation_is_refused(front: Front) -> None:
    connection = handshake(front, client_context(version=0x0303))
    assert connection.renegotiate()
    with pytest.raises(SSL.Error, match="no renegotiation"):
        connection.do_handshake()


def test_tickets_live_a_week_at_most_and_resume(front: Front) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    session = None
    for resumed in (False, True):
        with (
            socket.create_connection(front.address, DEADLINE) as raw,
            context.wrap_socket(raw, server_hostname="localhost", session=session) as secured,
        ):
            secured.sendall(b"ping")
            assert secured.recv(4) == b"ping"
            assert secured.session_reused is resumed
            session = secured.session
            assert session is not None
            assert 0 < session.ticket_lifetime_hint <= 604_800


@pytest.mark.parametrize(
    "first", [b"\x01\x00\x00\x00\x00\x04\x00\x01\x00\x00", b"GET / HTTP/1.1\r\n\r\n", b"\x80\x2e\x01\x00\x02"]
)
def test_what_is_not_tls_gets_no_application(front: Front, first: bytes) -> None:
    with socket.create_connection(front.address, DEADLINE) as raw:
        raw.sendall(first)
        raw.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while data := raw.recv(100):
                answer += data
    assert answer[:1] in (b"", b"\x15")


@pytest.mark.parametrize("version", [0x0303, 0x0304])
def test_client_certificates_are_judged(pki: Pki, version: int) -> None:
    with Front(Router(settings_for(pki, "B.12", "required")), echo) as front:
        for case in ("client", "client_unknown_ca", "client_expired", None):
            context = client_context(version=version)
            if case is not None:
                context.use_certificate(pki.issue(case).certificate)
                context.use_privatekey_file(str(pki.key_file(case)))
            try:
                connection = handshake(front, context)
                connection.sendall(b"ping")
                answered = connection.recv(4) == b"ping"
            except SSL.Error:
                answered = False
            assert answered is (case == "client"), case


def test_idle_connections_block_nobody_and_end_at_their_deadline(pki: Pki) -> None:
    limits = Limits(opening=2.0)
    with Front(Router(settings_for(pki, "B.12", limits=limits)), echo) as front, contextlib.ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(front.address, DEADLINE)) for _ in range(40)]
        for each in idle[:20]:
            each.sendall(b"\x16\x03\x01\x02\x00\x01")
        answers: list[bytes] = []

        def ask() -> None:
            connection = handshake(front, client_context())
            connection.sendall(b"ping")
            answers.append(connection.recv(4))

        askers = [threading.Thread(target=ask) for _ in range(12)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join(DEADLINE)
        assert answers == [b"ping"] * 12
        assert idle[-1].recv(100) == b""


def test_large_data_passes_both_ways_at_once(front: Front) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    sent = memoryview(bytes(range(256)) * 8192)
    received, position = bytearray(), 0
    with socket.create_connection(front.address, DEADLINE) as raw, context.wrap_socket(raw) as secured:
        secured.setblocking(False)
        while len(received) < len(sent):
            ready = select.select([secured], [secured] if position < len(sent) else [], [], DEADLINE)
            assert any(ready), "nothing moved until the deadline"
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                if position < len(sent):
                    position += secured.send(sent[position : position + (1 << 17)])
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                while piece := secured.recv(1 << 16):
                    received += piece
    assert received == sent


def test_stop_ends_every_thread_and_frees_the_port(pki: Pki) -> None:
    before = set(threading.enumerate())
    front = Front(Router(settings_for(pki, "B.12")), echo)
    front.start()
    address = front.address
    idle = socket.create_connection(address, DEADLINE)
    secured = handshake(front, client_context())
    secured.sendall(b"ping")
    assert secured.recv(4) == b"ping"
    front.stop()
    assert idle.recv(1) == b""
    idle.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, DEADLINE)
    left = [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("tls-front")]
    assert left == []


@given(st.binary(max_size=200))
def test_any_opening_is_classified(data: bytes) -> None:
    opening = classify(data)
    assert opening.data == data
    assert (opening.kind is OpeningKind.NOTHING) is (not data)
    if opening.hello is not None:
        assert opening.kind is OpeningKind.TLS


@given(
    st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=40),
    st.integers(0x0300, 0x03FF),
    st.binary(max_size=32),
    st.data(),
)
def test_a_hello_is_read_back(suites: list[int], version: int, session_id: bytes, data: st.DataObject) -> None:
    sent = ClientHello(tuple(suites), version, session_id=session_id).to_records(0x0301)
    read = parse_hello(sent)
    assert read is not None
    assert (read.suites, read.version, read.session_id) == (tuple(suites), version, session_id)
    assert parse_hello(sent[: data.draw(st.integers(0, len(sent) - 1))]) is None
