"""The store of the audit repository: what is found, that nothing changes, and where it cannot be written."""

from __future__ import annotations

import sqlite3
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from reference_impl.audit.repository import summaries
from reference_impl.audit.repository.facts import clean, microseconds, moment_of
from reference_impl.audit.repository.query import Condition, Query
from reference_impl.audit.repository.search import Search
from reference_impl.audit.repository.store import Store, StoreBusyError, StoreError
from tests.unit.repository_bench import HOUR, NOW, holds, received, trail_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with Store(tmp_path / "audit.sqlite") as opened:
        yield opened


QUERIES = st.builds(
    Query,
    since=st.none() | st.integers(0, 100).map(lambda hours: moment_of(NOW - hours * HOUR)),
    until=st.none() | st.integers(0, 100).map(lambda hours: moment_of(NOW - hours * HOUR)),
    node=st.sampled_from(("", "", "node-1", "NODE-2", "node*", "absent")),
    user=st.sampled_from(("", "", "user-1", "USER-*", "nob*", "x*")),
    patient=st.sampled_from(("", "", "p3", "P1*")),
    event=st.sampled_from(("", "110114")),
    outcome=st.sampled_from(("", "8")),
    only_findings=st.booleans(),
)


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with Store(tmp_path_factory.mktemp("trail") / "audit.sqlite") as opened:
        yield Search(opened), trail_of(opened)


@given(query=QUERIES, oldest_first=st.booleans(), size=st.integers(1, 60))
@examples(max_examples=120, deadline=None, derandomize=True)
def test_searches_find_what_they_mean_page_by_page(trail: Any, query: Query, oldest_first: bool, size: int) -> None:
    search, messages = trail
    wanted = [(message.arrived, number) for number, message in enumerate(messages, 1) if holds(message, query)]
    wanted.sort(reverse=not oldest_first)
    found, after = [], ""
    while True:
        page = search.page(query, after=after, size=size, oldest_first=oldest_first)
        found += [(microseconds(row.at), row.number) for row in page.rows]
        if not page.following:
            break
        after = page.following
    assert found == wanted
    count = search.count(query)
    assert (count.number, count.exact) == (len(wanted), True)


def test_text_is_found_inside_of_values_and_is_no_pattern(store: Store) -> None:
    store.add([received(1, user="Müller%Anna", patient="A_B"), received(2, user="muller", patient="AxB")])
    search = Search(store)
    assert [row.number for row in search.page(Query(text="ÜLLER%")).rows] == [1]
    assert [row.number for row in search.page(Query(text="a_b")).rows] == [1]
    assert not search.page(Query(text="%")).rows[1:]


def test_one_of_several_conditions_may_be_asked(store: Store) -> None:
    store.add([received(1, user="a"), received(2, user="b"), received(3, user="c")])
    asked = Query(also=(Condition(("user",), ("a", "c")),))
    assert sorted(row.number for row in Search(store).page(asked).rows) == [1, 3]
    assert Search(store).count(asked).number == 2


@pytest.mark.parametrize("cursor", ["x", "1", "1.x", "1.2.3" * 20, "9" * 39 + ".1"])
def test_cursors_that_no_page_gave_are_refused(store: Store, cursor: str) -> None:
    store.add([received(1)])
    with pytest.raises((ValueError, StoreBusyError)):
        Search(store).page(Query(), after=cursor)


def test_summaries_count_what_was_stored(store: Store) -> None:
    messages = trail_of(store)
    search = Search(store)
    by_node = {each.node: each for each in summaries.nodes(search)}
    for node in {message.facts.node for message in messages}:
        of_node = [message for message in messages if message.facts.node == node]
        assert by_node[node].messages == len(of_node)
        assert by_node[node].shall == sum(("level", "shall") in message.facts.terms for message in of_node)
        assert by_node[node].failures == sum(message.facts.outcome == "8" for message in of_node)
        assert dict(by_node[node].events) == dict(Counter(message.facts.event for message in of_node))


def test_findings_are_counted_by_node_and_rule(store: Store) -> None:
    store.add(
        [received(1, rule="R1", node="a"), received(2, rule=["R1", "R2"], node="a"), received(3, rule="R1", node="b")]
    )
    found = {(each.node, each.rule): (each.count, each.last_number) for each in summaries.findings(Search(store))}
    assert found == {("a", "R1"): (2, 2), ("a", "R2"): (1, 2), ("b", "R1"): (1, 3)}
    assert [each.rule for each in summaries.findings(Search(store), "b")] == ["R1"]
    days = summaries.days(Search(store), kind="rule", since=moment_of(NOW).date() - timedelta(days=1))
    assert sum(each.count for each in days) == 4


def test_an_event_in_the_far_future_is_found_at_its_arrival(store: Store) -> None:
    late = received(1, at=NOW)
    future = late._replace(facts=late.facts._replace(event_time=NOW * 3, marks=("future",)))
    store.add([future])
    (row,) = Search(store).page(Query()).rows
    assert microseconds(row.at) == NOW
    assert row.event_time is not None


@given(st.text())
@examples(max_examples=60, derandomize=True, deadline=None)
def test_indexed_text_is_always_fit_for_a_database(text: str) -> None:
    for given_text in (text, text + "\0", "\ud800" + text):
        told = clean(given_text)
        told.encode()
        assert "\0" not in told
        assert len(told) <= 256


# Nothing that is stored is changed.


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE message SET node = 'x'", "DELETE FROM message", "UPDATE original SET octets = x'00'",
        "DELETE FROM original WHERE number = 1", "DELETE FROM mention",
    ],
)  # fmt: skip
def test_the_database_itself_refuses_to_change_messages(store: Store, statement: str) -> None:
    store.add([received(1), received(2)])
    assert store.index() == 2
    refused = pytest.raises(sqlite3.IntegrityError, match="never changed")
    with sqlite3.connect(str(store.url.database)) as other, refused:
        other.execute(statement)
    assert store.verify().problem == ""


CHANGES = {
    "UPDATE original SET octets = x'00' WHERE number = 2": "message 2 was changed",
    "UPDATE message SET arrived = arrived - 1 WHERE number = 3": "message 3 was changed",
    "UPDATE message SET peer = 'x' WHERE number = 1": "message 1 was changed",
    "DELETE FROM message WHERE number = 2": "message 2 is missing",
    "DELETE FROM original WHERE number = 2": "the octets of message 2 are missing",
    "DELETE FROM message WHERE number = 3": "message 3 is missing",
    "UPDATE head SET digest = x'00'": "the end of the chain was changed",
}


@pytest.mark.parametrize("statement", list(CHANGES))
def test_a_change_behind_its_back_shows(store: Store, statement: str) -> None:
    store.add([received(number) for number in (1, 2, 3)])
    with sqlite3.connect(str(store.url.database)) as other:
        for (trigger,) in other.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            other.execute(f"DROP TRIGGER {trigger}")
        other.execute(statement)
    assert store.verify().problem == CHANGES[statement]


def test_searches_can_write_nothing(store: Store) -> None:
    store.add([received(1)])
    with pytest.raises(StoreBusyError), Search(store).reading() as begun:
        begun.exec_driver_sql("DELETE FROM head")


# What is no store.


def test_what_is_no_store_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is no database at all, but long enough to be looked at" * 20)
    with sqlite3.connect(tmp_path / "other.sqlite") as other:
        other.execute("CREATE TABLE message (x)")
    for name in ("text", "other.sqlite", "absent/audit.sqlite"):
        with pytest.raises(StoreError) as problem:
            Store(tmp_path / name)
        assert "\n" not in str(problem.value)
    for url in ("mysql://x/y", "nonsense://", "sqlite://", "postgresql://u@127.0.0.1:1/x"):
        with pytest.raises(StoreError):
            Store(url)
    with pytest.raises(StoreError, match="no such database"):
        Store(tmp_path / "absent.sqlite", read_only=True)
    with pytest.raises(StoreError, match="no audit repository"):
        Store(tmp_path / "other.sqlite", create=False)
    empty = tmp_path / "empty.sqlite"
    empty.touch()
    with pytest.raises(StoreError, match="is empty"):
        Store(empty, create=False)
    assert empty.read_bytes() == b""


def test_a_store_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    Store(tmp_path / "a.sqlite").close()
    with sqlite3.connect(tmp_path / "a.sqlite") as other:
        other.execute("UPDATE head SET schema_version = 99")
    with pytest.raises(StoreError, match="version 99"):
        Store(tmp_path / "a.sqlite")


def test_values_that_are_very_many_are_all_found(store: Store) -> None:
    """More values than are walked along one by one; each message with two of them is found once."""
    store.add([received(number, at=NOW - number, patient=[f"P{number:04}", f"P{number:04}x"]) for number in range(600)])
    search = Search(store)
    for query in (
        Query(patient="P*"),
        Query(text="0"),
        Query(text="0", node="node-1"),
        Query(patient="P*", text="node"),
    ):
        found = [row.number for row in search.all(query)]
        assert sorted(found) == sorted(set(found))
        assert len(found) == (600 if "P*" in query.patient else sum("0" in f"{number:04}" for number in range(600)))
        assert search.count(query).number == len(found)
        assert len(search.since(0, query=query, size=1000)) == len(found)
    pages = search.page(Query(patient="P*"), size=7, after=search.page(Query(patient="P*"), size=7).following)
    assert [row.number for row in pages.rows] == list(range(8, 15))


def test_a_new_database_is_nobody_elses_business(store: Store) -> None:
    store.add([received(1)])
    path = Path(str(store.url.database))
    for each in path.parent.glob(f"{path.name}*"):
        assert each.stat().st_mode & 0o077 == 0, each
