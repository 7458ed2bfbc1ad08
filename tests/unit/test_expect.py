"""What `expect` says, records and raises."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness
from harness import Deviation, Missing, NotApplicable, ReactionKind, expect, verifies
from harness.judging.expect import plain, recording
from harness.judging.verifies import verified_by


def test_a_deviation_keeps_expected_observed_remedy_and_evidence() -> None:
    with pytest.raises(Deviation) as raised:
        expect(0x0301, evidence=("dimse-0007", "", "dimse-0007"), what="version", show=hex).to_be_one_of(
            (0x0303, 0x0304), remedy="Enable TLS 1.2."
        )
    deviation = raised.value
    assert deviation.expected == ("0x303", "0x304")
    assert deviation.observed == "0x301"
    assert deviation.remedy == "Enable TLS 1.2."
    assert deviation.evidence == ("dimse-0007",)
    assert str(deviation) == "version: expected 0x303 or 0x304, observed 0x301"


def test_met_expectations_are_recorded_for_the_verdict() -> None:
    with recording() as ledger:
        expect(2048, evidence="dimse-0001", what="key length").to_be_at_least(2048)
        expect([]).to_be_empty()
        expect({"tls": 1}).to_contain("tls")
        expect(True).to_hold(len("ab") > 1, expected="more than one")
        expect("server").to_be("server")
    assert [one.met for one in ledger] == [True] * 5
    assert ledger[0].what == "key length"
    assert ledger[0].expected == ("at least 2048",)
    assert ledger[0].observed == 2048
    assert ledger[0].evidence == ("dimse-0001",)


@pytest.mark.parametrize(
    ("call", "expected", "observed"),
    [
        (lambda: expect(False).to_be(True), ("yes",), False),
        (lambda: expect(1024).to_be_at_least(2048), ("at least 2048",), 1024),
        (lambda: expect({4, 3}).to_be_empty(describe=lambda code: f"#{code}"), ("none",), ["#3", "#4"]),
        (lambda: expect((1, 2)).to_contain((2, 3)), ("2", "3"), [1, 2]),
        (lambda: expect(None).to_be_one_of(["a"]), ("a",), None),
        (lambda: expect(7).to_hold(False, expected=["an alert", "a close"]), ("an alert", "a close"), 7),
    ],
)
def test_every_expectation_can_fail(call: object, expected: tuple[str, ...], observed: object) -> None:
    assert callable(call)
    with recording() as ledger, pytest.raises(Deviation) as raised:
        call()
    assert raised.value.expected == expected
    assert raised.value.observed == observed
    assert [one.met for one in ledger] == [False]


@pytest.mark.parametrize(
    "call",
    [
        lambda: expect(None).to_be_at_least(1),  # what is unknown is missing, not small
        lambda: expect(True).to_be_at_least(1),
        lambda: expect(None).to_be_empty(),
        lambda: expect("text").to_be_empty(),
        lambda: expect(1).to_hold(None, expected="known"),  # type: ignore[arg-type]
        lambda: bool(expect(1)),
    ],
)
def test_misuse_is_a_type_error_not_a_failure_of_the_sut(call: object) -> None:
    assert callable(call)
    with pytest.raises(TypeError):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: expect(1).to_be_one_of([]),
        lambda: expect([1]).to_contain([]),
        lambda: expect(1).to_hold(True, expected=""),
    ],
)
def test_an_expectation_of_nothing_is_refused(call: object) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=r"nothing|words"):
        call()


def test_outside_of_a_judgement_nothing_is_recorded() -> None:
    with recording() as ledger:
        pass
    expect(1).to_be(1)
    assert ledger == []


_JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.datetimes(timezones=st.just(UTC)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
)


@given(_JSON_LIKE)
def test_what_was_observed_is_json(value: object) -> None:
    import json

    assert json.loads(json.dumps(plain(value))) == plain(value)


def test_plain_values_of_models_and_sets() -> None:
    assert plain(frozenset({3, 1})) == [1, 3]
    assert plain({ReactionKind.ALERT: harness.Reaction(kind=ReactionKind.CLOSE).kind}) == {"alert": "close"}
    assert plain(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00+00:00"


def test_verifies_carries_ids_and_stacks() -> None:
    @verifies("A-1")
    @verifies("A-2", "A-3")
    def judgement() -> None: ...

    assert verified_by(judgement) == ("A-1", "A-2", "A-3")
    assert verified_by(print) == ()
    with pytest.raises(TypeError, match="verifies"):
        verifies()


def test_outcomes_say_what_and_why() -> None:
    assert Missing("no answer", "Open the port.", "dimse-0001").evidence == ("dimse-0001",)
    assert NotApplicable("TLS 1.3 is refused", ("a", "a")).evidence == ("a",)


def test_every_export_for_vendors_resolves() -> None:
    for name in harness.__all__:
        assert getattr(harness, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = harness.nothing
