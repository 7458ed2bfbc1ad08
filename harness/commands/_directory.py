"""The folder of a run: never overwritten by accident, and only what ps315 writes is ever removed."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.errors import UsageProblem
from harness.record.journal import FILE_NAME

_OWN_FILES = (
    FILE_NAME,
    "report.html",
    "report.json",
    "junit.xml",
    "index.html",
    "summary.json",
    "manifest.json",
    "signature.p7s",
    "report.json.p7s",
    "internal-error.txt",
)
_OWN_FOLDERS = ("evidence",)


def is_empty(directory: Path) -> bool:
    """Whether `directory` is missing or holds nothing. Raises `UsageProblem` if it is a file."""
    if directory.exists() and not directory.is_dir():
        raise UsageProblem(f"{directory}: is a file; name a folder")
    try:
        return not directory.exists() or next(directory.iterdir(), None) is None
    except OSError as problem:
        raise UsageProblem(f"{directory}: cannot be read: {problem.strerror}; name another folder") from None


def check_directory(directory: Path, *, resume: bool, force: bool) -> None:
    """Raise `UsageProblem` unless a run may use `directory`."""
    if resume and force:
        raise UsageProblem("--resume and --force contradict each other; give one of them")
    if not is_empty(directory) and not resume and not force:
        raise UsageProblem(
            f"{directory}: is not empty; go on with --resume, replace it with --force, or give --out another folder"
        )


def make_directory(directory: Path) -> None:
    """Create `directory`. Raises `UsageProblem`."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise UsageProblem(f"{directory}: cannot be made: {problem.strerror}; give --out another folder") from None


def clear_directory(directory: Path) -> None:
    """Remove what an earlier run left in `directory`; whatever else is there stays."""
    for name in _OWN_FILES:
        (directory / name).unlink(missing_ok=True)
    for name in _OWN_FOLDERS:
        if (directory / name).is_dir() and not (directory / name).is_symlink():
            shutil.rmtree(directory / name)
