"""Frames of syslog over TLS, ``MSG-LEN SP SYSLOG-MSG`` (RFC 5425 4.3): octets in, messages out. No network here."""

from __future__ import annotations

from dataclasses import dataclass, field

DEFAULT_LIMIT = 1 << 20
"""The longest message that is taken, in octets; PS3.15 A.6 asks for 32768 at least."""


class FrameError(ValueError):
    """What came is no frame, or one that is longer than is taken."""


def frame(message: bytes) -> bytes:
    """The frame of `message`. Raises ValueError for an empty one: MSG-LEN begins with a digit other than 0."""
    if not message:
        raise ValueError("a syslog message has at least one octet")
    return b"%d %b" % (len(message), message)


@dataclass
class FrameReader:
    """Cuts a stream of octets into messages of at most `limit` octets; a reader that has raised takes nothing more."""

    limit: int = DEFAULT_LIMIT
    broken: str = field(default="", init=False)  # why nothing more is taken
    _buffer: bytearray = field(default_factory=bytearray, init=False)
    _length: int = field(default=0, init=False)  # of the message under way; 0: not known yet

    @property
    def pending(self) -> bool:
        """Whether part of a frame has come and the rest has not."""
        return bool(self._buffer) or self._length > 0

    @property
    def pending_octets(self) -> int:
        """The octets of a frame that has not come whole, without its length once that has come."""
        return len(self._buffer)

    @property
    def announced(self) -> int:
        """The length of the message under way, 0 where it is not known yet."""
        return self._length

    def unread(self, most: int = 64) -> bytes:
        """The first octets, `most` of them, of what belongs to no whole frame."""
        return bytes(self._buffer[:most])

    def feed(self, data: bytes | bytearray | memoryview) -> tuple[bytes, ...]:
        """The messages that `data` completes. Raises `FrameError` for what is no frame, or is too long."""
        if self.broken:
            raise FrameError(self.broken)
        self._buffer += data
        messages: list[bytes] = []
        at, end = 0, len(self._buffer)
        while at < end:
            at = at if self._length else self._read_length(at)
            if not self._length or end - at < self._length:
                break
            messages.append(bytes(self._buffer[at : at + self._length]))
            at, self._length = at + self._length, 0
        del self._buffer[:at]
        if self.broken and not messages:
            raise FrameError(self.broken)
        return tuple(messages)

    def _read_length(self, at: int) -> int:
        """Take MSG-LEN and the space, once they have come: digits that do not begin with 0. Returns where they end."""
        longest = len(str(self.limit))
        space = self._buffer.find(b" ", at, at + longest + 1)
        digits = self._buffer[at : at + longest + 1 if space < 0 else space]
        if not digits.isdigit():
            self.broken = f"a frame begins with its length, and not with {bytes(self._buffer[at : at + 8])!r}"
        elif digits.startswith(b"0"):
            self.broken = "the length of a frame does not begin with 0"
        elif len(digits) > longest or (space >= 0 and int(digits) > self.limit):
            self.broken = f"a message of more than {self.limit} octets"
        elif space >= 0:
            self._length = int(digits)
            return space + 1
        return at
