"""pytest in-process, kept apart from everything around it: user configuration, environment, other pytest sessions."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

_ENVIRONMENT = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_CURRENT_TEST", "PYTEST_THEME", "PYTEST_VERSION")
_AUTOLOAD = "PYTEST_DISABLE_PLUGIN_AUTOLOAD"
_UNNEEDED = (
    "cacheprovider",
    "capture",
    "debugging",
    "doctest",
    "faulthandler",
    "junitxml",
    "legacypath",
    "logging",
    "monkeypatch",
    "pastebin",
    "recwarn",
    "setuponly",
    "setupplan",
    "skipping",  # a judgement that is skipped or expected to fail would be a verdict that nobody sees
    "stepwise",
    "subtests",
    "terminal",
    "threadexception",
    "tmpdir",
    "unittest",
    "unraisableexception",
    "warnings",
)
_one_at_a_time = threading.RLock()  # pytest changes the process (environment, module table)


def run_pytest(paths: Sequence[Path], folders: Sequence[Path], root: Path, plugin: object) -> pytest.ExitCode:
    """Run the tests in `paths` (files, or folders) with `plugin` alone, and leave the process as it was.

    `folders` hold suites whose modules have to be loaded afresh. Nothing is written, to the terminal or elsewhere.
    """
    arguments = [
        f"--rootdir={root}",
        f"-c{os.devnull}",
        f"--confcutdir={_common(paths)}",  # else pytest looks through every folder above, all of it
        "--import-mode=importlib",
        "--assert=plain",
        "--noconftest",
        "--continue-on-collection-errors",
        *(f"-pno:{name}" for name in _UNNEEDED),
        "--",
        *map(str, paths),
    ]
    with _one_at_a_time, _environment(), _fresh_modules(folders):
        return pytest.ExitCode(pytest.main(arguments, plugins=[plugin]))


def _common(paths: Sequence[Path]) -> Path:
    """The folder in which all of `paths` lie."""
    return Path(os.path.commonpath([path if path.is_dir() else path.parent for path in paths]))


@contextmanager
def _environment() -> Iterator[None]:
    kept = {name: os.environ.pop(name, None) for name in (*_ENVIRONMENT, _AUTOLOAD)}
    os.environ[_AUTOLOAD] = "1"
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _fresh_modules(folders: Sequence[Path]) -> Iterator[None]:
    """Forget whatever lies in `folders` before and after; put back what was there before.

    Other suites are the program's own: like its other modules they are loaded once in a process.
    """
    inside = tuple(f"{folder}{os.sep}" for folder in folders)

    def taken() -> dict[str, ModuleType]:
        found: dict[str, ModuleType] = {}
        for name, module in list(sys.modules.items()):
            origin = getattr(module, "__file__", None) or ""
            if inside and origin.startswith(inside):
                found[name] = sys.modules.pop(name)
        return found

    before, path = taken(), list(sys.path)
    known = set(sys.modules)
    try:
        yield
    finally:
        loaded = taken()
        for name in {parent for child in loaded for parent in _parents(child)} - known:
            if not getattr(sys.modules.get(name), "__file__", None):  # made by pytest for folders that are no packages
                sys.modules.pop(name, None)
        sys.modules.update(before)
        sys.path[:] = path


def _parents(module: str) -> Iterator[str]:
    while "." in module:
        module = module.rpartition(".")[0]
        yield module
