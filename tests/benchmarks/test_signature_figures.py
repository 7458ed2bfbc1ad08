"""Signing and verifying beside dcmsign, in turns in one run; nothing about time is asserted.

What one has, the other has: certificates are judged against the same anchors, files are made once and are in the
cache of the system. `PS315_BENCHMARK_REPEATS` says how often.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MultiFrameGrayscaleWordSecondaryCaptureImageStorage

from fixtures.pki import Pki
from tests.benchmarks.measuring import REPEATS, Command, in_turns, ps315, table
from tests.missing import lacking

pytestmark = pytest.mark.benchmark

_FRAMES = 200  # of 512 by 512 pixels of two octets: 105 MB
_FILES = 1000
_SIDE = 500  # pixels of two octets: 500 KB
_MEMORY = 80.0  # MiB


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pki]:
    if shutil.which("dcmsign") is None:
        lacking("dcmsign (DCMTK) is not installed")
    yield Pki.create(tmp_path_factory.mktemp("pki"))


def test_a_multi_frame_object_of_a_hundred_megabytes(pki: Pki, tmp_path: Path) -> None:
    plain, signed = tmp_path / "plain.dcm", tmp_path / "signed.dcm"
    _write(plain, frames=_FRAMES, side=512)
    key, certificate, anchors = _names(pki)
    _dcmsign("+s", key, certificate, "+m2", "-pf", str(plain), str(signed))
    theirs, ours = ["dcmsign", "+cf", anchors, str(signed)], ["verify", str(signed), "--anchors", anchors]
    measured = in_turns(
        {
            "dcmsign verifies": Command(theirs, tmp_path),
            "ps315 verify": Command(ps315(*ours), tmp_path),
        }
    )
    print(table("verifying one object of 105 MB", measured, [("wall time", "ps315 verify", "dcmsign verifies", 1.2)]))
    _tell_memory("verify", max(measured["ps315 verify"].peak))
    measured = in_turns(
        {
            "dcmsign signs": Command(
                ["dcmsign", "+s", key, certificate, "+m2", "-pf", str(plain), str(tmp_path / "theirs.dcm")], tmp_path
            ),
            "ps315 sign": Command(
                ps315(
                    "sign",
                    str(plain),
                    "--out",
                    str(tmp_path / "ours.dcm"),
                    "--key",
                    key,
                    "--cert",
                    certificate,
                    "--force",
                ),
                tmp_path,
            ),
        }
    )
    print(table("signing one object of 105 MB", measured, [("wall time", "ps315 sign", "dcmsign signs", 1.2)]))
    _tell_memory("sign", max(measured["ps315 sign"].peak))


def test_a_thousand_files_of_half_a_megabyte(pki: Pki, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    key, certificate, anchors = _names(pki)
    plain = tmp_path / "plain.dcm"
    for number in range(_FILES):
        _write(plain, frames=1, side=_SIDE, number=number)
        _dcmsign("+s", key, certificate, "+m2", "-pf", str(plain), str(folder / f"{number:04}.dcm"))
    loop = f'for f in "{folder}"/*; do dcmsign +cf "{anchors}" "$f" || exit 1; done'
    measured = in_turns(
        {
            "a loop over dcmsign": Command(["sh", "-c", loop], tmp_path),
            "ps315 verify": Command(ps315("verify", str(folder), "--anchors", anchors), tmp_path),
            "... to lines of JSON": Command(
                ps315("verify", str(folder), "--anchors", anchors, "--json-lines", str(tmp_path / "lines")), tmp_path
            ),
        },
        min(REPEATS, 3),
    )
    goals = [("wall time", name, "a loop over dcmsign", 1 / 3) for name in ("ps315 verify", "... to lines of JSON")]
    print(table(f"verifying {_FILES} files of {2 * _SIDE * _SIDE // 1000} KB", measured, goals))


def _names(pki: Pki) -> tuple[str, str, str]:
    return str(pki.key_file("signer")), str(pki.certificate_file("signer")), str(pki.trust_anchors_file())


def _tell_memory(what: str, peak: float) -> None:
    print(f"  {what}: peak {peak:.1f} MiB (goal: at most {_MEMORY:g}) {'reached' if peak <= _MEMORY else 'MISSED'}")


def _dcmsign(*arguments: str) -> None:
    subprocess.run(["dcmsign", *arguments], check=True, capture_output=True, timeout=60)


def _write(path: Path, *, frames: int, side: int, number: int = 0) -> None:
    """An object with pixels of two octets, none like another."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = CTImageStorage if frames == 1 else MultiFrameGrayscaleWordSecondaryCaptureImageStorage
    data.SOPInstanceUID = f"2.25.{10**20 + number}"
    data.StudyInstanceUID, data.SeriesInstanceUID = "2.25.1", "2.25.2"
    data.PatientID, data.PatientName, data.Modality = "PS315-TEST", "PS315^Benchmark", "CT"
    data.Rows = data.Columns = side
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    if frames > 1:
        data.NumberOfFrames = frames
    data.save_as(path, enforce_file_format=True)
    frame = bytes(range(256)) * (2 * side * side // 256 + 2)
    with path.open("ab") as file:  # frame by frame: children begin with the memory of this process
        file.write(struct.pack("<HH2s2xI", 0x7FE0, 0x0010, b"OW", 2 * side * side * frames))
        for each in range(number, number + frames):
            file.write(frame[each % 256 :][: 2 * side * side])
