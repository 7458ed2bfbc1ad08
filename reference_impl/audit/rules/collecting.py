"""Findings as they are made: which rules could be told, what was found where, within limits."""

from __future__ import annotations

from lxml import etree

from reference_impl.audit.findings import Finding, Level
from reference_impl.audit.limits import Limits

_OF_ONE_RULE = 20


class Findings:
    """Collects what is found in one message. Of one rule and level 20 places are kept, of all `limits.findings`."""

    def __init__(self, limits: Limits) -> None:
        self.checked: set[str] = set()
        self._limits = limits
        self._found: list[Finding] = []
        self._counts: dict[tuple[str, Level], int] = {}

    def told(self, *rules: str) -> None:
        """These rules can be told in this message, whatever comes of it."""
        self.checked.update(rules)

    def add(
        self,
        rule: str,
        level: Level,
        element: etree._Element | None,
        attribute: str = "",
        *,
        expected: str = "",
        found: str = "",
        text: str,
        remedy: str = "",
    ) -> None:
        """Something was found at an element, or at one of its attributes."""
        self.checked.add(rule)
        count = self._counts.get((rule, level), 0)
        self._counts[rule, level] = count + 1
        if count >= _OF_ONE_RULE or len(self._found) >= self._limits.findings:
            return
        shown = self._limits.shown
        place, line = "", 0
        if element is not None:
            place = place_of(element) + _step(attribute)
            line = element.sourceline if isinstance(element.sourceline, int) else 0
        self._found.append(
            Finding(
                rule,
                level,
                place=shortened(place, shown),
                line=line,
                expected=shortened(expected, shown),
                found=shortened(found, shown),
                text=shortened(text, 2 * shown),
                remedy=shortened(remedy, 2 * shown),
            )
        )

    def fixed(self, rule: str, element: etree._Element, field: str, wanted: str, value: str) -> None:
        """A rule that permits one value of a field (an attribute of `element`, or an element in it)."""
        self.told(rule)
        if value != wanted:
            self.add(
                rule,
                "shall",
                element,
                field if field in element.attrib else "",
                expected=wanted,
                found=value,
                text=f"{field} is another one than the table has" if value else f"{field} is missing",
                remedy=f"Write {field} {wanted}.",
            )

    def count(self, rule: str) -> int:
        """How often a rule was broken, at whatever level."""
        return sum(count for (name, _), count in self._counts.items() if name == rule)

    @property
    def broken(self) -> int:
        """How many shalls were broken."""
        return sum(count for (_, level), count in self._counts.items() if level == "shall")

    def has(self, rule: str) -> bool:
        """Whether something was found by a rule."""
        return any(name == rule for name, _ in self._counts)

    def result(self) -> tuple[Finding, ...]:
        """What was found, in the order of the message."""
        return tuple(self._found)


def place_of(element: etree._Element) -> str:
    """Where an element stands: "/AuditMessage/ActiveParticipant[2]". A number is given where there are several."""
    steps = []
    current: etree._Element | None = element
    while current is not None:
        parent = current.getparent()
        name = local_name(current)
        if parent is not None:
            alike = [each for each in parent if each.tag == current.tag]
            if len(alike) > 1:
                name += f"[{alike.index(current) + 1}]"
        steps.append(name)
        current = parent
    return "/" + "/".join(reversed(steps))


def _step(attribute: str) -> str:
    """The step to an attribute; one with a namespace is told by its local name."""
    if attribute[:1] == "{":
        return f"/@*[local-name()='{attribute.rpartition('}')[2]}']"
    return f"/@{attribute}" if attribute else ""


def local_name(element: etree._Element) -> str:
    """The name of an element without its namespace."""
    name = str(element.tag)
    return name.rpartition("}")[2] if name[:1] == "{" else name


def shortened(value: str, most: int) -> str:
    """A value as it is shown: control characters escaped, the middle left out where it is long."""
    if len(value) > most:
        half = (most - 1) // 2
        value = f"{value[:half]}\u2026{value[-half:]}"
    if value.isprintable():
        return value
    return "".join(each if each.isprintable() else _escaped(each) for each in value)[:most]


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
