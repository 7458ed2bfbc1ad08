"""The MAC stream octet for octet: what dcmsign dumps of it while it signs, and what we form of the signed file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pydicom
import pytest

from fixtures.pki.pki import Pki
from reference_impl.signatures.mac import mac_parts, signable, signature_item_parts
from reference_impl.signatures.macros import read_macros
from reference_impl.signatures.reader import open_dicom
from tests.peers.dcmsign import require_dcmsign
from tests.unit.signature_material import El, Encoder, as_file

pytestmark = pytest.mark.peer

_FILES = [
    "CT_small.dcm",
    "MR_small.dcm",
    "MR_small_padded.dcm",
    "MR_small_RLE.dcm",
    "JPEG2000.dcm",
    "JPEG-lossy.dcm",
    "JPEGLS*.dcm",
    "SC_rgb_*.dcm",
    "image_dfl.dcm",
    "test-SR.dcm",
    "reportsi.dcm",
    "waveform_ecg.dcm",
    "emri_small*.dcm",
    "rtplan.dcm",
    "rtdose.dcm",
    "priv_SQ.dcm",
    "nested_priv_SQ.dcm",
    "liver_expb_1frame.dcm",
    "MR_small_bigendian.dcm",
    "ExplVR_BigEnd.dcm",
    "UN_sequence.dcm",
    "private_SQ.dcm",
    "badVR.dcm",
    "693_*.dcm",
    "examples_overlay.dcm",
    "examples_palette.dcm",
    "empty_charset_LEI.dcm",
    "chr*.dcm",
]


def _found() -> list[Path]:
    base = Path(pydicom.__file__).parent / "data"
    unreadable = "SC_rgb_jpeg.dcm"  # names an explicit transfer syntax and has no VRs: neither reader takes it
    return sorted({path for name in _FILES for path in base.rglob(name) if path.name != unreadable})


def _signed(source: Path, directory: Path, pki: Pki) -> tuple[Path, bytes] | None:
    target, dump = directory / "signed.dcm", directory / "dump.bin"
    key, certificate = pki.key_file("client"), pki.certificate_file("client")
    command: list[str | Path] = ["dcmsign", "+s", key, certificate, "+m2", "+d", dump, source, target]
    if subprocess.run(command, capture_output=True, timeout=60, check=False).returncode:
        return None
    return target, dump.read_bytes()


def _our_stream(path: Path) -> tuple[bytes, set[int], set[int]]:
    with open_dicom(path) as file:
        (macros,) = (macros for macros in read_macros(file) if not macros.location)
        signature = macros.signatures[-1]
        (parameters,) = macros.parameters_of(signature)
        assert not (macros.problems or parameters.encoding or signature.encoding)
        parts = [bytes(part) for part in mac_parts(file, file.root, parameters.tags)]
        parts += [bytes(part) for part in signature_item_parts(file, signature.item)]
        return b"".join(parts), set(parameters.tags), set(signable(file.root))


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki.create(tmp_path_factory.mktemp("pki"))


@pytest.mark.parametrize("source", _found(), ids=lambda path: path.name)
def test_of_real_objects(source: Path, tmp_path: Path, pki: Pki) -> None:
    require_dcmsign()
    signed = _signed(_explicit(source, tmp_path), tmp_path, pki)
    assert signed is not None
    target, theirs = signed
    ours, listed, may_be_listed = _our_stream(target)
    assert ours == theirs
    assert listed == may_be_listed


def _explicit(source: Path, directory: Path) -> Path:
    """The object itself, or as dcmconv writes it in Explicit VR Little Endian where it is implicit or big endian."""
    with open_dicom(source) as file:
        if file.explicit and file.little_endian:
            return source
    target = directory / "explicit.dcm"
    subprocess.run(["dcmconv", "+te", source, target], capture_output=True, timeout=60, check=True)
    return target


_CODE = (El(0x00080100, "SH", b"121071"), El(0x00080102, "SH", b"DCM "), El(0x00080104, "LO", b"Finding "))
_TREE = (
    El(0x00080000, "UL", b"\x7f\0\0\0"),
    El(0x00080005, "CS", b"ISO_IR 192"),
    El(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7\0"),
    El(0x00080018, "UI", b"1.2.3.4\0"),
    El(0x00081140, "SQ", items=((El(0x00081150, "UI", b"1.2\0"), El(0x00081155, "UI", b"1.3\0")), ())),
    El(0x00090010, "LO", b"PS315 TEST"),
    El(0x00091001, "UN", b"unknown "),
    El(0x00091002, "LO", b"private "),
    El(0x00091003, "SQ", items=((El(0x00090010, "LO", b"PS315 TEST"), El(0x00091004, "FD", bytes(8))),)),
    El(0x00091005, "SQ", items=((El(0x00090010, "LO", b"PS315 TEST"), El(0x00091006, "UN", b"ab")),)),
    El(0x00100000, "UL", b"\x10\0\0\0"),
    El(0x00100010, "PN", "Müller^Jürgen ".encode()),
    El(0x00100020, "LO", b""),
    El(0x0040A043, "SQ", items=(_CODE,)),
    El(0x0040A730, "SQ", items=((El(0x0040A730, "SQ", items=((), _CODE)),), (El(0x0040A160, "UT", b"text"),))),
    El(0x50000005, "US", b"\2\0"),
    El(0x50003000, "OW", b"\1\0\2\0"),
    El(0x60003000, "OW", b"\xff\0"),
    El(0x7FE00010, "OW", bytes(range(32))),
    El(0xFFFCFFFC, "OB", bytes(64)),
)


@pytest.mark.parametrize("choices", [[False], [True], [True, False, False, True, False]])
def test_of_everything_that_is_excluded_or_odd(choices: list[bool], tmp_path: Path, pki: Pki) -> None:
    require_dcmsign()
    source = tmp_path / "source.dcm"
    source.write_bytes(as_file(Encoder(choices).data_set(_TREE)))
    signed = _signed(source, tmp_path, pki)
    assert signed is not None
    ours, listed, may_be_listed = _our_stream(signed[0])
    assert ours == signed[1]
    assert listed == may_be_listed
