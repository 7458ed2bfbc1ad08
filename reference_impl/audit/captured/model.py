"""What is found in files: messages, and what could not be read, with why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

NOTHING: Final = "holds no audit message"
Transport = Literal["", "udp", "tcp"]


@dataclass(frozen=True, slots=True)
class CaptureLimits:
    """`message`: the octets of a message that are kept; more is counted only. Of packets: `flows` at once, and `held`
    octets of segments and fragments that wait for those before them.
    """

    message: int = 16 * 1024 * 1024
    flows: int = 4096
    held: int = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Captured:
    """A message as it stands in the file `name`: a syslog message where `header`, else the audit message alone.

    `first_line` counts from 1 in files of text, `number` the messages of the file from 1. `length` is that of the
    whole, of which `octets` are the first ones. `framed`: it stood in a frame of RFC 5425. Of packets `transport`,
    `peer` (sender) and `to` are known.
    """

    octets: bytes
    length: int
    name: str
    number: int = 0
    first_line: int = 0
    header: bool = False
    framed: bool = False
    transport: Transport = ""
    peer: str = ""
    to: str = ""

    @property
    def truncated(self) -> bool:
        """Whether only its beginning is kept."""
        return len(self.octets) < self.length


@dataclass(frozen=True, slots=True)
class Unread:
    """A file, or a part of one, that could not be read, with why. `others` counts lines and messages of others.

    `expected`: nothing is lost by it (a file in a folder that holds something else, lines of other programs).
    """

    name: str
    why: str
    line: int = 0
    others: int = 0
    expected: bool = False
