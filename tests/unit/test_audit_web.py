"""The page of the audit trail, asked over TLS: what is shown, found, exported, sent live."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest

from fixtures.pki import Pki
from reference_impl.audit.repository.ingest import IngestStatus
from reference_impl.audit.repository.store import AlertFacts
from reference_impl.audit.repository.web.access import Access
from reference_impl.audit.repository.web.sessions import Limits
from reference_impl.audit.repository.web.users import write_user
from tests.unit.audit_web_bench import PASSWORD, SECONDS, USER, Bench, Visitor, running
from tests.unit.audit_web_material import SCRIPT, afternoon, hostile


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, pki: Pki) -> Iterator[Bench]:
    with running(tmp_path_factory.mktemp("trail"), pki) as started:
        started.add(list(afternoon(datetime.now(UTC), 60)))
        yield started


@pytest.fixture(scope="module")
def officer(bench: Bench) -> Visitor:
    return bench.officer()


def test_the_time_line_shows_all_nodes_and_filters(bench: Bench, officer: Visitor) -> None:
    text = officer.get("/").text
    for node in ("CT-1", "MR-2", "RIS", "WORKSTATION-4"):
        assert f">{node}" in text
    rows = re.compile(r'<tr data-at="[^"]+">.*?</tr>', re.DOTALL)
    for address, must in (
        ("/?node=CT-1", ">CT-1"),
        ("/?patient=P-100231", "P-100231"),
        ("/?user=jdoe", "jdoe"),
        ("/?event=110114", "User Authentication"),
        ("/?outcome=failure", "failure"),
        ("/?findings=1", "broken"),
    ):
        found = rows.findall(officer.get(address).text)
        assert found, address
        assert all(must in row for row in found), address
    assert "No message is like that" in officer.get("/?patient=nobody").text
    assert "makes no" not in officer.get("/?since=soon").text
    assert "is no time" in officer.get("/?since=soon").text


@pytest.mark.parametrize(
    "text", ["' OR 1=1 --", "%", "_", "\\", '"', "*", "x\x00y", "😀" * 50, "\u202e", "\ud800"], ids=ascii
)
def test_no_text_breaks_a_search(officer: Visitor, text: str) -> None:

    value = quote(text.encode("utf-8", "surrogatepass"))
    for field in ("text", "patient", "user", "node", "event", "rule", "mark", "since"):
        answer = officer.get(f"/?{field}={value}")
        assert answer.status == 200, field
    assert officer.get(f"/patient?id={value}").status == 200
    assert officer.get(f"/user?id={value}&day={value}").status == 200
    assert officer.get(f"/?after={value}").status == 400


def test_looks_at_the_trail_are_left_out_where_that_is_wanted(officer: Visitor) -> None:
    assert "Audit Log Used" in re.sub(r"<option.*", "", officer.get("/").text)
    text = re.sub(r"<option.*", "", officer.get("/?looks=0").text)
    assert "Audit Log Used" not in text
    assert "User Authentication" in text
    assert "Audit Log Used" not in officer.get("/export?format=csv&looks=0").text


def test_pages_follow_one_another_without_gap(bench: Bench, officer: Visitor) -> None:
    bench.add(list(afternoon(datetime.now(UTC), 110, seed=8)))
    numbers: list[str] = []
    address = "/?text=ct*"
    address = "/"
    while address:
        text = officer.get(address).text
        numbers += re.findall(r'<td class="event"><a href="/message/(\d+)"', text)
        found = re.search(r'href="([^"]+)" rel="next"', text)
        address = found[1].replace("&amp;", "&") if found else ""
    assert len(numbers) > 140
    assert len(set(numbers)) == len(numbers)


def test_a_message_is_told_in_plain_words_with_its_findings(bench: Bench, officer: Visitor) -> None:
    row = next(row for row in bench.repository.search.since(0, size=500) if row.shall and row.patients)
    text = officer.get(f"/message/{row.number}").text
    for told in (
        "What happened",
        "Who took part",
        "What it was about",
        "Findings",
        "facility 10",
        "Study Instance UID",
    ):
        assert told in text
    found = bench.repository.search.message(row.number)
    assert found is not None
    assert officer.get(f"/message/{row.number}/octets").body == found.octets


@pytest.mark.parametrize(
    "octets",
    [
        b"\x00\xff\xfe garbage",
        b"<85>1 - - - - - - <AuditMessage><unclosed",
        b"<85>1 - h a - m - " + b"<a>" * 500,
        b'<85>1 - h a - m - <!DOCTYPE x [<!ENTITY a "b">]><AuditMessage>&a;</AuditMessage>',
        b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed",
        b"<85>1 - h a - m - <AuditMessage/>",
        "<85>1 - h a - m - <AuditMessage>\u202e\u0007</AuditMessage>".encode(),
    ],
)
def test_whatever_came_can_be_looked_at(bench: Bench, officer: Visitor, octets: bytes) -> None:
    (number,) = bench.add([octets])
    for path in (f"/message/{number}", "/", "/nodes"):
        assert officer.get(path).status == 200
    assert officer.get(f"/message/{number}/octets").body == octets


def test_script_in_every_field_is_shown_as_text(bench: Bench, officer: Visitor) -> None:
    (number,) = bench.add([hostile()])
    for path in ("/", f"/message/{number}", "/nodes", "/patient?id=%3Cscript*", f"/?text={SCRIPT[:20]}"):
        text = officer.get(path).text
        assert "<script>document" not in text, path
        assert "<img" not in text, path
    assert "&lt;script&gt;" in officer.get(f"/message/{number}").text


def test_a_csv_file_holds_no_formulas(bench: Bench, officer: Visitor) -> None:
    bench.add([hostile("=cmd|' /C calc'!A0")])
    answer = officer.get("/export?format=csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment")
    rows = list(csv.reader(io.StringIO(answer.body.decode("utf-8-sig"))))
    assert len(rows) > 30
    assert any("'=cmd" in cell for row in rows for cell in row)
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]


def test_json_lines_hold_what_the_filter_finds(officer: Visitor) -> None:
    lines = officer.get("/export?format=jsonl&node=CT-1").text.splitlines()
    assert lines
    assert {json.loads(line)["node"] for line in lines} == {"CT-1"}


def test_audit_events_are_exported_as_fhir(officer: Visitor) -> None:
    lines = officer.get("/export?format=fhir&node=CT-1").text.splitlines()
    assert lines
    assert {json.loads(line)["resourceType"] for line in lines} == {"AuditEvent"}
    assert officer.get("/export?format=exe").status == 400


def test_a_node_is_told_with_its_findings(officer: Visitor) -> None:
    assert "MR-2" in officer.get("/nodes").text
    text = officer.get("/node?id=MR-2").text
    assert "A.5.1-schema-valid" in text
    assert "What it reports" in text
    assert officer.get("/node?id=nobody").status == 404


def test_connections_are_told(officer: Visitor) -> None:
    text = officer.get("/connections").text
    assert "127.0.0.1" in text
    assert officer.get("/connections?before=1").status == 200
    assert officer.get("/connections?before=x").status == 200


def test_an_alert_is_seen_to_once_and_by_whom_is_kept(bench: Bench, officer: Visitor) -> None:
    at = 1_760_000_000_000_000
    facts = AlertFacts("a-rule", "critical", f"Title {SCRIPT}", "detail", "{}", "CT-1", at, at, at, 1, (1,))
    number = bench.repository.store.add_alerts([facts])[0]
    text = officer.get("/alerts").text
    assert "<script>document" not in text
    form = {"check": officer.get("/alerts").check, "note": "called the department"}
    assert officer.ask("POST", f"/alerts/{number}", form).status == 303
    assert officer.ask("POST", f"/alerts/{number}", form).status == 409
    alert = bench.repository.search.alert(number)
    assert alert is not None
    assert (alert.acknowledged_by, alert.note) == (USER, "called the department")
    assert "called the department" in officer.get("/alerts?show=all").text


def stream(bench: Bench, officer: Visitor, path: str, until: bytes, sent: list[bytes]) -> bytes:
    """What a live view sends up to `until`; `sent` is added once it has begun."""
    import http.client

    cookies = "; ".join(f"{name}={value}" for name, value in officer.cookies.items())
    connection = http.client.HTTPSConnection("localhost", bench.port, context=officer.context, timeout=SECONDS)
    try:
        connection.request("GET", path, headers={"Cookie": cookies})
        response = connection.getresponse()
        assert response.status == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        got = response.read1(10_000)
        bench.add(sent)
        while until not in got:
            part = response.read1(100_000)
            if not part:
                break
            got += part
        return got
    finally:
        connection.close()


def test_the_live_view_sends_what_is_stored_and_passes_the_filter(bench: Bench, officer: Visitor) -> None:
    last = bench.repository.search.last()
    got = stream(
        bench, officer, f"/live?from={last}&node=RIS", b"event: rows", list(afternoon(datetime.now(UTC), 40, 3))
    )
    events = [json.loads(line[6:]) for line in got.decode().splitlines() if line.startswith("data: ")]
    assert events
    assert {row["node"] for event in events for row in event["rows"]} == {"RIS"}


def test_hostile_fields_are_sent_as_values(bench: Bench, officer: Visitor) -> None:
    got = stream(bench, officer, "/live", b'"node": "<script>', [hostile()])
    (data,) = [line for line in got.decode().splitlines() if "<script>" in line]
    assert data.startswith("data: ")


def test_the_live_view_ends_with_the_session(tmp_path: Path, pki: Pki) -> None:
    write_user(tmp_path / "users", USER, PASSWORD)
    access = Access(users=tmp_path / "users", zone="UTC", limits=Limits(idle=3, absolute=3600))
    with running(tmp_path, pki, access) as bench:
        visitor = bench.officer()
        assert b"event: end" in stream(bench, visitor, "/live", b"event: end", [])
        assert visitor.get("/").status == 303
        assert ("User Authentication", ("Logout",), "0", USER) in bench.events()


@pytest.mark.parametrize(
    "cursor", ["1.99999999999999999999", "99999999999999999999.1", "1.-1", "1e3.1", "\uff11.1", "1_0.1"]
)
def test_no_page_is_made_up(officer: Visitor, cursor: str) -> None:
    assert officer.get(f"/?after={quote(cursor)}").status == 400


def test_the_page_tells_that_nothing_can_be_stored(
    bench: Bench, officer: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    trouble = IngestStatus(trouble="the disk is full <b>")
    monkeypatch.setattr(type(bench.repository), "status", property(lambda _: trouble))
    text = officer.get("/nodes").text
    assert "the disk is full &lt;b&gt;" in text
    assert "are not stored yet" not in bench.visitor().get("/log-in").text


def test_no_name_turns_the_direction_of_what_stands_beside_it(bench: Bench, officer: Visitor) -> None:
    """A node could call itself so that another name is read; what is searched for stays as it is."""
    name = "CT\u202e9-XAP\u2066"
    bench.add([hostile(name)])
    asked = quote(name)
    for path in (
        "/",
        "/nodes",
        f"/node?id={asked}",
        f"/?node={asked}",
        f"/patient?id={asked}",
        f"/user?id={asked}",
        "/alerts",
    ):
        text = officer.get(path).text
        shown = re.sub(r'value="[^"]*"', "", text)
        assert "\u202e" not in shown, path
        assert "\u2066" not in shown, path
    assert "CT\ufffd9-XAP\ufffd" in officer.get("/nodes").text


def test_messages_of_a_connection_that_is_open_are_not_said_to_be_none(bench: Bench, officer: Visitor) -> None:
    bench.add([hostile("x")])
    assert "not yet counted" in officer.get("/connections").text
