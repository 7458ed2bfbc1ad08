"""Opens DICOM files (PS3.10) and finds the structure of their data sets without holding their values in memory.

Only what reading needs is here: nothing is interpreted, corrected or completed by dictionary. Whatever a file
holds, opening it ends in a `DicomFile` or an `UnreadableError` within the limits given.
"""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from reference_impl.signatures.elements import Element, Level
from reference_impl.signatures.parsing import Limits, Parser, UnreadableError, Window

__all__ = ["DicomFile", "Limits", "NotDicomError", "UnreadableError", "open_data_set", "open_dicom"]

IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
DEFLATED_SYNTAXES = frozenset({DEFLATED, "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
"""Transfer syntaxes whose data set is deflated: PS3.5 A.5, A.7 (JPIP Referenced Deflate, JPIP HTJ2K)."""
EXPLICIT_BIG_ENDIAN = "1.2.840.10008.1.2.2"

_PREAMBLE = 128
_CHUNK = 4 * 1024 * 1024  # other threads work on while so much is read and hashed
_SPOOL = 4 * 1024 * 1024
_META_LIMIT = 1024 * 1024


class NotDicomError(UnreadableError):
    """The file has no DICOM prefix: it is something else."""


@dataclass(frozen=True, slots=True)
class _Meta:
    transfer_syntax: str
    end: int


class DicomFile:
    """An open DICOM file: the structure of its data set, and its octets by offset.

    Offsets count in the data set stream: those of the file, or for a deflated data set those of the inflated one.
    Not for several threads at a time. Close it, or use it as a context manager.
    """

    def __init__(self, stream: BinaryIO, path: Path | None, meta: _Meta, limits: Limits) -> None:
        self.path = path
        self.transfer_syntax = meta.transfer_syntax
        self.meta_end = meta.end
        self.explicit = meta.transfer_syntax != IMPLICIT_LITTLE_ENDIAN
        self.little_endian = meta.transfer_syntax != EXPLICIT_BIG_ENDIAN
        self.deflated = meta.transfer_syntax in DEFLATED_SYNTAXES
        self.file_size = stream.seek(0, os.SEEK_END)
        self._stream = stream
        self._inflated: BinaryIO | None = None
        start = meta.end
        if self.deflated:
            self._inflated = self._stream = _inflate(stream, meta.end, limits.inflated)
            start = 0
        try:
            self.size = self._stream.seek(0, os.SEEK_END)
            self._window = Window(self._stream, self.size)
            parser = Parser(self._window, limits, self.little_endian)
            parser.data_set(start, self.size, self.explicit)
            self.table = parser.table
        except BaseException:
            self._close_inflated()
            raise
        self.root = Level(self.table, start=start, end=self.size)
        self._buffer: bytearray | None = None

    def __enter__(self) -> DicomFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened; a stream that was given stays open."""
        self._close_inflated()
        if self.path is not None:
            self._stream.close()

    def fileno(self) -> int:
        """The descriptor of the open file, for reading at offsets. Raises OSError for a stream that is no file."""
        return self._stream.fileno()

    def read(self, offset: int, length: int) -> bytes:
        """Return octets of the data set stream. Raises UnreadableError where there are not so many."""
        return self._window.read(offset, length)

    def chunks(self, offset: int, length: int) -> Iterator[memoryview]:
        """Yield those octets piece by piece in one buffer that is used again: done with each before the next.

        Raises UnreadableError where there are not so many.
        """
        if self._buffer is None:
            self._buffer = bytearray(min(_CHUNK, self.size))
        whole = memoryview(self._buffer)
        stream = self._stream
        while length:
            stream.seek(offset)
            piece = whole[:length]
            count = _read_into(stream, piece)
            if not count:
                raise UnreadableError("", f"the file ends at offset {offset}, within a value")
            yield piece[:count]
            offset += count
            length -= count

    def value(self, element: Element, limit: int = 65536) -> bytes:
        """Return the value of an element of defined length, at most its first `limit` octets."""
        return self.read(element.value, min(element.length or 0, limit))

    def text(self, element: Element | None, limit: int = 1024) -> str:
        """Return a value of identifiers or codes as text, without padding; empty for None."""
        if element is None:
            return ""
        return self.value(element, limit).decode("ascii", "backslashreplace").strip("\0 ")

    @property
    def sop_class(self) -> str:
        """SOP Class UID (0008,0016), empty where absent."""
        return self.text(self.root.get(0x00080016))

    @property
    def sop_instance(self) -> str:
        """SOP Instance UID (0008,0018), empty where absent."""
        return self.text(self.root.get(0x00080018))

    def _close_inflated(self) -> None:
        if self._inflated is not None:
            self._inflated.close()


def open_dicom(source: str | os.PathLike[str] | BinaryIO, limits: Limits | None = None) -> DicomFile:
    """Open a DICOM file, or a seekable binary stream that holds one.

    Raises NotDicomError for something else, UnreadableError for a file that breaks off, contradicts itself or
    exceeds `limits`, or that cannot be opened.
    """
    path = None if isinstance(source, io.IOBase) else Path(source)  # type: ignore[arg-type]
    try:
        stream: BinaryIO = source if path is None else path.open("rb", buffering=0)  # type: ignore[assignment]
    except (OSError, ValueError) as problem:
        raise UnreadableError("", f"it cannot be opened: {_reason(problem)}") from None
    try:
        return DicomFile(stream, path, _meta(stream), limits or Limits())
    except BaseException as problem:
        if path is not None:
            stream.close()
        if isinstance(problem, OSError):
            raise UnreadableError("", f"it cannot be read: {_reason(problem)}") from None
        raise


def open_data_set(
    octets: bytes, transfer_syntax: str = EXPLICIT_LITTLE_ENDIAN, limits: Limits | None = None
) -> DicomFile:
    """Open an encoded data set that stands alone, without meta information. Raises UnreadableError as `open_dicom`."""
    return DicomFile(io.BytesIO(octets), None, _Meta(transfer_syntax, 0), limits or Limits())


def _reason(problem: Exception) -> str:
    return getattr(problem, "strerror", None) or str(problem)


def _read_into(stream: BinaryIO, view: memoryview) -> int:
    return stream.readinto(view) or 0  # type: ignore[attr-defined]


def _meta(stream: BinaryIO) -> _Meta:
    """Read the File Meta Information (PS3.10 7.1), which is always Explicit VR Little Endian."""
    stream.seek(0)
    head = stream.read(_PREAMBLE + 4)
    if head[_PREAMBLE:] != b"DICM":
        raise NotDicomError("", "it is no DICOM file: there is no DICOM prefix")
    size = stream.seek(0, os.SEEK_END)
    window = Window(stream, size)
    syntax: str | None = None
    position = _PREAMBLE + 4
    while position + 8 <= size and window.read(position, 2) == b"\2\0":
        tag, value, length = Parser.plain_header(window, position)
        if length > min(size - value, _META_LIMIT):
            raise UnreadableError(f"(0002,{tag:04X})", "a length in the meta information leads beyond the file")
        if tag == 0x0010:
            if length > 66:
                raise UnreadableError("(0002,0010)", "the transfer syntax UID is too long")
            syntax = window.read(value, length).decode("ascii", "backslashreplace").strip("\0 ")
        position = value + length
        if position > _PREAMBLE + _META_LIMIT:
            raise UnreadableError("", "the meta information is too long")
    if not syntax:
        raise UnreadableError("(0002,0010)", "the meta information names no transfer syntax")
    return _Meta(syntax, position)


def _inflate(stream: BinaryIO, start: int, limit: int) -> BinaryIO:
    """Inflate a data set (PS3.5 A.5, RFC 1951) into a temporary file."""
    import tempfile

    target = tempfile.SpooledTemporaryFile(max_size=_SPOOL)  # noqa: SIM115 - closed with the DicomFile
    try:
        inflater = zlib.decompressobj(-15)
        stream.seek(start)
        total = 0
        while not inflater.eof:
            data = inflater.unconsumed_tail or stream.read(65536)
            piece = inflater.decompress(data, _CHUNK)
            if not data and not piece:
                raise UnreadableError("", "the deflated data set breaks off")
            total += len(piece)
            if total > limit:
                raise UnreadableError("", f"the deflated data set is larger than {limit} octets")
            target.write(piece)
    except zlib.error as problem:
        target.close()
        raise UnreadableError("", f"the data set cannot be inflated: {problem}") from None
    except BaseException:
        target.close()
        raise
    return target  # type: ignore[return-value]
