"""The catalogue of the audit trail answers A.6 and A.7, what they import of syslog, and the ATX options of IHE ATNA."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from harness.catalogue import BUILT_IN, Requirement, load_catalogue
from harness.claims import held_by
from reference_impl.audit.syslog.messages import Element, audit_message, parse, write
from reference_impl.audit.syslog.profiles import Profile, profile_findings
from reference_impl.faults.objects import faults_of_objects
from suites.audit.test_source_messages import by_validation
from suites.audit.test_source_syslog import by_examining

CATALOGUE = load_catalogue()
ROLES = {"source": "audit-source", "repository": "audit-repository"}
IHE = ("IHE-ATX-TLS-Syslog", "IHE-ATX-UDP-Syslog")
PROFILES: tuple[Profile, ...] = ("A.6", "A.7", "IHE-ATX-TLS-Syslog", "IHE-ATX-UDP-Syslog")
NOTED = {"RFC5424-6.2.5-source-app-name"}
"""Looked at, and told as a note alone."""
NEVER_FAILED = {"A.5-events-claimed"}
"""Judged so that what did not come stays open: nobody has to send a given message."""


def normative() -> list[dict[str, Any]]:
    table = tomllib.loads((BUILT_IN / "audit" / "normative.toml").read_text(encoding="utf-8"))
    return list(table["paragraphs"])


def own(role: str) -> list[Requirement]:
    return [each for each in CATALOGUE if each.role == role]


def test_the_list_of_normative_paragraphs_holds_a_6_and_a_7() -> None:
    sections = {"A.6": 17, "A.7": 10}
    for section, number in sections.items():
        (table,) = [each for each in normative() if each["section"] == section]
        paragraphs = [each for ids in table["binds"].values() for each in ids]
        assert len(paragraphs) == len(set(paragraphs)) == number


@pytest.mark.parametrize("side", ROLES)
@pytest.mark.parametrize("section", ["A.6", "A.7"])
def test_every_paragraph_that_binds_a_side_is_cited_and_none_is_invented(side: str, section: str) -> None:
    cited = {s.paragraph for each in own(ROLES[side]) for s in each.sources if s.section == section and s.paragraph}
    binding, known = set(), set()
    for table in normative():
        if table["section"] == section:
            for binds, ids in table["binds"].items():
                assert set(binds.split("+")) <= {*ROLES, "nobody"}
                known |= set(ids)
                if side in binds.split("+"):
                    binding |= set(ids)
    assert binding - cited == set()
    assert cited - known == set()


def test_what_is_examined_in_syslog_messages_is_catalogued_and_judged() -> None:
    message = audit_message(b"<AuditMessage/>", datetime.now(UTC), hostname="a", app_name="b")
    parsed = parse(write(replace(message, bom=True, structured_data=(Element("x@1", (("a", "1"),)),))))
    examined = set(parsed.checked)
    for profile in PROFILES:
        examined |= profile_findings(parsed, profile)[1]
    for name in examined - NOTED:
        assert CATALOGUE[name].role == "audit-source"
        assert CATALOGUE[name].judged == "automatically"
    assert set(by_examining()) == examined - NOTED
    assert len(by_validation()) > 150
    assert not set(by_validation()) & set(by_examining())


@pytest.mark.parametrize("role", ROLES.values())
def test_every_automatic_requirement_is_broken_by_a_fault(role: str) -> None:
    broken = {rule for rows in faults_of_objects(role).values() for row in rows.values() for rule, _ in row.items()}
    automatic = {each.id for each in own(role) if each.judged == "automatically"}
    assert automatic - broken - NEVER_FAILED == set()


def test_claims_are_held() -> None:
    held = held_by(CATALOGUE)
    for role in ROLES.values():
        assert {(profile, "2026c", role) for profile in ("A.5", "A.6", "A.7")} <= held
        assert {(profile, "ITI-20.0", role) for profile in IHE} <= held


def test_umbrellas_reach_what_they_stand_for() -> None:
    def members(umbrella: str, profile: str) -> set[str]:
        found = CATALOGUE.members_of(CATALOGUE[umbrella], profile, "2026c", "audit-source", "files")
        return {each.id for each in found}

    assert {"A.5.1-schema-valid", "A.5.3.12-event-id"} <= members("A.6-source-message-format", "A.6")
    assert members("A.6-source-schema", "A.6") == members("A.7-source-schema", "A.7") == {"A.5.1-schema-valid"}
    assert {"RFC5424-6-source-grammar"} < members("A.7-source-syslog-message", "A.7")
    assert members("A.6-source-syslog-over-tls", "A.6") == {
        "RFC5425-4.3-source-application-data",
        "RFC5425-4.3-source-octet-counting",
        "RFC5425-4.4-source-close-notify",
    }


def test_over_udp_nothing_of_tls_is_asked_and_over_tls_nothing_of_datagrams() -> None:
    over_tls = {each.id for each in CATALOGUE.select("A.6", "2026c", "audit-source", "syslog-tls")}
    over_udp = {each.id for each in CATALOGUE.select("A.7", "2026c", "audit-source", "syslog-udp")}
    assert not {each for each in over_tls if each.startswith(("RFC5426", "A.7"))}
    assert not {each for each in over_udp if each.startswith(("RFC5425", "A.6", "A.5.2", "A.5.3"))}


def test_the_options_of_ihe_name_the_tests_that_are_about_the_same() -> None:
    for role in ROLES.values():
        mine = [each for each in own(role) if each.id.startswith("IHE-")]
        assert mine
        for each in mine:
            assert each.see_also
            assert {of.profile for of in each.applies} <= set(IHE)
