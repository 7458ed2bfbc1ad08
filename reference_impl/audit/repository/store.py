"""The store of the repository: a SQLite file (write-ahead log) by default, a PostgreSQL database by URL.

Whoever writes does so through one :class:`Store`; searches read beside it and never wait for it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import ColumnElement, Connection, Engine, func, insert, select, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from reference_impl.audit.repository import chain, schema
from reference_impl.audit.repository.database import (
    StoreBusyError,
    StoreError,
    StoreRefusedError,
    Transaction,
    check_file,
    engine_of,
    reason,
    settle,
    url_of,
)
from reference_impl.audit.repository.facts import Received, clean, microseconds
from reference_impl.audit.repository.indexing import Terms, index_barely, index_messages
from reference_impl.audit.repository.opening import open_for_reading, open_trail
from reference_impl.audit.repository.writing import add_messages

__all__ = [
    "AlertFacts",
    "ConnectionFacts",
    "Store",
    "StoreBusyError",
    "StoreError",
    "StoreRefusedError",
    "Verification",
]

INDEXED_AT_ONCE: Final = 5_000
_MUCH: Final = 16 << 20
_FOR_ANOTHER: Final = 0.05  # seconds between two looks at whether another program has indexed messages


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
        self.url: URL = url_of(url)
        self.read_only = read_only
        if self.url.get_backend_name() == "sqlite":
            check_file(self.url, read_only=read_only, create=create)
        try:
            self.writer: Engine = engine_of(self.url, writes=True)
            self.reader: Engine = engine_of(self.url, writes=False)
            self.identity: str = (
                open_for_reading(self.reader, self.name)
                if read_only
                else open_trail(self.writer, self.name, create=create)
            )
            self._behind = self._waiting(func.count(schema.unindexed.c.number))
        except (NoSuchModuleError, ImportError) as problem:
            raise StoreError(f"{self.name}: its driver is missing ({problem}); install ps315[postgresql]") from None
        except SQLAlchemyError as problem:
            raise StoreError(f"{self.name}: cannot be opened: {reason(problem)}") from None
        self._terms = Terms()
        self._unsettled = 0  # octets added since
        self._indexing, self._counting = threading.Lock(), threading.Lock()

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
            numbers = add_messages(begun, batch)
        with self._counting:
            self._behind += len(batch)
            self._unsettled += sum(len(received.octets) for received in batch)
        return numbers

    @property
    def behind(self) -> int:
        """How many messages wait for the index, as far as this program knows; another one may have indexed some."""
        return self._behind

    def index(self, most: int = INDEXED_AT_ONCE) -> int:
        """Index the first `most` messages that wait; returns of how many, 0 where none waits.

        Raises `StoreBusyError`; a message whose values the database refuses is indexed by its node only.
        """
        with self._indexing:
            before = self._behind
            done = self._index(most)
            with self._counting:  # where nothing waited, another program has indexed what this one knew of
                self._behind = max(0, self._behind - (done or before))
        return done

    def settle(self) -> None:
        """Let the database tidy up behind what was added, if that is much: else it does so amidst what arrives."""
        if self._unsettled >= _MUCH:
            self._unsettled = 0
            settle(self.writer)

    def index_before(self, number: int) -> bool:
        """Index some messages if any up to that of `number` waits; whether one did. Raises `StoreBusyError`."""
        first = self._waiting(func.min(schema.unindexed.c.number))
        if not 0 < first <= number:
            return False
        if self.read_only:
            time.sleep(_FOR_ANOTHER)  # the program that writes does it
            return True
        return self.index() > 0

    def last_unindexed(self) -> int:
        """The number of the last message that waits for the index, 0 where none does. Raises `StoreBusyError`."""
        return self._waiting(func.max(schema.unindexed.c.number))

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

    def _writing(self) -> Transaction:
        if self.read_only:
            raise StoreError(f"{self.name}: was opened for reading")
        return Transaction(self.writer, self.name)

    def _index(self, most: int) -> int:
        while True:
            try:
                return self._indexed(partial(index_messages, most=most, terms=self._terms))
            except StoreRefusedError:
                if most == 1:
                    return self._indexed(partial(index_barely, terms=self._terms))
                most //= 2

    def _indexed(self, write: Callable[[Connection], int]) -> int:
        """What `write` returns; the values that it met are known from now on only where its transaction is through."""
        try:
            with self._writing() as begun:
                done = write(begun)
        except BaseException:
            self._terms.forget()
            raise
        self._terms.keep()
        return done

    def _waiting(self, told: ColumnElement[int]) -> int:
        """A number (0 for none) that tells of the messages which wait for the index. Raises `StoreBusyError`."""
        try:
            with self.reader.connect() as begun:
                return begun.scalar(select(told)) or 0
        except SQLAlchemyError as problem:
            raise StoreBusyError(f"{self.name}: {reason(problem)}") from None


def _alert_row(number: int, facts: AlertFacts) -> dict[str, Any]:
    values = {name: getattr(facts, name) for name in AlertFacts.__slots__}
    values |= {name: clean(values[name], 1000) for name in ("title", "detail", "node")}
    return values | {"id": number, "messages": json.dumps(facts.messages), "acknowledged_by": "", "note": ""}
