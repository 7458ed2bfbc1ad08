"""Verdicts that a vendor and a hospital would dispute: what passes, what does not, and whether the sentence helps."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from fixtures.audit.samples import SAMPLES
from reference_impl.audit.findings import Finding
from reference_impl.audit.model import utc
from reference_impl.audit.validator import validate
from tests.unit.audit_made import (
    CD,
    DESTINATION,
    EXPORTER,
    FROM_MEDIA,
    SOURCE,
    Who,
    export,
    found,
    imported,
    thing,
    transferred,
)

PLAIN = export(EXPORTER, CD).octets
SCHEMA = "A.5.1-schema-valid"


def only(octets: bytes) -> Finding:
    """The one thing found, notes left out."""
    (finding,) = [each for each in validate(octets).findings if each.level != "note"]
    return finding


def at(time: str) -> bytes:
    return PLAIN.replace(b"2026-01-02T03:04:05Z", time.encode())


def with_detail(value: str) -> bytes:
    detail = f'<ParticipantObjectDetail type="kind" value="{value}"/>'.encode()
    return PLAIN.replace(b"</ParticipantObjectIdentification>", detail + b"</ParticipantObjectIdentification>")


# -- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "time",
    [
        "2026-02-30T03:04:05Z",
        "2026-02-29T03:04:05Z",
        "0000-01-01T00:00:00Z",
        "02026-01-02T03:04:05Z",
        "2026-01-02T03:04:05z",
        "2026-01-02t03:04:05Z",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05+14:01",
        "2026-01-02T24:00:01Z",
        "2026-01-02T03:04:05+0100",
    ],
)
def test_a_time_that_is_none_is_told_where_it_stands(time: str) -> None:
    finding = only(at(time))
    assert (finding.rule, finding.level, finding.found) == (SCHEMA, "shall", time)
    assert finding.place == "/AuditMessage/EventIdentification/@EventDateTime"
    assert "xsd:dateTime" in finding.remedy


@pytest.mark.parametrize(
    "time",
    [
        "2024-02-29T03:04:05Z",
        "2026-01-02T24:00:00Z",
        "2026-01-02T03:04:05.123456789+14:00",
        "-0044-03-15T12:00:00Z",
        "12026-01-02T03:04:05-14:00",
        " 2026-01-02T03:04:05Z ",
    ],
)
def test_unusual_times_are_times(time: str) -> None:
    assert validate(at(time)).conforms
    assert validate(at(time)).schema_valid


@pytest.mark.parametrize("value", ["key: value", "!!", "QUJD!", "ABCD-", "AB\u2028CD", "QR==", "QUJ=", "1.2.840.1000"])
def test_plain_text_is_no_base64_whatever_its_length(value: str) -> None:
    finding = only(with_detail(value))
    assert (finding.rule, finding.found.replace("\\u2028", "\u2028")) == (SCHEMA, value)
    assert finding.place.endswith("/ParticipantObjectDetail/@value")


@pytest.mark.parametrize("value", ["QUJD", "QQ==", "QUI=", "QU JD", "Q Q = ="])
def test_base64_may_be_broken_by_blanks(value: str) -> None:
    assert validate(with_detail(value)).schema_valid


# -- octets that no parser reads -------------------------------------------------------------------------------------

TEXT = PLAIN.decode()
UNREADABLE = {
    "cut": (PLAIN[:700], "ends after 700 octets", "whole"),
    "cut within a tag": (PLAIN[:720].rpartition(b'"')[0], "octets, before the message does", "whole"),
    "Latin-1": (TEXT.replace("u", "ü", 1).encode("latin-1"), "is no UTF-8", "UTF-8"),
    "Latin-1 that claims to be UTF-8": (
        b'<?xml version="1.0" encoding="UTF-8"?>' + TEXT.replace("AuditSourceID=", "AuditSourceID=ü").encode("latin-1"),
        "the declaration says UTF-8",
        "UTF-8",
    ),
    "UTF-8 that claims to be UTF-16": (
        b'<?xml version="1.0" encoding="utf-16"?>' + PLAIN,
        "the XML declaration says utf-16",
        'encoding="UTF-8"',
    ),
    "UTF-16 without a mark": (TEXT.encode("utf-16-le"), "UTF-16 without a byte order mark", "UTF-8"),
    "UTF-16 without a mark, the other way round": (TEXT.encode("utf-16-be"), "UTF-16 without", "UTF-8"),
    "two messages": (PLAIN + PLAIN, "something follows", "alone"),
    "something behind": (PLAIN + b"x", "something follows", "alone"),
    "NUL at the end": (PLAIN + b"\0", "NUL", "NUL"),
    "a header of syslog": (b"<85>1 - h a - - - " + PLAIN, "", ""),
    "JSON": (b'{"AuditMessage": {}}', "does not begin with XML", "XML of the message alone"),
    "escaped": (TEXT.replace("<", "&lt;").encode(), "does not begin with XML", "alone"),
    "nothing": (b"", "empty", "XML library"),
    "a byte order mark alone": (b"\xef\xbb\xbf", "white space", "XML library"),
    "a document type in UTF-16": (
        ('<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a [<!ENTITY b "c">]>' + TEXT).encode("utf-16"),
        "document type",
        "XML library",
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_why_octets_cannot_be_read_is_said_in_words(name: str) -> None:
    octets, text, remedy = UNREADABLE[name]
    result = validate(octets)
    assert result.schema_valid is None
    (finding,) = result.findings
    assert (finding.rule, finding.level) == (SCHEMA, "shall")
    assert text in finding.text
    assert remedy in finding.remedy
    assert "\ufffd" not in finding.text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "iso-8859-1", "windows-1252", "utf-32", "utf-8-sig"])
def test_any_encoding_that_is_declared_is_read(encoding: str) -> None:
    name = {"utf-16-le": "UTF-16", "utf-8-sig": "UTF-8"}.get(encoding, encoding)
    text = f'<?xml version="1.0" encoding="{name}"?>' + TEXT.replace('UserID="u"', 'UserID="ü"')
    assert validate(text.encode(encoding)).conforms


# -- the schema in words ---------------------------------------------------------------------------------------------


def test_a_namespace_of_the_message_is_one_finding_however_it_is_written() -> None:
    prefixed = PLAIN.replace(b"<AuditMessage>", b'<a:AuditMessage xmlns:a="urn:x">').replace(b"</Audit", b"</a:Audit")
    prefixed = prefixed.replace(b"</a:AuditSource", b"</AuditSource")
    for octets in (prefixed, PLAIN.replace(b"<AuditMessage>", b'<AuditMessage xmlns="urn:x">')):
        finding = only(octets)
        assert (finding.rule, finding.place) == (SCHEMA, "/AuditMessage")
        assert "no xmlns" in finding.remedy


@pytest.mark.parametrize(
    ("old", "new", "word", "remedy"),
    [
        (b"<AuditMessage>", b'<AuditMessage xml:lang="de">', "no attribute xml:lang", "Leave xml:lang out."),
        (b'UserIsR', b'UserTypeCode="1" UserIsR', "extension of dcm4che", "Leave UserTypeCode out."),
        (b"</EventI", b"<PurposeOfUse/></EventI", "extension of IHE", "Leave the element PurposeOfUse out."),
        (b' originalText="kind"', b"", "originalText", "meaning of the code"),
        (b"</AuditM", b"<MediaType/></AuditM", "elsewhere", "Write MediaType into MediaIdentifier."),
        (b"</AuditM", b"<AuditMessage/></AuditM", "elsewhere", "document of its own"),
        (b"</AuditM", b'<x:y xmlns:x="urn:x">1</x:y></AuditM', "y has a namespace", "no xmlns"),
        (b'<AuditSourceIdentification AuditSourceID="s"/>', b"", "holds no AuditSource", "Give AuditSource"),
        (b'TypeCode="1"', b'TypeCode="5"', "a value that the schema has not", "Write one of 1, 2, 3, 4."),
        (
            b'<AuditSourceIdentification AuditSourceID="s"/>',
            b'<AuditSourceIdentification AuditSourceID="s"/><AuditSourceIdentification AuditSourceID="t"/>',
            "too many",
            "Give AuditSourceIdentification once.",
        ),
    ],
)  # fmt: skip
def test_remedies_say_what_to_do(old: bytes, new: bytes, word: str, remedy: str) -> None:
    assert old in PLAIN
    finding = next(each for each in validate(PLAIN.replace(old, new, 1)).findings if each.rule == SCHEMA)
    assert word in finding.text
    assert remedy in finding.remedy


def test_what_a_sender_calls_an_attribute_does_not_make_a_remedy_long() -> None:
    octets = PLAIN.replace(b"<AuditMessage>", b"<AuditMessage %b='1'>" % (b"a" * 40_000))
    assert all(len(each.remedy) <= 400 for each in validate(octets).findings)


def test_a_media_type_of_the_older_form_is_one_finding() -> None:
    finding = only(PLAIN.replace(b"<MediaIdentifier>", b"").replace(b"</MediaIdentifier>", b""))
    assert (finding.rule, finding.level) == (SCHEMA, "shall")
    assert "MediaType" in finding.place


# -- readings --------------------------------------------------------------------------------------------------------

INITIATOR = "110156"
READINGS = {
    "a remote user with media of its own asked": (
        export(Who((SOURCE,)), Who((DESTINATION,), requestor=True, media="110032"), Who((DESTINATION,), point="node")),
        {},
    ),
    "media without a role beside an end point": (
        export(EXPORTER, Who(media="110032"), Who((DESTINATION,), point="node")),
        {"A.5.3.4-media-role-id-code": "shall"},
    ),
    "a doctor initiates, and a process exports": (
        export(Who((SOURCE,)), CD, Who((INITIATOR,), requestor=True)),
        {"A.5.3.4-remote": "open"},
    ),
    "a doctor initiates, and a process imports": (
        imported(Who((DESTINATION,)), Who((FROM_MEDIA,), media="110032"), Who((INITIATOR,), requestor=True)),
        {"A.5.3.5-source": "open"},
    ),
    "an end point of no type": (
        export(EXPORTER, Who((DESTINATION,), more=' NetworkAccessPointID="node"')),
        {"A.5.3.4-media-network-access-point-type-code": "open"},
    ),
    "one patient by two identifiers": (
        transferred(Who((SOURCE,)), Who((DESTINATION,))).with_objects(thing("1", "1", "2", id_="other")),
        {"A.5.3.7-patient": "open"},
    ),
    "one identifier under two names": (
        transferred(Who((SOURCE,)), Who((DESTINATION,))).with_objects(thing("1", "1", "2", name="other")),
        {"A.5.3.7-patient": "open"},
    ),
    "two patients": (
        transferred(Who((SOURCE,)), Who((DESTINATION,))).with_objects(thing("1", "1", "2", name="other", id_="other")),
        {"A.5.3.7-patient": "shall"},
    ),
}


@pytest.mark.parametrize("name", READINGS)
def test_the_reading_in_favour_of_a_message_counts(name: str) -> None:
    message, expected = READINGS[name]
    assert found(message) == expected


def test_the_scheme_of_dicom_may_be_named_by_the_urn_of_its_identifier() -> None:
    assert found(PLAIN.replace(b'"DCM"', b'"urn:oid:1.2.840.10008.2.16.4"')) == {}
    assert validate(PLAIN.replace(b'"DCM"', b'"urn:oid:1.2.840.10008.2.16.4"')).section == "A.5.3.4"
    assert validate(PLAIN.replace(b'"DCM"', b'"urn:oid:1.2.840.10008.2.16.5"')).section == ""


@pytest.mark.parametrize("name", ["AuditSourceID", "UserID", "ParticipantObjectID"])
def test_blanks_alone_are_left_open(name: str) -> None:
    octets = re.sub(rb' %b="[^"]*"' % name.encode(), b' %b="  "' % name.encode(), PLAIN, count=1)
    assert found(octets) == {"A.5.2-no-empty-values": "open"}
    assert found(octets.replace(b'="  "', b'=""'))["A.5.2-no-empty-values"] == "shall"


def notes(octets: bytes) -> list[str]:
    """What is noted as hardly meant, the second time too, when a message like it is known."""
    validate(octets)
    return [each.text for each in validate(octets).findings if each.rule == "A.5.2-plausible-values"]


@pytest.mark.parametrize("time", ["2026-06-30T23:59:60Z", "2027-01-01T05:29:60.5+05:30"])
def test_leap_seconds_at_the_end_of_a_month_are_not_worth_a_note(time: str) -> None:
    assert notes(at(time)) == []


@pytest.mark.parametrize("time", ["2026-06-30T12:34:60Z", "2026-06-29T23:59:60Z", "2027-01-01T00:59:60+05:30"])
def test_seconds_that_were_rounded_up_to_60_are_noted(time: str) -> None:
    assert notes(at(time)) == ["no leap second is at that time"]
    assert validate(at(time)).conforms


def test_a_negative_number_of_instances_is_noted() -> None:
    octets = SAMPLES["instances-accessed-full"].octets
    assert notes(octets) == []
    assert notes(re.sub(rb'NumberOfInstances="[^"]*"', b'NumberOfInstances=" -3 "', octets)) != []
    assert notes(re.sub(rb'NumberOfInstances="[^"]*"', b'NumberOfInstances="-0"', octets)) == []


def test_the_end_of_a_day_is_the_begin_of_the_next() -> None:
    assert utc("2026-12-31T24:00:00.0+01:00") == datetime(2026, 12, 31, 23, tzinfo=UTC)
    assert [utc(f"2026-12-31T{each}") for each in ("24:00:01Z", "24:00:00", "24:00:00.1Z")] == [None] * 3
    assert utc("9999-12-31T24:00:00Z") is None


@pytest.mark.parametrize("given", ["codeSystemName", "displayName"])
def test_a_type_of_source_with_a_scheme_has_a_meaning_too(given: str) -> None:
    inside = f'<AuditSourceTypeCode csd-code="4" {given}="x"/></AuditSourceIdentification>'.encode()
    octets = PLAIN.replace(b' AuditSourceID="s"/>', b' AuditSourceID="s">' + inside)
    texts = [each.text for each in validate(octets).findings if each.rule == SCHEMA]
    assert "AuditSourceTypeCode has no attribute originalText, which the schema requires" in texts


def test_an_end_point_that_data_come_from_needs_a_media_identifier() -> None:
    finding = only(imported(Who((DESTINATION,), requestor=True), Who((SOURCE,), point="node")).octets)
    assert (finding.rule, finding.level) == ("A.5.3.5-media", "shall")
    assert "MediaIdentifier" in finding.remedy
