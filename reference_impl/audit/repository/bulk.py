"""Many rows in one statement, through SQLAlchemy or past what it does for each row."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Dialect, Executable, Table, case
from sqlalchemy.dialects import postgresql, sqlite


def upsert(
    begun: Connection,
    table: Table,
    rows: list[dict[str, int]],
    *,
    add: Iterable[str],
    greatest: Iterable[str],
    least: Iterable[str] = (),
    given: Iterable[str] = (),
) -> None:
    """Insert `rows`; where one is there, add to some of its numbers, and take the greater, less or new of others."""
    if not rows:
        return
    made = (postgresql if begun.dialect.name == "postgresql" else sqlite).insert(table)
    changes: dict[str, Any] = {name: table.c[name] + made.excluded[name] for name in add}
    for names, take_old in ((greatest, operator.gt), (least, operator.lt)):
        for name in names:
            old, new = table.c[name], made.excluded[name]
            changes[name] = case((take_old(old, new), old), else_=new)
    changes |= {name: made.excluded[name] for name in given}
    begun.execute(made.on_conflict_do_update(index_elements=list(table.primary_key), set_=changes), rows)


def many(begun: Connection, statement: Executable, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Execute `statement`, a constant, with each of `rows`, the values of `names`.

    It is compiled once, by the library; its values go to the driver as they are: that takes half the time.
    """
    if not rows:
        return
    text, order = _compiled(begun.dialect, statement, names)
    if order is None:
        begun.exec_driver_sql(text, [dict(zip(names, row, strict=True)) for row in rows])
    elif order == list(range(len(names))):
        begun.exec_driver_sql(text, list(rows))
    else:
        begun.exec_driver_sql(text, [tuple(row[place] for place in order) for row in rows])


_COMPILED: Final[dict[tuple[str, Executable], tuple[str, list[int] | None]]] = {}


def _compiled(dialect: Dialect, statement: Executable, names: Sequence[str]) -> tuple[str, list[int] | None]:
    """The statement as `dialect` has it, and where each value that it wants stands among `names`; None: by name."""
    key = (dialect.name, statement)
    if key not in _COMPILED:
        compiled = statement.compile(dialect=dialect, column_keys=list(names))  # type: ignore[attr-defined]
        places = compiled.positiontup
        _COMPILED[key] = (str(compiled), None if places is None else [names.index(name) for name in places])
    return _COMPILED[key]
