"""What has come and was not looked at yet: bounded in number, size and senders, open to the SUT alone."""

from __future__ import annotations

import threading
import time

from harness.objects.audit_inbox import MESSAGE_OCTETS, MOST_MESSAGES, Inbox
from reference_impl.audit.syslog.arrivals import Arrived, Connection


class TestInbox:
    PEER = Connection(1, "tls", "127.0.0.1:1", "127.0.0.1")

    def arrived(self, octets: bytes, connection: Connection = PEER) -> Arrived:
        return Arrived(octets, connection, self.PEER.opened)

    def test_floods_are_bounded_in_number_and_size(self) -> None:
        inbox = Inbox(frozenset({"127.0.0.1"}))
        inbox.on_messages([self.arrived(b"x")] * (MOST_MESSAGES + 7))
        taken = inbox.take()
        assert len(taken.messages) == MOST_MESSAGES
        assert taken.left_out == 7
        inbox.on_messages([self.arrived(bytes(MESSAGE_OCTETS + 5))] * 20)
        taken = inbox.take()
        assert taken.messages[0].length == MESSAGE_OCTETS + 5
        assert len(taken.messages[0].octets) == MESSAGE_OCTETS
        assert len(taken.messages) + taken.left_out == 20
        assert taken.left_out == 4

    def test_senders_without_number_are_bounded(self) -> None:
        inbox = Inbox(frozenset({"127.0.0.1"}))
        for number in range(3000):
            peer = Connection(number, "udp", f"127.0.0.1:{number}", "127.0.0.1")
            inbox.on_messages([self.arrived(b"x", peer)])
            inbox.on_connection(peer)
        assert inbox.admitted == 2000
        taken = inbox.take()
        assert len(taken.connections) == 2000
        assert len(taken.messages) == 3000
        assert {each.connection for each in taken.messages[2000:]} == {0}

    def test_an_endless_stream_is_ended_by_the_deadline(self) -> None:
        inbox, stopping, ended = Inbox(frozenset({"127.0.0.1"})), threading.Event(), threading.Event()

        def flood() -> None:
            while not ended.wait(0.005):
                inbox.on_messages([self.arrived(b"x")])

        thread = threading.Thread(target=flood)
        thread.start()
        try:
            assert not inbox.settle(0.2, time.monotonic() + 0.5, stopping)
        finally:
            ended.set()
            thread.join()

    def test_mapped_addresses_are_the_same(self) -> None:
        inbox = Inbox(frozenset({"127.0.0.1"}))
        inbox.on_messages([self.arrived(b"x", Connection(1, "udp", "x", "::ffff:127.0.0.1"))])
        inbox.on_messages([self.arrived(b"x", Connection(2, "udp", "x", "192.0.2.1"))])
        taken = inbox.take()
        assert len(taken.messages) == 1
        assert taken.strangers == ("192.0.2.1",)
