"""The server of trials, seen by real clients: what it records of them, whom it serves, and when a trial is over."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator

import pytest

from fixtures.pki import Pki
from harness.dicom_ul import associate_rq
from reference_impl.transport.wire import ClientHello
from tests.unit.trial_bench import ASSOCIATE, DEADLINE, Bench, client_context, echoscu, trial_bench


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


@pytest.fixture(scope="module")
def bench(pki: Pki) -> Iterator[Bench]:
    with trial_bench(pki, keep_secrets=True) as running:
        yield running


def test_an_ordinary_echo_of_dcmtk_is_answered_and_recorded(bench: Bench) -> None:
    bench.play("ordinary")
    done = echoscu(bench)
    assert done.returncode == 0, done.stderr
    seen = bench.came("ordinary")
    assert (seen.opening, seen.progress, seen.application) == ("tls", "completed", "association")
    assert seen.association_accepted
    assert seen.operations == ("C-ECHO",)
    assert seen.application_octets > 100
    assert seen.application_first.startswith("0100")
    assert seen.hello is not None
    assert seen.hello.ja4[0] == "t"
    assert seen.certificates is not None
    assert seen.certificates[0].common_name == "PS315 Test Client"
    assert seen.scheme is not None
    assert seen.ended in {"close_notify", "close"}
    exchange = bench.exchanges[-1]
    assert exchange.id == seen.exchange
    assert exchange.segments[0][0] == "received"
    assert any(line.startswith("CLIENT_") for line in exchange.secrets)
    said = [line for line in exchange.decoded if not line.startswith(" ")]
    assert said[0].startswith("received client_hello")
    assert any(line.startswith("received certificate_verify") and line.endswith("protected") for line in said)
    assert any(line.startswith("received application data") for line in said)


@pytest.mark.parametrize("trial", ["ordinary", "ordinary-1.2"])
def test_what_a_client_of_openssl_shows(bench: Bench, pki: Pki, trial: str) -> None:
    bench.play(trial)
    assert bench.handshake(client_context(pki), ASSOCIATE) == "answered"
    seen = bench.came(trial)
    assert seen.version == (0x0304 if trial == "ordinary" else 0x0303)
    assert seen.progress == "completed"
    assert seen.application_octets == len(ASSOCIATE)
    assert seen.scheme == 0x0804
    assert len(seen.explicit_nonces) == (0 if trial == "ordinary" else 2)
    assert seen.hello is not None
    assert seen.hello.server_name == "localhost"
    assert seen.hello.supported_versions == (0x0304, 0x0303)


def test_a_client_without_a_certificate_shows_an_empty_list(bench: Bench, pki: Pki) -> None:
    bench.play("ordinary")
    assert bench.handshake(client_context(pki, certificate=False), ASSOCIATE) == "answered"
    assert bench.came("ordinary").certificates == ()


def test_a_client_that_does_not_trust_the_certificate_sends_its_alert_protected(bench: Bench) -> None:
    bench.play("ordinary")
    strict = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert bench.handshake(strict) == "SSLCertVerificationError"
    seen = bench.came("ordinary")
    assert (seen.progress, seen.ended, seen.alert, seen.fatal) == ("hello", "alert", 48, True)
    assert seen.application_octets == 0


def test_in_tls_1_2_the_client_key_of_a_finite_field_is_kept(bench: Bench, pki: Pki) -> None:
    bench.play("suite-dhe")
    context = client_context(pki, ciphers="DHE-RSA-AES128-GCM-SHA256", maximum=ssl.TLSVersion.TLSv1_2)
    assert bench.handshake(context, ASSOCIATE) == "answered"
    assert len(bytes.fromhex(bench.came("suite-dhe").dhe_public)) == 256


def test_a_second_hello_after_a_retry_is_kept(bench: Bench, pki: Pki) -> None:
    bench.play("retry")
    assert bench.handshake(client_context(pki), ASSOCIATE) == "answered"
    seen = bench.came("retry")
    assert seen.hello is not None
    assert seen.second_hello is not None
    assert set(seen.second_hello.key_shares or ()).isdisjoint(seen.hello.key_shares or ())
    assert seen.group in (seen.second_hello.key_shares or ())


def test_a_trial_that_is_to_be_refused_answers_no_application_data(bench: Bench, pki: Pki) -> None:
    bench.play("certificate/expired")
    assert bench.handshake(client_context(pki, verify=False), ASSOCIATE) == "closed"
    seen = bench.came("certificate/expired")
    assert (seen.application_octets, seen.application, seen.ended) == (len(ASSOCIATE), "association", "harness")
    assert not seen.association_accepted


def test_web_clients_get_an_answer(pki: Pki) -> None:
    with trial_bench(pki, "https") as bench:
        bench.play("ordinary")
        request = b"POST /studies HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"
        assert bench.handshake(client_context(pki, alpn=("h2", "http/1.1")), request) == "answered"
        seen = bench.came("ordinary")
        assert (seen.application, seen.operations) == ("http", ("POST /studies HTTP/1.1",))
        assert seen.hello is not None
        assert seen.hello.alpn == ("h2", "http/1.1")


def test_syslog_is_swallowed(pki: Pki) -> None:
    with trial_bench(pki, "syslog-tls") as bench:
        bench.play("ordinary")
        with (
            socket.create_connection(bench.server.address, DEADLINE) as raw,
            client_context(pki).wrap_socket(raw, server_hostname="localhost") as secured,
        ):
            secured.sendall(b"11 <85>1 - - - ")
        seen = bench.came("ordinary")
        assert (seen.application, seen.application_octets) == ("syslog", 15)


@pytest.mark.parametrize(
    ("data", "opening"),
    [
        (ASSOCIATE, "dicom"),
        (b"GET / HTTP/1.1\r\n\r\n", "http"),
        (b"\x00hello", "other"),
        (b"\x16\x03\x01\x00", "other"),
    ],
)
def test_what_is_no_tls_is_named_and_ended(pki: Pki, data: bytes, opening: str) -> None:
    with trial_bench(pki) as bench:
        bench.play("ordinary")
        with socket.create_connection(bench.server.address, DEADLINE) as raw:
            raw.sendall(data)
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(1 << 12):
                pass
        assert bench.came("ordinary").opening == opening


def test_an_ssl2_hello_is_recognised_and_answered_in_its_trial(bench: Bench) -> None:
    hello = bytes.fromhex("802e0100020015000000100100800300800700c0") + bytes(28)
    bench.play("ssl-2.0")
    with socket.create_connection(bench.server.address, DEADLINE) as raw:
        raw.sendall(hello)
        assert raw.recv(1 << 14)[2] == 4  # SERVER-HELLO
    seen = bench.came("ssl-2.0")
    assert (seen.opening, seen.progress, seen.version) == ("ssl2", "hello", 2)
    assert seen.hello is not None
    assert seen.hello.ssl2_format


def test_strangers_are_turned_away_and_named(pki: Pki) -> None:
    with trial_bench(pki, sut_addresses=frozenset({"192.0.2.7"})) as bench:
        bench.play("ordinary")
        with socket.create_connection(bench.server.address, DEADLINE) as raw:
            assert not raw.recv(10)
        bench.server.wait(0.2)
        assert bench.server.result() == ((), ("127.0.0.1",))


def test_two_at_once_are_both_served(bench: Bench, pki: Pki) -> None:
    bench.play("ordinary")
    threads = [threading.Thread(target=bench.handshake, args=(client_context(pki), ASSOCIATE)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    bench.server.wait(DEADLINE, until=lambda: len(bench.server.result()[0]) == 2, settle=0.0)
    assert [seen.operations or seen.application for seen in bench.server.result()[0]] == ["association"] * 2


def test_a_wait_ends_at_its_deadline_when_nobody_comes(bench: Bench) -> None:
    bench.play("ordinary")
    began = time.monotonic()
    bench.server.wait(0.3)
    assert 0.25 < time.monotonic() - began < 2
    assert bench.server.result() == ((), ())


def test_a_wait_asks_until(bench: Bench, pki: Pki) -> None:
    bench.play("ordinary")
    bench.handshake(client_context(pki), ASSOCIATE)
    over = threading.Event()

    def end() -> None:
        over.set()
        bench.server.poke()

    timer = threading.Timer(0.3, end)
    timer.start()
    began = time.monotonic()
    bench.server.wait(DEADLINE, until=over.is_set, settle=0.0)
    assert over.is_set()
    assert time.monotonic() - began < 5


def test_connections_belong_to_the_trial_in_which_they_began(bench: Bench, pki: Pki) -> None:
    bench.play("ordinary")
    with (
        socket.create_connection(bench.server.address, DEADLINE) as raw,
        client_context(pki).wrap_socket(raw, server_hostname="localhost"),
    ):
        bench.play("ordinary-1.2")
        bench.handshake(client_context(pki), ASSOCIATE)
        assert bench.came("ordinary-1.2").version == 0x0303


def test_silence_ends_a_connection(bench: Bench) -> None:
    bench.play("ordinary")
    with socket.create_connection(bench.server.address, DEADLINE) as raw:
        raw.sendall(ClientHello((0x1301,)).to_records()[:20])
        assert not raw.recv(10)
    assert bench.came("ordinary").ended == "silence"


def test_many_connections_are_bounded(bench: Bench) -> None:
    bench.play("ordinary")
    for _ in range(60):
        with socket.create_connection(bench.server.address, DEADLINE) as raw:
            raw.sendall(b"x")
            raw.settimeout(DEADLINE)
            try:
                while raw.recv(64):
                    pass
            except ConnectionError:
                pass
    bench.server.wait(DEADLINE, settle=0.0)
    assert len(bench.server.result()[0]) == 50


def test_titles_and_contexts_of_any_kind_are_accepted(bench: Bench, pki: Pki) -> None:
    bench.play("ordinary")
    request = associate_rq("SCU", "SOMEBODY", "1.2.840.10008.1.20.1")
    assert bench.handshake(client_context(pki), request) == "answered"
    seen = bench.came("ordinary")
    assert seen.association_accepted
    assert "SOMEBODY" in seen.detail
