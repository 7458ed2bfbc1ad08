"""Findings about syslog messages, with what was found shown in short."""

from __future__ import annotations

from reference_impl.audit.findings import Finding, Level

_LONGEST = 80


def finding(
    rule: str, level: Level, place: str, *, expected: str, found: bytes | str | int, text: str, remedy: str
) -> Finding:
    """A finding; `found` is shown as printable text of at most 80 characters."""
    return Finding(rule, level, place, expected=expected, found=shown(found), text=text, remedy=remedy)


def shown(found: bytes | str | int) -> str:
    """`found` as a short text: what is not printable is escaped."""
    raw = found[: _LONGEST + 1] if isinstance(found, bytes | str) else str(found)
    text = raw.decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else raw
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
