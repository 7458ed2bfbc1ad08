"""What the receiver of syslog keeps in memory is bounded, and what senders were promised is kept when it stops."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime

import pytest

from fixtures.pki import Pki
from reference_impl.audit.syslog.arrivals import Arrived, Connection, ReceiverLimits
from reference_impl.audit.syslog.flow import Flow
from reference_impl.audit.syslog.receiver import Receiver
from reference_impl.audit.syslog.receiver_thread import ReceiverThread
from tests.unit.audit_syslog_bench import (
    LOOPBACK,
    SOON,
    awaited,
    client_tls,
    connect,
    frames,
    pki_in,
    server_tls,
)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return pki_in(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def context(pki: Pki) -> ssl.SSLContext:
    return client_tls(pki).context()


def to(receiver: ReceiverThread, context: ssl.SSLContext) -> ssl.SSLSocket:
    return connect(receiver.addresses["tls"], context)


def octets(arrived: Sequence[Arrived]) -> list[bytes]:
    return [each.octets for each in arrived]


class Stalled:
    """A handler that takes nothing until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.taken: dict[int, list[bytes]] = {}

    async def __call__(self, arrived: Sequence[Arrived]) -> None:
        while not self.go.is_set():
            await asyncio.sleep(0.005)
        self.taken.setdefault(arrived[0].connection.number, []).extend(each.octets for each in arrived)


@contextlib.contextmanager
def running(receiver: Receiver) -> Iterator[asyncio.AbstractEventLoop]:
    """`receiver`, in a loop in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(receiver.start(), loop).result(SOON)
    try:
        yield loop
    finally:
        asyncio.run_coroutine_threadsafe(receiver.stop(), loop).result(SOON)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_while_nobody_takes_messages_memory_is_bounded_and_nothing_is_lost(pki: Pki, context: ssl.SSLContext) -> None:
    stalled, senders, number = Stalled(), 4, 3000
    limits = ReceiverLimits(in_hand=1 << 17)
    receiver = Receiver(stalled, tls=server_tls(pki), tcp=LOOPBACK, limits=limits)
    stream = frames(*(b"%04d" % each + b"x" * 2044 for each in range(number)))  # 6 MB each
    with running(receiver):

        def push() -> None:
            with connect(receiver.addresses["tls"], context) as sender:
                sender.sendall(stream)
                sender.unwrap().close()

        threads = [threading.Thread(target=push) for _ in range(senders)]
        for each in threads:
            each.start()
        assert awaited(lambda: receiver.peak >= limits.in_hand)
        assert awaited(lambda: all(each.is_alive() for each in threads), 1)
        stalled.go.set()
        for each in threads:
            each.join(SOON)
    assert [[int(each[:4]) for each in taken] for taken in stalled.taken.values()] == [list(range(number))] * senders
    assert receiver.peak <= limits.in_hand + senders * (1 << 18)  # what had been read of each when reading stopped


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_who_closes_at_once_without_a_word_loses_nothing(pki: Pki, version: ssl.TLSVersion) -> None:
    context = client_tls(pki).context()
    context.maximum_version = version
    messages = [b"%d " % number + b"x" * 2000 for number in range(50)]
    with ReceiverThread(tls=server_tls(pki), tcp=LOOPBACK) as receiver:
        for _ in range(10):
            with to(receiver, context) as sender:
                sender.sendall(frames(*messages))
        ended = receiver.await_connections(10, SOON)
        assert octets(receiver.messages) == messages * 10
    assert {each.ending for each in ended} == {"close"}


def test_messages_that_cannot_be_taken_end_their_connection_alone(pki: Pki, context: ssl.SSLContext) -> None:
    taken: list[bytes] = []
    facts: list[Connection] = []

    async def take(arrived: Sequence[Arrived]) -> None:
        if arrived[0].octets == b"bad":
            raise RuntimeError("the store is gone")
        taken.extend(each.octets for each in arrived)

    receiver = Receiver(take, tls=server_tls(pki), tcp=LOOPBACK, on_connection=facts.append)
    with running(receiver), connect(receiver.addresses["tls"], context) as good:
        with connect(receiver.addresses["tls"], context) as bad:
            bad.sendall(frames(b"bad"))
            with contextlib.suppress(OSError):
                assert bad.recv(1) == b""
        good.sendall(frames(b"good"))
        assert awaited(lambda: taken == [b"good"])
        assert facts[0].ended_because == "its messages could not be taken"


def test_long_messages_wait_for_room_and_short_ones_do_not(pki: Pki, context: ssl.SSLContext) -> None:
    limits = ReceiverLimits(unfinished=1_000_000)
    big = b"b" * 700_000
    with (
        ReceiverThread(tls=server_tls(pki), tcp=LOOPBACK, limits=limits) as receiver,
        to(receiver, context) as first,
        to(receiver, context) as second,
        to(receiver, context) as third,
    ):
        first.sendall(frames(b"begin") + b"700000 " + big[:-1])
        assert octets(receiver.await_messages(1, SOON)) == [b"begin"]  # its room is taken by then
        writing = threading.Thread(target=second.sendall, args=(frames(big),))
        writing.start()
        third.sendall(frames(b"short"))
        assert octets(receiver.await_messages(2, SOON))[1:] == [b"short"]
        assert not receiver.await_messages(3, 0.1)[2:]
        first.sendall(b"b")
        assert octets(receiver.await_messages(4, SOON))[2:] == [big, big]
        writing.join(SOON)


def test_a_message_longer_than_all_room_gets_all_of_it(pki: Pki, context: ssl.SSLContext) -> None:
    limits = ReceiverLimits(unfinished=100_000)
    with ReceiverThread(tls=server_tls(pki), tcp=LOOPBACK, limits=limits) as receiver, to(receiver, context) as sender:
        for _ in range(3):
            sender.sendall(frames(b"b" * 700_000))
        assert len(receiver.await_messages(3, SOON)) == 3


class Reader:
    def __init__(self) -> None:
        self.told = 0

    def update_reading(self) -> None:
        self.told += 1


def test_room_is_given_in_order_and_taken_back() -> None:
    flow = Flow(100, 100)
    first, second, third, fourth = Reader(), Reader(), Reader(), Reader()
    assert flow.reserve(first, 80)
    assert not flow.reserve(second, 50)
    assert not flow.reserve(third, 10)  # there is room, but not its turn
    assert not flow.reserve(fourth, 60)
    flow.leave(first, 80)
    assert (second.told, third.told, fourth.told) == (1, 1, 0)
    assert flow.was_admitted(second)
    assert not flow.was_admitted(second)
    flow.leave(fourth, 60)  # it waited: nothing to give back
    flow.leave(third, 10)  # it had been given room without having noticed
    flow.release(50)
    assert flow.reserve(first, 100)


def test_reading_stops_and_goes_on() -> None:
    flow, reader = Flow(100, 100), Reader()
    flow.readers.add(reader)
    flow.took(99)
    assert not flow.stopped
    flow.took(1)
    assert (flow.stopped, reader.told) == (True, 1)
    flow.gave(49)
    assert flow.stopped
    flow.gave(1)
    assert (flow.stopped, reader.told, flow.peak) == (False, 2, 100)


def test_what_was_sent_before_the_receiver_stops_is_taken(pki: Pki, context: ssl.SSLContext) -> None:
    stalled = Stalled()
    receiver = Receiver(stalled, tls=server_tls(pki), tcp=LOOPBACK)
    messages = [b"%d" % each for each in range(1000)]
    with running(receiver) as loop, connect(receiver.addresses["tls"], context) as sender:
        sender.sendall(frames(b"first"))
        assert awaited(lambda: receiver.peak > 0)
        stopping = asyncio.run_coroutine_threadsafe(receiver.stop(), loop)
        sender.sendall(frames(*messages))
        stalled.go.set()
        sender.unwrap().close()
        stopping.result(SOON)
    assert next(iter(stalled.taken.values())) == [b"first", *messages]


def test_who_never_shakes_hands_takes_no_place_for_long(pki: Pki, context: ssl.SSLContext) -> None:
    limits = ReceiverLimits(connections=2, handshake=600)
    with (
        ReceiverThread(tls=server_tls(pki), tcp=LOOPBACK, limits=limits) as receiver,
        to(receiver, context) as first,
        socket.create_connection(receiver.addresses["tls"]) as silent,
    ):
        first.sendall(frames(b"first"))
        assert receiver.await_messages(1, SOON)
        admitted: list[ssl.SSLSocket] = []

        def connected() -> bool:
            with contextlib.suppress(OSError):
                admitted.append(to(receiver, context))
            return bool(admitted)

        assert awaited(connected)
        silent.settimeout(SOON)
        with contextlib.suppress(ConnectionResetError):
            assert silent.recv(1) == b""
        first.sendall(frames(b"still"))
        admitted[0].sendall(frames(b"now"))
        assert set(octets(receiver.await_messages(3, SOON))) == {b"first", b"still", b"now"}
        admitted[0].close()
    assert "the handshake took long, and there were too many connections" in {
        each.refused for each in receiver.connections
    }


def test_what_is_read_together_has_one_time_of_arrival(pki: Pki, context: ssl.SSLContext) -> None:
    batches: list[set[datetime]] = []
    with ReceiverThread(
        lambda batch: batches.append({each.at for each in batch}), tls=server_tls(pki), tcp=LOOPBACK
    ) as receiver:
        with to(receiver, context) as sender:
            sender.sendall(frames(*[b"%d" % each for each in range(50)]))
            sender.unwrap().close()
        receiver.await_connections(1, SOON)
    assert {len(each) for each in batches} == {1}
