"""Audit messages from octets, which may come from anybody: no document type, no entities, no network, with limits.

`parse_xml` gives the tree that validation works on; `read` gives the message as values, as far as it says them.
"""

from __future__ import annotations

import base64
import binascii
import re
import threading
from collections.abc import Iterator
from functools import cache

from lxml import etree

from reference_impl.audit.limits import Limits
from reference_impl.audit.model import (
    ActiveParticipant,
    AuditMessage,
    AuditSource,
    Code,
    Detail,
    EventIdentification,
    ObjectDescription,
    ParticipantObject,
    SopClass,
)

_USUAL = Limits()
_DOCTYPE = re.compile(rb"\A(?:\xef\xbb\xbf)?(?:\s++|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE", re.DOTALL)
_LIMIT = "Buffer size limit"  # as libxml2 says of a single value of 10 MB
_SHOWN = 200
_SHORTEST_ELEMENT = 4  # octets
_SHORTEST_ATTRIBUTE = 5  # octets: a blank, a name, an equals sign and two quotes
_TRUE = frozenset({"true", "1"})
_FALSE = frozenset({"false", "0"})


class UnreadableMessageError(ValueError):
    """Octets that are no well-formed XML, or XML that is not read for safety. `line` counts from 1; 0: the whole.

    `too_large`: it may be right, and is more than is read. `malformed`: `text` is what the parser says.
    """

    def __init__(self, text: str, line: int = 0, *, too_large: bool = False, malformed: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.line = line
        self.too_large = too_large
        self.malformed = malformed


class _Parsers(threading.local):
    """One parser for each thread: lxml lets only one thread at a time use a parser."""

    def __init__(self) -> None:
        self.parser = etree.XMLParser(
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            dtd_validation=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
            collect_ids=False,
        )


_PARSERS = _Parsers()


def parse_xml(octets: bytes, limits: Limits = _USUAL) -> etree._Element:
    """The root element of an XML document, without comments and processing instructions.

    Raises UnreadableMessageError: not well-formed, larger than `limits`, or with a document type declaration.
    """
    if len(octets) > limits.octets:
        text = f"{len(octets)} octets are more than the {limits.octets} that are read"
        raise UnreadableMessageError(text, too_large=True)
    if _DOCTYPE.match(octets):
        raise _document_type(octets)
    try:
        root = etree.fromstring(octets, _PARSERS.parser)
    except etree.XMLSyntaxError as problem:
        text = (problem.msg or "no XML").partition(", line ")[0]
        large = _LIMIT in text
        raise UnreadableMessageError(
            _printable(text), problem.lineno or 0, too_large=large, malformed=not large
        ) from None
    except (ValueError, LookupError) as problem:  # an empty document, an unknown encoding
        raise UnreadableMessageError(_printable(str(problem)) or "no XML", malformed=True) from None
    if root.getroottree().docinfo.internalDTD is not None:  # in an encoding that the pattern does not see through
        raise _document_type(octets)
    if _deeper_than(limits.depth)(root):
        first = root.find("/".join("*" * limits.depth))
        line = first.sourceline if first is not None else 0
        raise UnreadableMessageError(
            f"elements are nested more than {limits.depth} deep", line if isinstance(line, int) else 0
        )
    if len(octets) > _SHORTEST_ATTRIBUTE * limits.attributes and _with_more_attributes(limits.attributes)(root):
        raise UnreadableMessageError(f"an element has more than {limits.attributes} attributes")
    if len(octets) > _SHORTEST_ELEMENT * limits.elements and _with_more_elements(limits.elements)(root):
        raise UnreadableMessageError(f"it has more than {limits.elements} elements", too_large=True)
    return root


@cache
def _with_more_elements(number: int) -> etree.XPath:
    return etree.XPath(f"count(//*) > {number}")


@cache
def _with_more_attributes(number: int) -> etree.XPath:
    """Whether an element has more attributes: looking at all of them takes time that grows with their square."""
    return etree.XPath(f"boolean(//*[@*[{number + 1}]])")


@cache
def _deeper_than(depth: int) -> etree.XPath:
    """Whether there is an element too deep; libxml2 itself refuses depths above 256."""
    return etree.XPath(f"boolean({'/*' * (depth + 1)})")


def _document_type(octets: bytes) -> UnreadableMessageError:
    line = octets[: max(octets.find(b"<!DOCTYPE"), 0)].count(b"\n") + 1
    return UnreadableMessageError("a document type declaration (DTD, entities) is not read", line)


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "\ufffd" for each in text.strip()[:_SHOWN])


def read(octets: bytes, limits: Limits = _USUAL) -> AuditMessage:
    """The message that octets hold, whatever is missing or wrong in it: absent parts are empty, unknown ones left out.

    Older forms are read too: `code` for `csd-code`. Base64 that is none stands as its characters. Raises
    UnreadableMessageError where `parse_xml` does, and for a document whose root is no AuditMessage.
    """
    return message_of(parse_xml(octets, limits))


def message_of(root: etree._Element) -> AuditMessage:
    """Like `read`, of a parsed document."""
    if _name(root) != "AuditMessage":
        raise UnreadableMessageError(f"the root element is {_printable(_name(root))}, not AuditMessage", 1)
    event, source = _first(root, "EventIdentification"), _first(root, "AuditSourceIdentification")
    return AuditMessage(
        event=_event(event),
        participants=tuple(_participant(each) for each in _all(root, "ActiveParticipant")),
        source=AuditSource(
            id=_value(source, "AuditSourceID"),
            enterprise_site=_value(source, "AuditEnterpriseSiteID"),
            types=_codes(source, "AuditSourceTypeCode"),
        ),
        objects=tuple(_object(each) for each in _all(root, "ParticipantObjectIdentification")),
    )


def _event(element: etree._Element | None) -> EventIdentification:
    outcome = _first(element, "EventOutcomeDescription")
    return EventIdentification(
        id=_code(_first(element, "EventID")),
        date_time=_value(element, "EventDateTime"),
        outcome=_value(element, "EventOutcomeIndicator"),
        action=_value(element, "EventActionCode"),
        types=_codes(element, "EventTypeCode"),
        outcome_description="" if outcome is None else outcome.text or "",
    )


def _participant(element: etree._Element) -> ActiveParticipant:
    media = _first(_first(element, "MediaIdentifier"), "MediaType")
    return ActiveParticipant(
        user_id=_plain(element, "UserID"),
        is_requestor=_value(element, "UserIsRequestor") in _TRUE,
        alternative_user_id=_plain(element, "AlternativeUserID"),
        user_name=_plain(element, "UserName"),
        roles=_codes(element, "RoleIDCode"),
        media_type=_code(media) if media is not None else None,
        access_point=_value(element, "NetworkAccessPointID"),
        access_point_type=_value(element, "NetworkAccessPointTypeCode"),
    )


def _object(element: etree._Element) -> ParticipantObject:
    query = _first(element, "ParticipantObjectQuery")
    return ParticipantObject(
        id=_value(element, "ParticipantObjectID"),
        id_type=_code(_first(element, "ParticipantObjectIDTypeCode")),
        name=_text(_first(element, "ParticipantObjectName")),
        query=_binary(_text(query)) if query is not None else None,
        type=_value(element, "ParticipantObjectTypeCode"),
        role=_value(element, "ParticipantObjectTypeCodeRole"),
        life_cycle=_value(element, "ParticipantObjectDataLifeCycle"),
        sensitivity=_value(element, "ParticipantObjectSensitivity"),
        details=tuple(
            Detail(_value(each, "type"), _binary(_value(each, "value")))
            for each in _all(element, "ParticipantObjectDetail")
        ),
        descriptions=tuple(_description(each) for each in _all(element, "ParticipantObjectDescription")),
    )


def _description(element: etree._Element) -> ObjectDescription:
    return ObjectDescription(
        mpps=tuple(_value(each, "UID") for each in _all(element, "MPPS")),
        accessions=tuple(_value(each, "Number") for each in _all(element, "Accession")),
        sop_classes=tuple(_sop_class(each) for each in _all(element, "SOPClass")),
        studies=tuple(
            _value(each, "UID")
            for contains in _all(element, "ParticipantObjectContainsStudy")
            for each in _all(contains, "StudyIDs")
        ),
        encrypted=_boolean(_first(element, "Encrypted")),
        anonymized=_boolean(_first(element, "Anonymized")),
    )


def _sop_class(element: etree._Element) -> SopClass:
    try:
        number = int(_value(element, "NumberOfInstances"))
    except ValueError:
        number = None
    return SopClass(
        uid=_value(element, "UID"),
        number=number,
        instances=tuple(_value(each, "UID") for each in _all(element, "Instance")),
    )


def _name(element: etree._Element) -> str:
    """The local name: what other namespaces hold counts as if it stood in none."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _all(element: etree._Element | None, name: str) -> Iterator[etree._Element]:
    return iter(()) if element is None else (each for each in element if _name(each) == name)


def _first(element: etree._Element | None, name: str) -> etree._Element | None:
    return next(_all(element, name), None)


def _value(element: etree._Element | None, name: str) -> str:
    return "" if element is None else element.get(name, "").strip()


def _plain(element: etree._Element | None, name: str) -> str:
    """An attribute whose type is text, whose white space counts."""
    return "" if element is None else element.get(name, "")


def _text(element: etree._Element | None) -> str:
    return "" if element is None else (element.text or "").strip()


def _codes(element: etree._Element | None, name: str) -> tuple[Code, ...]:
    return tuple(_code(each) for each in _all(element, name))


def _code(element: etree._Element | None) -> Code:
    return Code(
        _value(element, "csd-code") or _value(element, "code"),
        _value(element, "codeSystemName"),
        _value(element, "originalText"),
        _value(element, "displayName"),
    )


def _binary(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (ValueError, binascii.Error):
        return text.encode("utf-8", "surrogatepass")


def _boolean(element: etree._Element | None) -> bool | None:
    text = _text(element)
    return True if text in _TRUE else False if text in _FALSE else None
