"""From arrival to storage: a database that is locked or full, processes that die, and a kill cost no message."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from reference_impl.audit.repository.examining import Arrival
from reference_impl.audit.repository.facts import Facts, Received
from reference_impl.audit.repository.ingest import Ingest, IngestLimits
from reference_impl.audit.repository.search import Search
from reference_impl.audit.repository.store import Store
from tests.unit.repository_bench import NOW, received, until

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with Store(tmp_path / "audit.sqlite") as opened:
        yield opened


def _arrivals(number: int, octets: int = 40) -> list[Arrival]:
    return [Arrival(b"%d " % place + b"x" * octets, NOW, "udp", "192.0.2.1") for place in range(number)]


def _nobody(_: Sequence[Received], __: Sequence[int]) -> None:
    """Nobody watches."""


def _stored(ingest: Ingest, number: int) -> None:
    until(lambda: ingest.status.stored >= number)


def test_a_locked_database_is_waited_for_and_told_of(store: Store) -> None:
    ingest = Ingest(store, _nobody, IngestLimits(processes=0))
    with store.writer.connect() as begun:  # so that waiting for the lock is short in this test
        begun.exec_driver_sql("PRAGMA busy_timeout = 20")
    other = sqlite3.connect(str(store.url.database), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    ingest.start()
    ingest.put_now(_arrivals(5))
    until(lambda: "locked" in ingest.status.trouble)
    assert ingest.status.stored == 0
    other.execute("COMMIT")
    _stored(ingest, 5)
    ingest.put_now(_arrivals(1))
    assert ingest.stop() == ()
    assert ingest.status.trouble == ""
    assert store.verify().messages == 6


def test_a_full_disk_is_waited_for_and_loses_nothing(store: Store) -> None:
    ingest = Ingest(store, _nobody, IngestLimits(processes=0, messages=300))
    with store.writer.connect() as begun:
        pages = begun.exec_driver_sql("PRAGMA page_count").scalar_one()
        begun.exec_driver_sql(f"PRAGMA max_page_count = {pages + 5}")
    ingest.start()
    ingest.put_now(_arrivals(200, octets=3000))
    until(lambda: "full" in ingest.status.trouble)
    assert not ingest.status.stored
    until(lambda: ingest.status.waiting == 200)
    raised = threading.Event()
    store_add = store.add

    def add(batch: Any) -> list[int]:
        if not raised.is_set():
            raised.set()
            with store.writer.connect() as begun:
                begun.exec_driver_sql("PRAGMA max_page_count = 1000000")
        return store_add(batch)

    store.add = add  # type: ignore[method-assign]
    _stored(ingest, 200)
    assert ingest.stop() == ()
    assert store.verify().messages == 200


def test_what_waits_is_bounded_and_put_waits(store: Store) -> None:
    import asyncio

    ingest = Ingest(store, _nobody, IngestLimits(processes=0, messages=100))
    other = sqlite3.connect(str(store.url.database), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    ingest.start()

    async def bring() -> None:
        for _ in range(6):
            await ingest.put(_arrivals(50))

    async def run() -> None:
        task = asyncio.create_task(bring())
        while ingest.status.received < 100:
            await asyncio.sleep(0.01)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await asyncio.shield(task)
        assert ingest.status.received == 100
        other.execute("COMMIT")
        await task

    asyncio.run(run())
    assert ingest.stop() == ()
    assert store.verify().messages == 300


def test_stopping_while_nothing_can_be_stored_gives_back_what_was_taken(store: Store) -> None:
    with store.writer.connect() as begun:
        begun.exec_driver_sql("PRAGMA busy_timeout = 10")
    ingest = Ingest(store, _nobody, IngestLimits(processes=0))
    other = sqlite3.connect(str(store.url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    ingest.start()
    taken = _arrivals(7)
    ingest.put_now(taken)
    assert list(ingest.stop(0.2)) == taken
    other.close()


def test_values_that_the_database_refuses_cost_only_what_was_told_of_them(store: Store) -> None:
    good, bad = received(1), received(2)
    bad = bad._replace(facts=replace_fields(bad.facts, node="\ud800"))
    ingest = Ingest(store, _nobody, IngestLimits(processes=0))
    ingest.start()
    ingest._store_all([good, bad, good])
    assert ingest.stop() == ()
    assert [row.marks for row in Search(store).since(0)][1][0] == "not-examined"
    assert store.verify().messages == 3


def replace_fields(facts: Facts, **changes: Any) -> Facts:
    return facts._replace(**changes)


def test_a_message_that_ends_the_process_is_stored_as_it_came(store: Store) -> None:
    ingest = Ingest(store, _nobody, IngestLimits(processes=1))
    ingest.start()
    ingest.put_now(_arrivals(1))
    _stored(ingest, 1)
    children = [int(each) for each in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    workers = [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
    for child in workers:
        os.kill(child, signal.SIGKILL)
    ingest.put_now(_arrivals(3))
    _stored(ingest, 4)
    ingest.put_now(_arrivals(3))
    _stored(ingest, 7)
    assert ingest.stop() == ()
    assert store.verify().messages == 7


_KILLED = """
import sys
from pathlib import Path
from reference_impl.audit.repository.store import Store
from tests.unit.repository_bench import received
store = Store(Path(sys.argv[1]))
number = 0
while True:
    store.add([received(number + place, octets=b"%d" % (number + place)) for place in range(20)])
    number += 20
    print(number, flush=True)
"""


def test_what_was_stored_outlives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "audit.sqlite"
    child = subprocess.Popen([sys.executable, "-c", _KILLED, str(path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert child.stdout is not None
    told = 0
    for line in child.stdout:
        told = int(line)
        if told >= 400:
            child.kill()
            break
    told = max([told, *(int(line) for line in child.stdout if line.strip().isdigit())])
    child.wait(30)
    with Store(path) as store:
        kept = store.verify()
        assert kept.problem == ""
        assert kept.messages >= told
        store.add([received(1)])
        assert store.verify().messages == kept.messages + 1
