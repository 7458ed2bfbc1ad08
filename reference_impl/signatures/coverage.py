"""What a signature does not cover, said in words that a reader of the object would use."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from reference_impl.signatures.elements import tag_text
from reference_impl.signatures.results import Reason

_MOST_PLACES = 8
_RANGES = 0xFF00FFFF
"""Which digits of a tag count where the group is one of a range (60xx): all but those of the lower group octet."""


@dataclass(frozen=True, slots=True)
class Group:
    """Elements that are missed together. `tags` are whole tags, `ranges` those whose group is one of a range."""

    code: str
    text: str
    tags: frozenset[int]
    ranges: frozenset[int]
    only_with: frozenset[int]

    def among(self, tags: Iterable[int]) -> list[int]:
        """Those of `tags` that belong to the group."""
        return [tag for tag in tags if tag in self.tags or (tag & _RANGES in self.ranges and not tag >> 16 & 1)]


@cache
def groups() -> tuple[Group, ...]:
    """The groups of ``coverage.json``, the most important first."""
    table = json.loads(Path(__file__).with_name("coverage.json").read_text(encoding="utf-8"))
    return tuple(
        Group(
            code=each["code"],
            text=each["text"],
            tags=frozenset(int(tag, 16) for tag in each["tags"].split() if "x" not in tag),
            ranges=frozenset(int(tag.replace("x", "0"), 16) for tag in each["tags"].split() if "x" in tag),
            only_with=frozenset(int(tag, 16) for tag in each.get("with", "").split()),
        )
        for each in table["groups"]
    )


def uncovered(present: Mapping[int, str], covered: Collection[int]) -> tuple[Reason, ...]:
    """Return what of `present` (tags and VRs of a data set) is not among the `covered` tags.

    What cannot be signed because of what it is (lengths, the signatures themselves) is not counted.
    """
    missing = [tag for tag in present if tag not in covered and not _is_housekeeping(tag)]
    found: list[Reason] = []
    told: set[int] = set()
    for group in groups():
        lacking = group.among(missing)
        if not lacking or (group.only_with and not group.only_with & present.keys()):
            continue
        told.update(lacking)
        whole = len(lacking) == len(group.among(present))
        found.append(Reason(group.code, group.text if whole else f"part of it: {group.text}", _places(lacking)))
    found += _private(present, covered, missing, told)
    rest = [tag for tag in missing if tag not in told]
    if rest:
        noun = "element" if len(rest) == 1 else "elements"
        found.append(Reason("others", f"{len(rest)} other {noun}", _places(rest)))
    return tuple(found)


def _private(
    present: Mapping[int, str], covered: Collection[int], missing: list[int], told: set[int]
) -> Iterable[Reason]:
    """What is private or of unknown VR, and not signed. Adds its tags to `told`."""
    creators = [tag for tag in missing if is_private_creator(tag)]
    orphaned = [tag for tag in creators if any(_block(each) == tag for each in covered)]
    unknown = [tag for tag in missing if present[tag] == "UN"]
    private = [tag for tag in missing if tag >> 16 & 1 and tag not in unknown]
    told.update(unknown, private)
    if orphaned:
        text = "the private creator: signed private elements can be made to mean something else"
        yield Reason("private-creator", text, _places(orphaned))
    if private:
        yield Reason(
            "private", f"{len(private)} private {'element' if len(private) == 1 else 'elements'}", _places(private)
        )
    if unknown:
        noun = "element" if len(unknown) == 1 else "elements"
        yield Reason("unknown-vr", f"{len(unknown)} {noun} of unknown VR, which cannot be signed", _places(unknown))


def is_private_creator(tag: int) -> bool:
    """Whether `tag` is that of a private creator (PS3.5 7.8.1)."""
    return bool(tag >> 16 & 1) and 0x10 <= tag & 0xFFFF <= 0xFF


def _block(tag: int) -> int | None:
    """The tag of the private creator of the private element `tag`."""
    if not tag >> 16 & 1 or tag & 0xFFFF < 0x1000:
        return None
    return tag & 0xFFFF0000 | (tag >> 8 & 0xFF)


def _is_housekeeping(tag: int) -> bool:
    """Whether nobody expects the element to be signed, because it never may be (PS3.3 C.12.1.1.3.1.1)."""
    group = tag >> 16
    return group < 8 or group == 0xFFFA or tag in {0x00080001, 0x4FFE0001, 0xFFFCFFFC} or not tag & 0xFFFF


def _places(tags: list[int]) -> str:
    named = ", ".join(tag_text(tag) for tag in tags[:_MOST_PLACES])
    return named if len(tags) <= _MOST_PLACES else f"{named}, and {len(tags) - _MOST_PLACES} more"
