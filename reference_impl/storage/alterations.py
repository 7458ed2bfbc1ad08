"""What archives in the field do to instances, each as a treatment: the faults of the storer are made of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.sequence import Sequence
from pydicom.uid import UID, RLELossless

from reference_impl.storage.behaviour import EXPLICIT, IMPLICIT, Treatment
from reference_impl.storage.data_sets import (
    DIGITAL_SIGNATURES,
    MAC_PARAMETERS,
    changed,
    encoded,
    levels,
    raw_elements,
    read,
    with_value,
)
from reference_impl.storage.part10 import Instance

_TEXTS = frozenset({"AE", "CS", "DS", "IS", "LO", "LT", "PN", "SH", "ST", "UC", "UT", "TM", "DA", "DT", "AS"})
_NUMBERS = frozenset({"DS", "IS"})
_PIXEL_DATA = 0x7FE00010
_ITEM = b"\xfe\xff\x00\xe0"

DIAGNOSES, PROTOCOL_CODES = 0x00081080, 0x00400260
"""Elements that only one case has, where no signature covers them."""


def on_levels(change: Callable[[Dataset], object]) -> Treatment:
    """Apply `change` to the data set and to every item within it."""

    def change_all(dataset: Dataset) -> None:
        for level in list(levels(dataset)):
            change(level)

    return lambda instance: changed(instance, change_all)


def on_top(change: Callable[[Dataset], object]) -> Treatment:
    """Apply `change` to the data set."""
    return lambda instance: changed(instance, change)


def on_values(vrs: frozenset[str], change: Callable[[bytes], bytes]) -> Treatment:
    """Replace values of these VRs by what `change` makes of them; they stay even."""

    def change_level(level: Dataset) -> None:
        for raw in raw_elements(level):
            if raw.VR in vrs and raw.value:
                value = change(raw.value)
                value += b" " * (len(value) % 2)
                if value != raw.value:
                    with_value(level, raw, value)

    return on_levels(change_level)


def trimmed(value: bytes) -> bytes:
    """A text without the padding that it does not need."""
    return b"\\".join(part.rstrip(b" ") for part in value.split(b"\\"))


def shortest(value: bytes) -> bytes:
    """Numbers as short as they can be written: 1.500 as 1.5, +007 as 7."""
    return b"\\".join(_shortest(part) for part in value.split(b"\\"))


def _shortest(part: bytes) -> bytes:
    text = part.strip(b" ")
    if re.fullmatch(rb"[+-]?\d+", text):
        return str(int(text)).encode("ascii")
    try:
        return f"{float(text):.12g}".encode("ascii")
    except ValueError:
        return part


def without_private(level: Dataset) -> None:
    """Drop private elements."""
    for raw in raw_elements(level):
        if raw.tag.is_private:
            del level[raw.tag]


def without(tag: int) -> Callable[[Dataset], None]:
    """Drop one element."""

    def drop(level: Dataset) -> None:
        if tag in level:
            del level[tag]

    return drop


def without_signatures(level: Dataset) -> None:
    """Drop both sequences of the Digital Signatures Macro."""
    for tag in (MAC_PARAMETERS, DIGITAL_SIGNATURES):
        if tag in level:
            del level[tag]


def _sequences(level: Dataset) -> Iterator[Sequence]:
    for raw in raw_elements(level):
        if raw.VR == "SQ" and raw.tag not in (MAC_PARAMETERS, DIGITAL_SIGNATURES):
            yield level[raw.tag].value


def items_reversed(level: Dataset) -> None:
    """Turn the order of the items of every sequence around."""
    for sequence in _sequences(level):
        sequence[:] = list(reversed(sequence))


def last_item_dropped(level: Dataset) -> None:
    """Drop the last item of every sequence that has several."""
    for sequence in _sequences(level):
        if len(sequence) > 1:
            del sequence[-1]


def items_of_reversed(tag: int) -> Callable[[Dataset], None]:
    """Turn the order of the items of one sequence around."""

    def turn(level: Dataset) -> None:
        if tag in level:
            level[tag].value[:] = list(reversed(level[tag].value))

    return turn


def item_added_to(level: Dataset) -> None:
    """Add an element to every item of a sequence: more than the sender said."""
    for sequence in _sequences(level):
        for item in sequence:
            item.add_new(0x00204000, "LT", "added by the archive")


def element_added(dataset: Dataset) -> None:
    """Add an element at the top, which no signature covers."""
    dataset.add_new(0x00080201, "SH", "+0000")


def other_vr(old: str, new: str, tag: int | None = None) -> Callable[[Dataset], None]:
    """Encode elements of one VR (of one tag) with another."""

    def change(level: Dataset) -> None:
        for raw in raw_elements(level):
            if old == raw.VR and raw.value is not None and tag in (None, raw.tag):
                level[raw.tag] = raw._replace(VR=new)

    return change


def private_unknown(level: Dataset) -> None:
    """Encode what no dictionary has as UN."""
    for raw in raw_elements(level):
        if raw.tag.is_private and not raw.tag.is_private_creator and raw.VR != "SQ" and raw.value is not None:
            level[raw.tag] = raw._replace(VR="UN")


def value_of(tag: int, value: bytes) -> Callable[[Dataset], None]:
    """Give one element another value."""

    def change(level: Dataset) -> None:
        for raw in raw_elements(level):
            if raw.tag == tag:
                with_value(level, raw, value)

    return change


def in_utf_8(dataset: Dataset) -> None:
    """Encode Latin texts in UTF-8, and say so."""
    character_set = next((raw for raw in raw_elements(dataset) if raw.tag == 0x00080005), None)
    if character_set is None or (character_set.value or b"").strip() != b"ISO_IR 100":
        return
    with_value(dataset, character_set, b"ISO_IR 192")
    for level in levels(dataset):
        for raw in raw_elements(level):
            if raw.VR in {"LO", "LT", "PN", "SH", "ST", "UC", "UT"} and raw.value and not raw.value.isascii():
                value = raw.value.decode("latin-1").encode("utf-8")
                with_value(level, raw, value + b" " * (len(value) % 2))


def one_pixel_octet(dataset: Dataset) -> None:
    """Change the last octet of pixel data that is not encapsulated."""
    raw = _pixels(dataset)
    if raw is not None and raw.value and not raw.value.startswith(_ITEM):
        with_value(dataset, raw, raw.value[:-1] + bytes((raw.value[-1] ^ 1,)))


def without_offset_table(dataset: Dataset) -> None:
    """Write encapsulated pixel data anew, with an empty Basic Offset Table."""
    raw = _pixels(dataset)
    if raw is None or not raw.value or not raw.value.startswith(_ITEM):
        return
    length = int.from_bytes(raw.value[4:8], "little")
    if length:
        value = _ITEM + bytes(4) + raw.value[8 + length :]
        dataset[raw.tag] = raw._replace(value=value)


def in_one_fragment(dataset: Dataset) -> None:
    """Write encapsulated pixel data of one frame anew, in one fragment."""
    raw = _pixels(dataset)
    if raw is None or not raw.value or not raw.value.startswith(_ITEM) or "NumberOfFrames" in dataset:
        return
    _write_items(dataset, raw, [b"", b"".join(_items(raw.value)[1:])])


def compressed_again(instance: Instance) -> Instance:
    """`instance` with each frame that is run-length encoded encoded anew: the same picture in other octets."""
    if instance.syntax != RLELossless:
        return instance

    def encode(dataset: Dataset) -> None:
        raw = _pixels(dataset)
        if raw is not None and raw.value:
            _write_items(dataset, raw, [b"", *(_without_runs(frame) for frame in _items(raw.value)[1:])])

    return changed(instance, encode)


def _without_runs(frame: bytes) -> bytes:
    """An RLE frame (PS3.5 G.3 to G.5) in literal runs alone."""
    count = int.from_bytes(frame[:4], "little")
    starts = [int.from_bytes(frame[4 * number : 4 * number + 4], "little") for number in range(1, count + 1)]
    segments = []
    for start, end in zip(starts, [*starts[1:], len(frame)], strict=True):
        octets = _expanded(frame[start:end])
        segment = b"".join(bytes((len(part) - 1,)) + part for part in _in_parts(octets, 128))
        segments.append(segment + b"\0" * (len(segment) % 2))
    header, offset = count.to_bytes(4, "little"), 64
    for segment in segments:
        header += offset.to_bytes(4, "little")
        offset += len(segment)
    return header.ljust(64, b"\0") + b"".join(segments)


def _expanded(segment: bytes) -> bytes:
    """What an RLE segment stands for."""
    found, at = b"", 0
    while at + 1 < len(segment):
        control = segment[at]
        if control < 128:
            found += segment[at + 1 : at + 2 + control]
            at += 2 + control
        else:
            found += segment[at + 1 : at + 2] * (257 - control if control > 128 else 0)
            at += 2 if control > 128 else 1
    return found


def _in_parts(octets: bytes, size: int) -> Iterator[bytes]:
    return (octets[at : at + size] for at in range(0, len(octets), size))


def _items(value: bytes) -> list[bytes]:
    """The items of encapsulated pixel data, the Basic Offset Table first."""
    parts, at = [], 0
    while value[at : at + 4] == _ITEM:
        length = int.from_bytes(value[at + 4 : at + 8], "little")
        parts.append(value[at + 8 : at + 8 + length])
        at += 8 + length
    return parts


def _write_items(dataset: Dataset, raw: RawDataElement, items: list[bytes]) -> None:
    value = b"".join(_ITEM + len(part).to_bytes(4, "little") + part for part in items)
    dataset[raw.tag] = raw._replace(value=value)


def _pixels(dataset: Dataset) -> RawDataElement | None:
    return next((raw for raw in raw_elements(dataset) if raw.tag == _PIXEL_DATA), None)


def inflated(instance: Instance) -> Instance:
    """`instance` with its data set as it was before it was deflated: no value is another one."""
    if not UID(instance.syntax).is_deflated:
        return instance
    return replace(instance, syntax=EXPLICIT, data=encoded(read(instance), EXPLICIT))


def without_vrs(instance: Instance) -> Instance:
    """`instance` in implicit VR, unless it is compressed."""
    if UID(instance.syntax).is_implicit_VR or UID(instance.syntax).is_encapsulated:
        return instance
    return replace(instance, syntax=IMPLICIT, data=encoded(read(instance), IMPLICIT))


TEXTS, NUMBERS = _TEXTS, _NUMBERS
"""The VRs of texts that are padded, and of numbers that are written as text."""
