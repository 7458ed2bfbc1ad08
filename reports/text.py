"""What a system under test said, made safe to look at: hidden characters visible, length bounded."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

LONGEST = 4000
"""Characters of one text shown in a report; the whole is in run.jsonl."""

# C0 (but tab and line feed), DEL, C1, and every character that is invisible or turns the direction of what follows.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
_LINE_ENDS = re.compile("[\t\n]")


def visible(text: str, longest: int = LONGEST) -> str:
    """`text` with every hidden character shown as its control picture or as ``⟦U+202E⟧``, cut at `longest` characters.

    Tab and line feed stay: they are white space wherever this is used. See `visible_line` for where they would lie.
    """
    if len(text) > longest:
        text = f"{text[:longest]} … (cut: {len(text)} characters in all)"
    return _HIDDEN.sub(_picture, text) if _HIDDEN.search(text) else text


def visible_line(text: str, longest: int = LONGEST) -> str:
    """As `visible`, and one line whatever is in it: line feeds and tabs are pictures, too."""
    shown = visible(text, longest)
    return _LINE_ENDS.sub(_picture, shown) if _LINE_ENDS.search(shown) else shown


def _picture(found: re.Match[str]) -> str:
    code = ord(found.group())
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"⟦U+{code:04X}⟧"


def spoken(value: Any) -> str:
    """An observed value as a reader wants it: text as it stands, lists with commas, mappings as ``name: value``."""
    if value is None:
        return "not established"
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Mapping):
        return "; ".join(f"{_label(name)}: {spoken(item)}" for name, item in value.items()) or "nothing"
    if isinstance(value, Sequence | set | frozenset):
        return ", ".join(spoken(item) for item in value) or "nothing"
    return json.dumps(value, default=str)


def _label(name: Any) -> str:
    return str(name).replace("_", " ")


def plural(number: int, noun: str, many: str = "") -> str:
    """ "1 claim", "2 claims": the number with its noun."""
    return f"{number} {noun if number == 1 else many or noun + 's'}"


def slug(text: str) -> str:
    """`text` as a file name or fragment: ASCII letters, digits, dot, hyphen and underscore only, never hidden."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip(".-")[:120] or "unnamed"
