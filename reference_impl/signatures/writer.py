"""Writing a DICOM file anew with elements added: every other octet as it stands, enclosing lengths corrected.

Nothing is decoded and nothing is loaded whole. What encloses an addition and has a defined length grows with it: items,
sequences, and the group lengths and Length to End (0008,0001) that some files still carry.
"""

from __future__ import annotations

import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from reference_impl.signatures.elements import SHORT, UNDEFINED, Element, Level, vr_code
from reference_impl.signatures.keys import SigningError
from reference_impl.signatures.reader import EXPLICIT_LITTLE_ENDIAN, DicomFile, UnreadableError

_LENGTH_TO_END = 0x00080001
_CHUNK = 256 * 1024
_ITEM_DELIMITATION = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
_SEQUENCE_DELIMITATION = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def element(tag: int, vr: str, value: bytes) -> bytes:
    """Encode an element, Explicit VR Little Endian (PS3.5 7.1.2); an odd value is padded as its VR demands."""
    if len(value) % 2:
        value += b"\0" if vr in {"OB", "UI", "UN"} else b" "
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode("ascii"))
    length = struct.pack("<HI", 0, len(value)) if vr_code(vr) not in SHORT else struct.pack("<H", len(value))
    return head + length + value


def item(*elements: bytes, undefined: bool = False) -> bytes:
    """Encode a sequence item (PS3.5 7.5) of encoded elements, of defined length unless `undefined`."""
    content = b"".join(elements)
    head = struct.pack("<HHI", 0xFFFE, 0xE000, UNDEFINED if undefined else len(content))
    return head + content + (_ITEM_DELIMITATION if undefined else b"")


def sequence(tag: int, *items: bytes, undefined: bool = False) -> bytes:
    """Encode a sequence (PS3.5 7.5) of encoded items, of defined length unless `undefined`."""
    content = b"".join(items)
    head = struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, b"SQ", 0, UNDEFINED if undefined else len(content))
    return head + content + (_SEQUENCE_DELIMITATION if undefined else b"")


@dataclass(frozen=True, slots=True)
class Splice:
    """`removed` octets at `offset` give way to `octets`."""

    offset: int
    removed: int
    octets: bytes


@dataclass
class Edit:
    """Collects what is added to a data set. An offset may be added to several times: outer levels come behind inner."""

    file: DicomFile
    _added: list[tuple[int, int, int, bytes]] = field(default_factory=list)  # offset, -depth, tag, octets
    _growing: dict[int, tuple[int, int]] = field(default_factory=dict)  # offset of a length: the length, its growth

    def add(self, level: Level, tag: int, items: Sequence[bytes], *, undefined: bool = False) -> None:
        """Add encoded `items` to the sequence `tag` of `level`, behind those it has; make it where there is none.

        A sequence is added to once. Raises `SigningError` where the element is there and is no sequence, or `level`
        is one that cannot be added to.
        """
        there = level.get(tag)
        if there is None:
            octets = sequence(tag, *items, undefined=undefined)
            self._insert(level, _position(level, tag), tag, octets, within=0)
            return
        if there.vr != "SQ":
            raise SigningError(
                f"{there.place}: nothing can be added to it, its VR is {there.vr}; convert the file so that it is SQ"
            )
        octets = b"".join(items)
        if there.length is not None:
            self._grow(there.value - 4, there.length, len(octets))
        end = there.end - (len(_SEQUENCE_DELIMITATION) if there.length is None else 0)
        self._insert(level, end, tag, octets, within=1)

    def splices(self) -> list[Splice]:
        """What is to be changed, in the order of the file. Raises `SigningError` where a length becomes too large."""
        found = [Splice(offset, 0, octets) for offset, _, _, octets in sorted(self._added)]
        for offset, (length, growth) in self._growing.items():
            if length + growth >= UNDEFINED:
                raise SigningError("a sequence would become longer than 4 GB; write it with undefined length first")
            found.append(Splice(offset, 4, struct.pack("<I", length + growth)))
        return sorted(found, key=lambda each: each.offset)  # stable: additions at one offset keep their order

    def _insert(self, level: Level, offset: int, tag: int, octets: bytes, within: int) -> None:
        """Note an insertion, and what grows with it. `within`: 1 if it goes into the sequence `tag`, 0 beside it."""
        growth, depth = len(octets), within
        self._grow_group(level, tag, growth)
        inner = level
        while (enclosing := inner.parent) is not None and (outer := inner.enclosing) is not None:
            if enclosing.vr != "SQ" or not inner.explicit:
                raise SigningError(
                    f"{enclosing.place}: nothing can be signed in it, its VR is {enclosing.vr or 'unknown'}"
                )
            if enclosing.length is not None:
                self._grow(enclosing.value - 4, enclosing.length, growth)
            if inner.item_length is not None:
                self._grow(inner.start - 4, inner.item_length, growth)
            self._grow_group(outer, enclosing.tag, growth)
            inner, depth = outer, depth + 2
        self._grow_value(self.file.root.get(_LENGTH_TO_END), growth)
        self._added.append((offset, -depth, tag, octets))

    def _grow_group(self, level: Level, tag: int, growth: int) -> None:
        self._grow_value(level.get(tag & 0xFFFF0000), growth)

    def _grow_value(self, length_element: Element | None, growth: int) -> None:
        """Enlarge a length that is an element's value: a group length, Length to End."""
        if length_element is not None and length_element.length == 4:
            (length,) = struct.unpack("<I", self.file.read(length_element.value, 4))
            self._grow(length_element.value, length, growth)

    def _grow(self, offset: int, length: int, growth: int) -> None:
        self._growing[offset] = (length, self._growing.get(offset, (length, 0))[1] + growth)


def _position(level: Level, tag: int) -> int:
    """Where an element goes: before the first of a higher tag, else at the end of the level."""
    return next((each.start for each in level.elements if each.tag > tag), level.end)


def write(file: DicomFile, splices: Sequence[Splice], target: Path) -> None:
    """Write `file` with `splices` to `target`, which appears whole or not at all and may replace another.

    A deflated data set is deflated again (PS3.5 A.5). Raises OSError where that is not possible, `SigningError` for a
    file that was opened from a stream.
    """
    if file.path is None:
        raise SigningError("only files can be written anew; name one")
    with _appearing(target) as out:
        if not file.deflated:
            _write_spliced(file, splices, out)
            return
        with file.path.open("rb") as source:
            _put(out, source.read(file.meta_end))
        compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        written = sum(_put(out, compressor.compress(piece)) for piece in _spliced(file, splices))
        written += _put(out, compressor.flush())
        _put(out, b"\0" * (written % 2))


def _spliced(file: DicomFile, splices: Sequence[Splice]) -> Iterator[bytes | memoryview]:
    offset = 0
    for splice in splices:
        yield from file.chunks(offset, splice.offset - offset)
        yield splice.octets
        offset = splice.offset + splice.removed
    yield from file.chunks(offset, file.size - offset)


def _write_spliced(
    file: DicomFile, splices: Sequence[Splice], out: FileIO, resolve: Callable[[bytes], bytes] | None = None
) -> None:
    """Write a file that is not deflated. What comes in goes through `resolve`."""
    offset = 0
    for splice in splices:
        _copy(file, out, offset, splice.offset - offset)
        _put(out, resolve(splice.octets) if resolve is not None else splice.octets)
        offset = splice.offset + splice.removed
    _copy(file, out, offset, file.size - offset)


def _copy(file: DicomFile, out: FileIO, offset: int, length: int) -> None:
    """Copy octets of a file, within the kernel where it can do that. The file's own position stays as it is."""
    source = file.fileno()
    if hasattr(os, "copy_file_range") and length > _CHUNK:
        with suppress(OSError):  # not between these file systems: what is left is copied by hand
            while length and (count := os.copy_file_range(source, out.fileno(), length, offset)):
                offset, length = offset + count, length - count
    while length:
        piece = os.pread(source, min(length, _CHUNK), offset)
        if not piece:
            raise UnreadableError("", f"the file ends at offset {offset}, within a value")
        _put(out, piece)
        offset, length = offset + len(piece), length - len(piece)


def _put(out: FileIO, octets: bytes | memoryview) -> int:
    """Write all of `octets`; return how many they are."""
    left = memoryview(octets)
    while left:
        left = left[out.write(left) :]
    return len(octets)


class LateWriting:
    """Writes a file in a thread while some of what comes in is still being made; a context that waits for the end.

    `awaited` are octets in `splices` that stand for others, as long as they; `resolve` says which. Of the file, nothing
    but its descriptor is used. Target and errors are those of `write`; a deflated file cannot be written so.
    """

    def __init__(self, file: DicomFile, splices: Sequence[Splice], target: Path, awaited: Sequence[bytes]) -> None:
        self._arguments = file, splices, target
        self._awaited = awaited
        self._made: Sequence[bytes] | None = None
        self._known = threading.Event()
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="writing")

    def __enter__(self) -> LateWriting:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: object) -> None:
        self._known.set()
        self._thread.join()
        if kind is None and self._problem is not None:
            raise self._problem

    def resolve(self, made: Sequence[bytes]) -> None:
        """Say what stands in the place of what was awaited."""
        self._made = made
        self._known.set()

    def _run(self) -> None:
        file, splices, target = self._arguments
        try:
            with _appearing(target) as out:
                _write_spliced(file, splices, out, self._resolved)
        except BaseException as problem:
            self._problem = problem

    def _resolved(self, octets: bytes) -> bytes:
        if not any(each in octets for each in self._awaited):
            return octets
        self._known.wait()
        if self._made is None:
            raise SigningError("nothing was made to be written")
        for awaited, made in zip(self._awaited, self._made, strict=True):
            octets = octets.replace(awaited, made)
        return octets


def demand_explicit(file: DicomFile) -> None:
    """Raise `SigningError` unless the data set is Explicit VR Little Endian."""
    if not (file.explicit and file.little_endian):
        found = "big endian" if file.explicit else "without explicit VRs"
        raise SigningError(
            f"it is encoded {found} (transfer syntax {file.transfer_syntax}) and cannot be signed as it stands; "
            "convert it to Explicit VR Little Endian first, for example with dcmconv +te"
        )


def transfer_syntax_of(file: DicomFile) -> str:
    """The MAC Calculation Transfer Syntax UID to state for what `file` holds.

    That of the file where its pixel data are encapsulated; any other data set is the same octets in Explicit VR Little
    Endian, that of a deflated file too.
    """
    encapsulated = any(each.length is None and each.fragments is not None for each in file.root.elements)
    return file.transfer_syntax if encapsulated else EXPLICIT_LITTLE_ENDIAN


@contextmanager
def partial_file(target: Path) -> Iterator[Path]:
    """A name beside `target` for a file that is not finished; what is there in the end is removed."""
    partial = target.with_name(f".ps315-{os.urandom(8).hex()}.part")
    try:
        yield partial
    finally:
        with suppress(OSError):
            partial.unlink()


@contextmanager
def _appearing(target: Path) -> Iterator[FileIO]:
    """A file that becomes `target` when all went well."""
    with partial_file(target) as partial:
        with partial.open("xb", buffering=0) as out:
            yield out
        partial.replace(target)
