"""Walks an encoded data set (PS3.5 7) and notes the offsets of elements, items and fragments."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import BinaryIO

from reference_impl.signatures.elements import (
    ITEM,
    ITEM_DELIMITATION,
    NO_ROW,
    ORDINAL,
    PIXEL_DATA,
    SEQUENCE_DELIMITATION,
    SHORT,
    SQ,
    UN,
    UNDEFINED,
    Table,
    dotted,
    vr_code,
)

_LONG = frozenset(map(vr_code, ["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"]))
_LETTERS = range(ord("A"), ord("Z") + 1)
_EXPLICIT, _IMPLICIT, _PROBING = range(3)  # _PROBING: without VRs, and values that read as sequences are taken for such
_SMALL_WINDOW, _LARGE_WINDOW = 4096, 65536


class UnreadableError(Exception):
    """A file cannot be read: `place` is the element in question, empty where there is none."""

    def __init__(self, place: str, text: str) -> None:
        super().__init__(f"{place}: {text}" if place else text)
        self.place = place
        self.text = text


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading one file may cost: nesting of sequences, elements of one data set (a signature can list 16,383),
    elements with items and fragments in all, inflated octets.
    """

    depth: int = 64
    elements: int = 32_768
    rows: int = 1_000_000
    inflated: int = 1 << 30


class Window:
    """Octets of a stream by offset, read ahead: little after a leap, more while reading goes on."""

    __slots__ = ("_ahead", "_stream", "octets", "size", "start")

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self.size = size
        self.start = 0
        self.octets = b""
        self._ahead = _SMALL_WINDOW

    def load(self, offset: int, length: int) -> None:
        """Have `length` octets from `offset` (fewer at the end of the stream) in `octets`, from `start`."""
        near = self.start <= offset <= self.start + len(self.octets)
        self._ahead = min(self._ahead * 2, _LARGE_WINDOW) if near else _SMALL_WINDOW
        self._stream.seek(offset)
        wanted = max(self._ahead, length)
        octets = self._stream.read(wanted) or b""
        while len(octets) < length:  # an unbuffered stream may give less than it has
            more = self._stream.read(wanted - len(octets))
            if not more:
                break
            octets += more
        self.start, self.octets = offset, octets

    def read(self, offset: int, length: int) -> bytes:
        """Return octets. Raises UnreadableError where there are not so many."""
        index = offset - self.start
        if index < 0 or index + length > len(self.octets):
            if offset < 0 or offset + length > self.size:
                raise UnreadableError("", f"the file ends before offset {offset + length}")
            self.load(offset, length)
            index = 0
        found = self.octets[index : index + length]
        if len(found) < length:
            raise UnreadableError("", f"the file ends before offset {offset + length}")
        return found


class Parser:
    """Parses one data set into `table`. Raises UnreadableError with the place where something is amiss."""

    def __init__(self, window: Window, limits: Limits, little_endian: bool) -> None:
        self.table = Table()
        self._window = window
        self._limits = limits
        self._little = little_endian
        self._depth = 0
        order = "<" if little_endian else ">"
        self._halves = Struct(order + "HHHH").unpack_from
        self._word = Struct(order + "I").unpack_from

    @staticmethod
    def plain_header(window: Window, position: int) -> tuple[int, int, int]:
        """Read the header of a meta information element: element number, offset and length of the value."""
        head = window.read(position, 8)
        vr = head[4] | head[5] << 8
        number = int.from_bytes(head[2:4], "little")
        if vr in SHORT:
            return number, position + 8, int.from_bytes(head[6:8], "little")
        if vr not in _LONG:
            raise UnreadableError(f"(0002,{number:04X})", "an element of the meta information has no VR")
        return number, position + 12, int.from_bytes(window.read(position + 8, 4), "little")

    def data_set(self, start: int, end: int, explicit: bool) -> None:
        """Parse the elements from `start` to `end`."""
        self._elements(start, end, NO_ROW, _EXPLICIT if explicit else _PROBING, False)

    def _fail(self, parent: int, tag: int | None, text: str) -> UnreadableError:
        location = self.table.location(parent)
        return UnreadableError(location if tag is None else dotted(location, tag), text)

    def _elements(  # noqa: PLR0912, PLR0915 - one loop, run once for every element
        self, position: int, end: int, parent: int, mode: int, delimited: bool
    ) -> int:
        """Parse the elements of one data set, up to `end` or to its delimiter; return the offset behind."""
        table, window, limit = self.table, self._window, self._limits.rows
        tags, vrs, starts, lengths = table.tags, table.vrs, table.starts, table.lengths
        ends, nexts, parents = table.ends, table.nexts, table.parents
        halves, little, left = self._halves, self._little, self._limits.elements
        while delimited or position < end:
            if position + 8 > end:
                what = "an item of undefined length has no end" if delimited else "octets are left over at the end"
                raise self._fail(parent, None, f"{what} (offset {position})")
            index = position - window.start
            if index < 0 or index + 12 > len(window.octets):
                window.load(position, 12)
                index = 0
                if len(window.octets) < 8:
                    raise self._fail(parent, None, f"the file ends at offset {position}")
            group, number, vr, length = halves(window.octets, index)
            tag = group << 16 | number
            header = 8
            if group == 0xFFFE:
                if delimited and tag == ITEM_DELIMITATION and vr == 0 and length == 0:
                    return position + 8
                raise self._fail(parent, tag, f"an item or a delimiter where an element is due (offset {position})")
            if mode == _EXPLICIT:
                if not little:
                    vr = (vr & 0xFF) << 8 | vr >> 8
                if vr not in SHORT:
                    if vr not in _LONG and not (vr & 0xFF in _LETTERS and vr >> 8 in _LETTERS):
                        raise self._fail(parent, tag, f"the element has no value representation (offset {position})")
                    if position + 12 > end:
                        raise self._fail(parent, tag, f"the element breaks off (offset {position})")
                    header = 12
                    (length,) = self._word(window.octets, index + 8)
            else:
                (length,) = self._word(window.octets, index + 4)
                vr = 0
            row = len(tags)
            if row >= limit:
                raise self._fail(parent, tag, f"there are more than {limit} elements, items and fragments")
            left -= 1
            if left < 0:
                raise self._fail(parent, tag, f"the data set has more than {self._limits.elements} elements")
            tags.append(tag)
            vrs.append(vr)
            starts.append(position)
            lengths.append(length)
            parents.append(parent)
            value = position + header
            if length == UNDEFINED:
                ends.append(0)
                nexts.append(0)
                position = self._undefined(row, value, end, mode)
            else:
                position = value + length
                if position > end:
                    raise self._fail(parent, tag, f"the value (length {length}) leads beyond its data set or the file")
                ends.append(position)
                nexts.append(row + 1)
                if vr == SQ:
                    self._items(row, value, position, mode, False)
                    nexts[row] = len(tags)
                elif mode == _PROBING and length >= 8:
                    self._probe(row, value, position)
        return position

    def _undefined(self, row: int, value: int, end: int, mode: int) -> int:
        """Parse what an element of undefined length holds; return the offset behind it."""
        table = self.table
        vr, tag = table.vrs[row], table.tags[row]
        if vr == SQ:
            position = self._items(row, value, end, mode, True)
        elif vr in SHORT:
            raise self._fail(table.parents[row], tag, "a length that is undefined")
        elif vr in (0, UN) and tag != PIXEL_DATA:  # UN of undefined length: items without VR (PS3.5 6.2.2)
            position = self._items(row, value, end, max(mode, _IMPLICIT), True)
        else:
            position = self._fragments(row, value, end)
        table.close(row, position)
        return position

    def _probe(self, row: int, value: int, end: int) -> None:
        """Take an element without VR for a sequence if its value reads as one."""
        first = self._window.read(value, 4)
        if first != (b"\xfe\xff\x00\xe0" if self._little else b"\xff\xfe\xe0\x00"):
            return
        depth = self._depth
        try:
            self._items(row, value, end, _PROBING, False)
        except UnreadableError:
            if len(self.table) >= self._limits.rows:
                raise
            self._depth = depth
            self.table.truncate(row + 1)
        self.table.nexts[row] = len(self.table)

    def _items(self, row: int, position: int, end: int, mode: int, delimited: bool) -> int:
        """Parse the items of a sequence; return the offset behind it."""
        table = self.table
        self._depth += 1
        if self._depth > self._limits.depth:
            place = table.location(table.parents[row])
            raise UnreadableError(place, f"sequences are nested more than {self._limits.depth} deep")
        ordinal = 0
        while delimited or position < end:
            tag, length = self._item_header(row, position, end)
            value = position + 8
            if tag == SEQUENCE_DELIMITATION and delimited:
                position = value
                break
            ordinal += 1
            if tag != ITEM:
                raise self._fail(table.parents[row], table.tags[row], f"no item where one is due (offset {position})")
            item = self._open(row, ordinal, position, length)
            if length == UNDEFINED:
                position = self._elements(value, end, item, mode, True)
            else:
                position = value + length
                if position > end:
                    raise self._fail(item, None, f"the item (length {length}) leads beyond its sequence or the file")
                self._elements(value, position, item, mode, False)
            table.close(item, position)
        self._depth -= 1
        return position

    def _fragments(self, row: int, position: int, end: int) -> int:
        """Parse the items of encapsulated data (PS3.5 A.4); return the offset behind it."""
        table = self.table
        ordinal = 0
        while True:
            tag, length = self._item_header(row, position, end)
            value = position + 8
            if tag == SEQUENCE_DELIMITATION:
                return value
            ordinal += 1
            place = f"item {ordinal} (offset {position})"
            if tag != ITEM:
                raise self._fail(table.parents[row], table.tags[row], f"no item of encapsulated data: {place}")
            if length > end - value:
                text = f"{place} of encapsulated data leads beyond the file"
                raise self._fail(table.parents[row], table.tags[row], text)
            fragment = self._open(row, ordinal, position, length)
            position = value + length
            table.close(fragment, position)

    def _open(self, row: int, ordinal: int, position: int, length: int) -> int:
        if len(self.table) >= self._limits.rows:
            text = f"there are more than {self._limits.rows} elements, items and fragments"
            raise self._fail(self.table.parents[row], self.table.tags[row], text)
        return self.table.open(ITEM, ORDINAL | ordinal, position, length, row)

    def _item_header(self, row: int, position: int, end: int) -> tuple[int, int]:
        """Read the tag and the length of an item or a delimiter."""
        window = self._window
        index = position - window.start
        if position + 8 > end:
            text = f"the sequence or the encapsulated data has no end (offset {position})"
            raise self._fail(self.table.parents[row], self.table.tags[row], text)
        if index < 0 or index + 8 > len(window.octets):
            window.load(position, 8)
            index = 0
            if len(window.octets) < 8:
                raise UnreadableError("", f"the file ends at offset {position}")
        group, number, _, _ = self._halves(window.octets, index)
        (length,) = self._word(window.octets, index + 4)
        tag = group << 16 | number
        if tag == SEQUENCE_DELIMITATION and length != 0:
            raise self._fail(self.table.parents[row], self.table.tags[row], "a delimiter with a length")
        return tag, length
