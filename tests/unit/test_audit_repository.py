"""The audit repository from the socket to the store: nothing is lost, changed or dropped, whatever comes."""

from __future__ import annotations

import socket
import ssl
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from fixtures.audit.generated import generated_octets
from fixtures.pki import Pki
from reference_impl.audit.repository.ingest import Ingest, IngestLimits
from reference_impl.audit.repository.live import Subscription
from reference_impl.audit.repository.query import Query, Row
from reference_impl.audit.repository.search import Search
from reference_impl.audit.repository.service import Repository
from reference_impl.audit.repository.store import Store
from reference_impl.syslog_frames import frame
from tests.unit.repository_bench import (
    connected,
    own,
    send,
    send_beside,
    settings,
    syslog,
    until,
    until_stored,
)


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


def test_ten_senders_at_once_lose_nothing(tmp_path: Path, pki: Pki) -> None:
    bodies = list(generated_octets(7, 100, size="small"))
    batches = [[syslog(bodies[n % 100], f"node-{sender}.{n}") for n in range(500)] for sender in range(10)]
    with Repository(settings(tmp_path, pki, limits=IngestLimits(processes=2, messages=700))) as repository:
        send_beside(repository, pki, batches)
        until_stored(repository, 5000)
        until(lambda: all(each.ended for each in repository.search.connections()))
        connections = repository.search.connections()
        assert sorted(each.messages for each in connections) == [500] * 10
        assert {each.ending for each in connections} == {"close-notify"}
        assert "PS315 Test Client" in connections[0].subject
    with Store(tmp_path / "audit.sqlite", read_only=True) as store:
        assert store.verify().problem == ""
        search = Search(store)
        rows = [row for row in search.all(Query()) if "own" not in row.marks]
        assert len(rows) == 5000
        kept: Counter[bytes] = Counter()
        for start in range(0, 5000, 1000):
            kept.update(search.octets([row.number for row in rows[start : start + 1000]]).values())
    assert kept == Counter(message for batch in batches for message in batch)


def test_messages_of_one_connection_keep_their_order(tmp_path: Path, pki: Pki) -> None:
    sent = [syslog(b"<x>%d</x>" % number) for number in range(300)]
    with Repository(settings(tmp_path, pki, limits=IngestLimits(processes=2, chunk=7))) as repository:
        send(repository, pki, sent)
        until_stored(repository, 300)
        mine = set(own(repository))
        numbers = [number for number in range(1, repository.search.last() + 1) if number not in mine]
        kept = repository.search.octets(numbers)
    assert [kept[number] for number in sorted(kept)] == sent


_BOMB = b'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;&b;">]><AuditMessage>&d;</AuditMessage>'
HOSTILE = {
    b"": "",
    b"\x00": "nul",
    b"\xff\xfe garbage": "invalid-utf-8",
    b"<85>1 - h a - m - \xef\xbb\xbf<AuditMessage>\xc3\x28</AuditMessage>": "invalid-utf-8",
    b"<85>1 - h a - m - " + _BOMB: "refused-xml",
    b'<85>1 - h a - m - <?xml version="1.0"?><!DOCTYPE a SYSTEM "file:///etc/passwd"><AuditMessage/>': "refused-xml",
    b"<85>1 - h a - m - " + b"<a>" * 5000: "broken-xml",
    b"<85>1 - h a - m - <AuditMessage><EventIdentification": "broken-xml",
    b"<13>Oct 11 22:14:15 host su: a message of the older form": "legacy-syslog",
    b"<85>1 - h a - m - plain text": "not-audit",
    b"<85>1 - h a - m - <other/>": "not-audit",
    b"<85>1 - " + b"h" * 70_000 + b" a - m - <AuditMessage/>": "no-source",
    b"x" * 900_000: "not-syslog",
}


@pytest.mark.parametrize("processes", [0, 1])
def test_whatever_comes_is_kept_as_it_came_and_marked(tmp_path: Path, pki: Pki, processes: int) -> None:
    sent = [octets for octets in HOSTILE if octets]
    good = syslog(next(iter(generated_octets(1, 1))), "good.example.org")
    with Repository(settings(tmp_path, pki, limits=IngestLimits(processes=processes))) as repository:
        send(repository, pki, [*sent, good])
        until_stored(repository, len(sent) + 1)
        search = repository.search
        for row in search.all(Query()):
            message = search.message(row.number)
            assert message is not None
            if message.octets in HOSTILE:
                assert HOSTILE[message.octets] in row.marks, (message.octets[:80], row.marks)
        assert len(search.page(Query(host="good.example.org")).rows) == 1
        assert repository.store.verify().problem == ""


def test_datagrams_are_kept_too(tmp_path: Path, pki: Pki) -> None:
    message = syslog(next(iter(generated_octets(2, 1))))
    with Repository(settings(tmp_path, pki)) as repository, socket.socket(type=socket.SOCK_DGRAM) as sender:
        assert repository.addresses.udp is not None
        sender.sendto(message, repository.addresses.udp)
        until_stored(repository, 1)
        (row,) = [row for row in repository.search.all(Query()) if row.transport == "udp"]
        assert row.peer == "127.0.0.1"


def test_a_sender_without_a_certificate_is_refused_and_told_of(tmp_path: Path, pki: Pki) -> None:
    with Repository(settings(tmp_path, pki)) as repository:
        with pytest.raises(OSError), connected(repository, pki, certificate="") as connection:
            connection.sendall(frame(syslog(b"<AuditMessage/>")))
            connection.recv(1)
            raise ssl.SSLError("closed")
        until(lambda: bool(repository.search.page(Query(event="110113", event_type="110126")).rows))
        (row,) = repository.search.page(Query(event="110113")).rows
        assert row.shall == 0
        send(repository, pki, [syslog(b"<after/>")])
        until_stored(repository, 1)


def test_who_says_nothing_is_no_node_that_failed_to_prove_itself(tmp_path: Path, pki: Pki) -> None:
    with Repository(settings(tmp_path, pki)) as repository:
        address = repository.addresses.tls
        assert address is not None
        with socket.create_connection(address):
            pass
        until(lambda: bool(repository.search.connections()))
        assert repository.stop() == 0
    with Store(tmp_path / "audit.sqlite", read_only=True) as store:
        assert not list(Search(store).all(Query(event="110113")))


def test_what_was_taken_is_stored_even_where_the_repository_cannot_tell_that_it_stops(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository(settings(tmp_path, pki))
    repository.start()
    send(repository, pki, [syslog(b"<x/>")])
    monkeypatch.setattr(Ingest, "put_now", lambda *_: False)
    assert repository.stop() == 0
    with Store(tmp_path / "audit.sqlite", read_only=True) as store:
        assert len(list(Search(store).all(Query(mark="not-audit")))) == 1


def test_while_the_database_takes_nothing_looks_at_what_is_absent_do_not_pile_up(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[Callable[[], object]] = []
    monkeypatch.setattr(Ingest, "put_job", lambda _, job: jobs.append(job))
    repository = Repository(settings(tmp_path, pki))
    for _ in range(5):
        repository._tick()
    assert len(jobs) == 1
    jobs.pop()()
    repository._tick()
    assert len(jobs) == 1
    repository.store.close()


def test_it_tells_when_it_starts_and_stops_and_whoever_watches(tmp_path: Path, pki: Pki) -> None:
    with Repository(settings(tmp_path, pki)) as repository, repository.subscribe() as subscription:
        message = syslog(next(iter(generated_octets(3, 1))))
        send(repository, pki, [message])
        seen: list[Row] = []
        until(lambda: any(row.transport == "tls" for row in _followed(subscription, seen)))
    with Store(tmp_path / "audit.sqlite", read_only=True) as store:
        rows = list(Search(store).all(Query(mark="own", event="110100")))
    assert [row.shall for row in rows] == [0, 0]
    assert len(rows) == 2


def _followed(subscription: Subscription, seen: list[Row]) -> list[Row]:
    seen += [each for each in subscription.take(0.1) if isinstance(each, Row)]
    return seen
