"""The catalogue is complete against the list of normative statements, coherent, and guards vendors against slips."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.catalogue import BUILT_IN, Catalogue, Requirement, clause_url, load_catalogue
from harness.errors import UsageProblem
from reference_impl.transport.profiles import load_profile

CATALOGUE = load_catalogue()
BUILT_IN_IDS = [requirement.id for requirement in CATALOGUE]
CLAIM = ("2026c", "tls-server", "dicom-tls")

# An independent transcription of PS3.15 2026c, Section B.13, by name as printed; the code points are those of the
# RFCs that define the suites (5288, 5289, 6367, 6655, 7251, 7905, 8446), not of the table that is under test.
TLS13 = {
    "TLS_AES_128_GCM_SHA256": 0x1301,
    "TLS_AES_256_GCM_SHA384": 0x1302,
    "TLS_CHACHA20_POLY1305_SHA256": 0x1303,
    "TLS_AES_128_CCM_SHA256": 0x1304,
    "TLS_AES_128_CCM_8_SHA256": 0x1305,
}
TLS12_REQUIRED = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": 0xC02B,
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": 0xC02C,
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": 0xC02F,
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": 0xC030,
    "TLS_ECDHE_ECDSA_WITH_AES_128_CCM": 0xC0AC,
    "TLS_ECDHE_ECDSA_WITH_AES_256_CCM": 0xC0AD,
    "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8": 0xC0AE,
    "TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8": 0xC0AF,
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": 0xCCA8,
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": 0xCCA9,
}
TLS12_OPTIONAL = {
    "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256": 0x009E,
    "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384": 0x009F,
    "TLS_DHE_RSA_WITH_CAMELLIA_128_GCM_SHA256": 0xC07C,
    "TLS_DHE_RSA_WITH_CAMELLIA_256_GCM_SHA384": 0xC07D,
    "TLS_ECDHE_ECDSA_WITH_CAMELLIA_128_GCM_SHA256": 0xC086,
    "TLS_ECDHE_ECDSA_WITH_CAMELLIA_256_GCM_SHA384": 0xC087,
    "TLS_ECDHE_RSA_WITH_CAMELLIA_128_GCM_SHA256": 0xC08A,
    "TLS_ECDHE_RSA_WITH_CAMELLIA_256_GCM_SHA384": 0xC08B,
    "TLS_DHE_RSA_WITH_AES_128_CCM": 0xC09E,
    "TLS_DHE_RSA_WITH_AES_256_CCM": 0xC09F,
    "TLS_DHE_RSA_WITH_AES_128_CCM_8": 0xC0A2,
    "TLS_DHE_RSA_WITH_AES_256_CCM_8": 0xC0A3,
    "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256": 0xCCAA,
}


def normative() -> dict[str, Any]:
    return tomllib.loads((BUILT_IN / "transport" / "normative.toml").read_text(encoding="utf-8"))


def test_the_list_of_normative_paragraphs_holds_78_records() -> None:
    paragraphs = [each for table in normative()["paragraphs"] for ids in table["binds"].values() for each in ids]
    assert len(paragraphs) == len(set(paragraphs)) == 78


SIDES = ("server", "client")


@pytest.mark.parametrize("side", SIDES)
def test_every_paragraph_that_binds_a_side_is_cited_and_none_is_invented(side: str) -> None:
    bound = [each for each in CATALOGUE if each.role == f"tls-{side}"]
    of_2026c = (s for each in bound for s in each.sources if s.document == "PS3.15" and s.paragraph)
    cited = {(s.section, s.paragraph) for s in of_2026c}
    binding, known, listed = set(), set(), set()
    for table in normative()["paragraphs"]:
        listed.add(table["section"])
        for binds, ids in table["binds"].items():
            known |= {(table["section"], each) for each in ids}
            if binds in {side, "both"}:
                binding |= {(table["section"], each) for each in ids}
    assert binding - cited == set()
    assert {(section, each) for section, each in cited if section in listed} - known == set()


@pytest.mark.parametrize("side", SIDES)
def test_every_statement_of_bcp_195_that_binds_a_side_has_its_requirement(side: str) -> None:
    cited = Counter(
        (s.document, s.section, each.level) for each in CATALOGUE if each.role == f"tls-{side}" for s in each.sources
    )
    wanted = Counter(
        (table["document"], of["section"], of["level"])
        for table in normative()["statements"]
        for of in table["sections"]
        if of["binds"] in {side, "both"}
    )
    # RFC 8996 6 repeats for TLS 1.0 and 1.1 what sections 4 and 5 ask, and adds DTLS 1.0
    assert {key: (count, cited[key]) for key, count in wanted.items() if cited[key] < count} == {}
    assert sum(wanted.values()) > 60


ROLES = {
    "tls-server",
    "tls-client",
    "signature-creator",
    "signature-verifier",
    "instance-storer",
    "audit-source",
    "audit-repository",
}


def test_what_is_said_of_each_requirement_is_coherent() -> None:
    assert len(BUILT_IN_IDS) == len(set(BUILT_IN_IDS)) > 340
    for each in CATALOGUE:
        assert each.role in ROLES
        assert not each.vendor_suite
        assert each.text.endswith((".", ".)"))
        assert each.text != each.title
        assert each.remedy or each.judged in {"not-testable", "derived"}, each.id
        if each.level == "may":
            assert each.reason.startswith("no obligation"), each.id
        for source in each.sources:
            assert bool(source.edition) != source.document.startswith("RFC")
            assert bool(source.paragraph) == ((source.document, source.edition) == ("PS3.15", "2026c"))
        first = each.sources[0]
        document = "IHE" if first.document.startswith("IHE ") else first.document.replace(" ", "")
        assert each.id.startswith((f"{first.section}-", f"{document}-{first.section}-"))


@pytest.mark.parametrize("umbrella", [each for each in CATALOGUE if each.judged == "derived"], ids=lambda each: each.id)
def test_an_umbrella_has_members_wherever_it_applies(umbrella: Requirement) -> None:
    for of in umbrella.applies:
        protocol = of.protocols[0] if of.protocols else "dicom-tls"
        edition = of.editions[-1].rpartition("..")[2]
        members = CATALOGUE.members_of(umbrella, of.profile, edition, umbrella.role, protocol)
        assert members
        assert all(each.level == "shall" and each.judged in {"automatically", "by-declaration"} for each in members)
        assert umbrella not in members


def test_bcp_195_is_complied_with_when_its_mandatory_rules_are() -> None:
    for profile in ("B.12", "B.13"):
        members = {each.id for each in CATALOGUE.members_of(CATALOGUE[f"{profile}-bcp-195"], profile, *CLAIM)}
        assert {"RFC9325-4.1-no-rc4", "RFC8996-4-protocol-version-alert", "RFC9325-7.5-revocation-strategy"} <= members
        assert "RFC9325-4.1-no-static-rsa" not in members  # a should
        assert "RFC9325-3.2-hsts-supported" not in members  # nobody can test it
        assert "RFC9325-3.7-sni-supported" not in members  # HTTPS alone


def test_a_claim_selects_what_binds_it() -> None:
    b12 = {each.id for each in CATALOGUE.select("B.12", *CLAIM)}
    b13 = {each.id for each in CATALOGUE.select("B.13", *CLAIM)}
    assert "RFC9325-4.1-no-dhe" in b12 - b13  # under B.13 DHE is allowed: advice
    assert all(each.startswith(("RFC", "B.12-")) for each in b12)
    assert all(each.startswith(("RFC", "B.13-")) for each in b13)
    https = {each.id for each in CATALOGUE.select("B.12", "2026c", "tls-server", "https")}
    assert https - b12 == {"RFC9325-3.8-alpn-https", "RFC9325-3.7-sni-supported"}
    assert CATALOGUE.select("B.12", "2026c", "tls-server", "syslog-tls") == ()
    assert CATALOGUE.select("B.12", "2018a", "tls-server", "dicom-tls") == ()


def test_a_client_s_claim_selects_what_binds_a_client() -> None:
    b12 = {each.id for each in CATALOGUE.select("B.12", "2026c", "tls-client", "dicom-tls")}
    b13 = {each.id for each in CATALOGUE.select("B.13", "2026c", "tls-client", "dicom-tls")}
    assert not (b12 | b13) & {each.id for each in CATALOGUE.select("B.12", *CLAIM)}
    assert all(each.startswith(("RFC", "B.12-client-")) for each in b12)
    assert all(each.startswith(("RFC", "B.13-client-")) for each in b13)
    https = {each.id for each in CATALOGUE.select("B.12", "2026c", "tls-client", "https")}
    assert https - b12 == {"RFC9325-3.7-client-sni-supported"}
    assert not any("dicomweb-port" in each for each in b12 | b13)  # it binds servers


def test_dicoms_own_requirements_are_told_from_imported_ones() -> None:
    assert all(each.imported == each.id.startswith("RFC") for each in CATALOGUE)


@pytest.mark.parametrize(
    ("requirement", "url"),
    [
        (
            "B.12-server-supports-tls-1.2",
            "https://dicom.nema.org/medical/dicom/2026c/output/chtml/part15/sect_B.12.html"
            "#para_3154cbf7-883e-496b-996b-9868b6ad66f1",
        ),
        (
            "C.1-rsa",  # the first section of an annex stands on the page of the annex
            "https://dicom.nema.org/medical/dicom/2026c/output/chtml/part15/chapter_C.html"
            "#para_1499c309-bc72-4a02-bd0f-f94567158202",
        ),
        (
            "PS3.3-C.12.1.1.3.1.2-signature-fields",
            "https://dicom.nema.org/medical/dicom/2020a/output/chtml/part03/sect_C.12.html#sect_C.12.1.1.3.1.2",
        ),
        (
            "PS3.3-C.17.2.1-reference-mac",
            "https://dicom.nema.org/medical/dicom/2020a/output/chtml/part03/sect_C.17.2.html#sect_C.17.2.1",
        ),
        ("RFC9325-3.1.1-no-ssl-3.0", "https://www.rfc-editor.org/rfc/rfc9325#section-3.1.1"),
        ("RFC5246-E.1-version-tolerance", "https://www.rfc-editor.org/rfc/rfc5246#appendix-E.1"),
    ],
)
def test_a_source_leads_to_its_clause(requirement: str, url: str) -> None:
    assert clause_url(CATALOGUE[requirement].sources[0]) == url


def test_the_json_output_keeps_its_schema() -> None:
    schema = json.loads((BUILT_IN.parent / "harness/schemas/requirements.schema.json").read_text(encoding="utf-8"))
    printed = json.loads(json.dumps(CATALOGUE.as_json()))
    jsonschema.validate(printed, schema)
    assert [each["id"] for each in printed] == BUILT_IN_IDS


@pytest.mark.parametrize(
    ("test", "requirements"),
    [
        ("11106 (ATNA questionnaire)", ["B.{}-mutual-authentication-declared"]),
        (
            "11109 (authentication test)",
            [
                "B.{}-mutual-authentication-supported",
                "B.{}-client-mutual-authentication",
                "RFC9325-7.1-client-host-name",
                "RFC5280-6.1-server-certificate-validity",
                "RFC5280-6.1-server-certificate-trust",
                "RFC5280-6.1-server-certificate-signature",
            ],
        ),
        (
            "11110 (authentication error cases)",
            [
                "B.{}-mutual-authentication-supported",
                "RFC5280-6.1-client-certificate-validity",
                "RFC5280-6.1-client-certificate-trust",
                "RFC5280-6.1-client-certificate-signature",
                "RFC5246-7.4.8-client-certificate-possession",
                "RFC8446-4.4.3-client-certificate-possession",
                "RFC9325-7.5-client-certificate-revocation",
            ],
        ),
    ],
)
def test_the_profiles_of_annex_b_refer_to_the_pre_connectathon_tests(test: str, requirements: list[str]) -> None:
    wanted = {each.format(profile) for each in requirements for profile in ("12", "13")}
    of_annex_b = [each for each in CATALOGUE if any(of.profile.startswith("B.") for of in each.applies)]
    assert wanted == {each.id for each in of_annex_b if f"IHE pre-connectathon test {test}" in each.see_also}


def slug(name: str) -> str:
    return name.removeprefix("TLS_").lower().replace("_", "-")


def test_the_suites_of_b_13_agree_with_a_second_transcription() -> None:
    table = load_profile("B.13")
    assert sorted(table.required["TLS 1.3"]) == sorted(TLS13.values())
    assert sorted(table.required["TLS 1.2"]) == sorted(TLS12_REQUIRED.values())
    assert sorted(table.optional["TLS 1.2"]) == sorted(TLS12_OPTIONAL.values())
    members = {"1.3": CATALOGUE["B.13-tls-1.3-suites"].members, "1.2": CATALOGUE["B.13-tls-1.2-suites"].members}
    assert set(members["1.3"]) == {f"B.13-tls-1.3-{slug(name)}" for name in TLS13}
    later_optional = [name for name in TLS12_OPTIONAL if "ECDHE" in name]  # required up to 2023b
    assert set(members["1.2"]) == {f"B.13-tls-1.2-{slug(name)}" for name in (*TLS12_REQUIRED, *later_optional)}
    optional = {each for each in BUILT_IN_IDS if each.startswith("B.13-tls-1.2-optional-")}
    assert optional - {"B.13-tls-1.2-optional-suites"} == {
        f"B.13-tls-1.2-optional-{slug(name)}" for name in TLS12_OPTIONAL
    }
    for name in (*TLS13, *TLS12_REQUIRED, *TLS12_OPTIONAL):
        assert name in {each.title for each in CATALOGUE}


GOOD = """
prefix = "ACME"
[defaults]
role = "tls-server"
applies = [{ profile = "B.12", editions = ["2026c"] }]
[[requirement]]
id = "ACME-1-quiet-hours"
title = "No connection at night"
text = "The server refuses connections at night."
level = "shall"
judged = "automatically"
sources = [{ document = "ACME house rules", section = "1" }]
"""


def vendor(folder: Path, text: str) -> Catalogue:
    (folder / "requirements.toml").write_text(text, encoding="utf-8")
    return load_catalogue(folder)


def test_a_vendors_suite_adds_requirements_under_its_own_prefix(tmp_path: Path) -> None:
    catalogue = vendor(tmp_path, GOOD)
    assert catalogue["ACME-1-quiet-hours"].vendor_suite == "ACME"
    assert [each.id for each in catalogue][:-1] == BUILT_IN_IDS
    assert catalogue["ACME-1-quiet-hours"] in catalogue.select("B.12", *CLAIM)
    assert clause_url(catalogue["ACME-1-quiet-hours"].sources[0]) == ""


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('prefix = "ACME"', "", "prefix"),
        ('prefix = "ACME"', 'prefix = "RFC9325"', "prefix"),
        ('prefix = "ACME"', 'prefix = "PS3"', "prefix"),
        ('prefix = "ACME"', "prefix = 3", "prefix"),
        ('id = "ACME-1-quiet-hours"', 'id = "B.12-server-supports-tls-1.2"', "ids of this suite begin with ACME-"),
        ('level = "shall"', 'level = "must"', "key level"),
        ('level = "shall"', 'level = "may"', "key judged"),
        ('judged = "automatically"', 'judged = "not-testable"', "key reason"),
        ('judged = "automatically"', 'judged = "by-declaration"', "question"),
        ('judged = "automatically"', 'judged = "derived"', "key members"),
        ('judged = "automatically"', 'judged = "derived"\nmembers = ["ACME-2-absent"]', "ACME-2-absent"),
        ('title = "No connection at night"', "", "key title"),
        ('text = "The server', 'colour = "red"\ntext = "The server', "key colour"),
        ("[defaults]", "[default]", "default"),
        ("[[requirement]]", "[requirement]", "requirement"),
        ("[[requirement]]", "requirement = [1]\n[other]", ""),
        ('level = "shall"', "level = ", "TOML"),
    ],
)
def test_a_vendors_slip_is_named_with_its_file_and_key(tmp_path: Path, old: str, new: str, named: str) -> None:
    assert old in GOOD
    with pytest.raises(UsageProblem) as problem:
        vendor(tmp_path, GOOD.replace(old, new, 1))
    assert str(tmp_path / "requirements.toml") in str(problem.value)
    assert named in str(problem.value)


def test_an_id_is_defined_once(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="ACME-1-quiet-hours is already defined"):
        vendor(tmp_path, GOOD + GOOD.partition("editions")[2].partition("\n")[2])


def test_a_folder_without_requirements_is_no_suite(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"no requirements\.toml"):
        load_catalogue(tmp_path)
