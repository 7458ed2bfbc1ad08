"""Changes of audit messages as data: operations at places in the XML, and in the octets that are made of it.

A table of a fault (`messages.toml`) lists operations. Each is an inline table with `do`, and `at`: an XPath from
AuditMessage, which ends in ``/@name`` where an attribute is meant. What is not there is not changed.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lxml import etree

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

_ATTRIBUTE = re.compile(r"(//|.*?)/?@([\w.-]+)")
Spot = tuple["Element", str]
"""An element, and the name of its attribute that is meant; empty: the element itself."""


@dataclass(frozen=True)
class Operation:
    """One change: what is done, where, and with what.

    `value` is a text, `name` that of an attribute or element, `to` an XPath from AuditMessage, `xml` an element
    written out. Which of them are used turns on `do`, see `KINDS`.
    """

    do: str
    at: str = "."
    value: str = ""
    name: str = ""
    to: str = ""
    xml: str = ""


def operation(row: Mapping[str, Any]) -> Operation:
    """The operation of a row of a table. Raises ValueError for a kind or a key that is none."""
    try:
        made = Operation(**{key: str(value) for key, value in row.items()})
    except TypeError as problem:
        raise ValueError(f"{dict(row)}: {problem}") from None
    if made.do not in KINDS and made.do not in OCTET_KINDS:
        raise ValueError(f"{made.do!r} is none of {', '.join((*KINDS, *OCTET_KINDS))}")
    return made


def changed(octets: bytes, operations: tuple[Operation, ...]) -> bytes:
    """An audit message after `operations`: those on its XML in their order, then those on its octets."""
    on_xml = [each for each in operations if each.do in KINDS]
    if on_xml:
        root = etree.fromstring(octets)
        for each in on_xml:
            for spot in spots(root, each.at):
                KINDS[each.do](root, spot, each)
        octets = etree.tostring(root, encoding="utf-8")
    for each in operations:
        if each.do in OCTET_KINDS:
            octets = OCTET_KINDS[each.do](octets, each)
    return octets


def spots(root: Element, path: str) -> list[Spot]:
    """The places that `path` names."""
    meant = _ATTRIBUTE.fullmatch(path)
    elements, attribute = meant.groups() if meant else (path, "")
    found = root.xpath(f"{elements}*" if elements.endswith("/") else elements or ".")
    return [(one, attribute) for one in found if etree.iselement(one)] if isinstance(found, list) else []


def _set(_root: Element, spot: Spot, each: Operation) -> None:
    """Give an attribute, or an element's text, another value; an attribute that is not there comes."""
    element, attribute = spot
    if attribute:
        element.set(attribute, each.value)
    else:
        element.text = each.value


def _replace(root: Element, spot: Spot, each: Operation) -> None:
    """The same for an attribute that is there alone."""
    if spot[1] in spot[0].attrib:
        _set(root, spot, each)


def _remove(_root: Element, spot: Spot, _each: Operation) -> None:
    element, attribute = spot
    if attribute:
        if attribute in element.attrib:
            del element.attrib[attribute]
    elif (parent := element.getparent()) is not None:
        parent.remove(element)


def _rename(_root: Element, spot: Spot, each: Operation) -> None:
    """Give an attribute (which then stands last) or an element the name `name`."""
    element, attribute = spot
    if not attribute:
        element.tag = each.name
    elif attribute in element.attrib:
        element.set(each.name, str(element.attrib.pop(attribute)))


def _move(root: Element, spot: Spot, each: Operation) -> None:
    """Put an attribute, or an element as the last one, into the first element at `to`."""
    element, attribute = spot
    target = next((one for one, _ in spots(root, each.to)), None)
    if target is None:
        return
    if not attribute:
        target.append(element)
    elif attribute in element.attrib:
        target.set(each.name or attribute, str(element.attrib.pop(attribute)))


def _duplicate(_root: Element, spot: Spot, _each: Operation) -> None:
    """Put a copy of an element after it."""
    spot[0].addnext(copy.deepcopy(spot[0]))


def _append(_root: Element, spot: Spot, each: Operation) -> None:
    spot[0].append(etree.fromstring(each.xml))


def _insert(_root: Element, spot: Spot, each: Operation) -> None:
    """Put `xml` before all other children."""
    spot[0].insert(0, etree.fromstring(each.xml))


def _after(_root: Element, spot: Spot, each: Operation) -> None:
    spot[0].addnext(etree.fromstring(each.xml))


def _octets(octets: bytes, each: Operation) -> bytes:
    """Replace octets: `value` (text) by `to`, where ``\\xNN`` stands for an octet."""
    return octets.replace(each.value.encode(), _escaped(each.to))


def _escaped(text: str) -> bytes:
    return text.encode("latin-1").decode("unicode_escape").encode("latin-1")


KINDS: Mapping[str, Callable[[Element, Spot, Operation], None]] = {
    "set": _set,
    "replace": _replace,
    "remove": _remove,
    "rename": _rename,
    "move": _move,
    "duplicate": _duplicate,
    "append": _append,
    "insert": _insert,
    "insert-after": _after,
}
"""Operations on the XML."""
OCTET_KINDS: Mapping[str, Callable[[bytes, Operation], bytes]] = {
    "octets": _octets,
    "prefix": lambda octets, each: _escaped(each.value) + octets,
    "encode": lambda octets, each: octets.decode().encode(each.value, "xmlcharrefreplace"),
    "text": lambda _octets, each: each.value.encode(),
    "shorten": lambda octets, each: octets[: -int(each.value)],
}
"""Operations on the octets."""
