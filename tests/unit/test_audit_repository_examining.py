"""What the audit repository keeps of a message beside its octets: by what it is found, and how it came."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from fixtures.audit.samples import SAMPLES
from reference_impl.audit.model import ActiveParticipant
from reference_impl.audit.repository.examining import _is_clean, examine, examine_chunk, facts_from, unexamined
from reference_impl.audit.repository.facts import KINDS, MARKS, Facts, clean, microseconds
from reference_impl.audit.writing import to_xml
from tests.unit.repository_bench import NOW, syslog

FULL = SAMPLES["user-authentication-full"]


def _examined(body: bytes, arrived: int = NOW) -> Facts:
    return examine(syslog(body, "host.example.org"), arrived, "tls", "192.0.2.1")


@pytest.mark.parametrize("name", list(SAMPLES))
def test_every_sample_is_found_by_what_it_names(name: str) -> None:
    message = SAMPLES[name].message
    facts = _examined(SAMPLES[name].octets)
    terms = set(facts.terms)
    assert {kind for kind, _ in terms} <= set(KINDS)
    assert {("event", message.event.id.code), ("node", message.source.id), ("host", "host.example.org")} <= terms
    assert {("user", each.user_id) for each in message.participants} <= terms
    assert {("patient", each.id) for each in message.patients} <= terms
    assert {("study", each) for each in message.studies} <= terms
    assert (facts.shall, facts.marks) == (0, ())


def test_each_ae_title_is_found() -> None:
    person = ActiveParticipant("p", alternative_user_id="AETITLES= ONE;TWO three")
    facts = _examined(to_xml(replace(FULL.message, participants=(person,))))
    assert {("user-name", "ONE"), ("user-name", "TWO three"), ("user-name", "AETITLES= ONE;TWO three")} <= set(
        facts.terms
    )


@pytest.mark.parametrize(
    ("written", "marks", "told"),
    [
        ("2026-03-01T12:00:00Z", (), True),
        ("2026-03-01T12:00:00+02:00", (), True),
        ("2016-12-31T23:59:60Z", (), True),
        ("2026-03-01T12:00:00", ("no-time",), False),
        ("", ("no-time",), False),
        ("0001-01-01T00:00:00Z", ("no-time",), False),
        ("9999-12-31T23:59:59Z", ("future",), True),
        ("9999-12-31T23:59:59-14:00", ("no-time",), False),
    ],
)
def test_times_are_believed_where_they_can_be(written: str, marks: tuple[str, ...], told: bool) -> None:
    arrived = microseconds(datetime(2026, 4, 1, tzinfo=UTC))
    event = replace(FULL.message.event, date_time=written)
    facts = _examined(to_xml(replace(FULL.message, event=event)), arrived)
    assert facts.marks == marks
    assert (facts.event_time is not None) is told


def test_a_day_ahead_is_the_end_of_belief() -> None:
    for hours, marks in ((23, ()), (25, ("future",))):
        at = datetime.now(UTC) + timedelta(hours=hours)
        event = replace(FULL.message.event, date_time=at.isoformat())
        assert _examined(to_xml(replace(FULL.message, event=event)), microseconds(datetime.now(UTC))).marks == marks


def test_more_values_than_are_indexed_are_cut_and_marked() -> None:
    people = tuple(ActiveParticipant(f"user-{number}") for number in range(5000))
    facts = _examined(to_xml(replace(FULL.message, participants=people)))
    assert "many-values" in facts.marks
    assert len(facts.terms) < 450
    assert ("node", FULL.message.source.id) in facts.terms
    assert len(facts.users) <= 256


def test_findings_are_kept_by_rule_and_level() -> None:
    facts = _examined(FULL.octets.replace(b' EventDateTime="', b' EventDateTime="x'))
    assert facts.shall > 0
    assert ("level", "shall") in facts.terms
    assert any(kind == "rule" for kind, _ in facts.terms)


@given(st.binary(max_size=300))
@examples(max_examples=200, derandomize=True, deadline=None)
def test_no_octets_break_it(octets: bytes) -> None:
    for given_octets in (octets, b"<85>1 - h a - m - " + octets, b"<85>1 - h a - m - <AuditMessage " + octets):
        for facts in (examine(given_octets, NOW, "udp", "p"), unexamined(given_octets, "udp", "p")):
            assert set(facts.marks) <= set(MARKS)
            assert ("node", facts.node) in facts.terms
            assert len(set(facts.terms)) == len(facts.terms)
            for _, value in facts.terms:
                value.encode()
                assert "\0" not in value


def test_facts_go_between_processes_unchanged() -> None:
    messages = [(syslog(sample.octets), NOW, "tls", "192.0.2.1") for sample in SAMPLES.values()]
    messages.append((b"\xff\x00", NOW, "udp", "p"))
    assert facts_from(examine_chunk(messages)) == [examine(*each) for each in messages]


@given(
    st.lists(
        st.one_of(st.text(max_size=8), st.sampled_from(["\0", "\ud800", "\udfff", "ü", "山田", "x" * 256, "x" * 257])),
        max_size=6,
    )
)
@examples(max_examples=400, derandomize=True, deadline=None)
def test_what_is_said_to_be_clean_together_is_clean_one_by_one(values: list[str]) -> None:
    if _is_clean(values):
        assert [clean(each) for each in values] == values
    if all(each.isascii() and each.isprintable() and len(each) <= 256 for each in values):
        assert _is_clean(values)
