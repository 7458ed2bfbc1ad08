"""What a timestamp token says (TSTInfo, RFC 3161 2.4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from reference_impl.signatures.signed_data import BROKEN, HASHES, Opened, SignedDataError, hash_of

TST_INFO = "1.2.840.113549.1.9.16.1.4"
"""The type of content of a timestamp token (id-ct-TSTInfo, RFC 3161 2.4.2)."""


@dataclass(frozen=True, slots=True)
class TokenContent:
    """What a timestamp says (TSTInfo, RFC 3161 2.4.2). `hash_oid` and `imprint` are of what was stamped."""

    version: int
    policy: str
    hash_oid: str
    imprint: bytes
    serial: int
    time: datetime
    nonce: int | None = None

    @property
    def hash_algorithm(self) -> str:
        """The name of the hash as (0400,0015) has it, or its object identifier."""
        return HASHES.get(self.hash_oid, self.hash_oid).upper()

    def is_of(self, octets: bytes) -> bool:
        """Whether these octets were stamped. Raises SignedDataError where the hash is not known."""
        return hash_of(self.hash_oid, octets) == self.imprint


def read_content(opened: Opened) -> TokenContent:
    """Read what a timestamp says. Raises SignedDataError."""
    from asn1crypto import tsp

    if opened.content_type != TST_INFO:
        raise SignedDataError("timestamp-unreadable", "what is signed is no timestamp")
    try:
        info = tsp.TSTInfo.load(opened.content, strict=True)
        imprint = info["message_imprint"]
        time = info["gen_time"].native
        if not isinstance(time, datetime) or time.tzinfo is None:
            raise SignedDataError("timestamp-unreadable", "its time cannot be read")
        return TokenContent(
            version=int(info["version"]),
            policy=info["policy"].dotted,
            hash_oid=imprint["hash_algorithm"]["algorithm"].dotted,
            imprint=imprint["hashed_message"].native,
            serial=info["serial_number"].native,
            time=time,
            nonce=info["nonce"].native,
        )
    except BROKEN as problem:
        raise SignedDataError("timestamp-unreadable", f"it cannot be read: {problem}") from None
