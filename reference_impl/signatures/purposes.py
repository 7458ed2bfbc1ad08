"""Purposes of signatures (PS3.16 CID 7007), read from ``purposes.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from reference_impl.signatures.results import Code

VERIFICATION = Code("5", "ASTM-sigpurpose", "Verification Signature")
"""The purpose that PS3.15 C.4 asks for in a verified document."""


@cache
def purposes() -> Mapping[str, Code]:
    """The baseline context group, by code value."""
    table = tomllib.loads(files(__package__).joinpath("purposes.toml").read_text(encoding="utf-8"))
    return {value: Code(value, table["scheme"], meaning) for value, meaning in table["meanings"].items()}
