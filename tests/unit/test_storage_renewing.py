"""Putting signatures right after values were changed (PS3.15 A.2), and the alterations that faults are made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from pydicom import Dataset, dcmread
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import RLELossless

from fixtures.pki import Pki
from fixtures.storage import STORED_CASES, write_case
from harness.objects.comparing import compare
from reference_impl.signatures.creator import SigningOrder, sign_file
from reference_impl.signatures.keys import Signer
from reference_impl.signatures.policy import Policy
from reference_impl.signatures.results import FileResult, Standing
from reference_impl.signatures.verifier import verify_file
from reference_impl.storage.alterations import TEXTS, compressed_again, on_values, without_vrs
from reference_impl.storage.data_sets import changed
from reference_impl.storage.faults import STORER_BEHAVIOURS, VARIATIONS
from reference_impl.storage.part10 import Instance, take_apart
from reference_impl.storage.renewing import Flaw, Renewal
from suites.signatures.storer_view import covers

SIGNED = [name for name, case in STORED_CASES.items() if case.signed]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki.create(tmp_path_factory.mktemp("pki"))


class Workshop:
    """Cases as instances, and what their signatures are worth."""

    def __init__(self, folder: Path, pki: Pki) -> None:
        self.folder, self.pki = folder, pki

    def case(self, name: str) -> Instance:
        return take_apart(write_case(name, self.folder / f"{name}.dcm", self.pki).read_bytes())

    def worth(self, instance: Instance) -> FileResult:
        path = self.folder / "worth.dcm"
        path.write_bytes(instance.octets())
        return verify_file(path, Policy(integrity_only=True))


@pytest.fixture
def workshop(tmp_path: Path, pki: Pki) -> Workshop:
    return Workshop(tmp_path, pki)


WIDER = on_values(TEXTS, lambda value: value + b"  ")
"""Padding everything: no signature survives it."""


@pytest.mark.parametrize("name", [name for name in SIGNED if name != "broken"])
def test_lost_signatures_are_made_anew(workshop: Workshop, name: str) -> None:
    before = workshop.case(name)
    sent, now = workshop.worth(before), workshop.worth(Renewal(workshop.pki, vary=WIDER)(before))
    assert now.standing is Standing.VALID
    for lost in sent.signatures:
        assert all(covers(now.signatures, lost.location, tag) for tag in lost.signed)


@pytest.mark.parametrize("name", SIGNED)
def test_what_is_not_varied_stays_as_it_is(workshop: Workshop, name: str, tmp_path: Path) -> None:
    before = workshop.case(name)
    after = Renewal(workshop.pki, vary=lambda instance: instance)(before)
    if name == "broken":
        assert workshop.worth(after).signatures == ()
        return
    assert after == before


def test_signatures_in_items_are_renewed_where_they_are(workshop: Workshop) -> None:
    def change(dataset: Dataset) -> None:
        dataset.SourceImageSequence[1].ReferencedSOPInstanceUID += ".1"

    before = workshop.case("several-signatures")
    now = workshop.worth(Renewal(workshop.pki, vary=lambda one: changed(one, change))(before))
    assert now.standing is Standing.VALID
    assert [one.location for one in now.signatures] == ["(0008,2112)[2]", "", ""]
    sent = {one.uid for one in workshop.worth(before).signatures}
    assert [one.uid in sent for one in now.signatures] == [False, True, False]  # C.2 covers the sequence, too


def test_a_broken_signature_is_not_replaced(workshop: Workshop) -> None:
    before = workshop.case("broken")
    assert workshop.worth(Renewal(workshop.pki, vary=WIDER)(before)).signatures == ()
    replaced = workshop.worth(Renewal(workshop.pki, [Flaw.SIGNS_UNVERIFIED], WIDER)(before))
    assert replaced.standing is Standing.VALID


def test_a_signature_of_somebody_unknown_is_not_replaced(workshop: Workshop, tmp_path: Path) -> None:
    issued = workshop.pki.issue("signer_unknown_ca")
    assert isinstance(issued.key, RSAPrivateKey)
    stranger = Signer(issued.key, issued.certificate.public_bytes(Encoding.DER))
    unsigned = tmp_path / "unsigned.dcm"
    unsigned.write_bytes(workshop.case("unsigned").octets())
    sign_file(unsigned, tmp_path / "signed.dcm", [SigningOrder()], stranger)
    after = Renewal(workshop.pki, vary=WIDER)(take_apart((tmp_path / "signed.dcm").read_bytes()))
    assert workshop.worth(after).signatures == ()


def test_without_vrs_nothing_is_signed(workshop: Workshop) -> None:
    implicit = without_vrs(workshop.case("plain"))
    assert Renewal(workshop.pki, vary=lambda one: one)(implicit) == implicit


def test_what_is_compressed_again_is_the_same_picture(workshop: Workshop, tmp_path: Path) -> None:
    before = workshop.case("rle")
    after = compressed_again(before)
    assert after.data != before.data
    pictures = []
    for number, one in enumerate((before, after)):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(one.octets())
        frames = get_decoder(RLELossless).iter_buffer(dcmread(path), raw=True)
        pictures.append([bytes(frame) for frame, _ in frames])
    assert pictures[0] == pictures[1]
    assert len(pictures[0]) == 2


@pytest.mark.parametrize("name", [*STORER_BEHAVIOURS, *VARIATIONS])
def test_every_alteration_is_one_and_every_case_survives_it(workshop: Workshop, name: str, tmp_path: Path) -> None:
    fault = {**STORER_BEHAVIOURS, **VARIATIONS}[name]
    behaviour = fault.behaviour
    treatments = [one for one in (behaviour.on_receipt, behaviour.on_sending) if one is not None]
    altered = 0
    for case in STORED_CASES:
        sent = after = workshop.case(case)
        for treatment in treatments:
            after = treatment(after)
        (tmp_path / "sent.dcm").write_bytes(sent.octets())
        (tmp_path / "after.dcm").write_bytes(after.octets())
        altered += bool(compare(tmp_path / "sent.dcm", tmp_path / "after.dcm"))
        assert workshop.worth(after).sop_instance == sent.sop_instance
    assert altered or not treatments


def test_a_treatment_that_does_nothing_changes_no_octet(workshop: Workshop, tmp_path: Path) -> None:
    for case in STORED_CASES:
        sent = workshop.case(case)
        same = changed(sent, lambda _dataset: None)
        (tmp_path / "sent.dcm").write_bytes(sent.octets())
        (tmp_path / "same.dcm").write_bytes(replace(sent, data=same.data).octets())
        assert compare(tmp_path / "sent.dcm", tmp_path / "same.dcm") == (), case
