"""Text from elsewhere, made fit for a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """`text` as it is, but for characters that would do something to a terminal."""
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in text)
