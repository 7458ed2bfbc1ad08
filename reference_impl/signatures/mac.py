"""The byte stream of which a MAC is formed: PS3.3 C.12.1.1.3.1.1 (what is in it) and C.12.1.1.3.1.2 (how).

A data set in Explicit VR Little Endian is encoded as the stream wants it but for lengths and delimiters. So pieces of
the file go to the hash as they stand; large values are read in chunks and never held. Every Explicit VR Little
Endian transfer syntax encodes elements alike (that of a deflated one before it is deflated); only encapsulated pixel
data are bound to the transfer syntax of the object.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from reference_impl.signatures.algorithms import Hash, algorithm_of
from reference_impl.signatures.elements import (
    ITEM_DELIMITATION,
    MAC_PARAMETERS,
    SHORT,
    SQ,
    UN,
    UNDEFINED,
    Level,
    Table,
)
from reference_impl.signatures.parsing import UnreadableError
from reference_impl.signatures.reader import DicomFile

LENGTH_TO_END = 0x00080001
TRAILING_PADDING = 0xFFFCFFFC
CERTIFICATE_OF_SIGNER, SIGNATURE = 0x04000115, 0x04000120
CERTIFIED_TIMESTAMP_TYPE, CERTIFIED_TIMESTAMP = 0x04000305, 0x04000310
NOT_OF_THE_ITEM = frozenset({CERTIFICATE_OF_SIGNER, SIGNATURE, CERTIFIED_TIMESTAMP_TYPE, CERTIFIED_TIMESTAMP})
"""Attributes of the signature's own item that are not in the MAC (C.12.1.1.3.1.2)."""

_EXCLUDED = frozenset({LENGTH_TO_END, MAC_PARAMETERS, TRAILING_PADDING, ITEM_DELIMITATION})
_SEQUENCE_DELIMITER = b"\xfe\xff\xdd\xe0"
_ITEM_DELIMITER = b"\xfe\xff\x0d\xe0"
_NO_LENGTH = b"\0\0\0\0"
_SMALL = 16384
_BATCH = 65536

Piece = bytes | tuple[int, int]  # octets, or offset and length of octets of the file


@dataclass(frozen=True, slots=True)
class Variant:
    """How the stream is formed; the defaults are right. Each deviation breaks one rule of C.12.1.1.3.1.1 or .2."""

    sequence_delimiters: bool = True
    item_delimiters: bool = False
    delimiter_lengths: bool = False  # a delimiter's length of zero
    sequence_lengths: bool = False  # as encoded, of sequences and of their items
    item_tags: bool = True
    value_lengths: bool = True  # of elements that are not sequences
    representations: bool = True  # the VR and the reserved field
    group_lengths: bool = False
    unknown: bool = False  # elements that are UN, and sequences that hold one
    nested_signatures: bool = False  # group FFFA and (4FFE,0001) within items
    trimmed: bool = False  # values without their padding
    repeated: bool = True  # elements that stand in a data set again (PS3.5 7.1 does not allow it)
    fragment_tags: bool = True
    fragment_lengths: bool = False
    fragment_delimiter: bool = True
    order: Literal["encountered", "listed"] = "encountered"
    item_fields: Literal["right", "none", "certificate"] = "right"


CORRECT = Variant()

VARIANTS: Mapping[str, Variant] = {
    "sequence-delimiters-omitted": Variant(sequence_delimiters=False),
    "item-delimiters-included": Variant(item_delimiters=True),
    "delimiter-lengths-included": Variant(delimiter_lengths=True),
    "lengths-included": Variant(sequence_lengths=True),
    "item-tags-omitted": Variant(item_tags=False),
    "value-lengths-omitted": Variant(value_lengths=False),
    "representations-omitted": Variant(representations=False),
    "group-lengths-included": Variant(group_lengths=True),
    "unknown-included": Variant(unknown=True),
    "nested-signatures-included": Variant(nested_signatures=True),
    "values-trimmed": Variant(trimmed=True),
    "encapsulated-item-tags-omitted": Variant(fragment_tags=False),
    "encapsulated-lengths-included": Variant(fragment_lengths=True),
    "encapsulated-delimiter-omitted": Variant(fragment_delimiter=False),
    "listed-order": Variant(order="listed"),
    "signature-fields-omitted": Variant(item_fields="none"),
    "signature-fields-all": Variant(item_fields="certificate"),
}
"""Wrong ways of forming the stream, by the name under which they are reported. The last one takes in the Certificate
of Signer too; the signature and what follows it cannot be in a MAC of which they are made."""


def is_excluded(tag: int, vr: str, holds_unknown: bool = False) -> bool:
    """Whether C.12.1.1.3.1.1 keeps an element out of a MAC and its tag out of Data Elements Signed."""
    group = tag >> 16
    return (
        group < 8
        or tag & 0xFFFF == 0
        or group == 0xFFFA
        or tag in _EXCLUDED
        or vr == "UN"
        or (vr == "SQ" and holds_unknown)
    )


def signable(level: Level) -> tuple[int, ...]:
    """Return the tags of all elements of a data set that may be signed, in file order."""
    return tuple(e.tag for e in level.elements if not is_excluded(e.tag, e.vr, e.holds_unknown))


def mac_parts(
    file: DicomFile, level: Level, tags: Iterable[int], variant: Variant = CORRECT
) -> Iterator[bytes | memoryview]:
    """Yield the part of the stream that stems from the elements of `level` whose tags are listed.

    Each piece is done with before the next is asked for: large values share one buffer. Listed elements that are
    absent or excluded add nothing. Raises UnreadableError where the data set is not Explicit VR Little Endian.
    """
    _demand_explicit(file)
    stream = _Stream(file, variant)
    return stream.octets(stream.listed(level, tags))


def signature_item_parts(file: DicomFile, item: Level, variant: Variant = CORRECT) -> Iterator[bytes | memoryview]:
    """Yield the part of the stream that stems from an item of the Digital Signatures Sequence.

    Raises UnreadableError where it is not Explicit VR Little Endian.
    """
    _demand_explicit(file)
    stream = _Stream(file, variant)
    return stream.octets(stream.signature_item(item))


def feed(hashing: Hash, parts: Iterable[bytes | memoryview]) -> Hash:
    """Hash the pieces of a stream; return the hash."""
    update = hashing.update
    for part in parts:
        update(part)
    return hashing


def digest(name: str, parts: Iterable[bytes | memoryview]) -> bytes:
    """Return the MAC of a stream by the algorithm of that defined term. Raises UnknownAlgorithmError."""
    return feed(algorithm_of(name).new(), parts).digest()


def _demand_explicit(file: DicomFile) -> None:
    if not file.explicit or not file.little_endian:
        raise UnreadableError("", f"transfer syntax {file.transfer_syntax} is not Explicit VR Little Endian")


class _Stream:
    """Forms one stream, in one variant."""

    def __init__(self, file: DicomFile, variant: Variant) -> None:
        self._file = file
        self._table: Table = file.table
        self._variant = variant
        # the shortest way: elements that are no sequences are taken from the file as they stand
        self._as_they_stand = variant.value_lengths and variant.representations and not variant.trimmed

    def listed(self, level: Level, tags: Iterable[int]) -> Iterator[Piece]:
        """Pieces of the listed elements of a data set, in the order in which they appear."""
        table, variant = self._table, self._variant
        if variant.order == "listed":
            wanted = dict.fromkeys(tags)
            rows: Iterable[int] = [row for tag in wanted for row in level.rows(tag)[: None if variant.repeated else 1]]
        else:
            chosen = frozenset(tags)
            rows = (row for row in self._children(level.row) if table.tags[row] in chosen)
        for row in rows:
            if not self._is_excluded(row, top=True):
                yield from self._element(row)

    def signature_item(self, item: Level) -> Iterator[Piece]:
        """Pieces of the elements of the signature's own item."""
        fields = self._variant.item_fields
        if fields == "none":
            return
        left_out = NOT_OF_THE_ITEM - {CERTIFICATE_OF_SIGNER} if fields == "certificate" else NOT_OF_THE_ITEM
        table = self._table
        for row in self._children(item.row):
            if table.tags[row] not in left_out and not self._is_excluded(row):
                yield from self._element(row)

    def octets(self, pieces: Iterator[Piece]) -> Iterator[bytes | memoryview]:
        """Join neighbouring pieces, read them, and gather small ones."""
        file, gathered = self._file, bytearray()
        for piece in _joined(pieces):
            if isinstance(piece, bytes):
                gathered += piece
            elif piece[1] <= _SMALL:
                gathered += file.read(*piece)
            else:
                if gathered:
                    yield bytes(gathered)
                    gathered.clear()
                yield from file.chunks(*piece)
            if len(gathered) >= _BATCH:
                yield bytes(gathered)
                gathered.clear()
        if gathered:
            yield bytes(gathered)

    def _children(self, row: int) -> Iterator[int]:
        """Rows of the elements of a data set."""
        children = self._table.children(row)
        if self._variant.repeated:
            return children
        tags = self._table.tags
        first: dict[int, int] = {}
        return (each for each in children if first.setdefault(tags[each], each) == each)

    def _is_excluded(self, row: int, top: bool = False) -> bool:
        table, variant = self._table, self._variant
        tag, vr = table.tags[row], table.vrs[row]
        group = tag >> 16
        if vr == UN or (vr == SQ and table.holds_unknown(row)):
            return not variant.unknown
        if group == 0xFFFA or tag == MAC_PARAMETERS:
            return top or not variant.nested_signatures
        if tag & 0xFFFF == 0 and group >= 8:
            return not variant.group_lengths
        return group < 8 or tag in _EXCLUDED

    def _elements(self, rows: Iterable[int]) -> Iterator[Piece]:
        """Pieces of those of the elements that are not excluded; such as follow each other are one piece."""
        table = self._table
        begin = stop = 0
        for row in rows:
            if self._is_excluded(row):
                continue
            if table.vrs[row] == SQ or table.lengths[row] == UNDEFINED or not self._as_they_stand:
                if stop:
                    yield begin, stop - begin
                    stop = 0
                yield from self._element(row)
                continue
            start = table.starts[row]
            if start != stop:
                if stop:
                    yield begin, stop - begin
                begin = start
            stop = table.ends[row]
        if stop:
            yield begin, stop - begin

    def _element(self, row: int) -> Iterator[Piece]:
        table = self._table
        vr = table.vrs[row]
        if vr == SQ or (vr == UN and table.nexts[row] > row + 1):
            yield from self._sequence(row)
        elif table.lengths[row] == UNDEFINED:
            yield from self._encapsulated(row)
        elif self._as_they_stand:
            start = table.starts[row]
            yield start, table.ends[row] - start
        else:
            yield from self._plain(row)

    def _plain(self, row: int) -> Iterator[Piece]:
        """An element that is no sequence, in a variant that changes it."""
        table, variant = self._table, self._variant
        start, vr, length = table.starts[row], table.vrs[row], table.lengths[row]
        header = table.header(row)
        value = start + header
        shortened = length
        if variant.trimmed and 0 < length <= _SMALL and vr in SHORT:
            shortened = len(self._file.read(value, length).rstrip(b" \0"))
        yield start, 4
        width = 2 if header == 8 else 4
        if variant.representations:
            yield start + 4, header - 4 - width
        if variant.value_lengths:
            yield shortened.to_bytes(width, "little")
        yield value, shortened

    def _heading(self, row: int) -> Iterator[Piece]:
        """Tag, VR and reserved field of a sequence or of encapsulated data."""
        start = self._table.starts[row]
        yield start, 8 if self._variant.representations else 4

    def _sequence(self, row: int) -> Iterator[Piece]:
        table, variant = self._table, self._variant
        yield from self._heading(row)
        if variant.sequence_lengths:
            yield table.starts[row] + 8, 4
        for item in table.children(row):
            start = table.starts[item]
            if variant.item_tags:
                yield start, 4
            if variant.sequence_lengths:
                yield start + 4, 4
            yield from self._elements(self._children(item))
            if variant.item_delimiters:
                yield from self._delimiter(_ITEM_DELIMITER)
        if variant.sequence_delimiters:
            yield from self._delimiter(_SEQUENCE_DELIMITER)

    def _encapsulated(self, row: int) -> Iterator[Piece]:
        table, variant = self._table, self._variant
        yield from self._heading(row)
        for fragment in table.children(row):
            start = table.starts[fragment]
            if variant.fragment_tags:
                yield start, 4
            if variant.fragment_lengths:
                yield start + 4, 4
            yield start + 8, table.lengths[fragment]
        if variant.fragment_delimiter:
            yield from self._delimiter(_SEQUENCE_DELIMITER)

    def _delimiter(self, tag: bytes) -> Iterator[Piece]:
        yield tag + _NO_LENGTH if self._variant.delimiter_lengths else tag


def _joined(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Make one piece of such as follow each other in the file."""
    offset = length = 0
    for piece in pieces:
        if isinstance(piece, bytes):
            if length:
                yield offset, length
                length = 0
            yield piece
        elif length and piece[0] == offset + length:
            length += piece[1]
        else:
            if length:
                yield offset, length
            offset, length = piece
    if length:
        yield offset, length
