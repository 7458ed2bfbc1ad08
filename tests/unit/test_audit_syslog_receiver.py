"""The receiver of syslog: whatever senders do, messages come whole and in order, and nobody harms another."""

from __future__ import annotations

import contextlib
import hashlib
import random
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from fixtures.pki import SERVER, CertificateSpec, Pki
from reference_impl.audit.syslog.arrivals import Arrived, Connection, ReceiverLimits
from reference_impl.audit.syslog.receiver import Receiver
from reference_impl.audit.syslog.receiver_thread import ReceiverThread
from reference_impl.audit.syslog.tls import ServerTls, Trust, fingerprint, matches_fingerprint, matches_name
from tests.unit.audit_syslog_bench import (
    LOOPBACK,
    SOON,
    awaited,
    client_tls,
    connect,
    frames,
    pki_in,
    reset,
    server_tls,
)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return pki_in(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def context(pki: Pki) -> ssl.SSLContext:
    return client_tls(pki).context()


@pytest.fixture
def receiver(pki: Pki) -> Iterator[ReceiverThread]:
    limits = ReceiverLimits(closing=0.2)
    with ReceiverThread(tls=server_tls(pki), tcp=LOOPBACK, udp=LOOPBACK, limits=limits) as running:
        yield running


def to(receiver: ReceiverThread, context: ssl.SSLContext) -> ssl.SSLSocket:
    return connect(receiver.addresses["tls"], context)


def octets(arrived: Sequence[Arrived]) -> list[bytes]:
    return [each.octets for each in arrived]


def ended(receiver: ReceiverThread, number: int = 1) -> Connection:
    """The facts of the last connection, once `number` of them have ended."""
    found = receiver.await_connections(number, SOON)
    assert len(found) >= number
    return found[-1]


def closed(connection: ssl.SSLSocket) -> bool:
    """Whether the other side ends TLS properly."""
    try:
        return connection.recv(1) == b""
    except ssl.SSLEOFError:
        return False


def test_messages_split_at_every_octet_come_whole(receiver: ReceiverThread, context: ssl.SSLContext) -> None:
    stream = frames(b"<85>1 one", b"x", "<85>1 zweiundzwanzigstens é".encode())
    with to(receiver, context) as sender:
        for cut in range(1, len(stream)):
            sender.sendall(stream[:cut])
            sender.sendall(stream[cut:])
        for each in stream:
            sender.sendall(bytes([each]))
        found = octets(receiver.await_messages(3 * len(stream), SOON))
    assert found == [b"<85>1 one", b"x", "<85>1 zweiundzwanzigstens é".encode()] * len(stream)


def test_many_messages_in_a_record_and_one_over_many(receiver: ReceiverThread, context: ssl.SSLContext) -> None:
    small = [b"<85>1 %d" % number for number in range(1000)]
    big = bytes(range(256)) * (1 << 12)
    with to(receiver, context) as sender:
        sender.sendall(frames(*small, big, b"after"))
        assert octets(receiver.await_messages(1002, SOON)) == [*small, big, b"after"]


def test_the_facts_of_a_connection_are_told(receiver: ReceiverThread, context: ssl.SSLContext, pki: Pki) -> None:
    with to(receiver, context) as sender:
        sender.sendall(frames(b"one", b"three"))
        receiver.await_messages(2, SOON)
        port = sender.getsockname()[1]
        sender.unwrap().close()  # raises unless close_notify is answered
    facts = ended(receiver)
    assert (facts.ending, facts.messages, facts.octets, facts.pending, facts.framing) == ("close-notify", 2, 8, 0, "")
    assert (facts.version, facts.suite, facts.peer) == ("TLSv1.3", "TLS_AES_256_GCM_SHA384", f"127.0.0.1:{port}")
    shown = pki.issue("client").chain_der[0]
    assert hashlib.sha256(facts.certificate).digest() == hashlib.sha256(shown).digest()
    assert facts.closed is not None


def test_how_a_connection_ends_is_told(receiver: ReceiverThread, context: ssl.SSLContext) -> None:
    with to(receiver, context) as sender:
        sender.sendall(frames(b"whole") + b"9 part")
        receiver.await_messages(1, SOON)
        sender.shutdown(socket.SHUT_WR)
        facts = ended(receiver, 1)
        assert (facts.ending, facts.pending) == ("close", 4)
    sender = to(receiver, context)
    sender.sendall(frames(b"whole"))
    receiver.await_messages(2, SOON)
    reset(sender)
    assert ended(receiver, 2).ending == "reset"


@pytest.mark.parametrize(
    ("stream", "arrives", "says"),
    [
        (b"<85>1 - - - - - -\n", [], "begins with its length"),
        (b"5 hello\n5 world", [b"hello"], "begins with its length"),
        (b"4 hello5 world", [b"hell"], "begins with its length"),
        (b"6 hello5 world", [b"hello5"], "begins with its length"),
        (b"05 hello", [], "does not begin with 0"),
        (b"0 ", [], "does not begin with 0"),
        (b"-5 hello", [], "begins with its length"),
        (b"9" * 5000, [], "more than 1048576"),
        (b"1048577 x", [], "more than 1048576"),
        (b"5 hello garbage 5 world", [b"hello"], "begins with its length"),
        (b"\x00" * 100, [], "begins with its length"),
    ],
)
def test_what_is_no_frame_ends_its_connection_alone(
    receiver: ReceiverThread, context: ssl.SSLContext, stream: bytes, arrives: list[bytes], says: str
) -> None:
    with to(receiver, context) as other, to(receiver, context) as sender:
        other.sendall(b"5 be")
        sender.sendall(stream)
        assert closed(sender)
        assert octets(receiver.messages) == arrives
        facts = ended(receiver)
        assert says in facts.framing
        assert facts.no_frame
        assert facts.no_frame[:20] in stream
        other.sendall(b"sid")
        assert octets(receiver.await_messages(len(arrives) + 1, SOON)) == [*arrives, b"besid"]


def test_a_count_that_is_one_too_large_stays_unfinished(receiver: ReceiverThread, context: ssl.SSLContext) -> None:
    with to(receiver, context) as sender:
        sender.sendall(b"6 hello")
        sender.unwrap().close()
    facts = ended(receiver)
    assert (facts.pending, facts.messages, facts.framing, facts.ending) == (5, 0, "", "close-notify")


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("", "peer did not return a certificate"),
        ("client_unknown_ca", "not believed"),
        ("client_expired", "certificate has expired"),
    ],
)
def test_senders_that_are_not_believed_are_refused(receiver: ReceiverThread, pki: Pki, case: str, says: str) -> None:
    with contextlib.suppress(ssl.SSLError, ConnectionError), to(receiver, client_tls(pki, case).context()) as sender:
        sender.sendall(frames(b"hello"))
        with pytest.raises(ssl.SSLError, match="alert"):
            sender.recv(1)
    facts = ended(receiver)
    assert says in facts.refused
    assert receiver.messages == ()


def test_plain_text_is_refused(receiver: ReceiverThread) -> None:
    with socket.create_connection(receiver.addresses["tls"], timeout=SOON) as sender:
        sender.sendall(frames(b"<85>1 - - - - - - hello"))
        assert sender.recv(100) == b""
    assert ended(receiver).refused
    assert receiver.messages == ()


@pytest.mark.parametrize("suite", ["AES128-SHA", "ECDHE-RSA-AES128-GCM-SHA256"])
def test_the_mandatory_suites_are_taken(receiver: ReceiverThread, pki: Pki, suite: str) -> None:
    context = client_tls(pki).context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(suite)
    with to(receiver, context) as sender:
        sender.sendall(frames(b"hello"))
        assert octets(receiver.await_messages(1, SOON)) == [b"hello"]
        sender.unwrap().close()
    assert ended(receiver).suite == suite


def test_ephemeral_keys_are_preferred(receiver: ReceiverThread, pki: Pki) -> None:
    context = client_tls(pki).context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256")
    with to(receiver, context) as sender:
        chosen = sender.cipher()
        assert chosen is not None
        assert chosen[0] == "ECDHE-RSA-AES128-GCM-SHA256"


@pytest.mark.parametrize(
    ("trust", "says"),
    [
        ({"names": ("other.example", "PS315 Test Client")}, ""),
        ({"names": ("other.example",)}, "none of the names"),
        ({"fingerprints": ("sha-256:" + "00:" * 31 + "00",)}, "none of those that are known"),
    ],
)
def test_senders_may_have_to_bear_a_name_or_be_known(
    pki: Pki, context: ssl.SSLContext, trust: dict[str, object], says: str
) -> None:
    with ReceiverThread(tls=server_tls(pki, **trust), tcp=LOOPBACK) as receiver:
        with to(receiver, context) as sender, contextlib.suppress(OSError):
            sender.sendall(frames(b"hello"))
            assert says or octets(receiver.await_messages(1, SOON)) == [b"hello"]
            if says:
                assert closed(sender)
        assert says in ended(receiver).refused
        assert len(receiver.messages) == (0 if says else 1)


def test_an_end_entity_may_be_believed_by_itself(pki: Pki, context: ssl.SSLContext) -> None:
    known = server_tls(pki, anchors=None, certificates=(pki.certificate_file("client"),))
    with ReceiverThread(tls=known, tcp=LOOPBACK) as receiver:
        with to(receiver, context) as sender:
            sender.sendall(frames(b"hello"))
            assert octets(receiver.await_messages(1, SOON)) == [b"hello"]
        stranger = client_tls(pki, "client_unknown_ca").context()
        with contextlib.suppress(OSError), to(receiver, stranger) as sender:
            sender.recv(1)
        assert ended(receiver, 2).refused


def test_fingerprints_and_names_match_as_the_rfc_says(pki: Pki) -> None:
    der = pki.issue("server").chain_der[0]
    assert fingerprint(der, "sha-1").startswith("sha-1:")
    for wanted in (fingerprint(der), fingerprint(der, "sha-1"), hashlib.sha256(der).hexdigest()):
        assert matches_fingerprint(der, wanted)
    assert not matches_fingerprint(der, fingerprint(b"other"))
    assert not matches_fingerprint(der, fingerprint(der)[:-1] + "")
    assert matches_name(der, "LOCALHOST")
    assert not matches_name(der, "other.example")
    issued = pki.issue_spec(_spec_with("*.example.org", "plain.example"))
    wild = issued.chain_der[0]
    assert matches_name(wild, "ct1.example.org")
    assert matches_name(wild, "plain.example")
    assert not matches_name(wild, "a.ct1.example.org")
    assert not matches_name(wild, "example.org")


def _spec_with(*names: str) -> CertificateSpec:
    return replace(SERVER, dns_names=names)


def test_a_receiver_without_anybody_to_believe_asks_for_no_certificate(pki: Pki) -> None:
    tls = server_tls(pki, anchors=None)
    with ReceiverThread(tls=tls, tcp=LOOPBACK) as receiver, to(receiver, client_tls(pki, "").context()) as sender:
        sender.sendall(frames(b"hello"))
        assert octets(receiver.await_messages(1, SOON)) == [b"hello"]


def test_what_makes_no_receiver_is_said(pki: Pki) -> None:
    async def take(_: Sequence[Arrived]) -> None: ...

    with pytest.raises(ValueError, match="TCP, on UDP"):
        Receiver(take)
    with pytest.raises(ValueError, match="needs TLS"):
        Receiver(take, tcp=LOOPBACK)
    with pytest.raises(ValueError, match="beside names"):
        ServerTls(pki.certificate_file("server"), pki.key_file("server"), Trust(names=("ct1",))).context()
    with socket.create_server(LOOPBACK) as taken:
        busy = ReceiverThread(tls=server_tls(pki), tcp=taken.getsockname())
        with pytest.raises(OSError, match="in use"):
            busy.start()


HASTY = ReceiverLimits(handshake=0.2, idle=0.2, frame=0.2, closing=0.2)


def test_silence_is_ended_properly(pki: Pki, context: ssl.SSLContext) -> None:
    with ReceiverThread(tls=server_tls(pki), tcp=LOOPBACK, limits=HASTY) as receiver:
        with to(receiver, context) as sender:
            assert closed(sender)
            sender.unwrap().close()
        facts = ended(receiver)
        assert (facts.ending, facts.ended_because) == ("open", "nothing came for 0.2 s")
        with socket.create_connection(receiver.addresses["tls"], timeout=SOON) as mute:
            assert mute.recv(1) == b""
        assert "handshake took more than" in ended(receiver, 2).refused


def test_a_message_that_never_ends_is_ended(pki: Pki, context: ssl.SSLContext) -> None:
    with (
        ReceiverThread(tls=server_tls(pki), tcp=LOOPBACK, limits=replace(HASTY, idle=SOON)) as receiver,
        to(receiver, context) as slow,
    ):
        slow.settimeout(0.02)
        with contextlib.suppress(OSError):
            slow.sendall(b"1000 ")
            for _ in range(500):
                slow.sendall(b"x")
                with contextlib.suppress(TimeoutError):
                    if slow.recv(1) == b"":
                        break
        slow.close()
        facts = ended(receiver)
        assert facts.ended_because == "a message took more than 0.2 s"
        assert 0 < facts.pending < 500


def test_who_does_not_answer_close_notify_is_closed_anyway(pki: Pki, context: ssl.SSLContext) -> None:
    with ReceiverThread(tls=server_tls(pki), tcp=LOOPBACK, limits=HASTY) as receiver, to(receiver, context) as deaf:
        assert ended(receiver).ending == "open"
        deaf.close()


def test_there_are_only_so_many_connections(pki: Pki, context: ssl.SSLContext) -> None:
    limits = ReceiverLimits(connections=2)
    with (
        ReceiverThread(tls=server_tls(pki), tcp=LOOPBACK, limits=limits) as receiver,
        to(receiver, context) as first,
        to(receiver, context),
    ):
        with pytest.raises(OSError, match=r"."):
            to(receiver, context)
        assert ended(receiver).refused == "there are too many connections"
        first.sendall(frames(b"still"))
        assert octets(receiver.await_messages(1, SOON)) == [b"still"]
        first.unwrap().close()
        ended(receiver, 2)
        with to(receiver, context) as another:
            another.sendall(frames(b"now"))
            assert octets(receiver.await_messages(2, SOON)) == [b"still", b"now"]


def test_datagrams_are_messages(receiver: ReceiverThread) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(receiver.addresses["udp"])
        for each in (b"one", b"9 framed", b"", b"\x00" * 65507):
            sender.send(each)
        found = receiver.await_messages(4, SOON)
        assert octets(found) == [b"one", b"9 framed", b"", b"\x00" * 65507]
        host, port = sender.getsockname()
    receiver.stop()
    facts = ended(receiver)
    assert (facts.transport, facts.peer, facts.messages, facts.octets) == ("udp", f"{host}:{port}", 4, 65518)


def test_datagrams_of_one_sender_are_handed_over_together(pki: Pki) -> None:
    batches: list[tuple[int, list[bytes]]] = []

    def take(arrived: Sequence[Arrived]) -> None:
        assert len({each.connection.number for each in arrived}) == 1
        batches.append((arrived[0].connection.number, octets(arrived)))
        if arrived[0].octets == b"bad":
            raise RuntimeError("the store is gone")

    receiver = ReceiverThread(take, udp=LOOPBACK)
    with receiver, contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2))
        first.sendto(b"bad", receiver.addresses["udp"])
        for number in range(50):
            for sender in (first, second):
                sender.sendto(b"%d" % number, receiver.addresses["udp"])
        assert awaited(lambda: sum(len(messages) for _, messages in batches) == 101)
    for which in (1, 2):
        found = [each for connection, messages in batches if connection == which for each in messages]
        assert [each for each in found if each != b"bad"] == [b"%d" % number for number in range(50)]


def test_peers_over_udp_are_forgotten_in_turn(pki: Pki) -> None:
    with ReceiverThread(udp=LOOPBACK, limits=ReceiverLimits(peers=2)) as receiver:
        for number in range(3):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"x", receiver.addresses["udp"])
                assert len(receiver.await_messages(number + 1, SOON)) == number + 1
        assert ended(receiver).number == 1


@pytest.mark.parametrize("seed", range(8))
def test_nothing_that_a_connection_sends_harms_the_receiver(
    receiver: ReceiverThread, context: ssl.SSLContext, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - noise that comes again
    for number in range(12):
        noise = chance.choice(
            [
                chance.randbytes(chance.randrange(1, 3000)),
                b"\x16\x03\x01" + chance.randbytes(200),
                frames(chance.randbytes(50)) * 3 + chance.randbytes(9),
                b"1" * chance.randrange(1, 20),
            ]
        )
        with contextlib.suppress(OSError):
            if number % 2:
                with socket.create_connection(receiver.addresses["tls"], timeout=SOON) as raw:
                    raw.sendall(noise)
                    if chance.random() < 0.5:
                        reset(raw)
            else:
                secured = to(receiver, context)
                secured.sendall(noise)
                (reset if chance.random() < 0.5 else socket.socket.close)(secured)
    before = len(receiver.messages)
    with to(receiver, context) as sender:
        sender.sendall(frames(b"alive %d" % seed))
        assert awaited(lambda: b"alive %d" % seed in octets(receiver.messages[before:])), receiver.messages
    ended(receiver, 13)
