"""The shortest way for messages that differ from one in order by nothing but names, identifiers, times and the like.

A source writes the same kind of event the same way each time. The octets of a plain message without its attribute
values and texts are its skeleton; of the values, most have to be exactly those of the message that was examined, and
the others are held against what the schema and the rules ask of them. Only then is the result of that message given
again, without parsing. Whatever is written less plainly (character references, apostrophes as quotes, another
encoding) is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING
from xml.sax.saxutils import unescape

from reference_impl.audit.quick import LARGEST, TITLE_LIKE, URI, is_like_a_log, is_titles, is_uid, names_root
from reference_impl.audit.rules.facts import decoded
from reference_impl.audit.rules.plausibility import fits_its_type

if TYPE_CHECKING:
    from lxml import etree

    from reference_impl.audit.findings import MessageResult

_MOST = 512
_MANY = 10_000
_COMBINATIONS = 64
_WAYS = 4
_LONG = 18
HELD = b"\0"
"""In a skeleton: here stands a text. There is no NUL in XML."""
_TEXT = re.compile(rb">([^<]+)<")
_HELD_BETWEEN = b">%b<" % HELD
_REFERENCE = re.compile(rb"&(?:amp|lt|gt|quot|apos);").findall
_OF_REFERENCES = {"&quot;": '"', "&apos;": "'"}
_NAME = re.compile(rb"\s([A-Za-z][A-Za-z-]*)=\Z")
_CONTROLS = bytes(each for each in range(0x20) if each not in b"\t\n\r")
_NONCHARACTERS = (b"\xef\xbf\xbe", b"\xef\xbf\xbf")
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\Z").match
_CANONICAL = re.compile(rb".*(?:[AQgw]==|[AEIMQUYcgkosw048]=|[^=])\Z", re.DOTALL).match
_TIME = re.compile(
    rb"(\d{4}-\d\d-\d\d)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:Z|[+-](?:0\d|1[0-3]):[0-5]\d)\Z"
).match
_ANYTHING = frozenset(
    {
        "UserID",
        "UserName",
        "AuditEnterpriseSiteID",
        "AuditSourceID",
        "Number",
        "ParticipantObjectSensitivity",
        "displayName",
    }
)
_UID_CODES = frozenset({"110180", "110181"})

Check = Callable[[bytes], object]
_NOT_BLANK: Check = bytes.strip
Parts = tuple[bytes, list[bytes], list[bytes]]
"""Skeleton, attribute values and texts of a message."""


def split(octets: bytes) -> Parts | None:
    """A plain message taken apart; None where it is not plain."""
    if len(octets) > LARGEST or b"]]>" in octets:
        return None
    if b"&" in octets and octets.count(b"&") != len(_REFERENCE(octets)):
        return None
    start = names_root(octets)
    if start < 0 or len(octets.translate(None, _CONTROLS)) != len(octets):
        return None
    if not octets.isascii():
        try:
            octets.decode()
        except UnicodeDecodeError:
            return None
        if any(each in octets for each in _NONCHARACTERS):
            return None
    message = octets[start:] if start else octets
    around = _TEXT.split(message)  # what stands around texts, and the texts, in turns
    pieces = _HELD_BETWEEN.join(around[::2]).split(b'"')
    values = pieces[1::2]
    if b"<" in b"".join(values):  # one in a value, or a value that was cut by a ">" within it
        return None
    return b'"'.join(pieces[::2]), values, around[1::2]


class _Plan:
    """How messages with one skeleton are looked at, `checks` of values and of texts behind them; None: one as it is.

    What is checked follows from values that stay as they are: a kind of identifier, the name of a detail.
    """

    def __init__(self, checks: tuple[Check | None, ...]) -> None:
        self.count = len(checks)
        self.fixed = tuple(place for place, check in enumerate(checks) if check is None)
        looked_at = [(place, check) for place, check in enumerate(checks) if check is not None]
        self.checked = tuple(each for each in looked_at if each[1] is not _NOT_BLANK)
        self.said = tuple(place for place, check in looked_at if check is _NOT_BLANK)
        self.results: dict[tuple[bytes, ...], MessageResult] = {}

    def find(self, values: list[bytes]) -> MessageResult | None:
        """What was said about a message whose fixed values are these, if the others pass."""
        if len(values) != self.count:
            return None
        result = self.results.get(tuple([values[place] for place in self.fixed]))
        return result if result is not None and self._passes(values) else None

    def keep(self, values: list[bytes], result: MessageResult) -> None:
        """Remember a result, if its message passes itself."""
        if self._passes(values):
            if len(self.results) >= _COMBINATIONS:
                self.results.clear()
            self.results[tuple([values[place] for place in self.fixed])] = result

    def _passes(self, values: list[bytes]) -> bool:
        for place in self.said:
            if not values[place].strip():
                return False
        for place, check in self.checked:  # noqa: SIM110 - without a generator it takes half the time
            if not check(values[place]):
                return False
        return True


class Skeletons:
    """Messages in order by their skeletons; a bounded number."""

    def __init__(self) -> None:
        self._plans: dict[bytes, dict[tuple[Check | None, ...], _Plan]] = {}
        self._seen: set[int] = set()

    def find(self, parts: Parts) -> MessageResult | None:
        """What was said about a message that differs from this one in nothing that matters; None: it is not known."""
        plans = self._plans.get(parts[0])
        if plans is None:
            return None
        values = parts[1] + parts[2]
        for plan in tuple(plans.values()):
            if (result := plan.find(values)) is not None:
                return result
        return None

    def keep(self, parts: Parts, root: etree._Element, result: MessageResult) -> None:
        """Remember a message without findings, if its skeleton came before and it can be told what that leaves open."""
        mark = hash(parts[0])
        if mark not in self._seen:
            if len(self._seen) >= _MANY:
                self._seen.clear()
            self._seen.add(mark)
            return
        checks = _checks(root, *parts)
        if checks is None:
            return
        if len(self._plans) >= _MOST:
            self._plans.clear()
        plans = self._plans.setdefault(parts[0], {})
        if len(plans) >= _WAYS:
            plans.clear()
        plans.setdefault(checks, _Plan(checks)).keep(parts[1] + parts[2], result)


def _checks(
    root: etree._Element, skeleton: bytes, values: list[bytes], texts: list[bytes]
) -> tuple[Check | None, ...] | None:
    """What has to be looked at in messages like this one; None where its parts are not what they seem."""
    named = [match and match[1].decode() for match in map(_NAME.search, skeleton.split(b'"')[:-1])]
    attributes = [(element, str(name)) for element in root.iter() for name in element.attrib]
    if named != [name for _, name in attributes] or len(named) != len(values):
        return None
    held = [(element, text) for element, text in _texts(root) if text]
    if [text for _, text in held] != [_plain(text) for text in texts]:
        return None
    if any(element.get(name) != _plain(value) for (element, name), value in zip(attributes, values, strict=True)):
        return None
    checks = [_of_attribute(element, name) for element, name in attributes]
    checks += [_of_text(element) for element, _ in held]
    return tuple(checks)


def _plain(value: bytes) -> str:
    return unescape(value.decode(), _OF_REFERENCES)


def _texts(element: etree._Element) -> Iterator[tuple[etree._Element, str]]:
    """Texts in the order of the document, with the elements that hold them."""
    yield element, element.text or ""
    for child in element:
        yield from _texts(child)
        yield element, child.tail or ""


def _of_text(element: etree._Element) -> Check | None:
    """What a text has to be, None: exactly what it is."""
    if element.tag == "EventOutcomeDescription":
        return _NOT_BLANK
    if element.tag == "ParticipantObjectQuery":
        return _is_base64
    parent = element.getparent()
    if element.tag == "ParticipantObjectName" and parent is not None:
        if _id_code(parent) != URI:
            return _NOT_BLANK
        return None if is_like_a_log(element.text or "") else _names_no_log
    return None


def _of_attribute(element: etree._Element, name: str) -> Check | None:
    """What the value of an attribute has to be, None: exactly what it is."""
    if name in _ANYTHING:
        return _NOT_BLANK
    value = str(element.get(name))
    match name:
        case "EventDateTime":
            return _is_time
        case "UID":
            return is_uid
        case "NumberOfInstances":
            return None if len(element) else _is_number
        case "AlternativeUserID":
            return _are_titles if value.startswith("AETITLES=") else _is_no_title
        case "NetworkAccessPointID":
            return _is_point_of(str(element.get("NetworkAccessPointTypeCode")))
        case "ParticipantObjectID":
            code = _id_code(element)
            return is_uid if code in _UID_CODES else _NOT_BLANK if code == "2" else None
        case "value":
            kind = element.get("type")
            return None if kind == "TransferSyntax" else _says_something if kind == "Alert Description" else _is_base64
    return None


def _id_code(element: etree._Element) -> str:
    found = element.find("ParticipantObjectIDTypeCode")
    return "" if found is None else found.get("csd-code", "")


def _names_no_log(value: bytes) -> bool:
    return bool(value.strip()) and not is_like_a_log(value.decode())


def _is_number(value: bytes) -> bool:
    return value.isdigit() and len(value) < _LONG


def _is_base64(value: bytes) -> bool:
    return bool(value and _BASE64(value) and _CANONICAL(value))


def _says_something(value: bytes) -> bool:
    return _is_base64(value) and bool((decoded(value.decode()) or b"").strip())


def _are_titles(value: bytes) -> bool:
    return b"&" not in value and is_titles(value) is not None


def _is_no_title(value: bytes) -> bool:
    return bool(value.strip()) and value[:2] not in TITLE_LIKE and b";" not in value


@cache
def _is_point_of(kind: str) -> Check:
    """The check of a network access point of one of the five types: the same one each time."""
    return lambda value: bool(value.strip()) and fits_its_type(value.decode(), kind)


def _is_time(value: bytes) -> bool:
    read = _TIME(value)
    return read is not None and _is_date(read[1])


@lru_cache(maxsize=1024)
def _is_date(value: bytes) -> bool:
    try:
        datetime.fromisoformat(value.decode())
    except ValueError:
        return False
    return True
