"""dcmsign of DCMTK, the independent implementation of digital signatures."""

from __future__ import annotations

import shutil

from tests.missing import lacking


def require_dcmsign() -> None:
    """End the running test where dcmsign is missing."""
    if shutil.which("dcmsign") is None:
        lacking("dcmsign (DCMTK) is not installed")
