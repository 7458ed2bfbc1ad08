"""The time zone in which the page tells times."""

from __future__ import annotations

import os
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_LOCAL = Path("/etc/localtime")


def zone_of(name: str = "") -> tzinfo:
    """The zone of this name ("Europe/Berlin"), or where empty that of this computer, else UTC.

    Raises `ValueError` for a name that is none.
    """
    if name:
        found = _named(name)
        if found is None:
            raise ValueError(f"{name!r} is no time zone; write one such as Europe/Berlin or UTC")
        return found
    _, _, local = str(_LOCAL.resolve()).partition("zoneinfo/")
    return _named(os.environ.get("TZ", "").lstrip(":")) or _named(local) or UTC


def _named(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
