"""Finds the Digital Signatures Macro (PS3.3 Table C.12-6) wherever it stands, and reads its items as they are.

What a file says never raises here: items with missing or wrong attributes are returned with the reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from heapq import merge
from itertools import islice

from reference_impl.signatures.elements import (
    DIGITAL_SIGNATURES,
    MAC_PARAMETERS,
    Element,
    Level,
    dotted,
    tag_text,
)
from reference_impl.signatures.reader import DicomFile
from reference_impl.signatures.results import Code, Reason

MAC_ID = 0x04000005
MAC_TRANSFER_SYNTAX = 0x04000010
MAC_ALGORITHM = 0x04000015
DATA_ELEMENTS_SIGNED = 0x04000020
SIGNATURE_UID = 0x04000100
SIGNATURE_DATETIME = 0x04000105
CERTIFICATE_TYPE = 0x04000110
CERTIFICATE_OF_SIGNER = 0x04000115
SIGNATURE = 0x04000120
TIMESTAMP_TYPE = 0x04000305
TIMESTAMP = 0x04000310
PURPOSE = 0x04000401

MOST_ITEMS = 10_000
"""Items of either sequence that are read from one file."""
LONGEST_VALUE = 1 << 20
"""Octets of a certificate, a signature or a timestamp beyond which it is not read."""

_VALUES = {
    MAC_ID: ("MAC ID Number", "US"),
    MAC_TRANSFER_SYNTAX: ("MAC Calculation Transfer Syntax UID", "UI"),
    MAC_ALGORITHM: ("MAC Algorithm", "CS"),
    DATA_ELEMENTS_SIGNED: ("Data Elements Signed", "AT"),
    SIGNATURE_UID: ("Digital Signature UID", "UI"),
    SIGNATURE_DATETIME: ("Digital Signature DateTime", "DT"),
    CERTIFICATE_TYPE: ("Certificate Type", "CS"),
    CERTIFICATE_OF_SIGNER: ("Certificate of Signer", "OB"),
    SIGNATURE: ("Signature", "OB"),
    TIMESTAMP_TYPE: ("Certified Timestamp Type", "CS"),
    TIMESTAMP: ("Certified Timestamp", "OB"),
    PURPOSE: ("Digital Signature Purpose Code Sequence", "SQ"),
}
"""Name and VR of the macro's attributes."""

_OF_PARAMETERS = (MAC_ID, MAC_TRANSFER_SYNTAX, MAC_ALGORITHM, DATA_ELEMENTS_SIGNED)
_OF_SIGNATURE = (MAC_ID, SIGNATURE_UID, SIGNATURE_DATETIME, CERTIFICATE_TYPE, CERTIFICATE_OF_SIGNER, SIGNATURE)
"""Attributes of type 1."""


@dataclass(frozen=True, slots=True)
class MacParameters:
    """One item of the MAC Parameters Sequence. `number` counts from 1; `encoding` says what is wrong with the item.

    Attributes that are absent or unusable are None or empty.
    """

    number: int
    location: str
    item: Level = field(repr=False)
    mac_id: int | None
    transfer_syntax: str
    algorithm: str
    encoding: tuple[Reason, ...]
    _tags: Callable[[], tuple[int, ...]] = field(repr=False, compare=False)

    @property
    def tags(self) -> tuple[int, ...]:
        """Data Elements Signed as listed, read from the file at every call."""
        return self._tags()


@dataclass(frozen=True, slots=True)
class DigitalSignature:
    """One item of the Digital Signatures Sequence. `number` counts from 1; `encoding` says what is wrong with it.

    Attributes that are absent or unusable are None or empty.
    """

    number: int
    location: str
    item: Level = field(repr=False)
    mac_id: int | None
    uid: str
    signed_at: str
    certificate_type: str
    timestamp_type: str
    has_timestamp: bool
    purposes: tuple[Code, ...]
    encoding: tuple[Reason, ...]
    _value: Callable[[int], bytes] = field(repr=False, compare=False)

    @property
    def certificate(self) -> bytes:
        """Certificate of Signer as it stands, with any padding, read from the file at every call."""
        return self._value(CERTIFICATE_OF_SIGNER)

    @property
    def signature(self) -> bytes:
        """Signature as it stands, with any padding, read from the file at every call."""
        return self._value(SIGNATURE)

    @property
    def timestamp(self) -> bytes:
        """Certified Timestamp as it stands, with any padding, read from the file at every call."""
        return self._value(TIMESTAMP)


@dataclass(frozen=True, slots=True)
class LevelMacros:
    """The macro in one data set: `location` is its place. `problems` concern the sequences as such."""

    location: str
    level: Level = field(repr=False)
    mac_parameters: tuple[MacParameters, ...]
    signatures: tuple[DigitalSignature, ...]
    problems: tuple[Reason, ...]

    def parameters_of(self, signature: DigitalSignature) -> tuple[MacParameters, ...]:
        """The items of MAC Parameters with the signature's MAC ID: one, if all is well."""
        return tuple(item for item in self.mac_parameters if item.mac_id == signature.mac_id is not None)


def read_macros(file: DicomFile) -> tuple[LevelMacros, ...]:
    """Return the macros of every data set that has (4FFE,0001) or (FFFA,FFFA), in file order.

    At most `MOST_ITEMS` data sets, and items of each sequence in all, are read; what is left out is told as a problem.
    """
    table = file.table
    parents: dict[int, None] = {}
    for row in merge(_rows(file, MAC_PARAMETERS), _rows(file, DIGITAL_SIGNATURES)):
        parents.setdefault(table.parents[row])
        if len(parents) > MOST_ITEMS:
            break
    reader = _Reader(file)
    read = islice(parents, MOST_ITEMS)
    found = [reader.level(Level(table, row, file.root.start, file.root.end)) for row in read]
    if len(parents) > MOST_ITEMS:
        left_out = Reason("limit", f"data sets with signatures beyond {MOST_ITEMS} are left out", "")
        found[-1] = replace(found[-1], problems=(*found[-1].problems, left_out))
    return tuple(found)


def _rows(file: DicomFile, tag: int) -> Iterator[int]:
    tags, row = file.table.tags, -1
    with suppress(ValueError):  # no more of them
        while True:
            row = tags.index(tag, row + 1)
            yield row


class _Reader:
    """Reads the items of one file, within the limits of one file."""

    def __init__(self, file: DicomFile) -> None:
        self._file = file
        self._left = {MAC_PARAMETERS: MOST_ITEMS, DIGITAL_SIGNATURES: MOST_ITEMS}

    def level(self, level: Level) -> LevelMacros:
        problems: list[Reason] = []
        location = level.location
        parameters = self._items(level, location, MAC_PARAMETERS, problems)
        signatures = self._items(level, location, DIGITAL_SIGNATURES, problems)
        return LevelMacros(
            location=location,
            level=level,
            mac_parameters=tuple(self._parameters(*numbered) for numbered in parameters),
            signatures=tuple(self._signature(*numbered) for numbered in signatures),
            problems=tuple(problems),
        )

    def _items(self, level: Level, location: str, tag: int, problems: list[Reason]) -> list[tuple[int, str, Level]]:
        """Number, place and data set of the items of one of the two sequences."""
        found: list[tuple[int, str, Level]] = []
        sequences = level.all(tag)
        place = dotted(location, tag)
        if len(sequences) > 1:
            problems.append(Reason("duplicate", f"{tag_text(tag)} occurs {len(sequences)} times", place))
        for sequence in sequences:
            if not sequence.has_items:
                problems.append(Reason("vr", f"the VR is {sequence.vr or 'not encoded'} where SQ is due", place))
                continue
            if sequence.vr not in ("SQ", "") or (not sequence.vr and self._file.explicit):
                problems.append(Reason("vr", f"the VR is {sequence.vr or 'not encoded'} where SQ is due", place))
            items = sequence.items or ()
            if not items:
                problems.append(Reason("no-items", "the sequence holds no item", place))
            if len(items) > self._left[tag]:
                left_out = len(items) - self._left[tag]
                problems.append(Reason("limit", f"{left_out} items are left out, for there are too many", place))
                items = items[: self._left[tag]]
            self._left[tag] -= len(items)
            found += [(len(found) + n, f"{place}[{n}]", item) for n, item in enumerate(items, start=1)]
        return found

    def _parameters(self, number: int, location: str, item: Level) -> MacParameters:
        reasons = self._faults(item, location, _OF_PARAMETERS, _OF_PARAMETERS)

        def tags() -> tuple[int, ...]:
            return self._tags(item)

        if not any(reason.place.endswith(tag_text(DATA_ELEMENTS_SIGNED)) for reason in reasons) and not tags():
            reasons.append(Reason("empty", "Data Elements Signed is empty", dotted(location, DATA_ELEMENTS_SIGNED)))
        return MacParameters(
            number=number,
            location=location,
            item=item,
            mac_id=self._number(item.get(MAC_ID)),
            transfer_syntax=self._file.text(item.get(MAC_TRANSFER_SYNTAX)),
            algorithm=self._file.text(item.get(MAC_ALGORITHM)),
            encoding=tuple(reasons),
            _tags=tags,
        )

    def _signature(self, number: int, location: str, item: Level) -> DigitalSignature:
        has_timestamp = item.get(TIMESTAMP) is not None
        present = [tag for tag in (TIMESTAMP_TYPE, TIMESTAMP, PURPOSE) if item.get(tag) is not None]
        demanded = (*_OF_SIGNATURE, TIMESTAMP_TYPE) if has_timestamp else _OF_SIGNATURE
        reasons = self._faults(item, location, demanded, (*_OF_SIGNATURE, *present))
        purposes = self._purposes(item, location, reasons)

        def value(tag: int) -> bytes:
            element = item.get(tag)
            if element is None or element.has_items or not element.length or element.length > LONGEST_VALUE:
                return b""
            return self._file.read(element.value, element.length)

        return DigitalSignature(
            number=number,
            location=location,
            item=item,
            mac_id=self._number(item.get(MAC_ID)),
            uid=self._file.text(item.get(SIGNATURE_UID)),
            signed_at=self._file.text(item.get(SIGNATURE_DATETIME)),
            certificate_type=self._file.text(item.get(CERTIFICATE_TYPE)),
            timestamp_type=self._file.text(item.get(TIMESTAMP_TYPE)),
            has_timestamp=has_timestamp,
            purposes=purposes,
            encoding=tuple(reasons),
            _value=value,
        )

    def _faults(self, item: Level, location: str, demanded: tuple[int, ...], known: tuple[int, ...]) -> list[Reason]:
        """What is wrong with the attributes of an item: type 1 missing or empty, VR, multiplicity, occurrence."""
        reasons: list[Reason] = []
        for tag in dict.fromkeys((*demanded, *known)):
            name, vr = _VALUES[tag]
            place = dotted(location, tag)
            elements = item.all(tag)
            if not elements:
                reasons.append(Reason("missing", f"{name} is missing", place))
                continue
            if len(elements) > 1:
                reasons.append(Reason("duplicate", f"{name} occurs {len(elements)} times", place))
            if elements[0].vr not in (vr, "") or (not elements[0].vr and self._file.explicit):
                reasons.append(Reason("vr", f"{name} has the VR {elements[0].vr or '(none)'}, not {vr}", place))
            elif vr != "SQ":
                reasons += self._value_faults(elements[0], name, vr, place)
        return reasons

    def _value_faults(self, element: Element, name: str, vr: str, place: str) -> list[Reason]:
        length = element.length
        if length is None:
            return [Reason("length", f"{name} has an undefined length", place)]
        if not length:
            return [Reason("empty", f"{name} is empty", place)]
        if length > LONGEST_VALUE:
            return [Reason("length", f"{name} has {length} octets", place)]
        if vr == "US" and length != 2:
            return [Reason("multiplicity", f"{name} has {length} octets, not 2", place)]
        if vr == "AT" and length % 4:
            return [Reason("length", f"{name} has {length} octets, which makes no whole number of tags", place)]
        if vr in _CHECKS and not _CHECKS[vr](self._file.text(element)):
            return [Reason("value", f"{name} is no value of VR {vr}", place)]
        if length % 2:
            return [Reason("length", f"{name} has an odd length", place)]
        return []

    def _number(self, element: Element | None) -> int | None:
        if element is None or element.length != 2:
            return None
        return int.from_bytes(self._file.read(element.value, 2), "little" if self._file.little_endian else "big")

    def _tags(self, item: Level) -> tuple[int, ...]:
        element = item.get(DATA_ELEMENTS_SIGNED)
        if element is None or not element.length or element.length % 4 or element.length > LONGEST_VALUE:
            return ()
        value, order = self._file.read(element.value, element.length), "little" if self._file.little_endian else "big"
        half = int.from_bytes
        return tuple(
            half(value[i : i + 2], order) << 16 | half(value[i + 2 : i + 4], order)  # type: ignore[arg-type]
            for i in range(0, len(value), 4)
        )

    def _purposes(self, item: Level, location: str, reasons: list[Reason]) -> tuple[Code, ...]:
        sequence = item.get(PURPOSE)
        if sequence is None:
            return ()
        items = sequence.items or ()
        if len(items) != 1:
            place = dotted(location, PURPOSE)
            reasons.append(Reason("multiplicity", f"the purpose has {len(items)} items, not one", place))
        return tuple(self._code(code) for code in items[:10])

    def _code(self, item: Level) -> Code:
        text = self._file.text
        value = next((text(item.get(tag)) for tag in (0x00080100, 0x00080119, 0x00080120) if item.get(tag)), "")
        return Code(value, text(item.get(0x00080102)), text(item.get(0x00080104)))


def _is_uid(text: str) -> bool:
    parts = text.split(".")
    return len(text) <= 64 and all(p.isascii() and p.isdigit() and (p == "0" or p[0] != "0") for p in parts)


def _is_code_string(text: str) -> bool:
    return len(text) <= 16 and all(c.isascii() and (c.isupper() or c.isdigit() or c in " _") for c in text)


def _is_datetime(text: str) -> bool:
    digits, sign, offset = text, "", ""
    for mark in "+-":
        if mark in text:
            digits, sign, offset = text.partition(mark)
    whole, point, fraction = digits.partition(".")
    return (
        whole.isascii()
        and whole.isdigit()
        and len(whole) in (4, 6, 8, 10, 12, 14)
        and (not point or (len(whole) == 14 and 0 < len(fraction) <= 6 and fraction.isdigit()))
        and (not sign or (len(offset) == 4 and offset.isdigit()))
    )


_CHECKS: Mapping[str, Callable[[str], bool]] = {"UI": _is_uid, "CS": _is_code_string, "DT": _is_datetime}
