"""Finds the files to verify: files, folders with all below them, DICOMDIRs, patterns."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from reference_impl.signatures.reader import DicomFile, UnreadableError, open_dicom

DIRECTORY_RECORDS = 0x00041220
_FILE_ID = 0x00041500
_LOOKED_INTO = 50
"""So many files named on a command line are opened to see whether they are DICOMDIRs of another name."""


class NothingThereError(Exception):
    """Nothing is at a path, or nothing fits a pattern; the message names it."""


def files_of(paths: Sequence[str]) -> Iterator[str]:
    """Yield the files that `paths` mean, each once: folders in order of names, DICOMDIRs in order of their records.

    A DICOMDIR stands for the files that it refers to, whether they exist or not. Of folders only regular files count;
    links to folders are not followed. Raises NothingThereError before anything is yielded.
    """
    named = [each for path in paths for each in _expanded(path)]
    return _files_of(named, check=len(named) <= _LOOKED_INTO)


def _expanded(path: str) -> list[str]:
    if os.path.lexists(path):
        return [path]
    if glob.has_magic(path):
        found = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - relative paths stay as they were written
        if found:
            return found
        raise NothingThereError(f"{path}: no file fits this pattern")
    raise NothingThereError(f"{path}: there is no such file or folder")


def _files_of(named: Sequence[str], *, check: bool) -> Iterator[str]:
    seen: set[str] = set()
    for path in named:
        if Path(path).is_dir():
            found = _below(path)
        elif Path(path).is_file() and (check or Path(path).name.upper() == "DICOMDIR"):
            found = _of_directory(path)
        else:
            found = iter([path])
        for each in found:
            absolute = os.path.abspath(each)  # noqa: PTH100 - links stay as they are
            if absolute not in seen:
                seen.add(absolute)
                yield each


def _below(folder: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            known = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        yield folder  # what cannot be listed cannot be opened as a file either: it is told as unreadable
        return
    for entry in known:
        try:
            if entry.is_dir(follow_symlinks=False):
                yield from _below(entry.path)
            elif entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists()):
                yield entry.path  # a link that leads nowhere is told as unreadable
        except OSError:
            yield entry.path


def _of_directory(path: str) -> Iterator[str]:
    """The files that the DICOMDIR at `path` refers to; `path` itself where it is none."""
    try:
        with open_dicom(path) as file:
            records = file.root.get(DIRECTORY_RECORDS)
            if records is None:
                yield path
                return
            found = list(_referenced(file, Path(path).parent))
    except UnreadableError:
        yield path
        return
    yield from found


def _referenced(file: DicomFile, folder: Path) -> Iterator[str]:
    records = file.root.get(DIRECTORY_RECORDS)
    for record in records.items or () if records is not None else ():
        parts = [part.strip() for part in file.text(record.get(_FILE_ID)).split("\\")]
        if parts != [""] and not any(part in {"", ".", ".."} or "/" in part or "\0" in part for part in parts):
            yield str(_in_any_case(folder, parts))


def _in_any_case(folder: Path, parts: Sequence[str]) -> Path:
    """`parts` below `folder`: file sets are copied to file systems that change the case of names."""
    exact = folder.joinpath(*parts)
    if exact.exists():
        return exact
    place = folder
    for part in parts:
        wanted = part.lower()
        try:
            place = next(entry for entry in sorted(place.iterdir()) if entry.name.lower() in {wanted, f"{wanted}.;1"})
        except (OSError, StopIteration):
            return exact
    return place
