"""The chain of digests: each message's SHA-256 covers the one before it, so a change or a gap anywhere shows.

It shows tampering by somebody who cannot compute the chain anew. Against one who can, keep the last digest elsewhere
(`ps315 audit search --verify` prints it).
"""

from __future__ import annotations

import hashlib
import struct
from typing import Final

_FIXED: Final = struct.Struct(">QqH")


def beginning(identity: str) -> bytes:
    """The digest before the first message of the trail that is called `identity`."""
    return hashlib.sha256(identity.encode()).digest()


def digest(previous: bytes, number: int, *, arrived: int, transport: str, peer: str, octets: bytes) -> bytes:
    """The digest of a message after the one whose digest is `previous`: number, arrival, way, sender and octets."""
    way = f"{transport} {peer}".encode()
    return hashlib.sha256(b"".join((previous, _FIXED.pack(number, arrived, len(way)), way, octets))).digest()
