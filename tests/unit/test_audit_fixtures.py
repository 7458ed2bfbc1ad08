"""The validator and the test material hold one another to account: valid, deviating and foreign audit messages."""

from __future__ import annotations

from pathlib import Path

import pytest

import fixtures.audit
from fixtures.audit.foreign import foreign
from fixtures.audit.generated import generated_octets
from fixtures.audit.mutants import mutants
from fixtures.audit.samples import KINDS, SAMPLES
from reference_impl.audit.findings import MessageResult
from reference_impl.audit.tables import conventions, messages
from reference_impl.audit.validator import validate


def by_level(result: MessageResult, level: str) -> frozenset[str]:
    return frozenset(each.rule for each in result.findings if each.level == level)


@pytest.mark.parametrize("name", SAMPLES)
def test_nothing_is_found_in_samples(name: str) -> None:
    result = validate(SAMPLES[name].octets, want_checked=True)
    assert result.findings == ()
    assert result.section == SAMPLES[name].section
    assert result.schema_valid
    assert {"A.5.1-schema-valid", f"{result.section}-event-id", "A.5.2.5-time-zone"} <= result.checked


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_found_in_generated_messages(kind: str) -> None:
    for octets in generated_octets(77, 30, kind=kind):
        assert validate(octets).findings == ()


@pytest.mark.parametrize("name", mutants())
def test_of_a_deviation_exactly_that_is_found(name: str) -> None:
    mutant = mutants()[name]
    result = validate(mutant.octets)
    assert {level: by_level(result, level) for level in mutant.rules} == dict(mutant.rules)
    assert result.conforms == mutant.conforms
    assert mutant.octets != SAMPLES[mutant.base].octets


def test_deviations_reach_every_message_and_most_conventions() -> None:
    broken = {rule for each in mutants().values() for rules in each.rules.values() for rule in rules}
    assert all(any(rule.startswith(f"{section}-") for rule in broken) for section in messages())
    assert (
        not {rule for rule in conventions() if rule.startswith("A.5.2-")}
        - broken
        - {
            "A.5.2-event-id",  # an event without a code is none of the messages: nothing can be made of a sample
            "A.5.2-participant-object-id",
            "A.5.2-participant-object-id-type-code",
        }
    )


@pytest.mark.parametrize("name", foreign())
def test_shapes_of_other_projects_are_named_and_judged(name: str) -> None:
    message = foreign()[name]
    result = validate(message.octets)
    assert by_level(result, "shall") == message.shall
    assert by_level(result, "should") == message.should
    assert result.section == message.section
    assert bool(result.forms) == bool(message.form)
    assert not message.form or any(form.startswith(message.form) for form in result.forms)


def test_every_foreign_message_is_in_the_table() -> None:
    folder = Path(fixtures.audit.__file__).parent / "foreign"
    assert {each.stem for each in folder.iterdir()} == set(foreign())
