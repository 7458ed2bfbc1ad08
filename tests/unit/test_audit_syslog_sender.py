"""The sender of syslog: nothing is lost or doubled, whatever becomes of the receiver, the connection or the program."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.pki import Pki
from reference_impl.audit.syslog.arrivals import Arrived
from reference_impl.audit.syslog.receiver_thread import ReceiverThread
from reference_impl.audit.syslog.sender import Destination, Sender, SenderLimits, SpoolError
from reference_impl.audit.syslog.spool import Spool
from reference_impl.audit.syslog.tls import ClientTls, Trust, fingerprint
from tests.unit import audit_spooling_program
from tests.unit.audit_syslog_bench import LOOPBACK, SOON, awaited, client_tls, pki_in, reset, server_tls

LIMITS = SenderLimits(first_pause=0.02, longest_pause=0.1, grace=0.05, closing=2.0)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return pki_in(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def receiver(pki: Pki) -> Iterator[ReceiverThread]:
    with ReceiverThread(tls=server_tls(pki), tcp=LOOPBACK, udp=LOOPBACK) as running:
        yield running


def free_port() -> int:
    with socket.create_server(LOOPBACK) as found:
        return int(found.getsockname()[1])


def octets(arrived: Sequence[Arrived]) -> list[bytes]:
    return [each.octets for each in arrived]


def over_tls(pki: Pki, port: int, tls: ClientTls | None = None) -> Destination:
    return Destination("127.0.0.1", port, "tls", tls or client_tls(pki))


def port_of(receiver: ReceiverThread) -> int:
    return receiver.addresses["tls"][1]


def test_messages_go_in_order_over_one_connection_that_is_ended_properly(receiver: ReceiverThread, pki: Pki) -> None:
    messages = [b"%d " % each + b"x" * (each % 3000) for each in range(2000)]
    with Sender(over_tls(pki, port_of(receiver)), limits=LIMITS) as sender:
        sender.send(*messages[:1000])
        for each in messages[1000:]:
            sender.send(each)
        assert sender.flush(SOON)
        assert (sender.waiting, sender.problem, sender.connected) == (0, "", True)
    (facts,) = receiver.await_connections(1, SOON)
    assert octets(receiver.messages) == messages
    assert (facts.ending, facts.pending) == ("close-notify", 0)


def test_what_is_there_when_the_sender_is_closed_is_sent(receiver: ReceiverThread, pki: Pki) -> None:
    sender = Sender(over_tls(pki, port_of(receiver)), limits=LIMITS)
    sender.send(b"last words" * 100_000)
    sender.close()
    assert sender.waiting == 0
    assert len(receiver.await_messages(1, SOON)) == 1
    sender.close()
    with pytest.raises(RuntimeError, match="closed"):
        sender.send(b"more")


def test_a_sender_that_is_closed_tries_one_last_time(pki: Pki) -> None:
    port = free_port()
    sender = Sender(over_tls(pki, port), limits=SenderLimits(first_pause=60))
    sender.send(b"one")
    assert awaited(lambda: "cannot be reached" in sender.problem)
    with ReceiverThread(tls=server_tls(pki), tcp=("127.0.0.1", port)) as receiver:
        sender.close()
        assert octets(receiver.messages) == [b"one"]
    assert sender.waiting == 0


def test_several_threads_may_send(receiver: ReceiverThread, pki: Pki) -> None:
    with Sender(over_tls(pki, port_of(receiver)), limits=LIMITS) as sender:

        def talk(who: int) -> None:
            for each in range(200):
                sender.send(b"%d %d" % (who, each))

        threads = [threading.Thread(target=talk, args=(who,)) for who in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert sender.flush(SOON)
    found = [message.split() for message in octets(receiver.messages)]
    for who in range(4):
        assert [int(each) for by, each in found if int(by) == who] == list(range(200))


def test_an_absent_receiver_gets_everything_when_it_is_there(pki: Pki, tmp_path: Path) -> None:
    port, messages = free_port(), [b"%d" % each for each in range(100)]
    with Sender(over_tls(pki, port), tmp_path / "spool", LIMITS) as sender:
        sender.send(*messages)
        assert not sender.flush(0.1)
        assert "cannot be reached" in sender.problem
        assert sender.waiting == 100
        with ReceiverThread(tls=server_tls(pki), tcp=("127.0.0.1", port)) as receiver:
            assert sender.flush(SOON)
            assert octets(receiver.messages) == messages
            assert sender.problem == ""


def test_a_receiver_that_is_restarted_again_and_again_loses_and_doubles_nothing(pki: Pki, tmp_path: Path) -> None:
    port, found, number = free_port(), [], 3000
    with Sender(over_tls(pki, port), tmp_path / "spool", LIMITS) as sender:

        def keep_sending() -> None:
            for each in range(number):
                sender.send(b"%d" % each)

        sending = threading.Thread(target=keep_sending)
        sending.start()
        while sending.is_alive() or sender.waiting:
            with ReceiverThread(tls=server_tls(pki), tcp=("127.0.0.1", port)) as receiver:
                receiver.await_messages(number // 8, 0.5)
            found += octets(receiver.messages)
        sending.join()
    assert [int(each) for each in found] == list(range(number))


def test_what_waits_survives_the_sender(pki: Pki, receiver: ReceiverThread, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    with Sender(over_tls(pki, free_port()), spool, LIMITS) as sender:
        sender.send(b"one", b"two")
    assert sender.waiting == 2
    assert spool.stat().st_mode & 0o077 == 0
    with Sender(over_tls(pki, port_of(receiver)), spool, LIMITS) as sender:
        sender.send(b"three")
        assert sender.flush(SOON)
    assert octets(receiver.messages) == [b"one", b"two", b"three"]


def test_nothing_that_the_spool_had_is_lost_when_the_program_is_killed(
    pki: Pki, receiver: ReceiverThread, tmp_path: Path
) -> None:
    chance, said = random.Random(9), []  # noqa: S311 - moments that come again
    for run in range(4):
        arguments = [port_of(receiver), pki.trust_anchors_file("ca"), pki.certificate_file("client")]
        arguments += [pki.key_file("client"), tmp_path / "spool", run * 1000, 200 if run == 3 else 1000]
        program = subprocess.Popen(
            [sys.executable, str(Path(audit_spooling_program.__file__)), *map(str, arguments)],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        with program:
            assert program.stdout is not None
            until = 10**6 if run == 3 else chance.randrange(20, 500)
            for line in program.stdout:
                said.append(int(line))
                if said[-1] == run * 1000 + until:
                    program.kill()
                    break
            else:
                assert program.wait(SOON) == 0
            said += [int(line) for line in program.stdout if line.endswith(b"\n")]
    found = [int(each) for each in octets(receiver.messages)]
    first = list(dict.fromkeys(found))
    assert set(said) <= set(first)
    assert first == sorted(first)
    assert len(said) > 240


def test_a_disk_that_is_full_for_a_while_neither_loses_nor_doubles(pki: Pki, tmp_path: Path) -> None:
    port = free_port()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Sender(over_tls(pki, port), tmp_path / "spool", LIMITS) as sender:
        sender.send(b"one", b"two")
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # no file of this process grows beyond that
        try:
            with pytest.raises(SpoolError, match="cannot be used"):
                sender.send(b"three")
            with ReceiverThread(tls=server_tls(pki), tcp=("127.0.0.1", port)) as receiver:
                assert awaited(lambda: "cannot be used" in sender.problem)
                assert len(receiver.messages) == 2
                assert sender.waiting == 2  # they have gone, and cannot be forgotten yet
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        with ReceiverThread(tls=server_tls(pki), tcp=("127.0.0.1", port)) as again:
            sender.send(b"four")
            assert sender.flush(SOON)
            assert octets(again.messages) == [b"four"]


@pytest.mark.parametrize(
    ("case", "trust", "name", "says"),
    [
        ("client_unknown_ca", {}, "localhost", "unknown ca"),
        ("", {}, "localhost", "certificate required"),
        ("client", {}, "other.example", "Hostname mismatch"),
        ("client", {"anchors": "ca_ec"}, "localhost", "not believed"),
        (
            "client",
            {"fingerprints": ("sha-256:" + ":".join(["00"] * 32),)},
            "localhost",
            "none of those that are known",
        ),
        ("client", {"names": ("other.example",)}, "localhost", "none of the names"),
    ],
)
def test_no_message_goes_where_one_side_does_not_believe_the_other(
    receiver: ReceiverThread, pki: Pki, *, case: str, trust: dict[str, object], name: str, says: str
) -> None:
    believed = {**trust, "anchors": pki.trust_anchors_file(str(trust["anchors"]))} if "anchors" in trust else trust
    tls = client_tls(pki, case, **believed)
    tls = ClientTls(tls.trust, tls.certificate, tls.key, name)
    with Sender(over_tls(pki, port_of(receiver), tls), limits=LIMITS) as sender:
        sender.send(b"secret")
        assert awaited(lambda: says in sender.problem), sender.problem
        assert receiver.messages == ()
        assert sender.waiting == 1


def test_a_receiver_may_be_known_by_itself(receiver: ReceiverThread, pki: Pki) -> None:
    der = pki.issue("server_key_encipherment").chain_der[0]
    shown = (pki.certificate_file("client"), pki.key_file("client"))
    for trust in (
        Trust(fingerprints=(fingerprint(der),)),
        Trust(fingerprints=(fingerprint(der, "sha-1"),)),
        Trust(certificates=(pki.certificate_file("server_key_encipherment"),)),
        Trust(pki.trust_anchors_file("ca"), names=("localhost",)),
    ):
        with Sender(over_tls(pki, port_of(receiver), ClientTls(trust, *shown)), limits=LIMITS) as sender:
            sender.send(b"hello")
            assert sender.flush(SOON), sender.problem


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_a_spool_with_what_no_datagram_holds_is_told_before_anything_waits_behind_it(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    with contextlib.closing(Spool(spool)) as waiting:
        waiting.put([b"one", b"x" * 65508])
    with pytest.raises(SpoolError, match=r"65508 octets waits .*over TLS"):
        Sender(Destination(*LOOPBACK, "udp"), spool)
    with contextlib.closing(Spool(spool)) as waiting:
        assert (waiting.count, waiting.longest()) == (2, 65508)


def test_ipv6(pki: Pki) -> None:
    try:
        receiver = ReceiverThread(tls=server_tls(pki), tcp=("::1", 0), udp=("::1", 0))
        receiver.start()
    except OSError:
        pytest.skip("no IPv6 on the loopback interface")
    for transport in ("tls", "udp"):
        host, port = receiver.addresses[transport]
        to = Destination(host, port, "tls" if transport == "tls" else "udp", client_tls(pki))
        assert str(to) == f"syslog-{transport}://[::1]:{port}"
        with Sender(to, limits=LIMITS) as sender:
            sender.send(transport.encode())
            assert sender.flush(SOON)
    receiver.await_messages(2, SOON)
    receiver.stop()
    assert [(each.octets, each.connection.host) for each in receiver.messages] == [(b"tls", "::1"), (b"udp", "::1")]
    assert all(each.peer.startswith("[::1]:") for each in receiver.connections)


def test_a_sender_has_to_know_whom_to_believe() -> None:
    with pytest.raises(ValueError, match="whom to believe"):
        Sender(Destination("127.0.0.1", 6514))
    with pytest.raises(ValueError, match="to know its receiver by"):
        ClientTls(Trust()).context()


@contextlib.contextmanager
def rude_receiver(pki: Pki, rudeness: str) -> Iterator[tuple[int, list[int]]]:
    """It completes handshakes, counts them, and resets or closes without having read."""
    tls = server_tls(pki).context()
    came: list[int] = []
    with socket.create_server(LOOPBACK) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    raw, _ = listener.accept()
                    with contextlib.suppress(OSError):
                        secured = tls.wrap_socket(raw, server_side=True)
                        came.append(1)
                        if rudeness == "reset":
                            reset(secured)
                        else:
                            secured.recv(1)
                            secured.close()

        serving = threading.Thread(target=serve)
        serving.start()
        try:
            yield listener.getsockname()[1], came
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            serving.join()


@pytest.mark.parametrize("rudeness", ["reset", "close"])
def test_a_receiver_that_breaks_connections_has_confirmed_nothing(pki: Pki, rudeness: str) -> None:
    with rude_receiver(pki, rudeness) as (port, came), Sender(over_tls(pki, port), limits=LIMITS) as sender:
        sender.send(b"x" * 100_000)
        assert awaited(lambda: len(came) >= 2)
        assert sender.waiting == 1
        assert sender.problem


def test_pauses_grow(pki: Pki) -> None:
    limits = SenderLimits(first_pause=0.01, longest_pause=60)
    with rude_receiver(pki, "reset") as (port, came), Sender(over_tls(pki, port), limits=limits) as sender:
        sender.send(b"x")
        assert not sender.flush(0.8)
    assert 1 <= len(came) <= 8  # 0.01 + 0.02 + 0.04 + ... = 0.8 after six or seven


def test_a_stuck_receiver_does_not_keep_the_sender_from_being_closed(pki: Pki) -> None:
    context = server_tls(pki).context()
    with socket.create_server(LOOPBACK) as listener:
        sender = Sender(over_tls(pki, listener.getsockname()[1]), limits=SenderLimits(closing=0.2))
        sender.send(b"x" * (1 << 20), *[b"y" * (1 << 20)] * 20)
        raw, _ = listener.accept()
        with context.wrap_socket(raw, server_side=True):
            assert not sender.flush(0.2)
            sender.close()
        assert sender.waiting > 0


def test_datagrams(receiver: ReceiverThread) -> None:
    to = Destination(*receiver.addresses["udp"], "udp")
    with Sender(to, limits=LIMITS) as sender:
        sender.send(b"one", b"x" * 65507)
        assert sender.flush(SOON)
        with pytest.raises(ValueError, match="65507"):
            sender.send(b"x" * 65508)
        with pytest.raises(ValueError, match="at least one octet"):
            sender.send(b"")
    assert octets(receiver.await_messages(2, SOON)) == [b"one", b"x" * 65507]


def test_datagrams_that_nobody_takes_wait_where_the_network_says_so(pki: Pki) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(LOOPBACK)
        address = found.getsockname()
    with Sender(Destination(address[0], address[1], "udp"), limits=LIMITS) as sender:
        sender.send(b"one", b"two")
        assert awaited(lambda: "refused" in sender.problem)
        assert sender.waiting == 2
        with ReceiverThread(udp=address) as receiver:
            assert sender.flush(SOON)
            assert octets(receiver.await_messages(2, SOON)) == [b"one", b"two"]


def test_the_sender_prefers_ephemeral_keys_and_has_the_mandatory_suite(pki: Pki) -> None:
    server = server_tls(pki).context()
    server.maximum_version = ssl.TLSVersion.TLSv1_2
    for suite in ("ALL", "AES128-SHA"):
        server.set_ciphers(suite)
        server.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
        with (
            socket.create_server(LOOPBACK) as listener,
            Sender(over_tls(pki, listener.getsockname()[1]), limits=replace(LIMITS, closing=0.1)) as sender,
        ):
            sender.send(b"x")
            raw, _ = listener.accept()
            with server.wrap_socket(raw, server_side=True) as secured:
                chosen = secured.cipher()
                assert chosen is not None
                assert chosen[0] == {"ALL": "ECDHE-RSA-AES128-GCM-SHA256"}.get(suite, suite)
                assert secured.recv(10) == b"1 x"
