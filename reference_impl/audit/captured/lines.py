"""Cuts text into messages: syslog messages one a line, XML documents one after another, also over several lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_PRI = re.compile(rb"<[0-9]{1,3}>")
_XML = re.compile(rb"<(?:\?xml\b|!--|!DOCTYPE|[A-Za-z_])")
_SAYS_SO = re.compile(rb"RFC-?3881|AuditMessage")
_END = re.compile(rb"</(?:[\w.-]+:)?AuditMessage\s*>|<(?:[\w.-]+:)?AuditMessage(?:\s[^<>]*)?/>")
_NEXT = re.compile(rb"\s*(?:<(?:\?xml\b|!--|!DOCTYPE|(?:[\w.-]+:)?AuditMessage\b|[0-9]{1,3}>)|\Z)")
_BEGIN = re.compile(rb"<(?:\?xml\b|(?:[\w.-]+:)?AuditMessage\b)")
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Piece:
    """A message in a text: whether it begins with PRI, and if not, what stands before its XML is left out."""

    octets: bytes
    length: int
    line: int
    header: bool


def begins_with_pri(octets: bytes) -> bool:
    """Whether octets begin like a syslog message."""
    return _PRI.match(octets) is not None


def holds_message(octets: bytes) -> bool:
    """Whether octets hold XML, or say that an audit message should be in them."""
    return _XML.search(octets) is not None or _SAYS_SO.search(octets) is not None


def _is_binary(line: bytes) -> bool:
    """Whether a line is none of a text, in which a few octets look like XML by chance."""
    if _PRI.match(line) or _SAYS_SO.search(line):
        return False
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return _BINARY.search(line) is not None


def _is_json(line: bytes) -> bool:
    """Whether an audit message stands in a line as JSON writes text."""
    return line.lstrip().startswith(b"{") and b"AuditMessage" in line and (b'=\\"' in line or b"\\u003c" in line)


@dataclass
class Lines:
    """Takes the lines of a text in turn and gives the messages that end with them.

    `others` counts foreign lines, `in_json` those in which a message stands as JSON writes text: with escapes.
    """

    limit: int
    others: int = field(default=0, init=False)
    in_json: int = field(default=0, init=False)
    _octets: bytearray = field(default_factory=bytearray, init=False)
    _length: int = field(default=0, init=False)
    _line: int = field(default=0, init=False)
    _number: int = field(default=0, init=False)

    def feed(self, line: bytes, length: int) -> Iterator[Piece]:
        """The next line with its end, of `length` octets of which `line` are the first."""
        self._number += 1
        if self._number == 1 and line.startswith(_BOM):
            line, length = line[3:], length - 3
        if self._length and (_PRI.match(line) or (self._length > self.limit and _BEGIN.match(line))):
            yield from self.close()
        if not self._length:
            if not line.strip():
                return
            if not holds_message(line) or _is_binary(line):
                self.others += 1
                return
            if _is_json(line):
                self.in_json += 1
                return
            self._line = self._number
        room = self.limit - len(self._octets)
        self._octets += line[:room]
        self._length += length
        if not _XML.search(line, 1) and not _XML.search(self._octets):  # a header whose message never came
            yield from self.close()
        elif _END.search(line):
            yield from self._complete()

    def close(self) -> Iterator[Piece]:
        """What is begun, as it stands."""
        if self._length:
            yield from self._pieces(bytes(self._octets), self._length)
        self._clear()

    def _complete(self) -> Iterator[Piece]:
        """Give what ends with the last line; what follows the last document on it goes with that document."""
        octets, length = bytes(self._octets), self._length
        self._clear()
        yield from self._pieces(octets, length)

    def _pieces(self, octets: bytes, length: int) -> Iterator[Piece]:
        start, line = 0, self._line
        for end in _END.finditer(octets):
            if end.end() < len(octets) and _NEXT.match(octets, end.end()) and octets[end.end() :].strip():
                yield from self._piece(octets[start : end.end()], end.end() - start, line)
                line += octets.count(b"\n", start, end.end())
                start = end.end()
        yield from self._piece(octets[start:], length - start, line)

    def _piece(self, octets: bytes, length: int, line: int) -> Iterator[Piece]:
        stripped = octets.lstrip()
        line += octets[: len(octets) - len(stripped)].count(b"\n")
        length -= len(octets) - len(stripped)
        if length == len(stripped):  # whole: its line end is not its own
            stripped = stripped.rstrip(b"\r\n")
            length = len(stripped)
        if _PRI.match(stripped):
            yield Piece(stripped, length, line, header=True)
            return
        found = _XML.search(stripped)
        at = found.start() if found else 0
        yield Piece(stripped[at:], length - at, line, header=False)

    def _clear(self) -> None:
        self._octets.clear()
        self._length = 0
