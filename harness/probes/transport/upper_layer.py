"""As much of the DICOM Upper Layer (PS3.8 9.3) as it takes to tell whether a port speaks unencrypted DICOM."""

from __future__ import annotations

_IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
_VERIFICATION = "1.2.840.10008.1.1"
_APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
_IMPLEMENTATION = "1.2.826.0.1.3680043.10.1315.1"
ASSOCIATE_AC, ASSOCIATE_RJ, ABORT = 2, 3, 7
MAX_PDU = 1 << 20


def _item(item_type: int, value: bytes) -> bytes:
    return bytes((item_type, 0)) + len(value).to_bytes(2, "big") + value


def association_request(calling_aet: str, called_aet: str) -> bytes:
    """An A-ASSOCIATE-RQ that proposes Verification in Implicit VR Little Endian (PS3.8 9.3.2)."""
    context = _item(
        0x20,
        b"\x01\x00\x00\x00" + _item(0x30, _VERIFICATION.encode()) + _item(0x40, _IMPLICIT_LITTLE_ENDIAN.encode()),
    )
    user = _item(0x50, _item(0x51, (16384).to_bytes(4, "big")) + _item(0x52, _IMPLEMENTATION.encode()))
    titles = b"".join(title.encode("ascii", "replace")[:16].ljust(16) for title in (called_aet, calling_aet))
    body = b"\x00\x01\x00\x00" + titles + bytes(32) + _item(0x10, _APPLICATION_CONTEXT.encode()) + context + user
    return b"\x01\x00" + len(body).to_bytes(4, "big") + body


def answer_type(data: bytes) -> int | None:
    """The type of the PDU that `data` begins with if it can answer an association request, None if it cannot.

    2 (accept), 3 (reject) and 7 (abort) can; their fixed lengths are checked (PS3.8 9.3.3, 9.3.4, 9.3.8).
    """
    if len(data) < 10 or data[1] != 0:
        return None
    length = int.from_bytes(data[2:6], "big")
    if data[0] in {ASSOCIATE_RJ, ABORT}:
        return data[0] if length == 4 else None
    if data[0] == ASSOCIATE_AC and 68 <= length <= MAX_PDU and data[6:8] == b"\x00\x01":
        return ASSOCIATE_AC
    return None


def pdu_complete(data: bytes) -> bool:
    """Whether `data` holds a whole PDU, or begins with what is none."""
    if not data:
        return False
    if data[0] not in range(1, 8):
        return len(data) >= 16
    return len(data) >= 6 and len(data) >= 6 + min(int.from_bytes(data[2:6], "big"), MAX_PDU)
