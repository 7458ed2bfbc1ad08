"""Sessions against Python's own TLS stack: full, resumed, with and without a client certificate."""

from __future__ import annotations

import socket
import ssl

import pytest
from tlslite.api import TLSConnection, X509CertChain, parsePEMKey
from tlslite.constants import KeyUpdateMessageType

from fixtures.pki import Pki
from harness.observations import Exchange, ReactionKind
from harness.observations.transport import TLS12, TLS13
from harness.probes.base import ClientCredentials
from harness.probes.transport.session import Offer, Session, Stop
from harness.probes.transport.session_credentials import load_identity, unknown_identity
from harness.probes.transport.session_offers import offer_of
from tests.unit.session_servers import context_of, over_tls, serving


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


def settings(pki: Pki, case: str = "server", **changes: object) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.certificate_file(case), pki.key_file(case))
    context.set_ciphers("ALL:@SECLEVEL=0")
    for name, value in changes.items():
        setattr(context, name, value)
    return context


def echo(secured: ssl.SSLSocket) -> None:
    while data := secured.recv(4096):
        secured.sendall(b"echo " + data)


@pytest.mark.parametrize("version", [TLS12, TLS13])
@pytest.mark.parametrize("case", ["server", "server_ec", "server_ed25519"])
def test_data_flows_both_ways_after_a_handshake(pki: Pki, version: int, case: str) -> None:
    exchanges: list[Exchange] = []
    with serving(over_tls(settings(pki, case), echo)) as port:
        context = context_of(port, exchanges=exchanges, keep_secrets=True)
        with Session(context, offer_of(context, version), "unit") as session:
            reaction = session.handshake()
            assert reaction.kind is ReactionKind.COMPLETED, reaction
            assert session.send(b"hello")
            assert session.read(1.0).data == b"echo hello"
            end = session.drain(1.0)
            assert end is not None
            assert end.kind is ReactionKind.CLOSE
    (exchange,) = exchanges
    assert exchange.id == reaction.exchange
    assert exchange.segments[0][0] == "sent"
    assert bytes.fromhex(exchange.segments[0][2])[:2] == b"\x16\x03"
    assert exchange.secrets
    assert "completed" in exchange.outcome


def test_secrets_stay_out_of_evidence_unless_asked_for(pki: Pki) -> None:
    exchanges: list[Exchange] = []
    with serving(over_tls(settings(pki), echo)) as port:
        context = context_of(port, exchanges=exchanges)
        with Session(context, offer_of(context, TLS13), "unit") as session:
            session.handshake()
    assert exchanges[0].secrets == ()


@pytest.mark.parametrize(
    "code", [0xC02F, 0xCCA8, 0x009C, 0xC09C, 0xC0A0, 0xC013, 0xC027, 0xC028, 0x002F, 0x003D, 0x0041]
)
@pytest.mark.parametrize("encrypt_then_mac", [True, False])
def test_suites_of_tls_1_2(pki: Pki, code: int, encrypt_then_mac: bool) -> None:
    with serving(over_tls(settings(pki), echo)) as port:
        context = context_of(port)
        offer = offer_of(context, TLS12, suites=(code,), encrypt_then_mac=encrypt_then_mac)
        with Session(context, offer, "unit") as session:
            assert session.handshake().kind is ReactionKind.COMPLETED
            session.send(b"x" * 1000)
            assert session.read(1.0).data == b"echo " + b"x" * 1000


@pytest.mark.parametrize("code", [0x1301, 0x1302, 0x1303])
def test_suites_of_tls_1_3(pki: Pki, code: int) -> None:
    with serving(over_tls(settings(pki), echo)) as port:
        context = context_of(port)
        with Session(context, offer_of(context, TLS13, suites=(code,)), "unit") as session:
            assert session.handshake().suite == code
            session.send(b"abc")
            assert session.read(1.0).data == b"echo abc"


def test_without_extended_master_secret(pki: Pki) -> None:
    with serving(over_tls(settings(pki), echo)) as port:
        context = context_of(port)
        with Session(context, offer_of(context, TLS12, extended_master_secret=False), "unit") as session:
            assert session.handshake().kind is ReactionKind.COMPLETED


def test_retry_request_is_followed(pki: Pki) -> None:
    server = settings(pki)
    server.set_ecdh_curve("secp384r1")
    with serving(over_tls(server, echo)) as port:
        context = context_of(port)
        with Session(context, offer_of(context, TLS13), "unit") as session:
            assert session.handshake().kind is ReactionKind.COMPLETED
            assert session.flight.retried
            session.send(b"abc")
            assert session.read(1.0).data == b"echo abc"


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_handshake_stops_where_it_is_told_to(pki: Pki, version: int) -> None:
    with serving(over_tls(settings(pki), echo)) as port:
        context = context_of(port)
        with Session(context, offer_of(context, version), "unit") as session:
            assert session.handshake(Stop.SERVER_FLIGHT).kind is ReactionKind.SERVER_HELLO
    assert not session.established
    assert session.flight.certificates
    assert session.flight.scheme is not None


def test_resumption_by_id_ticket_and_psk(pki: Pki) -> None:
    with serving(over_tls(settings(pki), echo)) as port:
        context = context_of(port)
        plans: tuple[tuple[int, dict[str, object]], ...] = ((TLS12, {"session_ticket": True}), (TLS12, {}), (TLS13, {}))
        for version, changes in plans:
            first = _completed(context_of(port), version, changes)
            again = _completed(context, version, {**changes, "resume": first.resumable[0]})
            assert not first.flight.resumed
            assert again.flight.resumed
            assert again.flight.certificates is None


def _completed(context: object, version: int, changes: dict[str, object]) -> Session:
    offer: Offer = offer_of(context, version, **changes)  # type: ignore[arg-type]
    with Session(context, offer, "unit") as session:  # type: ignore[arg-type]
        assert session.handshake().kind is ReactionKind.COMPLETED
        session.send(b"abc")
        assert session.read(1.0).data == b"echo abc"
    return session


def test_resumption_after_a_retry_request(pki: Pki) -> None:
    server = settings(pki)
    server.set_ecdh_curve("secp384r1")
    with serving(over_tls(server, echo)) as port:
        context = context_of(port)
        first = _completed(context, TLS13, {})
        again = _completed(context, TLS13, {"resume": first.resumable[0]})
        assert again.flight.retried
        assert again.flight.resumed


@pytest.mark.parametrize("asked", [KeyUpdateMessageType.update_requested, KeyUpdateMessageType.update_not_requested])
def test_key_updates_are_followed(pki: Pki, asked: int) -> None:
    chain, key = X509CertChain(), parsePEMKey(pki.key_file("server").read_text(), private=True)
    chain.parsePemList(pki.certificate_file("server").read_text())

    def script(connection: socket.socket) -> None:
        server = TLSConnection(connection)
        server.handshakeServer(certChain=chain, privateKey=key)
        server.write(server.read(max=5))
        for _ in server.send_keyupdate_request(asked):
            pass
        server.write(server.read(max=5))
        server.write(server.read(max=5))
        server.close()

    with serving(script) as port:
        context = context_of(port)
        with Session(context, offer_of(context, TLS13), "unit") as session:
            assert session.handshake().kind is ReactionKind.COMPLETED
            for word in (b"first", b"then!", b"after"):
                session.send(word)
                assert session.read(1.0).data == word


def test_a_ticket_is_not_taken_for_another_session(pki: Pki) -> None:
    with serving(over_tls(settings(pki), echo)) as port:
        context = context_of(port)
        first = _completed(context, TLS13, {})
        kept = first.resumable[0]
        broken = type(kept)(**{**vars(kept), "ticket": kept.ticket[:-1] + bytes((kept.ticket[-1] ^ 1,))})
        again = _completed(context, TLS13, {"resume": broken})
        assert not again.flight.resumed


@pytest.mark.parametrize("version", [TLS12, TLS13])
@pytest.mark.parametrize(("case", "admitted"), [("client", True), ("client_unknown_ca", False), ("", False)])
def test_client_certificates(pki: Pki, version: int, case: str, admitted: bool) -> None:
    server = settings(pki, verify_mode=ssl.CERT_REQUIRED)
    server.load_verify_locations(pki.trust_anchors_file())
    identity = None
    if case:
        given = ClientCredentials(pki.certificate_file(case).read_bytes(), pki.key_file(case).read_bytes())
        identity = load_identity(given)
    with serving(over_tls(server, echo)) as port:
        context = context_of(port)
        with Session(context, offer_of(context, version, identity=identity), "unit") as session:
            reaction = session.handshake()
            session.send(b"abc")
            incoming = session.read(1.0) if session.established else None
    assert session.flight.request is not None
    assert (incoming is not None and incoming.data == b"echo abc") is admitted
    if not admitted and version == TLS12:
        assert reaction.refused


@pytest.mark.parametrize("kind", ["ec", "rsa"])
@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_made_up_identity_is_well_formed(pki: Pki, kind: str, version: int, tmp_path: object) -> None:
    """Where its authority is trusted after all, its certificate and signature are accepted."""
    identity = unknown_identity(kind)
    server = settings(pki, verify_mode=ssl.CERT_REQUIRED)
    server.load_verify_locations(cadata=identity.chain[1])
    with serving(over_tls(server, echo)) as port:
        context = context_of(port)
        with Session(context, offer_of(context, version, identity=identity), "unit") as session:
            assert session.handshake().kind is ReactionKind.COMPLETED
            session.send(b"abc")
            assert session.read(1.0).data == b"echo abc"


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_broken_record_is_answered_by_bad_record_mac(pki: Pki, version: int) -> None:
    with serving(over_tls(settings(pki), echo)) as port:
        context = context_of(port)
        with Session(context, offer_of(context, version), "unit") as session:
            assert session.handshake().kind is ReactionKind.COMPLETED
            session.send(b"hello", corrupt=True)
            end = session.read(1.0).end
            assert end is not None
            assert (end.kind, end.alert) == (ReactionKind.ALERT, 20)
