"""Reads a plain command line without the library for command lines, whose start takes longer than many a command.

Anything but known options with the values they need is left to that library: help, mistakes, abbreviations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Plain:
    """An option: the parameter it sets, how its value is read (None: it is a switch), whether it may be repeated."""

    name: str
    read: Callable[[str], object] | None = None
    many: bool = False


def parse(arguments: Sequence[str], options: Mapping[str, Plain], operands: str) -> dict[str, object] | None:
    """Return the parameters that `arguments` set, the operands under that name; None where they are not plain."""
    given: dict[str, object] = {}
    rest: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if not argument.startswith("-"):
            rest.append(argument)
            continue
        flag, equals, value = argument.partition("=")
        option = options.get(flag)
        if option is None or (option.read is None and equals) or (option.name in given and not option.many):
            return None
        if option.read is None:
            given[option.name] = True
            continue
        text = value if equals else next(waiting, None)
        try:
            read = None if text is None else option.read(text)
        except ValueError:
            read = None
        if read is None:
            return None
        if option.many:
            known = given.setdefault(option.name, [])
            assert isinstance(known, list)  # noqa: S101 - for the type checker
            known.append(read)
        else:
            given[option.name] = read
    if not rest:
        return None
    return {**given, operands: rest}
