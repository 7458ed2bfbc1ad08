"""The tables of the repository. Messages are written once: triggers refuse to change or remove them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA_VERSION: Final = 2
METADATA: Final = MetaData()

_NUMBER = BigInteger().with_variant(Integer(), "sqlite")  # an INTEGER PRIMARY KEY is SQLite's own row number
_BY_CODE_POINT = Text().with_variant(Text(collation="C"), "postgresql")  # ranges of it are beginnings of values

head = Table(
    "head",
    METADATA,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),  # the one row has 1
    Column("schema_version", Integer, nullable=False),
    Column("identity", Text, nullable=False),  # of this trail; begins the chain of digests
    Column("number", BigInteger, nullable=False),  # of the last message
    Column("digest", LargeBinary, nullable=False),  # of the last message
)
"""The end of the chain of messages; locked while messages are added."""

connection = Table(
    "connection",
    METADATA,
    Column("id", _NUMBER, primary_key=True, autoincrement=False),
    Column("transport", Text, nullable=False),
    Column("peer", Text, nullable=False),
    Column("port", Integer, nullable=False),
    Column("began", BigInteger, nullable=False),
    Column("ended", BigInteger),
    Column("tls_version", Text, nullable=False),
    Column("cipher", Text, nullable=False),
    Column("subject", Text, nullable=False),  # of the client certificate
    Column("certificate", LargeBinary),  # DER
    Column("ending", Text, nullable=False),
    Column("problem", Text, nullable=False),  # of the framing, say
    Column("messages", BigInteger, nullable=False),
)
"""The connections over which messages came, also those that failed before one did."""

message = Table(
    "message",
    METADATA,
    Column("number", _NUMBER, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),  # the event's time where it is plausible, or the time of arrival
    Column("arrived", BigInteger, nullable=False),
    Column("event_time", BigInteger),
    Column("transport", Text, nullable=False),
    Column("peer", Text, nullable=False),
    Column("connection", BigInteger),
    Column("event", Text, nullable=False),
    Column("event_system", Text, nullable=False),
    Column("event_name", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("node", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("application", Text, nullable=False),
    Column("users", Text, nullable=False),
    Column("patients", Text, nullable=False),
    Column("shall", Integer, nullable=False),
    Column("should", Integer, nullable=False),
    Column("open", Integer, nullable=False),
    Column("notes", Integer, nullable=False),
    Column("marks", Text, nullable=False),  # separated by blanks
    Column("digest", LargeBinary, nullable=False),  # SHA-256, see chain.py
    Index("message_at", "at", "number"),
)
"""One row a message: what is shown of it in lists."""

original = Table(
    "original",
    METADATA,
    Column("number", _NUMBER, ForeignKey("message.number"), primary_key=True, autoincrement=False),
    Column("octets", LargeBinary, nullable=False),
)
"""The octets of each message as they arrived, syslog header included; apart, so that lists read few pages."""

unindexed = Table(
    "unindexed",
    METADATA,
    Column("number", _NUMBER, primary_key=True, autoincrement=False),  # of a message
    Column("terms", LargeBinary, nullable=False),  # as `facts.packed` writes them
)
"""The messages that are stored and not in the index yet: not among `mention`, nor in any count below."""

term = Table(
    "term",
    METADATA,
    Column("id", _NUMBER, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("folded", _BY_CODE_POINT, nullable=False),  # of value, without difference of case
    Column("count", BigInteger, nullable=False),  # of messages
    Column("first", BigInteger, nullable=False),  # the earliest and the latest `at`
    Column("last", BigInteger, nullable=False),
    UniqueConstraint("kind", "value"),
    Index("term_folded", "kind", "folded"),
)
"""Each value by which messages are found, once."""

mention = Table(
    "mention",
    METADATA,
    Column("term", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
"""Which message holds which value, in the order of time: every search walks along this."""

tally = Table(
    "tally",
    METADATA,
    Column("day", Integer, primary_key=True, autoincrement=False),  # days since 1970 UTC
    Column("node", BigInteger, primary_key=True, autoincrement=False),  # a term
    Column("term", BigInteger, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),  # number of the last such message
    sqlite_with_rowid=False,
)
"""How many messages with an event, outcome, level, rule or mark each node sent on a day."""

total = Table(
    "total",
    METADATA,
    Column("node", BigInteger, primary_key=True, autoincrement=False),  # a term
    Column("term", BigInteger, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
    Column("first_day", Integer, nullable=False),
    Column("last_day", Integer, nullable=False),
    Column("last", BigInteger, nullable=False),  # number of the last such message
    sqlite_with_rowid=False,
)
"""The same of all days."""

node = Table(
    "node",
    METADATA,
    Column("term", BigInteger, primary_key=True, autoincrement=False),
    Column("messages", BigInteger, nullable=False),
    Column("first_arrived", BigInteger, nullable=False),
    Column("last_arrived", BigInteger, nullable=False),
    Column("last_number", BigInteger, nullable=False),
    Column(
        "difference", BigInteger
    ),  # least arrival minus event time in its last messages; below 0: its clock is ahead
)
"""The nodes that have sent something."""

alert = Table(
    "alert",
    METADATA,
    Column("id", _NUMBER, primary_key=True, autoincrement=False),
    Column("rule", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("fields", Text, nullable=False),  # JSON: by what was grouped
    Column("node", Text, nullable=False),
    Column("raised", BigInteger, nullable=False),
    Column("began", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("messages", Text, nullable=False),  # JSON: numbers of (the first of) the messages
    Column("acknowledged", BigInteger),
    Column("acknowledged_by", Text, nullable=False),
    Column("note", Text, nullable=False),
    Index("alert_raised", "raised"),
)
"""What the detection rules raised."""

WRITTEN_ONCE: Final = (message, original, mention)
"""Tables whose rows no program changes or removes."""
TALLIED: Final = frozenset({"event", "outcome", "level", "rule", "mark"})
"""Kinds of values that are counted by day and node."""


def triggers(dialect: str) -> tuple[str, ...]:
    """Statements that make the rows of `WRITTEN_ONCE` unchangeable in a new database."""
    if dialect == "sqlite":
        return tuple(
            f"CREATE TRIGGER {table.name}_kept_from_{verb.lower()} BEFORE {verb} ON {table.name} "
            "BEGIN SELECT RAISE(ABORT, 'messages of an audit trail are never changed'); END"
            for table in WRITTEN_ONCE
            for verb in ("UPDATE", "DELETE")
        )
    return (
        "CREATE FUNCTION audit_trail_is_kept() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'messages of an audit trail are never changed'; END $$",
        *(
            f"CREATE TRIGGER {table.name}_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON {table.name} "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_trail_is_kept()"
            for table in WRITTEN_ONCE
        ),
    )
