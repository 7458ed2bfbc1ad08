"""Data sets of kept instances as pydicom has them: what is not touched stays, element by element, the octets it was."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO

from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.filereader import read_dataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian
from pynetdicom.dsutils import encode

from reference_impl.storage.part10 import Instance

MOST_INFLATED = 1 << 28
"""Octets that a deflated data set may become."""
MAC_PARAMETERS, DIGITAL_SIGNATURES = 0x4FFE0001, 0xFFFAFFFA


def read(instance: Instance) -> Dataset:
    """The data set of `instance`."""
    syntax = UID(instance.syntax)
    data = instance.data
    if syntax == DeflatedExplicitVRLittleEndian:
        data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, MOST_INFLATED)
    return read_dataset(BytesIO(data), syntax.is_implicit_VR, syntax.is_little_endian)


def encoded(dataset: Dataset, syntax: str) -> bytes:
    """`dataset` in `syntax`, values that were read and not touched as they were. Raises ValueError where that fails."""
    uid = UID(syntax)
    if uid.is_little_endian:
        for level in levels(
            dataset, signatures=True
        ):  # else pydicom decodes and encodes what was read from another encoding
            level.set_original_encoding(uid.is_implicit_VR, True, level.original_character_set)
    data = encode(dataset, uid.is_implicit_VR, uid.is_little_endian, uid.is_deflated)
    if data is None:
        raise ValueError(f"the data set cannot be encoded in {uid.name}")
    return data


def changed(instance: Instance, change: Callable[[Dataset], object], syntax: str = "") -> Instance:
    """`instance` after `change`, encoded in `syntax` or as it was."""
    dataset = read(instance)
    change(dataset)
    syntax = syntax or instance.syntax
    return replace(instance, syntax=syntax, data=encoded(dataset, syntax))


def levels(dataset: Dataset, *, signatures: bool = False) -> Iterator[Dataset]:
    """`dataset` and every item within it; those of the sequences that signatures are made of where that is asked."""
    yield dataset
    for raw in raw_elements(dataset):
        if raw.VR == "SQ" and (signatures or raw.tag not in (MAC_PARAMETERS, DIGITAL_SIGNATURES)):
            for item in dataset[raw.tag].value:
                yield from levels(item, signatures=signatures)


def raw_elements(dataset: Dataset) -> list[RawDataElement]:
    """The elements of one level as they were read, in order; sequences that were looked into stay as they are."""
    found = (dataset.get_item(tag) for tag in list(dataset.keys()))
    return [one if isinstance(one, RawDataElement) else _raw(one) for one in found if one is not None]


def _raw(element: object) -> RawDataElement:
    tag, vr = element.tag, element.VR  # type: ignore[attr-defined]
    return RawDataElement(tag, vr, 0, None, 0, False, True)


def with_value(dataset: Dataset, raw: RawDataElement, value: bytes) -> None:
    """Give the element that `raw` is another value."""
    dataset[raw.tag] = raw._replace(value=value, length=len(value))
