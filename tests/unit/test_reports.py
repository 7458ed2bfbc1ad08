"""A record becomes report.json, junit.xml, evidence/ and report.html."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from fixtures.pki import Pki
from harness.record.models import ClaimVerdict, RunRecord, SourceRecord, VerdictKind, WaiverRecord
from reports import evidence, prepare, render, render_index
from reports.evidence import hex_dump
from reports.html import MAXIMUM_OCTETS
from reports.pictures import matrix_of
from reports.sources import source_url
from reports.text import slug, spoken, visible, visible_line
from reports.words import moment
from tests.unit.reports_material import AT, exchange, header, realistic, suites, sut, verdict, versions

SCHEMA = json.loads((Path(__file__).parents[2] / "harness" / "schemas" / "report.schema.json").read_text())
HOSTILE = "<script>alert(1)</script>\u202e\x1b[31m\x00\ud800'\"&amp;{{ 7*7 }}]]>"


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


@pytest.fixture(scope="module")
def record(pki: Pki) -> RunRecord:
    return RunRecord.model_validate_json(realistic(pki).model_dump_json())


@pytest.fixture(scope="module")
def report(record: RunRecord, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("report")
    assert render(record, directory) == directory / "report.html"
    return directory


def document(directory: Path) -> dict[str, object]:
    loaded: dict[str, object] = json.loads((directory / "report.json").read_text())
    Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(loaded)
    return loaded


def hostile_record() -> RunRecord:
    made = exchange(1).model_copy(
        update={"purpose": HOSTILE, "outcome": HOSTILE, "peer": HOSTILE, "decoded": (HOSTILE, "a\nb")}
    )
    item = verdict(
        kind=VerdictKind.FAIL, title=HOSTILE, text=HOSTILE, reason=HOSTILE, remedy=HOSTILE,
        observed={HOSTILE: [HOSTILE]}, expected=(HOSTILE,), second_opinion=HOSTILE,
        evidence=(made.id, "../../etc/passwd"),
        sources=(SourceRecord(document=HOSTILE, section=HOSTILE, url="javascript:alert(1)"),),
    )  # fmt: skip
    given_sut = sut(id="../" + HOSTILE, vendor=HOSTILE, product=HOSTILE, site=HOSTILE, declarations={HOSTILE: HOSTILE})
    return RunRecord(header=header(sut=given_sut), exchanges={made.id: made}, verdicts=(item,))


def test_report_json_keeps_its_contract(record: RunRecord, report: Path) -> None:
    found = document(report)
    assert found["schema_version"] == 1
    assert found["exit_status"] == 1
    assert found["connections"] == 142
    assert sum(found["summary"].values()) == len(record.verdicts)  # type: ignore[attr-defined]
    assert found["claims"][0]["verdict"] == "error"  # type: ignore[index]
    by_id = {item["requirement"]: item for item in found["verdicts"] if item["profile"] == "B.12"}  # type: ignore[attr-defined]
    assert by_id["B.12-no-null-cipher"]["waiver"]["until"] == "2027-01-31"
    assert by_id["B.12-no-null-cipher"]["verdict"] == "fail"
    assert all((report / path).is_file() for item in by_id.values() for path in item["evidence"])


def test_the_schema_is_strict_enough(report: Path) -> None:
    found = document(report)
    validator = Draft202012Validator(SCHEMA)
    for path in (
        ("verdicts", 0, "key"),
        ("summary", "error"),
        ("tool", "version"),
        ("verdicts", 0, "sources", 0, "paragraph"),
    ):
        damaged = json.loads(json.dumps(found))
        place = damaged
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]
        assert not validator.is_valid(damaged), path
    assert not validator.is_valid({**found, "exit_status": 7})


def test_an_interrupted_run_is_told(tmp_path: Path) -> None:
    render(RunRecord(header=header()), tmp_path)
    found = document(tmp_path)
    assert found["interrupted"] is True
    assert found["finished"] is None
    text = (tmp_path / "report.html").read_text()
    assert "Interrupted:" in text
    assert "Nothing was judged." in text


def test_first_page_says_what_counts(report: Path) -> None:
    page = (report / "report.html").read_text().split('<section id="requirements"')[0]
    for expected in (
        "Example Imaging ArchiveStation 7.2.1", "AS-00421-X", "University Hospital, Radiology 2", "Dr. M. Weber",
        "2026-11-22 10:31:42 UTC", "ps315 0.1.0", "RFC9325-4.1-no-null was accepted until 2026-09-30", "Not examined:",
        "waived until 2027-01-31", "The device presents no ECDSA certificate.", "accepted with conditions", "physicist",
        "B.13 is not kept; B.12 is not decided",
    ):  # fmt: skip
        assert expected in page, expected
    assert page.index("Expired waiver") < page.index("What was examined")
    assert page.index("B.13-tls-1.2-closed-set (B.13)") < page.index("RFC8996-4-no-tls-1.0 (B.12, B.13)")


def test_findings_are_sorted_and_own_ones_apart(record: RunRecord, report: Path) -> None:
    text = (report / "report.html").read_text()
    claim = text.split('aria-labelledby="claim-dimse-B.12')[1].split('aria-labelledby="claim-dimse-B.13')[0]
    own, imported = claim.split("Brought in by reference (BCP 195, TLS)")
    assert own.index("DICOM&#39;s own requirements") < own.index("B.12-no-null-cipher")
    assert "RFC8996-4-no-tls-1.0" not in re.sub(r'<ul class="members">.*?</ul>', "", own, flags=re.S)
    order = ["fail", "error", "inconclusive", "warning", "pass", "not_applicable"]
    for part in (own, imported):
        kinds = re.findall(r'<details class="finding k-\w+" data-verdict="(\w+)"', part)
        assert len(kinds) > 5
        assert kinds == sorted(kinds, key=order.index)
    assert text.count('<details class="finding') == len(record.verdicts)


def test_every_link_inside_leads_somewhere(report: Path) -> None:
    text = (report / "report.html").read_text()
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(ids)
    for target in re.findall(r'href="(evidence/[^"]+)"', text):
        assert (report / target).is_file()


def test_nothing_external_is_loaded(report: Path) -> None:
    text = (report / "report.html").read_text()
    assert len(text.encode()) < MAXIMUM_OCTETS
    assert not re.search(r"<(?:script|img|iframe|object|embed|audio|video|source)\b[^>]*\b(?:src|data)=", text)
    assert not re.search(r"@import|url\(", text)
    assert "default-src &#39;none&#39;" in text
    assert not re.search(r"<[^>]+\sstyle=", text)


def test_what_a_device_says_is_shown_not_obeyed(tmp_path: Path) -> None:
    render(hostile_record(), tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.count("<script") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "javascript:" not in text
    assert "{{ 7*7 }}" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", text)
    assert "⟦U+202E⟧" in text
    ET.parse(tmp_path / "junit.xml")  # noqa: S314 - written a moment ago
    assert document(tmp_path)["verdicts"][0]["reason"] == HOSTILE  # type: ignore[index]
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "dimse-0001.txt", "junit.xml", "report.html", "report.json",
    ]  # fmt: skip


def test_junit_is_what_build_servers_read(record: RunRecord, report: Path) -> None:
    root = ET.parse(report / "junit.xml").getroot()  # noqa: S314 - written a moment ago
    assert root.tag == "testsuites"
    claims = root.findall("testsuite")
    assert [suite.get("name") for suite in claims] == [
        "ct-1 dimse: B.12 2026c tls-server",
        "ct-1 dimse: B.13 2026c tls-server",
    ]
    assert int(root.attrib["tests"]) == len(record.verdicts)
    for suite in claims:
        assert set(suite.attrib) == {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"}
        assert next(child.tag for child in suite) == "properties"
        assert {child.tag for child in suite} == {"properties", "testcase"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
        cases = suite.findall("testcase")
        assert int(suite.attrib["tests"]) == len(cases)
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.attrib[attribute]) == len(suite.findall(f"testcase/{tag}")) > 0 or tag == "error"
        for case in cases:
            assert set(case.attrib) == {"classname", "name", "time"}
            assert {child.tag for child in case} <= {"failure", "error", "skipped", "system-out"}
            assert len(case) <= 1
    by_name = {case.attrib["name"]: case for case in claims[0].findall("testcase")}
    waived = by_name["B.12-no-null-cipher"].find("failure")
    assert waived is not None
    assert waived.attrib["type"] == "waived"
    assert by_name["B.12-no-null-cipher"].attrib["classname"] == "ct-1.dimse.B-12-2026c-tls-server"
    skipped = by_name["B.12-mutual-authentication-supported"].find("skipped")
    assert skipped is not None
    assert skipped.attrib["message"] == "inconclusive: The device did not ask for a client certificate."
    assert by_name["RFC9325-4.1-no-static-rsa"].findtext("system-out", "").startswith("warning: ")
    names = {item.attrib["name"] for item in claims[0].findall("properties/property")}
    assert "warning.RFC9325-4.1-no-static-rsa" in names


def test_evidence_shows_what_was_said(report: Path) -> None:
    text = (report / "evidence" / "dimse-0003.txt").read_text()
    assert "Decoded\n  sent ClientHello, TLS 1.0, 24 suites\n" in text
    assert "Sent after 0.2 ms, 320 octets\n  000000  16 03 01 01 3b 01" in text
    assert "  000000  15 03 03 00 02 02 46                             ......F\n" in text
    pem = (report / "evidence" / "certificates-dimse-1.pem").read_text()
    assert pem.startswith("# subject: CN=localhost")
    assert "-----END CERTIFICATE-----" in pem


def test_only_cited_exchanges_are_written(report: Path, record: RunRecord) -> None:
    cited = {name for item in record.verdicts for name in item.evidence}
    assert {path.stem for path in (report / "evidence").glob("*.txt")} == cited
    assert cited < set(record.exchanges)


def test_evidence_has_a_size_cap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "FILE_OCTETS", 4_000)
    monkeypatch.setattr(evidence, "TOTAL_OCTETS", 9_000)
    exchanges = {made.id: made for made in (exchange(number, 5_000) for number in range(1, 6))}
    render(RunRecord(header=header(), exchanges=exchanges, verdicts=(verdict(evidence=tuple(exchanges)),)), tmp_path)
    files = list((tmp_path / "evidence").iterdir())
    assert sum(path.stat().st_size for path in files) <= 9_000
    assert len(files) == 2
    notes = [note["text"] for note in document(tmp_path)["notes"]]  # type: ignore[attr-defined]
    assert any("was cut at" in note for note in notes)
    assert any(note.startswith("3 evidence files were left out") for note in notes)
    assert "3 evidence files were left out" in (tmp_path / "report.html").read_text()


def test_a_flood_of_evidence_keeps_the_report_small(tmp_path: Path) -> None:
    decoded = tuple(f"line {number} " + "x" * 300 for number in range(100))
    exchanges = {made.id: made for made in (exchange(number, 8_000, decoded) for number in range(1, 201))}
    item = verdict(kind=VerdictKind.FAIL, evidence=tuple(exchanges), observed="y" * 3_000_000, reason="z" * 3_000_000)
    report = render(RunRecord(header=header(), exchanges=exchanges, verdicts=(item,)), tmp_path)
    assert report.stat().st_size < MAXIMUM_OCTETS
    text = report.read_text()
    assert "Shortened here; whole in evidence/dimse-0001.txt." in text
    assert "Not shown here; whole in evidence/dimse-0200.txt." in text


def test_an_earlier_rendering_leaves_nothing_behind(tmp_path: Path) -> None:
    exchanges = {made.id: made for made in (exchange(1), exchange(2))}
    (tmp_path / "run.jsonl").write_text("kept")
    render(RunRecord(header=header(), exchanges=exchanges, verdicts=(verdict(evidence=("dimse-0001",)),)), tmp_path)
    render(RunRecord(header=header(), exchanges=exchanges, verdicts=(verdict(evidence=("dimse-0002",)),)), tmp_path)
    assert [path.name for path in (tmp_path / "evidence").iterdir()] == ["dimse-0002.txt"]
    assert (tmp_path / "run.jsonl").read_text() == "kept"


def test_requirements_of_a_vendor_are_shown_apart(tmp_path: Path) -> None:
    items = (verdict(), verdict("ACME-1", vendor_suite="acme"))
    claim = ClaimVerdict(profile="B.12", edition="2026c", role="tls-server", endpoint="dimse", verdict=VerdictKind.PASS)
    text = render(RunRecord(header=header(), verdicts=items, claims=(claim,)), tmp_path).read_text()
    assert (
        text.index("DICOM&#39;s own requirements")
        < text.index("Requirements of the suite acme")
        < text.index("ACME-1</code>")
    )
    assert "B.12 is kept." in text


def test_several_devices_have_a_page(tmp_path: Path, record: RunRecord) -> None:
    strange = RunRecord(header=header(sut=sut(id="a b/..?", vendor=HOSTILE)))
    text = render_index(tmp_path, [record, strange]).read_text()
    assert '<a href="ct-1/report.html">' in text
    assert '<a href="a%20b%2F..%3F/report.html">' in text
    assert "2 devices" in text
    assert "<script>alert" not in text


def test_suites_become_a_matrix() -> None:
    matrix = matrix_of(suites(), versions())
    assert [column.name for column in matrix.columns] == [
        "TLS 1.3",
        "TLS 1.2",
        "TLS 1.1",
        "TLS 1.0",
        "SSL 3.0",
        "SSL 2.0",
    ]
    assert [column.remark for column in matrix.columns][:4] == ["server's order", "server's order", "", "incomplete"]
    assert [column.accepted for column in matrix.columns][1:3] == ["11 of 346", "refused"]
    assert [column.name for column in matrix_of(suites()).columns].count("TLS 1.1") == 0
    rows = {row.name: row for row in matrix.rows}
    assert len(rows) == len(matrix.rows) == 15
    assert [cell.rank for cell in rows["TLS_RSA_WITH_3DES_EDE_CBC_SHA"].cells] == [None, 10, None, 3, None, None]
    assert {rows[name].quality for name in ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", "TLS_RSA_WITH_NULL_SHA")} == {"broken"}
    assert rows["TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"].quality == "modern"
    assert rows["TLS_RSA_WITH_AES_256_GCM_SHA384"].quality == "dated"
    order = [row.quality for row in matrix.rows]
    assert order == sorted(order, key=["modern", "dated", "broken"].index)


@pytest.mark.parametrize(
    ("source", "url"),
    [
        (
            SourceRecord(document="PS3.15", edition="2026c", section="B.12", paragraph="para_1"),
            "https://dicom.nema.org/medical/dicom/2026c/output/chtml/part15/sect_B.12.html#para_1",
        ),
        (
            SourceRecord(document="PS3.7", edition="2026c", section="D.3.3.7"),
            "https://dicom.nema.org/medical/dicom/2026c/output/chtml/part07/sect_D.3.html#sect_D.3.3.7",
        ),
        (SourceRecord(document="RFC 9325", section="3.1.1"), "https://www.rfc-editor.org/rfc/rfc9325#section-3.1.1"),
        (SourceRecord(document="RFC 5246", section="E.1"), "https://www.rfc-editor.org/rfc/rfc5246#appendix-E.1"),
        (SourceRecord(document="House rules", section="1"), ""),
        (SourceRecord(document="X", section="1", url="https://example.org/x"), "https://example.org/x"),
        (SourceRecord(document="X", section="1", url="data:text/html,x"), ""),
    ],
)
def test_clauses_are_linked(source: SourceRecord, url: str) -> None:
    assert source_url(source) == url


def test_moments_have_a_zone() -> None:
    assert moment(AT) == "2026-11-22 10:31:42 UTC"
    assert moment(AT.astimezone(timezone(timedelta(hours=1)))) == "2026-11-22 11:31:42 UTC+01:00"
    assert moment(datetime(2026, 1, 1)) == "2026-01-01 00:00:00 (no zone)"
    assert moment(None) == "not recorded"
    assert AT.tzinfo is UTC


@given(st.text())
def test_visible_text_hides_nothing(text: str) -> None:
    shown = visible_line(text)
    shown.encode("utf-8")
    assert not re.search("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]", shown)
    assert visible(visible(text)) == visible(text)


@given(st.text())
def test_slugs_are_safe_names(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", slug(text) if slug(text)[0] != "-" else "")


@given(st.binary(max_size=400))
def test_a_hex_dump_holds_every_octet(data: bytes) -> None:
    lines = hex_dump(data).splitlines()
    assert len(lines) == -(-len(data) // 16)
    assert bytes.fromhex("".join(line[10:57] for line in lines)) == data


def test_observed_values_are_spoken() -> None:
    assert spoken(None) == "not established"
    assert spoken(True) == "yes"
    assert spoken({"key_bits": 1024, "names": ["a", "b"]}) == "key bits: 1024; names: a, b"
    assert spoken([]) == "nothing"


def test_an_expired_waiver_is_void_in_junit(tmp_path: Path) -> None:
    waiver = WaiverRecord(requirement="x", reason="old", until=AT.date(), expired=True)
    render(RunRecord(header=header(), verdicts=(verdict(kind=VerdictKind.FAIL, waiver=waiver),)), tmp_path)
    failure = ET.parse(tmp_path / "junit.xml").find(".//failure")  # noqa: S314 - written a moment ago
    assert failure is not None
    assert failure.attrib["type"] == "shall"
    assert "Expired waiver" in (tmp_path / "report.html").read_text()


def test_numbers_on_the_first_page_add_up(record: RunRecord, report: Path) -> None:
    page = (report / "report.html").read_text().split('<section id="requirements"')[0]
    described = re.search(r'<desc id="chart-text">(.*?)</desc>', page)
    assert described is not None
    numbers = {label: int(number) for number, label in re.findall(r"(\d+) ([a-z ]+)", described[1])}
    assert sum(numbers.values()) == sum(not item.derived for item in record.verdicts)
    failing = [item for item in record.verdicts if item.verdict == VerdictKind.FAIL]
    assert numbers["fail"] == sum(not item.derived for item in failing) < len(failing)
    assert "umbrella requirements follow from these" in page


def test_a_record_that_was_edited_is_still_rendered(tmp_path: Path) -> None:
    made = exchange(1).model_copy(update={"segments": (("sent", 0.1, "no hex"),)})
    render(RunRecord(header=header(), exchanges={made.id: made}, verdicts=(verdict(evidence=(made.id,)),)), tmp_path)
    assert "no hex" in (tmp_path / "evidence" / "dimse-0001.txt").read_text()


def test_templates_can_be_prepared(record: RunRecord, tmp_path: Path) -> None:
    prepare()
    assert render(record, tmp_path).is_file()


def test_tests_of_others_are_named_beside_the_clauses(tmp_path: Path) -> None:
    pointing = verdict(see_also=("pre-connectathon test 11109", "another <test>"))
    claim = ClaimVerdict(
        profile="B.12", edition="2026c", role="tls-server", endpoint="dimse", verdict=VerdictKind.PASS, reason=""
    )
    text = render(RunRecord(header=header(), verdicts=(pointing,), claims=(claim,)), tmp_path).read_text()
    assert "See also:</strong> pre-connectathon test 11109; another &lt;test&gt;." in text
    written = json.loads((tmp_path / "report.json").read_text())
    assert written["verdicts"][0]["see_also"] == ["pre-connectathon test 11109", "another <test>"]


@pytest.mark.parametrize(
    ("profile", "own", "imported"),
    [
        ("B.12", "DICOM&#39;s own requirements", "Brought in by reference (BCP 195, TLS)"),
        ("A.6", "DICOM&#39;s own requirements", "Brought in by reference (RFC 5425, TLS)"),
        ("IHE-FQDN", "IHE&#39;s own requirements", ""),
    ],
)
def test_requirements_are_grouped_by_whose_they_are(tmp_path: Path, profile: str, own: str, imported: str) -> None:
    found = [verdict(profile=profile)] + ([verdict("RFC1-1", profile=profile)] if imported else [])
    claim = ClaimVerdict(
        profile=profile, edition="2026c", role="tls-server", endpoint="dimse", verdict=VerdictKind.PASS, reason=""
    )
    text = render(RunRecord(header=header(), verdicts=tuple(found), claims=(claim,)), tmp_path).read_text()
    assert own in text
    assert imported in text
