"""Octets that no XML parser reads, in words for whoever sent them: cut, in another encoding, no XML at all."""

from __future__ import annotations

import re

_DECLARED = re.compile(rb"(?:\xef\xbb\xbf)?<\?xml[^>]{1,100}?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']").match
_WHOLE = "Write the message with an XML library, whole."
_UTF_8 = "Write the message in UTF-8."
_WIDE = frozenset({b"utf-16", b"utf-16le", b"utf-16be", b"utf-32", b"iso-10646-ucs-2", b"iso-10646-ucs-4"})
_MARKS = frozenset({b"\xff\xfe", b"\xfe\xff"})
_SPACE = b" \t\r\n"


def explained(octets: bytes, said: str) -> tuple[str, str]:
    """What is wrong and what to do about it; `said` is what the parser told, which stands where nothing is known."""
    declared = _DECLARED(octets)
    name = declared[1].lower() if declared else b""
    start = octets.removeprefix(b"\xef\xbb\xbf").lstrip(_SPACE)
    if not start:
        return "there is nothing but white space" if octets else "the message is empty", _WHOLE
    if octets[:2] in _MARKS:
        return said, _WHOLE
    if name in _WIDE:
        return (
            f"the XML declaration says {name.decode()}, and the octets are of another encoding",
            'Write the encoding that the octets are in: encoding="UTF-8", or no declaration at all.',
        )
    if octets[:2] in {b"<\0", b"\0<"}:
        return "it seems to be UTF-16 without a byte order mark and without an XML declaration", _UTF_8
    if name in {b"", b"utf-8"} and (place := _no_utf_8(octets)):
        told = "the declaration says UTF-8" if name else "no XML declaration says another encoding"
        return f"the octet 0x{octets[place - 1]:02x} at place {place} is no UTF-8, and {told}", _UTF_8
    if start[:1] != b"<":
        return f"{said}: it does not begin with XML", "Give the XML of the message alone."
    if b"\0" in octets:
        return f"{said}: it holds the character NUL", "Leave out NUL, at the end of the message, too: XML has none."
    if said.startswith("Extra content"):
        return f"{said}: something follows the message", "Send every message alone, with nothing behind it."
    if said.startswith("Premature end") or not start.rstrip(_SPACE).endswith(b">"):
        return (
            f"{said}: it ends after {len(octets)} octets, before the message does",
            "Send the message whole; see whether something on its way cuts at that length.",
        )
    return said, _WHOLE


def _no_utf_8(octets: bytes) -> int:
    """The place of the first octet, counted from 1, that is no UTF-8; 0: there is none, or a character was cut."""
    try:
        octets.decode()
    except UnicodeDecodeError as problem:
        return 0 if problem.end >= len(octets) else problem.start + 1
    return 0
