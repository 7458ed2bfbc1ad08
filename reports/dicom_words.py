"""DICOM in words: names of elements, places in data sets, transfer syntaxes and moments, for those who read reports."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from harness.record.facts import Reason

_SYNTAXES = {
    "1.2.840.10008.1.2": "Implicit VR Little Endian",
    "1.2.840.10008.1.2.1": "Explicit VR Little Endian",
    "1.2.840.10008.1.2.1.99": "Deflated Explicit VR Little Endian",
    "1.2.840.10008.1.2.2": "Explicit VR Big Endian",
    "1.2.840.10008.1.2.4.50": "JPEG Baseline",
    "1.2.840.10008.1.2.4.70": "JPEG Lossless",
    "1.2.840.10008.1.2.4.80": "JPEG-LS Lossless",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 Lossless",
    "1.2.840.10008.1.2.5": "RLE Lossless",
}
_TAG = re.compile(r"\(([0-9A-Fa-f]{4}),([0-9A-Fa-f]{4})\)$")
_DATE_TIME = re.compile(r"(?P<date>[0-9]{8})(?P<time>[0-9]{6})(?:\.[0-9]{1,6})?(?P<zone>[+-][0-9]{4})? *")
_PLACES = re.compile(r", (?=\(|and )")


def reason_text(one: Reason) -> str:
    """A reason with the place or places that it is about."""
    return f"{one.text} at {places_text(one.place)}" if one.place else one.text


def places_text(places: str) -> str:
    """Places in a row, each with the name of its last element."""
    return ", ".join(map(named_place, _PLACES.split(places)))


def syntax_name(uid: str) -> str:
    """The name of a transfer syntax, the UID where it is none of the common ones."""
    return _SYNTAXES.get(uid, uid)


def named_place(place: str) -> str:
    """ "(0040,A730)[2].(0008,0100)" with the name of the last element, where the dictionary has one."""
    number = tag_number(place)
    name = _dictionary()(number) if number is not None else ""
    return f"{place} {name}" if name else place


def tag_number(place: str) -> int | None:
    """The tag at the end of a place, None where there is none."""
    found = _TAG.search(place)
    return int(found[1] + found[2], 16) if found else None


@cache
def _dictionary() -> Callable[[int], str]:
    """Names of elements. Loaded for reports alone that have signatures to tell of."""
    from pydicom.datadict import dictionary_description

    def name(tag: int) -> str:
        if tag >> 16 & 1:
            return "private"
        try:
            return dictionary_description(tag)
        except KeyError:
            return ""

    return name


def date_time(value: str) -> str:
    """A value of VR DT (PS3.5 6.2) as people write it; as it stands where it is none."""
    found = _DATE_TIME.fullmatch(value)
    if found is None:
        return value
    date, time = found["date"], found["time"]
    zone = found["zone"] or "(no offset from UTC)"
    return f"{date[:4]}-{date[4:6]}-{date[6:]} {time[:2]}:{time[2:4]}:{time[4:]} {zone}"
