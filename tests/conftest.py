"""For every test: benchmarks run only where they are asked for, and programs of one name are not confused."""

from __future__ import annotations

import os
import sysconfig

import pytest


def pytest_configure() -> None:
    """Take an active virtual environment from the search path: pynetdicom's echoscu would hide DCMTK's."""
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
