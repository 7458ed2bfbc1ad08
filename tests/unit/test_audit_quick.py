"""The short ways of validation say nothing but what the long way says."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest

from fixtures.audit.generated import generated_octets
from reference_impl.audit.limits import Limits
from reference_impl.audit.parsing import UnreadableMessageError, parse_xml
from reference_impl.audit.quick import fingerprint, is_plain
from reference_impl.audit.schema import follows_schema
from reference_impl.audit.skeletons import split
from reference_impl.audit.validator import examine, validate

VALUE = re.compile(rb'([A-Za-z-]+)="([^"]*)"')
ODD = (
    b"",
    b" ",
    b"\t",
    b"true",
    b"1",
    b"2",
    b"110153",
    b"110180",
    b"12",
    b"DCM",
    b"DICOM",
    b"AETITLES=A;;B",
    b"AE1;AE2;AE3",
    b"AETITLE: A;B",
    b"1.2.03",
    b"1.2.840.10008.1.2.1",
    b"2026-02-30T10:00:00Z",
    b"2026-02-03T10:00:60Z",
    b"2026-02-03T10:00:00",
    b"300.1.1.1",
    b"::1",
    b"MS4yLg=",
    b"ICAgICAg",
    b"TransferSyntax",
    b"Alert Description",
    b"\xc2\xa0",
    b"\xef\xbf\xbe",
    b"\xff",
    b"a<b",
    b"a&amp;b",
    b"&#32;",
    b"99999999999999999999999999",
    b"-1",
)


def the_long_way(octets: bytes) -> tuple[object, ...] | None:
    try:
        root = parse_xml(octets, Limits())
    except UnreadableMessageError:
        return None
    result = examine(root, valid=follows_schema(root))
    return result.findings, result.section, result.event, result.schema_valid, result.forms


def the_usual_way(octets: bytes) -> tuple[object, ...] | None:
    result = validate(octets)
    if result.schema_valid is None:
        return None
    return result.findings, result.section, result.event, result.schema_valid, result.forms


def altered(octets: bytes, chance: random.Random) -> Iterator[bytes]:
    """Messages that differ from one in a value, an attribute, an element or an octet."""
    found = list(VALUE.finditer(octets))
    for _ in range(12):
        one = chance.choice(found)
        yield octets[: one.start(2)] + chance.choice(ODD) + octets[one.end(2) :]
    other = chance.choice(found)
    yield octets[: other.start()] + octets[other.end() :]
    yield octets.replace(b'"', b"'")
    encoding = chance.choice((b"utf-8", b"us-ascii", b"UTF-16", b"latin-1"))
    yield b'<?xml version="1.0" encoding="%s"?>' % encoding + octets
    yield octets.replace(b"><", b">\n  <")
    text = chance.choice((b"<!-- x -->", b"<![CDATA[]]>", b"<?x y?>", b' UserID="x"', b"\xc2\xa0", b"]]>", b" "))
    at = chance.choice([each.end() for each in re.finditer(b">", octets)][:-1])
    yield octets[:at] + text + octets[at:]
    names = [each.end() for each in re.finditer(b"<ParticipantObjectName>", octets)]
    for at in names[:1]:
        yield octets[:at] + text + octets[at:]
        yield re.sub(b"<ParticipantObjectName>[^<]*<", b"<ParticipantObjectName><", octets, count=1)
    place = chance.randrange(len(octets))
    yield octets[:place] + bytes([chance.randrange(256)]) + octets[place + 1 :]


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_both_ways_agree_about_messages_and_about_what_was_made_of_them(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    compared = 0
    for octets in generated_octets(seed, 60, size="small"):
        for _ in range(4):  # so that it is known by its fingerprint, and by its skeleton
            assert the_usual_way(octets) == the_long_way(octets)
        for each in altered(octets, chance):
            assert the_usual_way(each) == the_long_way(each), each
            compared += 1
    assert compared > 60 * 16


def test_a_message_like_a_known_one_takes_the_shortest_way(monkeypatch: pytest.MonkeyPatch) -> None:
    template = next(generated_octets(3, 1, kind="patient-record", size="small"))
    octets = template.replace(b"&", b"+") if b"&" not in template else SIMPLE
    for _ in range(4):
        validate(octets)
    monkeypatch.setattr("reference_impl.audit.validator.parse_xml", lambda *_: pytest.fail("it is parsed"))
    later = re.sub(rb'EventDateTime="[^"]*"', b'EventDateTime="2031-07-08T09:10:11Z"', octets)
    other = re.sub(rb'UserID="[^"]*"', 'UserID="jürgen@example.org"'.encode(), later, count=1)
    assert validate(other).schema_valid
    assert validate(other).findings == ()


SIMPLE = (
    b'<AuditMessage><EventIdentification EventActionCode="E" EventDateTime="2026-01-02T03:04:05Z" '
    b'EventOutcomeIndicator="0">'
    b'<EventID csd-code="110108" codeSystemName="DCM" originalText="Network Entry"/>'
    b'<EventTypeCode csd-code="110124" codeSystemName="DCM" originalText="Attach"/></EventIdentification>'
    b'<ActiveParticipant UserID="node" UserIsRequestor="false"/><AuditSourceIdentification AuditSourceID="node"/>'
    b"</AuditMessage>"
)


@pytest.mark.parametrize(
    "octets",
    [
        SIMPLE.decode().encode("utf-16"),
        b"<!DOCTYPE AuditMessage>" + SIMPLE,
        b'<?xml version="1.0" encoding="iso-8859-1"?>' + SIMPLE,
        SIMPLE.replace(b"node", b"a&#x20;b"),
        SIMPLE.replace(b'UserID="node"', b'UserID = "node"'),
        SIMPLE.replace(b"AuditMessage>", b"x:AuditMessage>"),
    ],
)
def test_what_is_not_plain_takes_the_long_way(octets: bytes) -> None:
    assert split(octets) is None or not is_plain(octets) or b" = " in octets


def test_a_fingerprint_keeps_what_decides_and_leaves_out_what_does_not() -> None:
    def of(octets: bytes) -> object:
        return fingerprint(parse_xml(octets))

    assert of(SIMPLE) == of(SIMPLE.replace(b"node", b"other").replace(b"03:04:05Z", b"03:04:06.5+01:00"))
    assert of(SIMPLE) != of(SIMPLE.replace(b'"false"', b'"true"'))
    assert of(SIMPLE) != of(SIMPLE.replace(b"110124", b"110125"))
    assert of(SIMPLE.replace(b"03:04:05Z", b"03:04:05")) is None


def test_a_text_in_another_place_is_another_message() -> None:
    named = b"<ParticipantObjectName>Test^Patient</ParticipantObjectName>"
    patient = (
        b'<ParticipantObjectIdentification ParticipantObjectID="7" ParticipantObjectTypeCode="1" '
        b'ParticipantObjectTypeCodeRole="1"><ParticipantObjectIDTypeCode csd-code="2" codeSystemName="RFC-3881" '
        b'originalText="Patient Number"/>' + named + b"</ParticipantObjectIdentification>"
    )
    octets = SIMPLE.replace(b"</AuditMessage>", patient + b"</AuditMessage>")
    for _ in range(4):
        assert validate(octets).findings == ()
    moved = octets.replace(named, b"<ParticipantObjectName></ParticipantObjectName>Test^Patient")
    assert {each.rule for each in validate(moved).findings} == {"A.5.1-schema-valid", "A.5.2-no-empty-values"}


def test_what_is_free_in_one_message_may_not_be_in_another_with_its_skeleton() -> None:
    entry = SIMPLE.replace(b"</AuditMessage>", FURTHER + b"</AuditMessage>")
    log = entry.replace(b'"110108"', b'"110101"').replace(b"Network Entry", b"Audit Log Used").replace(b'="E"', b'="R"')
    log = log.replace(b'csd-code="10"', b'csd-code="12"').replace(b"Search Criteria", b"URI")
    log = log.replace(b">name<", b">Security Audit Log<")
    for each in (entry, entry, entry, entry, log, log, log, log):
        assert validate(each).findings == ()
    spoilt = log.replace(b"Security Audit Log", b"another log")
    assert {each.rule for each in validate(spoilt).findings} == {"A.5.3.2-audit-log-name"}


@pytest.mark.parametrize("name", [b"Security Audit Log", b" Security  Audit Log ", b"security audit log", b"a", b"b"])
def test_of_the_names_of_uris_that_of_the_audit_log_decides(name: bytes) -> None:
    entry = SIMPLE.replace(b"</AuditMessage>", FURTHER + b"</AuditMessage>")
    entry = entry.replace(b'csd-code="10"', b'csd-code="12"').replace(b"Search Criteria", b"URI")
    log = entry.replace(b'"110108"', b'"110101"').replace(b"Network Entry", b"Audit Log Used").replace(b'="E"', b'="R"')
    for each in (b"Security Audit Log", b"other", b"another", name, b"Security Audit Log", name):
        for kind in (entry, log):
            octets = kind.replace(b">name<", b">%b<" % each)
            assert the_usual_way(octets) == the_long_way(octets)


def test_messages_are_alike_whatever_their_uris_are_called() -> None:
    entry = SIMPLE.replace(b"</AuditMessage>", FURTHER + b"</AuditMessage>")
    entry = entry.replace(b'csd-code="10"', b'csd-code="12"').replace(b"Search Criteria", b"URI")

    def of(name: bytes) -> object:
        return fingerprint(parse_xml(entry.replace(b">name<", b">%b<" % name)))

    assert of(b"alert 1") == of(b"alert 2") != of(b"Security Audit Log")


FURTHER = (
    b'<ParticipantObjectIdentification ParticipantObjectID="https://node.example.org/" ParticipantObjectTypeCode="2" '
    b'ParticipantObjectTypeCodeRole="13"><ParticipantObjectIDTypeCode csd-code="10" codeSystemName="RFC-3881" '
    b'originalText="Search Criteria"/><ParticipantObjectName>name</ParticipantObjectName>'
    b"</ParticipantObjectIdentification>"
)
