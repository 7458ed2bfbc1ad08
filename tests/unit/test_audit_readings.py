"""Reading what has arrived at a repository: tables of the SUT file, what is told of what is found, hostile answers."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fixtures.audit_deliveries import Asked, new_tokens
from fixtures.audit_deliveries.messages import plain, sized
from harness.errors import UsageProblem
from harness.objects import audit_readings
from harness.objects.audit_arrival import arrival_of, best
from harness.objects.audit_readings import Looker, ReadingError, Sought, intervals, looker_for
from harness.sut_readings import Reading, secrets_of

TOKENS = new_tokens()
SOUGHT = Sought(TOKENS.common, TOKENS.begin, TOKENS.end, datetime(2026, 11, 22, 20, 0, tzinfo=UTC))


def read(looker: Looker, seconds: float = 5.0) -> bytes:
    return looker.look(SOUGHT, seconds)


def looking(folder: Path, **table: Any) -> Looker:
    reading = Reading(**table)
    return looker_for(reading, secrets_of(reading, where="sut.toml: readings.x", folder=folder), folder)


# -- the table -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({}, "has none of file, command, sql, web, operator; write exactly one"),
        ({"file": "a", "command": "b {token}"}, "has file and command; write exactly one"),
        ({"command": "grep PS315 log"}, "command is not told what to look for; write {token} into it"),
        ({"command": "grep {tokn} log"}, "{tokn} is no placeholder"),
        ({"web": "ftp://arr/{token}"}, "is no URL of HTTP"),
        ({"web": "https://arr/all"}, "web is not told what to look for"),
        ({"sql": "select 1 where :token = 'x'"}, "url is missing"),
        ({"sql": "select message from audit", "url": "sqlite://"}, "write :pattern into it"),
        ({"file": "a", "url": "sqlite://"}, "url is no key of a reading by file"),
        ({"web": "http://arr/{token}", "user": "me"}, "user and password belong together"),
        ({"operator": "Look for {mark}"}, "{mark} is no placeholder"),
    ],
)
def test_what_is_wrong_is_told_with_a_remedy(table: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as problem:
        Reading(**table)
    assert told in str(problem.value)


def test_every_kind_is_known_by_its_key() -> None:
    tables: dict[str, dict[str, Any]] = {
        "file": {"file": "*.log"},
        "command": {"command": "dump {token} {{no}} ${HOME}"},
        "sql": {"sql": "select 1 where 'a' like :pattern", "url": "sqlite://"},
        "web": {"web": "https://arr/AuditEvent?entity={token}", "headers": {"Accept": "application/json"}},
        "operator": {"operator": "Search for {token}"},
    }
    assert {kind: Reading(**table).kind for kind, table in tables.items()} == {kind: kind for kind in tables}
    assert Reading(**tables["command"]).filled({"token": "T"}) == "dump T {no} ${HOME}"


def test_secrets_come_from_the_environment_and_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIT_DB", "postgresql://me:pass@db/audit")
    (tmp_path / "key").write_text("tok-en\n")
    reading = Reading(sql="select 1 where :token = ''", url={"env": "AUDIT_DB"})
    found = secrets_of(reading, where="x", folder=tmp_path)
    assert (found.url, found.octets) == ("postgresql://me:pass@db/audit", (b"postgresql://me:pass@db/audit",))
    reading = Reading(
        web="http://a/{token}",
        user="me",
        password="open",
        headers={"X-Key": {"file": "key"}, "Accept": "text/plain"},
    )
    found = secrets_of(reading, where="x", folder=tmp_path)
    assert found.headers == {"X-Key": "tok-en", "Accept": "text/plain"}
    assert set(found.octets) == {b"tok-en", b"open"}
    assert "open" not in repr(reading)
    with pytest.raises(UsageProblem, match=r"readings.x.url: the environment variable NO_SUCH is not set"):
        secrets_of(Reading(sql="select :token", url={"env": "NO_SUCH"}), where="readings.x", folder=tmp_path)


# -- what became of a message ----------------------------------------------------------------------------------------


def a_message() -> tuple[bytes, Asked]:
    return plain(TOKENS)


def test_a_message_is_whole_where_both_marks_are_there() -> None:
    octets, asked = a_message()
    assert arrival_of(asked, b"before\n" + octets + b"\nafter", as_received=True) == "whole"
    assert arrival_of(asked, f"{asked.begin} and {asked.end}".encode(), as_received=False) == "whole"
    assert arrival_of(asked, b"", as_received=True) == "absent"
    assert arrival_of(asked, octets[:-50], as_received=True) == "cut"
    assert arrival_of(asked, octets[-60:], as_received=True) == "altered"
    assert arrival_of(asked, octets.replace(b"Application", b"Other"), as_received=True) == "altered"
    assert arrival_of(asked, octets.replace(b"Application", b"Other"), as_received=False) == "whole"


def test_what_is_cut_and_continued_elsewhere_is_cut() -> None:
    octets, asked = sized(TOKENS, 20_000)
    halves = octets[:8096] + b"\n" + octets[8097:] + b"\n"
    assert arrival_of(asked, halves, as_received=True) == "cut"
    assert arrival_of(asked, octets[:8096] + b"?" + octets[8097:], as_received=True) == "altered"


@pytest.mark.parametrize(
    "shown",
    [
        lambda octets: octets.replace(b"\n", b"#012").replace("ü".encode(), "ü".encode()),
        lambda octets: octets.replace(b"\n", b" "),
        lambda octets: octets.replace(b"\n", b""),
        lambda octets: b"".join(b"#%03o" % each if each > 126 or each < 32 else bytes([each]) for each in octets),
        lambda octets: octets.decode().replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").encode(),
        lambda octets: (
            octets.replace(b'"', b'\\"').replace("ü😀".encode(), b"\\u00fc\\ud83d\\ude00").replace(b"\n", b"\\n")
        ),
        lambda octets: octets.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b'"', b"&quot;"),
    ],
)
def test_ways_of_showing_a_message_are_no_change_of_it(shown: Callable[[bytes], bytes]) -> None:
    message = f'<AuditMessage>\n<A UserID="{TOKENS.begin}" x="ü😀"/>\n<B ID="{TOKENS.end}"/></AuditMessage>'.encode()
    asked = Asked(TOKENS.begin, TOKENS.end, message)
    assert arrival_of(asked, b"<85>1 - " + shown(message) + b"\n", as_received=True) == "whole"
    assert arrival_of(asked, shown(message).replace(b"<B ", b"<C "), as_received=True) in {"altered", "whole"}
    assert arrival_of(asked, message.replace("ü".encode(), b"?"), as_received=True) == "altered"


@pytest.mark.parametrize(
    "written",
    [
        lambda xml: xml.replace('"', "'"),
        lambda xml: xml.replace("<!-- 25 -->", "").replace(">\n<", "><"),
        lambda xml: xml.replace("ü", "&#xFC;").replace("&gt;", ">").replace("<B x='1' ID", "<B  ID"),
        lambda xml: xml.replace("></B>", "/>"),
        lambda xml: json.dumps(xml.replace('"', "'")),
    ],
)
def test_the_same_xml_written_by_another_program_is_no_change(written: Callable[[str], str]) -> None:
    xml = f'<AuditMessage>\n<!-- 25 --><A UserID="{TOKENS.begin}" x="ü&gt;"/><B ID="{TOKENS.end}"></B></AuditMessage>'
    asked = Asked(TOKENS.begin, TOKENS.end, xml.encode())
    shown = written(xml)
    assert arrival_of(asked, b"1: " + shown.encode() + b"\n", as_received=True) == "whole"
    assert arrival_of(asked, shown.replace("x=", "y=").encode(), as_received=True) == "altered"


def test_what_was_sent_in_part_is_whole_as_far_as_it_was_sent() -> None:
    asked = Asked(TOKENS.begin, "", b"<A UserID='%b' and" % TOKENS.begin.encode())
    assert arrival_of(asked, asked.message + b"\n", as_received=True) == "whole"
    assert arrival_of(asked, asked.message[:-3], as_received=True) == "cut"
    assert arrival_of(asked, b"nothing", as_received=True) == "absent"


@given(st.binary(max_size=2000), st.booleans())
def test_anything_may_be_found(found: bytes, as_received: bool) -> None:
    _, asked = a_message()
    assert arrival_of(asked, found, as_received=as_received) == "absent"
    mixed = found + asked.begin.encode() + found + asked.end.encode()
    assert arrival_of(asked, mixed, as_received=as_received) in {"whole", "altered", "cut"}


def test_the_better_of_two_tries_counts() -> None:
    assert best("absent", "whole") == "whole"
    assert best("cut", "absent") == "cut"
    assert best("", "absent") == "absent"


def test_pauses_grow_up_to_a_limit() -> None:
    waits = intervals(looker_for(Reading(file="x"), secrets_of(Reading(file="x"), where="", folder=Path()), Path()))
    pauses = [waits.next() for _ in range(30)]
    assert pauses == sorted(pauses)
    assert pauses[0] < 0.05
    assert pauses[-1] <= 2.0


# -- files -----------------------------------------------------------------------------------------------------------


def test_only_what_was_appended_is_read(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(b"old\n")
    looker = looking(tmp_path, file="*.log")
    looker.begin()
    assert read(looker) == b""
    with log.open("ab") as file:
        file.write(b"new\n")
    (tmp_path / "second.log").write_bytes(b"other\n")
    assert read(looker) == b"new\n\nother\n"
    assert read(looker) == b"new\n\nother\n"
    looker.begin()
    assert read(looker).strip() == b""


def test_a_file_that_was_begun_anew_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(b"old and long\n")
    looker = looking(tmp_path, file="audit.log")
    looker.begin()
    log.write_bytes(b"anew\n")
    assert read(looker) == b"anew\n"
    log.rename(tmp_path / "audit.log.1")
    log.write_bytes(b"another file, longer than the first\n")
    assert read(looker) == b"another file, longer than the first\n"


def test_a_file_that_is_called_otherwise_is_still_known(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(b"old\n")
    looker = looking(tmp_path, file="audit.log*")
    looker.begin()
    with log.open("ab") as file:
        file.write(b"last\n")
    log.rename(tmp_path / "audit.log.1")
    log.write_bytes(b"first\n")
    assert read(looker) == b"first\n\nlast\n"


def test_what_is_no_regular_file_is_not_read_nor_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    looker = looking(tmp_path, file="pipe")
    looker.begin()
    assert read(looker) == b""
    with pytest.raises(ReadingError, match="no file is called"):
        read(looking(tmp_path, file="missing.log"))


def test_a_file_is_read_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_readings, "LARGEST", 1000)
    (tmp_path / "big").write_bytes(b"x" * 5000)
    assert len(read(looking(tmp_path, file="big"))) == 1000


# -- commands --------------------------------------------------------------------------------------------------------


def test_a_command_prints_what_it_finds(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(f"{TOKENS.common} one\nother\n")
    looker = looking(tmp_path, command="grep {token} log; echo {since}; echo noise >&2")
    assert read(looker) == f"{TOKENS.common} one\n2026-11-22T20:00:00.000Z\n".encode()


def test_a_command_that_finds_nothing_is_no_problem(tmp_path: Path) -> None:
    assert read(looking(tmp_path, command="grep {token} /dev/null")) == b""


@pytest.mark.parametrize(
    ("command", "told"),
    [("sleep 60 # {token}", "the command had not answered"), ("no-such-program-of-ps315 {token}", r"status 127")],
)
def test_a_command_that_does_not_end_or_is_not_there_is_told(tmp_path: Path, command: str, told: str) -> None:
    began = time.monotonic()
    with pytest.raises(ReadingError, match=told):
        read(looking(tmp_path, command=command), seconds=0.3)
    assert time.monotonic() - began < 10


def test_endless_output_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_readings, "LARGEST", 100_000)
    found = read(looking(tmp_path, command="yes {token}"))
    assert 100_000 <= len(found) < 200_000


def test_what_a_command_leaves_behind_is_ended(tmp_path: Path) -> None:
    found = read(looking(tmp_path, command="sleep 60 >/dev/null & echo $! {token}"))
    number = int(found.split()[0])
    with pytest.raises(ProcessLookupError):
        for _ in range(200):
            os.kill(number, 0)
            threading.Event().wait(0.02)  # it is a zombie until whoever adopted it has looked


# -- databases -------------------------------------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path: Path) -> str:
    with sqlite3.connect(tmp_path / "trail.db") as connection:
        connection.execute("create table audit (message text, raw blob)")
        connection.execute("insert into audit values (?, ?)", (f"<A {TOKENS.common}/>", b"\xff\x00raw"))
        connection.execute("insert into audit values ('another', null)")
    return f"sqlite:///{tmp_path / 'trail.db'}"


@pytest.mark.parametrize(
    "sql",
    [
        "select message, raw from audit where message like :pattern",
        "select message, raw from audit where message LIKE  :token",
        "select message, raw from audit where instr(message, :token) > 0 and :since < '2027'",
    ],
)
def test_rows_are_found_by_the_mark(tmp_path: Path, database: str, sql: str) -> None:
    assert read(looking(tmp_path, sql=sql, url=database)) == f"<A {TOKENS.common}/>\n".encode() + b"\xff\x00raw\n"


@pytest.mark.parametrize(
    ("sql", "url", "told"),
    [
        ("select message from missing where message like :pattern", "", "no such table"),
        ("select :token", "nodialect://x", "cannot be asked"),
        ("select :token", "sqlite:////no/such/folder/x.db", "unable to open"),
    ],
)
def test_a_database_that_cannot_be_asked_is_told(tmp_path: Path, database: str, sql: str, url: str, told: str) -> None:
    with pytest.raises(ReadingError, match=told):
        read(looking(tmp_path, sql=sql, url=url or database))


def test_a_query_is_bounded_in_time_and_size(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = (
        "with recursive n(i) as (select 1 union all select i + 1 from n limit 5000000) select count(i), :token from n"
    )
    with pytest.raises(ReadingError, match="the database had not answered"):
        read(looking(tmp_path, sql=slow, url=database), seconds=0.05)
    monkeypatch.setattr(audit_readings, "LARGEST", 1000)
    many = "with recursive n(i) as (select 1 union all select i + 1 from n limit 9000) select i, :token from n"
    assert len(read(looking(tmp_path, sql=many, url=database))) == 1000


# -- the web ---------------------------------------------------------------------------------------------------------


class _Answers(BaseHTTPRequestHandler):
    """Says what it was asked."""

    def do_GET(self) -> None:
        asked = f"{self.path} {self.headers.get('Authorization')} {self.headers.get('X-Key')}"
        match self.path.partition("?")[0]:
            case "/missing":
                self.send_error(404)
            case "/broken":
                self.send_error(500)
            case "/moved":
                self.send_response(302)
                self.send_header("Location", "/found")
                self.end_headers()
            case "/endless":
                self.send_response(200)
                self.end_headers()
                with suppress(OSError):
                    while True:
                        self.wfile.write(b"x" * 65536)
            case "/silent":
                threading.Event().wait(5)
            case _:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(asked.encode())

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as web:
        web.daemon_threads = True
        thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{web.server_port}"
        web.shutdown()
        thread.join()


def test_a_page_is_asked_with_marks_headers_and_password(tmp_path: Path, server: str) -> None:
    looker = looking(
        tmp_path,
        web=server + "/found?entity={token}&date=ge{since}",
        user="me",
        password="a:b",
        headers={"X-Key": "k"},
    )
    assert read(looker) == (
        f"/found?entity={TOKENS.common}&date=ge2026-11-22T20%3A00%3A00.000Z Basic bWU6YTpi k".encode()
    )


@pytest.mark.parametrize(
    ("path", "told"),
    [("/broken", "HTTP status 500"), ("/moved", "HTTP status 302"), ("/silent", "no whole answer came")],
)
def test_a_page_that_answers_otherwise_is_told(tmp_path: Path, server: str, path: str, told: str) -> None:
    with pytest.raises(ReadingError, match=told):
        read(looking(tmp_path, web=server + path + "?{token}"), seconds=0.5)


def test_nothing_found_is_nothing_arrived(tmp_path: Path, server: str) -> None:
    assert read(looking(tmp_path, web=server + "/missing?{token}")) == b""


def test_an_endless_page_is_refused(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_readings, "LARGEST", 100_000)
    with pytest.raises(ReadingError, match="more than 100000 octets"):
        read(looking(tmp_path, web=server + "/endless?{token}"))


def test_a_person_is_no_looker(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a person is not a looker"):
        looking(tmp_path, operator="Look for {token}")
