"""The index of the audit repository, written behind the messages: nobody misses one, and nothing hinders storing."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine

from reference_impl.audit.repository import catching_up, schema, summaries
from reference_impl.audit.repository.examining import Arrival, examine
from reference_impl.audit.repository.facts import Received, packed
from reference_impl.audit.repository.indexing import Terms, index_messages
from reference_impl.audit.repository.ingest import Ingest, IngestLimits
from reference_impl.audit.repository.query import Query
from reference_impl.audit.repository.search import Search, SearchTooLongError
from reference_impl.audit.repository.store import Store, StoreBusyError, StoreError, StoreRefusedError
from reference_impl.audit.repository.writing import add_messages
from tests.unit.repository_bench import HOUR, NOW, received, until


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "audit.sqlite") as opened:
        yield opened


def _numbers(search: Search, query: Query) -> list[int]:
    return [row.number for row in search.all(query)]


def _nobody(_: Sequence[Received], __: Sequence[int]) -> None:
    """Nobody watches."""


def _change(store: Store, statement: str) -> None:
    with sqlite3.connect(str(store.url.database)) as other:
        other.execute(statement)
    other.close()


def test_a_search_for_values_indexes_what_waits_and_one_without_does_not(store: Store) -> None:
    search = Search(store)
    store.add([received(number, user="anna") for number in range(7)])
    assert (store.behind, len(_numbers(search, Query())), search.count(Query()).number) == (7, 7, 7)
    assert len(search.since(0)) == 7
    assert store.behind == 7
    assert len(_numbers(search, Query(user="anna"))) == 7
    assert (store.behind, store.last_unindexed()) == (0, 0)


@pytest.mark.parametrize(
    "ask",
    [
        lambda search: search.count(Query(user="anna")).number,
        lambda search: len(search.since(0, query=Query(user="anna"))),
        lambda search: search.values("user")[0].count,
        lambda search: summaries.nodes(search)[0].messages,
        lambda search: sum(each.count for each in summaries.days(search, kind="event")),
        lambda search: summaries.findings(search)[0].count,
    ],
)
def test_whatever_is_asked_of_values_counts_what_was_stored_before(
    store: Store, ask: Callable[[Search], object]
) -> None:
    store.add([received(number, user="anna", event="110114", rule="a") for number in range(3)])
    assert ask(Search(store)) == 3
    store.add([received(4, user="anna", event="110114", rule="a")])
    assert ask(Search(store)) == 4


def test_what_waits_outlives_the_program(tmp_path: Path) -> None:
    path = tmp_path / "audit.sqlite"
    with Store(path) as store:
        store.add([received(1, user="anna"), received(2, user="otto")])
    with Store(path) as store:
        assert store.behind == 2
        assert _numbers(Search(store), Query(user="otto")) == [2]
    with Store(path) as store:
        assert store.behind == 0


def test_another_program_may_index(store: Store) -> None:
    store.add([received(1, user="anna")])
    assert store.url.database
    with Store(store.url.database) as other:
        other.add([received(2, user="otto"), received(3, user="anna")])
        assert _numbers(Search(other), Query(user="anna")) == [1, 3]
    store.add([received(4, user="anna"), received(5, user="otto")])
    assert _numbers(Search(store), Query(user="otto")) == [2, 5]
    assert store.index() == 0
    assert store.behind == 0


def test_who_may_only_read_waits_for_who_writes(store: Store) -> None:
    store.add([received(1, user="anna")])
    assert store.url.database
    with Store(store.url.database, read_only=True) as reader:
        with pytest.raises(SearchTooLongError, match="index"):
            Search(reader, seconds=0).page(Query(user="anna"))
        with pytest.raises(StoreError, match="for reading"):
            reader.index()
        writer = threading.Timer(0.1, store.index)
        writer.start()
        assert _numbers(Search(reader), Query(user="anna")) == [1]
        writer.join()


def test_a_search_ends_in_time_while_much_waits(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.add([received(number, user="anna") for number in range(3)])
    index = store.index
    monkeypatch.setattr(store, "index", lambda: index(1))
    with pytest.raises(SearchTooLongError, match="ask again"):
        Search(store, seconds=0).page(Query(user="anna"))
    assert store.behind == 2


def test_a_search_does_not_wait_for_what_comes_after_it_began(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.add([received(1, user="anna")])
    index = store.index

    def meanwhile(most: int = 1) -> int:
        done = index(most)
        store.add([received(2, user="otto")])
        return done

    monkeypatch.setattr(store, "index", meanwhile)
    assert _numbers(Search(store, seconds=5), Query(user="anna")) == [1]
    assert store.behind == 1


def test_searches_beside_a_writer_find_all_that_was_stored_before(store: Store) -> None:
    written, done = 0, threading.Event()
    problems: list[object] = []

    def search() -> None:
        asked = Search(store)
        while not done.is_set():
            before = written
            found = asked.count(Query(user="anna")).number
            if found < before:
                problems.append((before, found))

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(30):
        store.add([received(number, user="anna") for number in range(20)])
        written += 20
    done.set()
    for thread in threads:
        thread.join()
    assert problems == []
    assert Search(store).count(Query(user="anna")).number == 600
    assert (store.behind, store.index()) == (0, 0)


_VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=6)
_MESSAGES = st.lists(
    st.tuples(
        st.integers(-3 * 24, 0),
        st.dictionaries(st.sampled_from(("user", "event", "outcome", "rule", "mark")), _VALUES, max_size=4),
        st.sampled_from(("node-1", "node-2", "knoten=3")),
    ),
    min_size=1,
    max_size=12,
)


@given(messages=_MESSAGES, at_once=st.integers(1, 5), between=st.integers(1, 4))
@examples(max_examples=40, deadline=None, derandomize=True)
def test_the_index_is_the_same_however_it_is_written(
    messages: list[tuple[int, dict[str, str], str]], at_once: int, between: int
) -> None:
    made = [
        received(number, at=NOW + hours * HOUR, node=node, **terms)  # type: ignore[arg-type]
        for number, (hours, terms, node) in enumerate(messages)
    ]
    with _database() as whole, _database() as parts:
        add_messages(whole, made)
        assert index_messages(whole, len(made), Terms()) == len(made)
        terms = Terms()
        for start in range(0, len(made), between):
            add_messages(parts, made[start : start + between])
            index_messages(parts, at_once, terms)
            terms.keep()
        while index_messages(parts, at_once, Terms()):
            pass
        assert _told(whole) == _told(parts)
        held = {(number, kind, value) for number, each in enumerate(made, 1) for kind, value in each.facts.terms}
        assert {(number, kind, value) for kind, value, _, number in _told(whole)["mention"]} == held


@contextlib.contextmanager
def _database() -> Iterator[Connection]:
    """The tables in memory."""
    engine = create_engine("sqlite://")
    with engine.connect() as begun:
        schema.METADATA.create_all(begun)
        begun.execute(schema.head.insert().values(id=1, schema_version=2, identity="", number=0, digest=b""))
        yield begun
    engine.dispose()


def _told(begun: Connection) -> dict[str, list[Any]]:
    """The index with values in the place of ids."""
    return {name: sorted(tuple(row) for row in begun.exec_driver_sql(text)) for name, text in _INDEX.items()}


_INDEX = {
    "mention": "SELECT t.kind, t.value, m.at, m.number FROM mention m JOIN term t ON t.id = m.term",
    "term": "SELECT kind, value, folded, count, first, last FROM term",
    "tally": "SELECT y.day, n.value, t.kind, t.value, y.count, y.last FROM tally y "
    "JOIN term n ON n.id = y.node JOIN term t ON t.id = y.term",
    "total": "SELECT n.value, t.kind, t.value, y.count, y.first_day, y.last_day, y.last FROM total y "
    "JOIN term n ON n.id = y.node JOIN term t ON t.id = y.term",
    "node": "SELECT t.value, n.messages, n.first_arrived, n.last_arrived, n.last_number FROM node n "
    "JOIN term t ON t.id = n.term",
}


def test_a_message_whose_values_are_refused_is_found_by_its_node(store: Store) -> None:
    store.add([received(number, user="anna", event="110114") for number in range(5)])
    _change(store, "UPDATE unindexed SET terms = x'FF' WHERE number = 3")  # no text
    search = Search(store)
    assert _numbers(search, Query(user="anna")) == [1, 2, 4, 5]
    assert _numbers(search, Query(node="node-1")) == [1, 2, 3, 4, 5]
    assert _numbers(search, Query(mark="not-examined")) == [3]
    assert store.behind == 0


def test_values_of_a_transaction_that_came_to_nothing_are_not_taken_for_known(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where the next try finds nothing to do: another program may have given their ids to others."""
    store.add([received(1, user="anna")])
    refused = StoreRefusedError("not these values")

    def fail(begun: Connection, *given: object, **named: object) -> int:
        (terms,) = (each for each in (*given, *named.values()) if isinstance(each, Terms))
        assert index_messages(begun, 1, terms) == 1
        raise refused

    with monkeypatch.context() as changed:
        changed.setattr("reference_impl.audit.repository.store.index_messages", fail)
        changed.setattr("reference_impl.audit.repository.store.index_barely", fail)
        with pytest.raises(StoreRefusedError):
            store.index()
    _change(store, "DELETE FROM unindexed")
    assert store.url.database
    with Store(store.url.database) as other:
        other.add([received(2, user="otto")])
        assert other.index() == 1
    assert store.index() == 0
    store.add([received(3, user="anna"), received(4, user="otto")])
    assert _numbers(Search(store), Query(user="anna")) == [3]
    assert _numbers(Search(store), Query(user="otto")) == [2, 4]


def test_values_wait_as_they_are() -> None:
    terms = [("user", "a=b"), ("patient", "ü\x01\n"), ("node", "")]
    assert packed(terms).decode().split("\0") == ["user=a=b", "patient=ü\x01\n", "node="]


def test_a_trail_whose_messages_were_all_indexed_at_once_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "audit.sqlite"
    with Store(path) as store:
        store.add([received(1, user="anna")])
        store.index()
        _change(store, "DROP TABLE unindexed")
        _change(store, "UPDATE head SET schema_version = 1")
    with pytest.raises(StoreError, match="version 1"):
        Store(path, read_only=True)
    with Store(path) as store:
        store.add([received(2, user="anna")])
        assert _numbers(Search(store), Query(user="anna")) == [1, 2]
        assert store.verify().problem == ""


def _arrivals(number: int) -> list[Arrival]:
    return [Arrival(b"%d" % place, NOW, "udp", "192.0.2.1") for place in range(number)]


def test_the_index_follows_when_nothing_arrives(store: Store) -> None:
    ingest = Ingest(store, _nobody, IngestLimits(processes=0))
    ingest.start()
    ingest.put_now(_arrivals(20))
    until(lambda: ingest.status.stored == 20 and ingest.status.unindexed == 0)
    assert store.last_unindexed() == 0
    ingest.put_now(_arrivals(5))
    assert ingest.stop() == ()
    assert (store.behind, store.last_unindexed()) == (0, 0)  # stopped means: indexed, too


def test_few_messages_wait_while_more_arrive(store: Store) -> None:
    most = 0

    def stored(_: Sequence[Received], __: Sequence[int]) -> None:
        nonlocal most
        most = max(most, store.behind)

    ingest = Ingest(store, stored, IngestLimits(processes=0, chunk=50, batch=50, unindexed=100))
    ingest.start()
    for _ in range(10):
        ingest.put_now(_arrivals(50))
    ingest.stop()
    assert 100 <= most <= 200
    assert store.verify().messages == 500


def test_an_index_that_cannot_be_written_hinders_no_message(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[BaseException] = [StoreBusyError("the disk is full"), RuntimeError("a mistake")]

    def fail(most: int = 1) -> int:
        raise failures[0]

    with monkeypatch.context() as changed:
        changed.setattr(store, "index", fail)
        for _ in range(2):
            ingest = Ingest(store, _nobody, IngestLimits(processes=0, unindexed=1))
            ingest.start()
            ingest.put_now(_arrivals(3))
            until(lambda ingest=ingest: ingest.status.stored == 3)  # type: ignore[misc]
            assert ingest.stop() == ()
            failures.pop(0) if len(failures) > 1 else None
    assert store.behind == 6
    assert Search(store).count(Query(peer="192.0.2.1")).number == 6


def test_own_messages_are_found_at_once(store: Store) -> None:
    arrival = Arrival(b"one", NOW, "own", "")
    store.add([Received(*arrival, examine(*arrival[:4]))])
    assert _numbers(Search(store), Query(mark="own")) == [1]


def test_what_was_added_is_carried_over_into_the_file_in_quiet_moments(store: Store, tmp_path: Path) -> None:
    def copied() -> Store:
        """The file without the log beside it."""
        assert store.url.database
        copy = tmp_path / "copy.sqlite"
        copy.write_bytes(Path(store.url.database).read_bytes())
        return Store(copy, read_only=True)

    store.add([received(1)])
    store.settle()
    with pytest.raises(StoreError):  # little was added
        copied()
    store.add([received(2, octets=bytes(17 << 20))])
    store.settle()
    with copied() as other:
        assert Search(other).last() == 2


class _Clock:
    """A time that is set, and a store that counts how often something is indexed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.behind, self.indexed, self.fails = 100.0, 10, 0, False
        monkeypatch.setattr(catching_up, "monotonic", lambda: self.now)
        self.catching_up = catching_up.CatchingUp(cast("Store", self), 1000)

    def index(self) -> int:
        if self.fails:
            raise StoreBusyError("full")
        self.indexed += 1
        return 1

    def settle(self) -> None:
        """There is nothing to settle."""

    def after(self, seconds: float, on_their_way: int = 0) -> int:
        """How often something was indexed once messages were stored after that time."""
        self.now += seconds
        self.catching_up.after_storing(on_their_way)
        return self.indexed


def test_some_is_indexed_each_second_while_storing_keeps_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = _Clock(monkeypatch)
    assert [clock.after(0.25) for _ in range(9)] == [0, 0, 0, 1, 1, 1, 1, 2, 2]
    assert clock.catching_up.due == pytest.approx(0.1)


def test_nothing_is_indexed_amidst_a_burst_nor_before_its_last_messages_are_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = _Clock(monkeypatch)
    assert [clock.after(1.0, 20_000) for _ in range(5)] == [0] * 5
    assert clock.after(0.1, 200) == 0
    clock.behind = 1000
    assert clock.after(0.1, 20_000) == 1  # too many wait
    clock.now += 0.2
    assert clock.catching_up.due == pytest.approx(-0.1)


def test_an_index_that_failed_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = _Clock(monkeypatch)
    clock.behind, clock.fails = 5000, True
    clock.catching_up.in_a_quiet_moment()
    clock.fails = False
    assert clock.catching_up.due == pytest.approx(5.0)
    assert [clock.after(1.0) for _ in range(6)] == [0, 0, 0, 0, 1, 2]
    clock.behind = 0
    assert clock.catching_up.due is None
