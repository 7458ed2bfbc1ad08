"""Finding the objects in a folder of a SUT: what is there may be anything, any number of it, and any size."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_DEPTH = 16
_ENTRIES = 200_000
_PREAMBLE, _PREFIX = 128, b"DICM"
_SYMBOLIC_LINKS = getattr(os, "O_NOFOLLOW", 0)


@dataclass(frozen=True)
class Contents:
    """What a folder holds: DICOM files, `left_out` more of them, and how many files are something else.

    `problem` says in a sentence why it could not be looked through, wholly or at all.
    """

    files: tuple[Path, ...] = ()
    left_out: int = 0
    others: int = 0
    problem: str = ""


def contents_of(folder: Path, most: int, seconds: float) -> Contents:
    """The first `most` DICOM files in and below `folder`, by name, found within `seconds`.

    Only regular files are opened; symbolic links are not followed.
    """
    ends = time.monotonic() + seconds
    files: list[Path] = []
    left_out = others = 0
    problem = ""
    try:
        for path in _walk(folder):
            if time.monotonic() > ends:
                problem = f"The folder was looked through for {seconds:.0f} s only, it holds more."
                break
            if not is_dicom(path):
                others += 1
            elif len(files) < most:
                files.append(path)
            else:
                left_out += 1
    except _TooManyError:
        problem = f"The folder holds more than {_ENTRIES} entries; only so many were looked at."
    except OSError as wrong:
        problem = f"{printable(Path(wrong.filename or folder))}: cannot be read: {wrong.strerror or wrong}."
    return Contents(tuple(files), left_out, others, problem)


def printable(path: Path) -> str:
    """`path` as text that can be recorded: octets that are no UTF-8 as escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def is_dicom(path: Path) -> bool:
    """Whether `path` is a regular file with the prefix of PS3.10 7.1."""
    octets = head(path, _PREAMBLE + len(_PREFIX))
    return octets is not None and octets[_PREAMBLE:] == _PREFIX


def head(path: Path, octets: int) -> bytes | None:
    """The first octets of a regular file; None for anything else: it is not read, nor waited for."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | _SYMBOLIC_LINKS)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(octets)
    except OSError:
        return None
    finally:
        os.close(handle)


class _TooManyError(Exception):
    """There are more entries than are looked at."""


def _walk(folder: Path) -> Iterator[Path]:
    """Regular files in and below `folder`, by name. Raises OSError for what cannot be listed."""
    seen = 0
    waiting = [(folder, 0)]
    while waiting:
        current, depth = waiting.pop()
        with os.scandir(current) as listing:
            entries = []
            for entry in listing:
                seen += 1
                if seen > _ENTRIES:
                    raise _TooManyError
                entries.append(entry)
        entries.sort(key=lambda entry: entry.name)
        below = []
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                below.append((Path(entry.path), depth + 1))
            elif entry.is_file(follow_symlinks=False):
                yield Path(entry.path)
        if depth < _DEPTH:
            waiting += reversed(below)
