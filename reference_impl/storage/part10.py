"""Files of PS3.10 whose data set stays the octets that it is: writing them, and taking them apart."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

from pydicom.dataset import FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset, read_preamble
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID
from pynetdicom import PYNETDICOM_IMPLEMENTATION_UID

_PREAMBLE = bytes(128) + b"DICM"
_GROUP_LENGTH = 12  # octets of (0002,0000)


class UnfitError(ValueError):
    """Octets that are no DICOM file of PS3.10, or do not say what they are."""


@dataclass(frozen=True)
class Instance:
    """A SOP instance: what it is, its transfer syntax and its data set as octets."""

    sop_class: str
    sop_instance: str
    syntax: str
    data: bytes

    def octets(self) -> bytes:
        """The whole file: preamble, File Meta Information, data set."""
        meta = FileMetaDataset()
        meta.FileMetaInformationVersion = b"\0\x01"
        meta.MediaStorageSOPClassUID = UID(self.sop_class)
        meta.MediaStorageSOPInstanceUID = UID(self.sop_instance)
        meta.TransferSyntaxUID = UID(self.syntax)
        meta.ImplementationClassUID = PYNETDICOM_IMPLEMENTATION_UID
        out = DicomBytesIO()
        out.write(_PREAMBLE)
        write_file_meta_info(out, meta)
        return out.getvalue() + self.data


def take_apart(octets: bytes) -> Instance:
    """The instance in a file of PS3.10. Raises `UnfitError`."""
    stream = BytesIO(octets)
    try:
        read_preamble(stream, force=False)
        begin = stream.tell()
        length = _meta_length(octets, begin)
        meta = _meta(octets[begin : begin + length])
    except (InvalidDicomError, ValueError, KeyError, AttributeError, TypeError, EOFError, OSError) as problem:
        raise UnfitError(f"these octets are no DICOM file: {problem}") from None
    syntax, sop_class = str(meta.get("TransferSyntaxUID", "")), str(meta.get("MediaStorageSOPClassUID", ""))
    sop_instance = str(meta.get("MediaStorageSOPInstanceUID", ""))
    if not syntax or not sop_class or not sop_instance:
        raise UnfitError("the File Meta Information lacks transfer syntax, SOP class or SOP instance")
    return Instance(sop_class, sop_instance, syntax, octets[begin + length :])


def _meta_length(octets: bytes, begin: int) -> int:
    head = octets[begin : begin + _GROUP_LENGTH]
    if head[:8] != b"\x02\0\0\0UL\x04\0" or len(head) != _GROUP_LENGTH:
        raise UnfitError("the File Meta Information begins with no group length")
    length = _GROUP_LENGTH + int.from_bytes(head[8:], "little")
    if begin + length > len(octets):
        raise UnfitError("the File Meta Information ends beyond the file")
    return length


def _meta(octets: bytes) -> FileMetaDataset:
    meta = FileMetaDataset(read_dataset(BytesIO(octets), is_implicit_VR=False, is_little_endian=True))
    for element in meta:  # pydicom decodes late
        _ = element.value
    return meta
