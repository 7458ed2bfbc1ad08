"""The database behind the store: its URL, its engines and transactions, and how it says no."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

_BUSY_SECONDS: Final = 5.0
_READERS: Final = 8
_CACHE_KIB: Final = 64 * 1024
_LOG_KEPT: Final = 64 << 20  # octets of SQLite's write-ahead log that are kept for the next burst


class StoreError(Exception):
    """The database cannot be used: one sentence that says why and what to do."""


class StoreBusyError(StoreError):
    """The database takes nothing for now (full disk, a lock, a lost connection): the same may succeed later."""


class StoreRefusedError(StoreError):
    """The database does not take these values; others it would."""


class Transaction:
    """One transaction of `engine`, of the database that is called `name`.

    What the database refuses becomes a `StoreRefusedError`, what it cannot do for now a `StoreBusyError`.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine, self._name = engine, name
        self._transaction: Any = None

    def __enter__(self) -> Connection:
        try:
            self._transaction = self._engine.begin()
            begun: Connection = self._transaction.__enter__()
        except SQLAlchemyError as problem:  # a pool that has no connection free, too
            raise StoreBusyError(f"{self._name}: {reason(problem)}") from None
        return begun

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._transaction.__exit__(kind, value, traceback)
        except SQLAlchemyError as problem:
            value = problem
        if isinstance(value, _REFUSALS):
            raise StoreRefusedError(f"{self._name}: {reason(value)}") from None
        if isinstance(value, SQLAlchemyError):
            raise StoreBusyError(f"{self._name}: {reason(value)}") from None


_REFUSALS: Final = (DataError, IntegrityError, ProgrammingError, OverflowError, ValueError)


def reason(problem: BaseException) -> str:
    """What the database said, on one line, without the statement and its values."""
    said = problem.orig if isinstance(problem, DBAPIError) else problem
    return " ".join(str(said).split())[:300]


def url_of(given: str | Path) -> URL:
    """The URL of what a user names: a path, or a URL. Raises `StoreError` for a database that is not known."""
    if isinstance(given, Path) or "://" not in given:
        return URL.create("sqlite", database=str(given))
    try:
        url = make_url(given)
    except ArgumentError:
        raise StoreError(f"{given!r} is no database URL; write sqlite:///FILE or postgresql+psycopg://…") from None
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise StoreError(f"{url.get_backend_name()}: only SQLite and PostgreSQL databases are known")
    return url


def check_file(url: URL, *, read_only: bool, create: bool) -> None:
    """Make the SQLite file where it is not there, for nobody else to read.

    Raises `StoreError` where it cannot be made, or, without `create`, holds nothing.
    """
    if not url.database or url.database == ":memory:":
        raise StoreError("a repository needs a file; name one")
    path = Path(url.database)
    if read_only and not path.is_file():
        raise StoreError(f"{path}: there is no such database")
    if not path.parent.is_dir():
        raise StoreError(f"{path.parent}: there is no such folder; make it first")
    if not create and path.is_file() and not path.stat().st_size:
        raise StoreError(f"{path}: is empty; name the database of ps315 audit serve")
    if not read_only and not path.exists():
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # patients' data are nobody else's business
        except OSError as problem:
            raise StoreError(f"{path}: cannot be made: {problem.strerror}") from None


def engine_of(url: URL, *, writes: bool) -> Engine:
    """Connections to the database: one that `writes`, or several that cannot."""
    sizes: dict[str, Any] = {"poolclass": QueuePool, "pool_size": 1 if writes else _READERS, "max_overflow": 0}
    if url.get_backend_name() != "sqlite":
        settings = "" if writes else "-c default_transaction_read_only=on"
        return create_engine(url, pool_pre_ping=True, connect_args={"options": settings}, **sizes)
    # Every transaction is begun by the listener below, at once with the right to write or without it.
    arguments = {"timeout": _BUSY_SECONDS, "check_same_thread": False, "isolation_level": None}
    engine = create_engine(url, connect_args=arguments, **sizes)

    def prepare(opened: sqlite3.Connection, _: object) -> None:
        # 16,000 pages are 256 MiB: a burst goes into the log, which `settle` carries over when there is time.
        pragmas = ["page_size = 16384", "journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 16000"]
        pragmas += [f"journal_size_limit = {_LOG_KEPT}"]
        pragmas = pragmas if writes else ["query_only = ON", "mmap_size = 1073741824"]
        for pragma in (*pragmas, f"cache_size = -{_CACHE_KIB if writes else _CACHE_KIB // 4}", "temp_store = MEMORY"):
            opened.execute(f"PRAGMA {pragma}")

    def begin(begun: Connection) -> None:
        begun.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
    return engine


def settle(engine: Engine) -> None:
    """Carry SQLite's write-ahead log over into the database file, as far as no search needs it as it is.

    Where that cannot be done nothing is lost: the log is part of the database.
    """
    if engine.dialect.name != "sqlite":
        return
    with contextlib.suppress(SQLAlchemyError, sqlite3.Error), contextlib.closing(engine.raw_connection()) as opened:
        opened.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")  # outside of any transaction
