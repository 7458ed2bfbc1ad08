"""Audit messages as values: writing and reading are inverse, reading is safe, builders refuse what no table allows."""

from __future__ import annotations

import contextlib
import string
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from fixtures.audit import actors as a
from fixtures.audit.generated import generated, generated_octets, of_size
from fixtures.audit.samples import KINDS, SAMPLES
from reference_impl.audit import builders as build
from reference_impl.audit import codes, parts
from reference_impl.audit.limits import Limits
from reference_impl.audit.model import AuditMessage, AuditSource, Code, EventIdentification, utc
from reference_impl.audit.occasions import Occasion, moment
from reference_impl.audit.parsing import UnreadableMessageError, parse_xml, read
from reference_impl.audit.parts import Party
from reference_impl.audit.writing import to_xml

NOW = Occasion(when=a.WHEN, source=a.SOURCE)
SECTIONS = {f"A.5.3.{number}" for number in range(1, 16)}


# -- samples and generated messages ------------------------------------------------------------------------------------


def test_there_are_samples_of_every_kind_minimal_and_full() -> None:
    assert {each.section for each in SAMPLES.values()} == SECTIONS
    assert {f"{kind}-{variant}" for kind in KINDS for variant in ("minimal", "full")} <= set(SAMPLES)


@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_written_reads_the_same(name: str) -> None:
    sample = SAMPLES[name]
    assert read(sample.octets) == sample.message
    assert to_xml(read(sample.octets)) == sample.octets


def test_test_material_says_what_it_is() -> None:
    for octets in (*(each.octets for each in SAMPLES.values()), *generated_octets(5, 60)):
        message = read(octets)
        assert all(each.id.startswith(a.MARK) for each in message.patients)
        assert message.source.id.startswith(a.MARK)


def test_generated_messages_read_the_same_are_repeatable_and_of_every_kind_and_size() -> None:
    made = list(generated(3, 300))
    assert made[:45] == list(generated(3, 45))
    assert {each.event.id.code for each in made} == set(codes.groups()[400].codes)
    written = [to_xml(each) for each in made]
    assert [read(each) for each in written] == made
    assert min(map(len, written)) < 800
    assert max(map(len, written)) > 100_000
    planes = {ord(character) >> 16 for each in written for character in each.decode()}
    assert {0, 1, 2, 3, 14, 15, 16} <= planes


@pytest.mark.parametrize("octets", [2000, 2048, 32_768, 65_537])
def test_messages_of_an_exact_size(octets: int) -> None:
    assert len(to_xml(of_size(octets))) == octets


def test_a_message_cannot_be_arbitrarily_small() -> None:
    with pytest.raises(ValueError, match="no message of 100 octets"):
        of_size(100)


# -- writing -----------------------------------------------------------------------------------------------------------


def test_elements_and_attributes_stand_in_the_order_of_the_schema() -> None:
    root = etree.fromstring(SAMPLES["instances-transferred-full"].octets)
    names = [each.tag for each in root]
    order = [
        "EventIdentification",
        "ActiveParticipant",
        "AuditSourceIdentification",
        "ParticipantObjectIdentification",
    ]
    assert names == sorted(names, key=lambda name: order.index(str(name)))
    event = root[0]
    assert list(event.attrib) == ["EventActionCode", "EventDateTime", "EventOutcomeIndicator"]


def test_a_declaration_is_written_where_wanted() -> None:
    message = SAMPLES["query-minimal"].message
    assert to_xml(message).startswith(b"<AuditMessage>")
    assert to_xml(message, declaration=True).startswith(b"<?xml version='1.0' encoding='UTF-8'?>\n<AuditMessage>")


def test_nothing_empty_is_written() -> None:
    for octets in generated_octets(9, 150):
        for element in etree.fromstring(octets).iter():
            assert all(value.strip() for value in element.attrib.values())
            assert len(element) or element.attrib or (element.text or "").strip()


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_any_text_comes_back(text: str) -> None:
    event = EventIdentification(codes.dcm("110100"), "2026-01-01T00:00:00Z", "0", outcome_description=text)
    message = replace(SAMPLES["query-minimal"].message, event=event)
    written = to_xml(message)
    try:
        assert read(written) == message
    except UnreadableMessageError:
        assert any(character in text for character in "\ufffe\uffff")


# -- reading -----------------------------------------------------------------------------------------------------------

BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE AuditMessage [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<AuditMessage>&b;</AuditMessage>"""
EXTERNAL = b"""<!-- a comment
--><!DOCTYPE AuditMessage SYSTEM "file:///etc/passwd" [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<AuditMessage>&x;</AuditMessage>"""


@pytest.mark.parametrize(
    ("octets", "words", "line"),
    [
        (b"", "empty", None),
        (b"\0", "empty", 1),
        (b"no XML", "Start tag", 1),
        (b"<AuditMessage>\n\n<a>", "Premature end", 3),
        (b"<AuditMessage>\n\xff</AuditMessage>", "Invalid bytes|not proper UTF-8", 2),
        (b"<AuditMessage>\0</AuditMessage>", ".", 1),
        (b"<AuditMessage/><AuditMessage/>", "Extra content", 1),
        (b"<AuditMessage a='1' a='2'/>", "redefined", 1),
        (b"<?xml version='1.0' encoding='x-none'?><AuditMessage/>", "encoding", 1),
        (BOMB, "document type", 2),
        (EXTERNAL, "document type", 2),
        (BOMB.decode().replace("?>", " encoding='utf-16'?>", 1).encode("utf-16"), "document type", 1),
        (b"<AuditMessage>" * 40 + b"</AuditMessage>" * 40, "more than 32 deep", 1),
        (b"<a>" * 100_000, "depth", 1),
    ],
    ids=lambda value: None if isinstance(value, bytes) else str(value),
)
def test_what_is_not_read_is_refused_with_its_line(octets: bytes, words: str, line: int | None) -> None:
    with pytest.raises(UnreadableMessageError, match=words) as refused:
        parse_xml(octets)
    assert line is None or refused.value.line == line
    assert refused.value.text.isprintable()


def test_a_document_type_within_a_text_is_no_document_type() -> None:
    root = parse_xml(b"<?a <!DOCTYPE ?><!-- <!DOCTYPE --><AuditMessage><![CDATA[<!DOCTYPE a>]]></AuditMessage>")
    assert root.text == "<!DOCTYPE a>"


def test_limits_are_kept() -> None:
    octets = SAMPLES["query-minimal"].octets
    assert read(octets, Limits(octets=len(octets)))
    with pytest.raises(UnreadableMessageError, match="more than"):
        read(octets, Limits(octets=len(octets) - 1))
    many = b"<a %b/>" % b" ".join(b'a%d=""' % number for number in range(8))
    assert len(parse_xml(many, Limits(attributes=8)).attrib) == 8
    with pytest.raises(UnreadableMessageError, match="more than 7 attributes"):
        parse_xml(many, Limits(attributes=7))
    parse_xml(b"<a><b/><b/></a>", Limits(elements=3))
    with pytest.raises(UnreadableMessageError, match="more than 2 elements") as refused:
        parse_xml(b"<a><b/><b/></a>", Limits(elements=2))
    assert refused.value.too_large
    parse_xml(b"<a><b><c/></b></a>", Limits(depth=3))
    with pytest.raises(UnreadableMessageError, match="deep"):
        parse_xml(b"<a>\n<b><c/></b></a>", Limits(depth=2))


def test_another_root_is_no_message() -> None:
    with pytest.raises(UnreadableMessageError, match="not AuditMessage"):
        read(b"<AuditEvent/>")


def test_a_message_that_lacks_everything_reads_as_one() -> None:
    message = read(b"<AuditMessage><EventIdentification/><ActiveParticipant/></AuditMessage>")
    assert message.event.date_time == ""
    assert message.event.at is None
    assert len(message.participants) == 1
    assert message.objects == ()


def test_older_codes_and_other_namespaces_are_read() -> None:
    message = read(b"<AuditMessage xmlns='urn:x'><EventIdentification><EventID code='110114'/></EventIdentification></AuditMessage>")  # fmt: skip  # noqa: E501
    assert message.event.id.code == "110114"


def test_base64_that_is_none_stands_as_it_came() -> None:
    octets = SAMPLES["query-minimal"].octets.replace(b"<ParticipantObjectQuery>", b"<ParticipantObjectQuery>*")
    query = read(octets).objects[0].query
    assert query is not None
    assert query.startswith(b"*")


@settings(max_examples=300)
@given(st.binary(max_size=200) | st.text(string.printable + "<>&\"'/=", max_size=200).map(str.encode))
def test_reading_raises_nothing_else(octets: bytes) -> None:
    for each in (octets, b"<AuditMessage>" + octets + b"</AuditMessage>"):
        with contextlib.suppress(UnreadableMessageError):
            assert isinstance(read(each), AuditMessage)


# -- times, patients, studies ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-14T09:26:53.589Z", datetime(2026, 3, 14, 9, 26, 53, 589000, UTC)),
        ("2026-03-14T09:26:53+05:30", datetime(2026, 3, 14, 3, 56, 53, 0, UTC)),
        ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, 999999, UTC)),
        ("2016-12-31T23:59:60.25+00:00", datetime(2016, 12, 31, 23, 59, 59, 999999, UTC)),
        ("2026-03-14T09:26:53", None),
        ("2026-03-14", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_times_in_utc(text: str, expected: datetime | None) -> None:
    assert utc(text) == expected


def test_times_are_written_with_their_zone() -> None:
    assert moment(a.WHEN) == "2026-03-14T09:26:53.589Z"
    assert moment(a.WHEN.astimezone(timezone(timedelta(hours=-3)))) == "2026-03-14T06:26:53.589-03:00"
    odd = timezone(timedelta(hours=1, seconds=7))
    assert moment(a.WHEN.astimezone(odd)) == "2026-03-14T09:26:53.589Z"
    far = timezone(timedelta(hours=15))
    assert moment(a.WHEN.astimezone(far)) == "2026-03-14T09:26:53.589Z"


def test_patients_and_studies_of_a_message() -> None:
    message = SAMPLES["instances-accessed-full"].message
    assert [each.id for each in message.patients] == ["PS315-TEST-P2"]
    assert message.studies == (f"{a.ROOT}.1", f"{a.ROOT}.2")


# -- builders ----------------------------------------------------------------------------------------------------------


def of(builder: Callable[..., AuditMessage], **arguments: Any) -> Callable[[], AuditMessage]:
    return lambda: builder(NOW, **arguments)


BOTH = {"person": a.PERSON, "process": a.REQUESTING_PROCESS}
NOBODY = {"person": None, "process": None}
ABOUT = {"patient": a.PATIENT, "studies": (a.STUDY,)}
DISC = parts.physical_medium("CD 1", parts.media_type("110032"))
TO_NODE = parts.network_medium("node", parts.machine("node.example.org"))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (of(build.audit_log_used, log="file:///log", **BOTH), "at most one"),
        (of(build.audit_log_used, log="file:///log", **NOBODY), "name the person"),
        (of(build.audit_log_used, log=" ", person=a.PERSON, process=None), "is empty"),
        (of(build.application_activity, activity="pause", application=a.PROCESS), "'pause'"),
        (of(build.begin_transferring, sender=a.PERSON, receiver=a.PERSON, **ABOUT), "at most one"),
        (of(build.begin_transferring, sender=a.PROCESS, receiver=a.REMOTE, patient=a.PATIENT, studies=()), "one study"),
        (of(build.begin_transferring, sender=a.PROCESS, receiver=a.REMOTE, patient=a.STUDY, studies=()), "one study"),
        (
            of(build.begin_transferring, sender=a.PROCESS, receiver=a.REMOTE, patient=a.STUDY, studies=(a.STUDY,)),
            r"parts\.patient",
        ),
        (
            of(build.begin_transferring, sender=a.PROCESS, receiver=a.REMOTE, patient=a.PATIENT, studies=(a.PATIENT,)),
            r"parts\.study",
        ),
        (of(build.data_export, media=DISC, patients=(a.PATIENT,), **NOBODY), "name the person"),
        (of(build.data_export, media=DISC, patients=(), person=a.PERSON, process=None), "one patient"),
        (of(build.data_export, media=DISC, patients=(a.PATIENT,), person=None, process=a.PROCESS), "exactly one"),
        (of(build.data_export, media=DISC, patients=(a.PATIENT,), **BOTH), "exactly one"),
        (of(build.data_import, importers=(), media=DISC, patients=(a.PATIENT,)), "at least one user"),
        (of(build.data_import, importers=(a.PROCESS,), media=DISC, patients=(a.PATIENT,)), "exactly one"),
        (of(build.data_import, importers=(a.PERSON,), media=TO_NODE, patients=(a.PATIENT,)), "media type"),
        (of(build.instances_accessed, action="E", person=a.PERSON, process=None, **ABOUT), "'E'"),
        (of(build.instances_accessed, action="", person=a.PERSON, process=None, **ABOUT), "the action"),
        (of(build.instances_transferred, action="D", sender=a.PROCESS, receiver=a.REMOTE, **ABOUT), "'D'"),
        (of(build.network_entry, entry="attach", node=a.PERSON), "no requestor"),
        (of(build.query, issuer=a.REMOTE, responder=a.PROCESS, queried=a.STUDY), r"parts\.dicom_query"),
        (of(build.security_alert, alert="110100", **NOBODY), "CID 403"),
        (of(build.security_alert, alert="110126", **NOBODY), "name the person"),
        (
            of(build.security_alert, alert="110126", person=None, process=a.PROCESS, performers=(a.PERSON,)),
            "no requestor",
        ),
        (
            of(build.security_alert, alert="110126", person=None, process=a.PROCESS, subjects=(a.STUDY,)),
            "alert description",
        ),
        (of(build.user_authentication, attempt="login", person=a.PERSON), "network access point"),
        (of(build.order_record, action="C", patient=a.PATIENT, **NOBODY), "name the person"),
        (of(build.patient_record, action="X", person=a.PERSON, process=None, patient=a.PATIENT), "'X'"),
        (of(build.procedure_record, action="C", person=a.PERSON, process=None, patient=a.STUDY), r"parts\.patient"),
        (of(build.query, issuer=a.REMOTE, responder=a.PROCESS, queried=a.QUERIED_STUDY, types=(Code("1"),)), "empty"),
    ],
)
def test_builders_refuse_impossible_messages(make: Callable[[], AuditMessage], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Occasion(when=datetime(2026, 1, 1), source=a.SOURCE), "time zone"),
        (lambda: Occasion(when=a.WHEN, source=a.SOURCE, outcome="1"), "EventOutcomeIndicator"),  # type: ignore[arg-type]
        (lambda: Occasion(when=a.WHEN, source=a.SOURCE, description="\0"), "XML cannot carry"),
        (lambda: parts.audit_source(""), "AuditSourceID is empty"),
        (lambda: parts.audit_source("x", types=("10",)), "A.5.1.2.1"),
        (lambda: parts.audit_source("x", types=(Code("7", "99X", ""),)), "originalText"),
        (lambda: Party(""), "UserID is empty"),
        (lambda: Party("\t \n"), "UserID is empty"),
        (lambda: Party("\ud800"), "XML cannot carry"),
        (lambda: Party("a", name="\x07"), "XML cannot carry"),
        (lambda: Party("a", alternative_id="b", ae_titles=("C",)), "not both"),
        (lambda: Party("a", ae_titles=("",)), "AE title"),
        (lambda: Party("a", ae_titles=("Ä",)), "AE title"),
        (lambda: Party("a", ae_titles=("  ",)), "AE title"),
        (lambda: Party("a", alternative_id="AE TITLES: A;B"), "A.5.2.2"),
        (lambda: Party("a", alternative_id="A;B"), "A.5.2.2"),
        (lambda: Party("a", roles=(Code("no code", "DCM", "x"),)), "code of DCM"),
        (lambda: Party("a", ae_titles=("A;B",)), "AE title"),
        (lambda: Party("a", ae_titles=("A" * 17,)), "AE title"),
        (lambda: Party("a", roles=(Code("1", "", "x"),)), "codeSystemName"),
        (lambda: parts.address("localhost"), "does not appear"),
        (lambda: parts.machine(""), "is empty"),
        (lambda: parts.AccessPoint("a", "6"), "A.5.1.2.5"),  # type: ignore[arg-type]
        (lambda: parts.media_type("110100"), "CID 405"),
        (lambda: parts.Medium("physical", "x"), "media type"),
        (lambda: parts.Medium("network", "x"), "access point"),
        (lambda: parts.patient("", "x"), "Patient ID is empty"),
        (lambda: parts.patient("x", ""), "Patient's Name is empty"),
        (lambda: parts.patient("x", "y", life_cycle="16"), "A.5.1.2.3"),
        (lambda: parts.patient("x", "y", life_cycle="05"), "A.5.1.2.3"),
        (lambda: parts.study("1.2.3"), "either a name or a query"),
        (lambda: parts.study("1.2.3", name="x", query=b"x"), "either a name or a query"),
        (lambda: parts.study("1.2.03", name="x"), "is no UID"),
        (lambda: parts.study("1." + "2" * 64, name="x"), "is no UID"),
        (lambda: parts.study("1.2.3", name="x", accessions=("A",)), "SOP Classes"),
        (lambda: parts.study("1.2.3", name="x", encrypted=False), "SOP Classes"),
        (lambda: parts.instances("1.2", 1, ("1.3", "1.4")), "2 SOP Instance UIDs of 1"),
        (lambda: parts.instances("1.2", -1), "instances"),
        (lambda: parts.dicom_query("1.2.3", b"", "1.2.4"), "is empty"),
        (lambda: parts.dicom_query("x", b"a", "1.2.4"), "is no UID"),
        (lambda: parts.other_query("x", codes.dcm("110181"), b"a"), "dicom_query"),
        (lambda: parts.dicom_query("1.2.3", b"a", "1.2.840.10008.5"), "no transfer syntax"),
        (lambda: parts.alert_subject("urn:x", kind="uri", name="x", description=""), "is empty"),
        (lambda: parts.alert_subject("x", kind="uri", name="x", description="y"), "is no URI"),
        (lambda: parts.alert_subject("x", kind="node", name="x", description="y"), "names no node"),
        (lambda: parts.physical_medium("x", parts.media_type("110031")), "no physical medium"),
        (lambda: Occasion(when=a.WHEN, source=AuditSource("")), "AuditSourceID is empty"),
        (lambda: Occasion(when=a.WHEN, source=AuditSource("x", types=(Code("10"),))), "A.5.1.2.1"),
        (lambda: moment(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=20)))), "outside the years"),
    ],
)
def test_parts_refuse_what_no_message_may_hold(make: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_builders_say_what_their_tables_demand() -> None:
    message = SAMPLES["export-full"].message
    roles = [[role.code for role in each.roles] for each in message.participants]
    assert roles[:2] == [["110152"], ["110152"]]
    assert [each[0] for each in roles[2:]] == ["110153", "110153", "110154"]
    assert [each.is_requestor for each in message.participants] == [False, False, True, False, False]
    assert message.participants[3].alternative_user_id == "AETITLES= PS315ARC;PS315QR"
    assert message.event.action == "R"
    details = SAMPLES["query-minimal"].message.objects[0].details
    assert [(each.type, each.value) for each in details] == [("TransferSyntax", b"1.2.840.10008.1.2.1")]


# -- codes -------------------------------------------------------------------------------------------------------------


def test_codes_are_those_that_pydicom_has_of_the_same_groups() -> None:
    """A second transcription of PS3.16; 110156 came later, and CID 406 is not in it."""
    from pydicom.sr.codedict import Collection
    from pydicom.sr.coding import Code as PydicomCode

    for cid, group in codes.groups().items():
        if not group.complete:
            continue
        theirs = {each.value: each.meaning for each in Collection(f"CID{cid}").concepts.values()}
        assert all(isinstance(each, PydicomCode) for each in Collection(f"CID{cid}").concepts.values())
        assert {code: text for code, text in group.codes.items() if code != "110156"} == theirs


def test_value_sets_are_complete_and_those_of_the_schema() -> None:
    sets = codes.value_sets()
    assert list(sets["participant-object-role"].values) == [str(each) for each in range(1, 27)]
    assert list(sets["participant-object-life-cycle"].values) == [str(each) for each in range(1, 16)]
    assert list(sets["network-access-point-type"].values) == ["1", "2", "3", "4", "5"]
    assert list(sets["event-outcome"].values) == ["0", "4", "8", "12"]
    assert sets["participant-object-role"].likely_types["3"] == ("2",)
    assert sets["participant-object-id-type"].likely_types["6"] == ("1", "3")
    assert codes.id_type("2") == Code("2", "RFC-3881", "Patient Number")
    with pytest.raises(KeyError):
        codes.dcm("110999")
