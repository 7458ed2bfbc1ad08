"""Our sender and receiver of syslog beside those of others: rsyslog (GnuTLS, OpenSSL), syslog-ng, logger."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest

from fixtures.pki import Pki
from reference_impl.audit.syslog.messages import CONTROL, audit_message, parse, write
from reference_impl.audit.syslog.receiver_thread import ReceiverThread
from reference_impl.audit.syslog.sender import Destination, Sender, SenderLimits
from tests.missing import lacking
from tests.peers.starters.collectors import Collector, rsyslog_collector
from tests.peers.starters.forwarders import rsyslog_forwarder, stunnel_forwarder
from tests.peers.starters.process import PeerMissing
from tests.peers.starters.syslog_ng import syslog_ng_collector, syslog_ng_forwarder
from tests.unit.audit_syslog_bench import LOOPBACK, SOON, awaited, client_tls, frames, pki_in, server_tls

pytestmark = pytest.mark.peer
_T = TypeVar("_T")

LIMITS = SenderLimits(first_pause=0.05, closing=2.0)
SIZES = (200, 2048, 8000, 8193, 40_000)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return pki_in(tmp_path_factory.mktemp("pki"))


def entered(stack: ExitStack, peer: AbstractContextManager[_T]) -> _T:
    """What the peer yields, running until the stack ends; where it is missing, the test ends."""
    try:
        return stack.enter_context(peer)
    except PeerMissing as missing:
        if missing.optional:
            pytest.skip(str(missing))
        lacking(str(missing))


def of_size(octets: int, number: int = 0) -> bytes:
    """A syslog message of that many octets, with characters of several planes."""
    head = f'<AuditMessage number="{number}" text="Ünï-漢字-𝄞 '.encode()
    moment = datetime(2026, 3, 4, 5, 6, 7, 89000, tzinfo=UTC)
    empty = write(audit_message(head + b'"/>', moment, hostname="ct1.example.org", app_name="ps315", procid="7"))
    return empty[:-3] + b"x" * max(0, octets - len(empty)) + empty[-3:]


@pytest.fixture(params=["gtls", "ossl", "syslog-ng"])
def collector(request: pytest.FixtureRequest, pki: Pki, tmp_path: Path) -> Iterator[Collector]:
    """A repository that somebody else wrote."""
    with ExitStack() as stack:
        if request.param == "syslog-ng":
            yield entered(stack, syslog_ng_collector(pki, tmp_path / "peer"))
        else:
            options = {"driver": request.param, "maximum": "128k"}
            yield entered(stack, rsyslog_collector(pki, tmp_path / "peer", options))


def lines(collector: Collector) -> list[bytes]:
    return collector.received.read_bytes().splitlines() if collector.received.exists() else []


def test_our_sender_is_understood_over_tls(collector: Collector, pki: Pki, tmp_path: Path) -> None:
    messages = [of_size(size, number) for number, size in enumerate(SIZES * 20)]
    to = Destination("127.0.0.1", collector.tls, "tls", client_tls(pki))
    with Sender(to, tmp_path / "spool", LIMITS) as sender:
        sender.send(*messages[:50])
        assert sender.flush(SOON), sender.problem
        for each in messages[50:]:
            sender.send(each)
    assert sender.waiting == 0
    assert awaited(lambda: len(lines(collector)) >= len(messages))
    assert lines(collector) == messages


def test_our_sender_is_understood_over_udp(collector: Collector) -> None:
    messages = [of_size(size, number) for number, size in enumerate((200, 2048, 8000) * 10)]
    with Sender(Destination("127.0.0.1", collector.udp, "udp"), limits=LIMITS) as sender:
        for number, each in enumerate(messages):  # not all at once: a datagram that finds no room is gone
            sender.send(each)
            assert sender.flush(SOON)
            assert awaited(lambda number=number: len(lines(collector)) > number)  # type: ignore[misc]
    assert lines(collector) == messages


@pytest.mark.parametrize("case", ["", "client_unknown_ca"])
def test_where_we_are_refused_nothing_counts_as_sent(collector: Collector, pki: Pki, case: str) -> None:
    to = Destination("127.0.0.1", collector.tls, "tls", client_tls(pki, case))
    with Sender(to, limits=LIMITS) as sender:
        sender.send(of_size(300))
        assert not sender.flush(1.0)
        assert sender.problem
        assert sender.waiting == 1
    assert lines(collector) == []


def given(port: int, messages: list[bytes]) -> None:
    """Give `messages` to a forwarder."""
    with socket.create_connection(("127.0.0.1", port), timeout=SOON) as connection:
        connection.sendall(frames(*messages))
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)


@pytest.mark.parametrize("driver", ["gtls", "ossl"])
def test_rsyslog_sends_to_our_receiver(driver: str, pki: Pki, tmp_path: Path) -> None:
    messages = [of_size(size, number) for number, size in enumerate(SIZES * 20)]
    with ReceiverThread(tls=server_tls(pki), tcp=LOOPBACK) as receiver, ExitStack() as stack:
        peer = entered(stack, rsyslog_forwarder(pki, tmp_path / "peer", driver, receiver.addresses["tls"][1]))
        given(peer, messages)
        receiver.await_messages(len(messages), SOON)
        stack.close()
        (facts,) = receiver.await_connections(1, SOON)
    assert [each.octets for each in receiver.messages] == messages
    assert facts.certificate == pki.issue("client").chain_der[0]
    assert (facts.version, facts.framing, facts.pending) == ("TLSv1.3", "", 0)


def test_rsyslog_sends_datagrams_to_our_receiver(pki: Pki, tmp_path: Path) -> None:
    messages = [of_size(2048, number) for number in range(50)]
    with ReceiverThread(udp=LOOPBACK) as receiver, ExitStack() as stack:
        peer = entered(stack, rsyslog_forwarder(pki, tmp_path / "peer", "udp", receiver.addresses["udp"][1]))
        given(peer, messages)
        receiver.await_messages(len(messages), SOON)
    assert [each.octets for each in receiver.messages] == messages


def test_syslog_ng_sends_to_our_receiver(pki: Pki, tmp_path: Path) -> None:
    messages = [of_size(size, number) for number, size in enumerate(SIZES * 4)]
    with ReceiverThread(tls=server_tls(pki), tcp=LOOPBACK) as receiver, ExitStack() as stack:
        peer = entered(stack, syslog_ng_forwarder(pki, tmp_path / "peer", receiver.addresses["tls"][1]))
        given(peer, messages)
        receiver.await_messages(len(messages), SOON)
        stack.close()
        (facts,) = receiver.await_connections(1, SOON)
    parsed = [parse(each.octets) for each in receiver.messages]
    # It writes a header of its own, and a line end behind the message, as senders should not.
    assert [each.body for each in parsed] == [parse(each).body + b"\n" for each in messages]
    assert {finding.rule for each in parsed for finding in each.findings} == {CONTROL}
    assert facts.certificate == pki.issue("client").chain_der[0]
    assert facts.framing == ""


def logger(*arguments: str) -> None:
    path = shutil.which("logger")
    if path is None:
        lacking("logger is not installed")
    command = [path, "--rfc5424", "-p", "authpriv.notice", "-t", "ps315", "--msgid", "DICOM+RFC3881", *arguments]
    subprocess.run([*command, "<AuditMessage/>"], check=True, timeout=SOON)


def test_logger_sends_datagrams_to_our_receiver() -> None:
    with ReceiverThread(udp=LOOPBACK) as receiver:
        host, port = receiver.addresses["udp"]
        logger("-n", host, "-P", str(port), "-d")
        (arrived,) = receiver.await_messages(1, SOON)
    _hold(arrived.octets)


def test_logger_counts_octets_for_our_receiver(pki: Pki, tmp_path: Path) -> None:
    with ReceiverThread(tls=server_tls(pki), tcp=LOOPBACK) as receiver, ExitStack() as stack:
        port = entered(stack, stunnel_forwarder(pki, tmp_path / "peer", receiver.addresses["tls"][1]))
        logger("-n", "127.0.0.1", "-P", str(port), "-T", "--octet-count")
        (arrived,) = receiver.await_messages(1, SOON)
    _hold(arrived.octets)


def _hold(octets: bytes) -> None:
    """What logger was told is there, and nothing is wrong with it."""
    parsed = parse(octets)
    assert parsed.findings == ()
    assert parsed.message is not None
    assert (parsed.message.facility, parsed.message.severity, parsed.message.app_name) == (10, 5, "ps315")
    assert (parsed.message.msgid, parsed.body) == ("DICOM+RFC3881", b"<AuditMessage/>")
    assert [each.name for each in parsed.message.structured_data] == ["timeQuality"]
