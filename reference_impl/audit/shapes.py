"""The schema of audit messages as data: which attributes and children every element has, read from the grammar.

Only what `audit_message.rng` uses of RELAX NG is understood.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

from lxml import etree

from reference_impl.audit.schema import GRAMMAR

_RNG = "{http://relaxng.org/ns/structure/1.0}"


@dataclass(frozen=True, slots=True)
class AttributeShape:
    """One attribute: `kind` is "text", "choice" or a data type of XML Schema; `values` are those of a choice."""

    name: str
    required: bool
    kind: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Slot:
    """A place among the children of an element, where one of `names` stands `least` to `most` times."""

    names: tuple[str, ...]
    least: int
    most: int | None


@dataclass(slots=True)
class Shape:
    """One kind of element. `content` is the data type of its text, empty where it has none."""

    name: str
    attributes: dict[str, AttributeShape] = field(default_factory=dict)
    slots: list[Slot] = field(default_factory=list)
    content: str = ""


@cache
def shapes() -> Mapping[str, Shape]:
    """The shapes by the names of the elements, of which every one has a single shape in this schema."""
    grammar = etree.parse(GRAMMAR).getroot()
    definitions = {str(each.get("name")): each for each in grammar.iterfind(f"{_RNG}define")}
    found: dict[str, Shape] = {}
    for element in grammar.iter(f"{_RNG}element"):
        shape = Shape(str(element.get("name")))
        for child in element:
            _pattern(child, shape, definitions, (1, 1))
        found[shape.name] = shape
    return MappingProxyType(found)


def _pattern(
    node: etree._Element, shape: Shape, definitions: Mapping[str, etree._Element], times: tuple[int, int | None]
) -> None:
    match str(node.tag).removeprefix(_RNG):
        case "attribute":
            shape.attributes[str(node.get("name"))] = _attribute(node, definitions, required=times[0] > 0)
        case "element":
            shape.slots.append(Slot((str(node.get("name")),), *times))
        case "choice":
            shape.slots.append(Slot(tuple(str(each.get("name")) for each in node), *times))
        case "text":
            shape.content = "text"
        case "data":
            shape.content = str(node.get("type"))
        case "ref":
            for each in definitions[str(node.get("name"))]:
                _pattern(each, shape, definitions, times)
        case "optional" | "zeroOrMore" | "oneOrMore" as name:
            least = 1 if name == "oneOrMore" else 0
            for each in node:
                _pattern(each, shape, definitions, (least, 1 if name == "optional" else None))


def _attribute(node: etree._Element, definitions: Mapping[str, etree._Element], *, required: bool) -> AttributeShape:
    name, (body,) = str(node.get("name")), node
    if body.tag == f"{_RNG}ref":
        (body,) = definitions[str(body.get("name"))]
    if body.tag == f"{_RNG}choice":
        return AttributeShape(name, required, "choice", tuple(str(each.text) for each in body))
    return AttributeShape(name, required, str(body.get("type", "text")))
