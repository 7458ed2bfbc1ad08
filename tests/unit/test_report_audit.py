"""The report on audit trails: messages that came and what is found in them, connections, deliveries."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.pki import Pki
from harness.observations.audit import AuditMessages
from harness.record.models import RunRecord
from reports import render
from reports.audit import MOST_MESSAGES, MessageEntry, Trail, trail_of
from reports.facts import Endpoint, endpoints_of
from reports.html import MAXIMUM_OCTETS
from tests.unit.reports_audit_material import (
    HEADER,
    SCRIPT,
    captured,
    deliveries,
    hostile_everywhere,
    many_messages,
    message,
    steps,
    with_trails,
)
from tests.unit.reports_material import realistic
from tests.unit.reports_signatures_material import event

EMPTY = dict.fromkeys(("reachability", "versions", "suites", "groups", "schemes", "second_opinion"))
CITED = {"audit-0007": "fail", "audit-0001": "warning"}


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


@pytest.fixture(scope="module")
def record(pki: Pki) -> RunRecord:
    return with_trails(realistic(pki))


@pytest.fixture(scope="module")
def text(record: RunRecord, tmp_path_factory: pytest.TempPathFactory) -> str:
    return render(record, tmp_path_factory.mktemp("report")).read_text(encoding="utf-8")


def trail(**fields: object) -> Trail:
    values = {"name": "trail", **EMPTY, "chains": (), "chains_left_out": 0, **fields}
    told = trail_of(Endpoint(**values), CITED)  # type: ignore[arg-type]
    assert told is not None
    return told


def only(octets: bytes, **fields: object) -> MessageEntry:
    (entry,) = trail(received=(AuditMessages(messages=(message(octets, **fields),)),)).messages
    return entry


def test_an_endpoint_without_audit_has_no_part(pki: Pki) -> None:
    assert [trail_of(at, {}) for at in endpoints_of(realistic(pki))] == [None, None]


def test_messages_are_told_worst_first_with_what_was_found() -> None:
    told = trail(received=steps())
    assert [(each.name, each.word.label) for each in told.messages] == [
        ("Message 3", "does not conform"),
        ("Message 5", "does not conform"),
        ("Message 4", "cannot be judged"),
        ("Message 6", "cannot be judged"),
        ("Message 1", "conforms"),
        ("Message 2", "another purpose"),
    ]
    assert told.says == ("6 messages: 2 do not conform, 2 cannot be judged, 1 conforms, 1 has another purpose.")
    assert told.messages_left_out == 3
    first = told.messages[0]
    assert first.text == "A.5.3.10 Query"
    assert [each.rule for each in first.findings] == ["A.6-source-facility", "A.5.2-one-requestor"]
    assert first.findings[1].place.startswith("/AuditMessage/ActiveParticipant[2]/@UserIsRequestor")
    assert first.findings[1].expected and first.findings[1].found and first.findings[1].remedy
    assert told.messages[-1].findings == ()
    assert dict(first.header)["PRI"] == "165: facility 20, severity 5"
    assert "from [2001:db8::7]:40000" in first.meta


def test_a_message_that_is_recorded_in_part_is_not_judged() -> None:
    entry = only(HEADER + b"<AuditMessage>", length=90_000, truncated=True)
    assert entry.word.label == "cannot be judged"
    assert entry.findings == ()
    assert "recorded in part" in entry.meta
    assert entry.cut == 90_000 - len(HEADER + b"<AuditMessage>")


def test_what_promises_an_audit_message_and_holds_none_does_not_conform() -> None:
    assert only(HEADER + b"hello").word.label == "does not conform"
    assert only(b"<34>1 - - sshd - - - hello").word.label == "another purpose"
    assert only(b"<34>Mar 14 09:26:53 host app: hello").word.label == "another purpose"
    assert only(b"<30>1 - - app - - - <metrics up='1'/>").word.label == "another purpose"
    assert only(b"<86>1 - - app - - - <metrics up='1'/>").word.label == "does not conform"


def test_older_forms_are_named() -> None:
    entry = only(b"<85>Mar 14 09:26:53 host app: <AuditMessage><EventIdentification><EventID code='1'/></EventIdentification></AuditMessage>")  # fmt: skip  # noqa: E501
    assert entry.forms[0] == "RFC 3164"
    assert entry.forms[1].startswith("RFC 3881")


def test_captured_files_have_names_and_lines() -> None:
    told = trail(received=(captured(),))
    assert [each.name for each in told.messages] == [f"captured/{SCRIPT}.xml, line 7", "captured/login.xml"]
    assert told.messages[0].header == ()
    assert told.unreadable == ("captured/tls.pcap: TLS, which cannot be read",)
    assert [each.name for each in told.steps] == ["captured"]
    assert told.connections == ()


def test_steps_say_what_was_done() -> None:
    told = trail(received=steps()).steps
    assert [(each.name, each.came) for each in told] == [
        ("login", "2 messages, none of which reports it"),  # but a log-out
        ("query", "2 messages"),
        ("export", "0 messages"),
        ("away-and-back", "2 messages, and 3 more that are not recorded"),
    ]
    assert told[2].done == "Its driver did not end in time."
    assert told[3].done == "Nobody listened meanwhile."
    away = AuditMessages(event="login", away=True, provoked=2, messages=(message(HEADER + b"<AuditMessage/>"),))
    (row,) = trail(received=(away,)).steps
    assert row.done == "Nobody listened meanwhile. It was brought about 2 times."
    assert row.came == "1 message, which does not report it"


def test_connections_are_told_once_with_all_their_messages() -> None:
    told = {each.number: each for each in trail(received=steps()).connections}
    assert told[1].messages == 3
    assert told[1].kind == "warning"
    assert told[1].secured == "TLSv1.3 TLS_AES_256_GCM_SHA384"
    assert (told[2].certificate, told[2].ended) == ("none", "reset")
    assert told[2].problem == "17 octets of an unfinished frame"
    assert told[3].problem == "handshake failed: tlsv1 alert unknown ca"
    assert told[3].secured == "no TLS was agreed on"


def test_deliveries_are_told_with_what_is_otherwise_first() -> None:
    told = trail(delivered=deliveries())
    assert [each.name for each in told.deliveries if each.kind or each.striking] == [
        "size/32768",
        "nodes/20",
        "framing/off-by-one",
        "udp/plain",
    ]
    assert told.deliveries[0].kind == "fail"
    rows = {each.name: each for each in told.deliveries}
    assert rows["nodes/20"].arrived == "19 whole, 1 not there"
    assert rows["size/1048576"].wanted == "keeps it whole or its beginning"
    assert "did not answer close_notify" in rows["size/1048576"].way
    assert (rows["time/leap-second"].wanted, rows["time/leap-second"].arrived) == ("should: keeps it whole", "not sent")
    assert rows["asked"].told_by == "Confirmed by Ann."
    assert told.says == ""


def test_the_part_is_in_the_report_and_in_its_contents(text: str) -> None:
    assert 'href="#audit-trail"' in text
    assert 'id="audit-trail"' in text
    for words in (
        "somebody logs in",
        "A.5.2-one-requestor",
        "Delivery size/32768",
        "cannot be read",
        "syslog over UDP",
    ):
        assert words in text


def test_text_from_a_device_is_text(text: str) -> None:
    assert SCRIPT not in text
    assert "&lt;script&gt;" in text
    assert "\u202e" not in text
    assert "U+202E" in text


def test_scripts_in_every_field_are_text(record: RunRecord, tmp_path: Path) -> None:
    came, delivered = hostile_everywhere()
    more = (event("audit.messages", "x", came, "trail"), event("audit.delivered", "x", delivered, "repository"))
    text = render(record.model_copy(update={"observations": (*record.observations, *more)}), tmp_path).read_text(
        "utf-8"
    )
    assert "<script>document" not in text
    assert text.count("&lt;script&gt;document") > 25
    assert not set(text) & {"\u202e", "\x1b"}


def test_very_many_messages_stay_within_the_size_of_a_report(record: RunRecord, tmp_path: Path) -> None:
    crowded = record.model_copy(update={"observations": (*record.observations, many_messages(3000))})
    text = render(crowded, tmp_path).read_text(encoding="utf-8")
    assert len(text.encode()) <= MAXIMUM_OCTETS
    assert text.count('class="signed message"') <= MOST_MESSAGES + 2
    assert "more messages: not shown here" in text
