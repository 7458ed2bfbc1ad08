"""For every test: benchmarks run only where they are asked for, and programs of one name are not confused."""

from __future__ import annotations

import gc
import os
import signal
import sysconfig

import pytest


def pytest_configure() -> None:
    """Take an active virtual environment from the search path: pynetdicom's echoscu would hide DCMTK's.

    What a shell starts in the background ignores SIGINT, and so would the programs that are interrupted here.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    own = os.path.realpath(sysconfig.get_path("scripts"))
    parts = os.environ.get("PATH", os.defpath).split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join(part for part in parts if os.path.realpath(part) != own)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave benchmarks out of every other run, visibly deselected."""
    if "benchmark" in (config.option.markexpr or ""):
        return
    left_out = [item for item in items if item.get_closest_marker("benchmark")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("benchmark")]


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Keep what was collected out of the garbage collector's way: it lives until the end, and is much."""
    gc.collect()
    gc.freeze()
