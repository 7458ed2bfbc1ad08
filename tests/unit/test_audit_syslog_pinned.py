"""A receiver that knows its senders by fingerprints alone is no other than one that knows their authorities."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.pki import Pki
from reference_impl.audit.syslog.arrivals import ReceiverLimits
from reference_impl.audit.syslog.receiver_thread import ReceiverThread
from reference_impl.audit.syslog.tls import ServerTls, Trust, fingerprint
from tests.unit.audit_syslog_bench import LOOPBACK, SOON, client_tls, connect, frames, pki_in, reset

KNOWN = "client_unknown_ca"
"""A sender whose certificate leads nowhere."""


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return pki_in(tmp_path_factory.mktemp("pki"))


def pinned(pki: Pki, *fingerprints: str, names: tuple[str, ...] = ()) -> ServerTls:
    case = "server_key_encipherment"
    return ServerTls(pki.certificate_file(case), pki.key_file(case), Trust(fingerprints=fingerprints, names=names))


@pytest.fixture(params=["sha-256", "sha-1"])
def receiver(request: pytest.FixtureRequest, pki: Pki) -> Iterator[ReceiverThread]:
    known = fingerprint(pki.issue(KNOWN).chain_der[0], request.param)
    expired = fingerprint(pki.issue("client_expired").chain_der[0], request.param)
    with ReceiverThread(tls=pinned(pki, known, expired), tcp=LOOPBACK, limits=ReceiverLimits(closing=0.2)) as running:
        yield running


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_known_senders_are_believed(receiver: ReceiverThread, pki: Pki, version: ssl.TLSVersion) -> None:
    messages = [b"<85>1 one", b"x" * 500_000, b"<85>1 two"]
    for number, case in enumerate((KNOWN, "client_expired"), 1):
        context = client_tls(pki, case).context()
        context.maximum_version = version
        with connect(receiver.addresses["tls"], context) as sender:
            sender.sendall(frames(*messages))
            assert len(receiver.await_messages(3 * number, SOON)) == 3 * number
            sender.unwrap().close()  # raises unless close_notify is answered
        facts = receiver.await_connections(number, SOON)[-1]
        assert (facts.ending, facts.messages, facts.refused) == ("close-notify", 3, "")
        assert facts.certificate == pki.issue(case).chain_der[0]
        assert facts.version == version.name.replace("_", ".")
        assert facts.suite
    assert [each.octets for each in receiver.messages] == messages * 2


def test_who_closes_at_once_without_a_word_loses_nothing(receiver: ReceiverThread, pki: Pki) -> None:
    context = client_tls(pki, KNOWN).context()
    for _ in range(20):
        with connect(receiver.addresses["tls"], context) as sender:
            sender.sendall(frames(*[b"x" * 2000] * 200))
    assert {each.ending for each in receiver.await_connections(20, SOON)} == {"close"}
    assert len(receiver.messages) == 20 * 200


@pytest.mark.parametrize("case", ["", "client"])
def test_others_are_refused_with_an_alert(receiver: ReceiverThread, pki: Pki, case: str) -> None:
    sender = connect(receiver.addresses["tls"], client_tls(pki, case).context())
    with sender, contextlib.suppress(BrokenPipeError):
        sender.sendall(frames(b"hello"))
        with pytest.raises(ssl.SSLError, match="alert"):
            sender.recv(1)
    (facts,) = receiver.await_connections(1, SOON)
    assert facts.refused
    assert receiver.messages == ()


def test_names_hold_beside_fingerprints(pki: Pki) -> None:
    known = fingerprint(pki.issue(KNOWN).chain_der[0])
    with ReceiverThread(tls=pinned(pki, known, names=("other.example",)), tcp=LOOPBACK) as receiver:
        with connect(receiver.addresses["tls"], client_tls(pki, KNOWN).context()) as sender:
            assert sender.recv(1) == b""
        assert "none of the names" in receiver.await_connections(1, SOON)[0].refused


def test_what_is_no_tls_harms_nobody(receiver: ReceiverThread, pki: Pki) -> None:
    address, context = receiver.addresses["tls"], client_tls(pki, KNOWN).context()
    with connect(address, context) as good:
        for noise in (b"<85>1 - - - - - -", b"\x16\x03\x01\x00\x05" + b"\xff" * 50):
            with socket.create_connection(address, timeout=SOON) as raw, contextlib.suppress(OSError):
                raw.sendall(noise)
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(100):
                    pass
        broken = connect(address, context)
        broken.sendall(b"5 he")
        reset(broken)
        with connect(address, context) as odd:
            odd.sendall(b"nonsense")
            assert odd.recv(1) == b""
        good.sendall(frames(b"still"))
        assert [each.octets for each in receiver.await_messages(1, SOON)] == [b"still"]
    assert len(receiver.await_connections(5, SOON)) == 5


def test_files_that_are_no_certificate_are_told(pki: Pki, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("nonsense")
    wrong = ServerTls(tmp_path / "x", pki.key_file("server"), Trust(fingerprints=("00" * 32,)))
    with pytest.raises(ssl.SSLError, match="no certificate with its key"):
        ReceiverThread(tls=wrong, tcp=LOOPBACK).start()
