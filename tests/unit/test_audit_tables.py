"""The tables of A.5.3 against a second transcription (`audit_tables.csv`), which was made by hand."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from lxml import etree

from reference_impl.audit.codes import groups, value_sets
from reference_impl.audit.schema import GRAMMAR
from reference_impl.audit.shapes import shapes
from reference_impl.audit.tables import MessageTable, Part, Row, by_event, conventions, edition, messages


def transcribed() -> list[dict[str, str]]:
    lines = Path(__file__).with_name("audit_tables.csv").read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def said(row: Row | None) -> str:
    """What a row wants, as the transcription writes it."""
    if row is None:
        return ""
    return "|".join([f"CID{each}" for each in row.groups] or [*row.values, *row.codes])


def cardinality(part: Part) -> str:
    most = "N" if part.most is None else str(part.most)
    return str(part.least) if str(part.least) == most else f"{part.least}..{most}"


def told(message: MessageTable) -> dict[str, str]:
    event = message.part("event")
    people = [each for each in message.parts if each.element == "ActiveParticipant"]
    things = [each for each in message.parts if each.element == "ParticipantObjectIdentification"]
    rows = [row for part in message.parts for row in part.rows]
    types = event.row("EventTypeCode")
    fields = ("ParticipantObjectTypeCode", "ParticipantObjectTypeCodeRole", "ParticipantObjectIDTypeCode")
    return {
        "section": message.section.removeprefix("A.5.3."),
        "event": message.event,
        "actions": said(event.row("EventActionCode")).replace("|", " "),
        "types": said(types).replace("|", " ") if types is not None and types.optionality == "M" else "",
        "participants": " ".join(f"{cardinality(each)}:{said(each.row('RoleIDCode'))}" for each in people),
        "objects": " ".join(
            f"{cardinality(each)}:{'/'.join(said(each.row(field)) for field in fields)}" for each in things
        ),
        "mandatory": str(sum(row.optionality == "M" for row in rows)),
        "conditional": str(sum(row.optionality in {"MC", "C"} for row in rows)),
    }


def test_both_transcriptions_say_the_same() -> None:
    assert [told(message) for message in messages().values()] == transcribed()


def test_events_are_those_of_their_context_group() -> None:
    assert set(by_event()) == set(groups()[400].codes)
    assert edition() == "2026c"
    names = {message.name.removeprefix("Data ") for message in messages().values()}
    assert names == set(groups()[400].codes.values())


def test_every_row_with_a_condition_says_it_and_no_other_does() -> None:
    for message in messages().values():
        for part in message.parts:
            for row in part.rows:
                assert bool(row.condition) == (row.optionality == "MC"), (message.section, part.name, row.field)
                assert bool(row.values or row.codes or row.groups) == (row.kind not in {"text", "general"})


def test_conventions_name_fields_of_the_schema() -> None:
    known = {name for shape in shapes().values() for name in (shape.name, *shape.attributes)}
    for convention in conventions().values():
        assert set(convention.fields) <= known
        assert convention.level in {"shall", "should"}


def test_value_sets_of_the_schema_are_those_of_the_tables() -> None:
    grammar = etree.parse(GRAMMAR)
    name = "{http://relaxng.org/ns/structure/1.0}"
    defined = {
        str(each.get("name")): {str(value.text) for value in each.iter(f"{name}value")}
        for each in grammar.iter(f"{name}define")
    }
    sets = value_sets()
    assert defined["object-role"] == set(sets["participant-object-role"].values)
    assert defined["life-cycle"] == {str(number) for number in range(1, 16)}
    assert defined["access-point-type"] == {"1", "2", "3", "4", "5"}
    assert defined["action"] == set("CRUDE")


@pytest.mark.parametrize("section", ["A.5.3.16", ""])
def test_there_is_no_other_message(section: str) -> None:
    assert section not in messages()
    with pytest.raises(KeyError):
        messages()["A.5.3.9"].part("patient")
