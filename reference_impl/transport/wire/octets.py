"""Reading and writing the presentation language of TLS (RFC 5246 4, RFC 8446 3): bounded, and never by surprise."""

from __future__ import annotations

import struct
from collections.abc import Iterable


class WireError(ValueError):
    """Octets that break the wire format: `what` is wrong, `where` (the structure and field) it was met."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(f"{where}: {what}")
        self.what = what
        self.where = where


class Reader:
    """A cursor over the octets of one structure. Every method raises `WireError` when they do not suffice."""

    __slots__ = ("_at", "_data", "_where")

    def __init__(self, data: bytes, where: str) -> None:
        self._data = data
        self._at = 0
        self._where = where

    @property
    def remaining(self) -> int:
        """How many octets are left."""
        return len(self._data) - self._at

    @property
    def position(self) -> int:
        """How many octets were read."""
        return self._at

    def take(self, count: int, field: str) -> bytes:
        """The next `count` octets."""
        end = self._at + count
        if end > len(self._data):
            raise WireError(f"{field} needs {count} octets, {self.remaining} left", self._where)
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def number(self, octets: int, field: str) -> int:
        """An unsigned number of `octets` octets."""
        return int.from_bytes(self.take(octets, field), "big")

    def vector(self, length_octets: int, field: str) -> bytes:
        """A vector of opaque octets behind a length of `length_octets` octets."""
        return self.take(self.number(length_octets, f"length of {field}"), field)

    def numbers(self, length_octets: int, item_octets: int, field: str) -> tuple[int, ...]:
        """A vector of numbers of `item_octets` octets each, its length counted in octets."""
        data = self.vector(length_octets, field)
        if len(data) % item_octets:
            raise WireError(f"{field} holds {len(data)} octets, no multiple of {item_octets}", self._where)
        return tuple(int.from_bytes(data[at : at + item_octets], "big") for at in range(0, len(data), item_octets))

    def rest(self) -> bytes:
        """All octets that are left."""
        return self.take(self.remaining, "rest")

    def end(self) -> None:
        """Raise `WireError` if octets are left over."""
        if self.remaining:
            raise WireError(f"{self.remaining} octets left over", self._where)


def vector(data: bytes, length_octets: int) -> bytes:
    """`data` behind its length. Raises `OverflowError` if it does not fit."""
    return len(data).to_bytes(length_octets, "big") + data


def numbers(values: Iterable[int], item_octets: int, length_octets: int) -> bytes:
    """A vector of numbers of `item_octets` octets each behind a length in octets. Raises `OverflowError`."""
    if item_octets == 2:
        listed = tuple(values)
        try:
            return vector(struct.pack(f">{len(listed)}H", *listed), length_octets)
        except struct.error as error:
            raise OverflowError(str(error)) from error
    return vector(b"".join(value.to_bytes(item_octets, "big") for value in values), length_octets)
