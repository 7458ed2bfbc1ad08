"""HOST:PORT of ``--operator-page``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.errors import UsageProblem

DEFAULT = "127.0.0.1:0"
OPTION = "--operator-page"
_FORM = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/@\[\]]+)):([0-9]{1,5})")


def parse_address(text: str) -> tuple[str, int]:
    """Host and port (0: any free one). Raises `UsageProblem`."""
    match = _FORM.fullmatch(text)
    if match is None or int(match[3]) > 65535:
        raise UsageProblem(f"--operator-page {text!r}: is no HOST:PORT; write for example --operator-page=0.0.0.0:8315")
    return match[1] or match[2], int(match[3])


def with_default(arguments: Sequence[str]) -> list[str]:
    """`arguments`, where ``--operator-page`` without an address has the default one: its value may be left out."""
    return [
        f"{OPTION}={DEFAULT}" if argument == OPTION and not (following and _FORM.fullmatch(following)) else argument
        for argument, following in zip(arguments, [*arguments[1:], ""], strict=True)
    ]
