"""Imports what judging and rendering need while the network is waited for."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterable
from contextlib import suppress

_MODULES = (
    "harness.judging",
    "_pytest.config",
    "pytest",
    "suites.transport.view",
    "suites.transport.expectations",
    "jinja2",
    "reports",
)


def warm() -> threading.Thread:
    """Begin `prepare` in a thread."""
    thread = threading.Thread(target=prepare, name="warm", daemon=True)
    thread.start()
    return thread


def prepare(modules: Iterable[str] = _MODULES) -> None:
    """Import `modules` and read what lies ready; what fails here is left to whoever needs it."""
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: S112 - reported where the module is used
            continue
    with suppress(Exception):  # reported where observations are read
        for model in importlib.import_module("harness.observations").FACTS.values():
            model.model_rebuild()  # their validators are made when they are first needed
    with suppress(Exception):  # reported where the catalogue is used
        importlib.import_module("harness.catalogue").load_catalogue()
    with suppress(Exception):  # reported where the report is written
        importlib.import_module("reports").prepare()
