"""What the signature profiles of C.2 to C.4 demand: the tables, and what follows from them for objects."""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.signatures.profiles import (
    MODULES,
    PROFILES,
    demanded,
    foreign,
    missing_from,
    parse_tag,
    required_tags,
    satisfied,
)
from reference_impl.signatures.results import Code, DocumentResult, PresentElement

SOP = ("(0008,0016)", "(0008,0018)", "(0020,000D)", "(0020,000E)")
RSA: dict[str, Any] = {"algorithm": "SHA256", "scheme": "rsa-pkcs1-v1.5", "certificate_type": "X509_1993_SIG"}
VERIFICATION = Code("5", "ASTM-sigpurpose", "Verification Signature")
AUTHOR = Code("1", "ASTM-sigpurpose", "Author's Signature")


def elements(*tags: str, vr: str = "LO") -> tuple[PresentElement, ...]:
    return tuple(PresentElement(tag, vr) for tag in (*SOP, *tags))


def _rows() -> dict[str, dict[str, str]]:
    text = files("reference_impl.signatures").joinpath("modules.json").read_text(encoding="utf-8")
    modules: dict[str, dict[str, str]] = json.loads(text)["modules"]
    return modules


def test_an_independent_transcription_says_the_same() -> None:
    """Every difference between the two has an edition as its reason, and none is left over."""
    other = tomllib.loads(Path(__file__).with_name("signature_modules_2019c.toml").read_text(encoding="utf-8"))
    rows = _rows()
    for module, tags in other["modules"].items():
        theirs = set(tags.split())
        more = {name: set(other[name].get(module, "").split()) for name in ("unlisted", "added", "dropped")}
        assert set(rows[module]["tags"].split()) == (theirs | more["unlisted"] | more["added"]) - more["dropped"], (
            module
        )
        assert more["dropped"] <= theirs, module


def test_what_that_transcription_lacks_is_said_here() -> None:
    """Modules that came after it, as their sections read (C.8.33.2 and C.39: editions 2024d and 2025a)."""
    other = tomllib.loads(Path(__file__).with_name("signature_modules_2019c.toml").read_text(encoding="utf-8"))
    waveforms = {
        "waveform-presentation-state-relationship": "00081115",
        "structured-waveform-annotation": "0040B030",
        "textual-waveform-annotation": "0040B033",
        "displayed-waveform-segment": "0040B035",
        "montage-activation": "0040B037",
        "waveform-presentation-montage": "0040B039",
    }
    rows = _rows()
    assert {name: rows[name]["tags"] for name in waveforms} == waveforms
    assert set(rows) - set(other["modules"]) == {*waveforms, "microscopy-bulk-simple-annotations"}
    bulk = set(rows["microscopy-bulk-simple-annotations"]["tags"].split())
    assert {"006A0001", "006A0002", "00480301", "00081140", "00200013", "00080023", "00080033"} <= bulk


def test_every_module_says_where_it_comes_from_and_is_named() -> None:
    named = {module.id for profile in PROFILES.values() for rule in profile.rules for module in rule.modules}
    assert named == set(MODULES)
    for module in MODULES.values():
        assert module.edition and module.source and module.section.startswith("C.")
        assert module.tags or module.ranges
    assert {module.edition for module in MODULES.values()} == {"2003", "2025a", "2026b", "2026c"}


def test_the_rules_stand_in_order_each_once() -> None:
    assert {name: len(profile.rules) for name, profile in PROFILES.items()} == {"C.2": 36, "C.3": 27, "C.4": 12}
    paragraphs = [rule.paragraph for profile in PROFILES.values() for rule in profile.rules]
    assert len(set(paragraphs)) == len(paragraphs)
    for profile in PROFILES.values():
        assert len({rule.name for rule in profile.rules}) == len(profile.rules)
        for rule in profile.rules:
            filled = bool(rule.modules) if rule.kind == "module" else bool(rule.tags) == (rule.kind != "declaration")
            assert filled, rule.name


@pytest.mark.parametrize(
    ("tag", "rule", "wanted"),
    [
        ("(6000,3000)", "overlay-curve-graphic-annotation", True),
        ("(601E,3000)", "overlay-curve-graphic-annotation", True),
        ("(6020,3000)", "overlay-curve-graphic-annotation", False),
        ("(6001,3000)", "overlay-curve-graphic-annotation", False),
        ("(5004,3000)", "overlay-curve-graphic-annotation", True),
        ("(5000,200C)", "overlay-curve-graphic-annotation", False),
        ("(7FE0,0010)", "general-image-image-pixel", True),
        ("(7FE0,0008)", "general-image-image-pixel", False),
        ("(0010,0010)", "general-image-image-pixel", False),
        ("(0042,0011)", "encapsulated-document", True),
    ],
)
def test_which_elements_fall_under_a_rule(tag: str, rule: str, wanted: bool) -> None:
    found = demanded(PROFILES["C.2"].rule(rule), elements(tag))
    assert found == ((tag,) if wanted else ())


def test_what_cannot_be_signed_is_not_demanded() -> None:
    present = (
        *elements(),
        PresentElement("(0008,0070)", "UN"),
        PresentElement("(0008,1140)", "SQ", holds_unknown=True),
        PresentElement("(0008,0080)", "LO"),
    )
    assert missing_from("C.2", None, SOP, present) == ("(0008,0080)",)


def test_the_uids_are_demanded_even_where_the_object_lacks_them() -> None:
    bare = (PresentElement("(0008,0016)", "UI"),)
    assert missing_from("C.2", "sop-class-and-instance-uid", ["(0008,0016)"], bare) == ("(0008,0018)",)
    assert required_tags("C.2", bare) == ("(0008,0016)",)
    assert missing_from("C.2", "sop-creation-date-and-time", SOP, bare) == ()


def test_icon_images_count_under_the_creator_profile_wherever_they_stand() -> None:
    icon = PresentElement("(0040,E022)", "SQ", nested=("(0088,0200)", "(7FE0,0010)"))
    assert icon.tag in required_tags("C.2", (*elements(), icon))
    assert icon.tag not in required_tags("C.3", (*elements(), icon))
    assert "(0088,0200)" in required_tags("C.3", elements("(0088,0200)", vr="SQ"))


def test_private_elements_of_raw_data_are_signed_and_never_found_missing() -> None:
    raw = elements("(0008,9123)", "(0029,0010)", "(0029,1010)")
    assert {"(0029,0010)", "(0029,1010)"} <= set(required_tags("C.2", raw))
    assert missing_from("C.2", None, [*SOP, "(0008,9123)"], raw) == ()
    assert "(0029,1010)" not in required_tags("C.2", elements("(0029,1010)"))


def test_a_verified_report_has_a_second_list() -> None:
    observer = PresentElement("(0040,A073)", "SQ", nested=("(0040,A030)", "(0040,A075)"))
    report = (*elements("(0040,A493)", "(0040,A375)", "(0040,A730)"), observer)
    first = ("(0008,0016)", "(0020,000D)", "(0020,000E)", "(0040,A375)", "(0040,A730)")
    assert required_tags("C.4", report) == first
    assert required_tags("C.4", report, verified=True) == tuple(
        sorted({*first, "(0008,0018)", "(0040,A073)", "(0040,A493)"})
    )
    assert missing_from("C.4", "verification-datetime", first, report) == ("(0040,A073)",)
    assert missing_from("C.4", None, first, report) == ()


@pytest.mark.parametrize(
    ("purposes", "flag", "observers", "full", "expected"),
    [
        ((AUTHOR,), "UNVERIFIED", 0, False, True),
        ((), "UNVERIFIED", 0, False, False),
        ((AUTHOR,), "VERIFIED", 1, False, True),
        ((VERIFICATION,), "VERIFIED", 1, False, False),
        ((VERIFICATION,), "VERIFIED", 1, True, True),
        ((VERIFICATION,), "VERIFIED", 2, True, False),
    ],
)
def test_the_report_profile_is_satisfied(
    purposes: tuple[Code, ...], flag: str, observers: int, full: bool, expected: bool
) -> None:
    report = elements("(0040,A493)", "(0040,A073)", "(0040,A730)")
    signed = [each.tag for each in report] if full else ["(0008,0016)", "(0020,000D)", "(0020,000E)", "(0040,A730)"]
    document = DocumentResult("sr", verification_flag=flag, verifying_observers=observers)
    assert ("C.4" in satisfied(signed, report, document, purposes=purposes, **RSA)) is expected
    assert "C.4" not in satisfied(signed, report, None, purposes=purposes, **RSA)


@pytest.mark.parametrize(
    "change",
    [{"scheme": "ecdsa"}, {"algorithm": "SHA512-256"}, {"certificate_type": "X509"}, {"timestamp_type": "TSP"}],
)
def test_what_is_outside_the_base_profile_satisfies_none(change: dict[str, str]) -> None:
    present = elements()
    assert satisfied(SOP, present, **RSA) == ("C.1", "C.2", "C.3")
    assert satisfied(SOP, present, **{**RSA, **change}) == ()
    assert satisfied(SOP, present, location="(0040,A730)[1]", **RSA) == ("C.1",)


def test_an_attribute_that_another_iod_lends_is_told_apart() -> None:
    rule = PROFILES["C.3"].rule("enhanced-mammography-image")
    computed_radiography = "1.2.840.10008.5.1.4.1.1.1"
    assert demanded(rule, elements("(0018,0060)")) == ("(0018,0060)",)
    assert foreign(rule, ("(0018,0060)",), computed_radiography) == ("(0018,0060)",)
    assert foreign(rule, ("(0018,0060)",), "1.2.840.10008.5.1.4.1.1.13.1.3") == ("(0018,0060)",)
    assert foreign(rule, ("(0018,0060)",), "1.2.3.4") == ()
    pixel = PROFILES["C.3"].rule("general-image-image-pixel")
    assert foreign(pixel, ("(7FE0,0010)",), computed_radiography) == ()


@given(st.lists(st.integers(0x00080000, 0x7FE0FFFF), unique=True, max_size=30), st.booleans())
def test_signing_what_is_required_leaves_nothing_missing(tags: list[int], verified: bool) -> None:
    present = elements(*(f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in tags))
    for profile in PROFILES:
        signed = required_tags(profile, present, verified)
        assert set(signed) <= {each.tag for each in present}
        lacking = set(missing_from(profile, None, signed, present, verified))
        assert not lacking & {each.tag for each in present}


@pytest.mark.parametrize("text", ["", "7FE00010", "(7FE0,001)", "(7FE0;0010)", "(7FEG,0010)"])
def test_what_is_no_tag_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"tag|literal"):
        parse_tag(text)
