"""The store of the repository: a SQLite file (write-ahead log) by default, a PostgreSQL database by URL.

Whoever writes does so through one :class:`Store`; searches read beside it and never wait for it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import Connection, Engine, create_engine, event, func, insert, inspect, select, update
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.pool import QueuePool

from reference_impl.audit.repository import chain, schema
from reference_impl.audit.repository.facts import Received, clean, microseconds
from reference_impl.audit.repository.writing import Terms, add_messages

_BUSY_SECONDS: Final = 5.0
_READERS: Final = 8
_CACHE_KIB: Final = 64 * 1024


class StoreError(Exception):
    """The database cannot be used: one sentence that says why and what to do."""


class StoreBusyError(StoreError):
    """The database takes nothing for now (full disk, a lock, a lost connection): the same may succeed later."""


class StoreRefusedError(StoreError):
    """The database does not take these values; others it would."""


@dataclass(frozen=True, slots=True)
class ConnectionFacts:
    """What is stored of a connection from a node; times in microseconds since 1970 UTC."""

    transport: str
    peer: str
    port: int
    began: int
    tls_version: str = ""
    cipher: str = ""
    subject: str = ""
    certificate: bytes | None = None


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """What a detection rule raised; times in microseconds since 1970 UTC, `fields` is JSON."""

    rule: str
    severity: str
    title: str
    detail: str
    fields: str
    node: str
    raised: int
    began: int
    until: int
    count: int
    messages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether the chain of digests holds: up to which message, its digest, and what is wrong (empty: nothing)."""

    messages: int
    digest: str
    problem: str = ""


class Store:
    """A database of messages at `url` (SQLAlchemy's form; a path names a SQLite file), where `create` made if need be.

    Raises `StoreError` where it cannot be opened, holds something else, or was made by a newer program.
    """

    def __init__(self, url: str | Path, *, read_only: bool = False, create: bool = True) -> None:
        self.url: URL = _url(url)
        self.read_only = read_only
        if self.url.get_backend_name() == "sqlite":
            _check_file(self.url, read_only=read_only)
        try:
            self.writer: Engine = _engine(self.url, writes=True)
            self.reader: Engine = _engine(self.url, writes=False)
            self.identity = self._open_for_reading() if read_only else self._open(create=create)
        except (NoSuchModuleError, ImportError) as problem:
            raise StoreError(f"{self.name}: its driver is missing ({problem}); install ps315[postgresql]") from None
        except SQLAlchemyError as problem:
            raise StoreError(f"{self.name}: cannot be opened: {reason(problem)}") from None
        self._terms = Terms()

    @property
    def name(self) -> str:
        """What the store is called in messages: its file, or its URL without the password."""
        database = self.url.database
        return database if self.url.get_backend_name() == "sqlite" and database else self.url.render_as_string()

    def add(self, batch: Sequence[Received]) -> list[int]:
        """Store `batch`, all of it or nothing; returns the numbers of its messages.

        Raises `StoreBusyError` where the database takes nothing for now, `StoreRefusedError` where not these.
        """
        with self._writing() as begun:
            numbers = add_messages(begun, batch, self._terms)
        self._terms.keep()
        return numbers

    def next_connection(self) -> int:
        """The id of the connection that begins next. Raises `StoreBusyError`."""
        with self._writing() as begun:
            last: int = begun.scalar(select(func.max(schema.connection.c.id))) or 0
        return last + 1

    def begin_connection(self, number: int, facts: ConnectionFacts) -> None:
        """Store that the connection with this id began. Raises `StoreBusyError`."""
        with self._writing() as begun:
            begun.execute(
                insert(schema.connection).values(
                    id=number,
                    transport=facts.transport,
                    peer=facts.peer,
                    port=facts.port,
                    began=facts.began,
                    tls_version=facts.tls_version,
                    cipher=facts.cipher,
                    subject=clean(facts.subject),
                    certificate=facts.certificate,
                    ending="",
                    problem="",
                    messages=0,
                )
            )

    def end_connection(self, number: int, *, ended: int, ending: str, problem: str, messages: int) -> None:
        """Store how a connection ended, and how many messages it brought. Raises `StoreBusyError`."""
        values = {"ended": ended, "ending": ending, "problem": clean(problem), "messages": messages}
        with self._writing() as begun:
            begun.execute(update(schema.connection).where(schema.connection.c.id == number).values(values))

    def add_alerts(self, alerts: Sequence[AlertFacts]) -> list[int]:
        """Store alerts; returns their ids. Raises `StoreBusyError`."""
        with self._writing() as begun:
            first: int = (begun.scalar(select(func.max(schema.alert.c.id))) or 0) + 1
            rows = [_alert_row(number, facts) for number, facts in enumerate(alerts, first)]
            if rows:
                begun.execute(insert(schema.alert), rows)
        return [row["id"] for row in rows]

    def acknowledge(self, number: int, by: str, at: datetime, note: str = "") -> bool:
        """Note that somebody has seen to an alert; False where it is none that is open. Raises `StoreBusyError`."""
        values = {"acknowledged": microseconds(at), "acknowledged_by": clean(by), "note": clean(note, 1000)}
        with self._writing() as begun:
            wanted = (schema.alert.c.id == number) & schema.alert.c.acknowledged.is_(None)
            return bool(begun.execute(update(schema.alert).where(wanted).values(values)).rowcount)

    def verify(self) -> Verification:
        """Compute the chain of digests anew from the stored octets."""
        columns = schema.message.c
        rows = (
            select(
                columns.number,
                columns.arrived,
                columns.transport,
                columns.peer,
                columns.digest,
                schema.original.c.octets,
            )
            .join_from(schema.message, schema.original, isouter=True)
            .order_by(columns.number)
        )
        current, expected = chain.beginning(self.identity), 0
        with self.reader.connect() as begun:
            last = begun.execute(select(schema.head.c.number, schema.head.c.digest)).one()
            for number, arrived, transport, peer, kept, octets in begun.execution_options(yield_per=1000).execute(rows):
                expected += 1
                if number > last.number:
                    break  # added since
                if number != expected:
                    return Verification(expected - 1, current.hex(), f"message {expected} is missing")
                if octets is None:
                    return Verification(expected - 1, current.hex(), f"the octets of message {number} are missing")
                current = chain.digest(current, number, arrived=arrived, transport=transport, peer=peer, octets=octets)
                if current != kept:
                    return Verification(expected - 1, current.hex(), f"message {number} was changed")
            else:
                if expected < last.number:
                    return Verification(expected, current.hex(), f"message {expected + 1} is missing")
                if current != last.digest:
                    return Verification(expected, current.hex(), "the end of the chain was changed")
        return Verification(last.number, last.digest.hex())

    def close(self) -> None:
        """Close every connection to the database."""
        self.writer.dispose()
        self.reader.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _writing(self) -> _Writing:
        return _Writing(self)

    def forget_terms(self) -> None:
        """Forget what is known of values: the transaction that made them came to nothing."""
        self._terms.forget()

    def _open(self, *, create: bool) -> str:
        with self.writer.begin() as begun:
            tables = set(inspect(begun).get_table_names())
            if schema.head.name in tables:
                return self._identity(begun)
            if not create:
                raise StoreError(f"{self.name}: is no audit repository; name the database of ps315 audit serve")
            if tables & set(schema.METADATA.tables):
                raise StoreError(f"{self.name}: holds tables of something else; name another database")
            schema.METADATA.create_all(begun)
            for statement in schema.triggers(begun.dialect.name):
                begun.exec_driver_sql(statement)
            identity = str(uuid.uuid4())
            values = {"id": 1, "schema_version": schema.SCHEMA_VERSION, "identity": identity, "number": 0}
            begun.execute(insert(schema.head).values(values | {"digest": chain.beginning(identity)}))
            return identity

    def _open_for_reading(self) -> str:
        with self.reader.connect() as begun:
            if not inspect(begun).has_table(schema.head.name):
                raise StoreError(f"{self.name}: is no audit repository; name the database of ps315 audit serve")
            return self._identity(begun)

    def _identity(self, begun: Connection) -> str:
        found = begun.execute(select(schema.head.c.schema_version, schema.head.c.identity)).one_or_none()
        if found is None:
            raise StoreError(f"{self.name}: is no audit repository; name another database")
        if found.schema_version != schema.SCHEMA_VERSION:
            raise StoreError(
                f"{self.name}: has version {found.schema_version} of the tables and this program"
                f" {schema.SCHEMA_VERSION}; use the program that made it"
            )
        identity: str = found.identity
        return identity


class _Writing:
    """A transaction of the writer; what the database refuses becomes a `StoreBusyError`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._transaction: Any = None

    def __enter__(self) -> Connection:
        if self._store.read_only:
            raise StoreError(f"{self._store.name}: was opened for reading")
        try:
            self._transaction = self._store.writer.begin()
            begun: Connection = self._transaction.__enter__()
        except SQLAlchemyError as problem:  # a pool that has no connection free, too
            raise StoreBusyError(f"{self._store.name}: {reason(problem)}") from None
        return begun

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._transaction.__exit__(kind, value, traceback)
        except SQLAlchemyError as problem:
            value = problem
        if value is not None:
            self._store.forget_terms()
        if isinstance(value, _REFUSALS):
            raise StoreRefusedError(f"{self._store.name}: {reason(value)}") from None
        if isinstance(value, SQLAlchemyError):
            raise StoreBusyError(f"{self._store.name}: {reason(value)}") from None


def _alert_row(number: int, facts: AlertFacts) -> dict[str, Any]:
    values = {name: getattr(facts, name) for name in AlertFacts.__slots__}
    values |= {name: clean(values[name], 1000) for name in ("title", "detail", "node")}
    return values | {"id": number, "messages": json.dumps(facts.messages), "acknowledged_by": "", "note": ""}


_REFUSALS: Final = (DataError, IntegrityError, ProgrammingError, OverflowError, ValueError)


def reason(problem: BaseException) -> str:
    """What the database said, on one line, without the statement and its values."""
    said = problem.orig if isinstance(problem, DBAPIError) else problem
    return " ".join(str(said).split())[:300]


def _url(given: str | Path) -> URL:
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


def _check_file(url: URL, *, read_only: bool) -> None:
    if not url.database or url.database == ":memory:":
        raise StoreError("a repository needs a file; name one")
    path = Path(url.database)
    if read_only and not path.is_file():
        raise StoreError(f"{path}: there is no such database")
    if not path.parent.is_dir():
        raise StoreError(f"{path.parent}: there is no such folder; make it first")
    if not read_only and not path.exists():
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # patients' data are nobody else's business
        except OSError as problem:
            raise StoreError(f"{path}: cannot be made: {problem.strerror}") from None


def _engine(url: URL, *, writes: bool) -> Engine:
    sizes: dict[str, Any] = {"poolclass": QueuePool, "pool_size": 1 if writes else _READERS, "max_overflow": 0}
    if url.get_backend_name() != "sqlite":
        settings = "" if writes else "-c default_transaction_read_only=on"
        return create_engine(url, pool_pre_ping=True, connect_args={"options": settings}, **sizes)
    # Every transaction is begun by the listener below, at once with the right to write or without it.
    arguments = {"timeout": _BUSY_SECONDS, "check_same_thread": False, "isolation_level": None}
    engine = create_engine(url, connect_args=arguments, **sizes)

    def prepare(opened: sqlite3.Connection, _: object) -> None:
        pragmas = ["page_size = 4096", "journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 8000"]
        pragmas = pragmas if writes else ["query_only = ON", "mmap_size = 1073741824"]
        for pragma in (*pragmas, f"cache_size = -{_CACHE_KIB if writes else _CACHE_KIB // 4}", "temp_store = MEMORY"):
            opened.execute(f"PRAGMA {pragma}")

    def begin(begun: Connection) -> None:
        begun.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
    return engine
