"""The schema of PS3.15 A.5.1.1, as RELAX NG: whether a message follows it, and in words where it does not.

The grammar is `audit_message.rng`. What is wrong is explained from the same grammar, since the messages of libxml2 name
neither what was expected nor, often, the right place.
"""

from __future__ import annotations

import re
import threading
from pathlib import Path

from lxml import etree

GRAMMAR = Path(__file__).with_name("audit_message.rng")
"""The schema as a file, for other validators."""

_LEAP_SECOND = re.compile(r"(\s*-?\d{4,}-\d\d-\d\dT\d\d:\d\d):60((?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?\s*)\Z")

_OUTSIDE_BASE64 = re.compile(r"[^A-Za-z0-9+/= \t\r\n]").search
_DETAIL, _QUERY = "ParticipantObjectDetail", "ParticipantObjectQuery"


class _Schemas(threading.local):
    """One compiled schema for each thread: validation leaves its messages in the object."""

    def __init__(self) -> None:
        self.schema = etree.RelaxNG(etree.parse(GRAMMAR))
        self.validate = self.schema.validate


_SCHEMAS = _Schemas()


def follows_schema(root: etree._Element) -> bool:
    """Whether a message is valid; a leap second in EventDateTime, which libxml2 refuses, is (A.5.2.5).

    Base64 with other characters in between, which libxml2 passes over, is not.
    """
    if _SCHEMAS.validate(root):
        return _is_encoded(root)
    event = root.find("EventIdentification")
    value = event.get("EventDateTime", "") if event is not None else ""
    leap = _LEAP_SECOND.match(value)
    if event is None or leap is None:
        return False
    event.set("EventDateTime", f"{leap[1]}:59{leap[2]}")
    try:
        return bool(_SCHEMAS.validate(root)) and _is_encoded(root)
    finally:
        event.set("EventDateTime", value)


def _is_encoded(root: etree._Element) -> bool:
    for element in root.iter(_DETAIL, _QUERY):
        if _OUTSIDE_BASE64((element.get("value") if element.tag == _DETAIL else element.text) or ""):
            return False
    return True


def complaints(limit: int) -> tuple[tuple[int, str], ...]:
    """What libxml2 says about the message that this thread validated last: lines and sentences."""
    return tuple((entry.line, entry.message) for entry, _ in zip(_SCHEMAS.schema.error_log, range(limit), strict=False))
