"""Fragments of IP datagrams and segments of TCP put together again (RFC 791, RFC 8200 4.5, RFC 9293), in bounds."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

_WINDOW = 1 << 31
_SEQUENCES = 1 << 32
_LARGEST_DATAGRAM = 65535
_MOST_WAITING = 10_000


@dataclass
class Fragments:
    """Fragments that wait for the rest of their datagrams. `lost` counts datagrams that were never whole."""

    held: int
    lost: int = 0
    _waiting: OrderedDict[object, _Datagram] = field(default_factory=OrderedDict, init=False)
    _octets: int = field(default=0, init=False)

    def add(self, key: object, offset: int, data: bytes, *, more: bool) -> bytes | None:
        """A fragment of the datagram `key`: its payload once all of it is there."""
        datagram = self._waiting.setdefault(key, _Datagram())
        self._octets += datagram.add(offset, data, last=not more)
        whole = datagram.whole()
        if whole is not None:
            self._drop(key)
        while self._octets > self.held and self._waiting:
            self._drop(next(iter(self._waiting)))
            self.lost += 1
        return whole

    def close(self) -> int:
        """How many datagrams lack fragments, now that no more will come."""
        return self.lost + len(self._waiting)

    def _drop(self, key: object) -> None:
        self._octets -= self._waiting.pop(key).octets


@dataclass
class _Datagram:
    pieces: dict[int, bytes] = field(default_factory=dict)
    octets: int = 0
    length: int = -1  # of the payload, once the last fragment has come

    def add(self, offset: int, data: bytes, *, last: bool) -> int:
        """Keep a fragment; how many octets more are held."""
        if offset in self.pieces or offset + len(data) > _LARGEST_DATAGRAM:
            return 0
        self.pieces[offset] = data
        self.octets += len(data)
        if last:
            self.length = offset + len(data)
        return len(data)

    def whole(self) -> bytes | None:
        if self.length < 0 or self.octets < self.length:
            return None
        joined = bytearray()
        for offset in sorted(self.pieces):
            if offset > len(joined):
                return None
            joined[offset:] = self.pieces[offset]
        return bytes(joined[: self.length]) if len(joined) >= self.length else None


@dataclass
class Stream:
    """One direction of a TCP connection: gives its octets in order."""

    held: int  # octets that may wait for a gap to be filled
    gap: bool = field(default=False, init=False)  # octets are missing; nothing after them is given
    _next: int = field(default=-1, init=False)
    _waiting: dict[int, bytes] = field(default_factory=dict, init=False)
    _octets: int = field(default=0, init=False)

    def begin(self, sequence: int) -> None:
        """A SYN with this sequence number."""
        self._next = (sequence + 1) % _SEQUENCES
        self._waiting.clear()
        self._octets, self.gap = 0, False

    @property
    def waits(self) -> bool:
        """Whether segments are there whose predecessors are not."""
        return bool(self._waiting)

    def add(self, sequence: int, data: bytes) -> bytes:
        """A segment; the octets that follow those given so far, if there are any now."""
        if self._next < 0:  # the capture began in the middle
            self._next = sequence
        if self.gap or not data:
            return b""
        if self._ahead(sequence) > 0:
            if len(data) > len(self._waiting.get(sequence, b"")):
                self._octets += len(data) - len(self._waiting.get(sequence, b""))
                self._waiting[sequence] = data
            self.gap = self._octets > self.held or len(self._waiting) > _MOST_WAITING
            return b""
        given = bytearray(self._new(sequence, data))
        while (ready := self._ready()) is not None:
            given += ready
        return bytes(given)

    def _ready(self) -> bytes | None:
        """What waits and begins no later than the next octet that is wanted."""
        for sequence in sorted(self._waiting, key=self._ahead):
            if self._ahead(sequence) > 0:
                return None
            data = self._waiting.pop(sequence)
            self._octets -= len(data)
            return self._new(sequence, data)
        return None

    def _new(self, sequence: int, data: bytes) -> bytes:
        """The part of a segment that was not seen before."""
        fresh = data[-self._ahead(sequence) :] if self._ahead(sequence) < 0 else data
        self._next = (self._next + len(fresh)) % _SEQUENCES
        return fresh

    def _ahead(self, sequence: int) -> int:
        """How far a sequence number lies after the one that is wanted; negative: before it."""
        distance = (sequence - self._next) % _SEQUENCES
        return distance - _SEQUENCES if distance >= _WINDOW else distance
