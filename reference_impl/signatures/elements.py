"""The structure of a data set as offsets: elements, items and fragments, never their values.

Rows of a table in file order, some forty octets each, so that an object with a million elements is no burden;
`Level` (a data set) and `Element` are views made when asked for.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

ITEM = 0xFFFEE000
ITEM_DELIMITATION = 0xFFFEE00D
SEQUENCE_DELIMITATION = 0xFFFEE0DD
MAC_PARAMETERS = 0x4FFE0001
DIGITAL_SIGNATURES = 0xFFFAFFFA
PIXEL_DATA = 0x7FE00010
UNDEFINED = 0xFFFFFFFF

NO_ROW = 0xFFFFFFFF
ORDINAL = 0x80000000  # marks, in the column of VRs, the ordinal of an item or fragment


def vr_code(vr: str) -> int:
    """Return the two characters of a VR as they read as a little endian number."""
    return ord(vr[0]) | ord(vr[1]) << 8


_SHORT = ("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FL", "FD", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST", "TM")
SHORT = frozenset(map(vr_code, (*_SHORT, "UI", "UL", "US")))
"""VRs with a length of 16 bits (PS3.5 Table 7.1-2); every other, known or to come, has one of 32 (7.1.2)."""
SQ, UN = vr_code("SQ"), vr_code("UN")
_SHORT_OR_NONE = SHORT | {0}
_LONG = ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")
_VR_TEXTS = {0: ""} | {vr_code(vr): vr for vr in (*_SHORT, "UI", "UL", "US", *_LONG)}


def tag_text(tag: int) -> str:
    """Return a tag as it is printed: "(7FE0,0010)"."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def dotted(location: str, tag: int) -> str:
    """Return the place of an element in the data set at `location`."""
    return f"{location}.{tag_text(tag)}" if location else tag_text(tag)


class Table:
    """Rows in file order. A row's subtree stands between it and `nexts[row]`.

    `vrs` holds the code of the VR, 0 for elements encoded without one, ORDINAL | number for items and fragments.
    """

    __slots__ = ("ends", "lengths", "nexts", "parents", "starts", "tags", "vrs")

    def __init__(self) -> None:
        self.tags = array("I")
        self.vrs = array("I")
        self.starts = array("Q")
        self.lengths = array("I")
        self.ends = array("Q")
        self.nexts = array("I")
        self.parents = array("I")

    def __len__(self) -> int:
        return len(self.tags)

    def open(self, tag: int, vr: int, start: int, length: int, parent: int) -> int:
        """Add a row whose end is not known yet; return its number."""
        row = len(self.tags)
        self.tags.append(tag)
        self.vrs.append(vr)
        self.starts.append(start)
        self.lengths.append(length)
        self.ends.append(0)
        self.nexts.append(0)
        self.parents.append(parent)
        return row

    def close(self, row: int, end: int) -> None:
        """Say where a row ends; what was added since it was opened is within it."""
        self.ends[row] = end
        self.nexts[row] = len(self.tags)

    def truncate(self, row: int) -> None:
        """Forget `row` and all that follow."""
        for column in (self.tags, self.vrs, self.starts, self.lengths, self.ends, self.nexts, self.parents):
            del column[row:]

    def children(self, row: int) -> Iterator[int]:
        """Rows immediately below `row` (NO_ROW: the data set itself), in file order."""
        child, stop = (0, len(self.tags)) if row == NO_ROW else (row + 1, self.nexts[row])
        nexts = self.nexts
        while child < stop:
            yield child
            child = nexts[child]

    def header(self, row: int) -> int:
        """Octets before the value: tag, VR, reserved field and length."""
        vr = self.vrs[row]
        return 8 if vr in SHORT or vr == 0 or vr & ORDINAL else 12

    def holds_unknown(self, row: int) -> bool:
        """Whether the row's VR is UN or one within it is (PS3.3 C.12.1.1.3.1.1)."""
        try:
            self.vrs.index(UN, row, self.nexts[row])
        except ValueError:
            return False
        return True

    def location(self, row: int) -> str:
        """Where an item's data set is: "(0040,A730)[2]"; empty for NO_ROW."""
        parts: list[str] = []
        while row != NO_ROW:
            sequence = self.parents[row]
            parts.append(f"{tag_text(self.tags[sequence])}[{self.vrs[row] & ~ORDINAL}]")
            row = self.parents[sequence]
        return ".".join(reversed(parts))


class Element:
    """One element: offsets in the data set stream. `start` is that of its tag, `value` that of its value.

    `length` is None where undefined; `end` counts a delimiter in. `vr` is empty where none is encoded.
    """

    __slots__ = ("_row", "_table", "end", "length", "start", "tag", "value", "vr")

    def __init__(self, table: Table, row: int) -> None:
        self._table = table
        self._row = row
        self.tag = table.tags[row]
        code = table.vrs[row]
        self.vr = _VR_TEXTS[code] if code in _VR_TEXTS else chr(code & 0xFF) + chr(code >> 8)
        self.start = table.starts[row]
        self.value = self.start + (8 if code in _SHORT_OR_NONE else 12)
        length = table.lengths[row]
        self.length = None if length == UNDEFINED else length
        self.end = table.ends[row]

    def __repr__(self) -> str:
        return f"<Element {self.place} {self.vr} at {self.start}, length {self.length}>"

    @property
    def row(self) -> int:
        """Its row of the table."""
        return self._row

    @property
    def place(self) -> str:
        """Where it is: "(0040,A730)[2].(0008,0100)"."""
        return dotted(self._table.location(self._table.parents[self._row]), self.tag)

    @property
    def has_items(self) -> bool:
        """Whether it is a sequence of items (it may hold none)."""
        code = self._table.vrs[self._row]
        if self.length is None:
            return code == SQ or (code in (UN, 0) and self.tag != PIXEL_DATA)
        return code == SQ or self._table.nexts[self._row] > self._row + 1

    @property
    def items(self) -> tuple[Level, ...] | None:
        """The items of a sequence; None for any other element."""
        if not self.has_items:
            return None
        return tuple(Level(self._table, row) for row in self._table.children(self._row))

    @property
    def fragments(self) -> tuple[tuple[int, int], ...] | None:
        """Offset and length of the value of every item of encapsulated data, the offset table first; or None."""
        if self.length is not None or self.has_items:
            return None
        table = self._table
        return tuple((table.starts[row] + 8, table.lengths[row]) for row in table.children(self._row))

    @property
    def holds_unknown(self) -> bool:
        """Whether its VR is UN, or one within it is."""
        return self._table.holds_unknown(self._row)

    def nested_tags(self) -> tuple[int, ...]:
        """Tags of the elements within it at any depth, each once, ascending; neither items nor fragments."""
        below = self._table.tags[self._row + 1 : self._table.nexts[self._row]]
        return tuple(sorted(set(below) - {ITEM}))


class Level:
    """One data set: that of the file, or an item's. `start` and `end` enclose its elements, without delimiters."""

    __slots__ = ("_index", "_row", "_table", "end", "start")

    def __init__(self, table: Table, row: int = NO_ROW, start: int = 0, end: int = 0) -> None:
        self._table = table
        self._row = row
        self._index: dict[int, list[int]] | None = None
        if row == NO_ROW:
            self.start, self.end = start, end
        else:
            self.start = table.starts[row] + 8
            self.end = table.ends[row] - (8 if table.lengths[row] == UNDEFINED else 0)

    def __repr__(self) -> str:
        return f"<Level {self.location or 'top'} {self.start}-{self.end}>"

    @property
    def table(self) -> Table:
        """The table of the whole data set."""
        return self._table

    @property
    def row(self) -> int:
        """The item's row of the table, NO_ROW at the top."""
        return self._row

    @property
    def location(self) -> str:
        """Its place: "" for the top, "(0040,A730)[2]" for an item."""
        return self._table.location(self._row)

    @property
    def number(self) -> int:
        """Which item of its sequence it is, from 1; 0 for the top."""
        return 0 if self._row == NO_ROW else self._table.vrs[self._row] & ~ORDINAL

    @property
    def item_length(self) -> int | None:
        """The length of the item as encoded, None where undefined and at the top."""
        length = UNDEFINED if self._row == NO_ROW else self._table.lengths[self._row]
        return None if length == UNDEFINED else length

    @property
    def parent(self) -> Element | None:
        """The sequence of which it is an item."""
        return None if self._row == NO_ROW else Element(self._table, self._table.parents[self._row])

    @property
    def enclosing(self) -> Level | None:
        """The data set that holds that sequence."""
        return None if self._row == NO_ROW else Level(self._table, self._table.parents[self._table.parents[self._row]])

    @property
    def explicit(self) -> bool:
        """Whether every element in it is encoded with its VR."""
        vrs = self._table.vrs
        return all(vrs[row] != 0 for row in self._table.children(self._row))

    @property
    def elements(self) -> tuple[Element, ...]:
        """Its elements in file order."""
        return tuple(Element(self._table, row) for row in self._table.children(self._row))

    def rows(self, tag: int) -> list[int]:
        """Rows of the elements with that tag."""
        if self._index is None:
            index: dict[int, list[int]] = {}
            tags = self._table.tags
            for row in self._table.children(self._row):
                index.setdefault(tags[row], []).append(row)
            self._index = index
        return self._index.get(tag, [])

    def get(self, tag: int) -> Element | None:
        """The first element with that tag."""
        rows = self.rows(tag)
        return Element(self._table, rows[0]) if rows else None

    def all(self, tag: int) -> tuple[Element, ...]:
        """Every element with that tag: more than one where the data set is faulty (PS3.5 7.1)."""
        return tuple(Element(self._table, row) for row in self.rows(tag))
