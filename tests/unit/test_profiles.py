"""The tables of the TLS profiles against a second transcription, made from the texts of the editions by name."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from harness.catalogue import load_catalogue
from reference_impl.transport.profiles import Profile, default_edition, load_profile, profiles
from reference_impl.transport.registry import suite

FOUR = {
    "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
}
EIGHT = {
    "TLS_DHE_RSA_WITH_CAMELLIA_128_GCM_SHA256",
    "TLS_DHE_RSA_WITH_CAMELLIA_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CAMELLIA_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CAMELLIA_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CAMELLIA_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_CAMELLIA_256_GCM_SHA384",
}
ECDHE_CAMELLIA = {name for name in EIGHT if "TLS_ECDHE" in name and "CAMELLIA" in name}
TEN = {
    *(f"TLS_ECDHE_ECDSA_WITH_AES_{suffix}" for suffix in ("128_GCM_SHA256", "256_GCM_SHA384", "128_CCM", "256_CCM")),
    *(f"TLS_ECDHE_ECDSA_WITH_AES_{bits}_CCM_8" for bits in (128, 256)),
    *(f"TLS_ECDHE_RSA_WITH_AES_{suffix}" for suffix in ("128_GCM_SHA256", "256_GCM_SHA384")),
    *(f"TLS_ECDHE_{kind}_WITH_CHACHA20_POLY1305_SHA256" for kind in ("RSA", "ECDSA")),
}
NINE_DHE = {
    *(f"TLS_DHE_RSA_WITH_AES_{suffix}" for suffix in ("128_GCM_SHA256", "256_GCM_SHA384", "128_CCM", "256_CCM")),
    *(f"TLS_DHE_RSA_WITH_AES_{bits}_CCM_8" for bits in (128, 256)),
    *(f"TLS_DHE_RSA_WITH_CAMELLIA_{suffix}" for suffix in ("128_GCM_SHA256", "256_GCM_SHA384")),
    "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
}
OLD_TWO = {"TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_3DES_EDE_CBC_SHA"}

# By profile and edition: the versions that shall be supported, that shall not and that should not be used; the suites
# that shall be supported (of TLS 1.2, or of no version), and those that may or should; the lengths of DHE and ECDHE
# keys that the profile itself states; mutual authentication; members of BCP 195; duties of the conformance statement.
MATRIX: Mapping[tuple[str, str], tuple[str, str, str, set[str], set[str], tuple[int, int], bool, set[int], int]] = {
    ("B.1", "2008"): ("", "", "", set(), set(), (0, 0), False, set(), 3),
    ("B.1", "2018a"): ("", "", "", set(), set(), (0, 0), False, set(), 3),
    ("B.3", "2011"): ("", "", "", OLD_TWO, set(), (0, 0), False, set(), 3),
    ("B.9", "2021b"): ("1.2", "SSL", "1.0 1.1", set(), set(), (0, 0), False, {7525}, 3),
    ("B.10", "2019c"): ("1.2", "SSL 1.0 1.1", "", FOUR, set(), (0, 0), False, {7525}, 3),
    ("B.11", "2020a"): ("1.2", "SSL 1.0 1.1", "", FOUR, EIGHT, (2048, 256), False, {7525}, 3),
    ("B.12", "2023b"): ("1.2", "SSL 1.0 1.1", "", set(), set(), (0, 0), True, {7525, 8996}, 4),
    ("B.12", "2026c"): ("1.2", "SSL 1.0 1.1", "", set(), set(), (0, 0), True, {8996, 9325}, 4),
    ("B.13", "2023b"): (
        "1.2 1.3", "SSL 1.0 1.1", "", TEN | ECDHE_CAMELLIA, NINE_DHE, (2048, 256), True, {7525, 8996}, 4,
    ),
    ("B.13", "2026c"): (
        "1.2 1.3", "SSL 1.0 1.1", "", TEN, NINE_DHE | ECDHE_CAMELLIA, (2048, 256), True, {8996, 9325}, 4,
    ),
}  # fmt: skip
RETIRED_AFTER = {
    "B.1": "2018a",
    "B.3": "2018a",
    "B.9": "2022d",
    "B.10": "2022d",
    "B.11": "2022d",
    "B.12": "",
    "B.13": "",
}


def versions(words: str) -> set[str]:
    found = {f"TLS {word}" for word in words.split() if word != "SSL"}
    return found | ({"SSL 2.0", "SSL 3.0"} if "SSL" in words else set())


def names(profile: Profile, table: Mapping[str, tuple[int, ...]]) -> set[str]:
    codes = table.get("TLS 1.2", table.get("any", ()))
    assert len(codes) == len(set(codes)), profile.id
    return {suite(code).name for code in codes}


@pytest.mark.parametrize(("profile", "edition"), MATRIX)
def test_a_profile_matches_its_second_transcription(profile: str, edition: str) -> None:
    required, forbidden, discouraged, suites, optional, lengths, mutual, members, duties = MATRIX[profile, edition]
    table = load_profile(profile, edition)
    assert set(table.required_versions) == versions(required)
    assert set(table.forbidden_versions) == versions(forbidden)
    assert set(table.discouraged_versions) == versions(discouraged)
    assert names(table, table.required) == suites
    assert names(table, table.optional) == optional
    assert (table.minimum_bits.get("dhe", 0), table.minimum_bits.get("ecdhe", 0)) == lengths
    assert table.mutual_authentication is mutual
    assert set(table.bcp_195) == members
    assert len(table.statement) == duties
    assert table.ports == ("differs-from-every-other" if profile in {"B.1", "B.3"} else "dicomweb-differs")
    assert table.retired_after == RETIRED_AFTER[profile]
    assert table.section == profile


def test_every_wording_has_its_second_transcription() -> None:
    transcribed = {(profile, load_profile(profile, edition).span) for profile, edition in MATRIX}
    assert {(name, load_profile(name, edition).span) for name, edition in profiles()} == transcribed


def test_the_order_and_the_mechanisms_of_the_oldest_profiles() -> None:
    assert [suite(code).name for code in load_profile("B.3").required["any"]] == [
        "TLS_RSA_WITH_AES_128_CBC_SHA",
        "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    ]
    basic = load_profile("B.1")
    assert basic.minimum_mechanisms == {"authentication": "RSA", "key_exchange": "RSA", "mac": "SHA1", "cipher": "3DES"}
    names_of = [suite(code).name for code in basic.derived["any"]]
    assert names_of == ["TLS_RSA_WITH_3DES_EDE_CBC_SHA", "TLS_RSA_WITH_NULL_SHA"]
    for code in basic.derived["any"]:
        row = suite(code)
        assert (row.authentication, row.key_exchange, row.mac) == ("RSA", "RSA", "SHA1")


def test_what_is_superseded() -> None:
    superseded = {(name, edition) for name, edition in profiles() if load_profile(name, edition).superseded}
    assert superseded == {
        ("B.1", "2018a"), ("B.3", "2018a"), ("B.9", "2022d"), ("B.10", "2022d"), ("B.11", "2022d"),
        ("B.12", "2023b"), ("B.13", "2023b"),
    }  # fmt: skip
    assert {default_edition(name) for name in ("B.12", "B.13")} == {"2026c"}


def test_only_b11_closes_every_version() -> None:
    assert {name: load_profile(name).closed for name, _ in profiles() if load_profile(name).closed} == {
        "B.11": {"any"},
        "B.13": {"TLS 1.2"},
    }


@pytest.mark.parametrize("profile", ["B.3", "B.10", "B.11"])
def test_each_required_suite_has_a_requirement_in_both_roles(profile: str) -> None:
    catalogue = load_catalogue()
    for codes in load_profile(profile).required.values():
        for code in codes:
            slug = suite(code).name.removeprefix("TLS_").lower().replace("_", "-")
            assert f"{profile}-server-accepts-{slug}" in catalogue
            assert f"{profile}-client-offers-{slug}" in catalogue


@pytest.mark.parametrize("profile", ["B.1", "B.3", "B.9", "B.10", "B.11"])
@pytest.mark.parametrize("role", ["tls-server", "tls-client"])
def test_no_retired_profile_asks_for_mutual_authentication(profile: str, role: str) -> None:
    bound = load_catalogue().select(profile, default_edition(profile), role, "dicom-tls")
    assert bound
    asking = [one.id for one in bound if "mutual" in one.id and one.level != "may"]
    assert asking == []
    assert [one.id for one in bound if one.id.startswith(("RFC9325", "RFC8996"))] == []


def test_the_older_wordings_take_rfc_7525_as_rfc_8996_modifies_it() -> None:
    for profile in ("B.12", "B.13"):
        older = {one.id for one in load_catalogue().select(profile, "2023b", "tls-server", "dicom-tls")}
        current = {one.id for one in load_catalogue().select(profile, "2026c", "tls-server", "dicom-tls")}
        assert {"RFC7525-4.1-no-rc4", "RFC8996-4-no-tls-1.0"} <= older
        assert not any(name.startswith("RFC9325") for name in older)
        assert "RFC7525-3.1.1-tls-1.0-only-without-better" not in older  # RFC 8996 forbids it outright
        assert not any(name.startswith("RFC7525") for name in current)
