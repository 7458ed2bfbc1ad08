"""The schema in words: what in a message is not as A.5.1.1 has it, and which older form explains it."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable

from lxml import etree

from reference_impl.audit.limits import Limits
from reference_impl.audit.rules.collecting import Findings, local_name
from reference_impl.audit.rules.facts import XML_SPACE, decoded
from reference_impl.audit.schema import complaints, follows_schema
from reference_impl.audit.shapes import AttributeShape, Shape, Slot, shapes

RULE = "A.5.1-schema-valid"
SPELLING = "A.5.1-older-spelling"
SCHEMA_RULES = (RULE, SPELLING)
_OLDER_SPELLING = {"ParticipantObjectSensistity": "ParticipantObjectSensitivity"}
_OLDER_NAMES = {
    "code": "csd-code, which RFC 3881 and older editions called code",
    "codeSystem": "codeSystemName; RFC 3881 had codeSystem beside it",
    "ParticipantObjectSensitivityCode": "ParticipantObjectSensitivity",
}
_HINTS = frozenset(
    f"{{http://www.w3.org/2001/XMLSchema-instance}}{name}" for name in ("schemaLocation", "noNamespaceSchemaLocation")
)
"""Attributes that tell where a schema is: XML Schema lets them pass anywhere, RELAX NG nowhere."""
_EXTENSIONS = {
    "PurposeOfUse": "; it is an extension of IHE",
    "UserIDTypeCode": "; it is an extension of dcm4che",
    "UserTypeCode": "; it is an extension of dcm4che",
}
_TOGETHER = frozenset({"codeSystemName", "originalText"})
_COMPANY = _TOGETHER | {"displayName"}
"""Where AuditSourceTypeCode has one of these, it has both of those."""
_NO_NAMESPACE = "Write the elements without a namespace: no xmlns."
_XML = "http://www.w3.org/XML/1998/namespace"
_ALONE = "Send every message as a document of its own, whose root is AuditMessage."
_MEANT = {
    "originalText": ", the meaning of the code (older forms had displayName alone)",
    "codeSystemName": ", such as DCM",
}
_SOME = 50

_DATE_TIME = re.compile(
    r"\s*-?(?P<year>\d{4}|[1-9]\d{4,})-(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12]\d|3[01])T"
    r"(?:(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?|24:00:00(?:\.0+)?)"
    r"(?:Z|[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00))?\s*\Z",
    re.ASCII,
)
_BASE64_END = re.compile(r"(?:[AQgw]==|[AEIMQUYcgkosw048]=|[^=]|\A)\Z").search
"""How base64 ends: the bits that stand for nothing are zero (XML Schema Part 2, 3.2.16)."""


def _is_date_time(value: str) -> bool:
    read = _DATE_TIME.match(value)
    if read is None or (not int(read["year"][-4:]) and len(read["year"]) == 4):
        return False  # there is no year 0000
    return int(read["day"]) <= monthrange(2000 + int(read["year"][-4:]) % 400, int(read["month"]))[1]


def _is_base64(value: str) -> bool:
    return decoded(value) is not None and _BASE64_END("".join(value.split())) is not None


_LEXICAL: dict[str, tuple[Callable[[str], object], str]] = {
    "boolean": (re.compile(r"\s*(?:true|false|1|0)\s*\Z").match, "true or false"),
    "integer": (re.compile(r"\s*[+-]?[0-9]+\s*\Z").match, "a whole number"),
    "dateTime": (_is_date_time, "date and time as xsd:dateTime: 2026-01-31T12:34:56.789+01:00"),
    "base64Binary": (_is_base64, "base64: letters, digits, + and / alone, with = to fill up"),
}


def explain(root: etree._Element, findings: Findings) -> None:
    """Tell why a message does not follow the schema, against which this thread has just held it.

    A name that older editions misspelt is a warning, where nothing else is wrong; where a schema location is all that
    is, nobody can tell: the note of A.5.1 has the schema converted to XML Schema, too.
    """
    said = complaints(_SOME)
    slips = _respelt(root, findings)
    before = findings.count(RULE)
    _explain(root, findings)
    hints = [(element, str(name)) for element in root.iter() for name in element.attrib if str(name) in _HINTS]
    if findings.count(RULE) == before and not ((slips or hints) and _follows_when_mended(root)):
        for line, sentence in said[:1] or ((0, "the message does not follow the schema"),):
            _say(findings, root, "", "a message that follows the schema", f"line {line}" if line else "", sentence)
    for element, name in hints:
        own = name.rpartition("}")[2]
        text = (
            f"RELAX NG does not let xsi:{own} pass; an XML Schema made of the same, as the note of A.5.1 allows, does"
        )
        findings.add(
            RULE,
            "open",
            element,
            f"xsi:{own}",
            expected="no schema location",
            text=text,
            remedy=f"Leave xsi:{own} out.",
        )


def departs(root: etree._Element, limits: Limits) -> bool:
    """Whether it can be told without the schema that a message does not follow it."""
    tried = Findings(limits)
    _explain(root, tried)
    return tried.count(RULE) > 0


def _respelt(root: etree._Element, findings: Findings) -> bool:
    found = False
    for element in root.iter():
        for name in element.attrib:
            right = _OLDER_SPELLING.get(str(name))
            if right:
                found = True
                findings.add(
                    SPELLING,
                    "should",
                    element,
                    str(name),
                    expected=right,
                    found=str(name),
                    text="older editions misspelt this name, and are not consistent in it; this edition has it right",
                    remedy=f"Write {right}.",
                )
    return found


def _follows_when_mended(root: etree._Element) -> bool:
    """Whether the message follows the schema but for misspelt names and schema locations."""
    copy = etree.fromstring(etree.tostring(root))
    for element in copy.iter():
        for wrong, right in _OLDER_SPELLING.items():
            if wrong in element.attrib:
                element.set(right, element.attrib.pop(wrong))
        for hint in _HINTS.intersection(map(str, element.attrib)):
            del element.attrib[hint]
    return follows_schema(copy)


def _say(findings: Findings, element: etree._Element, attribute: str, *said: str, remedy: str = "") -> None:
    """`said`: what was expected, what is there, what is wrong."""
    expected, found, text = said
    remedy = remedy or (f"Write {expected}." if attribute else "Write the message by the schema of this edition.")
    findings.add(RULE, "shall", element, attribute, expected=expected, found=found, text=text, remedy=remedy)


def _explain(root: etree._Element, findings: Findings) -> None:
    name, namespace = local_name(root), etree.QName(root).namespace
    if name != "AuditMessage":
        said = ("AuditMessage as the root element", name, "the document is no audit message")
        _say(findings, root, "", *said, remedy=_ALONE)
        return
    if namespace:
        said = ("no namespace", namespace, "the message has a namespace, and the schema has none")
        _say(findings, root, "", *said, remedy=_NO_NAMESPACE)
    waiting = [(root, shapes()["AuditMessage"])]
    while waiting:
        element, shape = waiting.pop()
        _attributes(element, shape, findings)
        _content(element, shape, findings)
        found = _children(element, shape, findings)
        waiting += [(child, shapes()[local_name(child)]) for child in reversed(found)]


def _attributes(element: etree._Element, shape: Shape, findings: Findings) -> None:
    for key, value in element.items():
        name = str(key)
        known = shape.attributes.get(name)
        if known is None:
            if name not in _OLDER_SPELLING and name not in _HINTS:
                shown = _shown(name)
                expected = _OLDER_NAMES.get(name, f"no attribute {shown}")
                text = f"{shape.name} has no attribute {shown} in the schema" + _EXTENSIONS.get(name, "")
                remedy = _remedy(name, shown)
                findings.add(
                    RULE, "shall", element, name, expected=expected, found=str(value), text=text, remedy=remedy
                )
        elif not _fits(known, str(value)):
            _say(findings, element, name, _wanted(known), str(value), f"{name} has a value that the schema has not")
    together = _TOGETHER if shape.name == "AuditSourceTypeCode" and not _COMPANY.isdisjoint(element.attrib) else ()
    for known in shape.attributes.values():
        if (
            (known.required or known.name in together)
            and known.name not in element.attrib
            and not (known.name == "csd-code" and "code" in element.attrib)
        ):
            text = f"{shape.name} has no attribute {known.name}, which the schema requires"
            remedy = f"Give the attribute {known.name}" + _MEANT.get(known.name, "") + "."
            findings.add(RULE, "shall", element, expected=f"the attribute {known.name}", text=text, remedy=remedy)


def _remedy(name: str, shown: str) -> str:
    if name == "code":
        return "Write csd-code."
    elsewhere = any(name in shape.attributes for shape in shapes().values())
    return f"Leave {shown} out, or write it where the schema has it." if elsewhere else f"Leave {shown} out."


def _shown(name: str) -> str:
    """The name of an attribute as a person reads it."""
    namespace, _, own = name.removeprefix("{").rpartition("}")
    if not namespace:
        return own
    return f"xml:{own}" if namespace == _XML else f"{own} (of the namespace {namespace})"


def _fits(shape: AttributeShape, value: str) -> bool:
    if shape.kind == "choice":
        return " ".join(value.split()) in shape.values
    lexical = _LEXICAL.get(shape.kind)
    return lexical is None or bool(lexical[0](value))


def _wanted(shape: AttributeShape) -> str:
    if shape.kind != "choice":
        return _LEXICAL[shape.kind][1]
    return ("one of " if len(shape.values) > 1 else "") + ", ".join(shape.values)


def _content(element: etree._Element, shape: Shape, findings: Findings) -> None:
    pieces = [element.text or "", *(child.tail or "" for child in element)]
    if not shape.content:
        text = "".join(pieces).strip(XML_SPACE)
        if text:
            said = ("no text", text, f"{shape.name} holds text, and has none in the schema")
            _say(findings, element, "", *said, remedy=f"Leave the text out of {shape.name}.")
    elif (lexical := _LEXICAL.get(shape.content)) and not lexical[0]("".join(pieces)):
        _say(findings, element, "", lexical[1], "".join(pieces), f"{shape.name} holds something else")


def _children(element: etree._Element, shape: Shape, findings: Findings) -> list[etree._Element]:
    """Tell what is wrong with the children of an element; those that the schema knows there, to go on with."""
    places = {name: number for number, slot in enumerate(shape.slots) for name in slot.names}
    counts = [0] * len(shape.slots)
    furthest, known = 0, []
    namespace = etree.QName(element).namespace
    for child in element:
        name = local_name(child)
        place, own = places.get(name), etree.QName(child).namespace
        if place is None or (own is not None and own != namespace):  # one that the whole message has was told
            _stranger(child, shape, findings)
            continue
        known.append(child)
        counts[place] += 1
        most = shape.slots[place].most
        if most is not None and counts[place] == most + 1:
            names = " or ".join(shape.slots[place].names)
            said = (f"{most} of {names}", f"{counts[place]}", f"{shape.name} holds too many of {name}")
            _say(findings, child, "", *said, remedy=f"Give {names} once." if most == 1 else "")
        elif place < furthest:
            said = (_order(shape), name, f"{name} stands behind what it has to stand before")
            _say(findings, child, "", *said, remedy=f"Write the elements in this order: {_order(shape)}.")
        furthest = max(furthest, place)
    for slot, count in zip(shape.slots, counts, strict=True):
        _enough(element, slot, count, findings)
    return known


def _stranger(child: etree._Element, shape: Shape, findings: Findings) -> None:
    name, namespace = local_name(child), etree.QName(child).namespace
    text, remedy = f"{shape.name} has no element {name} in the schema", f"Leave the element {name} out."
    if namespace:
        text, remedy = f"{name} has a namespace, and the schema has none", _NO_NAMESPACE
    elif name in shapes():
        text += ", which has it elsewhere"
        remedy = f"Write {name} into {' or '.join(_holders(name))}." if _holders(name) else _ALONE
    _say(findings, child, "", _order(shape) or "no elements", name, text + _EXTENSIONS.get(name, ""), remedy=remedy)


def _holders(name: str) -> list[str]:
    return [shape.name for shape in shapes().values() if any(name in slot.names for slot in shape.slots)]


def _order(shape: Shape) -> str:
    return ", ".join("|".join(slot.names) for slot in shape.slots)


def _enough(element: etree._Element, slot: Slot, count: int, findings: Findings) -> None:
    if count < slot.least:
        names = " or ".join(slot.names)
        said = (names, "", f"{local_name(element)} holds no {names}, which the schema requires")
        _say(findings, element, "", *said, remedy=f"Give {names}.")
