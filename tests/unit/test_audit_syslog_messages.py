"""Syslog messages of RFC 5424: written and read back, and what is wrong about others named by its rule."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.catalogue import BUILT_IN
from reference_impl.audit.syslog import messages
from reference_impl.audit.syslog.fields import APP_NAME
from reference_impl.audit.syslog.messages import Element, SyslogMessage, audit_message, examine, parse, write
from reference_impl.audit.syslog.profiles import profile_findings

GOOD = b"<85>1 2026-03-04T05:06:07.089+01:00 ct1.example.org ps315 77 DICOM+RFC3881 - <AuditMessage/>"
CATALOGUE = BUILT_IN / "audit" / "requirements"
RULES = {
    each["id"]: each
    for name in ("RFC5424-source", "A.6-source", "A.7-source", "IHE-source")
    for each in tomllib.loads((CATALOGUE / f"{name}.toml").read_text(encoding="utf-8"))["requirement"]
}

PRINTABLE = st.characters(min_codepoint=33, max_codepoint=126)
NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='= ]"'), min_size=1, max_size=32)


def field_of(longest: int) -> st.SearchStrategy[str]:
    return st.text(PRINTABLE, max_size=longest).filter(lambda text: text != "-")


MOMENTS = st.datetimes(
    min_value=datetime(1970, 1, 2),
    timezones=st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
ELEMENTS = st.builds(
    Element, NAMES, st.lists(st.tuples(NAMES, st.text(st.characters(exclude_categories=["Cs"]))), max_size=3).map(tuple)
)
BODIES = st.one_of(st.binary(max_size=200), st.text().map(str.encode)).filter(
    lambda body: not body.startswith(b"\xef\xbb\xbf")
)


@st.composite
def syslog_messages(draw: st.DrawFn) -> SyslogMessage:
    body = draw(BODIES)
    try:
        body.decode()
        bom = draw(st.booleans())
    except UnicodeDecodeError:
        bom = False
    return SyslogMessage(
        draw(st.integers(0, 191)),
        timestamp=draw(st.one_of(st.just(""), MOMENTS.map(messages.timestamp))),
        hostname=draw(field_of(255)),
        app_name=draw(field_of(48)),
        procid=draw(field_of(128)),
        msgid=draw(field_of(32)),
        structured_data=tuple(draw(st.lists(ELEMENTS, max_size=3, unique_by=lambda element: element.name))),
        body=body,
        bom=bom,
    )


def broken(octets: bytes) -> set[str]:
    return {finding.rule for finding in parse(octets).findings if finding.level in {"shall", "should"}}


@given(syslog_messages())
def test_what_is_written_is_read_back(message: SyslogMessage) -> None:
    parsed = parse(write(message))
    assert parsed.message == message
    assert parsed.body == message.body
    assert not [each for each in parsed.findings if each.level == "shall" and "sd-id-names" not in each.rule]


@given(st.binary(max_size=300))
def test_any_octets_are_read_without_raising(octets: bytes) -> None:
    parsed = parse(octets)
    assert parsed.message is not None or parsed.findings
    assert octets.endswith(parsed.body)


@given(st.integers(0, len(GOOD) - 1), st.binary(max_size=3))
def test_any_change_of_a_good_message_is_read_without_raising(at: int, other: bytes) -> None:
    parsed = parse(GOOD[:at] + other + GOOD[at + 1 :])
    assert all(finding.rule in RULES and finding.rule in parsed.checked for finding in parsed.findings)


def test_the_good_message_has_nothing_about_it() -> None:
    message, findings = examine(GOOD)
    assert findings == ()
    assert message is not None
    assert (message.facility, message.severity, message.msgid, message.body) == (
        10,
        5,
        "DICOM+RFC3881",
        b"<AuditMessage/>",
    )
    assert message.time == datetime(2026, 3, 4, 4, 6, 7, 89000, UTC)


HEAD = b"<85>1 2026-03-04T05:06:07Z h.example a 1 M "
BREAKING: dict[str, list[bytes]] = {
    "RFC5424-6-source-grammar": [
        b"",
        b"hello",
        b"<85>Mar  4 05:06:07 host app: <AuditMessage/>",
        b"<85>Mar 4 05:06:07 host app: <AuditMessage/>",
        b"<AuditMessage/>",
        b"95 " + GOOD,
        b"<85>1 2026-03-04T05:06:07Z h",
        b"<x>1 - - - - - -",
        HEAD.replace(b" a ", b"  ") + b"- x",
        HEAD + b"-x",
        HEAD + b'[a@1 b="c"]x',
        b"\xef\xbb\xbf" + GOOD,
    ],
    "RFC5424-6-source-field-lengths": [
        HEAD.replace(b"h.example", b"h" * 256) + b"-",
        HEAD.replace(b" a ", b" %b " % (b"a" * 49)) + b"-",
        HEAD.replace(b" 1 M", b" %b M" % (b"1" * 129)) + b"-",
        HEAD.replace(b" M ", b" %b " % (b"M" * 33)) + b"-",
    ],
    "RFC5424-6.2-source-ascii-header": [
        HEAD.replace(b"h.example", "hôte".encode()) + b"-",
        HEAD.replace(b" a ", b" a\tb ") + b"-",
        HEAD.replace(b" a ", b" a\x00b ") + b"-",
    ],
    "RFC5424-6.2.1-source-pri": [each + HEAD[4:] + b"-" for each in (b"<085>", b"<192>", b"<00>", b"<000085>")],
    "RFC5424-6.2.2-source-version": [
        HEAD.replace(b">1 ", b">2 ") + b"-",
        HEAD.replace(b">1 ", b">01 ") + b"-",
        HEAD.replace(b">1 ", b">") + b"-",
    ],
    "RFC5424-6.2.3-source-timestamp": [
        HEAD.replace(b"2026-03-04T05:06:07Z", each) + b"-"
        for each in (
            b"2026-03-04T05:06:07",
            b"2026-03-04t05:06:07Z",
            b"2026-03-04T05:06:07z",
            b"2026-03-04T05:06:07.1234567Z",
            b"2026-03-04T05:06:07.Z",
            b"2026-02-29T05:06:07Z",
            b"2026-13-01T05:06:07Z",
            b"2026-03-04T24:00:00Z",
            b"2026-03-04T05:06:07+0100",
            b"20260304T050607Z",
            b"2026-03-04T05:06:61Z",
        )
    ],
    "RFC5424-6.2.3-source-no-leap-second": [HEAD.replace(b"05:06:07Z", b"23:59:60Z") + b"-"],
    "RFC5424-6.2.4-source-hostname": [HEAD.replace(b"h.example", b"-") + b"-"],
    "RFC5424-6.3-source-structured-data": [
        HEAD + b"<AuditMessage/>",
        HEAD + b"[] x",
        HEAD + b"[a b] x",
        HEAD + b'[a@1 b="c] x',
        HEAD + b'[a@1 b="c"',
        HEAD + b'[a@1 b="]"] x',
        HEAD + b'[a@1  b="c"] x',
    ],
    "RFC5424-6.3.2-source-unique-sd-ids": [HEAD + b'[a@1 b="c"][a@1 b="c"] x'],
    "RFC5424-6.3.2-source-sd-id-names": [HEAD + b'[a@b c="d"] x', HEAD + b"[a@] x", HEAD + b"[@1] x"],
    "RFC5424-6.3.3-source-escapes": [HEAD + rb'[a@1 b="c\d"] x'],
    "RFC5424-6.3.3-source-utf-8": [HEAD + b'[a@1 b="\xff"] x'],
    "RFC5424-6.4-source-utf-8": [HEAD + b"- \xff", HEAD + b"- \xed\xa0\x80"],
    "RFC5424-6.4-source-bom-means-utf-8": [HEAD + b"- \xef\xbb\xbf\xff"],
    "RFC5424-6.4-source-no-control-characters": [HEAD + b"- a\nb", HEAD + b"- a\x00", HEAD + b"- \x7f"],
}


def cases() -> list[tuple[str, bytes]]:
    return [(rule, octets) for rule, several in BREAKING.items() for octets in several]


@pytest.mark.parametrize(("rule", "octets"), cases())
def test_one_thing_wrong_is_named_by_its_rule_alone(rule: str, octets: bytes) -> None:
    assert broken(octets) == {rule}
    assert rule in parse(octets).checked


def test_every_rule_is_broken_by_something_and_catalogued() -> None:
    checked = {rule for _, octets in cases() for rule in parse(octets).checked}
    assert checked - {APP_NAME} == set(BREAKING)
    assert checked <= set(RULES)


def test_levels_are_those_of_the_catalogue() -> None:
    for _, octets in cases():
        for finding in parse(octets).findings:
            assert finding.level == RULES[finding.rule]["level"], finding


@pytest.mark.parametrize(
    ("octets", "legacy"),
    [
        (b"<85>Mar  4 05:06:07 host app: <AuditMessage/>", "RFC 3164"),
        (b"Mar  4 05:06:07 host app: <AuditMessage/>", "RFC 3164"),
        (b"95 " + GOOD, "frame of RFC 5425"),
        (b"<?xml version='1.0'?><AuditMessage/>", "XML without a header"),
        (b"\xef\xbb\xbf<AuditMessage/>", "XML without a header"),
        (b"nonsense", ""),
        (GOOD, ""),
    ],
)
def test_what_is_no_message_of_rfc_5424_is_named_and_its_audit_message_found(octets: bytes, legacy: str) -> None:
    parsed = parse(octets)
    assert parsed.legacy == legacy
    assert parsed.body.endswith(b"<AuditMessage/>") or octets == b"nonsense"
    assert octets[parsed.body_at :] == parsed.body


def test_the_audit_message_is_found_where_structured_data_is_missing() -> None:
    parsed = parse(HEAD + b"\xef\xbb\xbf<AuditMessage/>")
    assert parsed.body == b"<AuditMessage/>"
    assert parsed.message is not None
    assert parsed.message.bom


def test_escapes_are_taken_away_and_stray_backslashes_kept() -> None:
    message = parse(HEAD + rb'[a@1 b="\"\\\]\x"] x').message
    assert message is not None
    assert message.structured_data == (Element("a@1", (("b", '"\\]\\x'),)),)


def test_an_unregistered_sd_id_stays_open() -> None:
    assert [each.level for each in parse(HEAD + b'[exampleSDID b="c"] x').findings] == ["open"]
    assert parse(HEAD + b'[timeQuality tzKnown="1"][origin][x@32473.1 y=""] x').findings == ()


def test_a_huge_field_is_shown_in_short() -> None:
    parsed = parse(b"<85>1 - " + b"h" * 1_000_000 + b" - - - -")
    assert parsed.findings
    assert all(len(finding.found) <= 120 for finding in parsed.findings)


@pytest.mark.parametrize(
    "change",
    [
        {"pri": 192},
        {"pri": -1},
        {"version": 2},
        {"timestamp": "2026-12-31T23:59:60Z"},
        {"timestamp": "2026-02-30T00:00:00Z"},
        {"hostname": "a b"},
        {"hostname": "h" * 256},
        {"app_name": "é"},
        {"procid": "-"},
        {"msgid": "M" * 33},
        {"structured_data": (Element("a]"),)},
        {"structured_data": (Element("a"), Element("a"))},
        {"structured_data": (Element("a", (("b=", "c"),)),)},
        {"body": b"\xef\xbb\xbfx"},
        {"body": b"\xff", "bom": True},
    ],
)
def test_what_rfc_5424_forbids_is_not_written(change: dict[str, object]) -> None:
    message = parse(GOOD).message
    assert message is not None
    with pytest.raises(ValueError, match=r"."):
        write(replace(message, **change))  # type: ignore[arg-type]


def test_a_timestamp_has_a_zone_of_whole_minutes() -> None:
    with pytest.raises(ValueError, match="zone"):
        messages.timestamp(datetime(2026, 3, 4))
    with pytest.raises(ValueError, match="minutes"):
        messages.timestamp(datetime(2026, 3, 4, tzinfo=timezone(timedelta(seconds=61))))


def test_the_message_around_an_audit_message() -> None:
    written = write(
        audit_message(b"<AuditMessage/>", datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC), hostname="ct1", app_name="ps315")
    )
    assert written == b"<85>1 2026-03-04T05:06:07Z ct1 ps315 - DICOM+RFC3881 - <AuditMessage/>"
    findings, checked = profile_findings(parse(written), "A.6")
    assert findings == ()
    assert checked == {"A.6-source-facility", "A.6-source-msgid", "A.6-source-msg-present"}


@pytest.mark.parametrize(
    ("profile", "old", "new", "rule", "level"),
    [
        ("A.6", b"<85>", b"<13>", "A.6-source-facility", "shall"),
        ("A.7", b"<85>", b"<13>", "A.7-source-facility", "shall"),
        ("A.7", b"<85>", b"<86>", "A.7-source-severity", "should"),
        ("A.6", b"DICOM+RFC3881", b"-", "A.6-source-msgid", "shall"),
        ("A.6", b"<AuditMessage/>", b"", "A.6-source-msg-present", "shall"),
        ("IHE-ATX-TLS-Syslog", b"none", b"", "IHE-3.20.4.1.2-source-msgid", "shall"),
        ("IHE-ATX-UDP-Syslog", b"none", b"", "IHE-3.20.4.1.2-source-msgid", "shall"),
    ],
)
def test_what_a_profile_adds_is_told(profile: str, old: bytes, new: bytes, rule: str, level: str) -> None:
    findings, checked = profile_findings(parse(GOOD.replace(old, new)), profile)  # type: ignore[arg-type]
    assert [(each.rule, each.level) for each in findings] == [(rule, level)]
    assert rule in checked
    assert RULES[rule]["level"] == level


def test_any_severity_is_right_under_a_6_and_ihe_discourages_the_bom() -> None:
    assert profile_findings(parse(GOOD.replace(b"<85>", b"<86>")), "A.6")[0] == ()
    ihe = GOOD.replace(b"DICOM+RFC3881", b"IHE+RFC-3881").replace(b"- <", b"- \xef\xbb\xbf<")
    assert [each.rule for each in profile_findings(parse(ihe), "IHE-ATX-TLS-Syslog")[0]] == [
        "IHE-3.20.4.1.2-source-no-bom"
    ]


def test_the_facility_of_an_old_message_is_told_all_the_same() -> None:
    findings, _ = profile_findings(parse(b"<13>Mar  4 05:06:07 host app: <AuditMessage/>"), "A.6")
    assert [each.rule for each in findings] == ["A.6-source-facility"]


@pytest.mark.parametrize("octet", range(256))
def test_each_control_character_is_told_and_no_other(octet: int) -> None:
    parsed = parse(b"<85>1 - host app - - - <a>" + bytes([octet]) + b"</a>")
    told = [each.place for each in parsed.findings if each.rule == "RFC5424-6.4-source-no-control-characters"]
    assert told == (["MSG, octet 4"] if octet < 0x20 or octet == 0x7F else [])
