"""How much of what arrives is in memory: messages in hand, and long messages under way, over all connections."""

from __future__ import annotations

from collections import deque
from typing import Protocol


class Held(Protocol):
    """What can be told to stop reading, or to go on."""

    def update_reading(self) -> None:
        """Read, or do not, as things are now."""


class Flow:
    """Counts octets. Reading stops everywhere at `in_hand` octets that nobody took, and goes on below half of it.

    A long message under way has to have room reserved in `unfinished`; who finds none waits in order.
    """

    def __init__(self, in_hand: int, unfinished: int) -> None:
        self._most, self._room = in_hand, unfinished
        self._in_hand = 0
        self.peak = 0  # the most octets that were in hand
        self.stopped = False
        self.readers: set[Held] = set()
        self._waiting: deque[tuple[Held, int]] = deque()
        self._admitted: set[Held] = set()

    def took(self, octets: int) -> None:
        """So much has been read, and not been taken by anybody yet."""
        self._in_hand += octets
        self.peak = max(self.peak, self._in_hand)
        if self._in_hand >= self._most and not self.stopped:
            self._set(stopped=True)

    def gave(self, octets: int) -> None:
        """So much of it has been taken."""
        self._in_hand -= octets
        if self.stopped and self._in_hand <= self._most // 2:
            self._set(stopped=False)

    def reserve(self, reader: Held, octets: int) -> bool:
        """Whether there is room now; if not, `reader` is told as soon as it has been given."""
        if not self._waiting and octets <= self._room:
            self._room -= octets
            return True
        self._waiting.append((reader, octets))
        return False

    def was_admitted(self, reader: Held) -> bool:
        """Whether a reader that waited has got its room; it is told once."""
        found = reader in self._admitted
        self._admitted.discard(reader)
        return found

    def release(self, octets: int) -> None:
        """Give room back."""
        self._room += octets
        while self._waiting and self._waiting[0][1] <= self._room:
            reader, wanted = self._waiting.popleft()
            self._room -= wanted
            self._admitted.add(reader)
            reader.update_reading()

    def leave(self, reader: Held, octets: int) -> None:
        """Forget `reader`, which has `octets` reserved or waits for them."""
        self.readers.discard(reader)
        waiting = len(self._waiting)
        self._waiting = deque(each for each in self._waiting if each[0] is not reader)
        if octets and (len(self._waiting) == waiting):
            self._admitted.discard(reader)
            self.release(octets)
        else:
            self.release(0)

    def _set(self, *, stopped: bool) -> None:
        self.stopped = stopped
        for reader in tuple(self.readers):
            reader.update_reading()
