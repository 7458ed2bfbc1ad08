"""Numbers in addresses: no longer than those that a database takes."""

from __future__ import annotations

from typing import Final

from starlette.convertors import Convertor, register_url_convertor

NUMBER: Final = "number"


class _Number(Convertor[int]):
    """A number as messages have it; a longer one leads nowhere (the one of the library would fail at 4300 digits)."""

    regex = "[0-9]{1,18}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


def register() -> None:
    """Let routes say ``{name:number}``."""
    register_url_convertor(NUMBER, _Number())
