"""DCMTK's echoscu and storescu: one TLS profile and verification option a case."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from tests.peers.clients.command import Client, Identity, command_of
from tests.peers.starters.process import program

_TIMEOUTS = ("-to", "5", "-ta", "5", "-td", "5")


def echoscu(identity: Identity, directory: Path, options: Mapping[str, str]) -> Client:
    """Options: `profile` ("+py", ...), `verification` ("-rc" demanded, "-ic" ignored), `certificate` ("none": +tla)."""
    del directory
    return Client(command_of([program("echoscu"), *_security(identity, options), *_TIMEOUTS, *_whom()]))


def storescu(identity: Identity, directory: Path, options: Mapping[str, str]) -> Client:
    """Options as for `echoscu`; sends one secondary capture image."""
    path = directory / "image.dcm"
    _image().save_as(path, enforce_file_format=True)
    return Client(command_of([program("storescu"), *_security(identity, options), *_TIMEOUTS, *_whom(), path]))


def _security(identity: Identity, options: Mapping[str, str]) -> list[str | Path]:
    shown: list[str | Path] = ["+tls", identity.key, identity.certificate]
    if options.get("certificate") == "none":
        shown = ["+tla"]
    return [
        *shown, "+cf", identity.trust_anchors, options.get("profile", "+py"), options.get("verification", "-rc"),
    ]  # fmt: skip


def _whom() -> list[str]:
    return ["-aet", "{calling_aet}", "-aec", "{called_aet}", "{host}", "{port}"]


def _image() -> Dataset:
    image = Dataset()
    image.SOPClassUID = SecondaryCaptureImageStorage
    image.SOPInstanceUID, image.StudyInstanceUID, image.SeriesInstanceUID = (generate_uid() for _ in range(3))
    image.PatientID, image.PatientName, image.Modality = "PS315-TEST", "PS315^TEST", "OT"
    image.Rows = image.Columns = 2
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated = image.BitsStored = 8
    image.HighBit, image.PixelRepresentation, image.PixelData = 7, 0, bytes(4)
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return image
