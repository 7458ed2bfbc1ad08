"""What is not signed is said in words, the important first; documents tell what their signatures depend on."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.instances import INSTANCES, write_instance
from reference_impl.signatures.coverage import groups, uncovered
from reference_impl.signatures.creator import SigningOrder, sign_file
from reference_impl.signatures.mac import is_excluded
from reference_impl.signatures.references import References
from reference_impl.signatures.results import Standing
from reference_impl.signatures.verifier import Policy, verify_file
from tests.unit.signing_material import signer

NAME, PIXELS, ROWS, OVERLAY, COMMENT = 0x00100010, 0x7FE00010, 0x00280010, 0x60023000, 0x00104000
CREATOR, PRIVATE = 0x00110010, 0x00111001


def told(present: dict[int, str], *covered: int) -> dict[str, str]:
    return {each.code: each.place for each in uncovered(present, covered)}


def test_groups_are_told_by_their_importance() -> None:
    present = {COMMENT: "LT", NAME: "PN", ROWS: "US", OVERLAY: "OW", PIXELS: "OW"}
    assert list(told(present)) == ["pixel-data", "pixel-description", "overlay", "patient-identity", "others"]
    assert told(present, NAME, PIXELS, ROWS, OVERLAY, COMMENT) == {}
    assert told(present, PIXELS, ROWS, NAME) == {"overlay": "(6002,3000)", "others": "(0010,4000)"}


def test_parts_of_a_group_are_told_as_parts() -> None:
    (reason,) = uncovered({NAME: "PN", 0x00100020: "LO"}, {NAME})
    assert (reason.text, reason.place) == ("part of it: who the patient is", "(0010,0020)")


def test_how_pixels_are_to_be_read_matters_only_with_pixels() -> None:
    assert "pixel-description" not in told({ROWS: "US"})


def test_private_elements_depend_on_their_creator() -> None:
    present = {CREATOR: "LO", PRIVATE: "DS", 0x00111002: "UN", 0x00131001: "LO"}
    assert told(present, PRIVATE) == {
        "private-creator": "(0011,0010)",
        "private": "(0011,0010), (0013,1001)",
        "unknown-vr": "(0011,1002)",
    }
    assert "private-creator" not in told(present, PRIVATE, CREATOR)
    assert "private-creator" not in told(present)


def test_odd_groups_are_no_overlays() -> None:
    assert told({0x60013000: "OW"}) == {"private": "(6001,3000)"}


def test_what_can_never_be_signed_is_not_missed() -> None:
    assert told({0x00080000: "UL", 0x00080001: "UL", 0x4FFE0001: "SQ", 0xFFFAFFFA: "SQ", 0xFFFCFFFC: "OB"}) == {}


def test_long_lists_of_places_are_cut() -> None:
    place = told({0x00200000 + number: "IS" for number in range(0x100, 0x120)})["others"]
    assert place.endswith("and 24 more")


def test_the_table_holds_tags_once_and_none_that_cannot_be_signed() -> None:
    found: set[int] = set()
    for group in groups():
        assert not found & group.tags, group.code
        found |= group.tags
        assert not [tag for tag in group.tags if is_excluded(tag, "LO")]
        assert group.text
    assert len({group.code for group in groups()}) == len(groups())


# -- documents ---------------------------------------------------------------------------------------------------------

DOCUMENTS = [name for name, spec in INSTANCES.items() if spec.document and spec.explicit_little_endian]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_are_known(tmp_path: Path, name: str) -> None:
    found = verify_file(write_instance(name, tmp_path / "in.dcm")).document
    assert found is not None
    assert found.kind == ("kos" if name.startswith("kos") else "sr")
    assert found.evidence
    assert all(each.place.startswith("(0040,A3") and each.sop_instance for each in found.evidence)
    assert {each.standing for each in found.evidence} == {Standing.UNKNOWN}
    if name == "sr-verified":
        assert (found.verification_flag, found.verifying_observers) == ("VERIFIED", 1)
    if name == "sr-two-observers":
        assert found.verifying_observers == 2


def test_images_are_no_documents(tmp_path: Path) -> None:
    assert verify_file(write_instance("ct", tmp_path / "in.dcm")).document is None


@pytest.mark.parametrize("kind", ["either", "both"])
def test_evidence_is_held_against_what_is_at_hand(tmp_path: Path, kind: str) -> None:
    report = verify_file(write_instance("sr-verified", tmp_path / "report.dcm"))
    assert report.document is not None
    wanted = {each.sop_instance for each in report.document.evidence}
    places: dict[str, Path] = {}
    for name, spec in INSTANCES.items():
        if spec.explicit_little_endian and not spec.document:
            path = write_instance(name, tmp_path / f"{name}.dcm")
            instance = verify_file(path).sop_instance
            if instance in wanted:
                places[instance] = tmp_path / f"{name}-signed.dcm"
                sign_file(path, places[instance], [SigningOrder()], signer())
    assert places
    references = References(places.get, kind=kind, missing_allowed=True)  # type: ignore[arg-type]
    order = SigningOrder(references=references)
    sign_file(tmp_path / "report.dcm", tmp_path / "signed.dcm", [order], signer())
    policy = Policy(integrity_only=True, references=places.get)

    def standings() -> dict[str, Standing]:
        found = verify_file(tmp_path / "signed.dcm", policy)
        assert found.standing is Standing.VALID
        assert found.document is not None
        return {each.sop_instance: each.standing for each in found.document.evidence}

    assert {standing for instance, standing in standings().items() if instance in places} == {Standing.VALID}
    changed = next(iter(places))
    octets = places[changed].read_bytes()
    at = octets.rindex(b"\x00\x04\x20\x01OB") + 20  # in the value of its signature
    places[changed].write_bytes(octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1 :])
    assert standings()[changed] is Standing.INVALID
    notes = verify_file(tmp_path / "signed.dcm", policy).notes
    assert [each.code for each in notes] == ["evidence-differs"]
