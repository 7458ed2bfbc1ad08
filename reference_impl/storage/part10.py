"""Files of PS3.10 whose data set stays the octets that it is: writing them, and taking them apart."""

from __future__ import annotations

from dataclasses import dataclass

from reference_impl.signatures.elements import SHORT, vr_code
from reference_impl.signatures.writer import element

_PREAMBLE, _PREFIX = bytes(128), b"DICM"
_IMPLEMENTATION = "2.25.281472531853279461387243921705648295713"
_VERSION, _CLASS, _INSTANCE, _SYNTAX, _IMPLEMENTATION_CLASS = 0x0001, 0x0002, 0x0003, 0x0010, 0x0012
"""Elements of group 0002 (PS3.10 7.1)."""
_MOST_OCTETS = 64  # of a UID


class UnfitError(ValueError):
    """Octets that are no DICOM file of PS3.10, or do not say what they are."""


@dataclass(frozen=True)
class Instance:
    """A SOP instance: what it is, its transfer syntax and its data set as octets."""

    sop_class: str
    sop_instance: str
    syntax: str
    data: bytes

    def octets(self) -> bytes:
        """The whole file: preamble, File Meta Information, data set."""
        meta = element(0x00020000 | _VERSION, "OB", b"\0\x01")
        uids = {
            _CLASS: self.sop_class,
            _INSTANCE: self.sop_instance,
            _SYNTAX: self.syntax,
            _IMPLEMENTATION_CLASS: _IMPLEMENTATION,
        }
        for number, uid in uids.items():
            meta += element(0x00020000 | number, "UI", uid.encode("ascii", "replace")[:_MOST_OCTETS])
        length = element(0x00020000, "UL", len(meta).to_bytes(4, "little"))
        return _PREAMBLE + _PREFIX + length + meta + self.data


def take_apart(octets: bytes) -> Instance:
    """The instance in a file of PS3.10. Raises `UnfitError`."""
    begin = len(_PREAMBLE) + len(_PREFIX)
    if octets[len(_PREAMBLE) : begin] != _PREFIX:
        raise UnfitError("these octets are no DICOM file: there is no DICOM prefix")
    meta, end = _meta(octets, begin)
    sop_class, sop_instance, syntax = (meta.get(number, "") for number in (_CLASS, _INSTANCE, _SYNTAX))
    if not syntax or not sop_class or not sop_instance:
        raise UnfitError("the File Meta Information lacks transfer syntax, SOP class or SOP instance")
    return Instance(sop_class, sop_instance, syntax, octets[end:])


def _meta(octets: bytes, at: int) -> tuple[dict[int, str], int]:
    """The texts of group 0002 by element number, and where the data set begins."""
    found: dict[int, str] = {}
    while octets[at : at + 2] == b"\x02\0":
        short = vr_code(octets[at + 4 : at + 6].decode("latin-1").ljust(2)) in SHORT
        value = at + (8 if short else 12)
        length = int.from_bytes(octets[at + 6 : value] if short else octets[at + 8 : value], "little")
        if value + length > len(octets):
            raise UnfitError("the File Meta Information ends beyond the file")
        if length <= _MOST_OCTETS:
            text = octets[value : value + length].decode("ascii", "backslashreplace")
            found[int.from_bytes(octets[at + 2 : at + 4], "little")] = text.rstrip("\0 ")
        at = value + length
    return found, at
