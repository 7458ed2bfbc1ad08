"""Imports what judging and rendering need in a thread, while the network is waited for."""

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


def warm(modules: Iterable[str] = _MODULES) -> threading.Thread:
    """Start importing `modules`; an import that fails is left to whoever needs it."""

    def work() -> None:
        for name in modules:
            try:
                importlib.import_module(name)
            except Exception:  # noqa: S112 - reported where the module is used
                continue
        with suppress(Exception):  # reported where the catalogue is used
            importlib.import_module("harness.catalogue").load_catalogue()
        with suppress(Exception):  # reported where the report is written
            importlib.import_module("reports").prepare()

    thread = threading.Thread(target=work, name="warm", daemon=True)
    thread.start()
    return thread
