"""Rulings of the validator: what is read in favour of a message, what is left open, and what hostile octets come to.

That every rule is broken by its deviation is held in `test_audit_fixtures.py` and by the kill matrix.
"""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from fixtures.audit.samples import SAMPLES
from reference_impl.audit.limits import Limits
from reference_impl.audit.rules.collecting import shortened
from reference_impl.audit.validator import validate
from tests.unit.audit_made import (
    APPLICATION,
    CD,
    DESTINATION,
    EXPORTER,
    FROM_MEDIA,
    PATIENT,
    SOURCE,
    TO_MEDIA,
    Message,
    Who,
    code,
    export,
    found,
    imported,
    thing,
    transferred,
)

CONFORMING = {
    "an end point takes the place of media": export(EXPORTER, Who((DESTINATION,), point="node")),
    "an application takes the place of media": export(EXPORTER, Who((APPLICATION,), point="clip")),
    "the media the data come from are told, too": export(EXPORTER, CD, Who((FROM_MEDIA,), media="110032")),
    "the exporting process has media of its own": export(
        Who((SOURCE,), requestor=True, media="110032"), Who((DESTINATION,), point="node")
    ),
    "the remote user asked": export(Who((SOURCE,)), CD, Who((DESTINATION,), requestor=True)),
    "a bystander": export(EXPORTER, CD, Who()),
    "media with a role of its own": imported(
        Who((DESTINATION,), requestor=True), Who((APPLICATION,), media="110031", point="mail")
    ),
    "several sources and destinations": transferred(
        Who((SOURCE,)), Who((SOURCE,)), Who((DESTINATION,)), Who((DESTINATION,)), Who(requestor=True)
    ),
    "one process is both ends": transferred(Who((SOURCE, DESTINATION))),
    "from media to an application": transferred(Who((FROM_MEDIA,), media="110032"), Who((APPLICATION,))),
    "applications at both ends": transferred(Who((APPLICATION,)), Who((APPLICATION,))),
    "a launcher that is an application": Message(
        "110100", "E", [Who((APPLICATION,)), Who((APPLICATION, "110151"))], (), code("EventTypeCode", "110120")
    ),
    "a bystander of a start": Message("110100", "E", [Who((APPLICATION,)), Who()], (), code("EventTypeCode", "110120")),
    "a node and who undocked it": Message(
        "110108", "E", [Who(requestor=True), Who()], (), code("EventTypeCode", "110124")
    ),
    "further objects": Message("110109", "U", [Who()], (thing("1", "6", "11"), PATIENT, thing("2", "20", "9"))),
    "a procedure without an action": Message("110111", "C", [Who()], (PATIENT,)),
    "a query of another protocol": Message(
        "110112",
        "E",
        [Who((SOURCE,)), Who((DESTINATION,))],
        (
            thing("2", "3", "10", name="n")
            .replace("<ParticipantObjectName>n</ParticipantObjectName>", "")
            .replace(
                "</ParticipantObjectI", "<ParticipantObjectQuery>QQ==</ParticipantObjectQuery></ParticipantObjectI"
            ),
        ),
    ),
    "an alert about a patient": Message(
        "110113", "E", [Who(requestor=True)], (PATIENT,), code("EventTypeCode", "110126")
    ),
    "a study as it was received": transferred(Who((SOURCE,)), Who((DESTINATION,))),
}


@pytest.mark.parametrize("name", CONFORMING)
def test_what_can_be_read_as_conforming_is(name: str) -> None:
    assert found(CONFORMING[name]) == {}


OPEN = {
    "A.5.3.1-application": Message(
        "110100", "E", [Who((APPLICATION,)), Who((APPLICATION,))], (), code("EventTypeCode", "110120")
    ),
    "A.5.3.1-event-type-code": Message("110100", "E", [Who((APPLICATION,))], (), code("EventTypeCode", "110123")),
    "A.5.3.4-exporter": export(EXPORTER, CD, Who((SOURCE,)), Who((SOURCE,))),
    "A.5.3.4-media-role-id-code": export(EXPORTER, Who(("990001",), media="110032")),
    "A.5.3-participants": Message("110109", "R", [Who(), Who(), Who()], (PATIENT,)),
    "A.5.3.7-destination": transferred(Who((SOURCE,)), Who(("990001",))),
    "A.5.3.13-patient": Message("110109", "R", [Who()], (PATIENT, thing("1", "1", "5"))),
    "A.5.2-codes-of-dcm": Message("990001", "E", [Who()]),
    "A.5.3.12-user-network-access-point": Message(
        "110114", "E", [Who(requestor=True), Who(point="node")], (), code("EventTypeCode", "110122")
    ),
}


@pytest.mark.parametrize("rule", OPEN)
def test_what_cannot_be_told_is_left_open(rule: str) -> None:
    assert found(OPEN[rule]) == {rule: "open"}


BROKEN = {
    "A.5.3.1-launcher": Message(
        "110100", "E", [Who((APPLICATION,)), Who(requestor=True)], (), code("EventTypeCode", "110120")
    ),
    "A.5.3.4-remote": export(Who((SOURCE,)), CD, Who(requestor=True)),
    "A.5.3.4-exporter": export(Who(requestor=True), CD),
    "A.5.3.4-media": export(EXPORTER, CD, CD),
    "A.5.3.4-media-network-access-point-type-code": export(EXPORTER, Who((TO_MEDIA,), media="110037")),
    "A.5.3.4-media-role-id-code": export(EXPORTER, Who(media="110032")),
    "A.5.3.5-source": imported(Who((DESTINATION,)), Who((FROM_MEDIA,), media="110032"), Who(requestor=True)),
    "A.5.3.5-importer": imported(Who((SOURCE,), requestor=True), Who((FROM_MEDIA,), media="110032")),
    "A.5.3.5-source-network-access-point-id": imported(
        Who((DESTINATION,), requestor=True),
        Who((FROM_MEDIA,), media="110032"),
        Who((SOURCE,), more=' NetworkAccessPointTypeCode="1"'),
    ),
    "A.5.3.7-source": transferred(Who((DESTINATION,)), Who()),
    "A.5.3.7-destination": transferred(Who((SOURCE,)), Who((SOURCE,))),
    "A.5.3.6-study": Message("110103", "R", [Who()], (PATIENT, thing("2", "3", "9"))),
    "A.5.3.15-study": Message("110111", "R", [Who()], (PATIENT, thing("2", "3", "110180", system="DCM", id_="no uid"))),
    "A.5.3.9-event-type-code": Message("110108", "E", [Who()], (), code("EventTypeCode", "110122")),
    "A.5.3.13-event-id": Message("110109", "R", [Who()], (PATIENT,)),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_what_no_reading_allows_breaks_exactly_its_rule(rule: str) -> None:
    octets = BROKEN[rule].octets
    if rule.endswith("event-id"):
        octets = octets.replace(b'"110109" codeSystemName="DCM"', b'"110109" codeSystemName="DICOM"')
    assert found(octets) == {rule: "shall"}


def test_a_code_of_another_scheme_is_another_event() -> None:
    octets = SAMPLES["query-minimal"].octets.replace(
        b'codeSystemName="DCM" originalText="Query"', b'codeSystemName="99X" originalText="y"'
    )
    result = validate(octets)
    assert result.section == ""
    assert result.event == "110112"


@pytest.mark.parametrize("value", ["2016-12-31T23:59:60Z", "2017-01-01T08:59:60.5+09:00"])
def test_leap_seconds_are_times(value: str) -> None:
    octets = re.sub(rb'EventDateTime="[^"]*"', f'EventDateTime="{value}"'.encode(), SAMPLES["query-minimal"].octets)
    assert validate(octets).findings == ()
    assert validate(octets).schema_valid


def test_findings_say_where_and_what() -> None:
    octets = SAMPLES["begin-transferring-full"].octets.replace(b"><", b">\n<").replace(b'"110152"', b'"110159"')
    result = validate(octets, want_checked=True)
    (finding,) = [each for each in result.findings if each.level == "shall"]
    assert finding.rule == "A.5.3.3-destination"
    assert finding.place == "/AuditMessage"
    assert finding.expected
    assert finding.remedy
    assert finding.rule in result.checked
    (note,) = [each for each in result.findings if each.rule == "A.5.2-codes-of-dcm"]
    assert re.fullmatch(r"/AuditMessage/ActiveParticipant\[2\]/RoleIDCode(\[1\])?/@csd-code", note.place)
    assert octets.splitlines()[note.line - 1].startswith(b"<RoleIDCode")


def test_rules_that_have_nothing_to_tell_are_not_checked() -> None:
    message = Message("110110", "R", [Who()], (PATIENT,))
    checked = validate(message.octets, want_checked=True).checked
    assert "A.5.3.14-patient" in checked
    assert not {"A.5.2-sop-class", "A.5.2.7-media-type", "A.5.3.1-application", "A.5.2.2-ae-titles"} & checked
    assert validate(message.octets).checked == frozenset()


HOSTILE = {
    "nothing": b"",
    "blanks": b" \n",
    "no XML": b"\x00\x01\x02",
    "half a tag": b"<AuditMessage",
    "a bomb": b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><AuditMessage>&c;</AuditMessage>',
    "an external entity": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><AuditMessage>&x;</AuditMessage>',
    "very deep": b"<a>" * 5000,
    "very deep and whole": b"<AuditMessage>" + b"<a>" * 200 + b"</a>" * 200 + b"</AuditMessage>",
    "another encoding": b'<?xml version="1.0" encoding="x-unheard-of"?><AuditMessage/>',
    "another root": b'<script xmlns="urn:x">alert(1)</script>',
    "prefixes": b'<x:AuditMessage xmlns:x="urn:x"><x:EventIdentification x:EventDateTime="1"/></x:AuditMessage>',
    "an empty root": b"<AuditMessage/>",
    "processing instructions": b"<AuditMessage><?a b?><!-- c --></AuditMessage>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_octets_are_findings_and_no_errors(name: str) -> None:
    result = validate(HOSTILE[name], want_checked=True)
    assert not result.conforms
    assert "A.5.1-schema-valid" in {each.rule for each in result.findings}
    assert all(len(each.found) <= 200 and each.text.isprintable() for each in result.findings)


def test_findings_are_bounded_in_number_and_length() -> None:
    participant = '<ActiveParticipant UserID="" UserIsRequestor="maybe" Odd="' + "x" * 5000 + '\u202e"/>'
    octets = Message("110109", "R").octets.replace(b"<AuditSource", participant.encode() * 500 + b"<AuditSource", 1)
    result = validate(octets, limits=Limits(findings=30))
    assert len(result.findings) == 30
    assert max(len(each.found) for each in result.findings) <= 200
    assert {each.rule for each in result.findings} >= {"A.5.1-schema-valid", "A.5.2-no-empty-values"}
    assert not any("\u202e" in each.found for each in result.findings)


def test_what_is_too_large_is_told_and_not_parsed() -> None:
    result = validate(SAMPLES["query-minimal"].octets, limits=Limits(octets=100))
    assert result.schema_valid is None
    assert [each.level for each in result.findings] == ["open"]


def test_what_is_wrong_very_often_takes_no_longer_than_it_is_long() -> None:
    """libxml2 would take minutes: its time grows with the square of the number of wrong siblings."""
    wrong = b'<ActiveParticipant UserID="" UserIsRequestor=""/>' * 60_000
    octets = SAMPLES["query-minimal"].octets.replace(b"<AuditSourceI", wrong + b"<AuditSourceI", 1)
    result = validate(octets)
    assert result.schema_valid is False
    assert {"A.5.1-schema-valid", "A.5.2-no-empty-values"} <= {each.rule for each in result.findings}


@pytest.mark.parametrize(("value", "shown"), [("a\nb", "a\\x0ab"), ("\u202ex", "\\u202ex"), ("y" * 300, None)])
def test_values_are_shown_short_and_printable(value: str, shown: str | None) -> None:
    assert shown is None or shortened(value, 200) == shown
    assert len(shortened(value, 200)) <= 200


TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300) | TEXTS.map(str.encode))
def test_no_octets_raise(octets: bytes) -> None:
    assert validate(octets).findings
    validate(SAMPLES["query-full"].octets.replace(b"DCM", octets))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_arrangement_of_known_elements_raises(data: st.DataObject) -> None:
    names = ("EventIdentification", "ActiveParticipant", "RoleIDCode", "MediaIdentifier", "ParticipantObjectQuery")
    pieces = data.draw(st.lists(st.sampled_from([*names, *(each.replace("I", "i") for each in names)]), max_size=12))
    inner = "".join(f'<{each} csd-code="{data.draw(st.sampled_from(("110106", "", "x")))}">' for each in pieces)
    inner += "".join(f"</{each}>" for each in reversed(pieces))
    result = validate(f"<AuditMessage>{inner}</AuditMessage>".encode(), want_checked=True)
    assert result.schema_valid is False


def test_a_description_of_an_alert_has_to_say_something() -> None:
    octets = SAMPLES["security-alert-full"].octets
    blank = base64.b64encode(b"   ")
    spoilt = re.sub(
        rb'type="Alert Description" value="[^"]*"', b'type="Alert Description" value="' + blank + b'"', octets
    )
    assert found(spoilt) == {"A.5.3.11-alert-description": "shall"}


@pytest.mark.parametrize(
    ("old", "new", "place", "word"),
    [
        (
            b"<AuditMessage>",
            b'<AuditMessage xmlns:x="urn:x" x:y="1">',
            "/AuditMessage/@*[local-name()='y']",
            "no attrib",
        ),
        (b"</EventIdent", b"<PurposeOfUse/></EventIdent", "/AuditMessage/EventIdentification/PurposeOfUse", "IHE"),
        (b"</EventIdent", b"<MediaType/></EventIdent", "/AuditMessage/EventIdentification/MediaType", "elsewhere"),
        (b"</EventIdent", b"text</EventIdent", "/AuditMessage/EventIdentification", "holds text"),
        (b' originalText="n"', b"", "/AuditMessage/EventIdentification/EventID", "requires"),
    ],
)
def test_the_schema_is_explained_where_it_is_not_followed(old: bytes, new: bytes, place: str, word: str) -> None:
    octets = Message("110109", "R", [Who()], (PATIENT,)).octets.replace(b"as PS3.16 has it", b"n")
    result = validate(octets.replace(old, new, 1))
    (finding,) = [each for each in result.findings if each.rule == "A.5.1-schema-valid"][:1]
    assert finding.place == place
    assert word in finding.text


@pytest.mark.parametrize("octets", [each.octets for each in SAMPLES.values()], ids=list(SAMPLES))
def test_places_lead_to_what_is_meant(octets: bytes) -> None:
    spoilt = octets.replace(b'UserIsRequestor="', b'UserIsRequestor="x').replace(b'csd-code="', b'csd-code="" odd="')
    root = etree.fromstring(spoilt)
    findings = validate(spoilt).findings
    assert findings
    for each in findings:
        assert root.getroottree().xpath(each.place), each.place
