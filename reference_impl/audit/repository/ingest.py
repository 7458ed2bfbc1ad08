"""From arrival to storage: messages are examined in other processes and written by one thread, in their order.

What waits is bounded, in octets and in number: beyond that `put` waits, so the sockets are not read and the senders
wait, too. Stored messages are sorted into the index when nothing arrives, now and then, or when too many wait for that.
Whatever cannot be examined is stored as it came and marked. While the database takes nothing, the same is tried again
with growing pauses; nothing is dropped.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from reference_impl.audit.repository.catching_up import CatchingUp
from reference_impl.audit.repository.examining import (
    Arrival,
    examine,
    examine_chunk,
    facts_from,
    prepare_process,
    unexamined,
)
from reference_impl.audit.repository.facts import Facts, Received
from reference_impl.audit.repository.store import Store, StoreBusyError, StoreRefusedError

LOG: Final = logging.getLogger("ps315.audit")
_OVERHEAD: Final = 500  # octets that a waiting message takes beside its own
_CHUNK_OCTETS: Final = 2 << 20
_FORCED: Final = 4  # so many times the limits, what does not wait is refused, too
_T = TypeVar("_T")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 5.0


@dataclass(frozen=True, slots=True)
class IngestLimits:
    """How much waits and is done at once. `processes` examine messages; 0: the writing thread does."""

    processes: int = min(4, os.cpu_count() or 1)
    octets: int = 64 << 20
    messages: int = 20_000
    chunk: int = 200
    batch: int = 2_000
    unindexed: int = 100_000  # so many stored messages may wait for the index, while more arrive


@dataclass(frozen=True, slots=True)
class IngestStatus:
    """How storing goes: messages that came, that are stored, that wait for it (with octets), or for the index, and what
    hinders storing."""

    received: int = 0
    stored: int = 0
    waiting: int = 0
    waiting_octets: int = 0
    unindexed: int = 0
    trouble: str = ""


@dataclass(slots=True)
class _Chunk:
    """Messages that are examined together, or something else to be written between messages."""

    arrivals: list[Arrival]
    future: Future[bytes] | None = None
    job: Callable[[], object] | None = None
    octets: int = 0


Stored = Callable[[Sequence[Received], Sequence[int]], None]
"""Told, in the writing thread, of messages that are stored and of their numbers."""


class Ingest:
    """Takes messages for `store`. :meth:`start` it first; :meth:`stop` returns when everything taken is stored."""

    def __init__(self, store: Store, stored: Stored, limits: IngestLimits | None = None) -> None:
        self._store = store
        self._stored = stored
        self._limits = limits or IngestLimits()
        self._lock = threading.Condition()
        self._pending: list[Arrival] = []
        self._chunks: deque[_Chunk] = deque()
        self._examined = 0  # chunks that are being examined
        self._room: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._waiting = self._waiting_octets = self._received = self._count = 0
        self._trouble = ""
        self._ending = False
        self._hurry = threading.Event()  # the store is given up at the next failure
        self._pool: ProcessPoolExecutor | None = None
        self._thread = threading.Thread(target=self._write, name="audit-writer", daemon=True)
        self._left: list[Arrival] = []
        self._catching_up = CatchingUp(store, self._limits.unindexed)

    def start(self) -> None:
        """Begin."""
        self._pool = self._new_pool()
        self._thread.start()

    @property
    def status(self) -> IngestStatus:
        """How it goes."""
        with self._lock:
            return IngestStatus(
                received=self._received,
                stored=self._count,
                waiting=self._waiting,
                waiting_octets=self._waiting_octets,
                unindexed=self._store.behind,
                trouble=self._trouble,
            )

    async def put(self, arrivals: Sequence[Arrival]) -> None:
        """Take messages; waits while as much is on its way as may be."""
        while not self._take(arrivals, force=False):
            room = asyncio.Event()
            with self._lock:
                self._room.append((asyncio.get_running_loop(), room))
            if self._take(arrivals, force=False):
                return
            await room.wait()

    def put_now(self, arrivals: Sequence[Arrival]) -> bool:
        """Take a few messages without waiting, from any thread; False where far too much waits."""
        return self._take(arrivals, force=True)

    def put_job(self, job: Callable[[], object]) -> None:
        """Write something else after the messages that were taken so far; it is repeated on `StoreBusyError`."""
        with self._lock:
            self._dispatch(everything=True)
            self._chunks.append(_Chunk([], job=job))
            self._lock.notify_all()

    def stop(self, seconds: float = 30.0) -> tuple[Arrival, ...]:
        """Store what was taken; returns what the database did not take within `seconds`."""
        with self._lock:
            self._ending = True
            self._dispatch(everything=True)
            self._lock.notify_all()
        self._thread.join(seconds)
        self._hurry.set()
        self._thread.join()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        return tuple(self._left)

    def _take(self, arrivals: Sequence[Arrival], *, force: bool) -> bool:
        octets = sum(len(each.octets) for each in arrivals) + _OVERHEAD * len(arrivals)
        with self._lock:
            most = _FORCED if force else 1
            if self._waiting >= most * self._limits.messages or self._waiting_octets >= most * self._limits.octets:
                return False
            self._received += len(arrivals)
            self._waiting += len(arrivals)
            self._waiting_octets += octets
            self._pending += arrivals
            self._dispatch(everything=False)
        return True

    def _dispatch(self, *, everything: bool) -> None:
        """Give pending messages to processes that have nothing to do; with `everything` all of them. Under the lock."""
        most = 2 * max(1, self._limits.processes)
        while self._pending and (everything or self._examined < most):
            number = _fitting(self._pending, self._limits.chunk)
            taken, self._pending = self._pending[:number], self._pending[number:]
            chunk = _Chunk(taken, octets=sum(len(each.octets) for each in taken) + _OVERHEAD * len(taken))
            self._examined += 1
            chunk.future = self._submit(taken)
            self._chunks.append(chunk)
            if chunk.future is not None:
                chunk.future.add_done_callback(self._one_examined)
        self._lock.notify_all()

    def _submit(self, arrivals: Sequence[Arrival]) -> Future[bytes] | None:
        if self._pool is None:
            return None
        try:
            return self._pool.submit(examine_chunk, [each[:4] for each in arrivals])
        except (BrokenExecutor, RuntimeError):
            return None  # examined again where its turn comes

    def _one_examined(self, _: Future[bytes] | None = None) -> None:
        with self._lock:
            self._examined -= 1
            self._dispatch(everything=False)

    def _new_pool(self) -> ProcessPoolExecutor | None:
        if not self._limits.processes:
            return None
        context = multiprocessing.get_context("spawn")  # this process has threads: it cannot be forked
        return ProcessPoolExecutor(self._limits.processes, context, initializer=prepare_process)

    def _write(self) -> None:
        while (chunks := self._next()) is not None:
            if not chunks:
                self._catching_up.in_a_quiet_moment()
            elif chunks[0].job is not None:
                self._do(chunks[0].job)
            else:
                batch = [received for chunk in chunks for received in self._of(chunk)]
                self._store_all(batch)
                self._make_room(len(batch), sum(chunk.octets for chunk in chunks))
                self._catching_up.after_storing(self.status.waiting)
        while not self._hurry.is_set() and self._catching_up.index():
            pass

    def _do(self, job: Callable[[], object]) -> None:
        try:
            self._repeat(job)
        except Exception:  # what is beside messages never hinders them
            LOG.exception("what was to be written beside messages failed")

    def _next(self) -> list[_Chunk] | None:
        """The chunks that are written next: one, and those behind it that are examined already; None at the end.

        Empty where nothing has arrived for a while, and messages wait for the index.
        """
        with self._lock:
            while not self._chunks:
                if self._ending and not self._pending:
                    return None
                due = self._catching_up.due
                if due is not None and due <= 0:
                    return []
                self._lock.wait(due)
            chunks = [self._chunks.popleft()]
            number = len(chunks[0].arrivals)
            while self._chunks and chunks[0].job is None and number < self._limits.batch:
                following = self._chunks[0]
                if following.job is not None or following.future is None or not following.future.done():
                    break
                number += len(following.arrivals)
                chunks.append(self._chunks.popleft())
        return chunks

    def _of(self, chunk: _Chunk) -> list[Received]:
        facts = self._result(chunk.future) if chunk.future is not None else None
        if facts is None:
            if chunk.future is None:
                self._one_examined()
            facts = self._examine_again(chunk.arrivals)
        return [Received(*arrival, each) for arrival, each in zip(chunk.arrivals, facts, strict=True)]

    def _result(self, future: Future[bytes]) -> list[Facts] | None:
        try:
            return facts_from(future.result())
        except Exception as problem:  # a process that died, or a mistake of ours: neither loses a message
            LOG.warning("messages could not be examined together: %s: %s", type(problem).__name__, problem)
            return None

    def _examine_again(self, arrivals: Sequence[Arrival]) -> list[Facts]:
        """Examine messages one by one: one of them ended the process, or none is there."""
        if not self._limits.processes:
            return [_examine_here(each) for each in arrivals]
        facts = []
        for each in arrivals:
            future = self._fresh([each])
            found = self._result(future) if future is not None else None
            facts += found if found is not None else [unexamined(each.octets, each.transport, each.peer)]
        return facts

    def _fresh(self, arrivals: Sequence[Arrival]) -> Future[bytes] | None:
        """Submit to a pool that is not broken."""
        with self._lock:
            future = self._submit(arrivals)
            if future is None:
                if self._pool is not None:
                    self._pool.shutdown(wait=False, cancel_futures=True)
                self._pool = self._new_pool()
                future = self._submit(arrivals)
        return future

    def _store_all(self, batch: list[Received]) -> None:
        """Store `batch`, whatever it takes; in parts where the database does not take all of it at once."""
        try:
            numbers = self._repeat(lambda: self._store.add(batch))
        except StoreRefusedError as problem:
            if len(batch) > 1:
                middle = len(batch) // 2
                self._store_all(batch[:middle])
                self._store_all(batch[middle:])
                return
            LOG.warning("a message is stored without what was told of it: %s", problem)
            received = batch[0]
            bare = received._replace(facts=unexamined(received.octets, received.transport, received.peer))
            if bare == received:
                self._left += [Arrival(*received[:5])]
                return
            self._store_all([bare])
            return
        if numbers is None:
            self._left += [Arrival(*received[:5]) for received in batch]
            return
        with self._lock:
            self._count += len(batch)
        try:
            self._stored(batch, numbers)
        except Exception:  # what happens behind storing never hinders it
            LOG.exception("what watches the stored messages failed")

    def _repeat(self, job: Callable[[], _T]) -> _T | None:
        """Do `job` until the database takes it; None where it was given up. Raises `StoreRefusedError`."""
        pause = _FIRST_PAUSE
        while True:
            try:
                done = job()
            except StoreRefusedError:
                raise
            except Exception as problem:
                if not self._trouble:
                    LOG.error("nothing can be stored for now, it is tried again: %s", problem)
                if not isinstance(problem, StoreBusyError):
                    LOG.exception("this is unexpected")
                with self._lock:
                    self._trouble = str(problem)
                if self._hurry.wait(pause):
                    return None
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            if self._trouble:
                LOG.warning("storing goes on")
                with self._lock:
                    self._trouble = ""
            return done

    def _make_room(self, messages: int, octets: int) -> None:
        with self._lock:
            self._waiting -= messages
            self._waiting_octets -= octets
            waiting, self._room = self._room, []
        for loop, room in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(room.set)


def _fitting(arrivals: Sequence[Arrival], most: int) -> int:
    """How many of the first are examined together: one at least, and no more than is done in little time."""
    octets = 0
    for number, arrival in enumerate(arrivals[:most]):
        octets += len(arrival.octets)
        if octets > _CHUNK_OCTETS and number:
            return number
    return min(most, len(arrivals))


def _examine_here(arrival: Arrival) -> Facts:
    try:
        return examine(*arrival[:4])
    except Exception:
        LOG.exception("a message could not be examined")
        return unexamined(arrival.octets, arrival.transport, arrival.peer)
