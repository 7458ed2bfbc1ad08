"""The catalogue of A.6, RFC 5425 and IHE ATNA answers every statement about TLS, for both ends, and binds no others."""

from __future__ import annotations

import tomllib
from collections import Counter
from typing import Any

import pytest

from harness.catalogue import BUILT_IN, Requirement, load_catalogue
from harness.claims import default_edition, held_by
from harness.record.models import SourceRecord
from reference_impl.transport.beside import EDITIONS
from reports.sources import source_title, source_url

CATALOGUE = load_catalogue()
ROLES = {"server": "tls-server", "client": "tls-client"}
PRE_CONNECTATHON = ("11106", "11109", "11110")


def beside(role: str = "") -> list[Requirement]:
    return [
        each
        for each in CATALOGUE
        if {of.profile for of in each.applies} & EDITIONS.keys() and (not role or each.role == role)
    ]


def normative() -> dict[str, Any]:
    return tomllib.loads((BUILT_IN / "transport" / "normative_beside.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("end", ROLES)
def test_every_statement_that_binds_an_end_has_its_requirement(end: str) -> None:
    cited = Counter((s.document, s.section, each.level) for each in beside(ROLES[end]) for s in each.sources)
    wanted = Counter(
        (table["document"], of["section"], of["level"])
        for table in normative()["statements"]
        for of in table["sections"]
        if of["binds"] in {end, "both"} and "advice" not in of
    )
    assert {key: (count, cited[key]) for key, count in wanted.items() if cited[key] < count} == {}
    assert sum(wanted.values()) > 40


def test_what_is_answered_by_advice_is_advised() -> None:
    words = tomllib.loads((BUILT_IN / "transport" / "advice.toml").read_text(encoding="utf-8"))
    named = {of["advice"] for table in normative()["statements"] for of in table["sections"] if "advice" in of}
    assert named == {each for each in words if each.startswith("rfc9662")}


@pytest.mark.parametrize("role", ROLES.values())
def test_the_paragraphs_of_a_6_about_the_transport_are_cited_and_no_others(role: str) -> None:
    (table,) = normative()["paragraphs"]
    cited = {s.paragraph for each in beside(role) for s in each.sources if s.document == "PS3.15"}
    assert cited == set(table["binds"]["both"])
    listed = [each for of in table["binds"].values() for each in of]
    assert len(listed) == len(set(listed)) == 17


@pytest.mark.parametrize("role", ROLES.values())
def test_a_syslog_endpoint_is_judged_by_a_6_and_ihe_alone(role: str) -> None:
    for each in CATALOGUE:
        for of in each.applies:
            if of.profile.startswith("B."):
                assert "syslog-tls" not in of.protocols
                assert not CATALOGUE.select(of.profile, "2026c", role, "syslog-tls")
    assert len(CATALOGUE.select("A.6", "2026c", role, "syslog-tls")) > 25
    for protocol in ("dicom-tls", "https"):
        assert CATALOGUE.select("A.6", "2026c", role, protocol) == ()
        assert CATALOGUE.select("IHE-STX-TLS-1.2-Floor", "ITI-20.0", role, protocol)


@pytest.mark.parametrize("role", ROLES.values())
def test_ihe_requirements_are_ihes_own_and_point_to_the_pre_connectathon_tests(role: str) -> None:
    ihe = [each for each in beside(role) if each.id.startswith("IHE-")]
    assert not any(each.imported for each in ihe)
    assert all(each.imported for each in beside(role) if each.id.startswith("RFC"))
    pointed = {test for test in PRE_CONNECTATHON for each in ihe for see in each.see_also if test in see}
    assert pointed == set(PRE_CONNECTATHON if role == "tls-server" else PRE_CONNECTATHON[:2])  # 11110 is for servers
    for each in ihe:
        assert each.see_also or each.level == "may", each.id


def test_mutual_authentication_points_there_too() -> None:
    for profile in ("B.12", "B.13"):
        assert any("11110" in see for see in CATALOGUE[f"{profile}-mutual-authentication-supported"].see_also)
        assert any("11106" in see for see in CATALOGUE[f"{profile}-mutual-authentication-declared"].see_also)


def test_the_technical_framework_is_cited_with_its_revision() -> None:
    source = CATALOGUE["IHE-3.19.5-server-authenticates-every-connection"].sources[0]
    record = SourceRecord(document=source.document, edition=source.edition, section=source.section)
    assert source_title(record) == "IHE ITI TF-2 20.0, Section 3.19.5"
    assert source_url(record) == ""


def test_a_claim_without_an_edition_takes_the_one_that_is_held() -> None:
    held = held_by(CATALOGUE)
    for profile, edition in EDITIONS.items():
        assert default_edition(profile) == edition
        assert {(profile, edition, role) for role in ROLES.values()} <= held
