"""``ps315 audit search`` and ``ps315 audit export``: look at a stored audit trail, and take it elsewhere."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

if TYPE_CHECKING:
    from reference_impl.audit.repository.query import Query, Row
    from reference_impl.audit.repository.search import Search

Database = Annotated[
    str, typer.Option("--database", metavar="URL", help="Database of ps315 audit serve: a file, or postgresql://…")
]
Since = Annotated[
    str, typer.Option("--since", metavar="TIME", help='From then on: 2026-03-01, 2026-03-01T08:00, "2 h".')
]
Until = Annotated[str, typer.Option("--until", metavar="TIME", help="Before then.")]
Patient = Annotated[str, typer.Option("--patient", help="ID or name of a patient; * at its end: all that begin so.")]
User = Annotated[str, typer.Option("--user", help="ID, alias or name of a user.")]
NodeName = Annotated[str, typer.Option("--node", help="AuditSourceID.")]
Event = Annotated[str, typer.Option("--event", help="Code of the event, 110114 for example.")]
Study = Annotated[str, typer.Option("--study", help="Study Instance UID.")]
OutcomeOption = Annotated[str, typer.Option("--outcome", help="0, 4, 8 or 12.")]
Rule = Annotated[str, typer.Option("--rule", help="Id of a rule that was not met.")]
Mark = Annotated[str, typer.Option("--mark", help="Mark of how it came: not-syslog, broken-xml, invalid-utf-8, ...")]
Text = Annotated[str, typer.Option("--text", help="Stands inside of a name, id, host or address.")]
Findings = Annotated[bool, typer.Option("--findings", help="Only messages in which something was not met.")]
_DEFAULT = "ps315-audit/audit.sqlite"
_OUTCOMES = ("", "0", "4", "8", "12")
_BESIDE = ("", "-wal", "-shm", "-journal")  # files that SQLite keeps of one database


def search(
    *,
    database: Database = _DEFAULT,
    since: Since = "",
    until: Until = "",
    patient: Patient = "",
    user: User = "",
    node: NodeName = "",
    event: Event = "",
    study: Study = "",
    outcome: OutcomeOption = "",
    rule: Rule = "",
    mark: Mark = "",
    text: Text = "",
    findings: Findings = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most so many.")] = 50,
    oldest_first: Annotated[bool, typer.Option("--oldest-first", help="In the order in which it happened.")] = False,
    message: Annotated[
        int | None, typer.Option("--message", min=1, help="Print one message as it came, by its number.")
    ] = None,
    nodes: Annotated[bool, typer.Option("--nodes", help="Print what came from each node, instead.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Check that no stored message was changed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Search; returns the exit status: 1 where --verify finds a change."""
    query = _query(
        since, until, patient=patient, user=user, node=node, event=event, study=study, outcome=outcome, rule=rule,
        mark=mark, text=text, only_findings=findings,
    )  # fmt: skip
    with _opened(database) as opened, _writing(None):
        if verify:
            return _verify(opened)
        if message is not None:
            return _print_message(opened, message)
        if nodes:
            return _print_nodes(opened, as_json=as_json)
        return _print_rows(opened, query, limit, oldest_first=oldest_first, as_json=as_json)


def export(
    *,
    database: Database = _DEFAULT,
    kind: Annotated[
        str, typer.Option("--as", metavar="fhir|xml|csv|syslog", help="AuditEvents, XML files, rows, or as it came.")
    ] = "csv",
    out: Annotated[Path | None, typer.Option("--out", help="File, or folder of XML files (default: printed).")] = None,
    since: Since = "",
    until: Until = "",
    patient: Patient = "",
    user: User = "",
    node: NodeName = "",
    event: Event = "",
    study: Study = "",
    outcome: OutcomeOption = "",
    rule: Rule = "",
    mark: Mark = "",
    text: Text = "",
    findings: Findings = False,
) -> int:
    """Write what is found, oldest first. Returns the exit status."""
    from harness.errors import UsageProblem

    if kind not in {"fhir", "xml", "csv", "syslog"}:
        raise UsageProblem(f"--as: {kind!r} is none of fhir, xml, csv, syslog")
    if kind == "xml" and out is None:
        raise UsageProblem("--as xml: name the folder for the files with --out")
    query = _query(
        since, until, patient=patient, user=user, node=node, event=event, study=study, outcome=outcome, rule=rule,
        mark=mark, text=text, only_findings=findings,
    )  # fmt: skip
    _spare(database, out)
    with _opened(database) as opened, _writing(out):
        number = _write(opened, query, kind, out)
    sys.stderr.write(f"ps315: {number} exported\n")
    return 0


def _write(search_: Search, query: Query, kind: str, out: Path | None) -> int:
    from reference_impl.audit.repository import exporting

    number = 0
    if kind == "xml":
        assert out is not None  # noqa: S101 - for the type checker
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number_of, body in exporting.as_xml(search_, query):
            with _private(out / f"{number_of:09}.xml") as file:
                file.write(body)
            number += 1
        return number
    target = sys.stdout.buffer if out is None else _private(out)
    try:
        if kind == "syslog":
            for octets in exporting.as_syslog(search_, query):
                target.write(octets)
                number += 1
        else:
            lines = exporting.as_fhir if kind == "fhir" else exporting.as_csv
            for line in lines(search_, query):
                target.write(line.encode())
                number += 1
            number -= kind == "csv"  # its head
    finally:
        target.flush()
        if out is not None:
            target.close()
    return number


def _private(path: Path) -> BinaryIO:
    """A file to be written, which where it is new only its owner can read: it will hold names of patients."""
    return open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600))


def _spare(database: str, out: Path | None) -> None:
    """Refuse to write over the trail itself. Raises `UsageProblem`."""
    from harness.errors import UsageProblem

    if out is None or not out.exists():
        return
    plain = database.removeprefix("sqlite:///")
    for kept in (Path(plain + ending) for ending in _BESIDE):
        if kept.exists() and out.samefile(kept):
            raise UsageProblem(f"--out: {out} is the database itself; name another file")


@contextmanager
def _writing(out: Path | None) -> Iterator[None]:
    """Turns what hinders writing to `out`, or what is printed, into a `UsageProblem`."""
    from harness.errors import UsageProblem

    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # whoever read our output has gone
    except OSError as problem:
        what = "what is printed" if out is None else f"--out: {out}"
        raise UsageProblem(f"{what} cannot be written: {problem.strerror}") from None


@contextmanager
def _opened(database: str) -> Iterator[Search]:
    """The trail; that it is looked at is added to it first. Raises `UsageProblem`."""
    import getpass
    import socket

    from harness.errors import UsageProblem
    from reference_impl.audit.repository.own import record_look
    from reference_impl.audit.repository.search import Search
    from reference_impl.audit.repository.store import Store, StoreError

    if "://" not in database and not Path(database).is_file():
        raise UsageProblem(f"--database: {database} is not there; name the database of ps315 audit serve")
    try:
        with Store(database, create=False) as store:
            user = f"{getpass.getuser()}@{socket.gethostname()}"
            record_look(store, source="ps315 audit", user=user, log=store.name)
            yield Search(store, seconds=600)
    except StoreError as problem:
        raise UsageProblem(f"--database: {problem}") from None
    except ValueError as problem:
        raise UsageProblem(str(problem)) from None


def _query(since: str, until: str, **values: Any) -> Query:
    from harness.errors import UsageProblem
    from reference_impl.audit.repository.query import Query

    for name, value in values.items():
        if isinstance(value, str) and ("\0" in value or _undecoded(value)):
            raise UsageProblem(f"--{name}: {value!r} is no text in UTF-8")
    if values["outcome"] not in _OUTCOMES:
        raise UsageProblem(f"--outcome: {values['outcome']!r} is none of {', '.join(_OUTCOMES[1:])}")
    begin, end = _time(since, "--since"), _time(until, "--until")
    if begin is not None and end is not None and begin >= end:
        raise UsageProblem("--since, --until: the time ends before it begins; change them")
    return Query(since=begin, until=end, **values)


def _undecoded(text: str) -> bool:
    """Whether an argument held octets that are no UTF-8."""
    return any("\ud800" <= each <= "\udfff" for each in text)


def _time(text: str, option: str) -> datetime | None:
    """A time as it is given: ISO 8601 (local time without a zone), or how long ago."""
    from harness.errors import UsageProblem
    from reference_impl.audit.repository.detection.conditions import RulesError, duration

    if not text:
        return None
    try:
        return datetime.now(UTC) - duration(text, option)
    except RulesError:
        pass
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise UsageProblem(
            f'{option}: {text!r} is no time; write 2026-03-01, 2026-03-01T08:00 or how long ago, "2 h"'
        ) from None


def _verify(search_: Search) -> int:
    told = search_.store.verify()
    if told.problem:
        sys.stdout.write(f"CHANGED: {told.problem} (the {told.messages} messages before are as they were stored)\n")
        return 1
    sys.stdout.write(f"{told.messages} messages are as they were stored; the last digest is {told.digest}\n")
    return 0


def _print_message(search_: Search, number: int) -> int:
    from harness.errors import UsageProblem

    last = search_.last()
    found = search_.message(number) if number <= last else None
    if found is None:
        raise UsageProblem(f"--message: there is no message {number}; the last is {last}")
    sys.stdout.buffer.write(found.octets + b"\n")
    sys.stdout.buffer.flush()
    return 0


def _print_nodes(search_: Search, *, as_json: bool) -> int:
    from harness.commands._printing import printable
    from reference_impl.audit.repository import summaries

    found = summaries.nodes(search_)
    if as_json:
        listed = [
            {
                "node": each.node, "messages": each.messages, "last_arrived": each.last_arrived.isoformat(),
                "shall": each.shall, "should": each.should, "marked": each.marked, "failures": each.failures,
                "events": dict(each.events),
            }
            for each in found
        ]  # fmt: skip
        sys.stdout.write(json.dumps(listed, indent=1) + "\n")
        return 0
    for each in found:
        last = each.last_arrived.astimezone().isoformat(sep=" ", timespec="seconds")
        sys.stdout.write(
            f"{printable(each.node):32} {each.messages:9} messages, last {last},"
            f" {each.shall} with a shall broken, {each.failures} of failures\n"
        )
    return 0


def _print_rows(search_: Search, query: Query, limit: int, *, oldest_first: bool, as_json: bool) -> int:
    from itertools import islice

    from reference_impl.audit.repository.exporting import values_of

    rows = islice(search_.all(query, oldest_first=oldest_first), limit)
    if as_json:
        sys.stdout.write(json.dumps([values_of(row) for row in rows], indent=1, ensure_ascii=True) + "\n")
        return 0
    shown = 0
    for row in rows:
        sys.stdout.write(_line(row))
        shown += 1
    count = search_.count(query)
    more = "" if count.exact else "more than "
    sys.stderr.write(f"ps315: {shown} of {more}{count.number}\n")
    return 0


def _line(row: Row) -> str:
    from harness.commands._printing import printable

    at = row.at.astimezone().isoformat(sep=" ", timespec="seconds")
    found = "BROKEN" if row.shall else "should" if row.should else ""
    event = f"{row.event_name or row.event or 'no audit message'} {row.action}"
    parts = (at, row.node, event, row.outcome, row.users, row.patients, found, " ".join(row.marks))
    return f"{row.number:9}  " + "  ".join(printable(part) for part in parts if part) + "\n"
