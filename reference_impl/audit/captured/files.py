"""Finds the messages of files and folders: what a file holds is seen from its first octets."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Final, TypeAlias, cast

from reference_impl.audit.captured.lines import Lines, holds_message
from reference_impl.audit.captured.model import NOTHING, Captured, CaptureLimits, Unread
from reference_impl.syslog_frames import FrameError, FrameReader

_FRAME = re.compile(rb"[1-9][0-9]{0,9} <[0-9]{1,3}>")
_PACKETS: Final = (
    b"\xa1\xb2\xc3\xd4",
    b"\xd4\xc3\xb2\xa1",
    b"\xa1\xb2\x3c\x4d",
    b"\x4d\x3c\xb2\xa1",
    b"\x0a\x0d\x0d\x0a",
)
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff", b"<\x00", b"\x00<")
_PACKED: Final = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"(\xb5/\xfd": "zstd"}
_NO_TEXT: Final = (
    b"\x89PNG\r\n",
    b"\xff\xd8\xff",  # JPEG
    b"GIF8",
    b"%PDF-",
    b"\xd0\xcf\x11\xe0",  # documents of older offices
    b"\x7fELF",
    b"MZ\x90\x00",
    b"SQLite format 3\x00",
)
"""What lies beside messages in folders (screenshots, instructions); octets in it that look like XML are none."""
_HEAD = 64
_CHUNK = 1 << 16
_USUAL = CaptureLimits()

Found = Captured | Unread
Reader: TypeAlias = "io.BufferedReader[Any]"


def captured(paths: Iterable[str | Path], limits: CaptureLimits = _USUAL) -> Iterator[Found]:
    """The messages of files, and of all files in folders and below, in the order of their names.

    A file that cannot be read is told as `Unread`; so are the lines of others in a file of text, by number.
    """
    for path in paths:
        among_others = Path(path).is_dir()
        for file in _files(Path(path)):
            for found in _file(file, limits):
                if among_others and isinstance(found, Unread) and found.why == NOTHING:
                    yield replace(found, expected=True)
                else:
                    yield found


def from_stream(stream: IO[bytes], name: str, limits: CaptureLimits = _USUAL) -> Iterator[Found]:
    """The messages in a stream of octets that is read once, to its end."""
    reader: Reader = (
        stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", stream))
    )
    head = _head(reader)
    packed = next((kind for magic, kind in _PACKED.items() if head.startswith(magic)), "")
    if packed:
        yield Unread(name, f"is compressed ({packed}); unpack it first")
    elif head.startswith(_NO_TEXT):
        yield Unread(name, NOTHING)
    elif head.startswith(_PACKETS):
        from reference_impl.audit.captured.packets import from_packets

        yield from from_packets(reader, name, limits)
    elif _FRAME.match(head):
        yield from _frames(reader, name, limits)
    elif head.startswith(_WIDE):
        yield from _whole(reader, name, limits)
    else:
        yield from _lines(reader, name, limits)


def _head(reader: Reader) -> bytes:
    return reader.peek(_HEAD)[:_HEAD]


def _files(path: Path) -> Iterator[Path]:
    """The file, or the files of the folder; links to folders are not followed."""
    if not path.is_dir():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            yield Path(folder, name)


def _file(path: Path, limits: CaptureLimits) -> Iterator[Found]:
    name = str(path)
    try:
        if not path.is_file():  # a pipe or device in a folder would never end
            yield Unread(name, "is no file" if path.exists() else "there is no such file")
            return
        with path.open("rb") as stream:
            yield from from_stream(stream, name, limits)
    except OSError as problem:
        yield Unread(name, f"cannot be read: {problem.strerror or problem}")
    except ValueError:  # a NUL in its name
        yield Unread(name, "cannot be read: that is no name of a file")


def _lines(reader: Reader, name: str, limits: CaptureLimits) -> Iterator[Found]:
    lines = Lines(limits.message)
    number = 0
    for line, length in _bounded_lines(reader, limits.message):
        for piece in lines.feed(line, length):
            number += 1
            yield Captured(piece.octets, piece.length, name, number, piece.line, header=piece.header)
    for piece in lines.close():
        number += 1
        yield Captured(piece.octets, piece.length, name, number, piece.line, header=piece.header)
    if lines.in_json:
        why = (
            f"{lines.in_json} lines hold audit messages within JSON; take the text out first (journalctl -o cat, jq -r)"
        )
        yield Unread(name, why)
    if lines.others and number:
        yield Unread(name, f"{lines.others} lines hold no audit message", others=lines.others, expected=True)
    elif not number and not lines.in_json:
        yield Unread(name, NOTHING, others=lines.others)


def _bounded_lines(reader: Reader, limit: int) -> Iterator[tuple[bytes, int]]:
    """Lines with their ends: the first `limit` octets, and how many there were."""
    while line := reader.readline(limit):
        length = len(line)
        ended = line.endswith(b"\n")
        while not ended and (more := reader.readline(_CHUNK)):
            length += len(more)
            ended = more.endswith(b"\n")
        yield line, length


def _whole(reader: Reader, name: str, limits: CaptureLimits) -> Iterator[Found]:
    """A file in UTF-16: one message."""
    octets = reader.read(limits.message)
    length = len(octets)
    while more := reader.read(_CHUNK):
        length += len(more)
    yield Captured(octets, length, name, 1, 1)


def _frames(reader: Reader, name: str, limits: CaptureLimits) -> Iterator[Found]:
    frames = FrameReader(limits.message)
    number = others = 0
    try:
        while data := reader.read(_CHUNK):
            for message in frames.feed(data):
                number += 1
                if holds_message(message):
                    yield Captured(message, len(message), name, number, header=True, framed=True)
                else:
                    others += 1
    except FrameError as problem:
        yield Unread(name, f"after message {number} there is no frame of RFC 5425 any more: {problem}")
        return
    if frames.broken:
        yield Unread(name, f"after message {number} there is no frame of RFC 5425 any more: {frames.broken}")
    elif frames.pending:
        yield Unread(name, f"ends in the middle of the frame after message {number}")
    if others and others == number:
        yield Unread(name, NOTHING, others=others)
    elif others:
        yield Unread(name, f"{others} syslog messages hold no audit message", others=others, expected=True)
