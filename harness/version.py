"""The version of ps315, and of what a reader needs to repeat a run."""

from __future__ import annotations

from importlib import metadata

_LIBRARIES = ("cryptography", "pydantic", "pyopenssl", "pytest", "sslyze", "tlslite-ng")


def version() -> str:
    """The installed version; "0+source" where the program runs from an unpacked source tree."""
    try:
        return metadata.version("ps315")
    except metadata.PackageNotFoundError:
        return "0+source"


def libraries() -> dict[str, str]:
    """Versions of the libraries that take part in probing and judging."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
