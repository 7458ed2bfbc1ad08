"""The catalogue of the audit trail answers every statement of A.5 that obliges somebody, and follows the tables."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from harness.catalogue import BUILT_IN, Requirement, load_catalogue
from reference_impl.audit.tables import conventions, messages
from reference_impl.faults.objects import faults_of_objects

CATALOGUE = load_catalogue()
ROLES = {"source": "audit-source", "repository": "audit-repository"}


def normative() -> list[dict[str, Any]]:
    table = tomllib.loads((BUILT_IN / "audit" / "normative.toml").read_text(encoding="utf-8"))
    return [each for each in table["paragraphs"] if each["section"].startswith("A.5")]


def own(role: str = "") -> list[Requirement]:
    return [
        each
        for each in CATALOGUE
        if each.role in ROLES.values() and (not role or each.role == role) and each.id.startswith("A.5")
    ]


def rows_by_rule() -> dict[str, set[tuple[str, str]]]:
    """The sections and paragraphs that every rule of the tables stands for."""
    found: dict[str, set[tuple[str, str]]] = {}
    for message in messages().values():
        for part in message.parts:
            for row in part.rows:
                for rule in row.rules:
                    found.setdefault(rule, set()).add((message.section, row.paragraph))
    return found


def cited(requirement: Requirement) -> set[tuple[str, str]]:
    return {(source.section, source.paragraph) for source in requirement.sources}


def test_the_list_of_normative_paragraphs_holds_300_records() -> None:
    paragraphs = [each for table in normative() for ids in table["binds"].values() for each in ids]
    assert len(paragraphs) == len(set(paragraphs)) == 300
    assert {table["section"] for table in normative()} >= {f"A.5.3.{number}" for number in range(1, 16)}


@pytest.mark.parametrize("side", ROLES)
def test_every_paragraph_that_binds_a_side_is_cited(side: str) -> None:
    said = {pair for each in own(ROLES[side]) for pair in cited(each)}
    binding = {
        (table["section"], each)
        for table in normative()
        for binds, ids in table["binds"].items()
        if side in binds.split("+")
        for each in ids
    }
    assert binding - said == set()


def test_no_paragraph_is_invented() -> None:
    known = {(table["section"], each) for table in normative() for ids in table["binds"].values() for each in ids}
    tabled = {pair for pairs in rows_by_rule().values() for pair in pairs}
    said = {
        (section, paragraph)
        for each in own()
        for section, paragraph in cited(each)
        if paragraph and {(section, paragraph)} - known - tabled
    }
    assert said == set()


def test_what_obliges_nobody_is_not_testable() -> None:
    nobody = {each for table in normative() for each in table["binds"].get("nobody", ())}
    for requirement in own():
        if {source.paragraph for source in requirement.sources} <= nobody:
            assert requirement.judged == "not-testable", requirement.id
            assert requirement.reason.startswith("no obligation")


def test_every_rule_of_the_tables_is_a_requirement_that_cites_its_rows() -> None:
    for rule, rows in rows_by_rule().items():
        assert rows <= cited(CATALOGUE[rule]), rule
        assert CATALOGUE[rule].role == "audit-source"


def test_every_convention_is_a_requirement_with_its_level_and_paragraphs() -> None:
    for rule, convention in conventions().items():
        requirement = CATALOGUE[rule]
        assert requirement.level == convention.level
        assert requirement.judged == "automatically"
        assert {(convention.section, each) for each in convention.paragraphs} <= cited(requirement)


def test_a_claim_of_the_transport_brings_in_what_it_says_of_the_format() -> None:
    def selected(profile: str) -> set[str]:
        found = CATALOGUE.select(profile, "2026c", "audit-source", "files")
        return {each.id for each in found if each.id.startswith("A.5")}

    everything = {each.id for each in own("audit-source")}
    assert selected("A.5") == selected("A.6") == everything
    assert selected("A.7") == {"A.5.1-schema-valid", "A.5.1-older-spelling", "A.5.1-likely-object-type"}
    assert {each.role for each in own()} == set(ROLES.values())


def test_umbrellas_reach_what_they_stand_for() -> None:
    def members(umbrella: str) -> set[str]:
        found = CATALOGUE.members_of(CATALOGUE[umbrella], "A.5", "2026c", "audit-source", "files")
        return {each.id for each in found}

    assert {"A.5.1-schema-valid", "A.5.2.5-time-zone", "A.5.2-one-requestor"} <= members("A.5-format")
    assert not any(each.startswith("A.5.3") for each in members("A.5-format"))
    for section in messages():
        assert any(each.startswith(f"{section}-") for each in members("A.5-specific-messages"))


def test_every_automatic_requirement_has_a_rule_and_a_fault() -> None:
    of_several_messages = {
        "A.5-events-claimed",
        "A.5.2-same-audit-source",
        "A.5.2.4-constant-network-access-point",
    }
    automatic = {each.id for each in own("audit-source") if each.judged == "automatically"}
    assert automatic - of_several_messages <= {*rows_by_rule(), *conventions()}
    faults = faults_of_objects("audit-source").values()
    broken = {rule for rows in faults for row in rows.values() for rule, _ in row.items()}
    assert automatic - broken == set()


def test_what_is_merely_noted_is_no_obligation() -> None:
    """Notes name a rule, too, so that it can be looked up."""
    for rule in ("A.5.1-likely-object-type", "A.5.2-plausible-values", "A.5.3.11-subject-role"):
        assert CATALOGUE[rule].judged == "not-testable"
