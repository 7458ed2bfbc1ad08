"""What became of a message that was sent, told by its marks, and where messages are kept as they came by its octets."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator

from fixtures.audit_deliveries import Asked
from harness.observations.audit import Arrival

_OCTAL = re.compile(rb"#([0-3][0-7]{2})")
_CONTROLS = re.compile(rb"[\x00-\x1f\x7f]+")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_BOUNDARIES = (b"", b"\n", b"\r", b"\0", b'"')
_ROOT, _ROOT_ENDS = b"<AuditMessage", b"</AuditMessage>"
_BETTER: tuple[Arrival, ...] = ("", "absent", "altered", "cut", "whole")


def arrival_of(asked: Asked, found: bytes, *, as_received: bool) -> Arrival:
    """What became of the message, as far as `found` shows it.

    `as_received`: plain messages are found there octet for octet, so that others can be compared.
    """
    begin = asked.begin.encode() in found
    end = bool(asked.end) and asked.end.encode() in found
    if not begin:
        return "altered" if end else "absent"
    if asked.message and asked.message in found:
        return "whole"
    if asked.end and not end:
        return "cut"
    if not as_received or not asked.message or _shown_otherwise(asked.message, found) or _written_again(asked, found):
        return "whole"
    return "cut" if not asked.end or _cut_off(asked, found) else "altered"


def best(one: Arrival, other: Arrival) -> Arrival:
    """Of two tries with one message the better one."""
    return max(one, other, key=_BETTER.index)


def _shown_otherwise(message: bytes, found: bytes) -> bool:
    """Whether `found` shows `message` whole, in one of the ways in which logs show what would break their lines."""
    wordings = {message, message.strip(), _CONTROLS.sub(b"", message), _CONTROLS.sub(b" ", message)}
    wordings.add(_CONTROL.sub(b" ", message))
    return any(wording in view for view in _views(found) for wording in wordings)


def _written_again(asked: Asked, found: bytes) -> bool:
    """Whether `found` shows the same XML as another program writes it: other quotes, references, space, no comments."""
    if (sent := _canonical(asked.message)) is None:
        return False
    return any(_canonical(_around(asked.begin.encode(), view)) == sent for view in _views(found))


def _canonical(message: bytes) -> bytes | None:
    """The Canonical XML of `message` without comments and space between elements; None where it is no XML."""
    from lxml import etree

    from reference_impl.audit.parsing import UnreadableMessageError, parse_xml

    try:
        root = parse_xml(message.strip())
    except UnreadableMessageError:
        return None
    for each in root.iter():
        each.text, each.tail = (each.text or "").strip() or None, (each.tail or "").strip() or None
    return bytes(etree.tostring(root, method="c14n", with_comments=False))


def _around(mark: bytes, view: bytes) -> bytes:
    """The audit message in `view` that holds `mark`; empty where there is none."""
    at = view.find(mark)
    start, end = view.rfind(_ROOT, 0, max(at, 0)), view.find(_ROOT_ENDS, at)
    return view[start : end + len(_ROOT_ENDS)] if 0 <= start < at < end else b""


def _views(found: bytes) -> Iterator[bytes]:
    """`found` as it is, and with one kind of escapes undone."""
    yield found
    yield _OCTAL.sub(lambda match: bytes([int(match[1], 8)]), found)
    text = found.decode("utf-8", "surrogateescape")
    yield _unescaped(text).encode("utf-8", "surrogateescape")
    yield html.unescape(text).encode("utf-8", "surrogateescape")


def _unescaped(text: str) -> str:
    """`text` with the escapes of JSON undone."""

    def plain(match: re.Match[str]) -> str:
        try:
            return str(json.loads(f'"{match[0]}"'))
        except ValueError:
            return match[0]

    joined = re.sub(r'(?:\\u[0-9a-fA-F]{4})+|\\["\\/bfnrt]', plain, text)
    return joined.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _cut_off(asked: Asked, found: bytes) -> bool:
    """Whether a record holds the message from its beginning on and ends before it does, wherever the rest has gone."""
    begin = asked.begin.encode()
    start = found.find(begin) - asked.message.find(begin)
    if start < 0:
        return False
    ends = start + _common(asked.message, found, start)
    return ends > found.find(begin) and found[ends : ends + 1] in _BOUNDARIES


def _common(message: bytes, found: bytes, where: int) -> int:
    """How many octets of `message` stand in `found` from `where` on."""
    low, high = 0, min(len(message), len(found) - where)
    while low < high:
        middle = (low + high + 1) // 2
        if message[:middle] == found[where : where + middle]:
            low = middle
        else:
            high = middle - 1
    return low
