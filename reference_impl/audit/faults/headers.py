"""Changes of the syslog header around audit messages, as data (`headers.toml`): octets in, octets out.

They work on what an untouched source sends: seven fields without structured data (RFC 5424 6), and the message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

FIELDS = ("pri", "version", "timestamp", "hostname", "app-name", "procid", "msgid", "structured-data", "msg")
"""The parts of a syslog message, in their order."""


@dataclass(frozen=True)
class HeaderChange:
    """What is put into a field of the header instead of what is there; None: the field is left out, with its blank.

    `before` and `after` are put around the whole message, `msg_before` before the audit message in it. `form` may be
    "RFC 3164": the header is written anew in the older form. Characters are octets (ISO 8859-1).
    """

    field: str = ""
    value: str | None = None
    before: str = ""
    after: str = ""
    msg_before: str = ""
    form: str = ""


def header_change(row: Mapping[str, Any]) -> HeaderChange:
    """The change of a row of the table. Raises ValueError for a key or a field that is none."""
    known = {each.name for each in fields(HeaderChange)}
    if unknown := set(row) - known - {"text"}:
        raise ValueError(f"{', '.join(sorted(unknown))}: none of {', '.join(sorted(known))}")
    made = HeaderChange(**{key: value for key, value in row.items() if key != "text"})
    if made.field and made.field not in FIELDS:
        raise ValueError(f"{made.field!r} is none of {', '.join(FIELDS)}")
    return made


def with_header_changed(message: bytes, change: HeaderChange) -> bytes:
    """A syslog message of an untouched source after `change`."""
    parts = _parts(message)
    if change.field:
        parts[change.field] = None if change.value is None else change.value.encode("latin-1")
    if change.msg_before and parts["msg"] is not None:
        parts["msg"] = change.msg_before.encode("latin-1") + parts["msg"]
    octets = _of_old(parts) if change.form else _joined(parts)
    return change.before.encode("latin-1") + octets + change.after.encode("latin-1")


def _parts(message: bytes) -> dict[str, bytes | None]:
    head, *rest = message.split(b" ", len(FIELDS) - 2)
    pri, _, version = head.partition(b">")
    found: dict[str, bytes | None] = dict.fromkeys(FIELDS)
    found |= dict(zip(FIELDS, (pri + b">", version, *rest), strict=False))
    return found


def _joined(parts: Mapping[str, bytes | None]) -> bytes:
    """PRI and VERSION without a blank between them, all else after one."""
    return (parts["pri"] or b"") + b" ".join(part for name in FIELDS[1:] if (part := parts[name]) is not None)


def _of_old(parts: Mapping[str, bytes | None]) -> bytes:
    """The header that older syslog writes (RFC 3164 4.1)."""
    at = datetime.fromisoformat((parts["timestamp"] or b"").decode()).astimezone()
    when = at.strftime("%b %d %H:%M:%S").replace(" 0", "  ", 1).encode()
    pri, host, tag, msg = (parts[name] or b"" for name in ("pri", "hostname", "app-name", "msg"))
    return b"%b%b %b %b: %b" % (pri, when, host, tag, msg)
