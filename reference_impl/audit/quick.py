"""The short way for messages like others that were found to be in order.

Most of what decides about a message are its codes, its roles and which fields it has; a source sends the same
combination over and over. `fingerprint` reads just that, and checks by itself the values that differ from message to
message. Where the rules had nothing to say about one message, they have nothing to say about any other that follows the
schema and has the same fingerprint. What is unusual has none, and takes the long way.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from reference_impl.audit.codes import groups
from reference_impl.audit.identifiers import DCM_NAMES
from reference_impl.audit.rules.events import known_codes
from reference_impl.audit.rules.facts import collapsed, decoded
from reference_impl.audit.rules.plausibility import fits_its_type

if TYPE_CHECKING:
    from lxml import etree

    from reference_impl.audit.findings import MessageResult

_MOST = 4096
LARGEST = 8 * 1024
"""Octets of the largest message that is remembered: so is what fingerprints take in memory."""
_LONGEST = 64
_PARTS = 64
_ALIKE = 3  # no rule tells three of the same from more
_START = re.compile(
    rb"""(?:\xef\xbb\xbf)?(?:<\?xml\s+version\s*=\s*(?P<v>["'])1\.0(?P=v)(?:\s+encoding\s*=\s*(?P<e>["'])(?i:utf-8)(?P=e))?"""
    rb"""(?:\s+standalone\s*=\s*(?P<s>["'])(?:yes|no)(?P=s))?\s*\?>)?\s*(?=<AuditMessage[\s>])"""
).match
_ROOT = b"<AuditMessage>"
_SUSPECT = re.compile(rb"""=(?=["'\s])(?:"["\s]|'['\s]|\s)""").search
_BLANK = re.compile(rb"""\s[\w:.-]+\s*=\s*(?:"\s*"|'\s*')""").search
_UID_FORM = r"(?=.{1,64}\Z)(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))+\Z"
_UID = re.compile(_UID_FORM).match
_ZONED = re.compile(r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)\Z", re.ASCII).match
is_uid = re.compile(_UID_FORM.encode()).match
"""Whether octets are a UID as PS3.5 9.1 has it."""
is_titles = re.compile(rb"AETITLES= ?[!-:<-\[\]-~]{1,16}(?:;[!-:<-\[\]-~]{1,16})*\Z").match
"""Whether octets are AE titles as A.5.2.2 has them, without blanks inside."""
TITLE_LIKE = frozenset({b"AE", b"ae", b"Ae", b"aE"})
"""How something begins that may be meant as AE titles."""
_TITLE_LIKE = frozenset(each.decode() for each in TITLE_LIKE)
_UID_CODES = frozenset({"110180", "110181"})
_SOURCE_TYPES = frozenset("123456789")
_TOLD = frozenset(str(number) for number in range(1, 13))
URI = "12"
_LOG = "security audit log"
_ORDERED = frozenset({"110104", "110106", "110107", "110114"})
"""Events whose tables look at several things of a participant together: transfers, media, log-ins."""
_NAMES_CLASSES, _IS_DESCRIBED = ("SOPClass",), ("described",)
_TRUE = frozenset({"true", "1"})
_IDENTIFYING = frozenset({URI, "110182"})

Fingerprint = tuple[object, ...]


class Known:
    """Fingerprints of messages in order, with what was said about them; a bounded number."""

    def __init__(self) -> None:
        self._results: dict[Fingerprint, MessageResult] = {}
        self.get = self._results.get

    def keep(self, fingerprint: Fingerprint, result: MessageResult) -> None:
        """Remember a result without findings. When there are too many, all are forgotten."""
        if len(self._results) >= _MOST:
            self._results.clear()
        self._results[fingerprint] = result


def names_root(octets: bytes) -> int:
    """Where the root element begins in a message of UTF-8 with nothing but an XML declaration before; else -1."""
    if octets.startswith(_ROOT):
        return 0
    start = _START(octets)
    return -1 if start is None else start.end()


def is_plain(octets: bytes) -> bool:
    """Whether a message is written so plainly that no attribute can be empty, or hold white space alone."""
    if names_root(octets) < 0 or b"&#" in octets or b"\0" in octets:
        return False
    return _SUSPECT(octets) is None or _BLANK(octets) is None


def is_like_a_log(name: str) -> bool:
    """Whether the name of an object with a URI comes near the one such name that a rule looks at (A.5.3.2)."""
    return _LOG in collapsed(name).casefold()


def fingerprint(root: etree._Element) -> Fingerprint | None:
    """What decides about a plain message that follows the schema; None where something has to be looked at."""
    found: list[Fingerprint] = []
    alike: dict[Fingerprint, int] = {}  # of objects, and of most participants, the order decides nothing
    ordered = False
    for child in root:
        tag = child.tag
        one = _READERS[tag](child)
        if one is None:
            return None
        if tag == "EventIdentification":
            ordered = not _ORDERED.isdisjoint(one)
        if tag == "ParticipantObjectIdentification":
            alike[one] = min(alike.get(one, 0) + 1, _ALIKE)
        elif tag == "ActiveParticipant" and not ordered:
            one = one[1:]
            alike[one] = min(alike.get(one, 0) + 1, _ALIKE)
        elif found.count(one) < _ALIKE:
            found.append(one)
        if len(found) + len(alike) > _PARTS:
            return None
    return *found, frozenset(alike.items())


def _event(element: etree._Element) -> Fingerprint | None:
    time = element.get("EventDateTime", "")
    if not _ZONED(time) or ":60" in time:
        return None
    event = ""
    found: set[object] = set()
    for child in element:
        tag = child.tag
        if tag == "EventOutcomeDescription":
            if not (child.text or "").strip():
                return None
            continue
        get = child.get
        code = get("csd-code", ""), get("codeSystemName", ""), get("originalText", "")
        if tag == "EventID":
            event = collapsed(code[0])
            found.add((tag, code))
        else:
            found.add(decisive(code))
    return event, element.get("EventActionCode"), frozenset(found)


def _participant(element: etree._Element) -> Fingerprint | None:
    get = element.get
    point, kind, titles = get("NetworkAccessPointID"), get("NetworkAccessPointTypeCode"), get("AlternativeUserID", "")
    if point is None or kind is None:
        if point is not kind:
            return None
    elif not fits_its_type(point, kind):
        return None
    if (titles[:2] in _TITLE_LIKE or ";" in titles) and not is_titles(titles.encode()):
        return None
    said = get("UserIsRequestor") in _TRUE
    found: set[object] = set()
    for child in element:
        tag = child.tag
        get = (child[0] if tag == "MediaIdentifier" else child).get
        found.add((tag, decisive((get("csd-code", ""), get("codeSystemName", ""), get("originalText", "")))))
    return point is None, said, frozenset(found)


def _source(element: etree._Element) -> Fingerprint | None:
    for child in element:
        if child.get("csd-code") not in _SOURCE_TYPES and not child.get("codeSystemName", "").strip():
            return None
    return ()


@lru_cache(maxsize=4096)
def decisive(code: tuple[str, str, str]) -> tuple[str, str, str]:
    """What decides of a code: all of it, or nothing where it is none that any rule knows, by value or by meaning."""
    value, system, meaning = (collapsed(each) for each in code)
    if system in DCM_NAMES or value in _TOLD or value in known_codes():
        return code
    if meaning.casefold() in _meanings() or "dcm" in system.casefold() or "dicom" in system.casefold():
        return code
    return "", "", ""


@cache
def _meanings() -> frozenset[str]:
    return frozenset(meaning.casefold() for group in groups().values() for meaning in group.codes.values())


def _object(element: etree._Element) -> Fingerprint | None:
    get = element.get
    found: list[object] = [get("ParticipantObjectTypeCode"), get("ParticipantObjectTypeCodeRole")]
    code = ""
    for child in element:
        tag = child.tag
        if tag == "ParticipantObjectIDTypeCode":
            code = child.get("csd-code", "")
            identified = _identifier(code, get("ParticipantObjectID", ""))
            if identified is None:
                return None
            found += identified, decisive((code, child.get("codeSystemName", ""), child.get("originalText", "")))
        elif tag == "ParticipantObjectName":
            text = child.text
            if not text or text.isspace():
                return None
            found.append(text if code == URI and is_like_a_log(text) else tag)
        elif tag == "ParticipantObjectQuery":
            if not (child.text or "").strip():
                return None
            found.append(tag)
        else:
            one = _detail(child) if tag == "ParticipantObjectDetail" else _description(child)
            if one is None:
                return None
            if one and one not in found:
                found.append(one)
            if len(found) > _PARTS:
                return None
    if _NAMES_CLASSES in found:  # then it does not matter what else is described
        found = [each for each in found if each not in (_IS_DESCRIBED, _NAMES_CLASSES)]
    return tuple(found)


def _identifier(code: str, value: str) -> str | None:
    """What decides of an identifier: that a UID is one; URIs and nodes as they stand; nothing of others."""
    if code in _UID_CODES:
        return "" if _UID(value) else None
    if code in _IDENTIFYING:
        return value if len(value) <= _LONGEST else None
    return ""


def _detail(element: etree._Element) -> Fingerprint | None:
    kind, value = element.get("type", ""), element.get("value", "")
    if kind == "TransferSyntax":
        return (kind, value) if len(value) <= _LONGEST else None
    if kind == "Alert Description" and not (decoded(value) or b"").strip():
        return None
    return (kind,) if kind.replace(" ", "").casefold() in _NAMED_DETAILS else ()


_NAMED_DETAILS = frozenset({"transfersyntax", "alertdescription"})


def _description(element: etree._Element) -> Fingerprint | None:
    tags = set()
    for child in element:
        tag = child.tag
        tags.add(tag)
        uid = child.get("UID")
        if uid is not None and not _UID(uid):
            return None
        if tag == "SOPClass" and "-" in child.get("NumberOfInstances", ""):
            return None
        if len(child):
            if tag == "SOPClass" and not _enough(child.get("NumberOfInstances", ""), len(child)):
                return None
            for each in child:
                if not _UID(each.get("UID", "")):
                    return None
        elif tag == "ParticipantObjectContainsStudy":
            return None
    if not tags:
        return None
    if "SOPClass" in tags:
        return _NAMES_CLASSES
    return () if _DESCRIBED.isdisjoint(tags) else _IS_DESCRIBED


_DESCRIBED = frozenset({"Accession", "MPPS", "Encrypted", "Anonymized"})


def _enough(said: str, listed: int) -> bool:
    return len(said) <= 9 and said.isdecimal() and int(said) >= listed


_READERS = {
    "EventIdentification": _event,
    "ActiveParticipant": _participant,
    "AuditSourceIdentification": _source,
    "ParticipantObjectIdentification": _object,
}
