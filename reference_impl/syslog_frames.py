"""Frames of syslog over TLS, ``MSG-LEN SP SYSLOG-MSG`` (RFC 5425 4.3): octets in, messages out. No network here."""

from __future__ import annotations

from dataclasses import dataclass, field

DEFAULT_LIMIT = 1 << 20
"""The longest message that is taken, in octets; PS3.15 A.6 asks for 32768 at least."""

_ZERO = ord("0")


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
        if self._length > len(self._buffer) + len(data):
            self._buffer += data
            return ()
        stream = bytes(self._buffer) + data
        messages: list[bytes] = []
        rest = self._cut(stream, messages)
        self._buffer = bytearray(stream[rest:])
        if self.broken and not messages:
            raise FrameError(self.broken)
        return tuple(messages)

    def _cut(self, stream: bytes, messages: list[bytes]) -> int:
        """Put the messages of `stream` into `messages`; returns where what is left begins."""
        at, end, length, longest = 0, len(stream), self._length, len(str(self.limit))
        while at < end:
            if not length:
                space = stream.find(b" ", at, at + longest + 1)
                digits = stream[at:space]
                if space <= at or digits[0] == _ZERO or not digits.isdigit() or int(digits) > self.limit:
                    self.broken = self._objection(stream[at : at + longest + 1])
                    break
                at, length = space + 1, int(digits)
            if at + length > end:
                break
            messages.append(stream[at : at + length])
            at, length = at + length, 0
        self._length = length
        return at

    def _objection(self, head: bytes) -> str:
        """Why `head` is not the beginning of a frame; empty: it may become one."""
        digits, space, _ = head.partition(b" ")
        if not digits.isdigit():
            return f"a frame begins with its length, and not with {head[:8]!r}"
        if digits.startswith(b"0"):
            return "the length of a frame does not begin with 0"
        too_long = int(digits) > self.limit if space else len(digits) > len(str(self.limit))
        return f"a message of more than {self.limit} octets" if too_long else ""
