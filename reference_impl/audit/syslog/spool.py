"""Messages that wait to be sent, in a SQLite file that survives whatever becomes of the program, or in memory."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_APPLICATION = 0x50533331  # "PS31": whose file it is
_LAYOUT = 1
_TABLE = "CREATE TABLE waiting (number INTEGER PRIMARY KEY AUTOINCREMENT, octets BLOB NOT NULL)"


class SpoolError(Exception):
    """The spool cannot be used: why, in a sentence."""


class SpoolFullError(SpoolError):
    """The message was not taken, because too much waits already."""


class Waiting(NamedTuple):
    """A message that waits: numbers grow in the order in which messages were put, and are never used twice."""

    number: int
    octets: bytes


class Spool:
    """Keeps messages in their order until they are removed. Threads may share it.

    `path` is a file that is made where there is none, and that one spool at a time holds; None keeps them in memory.
    Beyond `octets` of messages nothing more is taken. Every method raises `SpoolError` where the file fails; what was
    put before stays as it is.
    """

    def __init__(self, path: Path | None, octets: int = 1 << 30, *, patience: float = 5.0) -> None:
        self._name = f"the spool {path}" if path else "the spool in memory"
        self._most = octets
        self._lock = threading.RLock()
        with self._told():
            if path is not None:
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # what is in it is for nobody else
            self._database = sqlite3.connect(
                str(path) if path else ":memory:", timeout=patience, isolation_level=None, check_same_thread=False
            )
        try:
            with self._told():
                self._open()
        except BaseException:
            self._database.close()
            raise

    @property
    def count(self) -> int:
        """How many messages wait."""
        return self._count

    @property
    def octets(self) -> int:
        """How many octets they have."""
        return self._octets

    def longest(self) -> int:
        """How many octets the longest message has that waits, 0 where none does."""
        with self._lock, self._told():
            return int(self._database.execute("SELECT coalesce(max(length(octets)), 0) FROM waiting").fetchone()[0])

    def put(self, messages: Iterable[bytes]) -> None:
        """Keep `messages`, all or none. When this returns they are on the disk. Raises `SpoolFullError`."""
        rows = [(message,) for message in messages]
        more = sum(len(row[0]) for row in rows)
        with self._lock, self._told():
            if self._octets + more > self._most:
                raise SpoolFullError(
                    f"{self._name} is full: {self._count} messages with {self._octets} octets wait, of {self._most}"
                )
            with self._transaction():
                self._database.executemany("INSERT INTO waiting (octets) VALUES (?)", rows)
            self._count += len(rows)
            self._octets += more

    def read(self, after: int, octets: int) -> list[Waiting]:
        """Messages with numbers above `after`, oldest first: at least one if there is any, about `octets` at most."""
        found: list[Waiting] = []
        with self._lock, self._told():
            rows = self._database.execute(
                "SELECT number, octets FROM waiting WHERE number > ? ORDER BY number", (after,)
            )
            with contextlib.closing(rows):
                for number, message in rows:
                    found.append(Waiting(number, message))
                    octets -= len(message)
                    if octets <= 0:
                        break
        return found

    def remove(self, up_to: int) -> None:
        """Forget the messages with numbers up to `up_to`: they have been sent."""
        with self._lock, self._told():
            with self._transaction():
                count, octets = self._measured("WHERE number <= ?", up_to)
                self._database.execute("DELETE FROM waiting WHERE number <= ?", (up_to,))
            self._count -= count
            self._octets -= octets

    def close(self) -> None:
        """Close the file. What waits is there when it is opened again."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._database.close()

    def _open(self) -> None:
        run = self._database.execute
        run("PRAGMA locking_mode = EXCLUSIVE")  # two senders with one spool would send everything twice
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        run("PRAGMA journal_size_limit = 4194304")
        with self._transaction("EXCLUSIVE"):
            owner, layout = run("PRAGMA application_id").fetchone()[0], run("PRAGMA user_version").fetchone()[0]
            if not run("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                run(_TABLE)
                run(f"PRAGMA application_id = {_APPLICATION}")
                run(f"PRAGMA user_version = {_LAYOUT}")
            elif (owner, layout) != (_APPLICATION, _LAYOUT):
                raise SpoolError(f"{self._name} is a database of another program or version; name another file")
        self._count, self._octets = self._measured()

    def _measured(self, which: str = "", *values: int) -> tuple[int, int]:
        """How many messages and octets there are."""
        rows = self._database.execute(
            f"SELECT count(*), coalesce(sum(length(octets)), 0) FROM waiting {which}",  # noqa: S608 - no outer text
            values,
        )
        count, octets = rows.fetchone()
        return int(count), int(octets)

    @contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Iterator[None]:
        self._database.execute(f"BEGIN {kind}")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # a full disk may have rolled it back already
                self._database.execute("ROLLBACK")
            raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as problem:
            words = str(problem)
            if "locked" in words or "busy" in words:
                words = "another program has it; let each sender have a spool of its own"
            raise SpoolError(f"{self._name} cannot be used: {words}") from problem
        except (sqlite3.Error, OSError) as problem:
            words = getattr(problem, "strerror", None) or str(problem)
            if "malformed" in words:
                words = "it is damaged; set it aside, for what can be saved of it, and name another file"
            raise SpoolError(f"{self._name} cannot be used: {words}") from problem
