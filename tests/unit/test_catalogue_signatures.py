"""The catalogue of digital signatures answers every statement of A.2 to A.4, C.1 to C.4 and PS3.3 C.12.1.1.3."""

from __future__ import annotations

import tomllib
from collections import Counter
from typing import Any

import pytest

from fixtures.signatures.cases import SIGNED_CASES
from harness.catalogue import BUILT_IN, Requirement, load_catalogue
from harness.claims import default_edition, held_by
from reference_impl.signatures.profiles import PROFILES
from suites.signatures.test_verifier import judged_by_answers, rule_of

CATALOGUE = load_catalogue()
ROLES = {"creator": "signature-creator", "verifier": "signature-verifier", "storer": "instance-storer"}
CLAIMS = {
    "signature-creator": {"C.1", "C.2", "C.3", "C.4", "A.4"},
    "signature-verifier": {"C.1", "C.2", "C.3", "A.2"},
    "instance-storer": {"A.2", "A.3"},
}
PROTOCOLS = ("files", "dicom", "dicom-tls", "http", "https")


def normative() -> dict[str, Any]:
    return tomllib.loads((BUILT_IN / "signatures" / "normative.toml").read_text(encoding="utf-8"))


def own(role: str = "") -> list[Requirement]:
    return [each for each in CATALOGUE if each.role in ROLES.values() and (not role or each.role == role)]


def test_the_list_of_normative_paragraphs_holds_108_records() -> None:
    paragraphs = [each for table in normative()["paragraphs"] for ids in table["binds"].values() for each in ids]
    assert len(paragraphs) == len(set(paragraphs)) == 108
    sections = [table["section"] for table in normative()["paragraphs"]]
    assert sections == ["A.2", "A.3", "A.4", "C.1", "C.2", "C.3", "C.4"]
    rules = {rule.paragraph for profile in PROFILES.values() for rule in profile.rules}
    assert rules <= set(paragraphs)


@pytest.mark.parametrize("side", ROLES)
def test_every_paragraph_that_binds_a_side_is_cited_and_none_is_invented(side: str) -> None:
    cited = {(s.section, s.paragraph) for each in own(ROLES[side]) for s in each.sources if s.document == "PS3.15"}
    binding, known = set(), set()
    for table in normative()["paragraphs"]:
        for binds, ids in table["binds"].items():
            assert set(binds.split("+")) <= {*ROLES, "nobody"}
            known |= {(table["section"], each) for each in ids}
            if side in binds.split("+"):
                binding |= {(table["section"], each) for each in ids}
    assert binding - cited == set()
    assert cited - known == set()


def test_every_statement_of_ps3_3_that_binds_a_side_has_its_requirement() -> None:
    for side, role in ROLES.items():
        cited = Counter((s.section, each.level) for each in own(role) for s in each.sources if s.document == "PS3.3")
        wanted = Counter(
            (of["section"], of["level"])
            for table in normative()["statements"]
            for of in table["sections"]
            if side in of["binds"].split("+")
        )
        assert {key: (count, cited[key]) for key, count in wanted.items() if cited[key] < count} == {}
    assert all(of["what"] for table in normative()["statements"] for of in table["sections"])


@pytest.mark.parametrize("role", ROLES.values())
def test_a_claim_is_held_in_its_role_at_every_kind_of_endpoint(role: str) -> None:
    assert {of.profile for each in own(role) for of in each.applies} == CLAIMS[role]
    held = held_by(CATALOGUE)
    for profile in CLAIMS[role]:
        assert (profile, "2026c", role) in held
        assert default_edition(profile) == "2026c"
        kinds = PROTOCOLS[1:] if role == "instance-storer" else PROTOCOLS  # what stores has a port
        selected = {CATALOGUE.select(profile, "2026c", role, protocol) for protocol in kinds}
        assert len(selected) == 1
        assert selected.pop()
        assert not CATALOGUE.select(profile, "2026c", role, "syslog-tls")


def test_what_c_1_and_ps3_3_ask_binds_every_profile_of_signatures() -> None:
    base = {each.id for each in CATALOGUE.select("C.1", "2026c", "signature-creator", "files")}
    for profile in ("C.2", "C.3", "C.4", "A.4"):
        assert base < {each.id for each in CATALOGUE.select(profile, "2026c", "signature-creator", "files")}
    c4 = {each.id for each in CATALOGUE.select("C.4", "2026c", "signature-creator", "files")}
    assert c4 < {each.id for each in CATALOGUE.select("A.4", "2026c", "signature-creator", "files")}


def test_umbrellas_reach_what_they_stand_for() -> None:
    def members(umbrella: str, profile: str, role: str = "signature-creator") -> set[str]:
        found = CATALOGUE.members_of(CATALOGUE[umbrella], profile, "2026c", role, "files")
        return {each.id for each in found}

    assert len(members("C.2-attributes", "C.2")) == 36
    assert len(members("C.3-attributes", "C.3")) == 27
    assert len(members("C.4-attributes", "C.4")) == 8
    assert len(members("C.4-verified-signature", "C.4")) == 5
    assert members("A.4-structured-report-profile", "A.4") >= {"C.4-purpose", "C.1-rsa", "C.4-statement-signatories"}
    assert len(members("C.1-verifier-mac-algorithms", "C.1", "signature-verifier")) == 6
    validating = members("A.2-verifier-validates-signatures", "A.2", "signature-verifier")
    assert "PS3.3-C.12.1.1.3.1.2-verifier-changed-value" in validating
    assert not any("certificate" in each for each in validating)  # the policy of a site


def test_every_crafted_object_has_its_requirement_and_every_requirement_its_objects() -> None:
    rules = {rule_of(each): CATALOGUE[each] for each in judged_by_answers()}
    assert {each.rule for each in SIGNED_CASES.values()} == set(rules)
    slipped = {each.name: each.level for each in SIGNED_CASES.values() if each.level != rules[each.rule].level}
    assert slipped == {}


def test_conformance_statement_duties_are_declarations() -> None:
    asked = {each.id for each in own("signature-creator") if each.judged == "by-declaration"}
    assert asked == {
        "A.4-statement-conditions",
        "C.3-signatory",
        "C.3-signs-verifiable-attributes",
        "C.4-signatories",
        "C.4-statement-signatories",
    }
