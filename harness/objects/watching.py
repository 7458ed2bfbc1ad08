"""A folder in which a SUT keeps what it stores: only what appears in it during the run is looked at."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reference_impl.storage.part10 import Instance

_DEPTH, _ENTRIES = 16, 200_000
_LARGEST = 1 << 28  # octets of a file that is read
Stamp = tuple[int, int]
"""Size and time of the last change of a file."""


class WatchedFolder:
    """What is new in `folder` since this was made. Nothing in it is changed; symbolic links are not followed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Path, Stamp] = dict(_files(folder))
        self._written: dict[Path, Stamp] = {}  # files that held what was looked for at the last look

    def find(self, sop_instance: str) -> Instance | None:
        """The instance, once a file that holds it has not changed from one look to the next."""
        for path, stamp in _files(self._folder):
            if self._seen.get(path) == stamp:
                continue
            found = _read(path, stamp)
            if found is None:
                continue  # not yet, or never, a whole file
            name, instance = found
            if name != sop_instance:
                self._seen[path] = stamp
            elif self._written.get(path) == stamp:
                return instance
            else:
                self._written[path] = stamp
        return None


def _files(folder: Path) -> Iterator[tuple[Path, Stamp]]:
    """The regular files in and below `folder`, as far as they can be listed, with their stamps."""
    waiting, entries = [(folder, 0)], 0
    while waiting:
        current, depth = waiting.pop()
        try:
            listing = list(os.scandir(current))
        except OSError:
            continue
        for entry in listing:
            entries += 1
            if entries > _ENTRIES:
                return
            try:
                told = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISDIR(told.st_mode) and depth < _DEPTH:
                waiting.append((Path(entry.path), depth + 1))
            elif stat.S_ISREG(told.st_mode):
                yield Path(entry.path), (told.st_size, told.st_mtime_ns)


def _read(path: Path, stamp: Stamp) -> tuple[str, Instance] | None:
    """The SOP Instance UID in the data set of a file, and the instance; None for what is no whole DICOM file."""
    from reference_impl.signatures.reader import UnreadableError, open_dicom
    from reference_impl.storage.part10 import UnfitError, take_apart

    if stamp[0] > _LARGEST:
        return None
    try:
        with open_dicom(path) as file:
            name = file.sop_instance
        return name, take_apart(path.read_bytes())
    except (OSError, UnreadableError, UnfitError):
        return None


__all__ = ["WatchedFolder"]
