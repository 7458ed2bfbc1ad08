"""The audit repository in a real PostgreSQL server: a cluster of its own in a temporary folder."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from fixtures.audit.generated import generated_octets
from fixtures.audit_deliveries import new_tokens
from fixtures.audit_deliveries.messages import started, with_header
from fixtures.pki import Pki
from harness.objects.audit_arrival import arrival_of
from harness.objects.audit_readings import Sought, looker_for
from harness.sut_readings import Reading, secrets_of
from reference_impl.audit.repository import summaries
from reference_impl.audit.repository.facts import microseconds, moment_of
from reference_impl.audit.repository.query import Query
from reference_impl.audit.repository.search import Search, SearchTooLongError
from reference_impl.audit.repository.service import Repository
from reference_impl.audit.repository.store import Store, StoreBusyError, StoreError
from reference_impl.audit.writing import to_xml
from tests.missing import lacking
from tests.unit.repository_bench import (
    HOUR,
    NOW,
    holds,
    received,
    send,
    settings,
    syslog,
    trail_of,
    until,
    until_stored,
)

pytestmark = pytest.mark.peer
_SECONDS = 60


def _programs() -> Path:
    """The folder of PostgreSQL's programs: the newest, or where initdb is found."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name.split(".")[0]))
    found = shutil.which("initdb")
    if not folders and found is None:
        lacking("PostgreSQL is not installed")
    return folders[-1] if folders else Path(str(found)).parent


@dataclass
class Cluster:
    """A server for this test alone; `url` is of a database of it."""

    folder: Path
    programs: Path
    port: int

    def run(self, program: str, *arguments: str) -> None:
        """Run one of the programs, as somebody other than root: the server refuses root."""
        command = [str(self.programs / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=_SECONDS, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder} -c fsync=off"
        log = self.folder / "log"
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-s", "-l", str(log), "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-s", "-m", mode, "stop")

    def database(self, name: str) -> str:
        self.run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "trail", name)
        return f"postgresql://trail:secret@127.0.0.1:{self.port}/{name}"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="ps315-pg-"))
    try:
        if os.geteuid() == 0:
            try:
                user = pwd.getpwnam("postgres")
            except KeyError:
                lacking("there is no user postgres to run the server as")
            os.chown(folder, user.pw_uid, user.pw_gid)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
        made = Cluster(folder, programs, port)
        made.run(
            "initdb",
            "-D",
            str(folder / "data"),
            "-U",
            "trail",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale",
            "C",
            "--locale-provider",
            "icu",
            "--icu-locale",
            "en",
            "-N",
        )
        made.start()
        try:
            yield made
        finally:
            made.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_searches_find_there_just_what_they_find_anywhere(cluster: Cluster) -> None:
    with Store(cluster.database("searches")) as store:
        messages = trail_of(store)
        search = Search(store)
        fields = {
            "node": ("", "NODE-2", "node*"),
            "user": ("", "user-1"),
            "event": ("", "110114"),
            "patient": ("", "P1*"),
        }
        for values, findings in product(product(*fields.values()), (False, True)):
            since = moment_of(NOW - 50 * HOUR) if findings else None
            query = Query(**dict(zip(fields, values, strict=True)), only_findings=findings, since=since)  # type: ignore[arg-type]
            wanted = sorted((each.arrived, place) for place, each in enumerate(messages, 1) if holds(each, query))
            found = [(microseconds(row.at), row.number) for row in search.all(query)]
            assert found == wanted
            assert search.count(query).number == len(wanted)
        assert search.page(Query(text="ODE-3")).rows
        assert sum(each.messages for each in summaries.nodes(search)) == len(messages)
        assert summaries.days(search, kind="outcome", since=moment_of(NOW - 200 * HOUR).date())
        assert search.values("node")
        assert store.verify().problem == ""


def test_messages_cannot_be_changed_there_either(cluster: Cluster) -> None:
    with Store(cluster.database("changes")) as store:
        store.add([received(1), received(2)])
        for statement in ("UPDATE message SET node = 'x'", "DELETE FROM original", "TRUNCATE mention"):
            with pytest.raises(DBAPIError, match="never changed"), store.writer.begin() as begun:
                begun.exec_driver_sql(statement)
        with pytest.raises(StoreBusyError), Search(store).reading() as reading:
            reading.exec_driver_sql("UPDATE head SET number = 7")
        with store.writer.begin() as begun:
            begun.exec_driver_sql("ALTER TABLE original DISABLE TRIGGER ALL")
            begun.exec_driver_sql("UPDATE original SET octets = '\\x00' WHERE number = 2")
        assert store.verify().problem == "message 2 was changed"


def test_what_is_received_is_kept_octet_by_octet_while_the_server_restarts(cluster: Cluster, tmp_path: Path) -> None:
    pki = Pki.create()
    url = cluster.database("received")
    messages = [syslog(body) for body in generated_octets(5, 300, size="usual")]
    messages += [b"\x00\xff no text at all", b"<85>1 - h\x00st a - m - <AuditMessage/>"]
    with Repository(settings(tmp_path, pki, database=url)) as repository:
        assert "secret" not in repository.store.name
        send(repository, pki, messages[:150])
        until_stored(repository, 150)
        cluster.stop()
        send(repository, pki, messages[150:])
        until(lambda: bool(repository.status.trouble))
        assert repository.status.stored < len(messages)
        cluster.start()
        until(lambda: repository.status.stored == repository.status.received)
        until(lambda: not repository.status.trouble)
        assert repository.store.verify().problem == ""
        search = repository.search
        rows = [row for row in search.all(Query()) if row.transport == "tls"]
        kept = search.octets([row.number for row in rows])
        assert sorted(kept.values()) == sorted(messages)


def test_two_programs_may_add_at_once(cluster: Cluster) -> None:
    import threading

    url = cluster.database("two")
    with Store(url) as one, Store(url) as other:
        threads = [
            threading.Thread(target=lambda store=store: [store.add([received(n)]) for n in range(40)])
            for store in (one, other)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert one.verify().messages == 80
        assert one.verify().problem == ""


def test_a_search_that_takes_too_long_is_ended(cluster: Cluster) -> None:
    with Store(cluster.database("slow")) as store:
        with pytest.raises(SearchTooLongError), Search(store, seconds=0.2).reading() as begun:
            begun.exec_driver_sql("SELECT pg_sleep(20)")
        assert Search(store).last() == 0


@pytest.mark.parametrize(
    ("column", "sql"),
    [
        ("text", "select kept from trail where kept like :pattern"),
        ("text", "select kept from trail where position(:begin in kept) > 0"),
        ("bytea", "select kept from trail where position(convert_to(:token, 'UTF8') in kept) > 0"),
        ("xml", "select kept from trail where kept::text like :pattern"),
        ("jsonb", "select kept ->> 'msg' from trail where kept ->> 'msg' like :pattern"),
    ],
)
def test_what_others_keep_in_it_is_read(cluster: Cluster, column: str, sql: str) -> None:
    url = cluster.database(f"kept_{zlib.crc32(sql.encode())}")
    tokens = new_tokens()
    octets, asked = with_header(to_xml(started(tokens, user_name="Zoë 漢字 😀 it's")), tokens)
    kept: object = {"text": octets.decode(), "xml": asked.message.decode(), "bytea": octets}.get(column)
    engine = create_engine(url)
    with engine.begin() as begun:
        begun.execute(text(f"create table trail (kept {column})"))
        values = {"kept": kept if kept is not None else json.dumps({"msg": octets.decode()})}
        begun.execute(text(f"insert into trail values (cast(:kept as {column}))"), values)  # noqa: S608 - our own
    engine.dispose()
    reading = Reading(sql=sql, url=url)
    looker = looker_for(reading, secrets_of(reading, where="", folder=Path()), Path())
    found = looker.look(Sought(tokens.common, asked.begin, asked.end, datetime.now(UTC)), 20.0)
    assert arrival_of(asked, found, as_received=True) == "whole"
    other = new_tokens()
    assert looker.look(Sought(other.common, other.begin, other.end, datetime.now(UTC)), 20.0) == b""


def test_what_is_no_database_is_told_in_a_sentence(cluster: Cluster) -> None:
    with pytest.raises(StoreError) as problem:
        Store(f"postgresql://trail:secret@127.0.0.1:{cluster.port}/absent")
    assert "secret" not in str(problem.value)
    assert "\n" not in str(problem.value)
