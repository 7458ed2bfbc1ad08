"""How much of an audit message is looked at: whatever comes from elsewhere may have been made to do harm."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for one audit message; what exceeds them is told, not examined further.

    `octets` of the XML, `depth` of nested elements, `attributes` of one element, `elements` and `findings` in number,
    `shown` characters of a value that a finding repeats.
    """

    octets: int = 16 * 1024 * 1024
    depth: int = 32
    attributes: int = 1_000
    elements: int = 200_000
    findings: int = 200
    shown: int = 200
