"""The instances of the set are what they say: modules, transfer syntaxes, oddities, references to each other."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import generate_fragments

from fixtures.instances import INSTANCES, PATIENT_ID, InstanceSpec, build, uid, write_instance
from fixtures.instances.specification import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, JPEG_BASELINE, RLE
from reference_impl.signatures.profiles import MODULES

DOCUMENTS = [name for name, spec in INSTANCES.items() if spec.document]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("instances")
    started = time.perf_counter()
    written = {name: write_instance(name, folder / f"{name}.dcm") for name in INSTANCES}
    assert time.perf_counter() - started < 10  # 0.2 s on an idle machine
    return written


def _levels(dataset: Dataset) -> Iterator[Dataset]:
    yield dataset
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from _levels(item)


@pytest.mark.parametrize("spec", INSTANCES.values(), ids=lambda spec: spec.name)
def test_an_instance_is_what_it_says(spec: InstanceSpec, files: dict[str, Path]) -> None:
    path = files[spec.name]
    assert path.stat().st_size < 20_000
    dataset = pydicom.dcmread(path)
    assert dataset.file_meta.TransferSyntaxUID == spec.transfer_syntax
    assert dataset.SOPClassUID == dataset.file_meta.MediaStorageSOPClassUID == spec.sop_class
    assert dataset.SOPInstanceUID == uid(f"instance-of-{spec.name}")
    assert (dataset.PatientID, dataset.Modality) == (PATIENT_ID, spec.modality)
    assert str(dataset.PatientName).startswith(PATIENT_ID)
    for name in spec.modules:
        module = MODULES[name]
        assert any(module.has(int(element.tag)) for element in dataset), name
        assert module.belongs_to(spec.sop_class) or name in {"curve", "image-pixel", "general-image"}, name
    if spec.pixels is not None:
        assert "PixelData" in dataset
        assert dataset["PixelData"].is_undefined_length is spec.encapsulated


def test_every_module_that_a_profile_names_is_in_some_instance() -> None:
    present = {module for spec in INSTANCES.values() for module in spec.modules}
    assert present | {"general-equipment"} == set(MODULES)
    equipment = MODULES["general-equipment"]
    assert all(sum(equipment.has(int(element.tag)) for element in build(name)) >= 5 for name in INSTANCES)


def test_every_transfer_syntax_is_there() -> None:
    used = {spec.transfer_syntax for spec in INSTANCES.values()}
    assert used == {IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN, JPEG_BASELINE, RLE}
    assert {spec.transfer_syntax for spec in INSTANCES.values() if not spec.explicit_little_endian} == {
        IMPLICIT,
        BIG_ENDIAN,
    }


def test_frames_are_encapsulated_as_the_text_says() -> None:
    def fragments(name: str) -> int:
        return len(list(generate_fragments(build(name).PixelData))) - 1  # the Basic Offset Table comes first

    assert (fragments("mr-rle"), fragments("sc-jpeg"), fragments("us-multiframe-jpeg")) == (1, 3, 3)
    assert build("sc-jpeg").PixelData[4:8] == bytes(4)
    assert build("us-multiframe-jpeg").PixelData[4:8] == (12).to_bytes(4, "little")


def test_run_lengths_decode_to_the_ramp() -> None:
    rle = next(generate_fragments(build("mr-rle").PixelData[8:]))
    assert rle[:8] == b"\x01\x00\x00\x00\x40\x00\x00\x00"
    assert rle[64] == 63 and rle[65:129] == bytes(number * 7 & 0xFF for number in range(64))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_evidence_refers_to_instances_of_the_set(name: str) -> None:
    spec, dataset = INSTANCES[name], build(name)
    for keyword, names in (
        ("CurrentRequestedProcedureEvidenceSequence", spec.refers_to),
        ("PertinentOtherEvidenceSequence", spec.other_evidence),
    ):
        found = [
            (sop.ReferencedSOPClassUID, sop.ReferencedSOPInstanceUID, series.SeriesInstanceUID, study.StudyInstanceUID)
            for study in dataset.get(keyword, [])
            for series in study.ReferencedSeriesSequence
            for sop in series.ReferencedSOPSequence
        ]
        others = [build(other) for other in names]
        assert found == [(o.SOPClassUID, o.SOPInstanceUID, o.SeriesInstanceUID, o.StudyInstanceUID) for o in others]


def test_documents_are_verified_as_the_text_says() -> None:
    observers = {name: len(build(name).get("VerifyingObserverSequence", [])) for name in DOCUMENTS}
    assert observers == {"sr-unverified": 0, "sr-verified": 1, "sr-two-observers": 2, "sr-partial": 0, "kos": 0}
    assert build("sr-verified").VerificationFlag == "VERIFIED"
    assert build("sr-unverified").VerificationFlag == "UNVERIFIED"
    assert build("sr-partial").CompletionFlag == "PARTIAL"
    assert "VerificationFlag" not in build("kos")


def test_another_seed_makes_another_instance_that_fits_its_own_set() -> None:
    report, image = build("sr-unverified", "run 2"), build("ct", "run 2")
    study = report.CurrentRequestedProcedureEvidenceSequence[0]
    assert study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == image.SOPInstanceUID
    assert image.SOPInstanceUID != build("ct").SOPInstanceUID
    assert report.StudyInstanceUID == image.StudyInstanceUID == study.StudyInstanceUID


def test_the_same_instance_is_written_twice_alike(tmp_path: Path, files: dict[str, Path]) -> None:
    for name in ("ct", "odd-nested", "odd-group-lengths", "sr-verified"):
        again = write_instance(name, tmp_path / "again.dcm")
        assert again.read_bytes() == files[name].read_bytes()
    assert [each.name for each in tmp_path.iterdir()] == ["again.dcm"]


def test_lengths_of_sequences_and_items_are_mixed(files: dict[str, Path]) -> None:
    dataset = pydicom.dcmread(files["odd-nested"])
    kinds = {
        (element.is_undefined_length, item.is_undefined_length_sequence_item)
        for level in _levels(dataset)
        for element in level
        if element.VR == "SQ"
        for item in element.value
    }
    assert kinds == {(False, False), (False, True), (True, False), (True, True)}
    assert sum(1 for level in _levels(dataset) if 0x00291001 in level) == 10


def test_group_lengths_are_right_at_every_level(files: dict[str, Path]) -> None:
    raw = files["odd-group-lengths"].read_bytes()
    dataset = pydicom.dcmread(files["odd-group-lengths"])
    levels = list(_levels(dataset))
    assert [sum(1 for element in level if element.tag.element == 0) for level in levels] == [6, 1]
    assert raw.endswith(dataset.PixelData)
    assert dataset[0x7FE0, 0].value == 12 + len(dataset.PixelData)


def test_what_is_odd_is_there(files: dict[str, Path]) -> None:
    odd = {name: pydicom.dcmread(path) for name, path in files.items()}
    padding = odd["odd-trailing-padding"]
    assert max(padding.keys()) == 0xFFFCFFFC
    unknown = odd["odd-unknown-vr"]
    raw = files["odd-unknown-vr"].read_bytes()
    assert raw.count(b"UN\x00\x00") == 4 and b"\x29\x00\x02\x10UN\x00\x00\xff\xff\xff\xff" in raw
    assert b"\x08\x00\x50\x10UN\x00\x00" in raw and unknown.ReferencedImageSequence[0][0x00291001].VR == "UN"
    empty = odd["odd-empty-values"]
    assert sum(1 for element in empty if element.is_empty) >= 8 and len(empty.ProcedureCodeSequence[0]) == 0
    assert len({element.VR for element in odd["odd-vrs"].group_dataset(0x29)}) == 33  # PS3.5 Table 6.2-1, but for UN
    assert str(odd["odd-character-sets"].PatientName.ideographic) == "山田^太郎"
    assert b"\x1b$B" in files["odd-character-sets"].read_bytes()
    assert odd["odd-padding"].get_item("StudyDescription").value.startswith(b"  two")
    assert odd["encapsulated-stl"].IconImageSequence[0].PixelData == bytes(range(16))
    assert {element.tag.group for element in odd["cr-overlay-curve"]} >= {0x5000, 0x6000, 0x6002}


@pytest.mark.skipif(shutil.which("dcmdump") is None, reason="needs DCMTK")
def test_another_toolkit_reads_all(files: dict[str, Path]) -> None:
    for name, path in files.items():
        done = subprocess.run(["dcmdump", "-q", str(path)], capture_output=True, timeout=30, check=False)
        assert (done.returncode, done.stderr) == (0, b""), name
