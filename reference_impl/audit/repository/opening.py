"""Making the tables of a new trail, and opening one that is there."""

from __future__ import annotations

import uuid

from sqlalchemy import Connection, Engine, insert, inspect, select, update

from reference_impl.audit.repository import chain, schema
from reference_impl.audit.repository.database import StoreError


def open_trail(writer: Engine, name: str, *, create: bool) -> str:
    """The identity of the trail in a database called `name`, made where there is none and `create` says so.

    Raises `StoreError` where it holds something else, or tables of a newer program.
    """
    with writer.begin() as begun:
        tables = set(inspect(begun).get_table_names())
        if schema.head.name in tables:
            _renew(begun)
            return _identity(begun, name)
        if not create:
            raise StoreError(f"{name}: is no audit repository; name the database of ps315 audit serve")
        if tables & set(schema.METADATA.tables):
            raise StoreError(f"{name}: holds tables of something else; name another database")
        schema.METADATA.create_all(begun)
        for statement in schema.triggers(begun.dialect.name):
            begun.exec_driver_sql(statement)
        identity = str(uuid.uuid4())
        values = {"id": 1, "schema_version": schema.SCHEMA_VERSION, "identity": identity, "number": 0}
        begun.execute(insert(schema.head).values(values | {"digest": chain.beginning(identity)}))
        return identity


def open_for_reading(reader: Engine, name: str) -> str:
    """The identity of the trail in a database called `name`. Raises `StoreError` as above, or where there is none."""
    with reader.connect() as begun:
        if not inspect(begun).has_table(schema.head.name):
            raise StoreError(f"{name}: is no audit repository; name the database of ps315 audit serve")
        return _identity(begun, name)


def _renew(begun: Connection) -> None:
    """Bring tables of version 1, in which every message was indexed as it was stored, to version 2."""
    if begun.scalar(select(schema.head.c.schema_version)) == 1:
        schema.unindexed.create(begun)
        begun.execute(update(schema.head).values(schema_version=2))


def _identity(begun: Connection, name: str) -> str:
    found = begun.execute(select(schema.head.c.schema_version, schema.head.c.identity)).one_or_none()
    if found is None:
        raise StoreError(f"{name}: is no audit repository; name another database")
    if found.schema_version != schema.SCHEMA_VERSION:
        raise StoreError(
            f"{name}: has version {found.schema_version} of the tables and this program"
            f" {schema.SCHEMA_VERSION}; use the program that made it"
        )
    identity: str = found.identity
    return identity
