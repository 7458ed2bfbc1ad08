"""Judgements of audit sources, from facts made by hand: what passes, what fails, what stays open."""

from __future__ import annotations

import base64

import pytest

from harness import DriverOutcome
from harness.observations import Observation
from harness.record.models import AuditRecord
from reference_impl.audit.events import events
from reference_impl.audit.syslog.model import IHE_MSGID, Element
from tests.unit.audit_source_judging import (
    DATAGRAMS,
    FILES,
    MADE,
    SECURE,
    TLS,
    UDP,
    body,
    broken,
    came,
    in_files,
    not_passed,
    nothing,
    received,
    syslog,
    verdicts,
)

LARGE_NEEDED = {"A.6-source-32768-octets": "inconclusive"}
LOGIN = body("login")


def every_event() -> list[Observation]:
    return [came(syslog(body(name)), event=name) for name in events()]


def padded(audit: bytes, size: int) -> bytes:
    """`audit` with so many instances of a study that the syslog message is larger than `size`."""
    filler = b'<Instance UID="1.2.3.4.5.6.7.8.9.10"/>' * (size // 38 + 1)
    sop_class = b'<SOPClass UID="1.2.840.10008.5.1.4.1.1.2" NumberOfInstances="1">'
    before, found, after = audit.partition(sop_class)
    if found:
        return before + found + filler + after
    at = audit.index(b"</ParticipantObjectIdentification>")
    description = b"<ParticipantObjectDescription>" + sop_class + filler + b"</SOPClass></ParticipantObjectDescription>"
    return audit[:at] + description + audit[at:]


def test_a_source_that_keeps_everything_passes() -> None:
    found = verdicts(every_event(), "A.6")
    assert not_passed(found) == LARGE_NEEDED
    assert str(found["A.5-events-claimed"].kind) == "pass"
    assert str(found["A.5.1-schema-valid"].kind) == "pass"
    assert (
        not_passed(verdicts([came(syslog(body(name)), event=name, over=DATAGRAMS) for name in events()], "A.7", UDP))
        == {}
    )
    ihe = [came(syslog(body(name), msgid=IHE_MSGID), event=name) for name in events()]
    assert set(not_passed(verdicts(ihe, "IHE-ATX-TLS-Syslog"))) == {"IHE-3.20.4.1.2-source-stored"}


@pytest.mark.parametrize(
    ("octets", "breaks"),
    [
        (syslog(LOGIN, pri=4 * 8 + 5), {"A.6-source-facility": "fail"}),
        (syslog(LOGIN, pri=10 * 8 + 2), {}),
        (syslog(LOGIN, msgid=""), {"A.6-source-msgid": "fail"}),
        (syslog(LOGIN, msgid="vendor"), {}),
        (syslog(LOGIN, bom=True), {}),
        (syslog(b"", msgid="DICOM+RFC3881"), {"A.6-source-msg-present": "fail", "A.5.1-schema-valid": "fail"}),
        (syslog(LOGIN).replace(b">1 ", b">2 ", 1), {"RFC5424-6.2.2-source-version": "fail"}),
        (syslog(LOGIN, hostname=""), {"RFC5424-6.2.4-source-hostname": "warning"}),
        (
            syslog(LOGIN).replace(b"2026-05-04T12:00:00Z", b"2026-05-04t12:00:00Z"),
            {"RFC5424-6.2.3-source-timestamp": "fail"},
        ),
        (
            syslog(LOGIN).replace(b"2026-05-04T12:00:00Z", b"2026-05-04T12:00:60Z", 1),
            {"RFC5424-6.2.3-source-no-leap-second": "fail"},
        ),
        (syslog(LOGIN + b"\n"), {"RFC5424-6.4-source-no-control-characters": "warning"}),
        (
            syslog(LOGIN).replace(b" - <", b' [x@1 a="1"][x@1 b="2"] <', 1),
            {"RFC5424-6.3.2-source-unique-sd-ids": "fail"},
        ),
        (syslog(LOGIN.replace(b"EventOutcomeIndicator", b"Outcome", 1)), {"A.5.1-schema-valid": "fail"}),
    ],
)
def test_what_is_wrong_with_a_message_fails_its_rule_alone(octets: bytes, breaks: dict[str, str]) -> None:
    found = verdicts([came(octets)], "A.6")
    seen = {name: verdict for name, verdict in broken(found).items() if not name.startswith(("A.5.2", "A.5.3"))}
    assert seen == breaks
    for name in breaks:
        assert found[name].reason
        assert found[name].remedy
        assert "message 1 (login)" in str(found[name].observed)


def test_severity_is_free_over_tls_and_4_or_5_over_udp() -> None:
    odd = [came(syslog(LOGIN, pri=82), over=DATAGRAMS)]
    assert broken(verdicts(odd, "A.7", UDP)) == {"A.7-source-severity": "warning"}
    assert broken(verdicts([came(syslog(LOGIN, pri=84), over=DATAGRAMS)], "A.7", UDP)) == {}


@pytest.mark.parametrize(
    ("changes", "rule", "verdict"),
    [
        ({"pri": 4 * 8 + 5}, "facility", "fail"),
        ({"pri": 10 * 8 + 1}, "severity", "warning"),
        ({"msgid": "DICOM+RFC3881"}, "msgid", "fail"),
        ({"bom": True}, "no-bom", "warning"),
        ({"structured_data": (Element("x@1", (("a", "1"),)),)}, "no-structured-data", "warning"),
        ({"body": b"<AuditMessage/>"}, "message-format", "fail"),
    ],
)
def test_ihe_asks_for_more(changes: dict[str, object], rule: str, verdict: str) -> None:
    octets = syslog(**{"audit": changes.pop("body", LOGIN), "msgid": IHE_MSGID} | changes)  # type: ignore[arg-type]
    found = verdicts([came(octets)], "IHE-ATX-TLS-Syslog")
    own = {name: each for name, each in broken(found).items() if name.startswith("IHE")}
    assert own == {f"IHE-3.20.4.1.2-source-{rule}": verdict}


def test_ihe_allows_the_purpose_of_use_in_the_event() -> None:
    added = b'<PurposeOfUse csd-code="1" codeSystemName="x" originalText="treatment"/></EventIdentification>'
    octets = LOGIN.replace(b"</EventIdentification>", added)
    assert broken(verdicts([came(syslog(octets, msgid=IHE_MSGID))], "IHE-ATX-TLS-Syslog")) == {}
    assert broken(verdicts([came(syslog(octets))], "A.6"))["A.5.1-schema-valid"] == "fail"


@pytest.mark.parametrize(
    ("changes", "breaks"),
    [
        ({"version": "TLSv1.1"}, {"A.6-source-tls-1.2": "warning"}),
        (
            {"framing": "no digit", "octets": base64.b64encode(b"<85>1 ").decode()},
            {"RFC5425-4.3-source-octet-counting": "fail"},
        ),
        ({"pending": 12}, {"RFC5425-4.3-source-octet-counting": "fail"}),
        ({"pending": 12, "ending": "reset"}, {}),
        ({"ending": "close"}, {"RFC5425-4.4-source-close-notify": "fail"}),
        ({"ending": "open"}, {}),
        ({"ending": ""}, {}),
    ],
)
def test_connections_are_judged(changes: dict[str, object], breaks: dict[str, str]) -> None:
    found = verdicts([came(syslog(LOGIN), over=SECURE.model_copy(update=changes))], "A.6")
    assert {name: one for name, one in broken(found).items() if not name.startswith("A.5")} == breaks


def test_an_end_by_reset_tells_nothing_and_an_open_connection_is_none() -> None:
    rule = "RFC5425-4.4-source-close-notify"
    reset = verdicts([came(syslog(LOGIN), over=SECURE.model_copy(update={"ending": "reset"}))], "A.6")
    assert str(reset[rule].kind) == "inconclusive"
    kept = verdicts([came(syslog(LOGIN), over=SECURE.model_copy(update={"ending": ""}))], "A.6")
    assert str(kept[rule].kind) == "not_applicable"


def test_a_message_in_the_clear_is_no_message_over_tls() -> None:
    plain = SECURE.model_copy(
        update={
            "version": "",
            "suite": "",
            "refused": "wrong version number",
            "octets": base64.b64encode(b"81 <85>1 ").decode(),
        }
    )
    found = verdicts([nothing("login", MADE, plain)], "A.6")
    assert broken(found) == {"A.6-source-over-tls": "fail", "RFC5425-4.3-source-application-data": "fail"}
    scan = plain.model_copy(update={"octets": base64.b64encode(b"GET / HTTP/1.1").decode()})
    assert broken(verdicts([nothing("login", MADE, scan)], "A.6")) == {}


@pytest.mark.parametrize("size", [1024, 2048])
def test_a_message_that_is_cut_fails_over_tls_and_is_left_to_the_transport_over_udp(size: int) -> None:
    whole = syslog(padded(body("instances-transferred"), 4000))
    found = verdicts([came(whole[:size], event="instances-transferred")], "A.6")
    assert broken(found) == {"A.5.1-schema-valid": "fail", "A.6-source-32768-octets": "fail"}
    both = [came(whole[:size], syslog(LOGIN), over=DATAGRAMS)]
    assert not_passed(verdicts(both, "A.7", UDP)) == {}
    alone = verdicts([came(whole[:size], over=DATAGRAMS)], "A.7", UDP)
    assert not_passed(alone) == {
        name: "inconclusive" for name in alone if name.startswith("A.5") and str(alone[name].kind) != "pass"
    }


def test_only_a_large_message_that_came_whole_shows_that_large_ones_are_supported() -> None:
    large = syslog(padded(body("instances-transferred"), 33_000))
    assert len(large) >= 32_768
    found = verdicts([came(large, event="instances-transferred")], "A.6")
    assert str(found["A.6-source-32768-octets"].kind) == "pass"


def test_datagrams_hold_one_message_each() -> None:
    rule = "RFC5426-3.1-source-one-message"
    message = syslog(LOGIN)
    framed = b"%d %b" % (len(message), message)
    for octets in (framed, message + b"\n" + message):
        assert broken(verdicts([came(octets, over=DATAGRAMS)], "A.7", UDP))[rule] == "fail"
    assert str(verdicts([came(message, over=DATAGRAMS)], "A.7", UDP)[rule].kind) == "pass"


def test_a_claimed_event_that_never_came_is_open_and_says_what_was_done() -> None:
    vain = DriverOutcome(kind="command", action="bad login", exit_status=1, output="no such user")
    found = verdicts([came(syslog(LOGIN)), nothing("login-failed", vain)], "A.6")["A.5-events-claimed"]
    assert str(found.kind) == "inconclusive"
    assert "1 of 2 claimed events never came: login-failed" in found.reason
    assert "no such user" in found.reason


def test_an_event_counts_whenever_it_is_reported() -> None:
    late = [nothing("login"), came(syslog(LOGIN), event="logout")]
    found = verdicts(late, "A.6")["A.5-events-claimed"]
    assert "1 of 2 claimed events never came: logout" in found.reason


def test_nothing_at_all_is_inconclusive_everywhere() -> None:
    for given in ([], [nothing("login")]):
        found = verdicts(given, "A.6")
        open_yet = {name for name, one in found.items() if str(one.kind) == "inconclusive"}
        assert set(found) - open_yet == {"A.6-source-nothing-lost"}


@pytest.mark.parametrize(
    "other",
    [
        b"<38>1 2026-05-04T12:00:00Z node sshd 4 - - session opened for user root",
        b"<38>1 2026-05-04T12:00:00Z node archive 4 - - an AuditMessage was sent, see RFC 3881",
        b'<14>1 2026-05-04T12:00:00Z node nxlog - - - <Event xmlns="http://example.org/events"><System/></Event>',
    ],
)
def test_messages_of_other_purposes_are_set_apart(other: bytes) -> None:
    found = verdicts([came(other, syslog(LOGIN))], "A.6")
    assert {name for name in broken(found) if not name.startswith("A.5")} == set()
    assert str(found["A.5.1-schema-valid"].kind) == "pass"
    alone = verdicts([came(other)], "A.6")["A.5.1-schema-valid"]
    assert str(alone.kind) == "inconclusive"
    assert "1 message came, and none is an audit message" in alone.reason


@pytest.mark.parametrize(
    "octets", [syslog(b"<Audit/>"), syslog(b"{}", msgid="DICOM+RFC3881"), syslog(b"<IHEYr4/>", pri=14)]
)
def test_what_is_meant_as_an_audit_message_is_judged_as_one(octets: bytes) -> None:
    assert broken(verdicts([came(octets)], "A.6"))["A.5.1-schema-valid"] == "fail"


def test_a_message_that_is_longer_than_is_taken_is_no_wrong_frame() -> None:
    rule = "RFC5425-4.3-source-octet-counting"
    long = SECURE.model_copy(update={"framing": "a message of more than 4194304 octets", "ending": "open"})
    assert str(verdicts([nothing("login", MADE, long)], "A.6")[rule].kind) == "inconclusive"
    assert str(verdicts([came(syslog(LOGIN), over=long)], "A.6")[rule].kind) == "pass"


def test_what_is_missing_is_told_with_what_helps() -> None:
    refused = SECURE.model_copy(update={"refused": "tlsv1 alert unknown ca", "ending": "open"})
    found = verdicts([nothing("login", MADE, refused)], "A.6")["A.5.1-schema-valid"]
    assert "failed: tlsv1 alert unknown ca" in found.reason
    assert "ps315 pki" in found.remedy
    unframed = SECURE.model_copy(update={"framing": "a frame begins with its length", "ending": "open"})
    found = verdicts([nothing("login", MADE, unframed)], "A.6")["A.5.1-schema-valid"]
    assert "sent no frame of RFC 5425" in found.reason
    found = verdicts([in_files()], "A.5", FILES)["A.5.1-schema-valid"]
    assert "the files hold none" in found.reason
    assert "Hand over" in found.remedy


def test_the_same_thing_in_many_messages_is_one_verdict() -> None:
    many = [syslog(LOGIN, pri=38 - 38 % 8 + number % 8) for number in range(50)]
    found = verdicts([came(*many)], "A.6")["A.6-source-facility"]
    assert isinstance(found.observed, list)
    assert len(found.observed) == 21
    assert found.observed[-1] == "and 30 more"


def test_connections_of_several_endpoints_are_told_apart() -> None:
    other = TLS.model_copy(update={"name": "other"})
    here = came(syslog(LOGIN))
    there = came(syslog(body("logout")), event="logout", over=SECURE.model_copy(update={"ending": "close"}))
    there = there.model_copy(update={"endpoint": "other"})
    found = verdicts([here, there], "A.6", TLS, other)
    assert broken(found)["RFC5425-4.4-source-close-notify"] == "fail"
    assert str(found["A.5-events-claimed"].kind) == "pass"


@pytest.mark.parametrize(
    ("messages", "claimed", "verdict"),
    [
        ((syslog(LOGIN),), True, "pass"),
        ((), True, "inconclusive"),
        ((syslog(LOGIN), syslog(LOGIN)), True, "fail"),
        ((), False, "not_applicable"),
    ],
)
def test_nothing_is_lost_or_doubled_where_that_is_claimed(
    messages: tuple[bytes, ...], claimed: bool, verdict: str
) -> None:
    endpoint = TLS.model_copy(update={"audit": AuditRecord(nothing_lost=claimed, away="report")})
    away = came(*messages, subject="away-and-back", away=True)
    found = verdicts([came(syslog(body("logout")), event="logout"), away], "A.6", endpoint)
    assert str(found["A.6-source-nothing-lost"].kind) == verdict


def test_ihe_has_messages_kept_in_any_case() -> None:
    rule = "IHE-3.20.4.1.2-source-stored"
    message = syslog(LOGIN, msgid=IHE_MSGID)
    for messages, provoked, verdict in (
        ((), 2, "inconclusive"),
        ((message,), 2, "fail"),
        ((message,), 1, "pass"),
        ((message, syslog(LOGIN, msgid=IHE_MSGID, procid="2")), 2, "pass"),
    ):
        away = came(*messages, subject="away-and-back", away=True, provoked=provoked)
        first = came(syslog(LOGIN, msgid=IHE_MSGID))
        assert str(verdicts([first, away], "IHE-ATX-TLS-Syslog")[rule].kind) == verdict


def test_files_of_xml_show_the_format_and_nothing_of_the_transport() -> None:
    found = verdicts([in_files(LOGIN, body("logout"))], "A.6", FILES)
    assert str(found["A.5.1-schema-valid"].kind) == "pass"
    assert broken(found) == {}
    for rule in ("A.6-source-over-tls", "A.6-source-facility", "RFC5424-6-source-grammar", "A.6-source-32768-octets"):
        assert str(found[rule].kind) == "inconclusive"
        assert "XML files" in found[rule].reason or "captured" in found[rule].reason
    bad = verdicts([in_files(LOGIN, b"<AuditMessage/>")], "A.5", FILES)["A.5.1-schema-valid"]
    assert str(bad.kind) == "fail"
    assert "2.xml line 1" in str(bad.observed)


def test_captured_syslog_shows_its_headers() -> None:
    found = verdicts([in_files(syslog(LOGIN, pri=38), with_header=True)], "A.7", FILES)
    assert broken(found) == {"A.7-source-facility": "fail", "A.7-source-severity": "warning"}


def test_what_a_program_that_captured_has_spoilt_is_not_held_against_the_source() -> None:
    escaped = syslog(LOGIN.replace(b"><", b">#012  <"))
    cut = syslog(padded(body("instances-transferred"), 9000))[:8192]
    for spoilt in (escaped, cut):
        beside = verdicts([in_files(spoilt, syslog(LOGIN), with_header=True)], "A.6", FILES)
        assert broken(beside) == {}
        assert str(beside["A.5.1-schema-valid"].kind) == "pass"
        alone = verdicts([in_files(spoilt, with_header=True)], "A.6", FILES)
        assert broken(alone) == {}
        assert str(alone["A.5.1-schema-valid"].kind) == "inconclusive"
    assert "#012" in verdicts([in_files(escaped, with_header=True)], "A.6", FILES)["A.5.1-schema-valid"].reason
    sent = verdicts([came(escaped)], "A.6")  # to us they came so
    assert broken(sent)["A.5.1-schema-valid"] == "fail"


def test_a_line_that_merely_mentions_messages_is_none_and_xml_in_utf_16_is_one() -> None:
    mention = b"2026-05-04 12:00:00 archive: AuditMessage was sent"
    found = verdicts([in_files(mention, LOGIN)], "A.5", FILES)
    assert broken(found) == {}
    assert str(found["A.5.1-schema-valid"].kind) == "pass"
    wide = LOGIN.decode().encode("utf-16")
    assert str(verdicts([in_files(wide)], "A.5", FILES)["A.5.1-schema-valid"].kind) == "pass"


def test_what_is_recorded_in_part_is_not_held_against_its_source() -> None:
    octets = syslog(LOGIN)
    observation = came(octets)
    assert observation.facts is not None
    cut = received(octets[:-20], length=9_000_000, truncated=True)
    observation.facts["messages"] = [cut.model_dump(mode="json")]
    found = verdicts([observation], "A.6")
    assert broken(found) == {}
