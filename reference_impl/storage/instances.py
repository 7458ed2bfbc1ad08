"""What an archive keeps: instances as files, and what they are found by (PS3.4 C.6)."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from io import BytesIO
from pathlib import Path

from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.filereader import read_dataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from reference_impl.storage.part10 import Instance, UnfitError, take_apart

LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")
"""Query/Retrieve Levels (PS3.4 C.3)."""
_KEYS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "PatientID",
    "PatientName",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "StudyID",
    "Modality",
    "SeriesNumber",
    "InstanceNumber",
)
_UNIQUE = {
    "PATIENT": "PatientID",
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}
_LAST_KEY = 0x00200013


class NoRoomError(Exception):
    """The archive has taken as many octets as it may."""


@dataclass(frozen=True)
class Kept:
    """An instance that is kept: where, in which transfer syntax, and what it is found by."""

    path: Path
    sop_class: str
    sop_instance: str
    syntax: str
    keys: Mapping[str, str]

    def instance(self) -> Instance:
        """The instance, read from its file."""
        return take_apart(self.path.read_bytes())

    def unique(self, level: str) -> str:
        """The unique key of what it belongs to at `level`."""
        return self.keys.get(_UNIQUE[level], "")


class InstanceStore:
    """Keeps instances as ``<SOP Instance UID>.dcm`` in `directory`, until `limit` octets are stored. Thread-safe."""

    def __init__(self, directory: Path, limit: int = 1 << 30) -> None:
        self._directory = directory
        self._left = limit
        self._lock = threading.Lock()
        self._kept: dict[str, Kept] = {}

    def put(self, instance: Instance) -> Kept:
        """Keep `instance`. Raises `UnfitError` for what is none, `NoRoomError` where there is no more room."""
        if len(instance.sop_instance) > 64 or not set(instance.sop_instance) <= set("0123456789."):
            raise UnfitError("the SOP Instance UID is no UID")
        keys = keys_of(instance)
        octets = instance.octets()
        with self._lock:
            if len(octets) > self._left:
                raise NoRoomError
            self._left -= len(octets)
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / f"{instance.sop_instance}.dcm"
        path.write_bytes(octets)
        kept = Kept(path, instance.sop_class, instance.sop_instance, instance.syntax, keys)
        with self._lock:
            self._kept[kept.sop_instance] = kept
        return kept

    def all(self) -> list[Kept]:
        """Everything that is kept, in the order in which it came."""
        with self._lock:
            return list(self._kept.values())

    def matching(self, identifier: Dataset) -> list[Kept]:
        """The instances that match every key of a C-FIND, C-GET or C-MOVE request that this archive knows."""
        wanted = {name: _texts(identifier, name) for name in _KEYS if _texts(identifier, name)}
        return [one for one in self.all() if all(_matches(one.keys, name, of) for name, of in wanted.items())]

    def found(self, level: str, identifier: Dataset) -> list[Dataset]:
        """The answers to a C-FIND request at `level`, one for each patient, study, series or instance."""
        answers: dict[str, Dataset] = {}
        for one in self.matching(identifier):
            if one.unique(level) in answers:
                continue
            answer = Dataset()
            answer.QueryRetrieveLevel = level
            for element in identifier:
                if element.keyword in _KEYS:
                    setattr(answer, element.keyword, one.keys.get(element.keyword, ""))
            setattr(answer, _UNIQUE[level], one.unique(level))
            answers[one.unique(level)] = answer
        return list(answers.values())


def keys_of(instance: Instance) -> dict[str, str]:
    """What `instance` is found by, by keyword. Raises `UnfitError` where its data set cannot be read so far."""
    syntax, data = UID(instance.syntax), instance.data
    if not syntax.is_transfer_syntax:
        syntax = UID("1.2.840.10008.1.2.1")
    try:
        if syntax == DeflatedExplicitVRLittleEndian:
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, 1 << 20)
        implicit, little = syntax.is_implicit_VR, syntax.is_little_endian
        read = read_dataset(BytesIO(data), implicit, little, stop_when=lambda tag, _vr, _length: tag > _LAST_KEY)
        raw = {name: read.get_item(name) for name in _KEYS if name in read}
    except Exception as problem:  # what pydicom raises for broken elements is not said anywhere
        raise UnfitError(f"the data set cannot be read: {problem}") from None
    values = {name: one.value if isinstance(one, RawDataElement) else b"" for name, one in raw.items()}
    return {name: (value or b"").decode("latin-1").strip("\0 ") for name, value in values.items()}


def _texts(identifier: Dataset, name: str) -> list[str]:
    """The values that a key is to have; none where any will do (PS3.4 C.2.2.2.3)."""
    value = identifier.get(name)
    if value is None or value == "":
        return []
    return [str(one) for one in value] if isinstance(value, (list, tuple)) or hasattr(value, "append") else [str(value)]


def _matches(keys: Mapping[str, str], name: str, wanted: list[str]) -> bool:
    held = keys.get(name, "")
    return any(fnmatchcase(held, one) if {"*", "?"} & set(one) else held == one for one in wanted)
