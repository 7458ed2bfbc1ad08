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
    _length: int | None = field(default=None, init=False)

    @property
    def pending(self) -> bool:
        """Whether part of a frame has come and the rest has not."""
        return bool(self._buffer) or self._length is not None

    def feed(self, data: bytes) -> tuple[bytes, ...]:
        """The messages that `data` completes. Raises `FrameError` for what is no frame, or is too long."""
        if self.broken:
            raise FrameError(self.broken)
        self._buffer += data
        messages: list[bytes] = []
        while (message := self._next()) is not None:
            messages.append(message)
        if self.broken and not messages:
            raise FrameError(self.broken)
        return tuple(messages)

    def _next(self) -> bytes | None:
        if self._length is None and not self.broken:
            self._read_length()
        if self._length is None or len(self._buffer) < self._length:
            return None
        message = bytes(self._buffer[: self._length])
        del self._buffer[: self._length]
        self._length = None
        return message

    def _read_length(self) -> None:
        """Take MSG-LEN and the space, once they have come: digits that do not begin with 0."""
        longest = len(str(self.limit))
        head = bytes(self._buffer[: longest + 1])
        digits, space, _ = head.partition(b" ")
        if not digits.isdigit() and head:
            self.broken = f"a frame begins with its length, and not with {head[:8]!r}"
        elif digits.startswith(b"0"):
            self.broken = "the length of a frame does not begin with 0"
        elif (not space and len(head) > longest) or (space and int(digits) > self.limit):
            self.broken = f"a message of more than {self.limit} octets"
        elif space:
            self._length = int(digits)
            del self._buffer[: len(digits) + 1]
