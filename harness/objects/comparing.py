"""In which ways an object that came back is not what was sent: judged by nobody here, told element by element.

Compared are the octets of values, the VRs, the items of sequences and their order, the fragments of encapsulated data,
and signatures. What PS3.5 and PS3.10 leave to whoever encodes is not compared: group lengths and Length to End, forms
of lengths and delimiters, Data Set Trailing Padding, preamble and File Meta Information.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.observations.signatures import Difference
from reference_impl.signatures.elements import DIGITAL_SIGNATURES, MAC_PARAMETERS, Element, Level
from reference_impl.signatures.reader import DicomFile, open_dicom

MOST_DIFFERENCES = 200
_LENGTH_TO_END, _TRAILING_PADDING = 0x00080001, 0xFFFCFFFC
_SIGNATURES = {MAC_PARAMETERS: "MAC Parameters", DIGITAL_SIGNATURES: "Digital Signatures"}
_SHOWN = 32
_CHUNK = 1 << 16


def compare(sent: Path, returned: Path) -> tuple[Difference, ...]:
    """The differences between two files, at most `MOST_DIFFERENCES`. Raises `UnreadableError` for what is no file."""
    with open_dicom(sent) as before, open_dicom(returned) as after:
        comparison = _Comparison(before, after)
        if before.transfer_syntax != after.transfer_syntax:
            detail = f"{before.transfer_syntax} came back as {after.transfer_syntax}"
            comparison.tell("transfer-syntax", "(0002,0010)", detail)
        comparison.levels(before.root, after.root)
        return tuple(comparison.found)


@dataclass
class _Comparison:
    before: DicomFile
    after: DicomFile
    found: list[Difference] = field(default_factory=list)

    def tell(self, kind: str, place: str, detail: str) -> None:
        """Note a difference."""
        if len(self.found) < MOST_DIFFERENCES:
            self.found.append(Difference.model_validate({"kind": kind, "place": place, "detail": detail}))

    def levels(self, sent: Level, came: Level) -> None:
        """Compare two data sets."""
        there = _by_tag(sent)
        back = _by_tag(came)
        for tag in sorted(there.keys() | back.keys()):
            ours, theirs = there.get(tag, []), back.get(tag, [])
            if tag in _SIGNATURES:
                self._signatures(_SIGNATURES[tag], ours, theirs)
                continue
            for element, other in zip(ours, theirs, strict=False):
                self._elements(element, other)
            for element in ours[len(theirs) :]:
                self.tell("removed", element.place, "it did not come back")
            for element in theirs[len(ours) :]:
                self.tell("added", element.place, "it was not sent")

    def _elements(self, sent: Element, came: Element) -> None:
        if sent.vr and came.vr and sent.vr != came.vr:
            self.tell("vr", sent.place, f"{sent.vr} came back as {came.vr}")
        if sent.has_items and came.has_items:
            self._items(sent.items or (), came.items or (), sent.place)
        elif sent.has_items != came.has_items:
            self._unlike(sent, came)
        elif (sent.fragments is None) != (came.fragments is None):
            ways = "native", "encapsulated"
            told = f"{ways[sent.fragments is not None]} data came back as {ways[came.fragments is not None]} data"
            self.tell("value", sent.place, told)
        elif sent.fragments is not None and came.fragments is not None:
            self._fragments(sent.place, sent.fragments, came.fragments)
        elif not self._same((sent.value, sent.length or 0), (came.value, came.length or 0)):
            self.tell("value", sent.place, self._told(sent, came))

    def _unlike(self, sent: Element, came: Element) -> None:
        """A sequence that came back as octets, or the other way round: only without VRs may that be the same."""
        if sent.vr and came.vr and sent.vr == came.vr:
            ways = "octets", "items"
            self.tell("value", sent.place, f"{ways[sent.has_items]} came back as {ways[came.has_items]}")

    def _fragments(self, place: str, sent: Sequence[tuple[int, int]], came: Sequence[tuple[int, int]]) -> None:
        if len(sent) != len(came):
            self.tell("value", place, f"{len(sent)} items of encapsulated data came back as {len(came)}")
            return
        for number, (one, other) in enumerate(zip(sent, came, strict=True), 1):
            if not self._same(one, other):
                what = "the Basic Offset Table" if number == 1 else f"fragment {number - 1}"
                self.tell("value", place, f"{what} ({one[1]} octets) came back as {other[1]} other octets")
                return

    def _items(self, sent: Sequence[Level], came: Sequence[Level], place: str) -> None:
        if [_digest(self.before, one) for one in sent] == [_digest(self.after, one) for one in came]:
            return
        pairs = _paired([_digest(self.before, one, loose=True) for one in sent],
                        [_digest(self.after, one, loose=True) for one in came])  # fmt: skip
        order = sorted(new for _, new in pairs)
        moved = [(old, new) for (old, new), expected in zip(pairs, order, strict=True) if new != expected]
        if moved:
            words = ", ".join(f"item {old + 1} is now item {new + 1}" for old, new in moved[:4])
            self.tell("item-order", place, words)
        ours = set(range(len(sent))) - {old for old, _ in pairs}
        theirs = set(range(len(came))) - {new for _, new in pairs}
        if len(ours) != len(theirs):
            self.tell("items", place, f"{len(sent)} items came back as {len(came)}")
        else:
            pairs += zip(sorted(ours), sorted(theirs), strict=True)
        for old, new in sorted(pairs):
            self.levels(sent[old], came[new])

    def _signatures(self, name: str, sent: Sequence[Element], came: Sequence[Element]) -> None:
        ours = [level for element in sent for level in element.items or ()]
        theirs = Counter(_digest(self.after, level) for element in came for level in element.items or ())
        for level in ours:
            digest = _digest(self.before, level)
            if not theirs[digest]:
                told = "did not come back as it was" if theirs else "did not come back"
                self.tell("signature", level.location, f"this item of the {name} Sequence {told}")
            theirs[digest] -= 1
        place = (*sent, *came)[0].place
        for vrs in {(one.vr, other.vr) for one, other in zip(sent, came, strict=False)}:
            if all(vrs) and vrs[0] != vrs[1]:
                self.tell("vr", place, f"{vrs[0]} came back as {vrs[1]}")
        if new := sum(count for count in theirs.values() if count > 0):
            self.tell("added", place, f"{new} items of the {name} Sequence were not sent")

    def _same(self, sent: tuple[int, int], came: tuple[int, int]) -> bool:
        if sent[1] != came[1]:
            return False
        for at in range(0, sent[1], _CHUNK):
            length = min(_CHUNK, sent[1] - at)
            if self.before.read(sent[0] + at, length) != self.after.read(came[0] + at, length):
                return False
        return True

    def _told(self, sent: Element, came: Element) -> str:
        before, after = self.before.value(sent, _CHUNK), self.after.value(came, _CHUNK)
        whole = max(sent.length or 0, came.length or 0) <= _CHUNK
        if whole and before.rstrip(b" \0") == after.rstrip(b" \0"):
            text = _shown(before.rstrip(b" \0"))
            return f"only the padding differs: {text} was sent in {sent.length} octets and came back in {came.length}"
        return f"{_shown(before)} ({sent.length} octets) came back as {_shown(after)} ({came.length} octets)"


def _by_tag(level: Level) -> dict[int, list[Element]]:
    found: dict[int, list[Element]] = {}
    for element in level.elements:
        if element.tag & 0xFFFF and element.tag not in (_LENGTH_TO_END, _TRAILING_PADDING):
            found.setdefault(element.tag, []).append(element)
    return found


def _paired(ours: Sequence[bytes], theirs: Sequence[bytes]) -> list[tuple[int, int]]:
    """Which item came back as which, for those of the same content, in the order of ours; at its place if it can be."""
    pairs = [(at, at) for at, (one, other) in enumerate(zip(ours, theirs, strict=False)) if one == other]
    settled = {at for at, _ in pairs}
    places: dict[bytes, list[int]] = {}
    for at, digest in enumerate(theirs):
        if at not in settled:
            places.setdefault(digest, []).append(at)
    for at, digest in enumerate(ours):
        if at not in settled and places.get(digest):
            pairs.append((at, places[digest].pop(0)))
    return sorted(pairs)


def _digest(file: DicomFile, level: Level, *, loose: bool = False) -> bytes:
    """What stands in a data set, whatever the forms of lengths and the VRs; `loose`: in any order of nested items."""
    digest = hashlib.sha256()
    for part in _parts(file, level, loose=loose):
        digest.update(part)
    return digest.digest()


def _parts(file: DicomFile, level: Level, *, loose: bool) -> Iterator[bytes]:
    for tag, elements in sorted(_by_tag(level).items()):
        for element in elements:
            yield tag.to_bytes(4, "big")
            if element.has_items:
                digests = [_digest(file, item, loose=loose) for item in element.items or ()]
                yield len(digests).to_bytes(4, "big")
                yield from sorted(digests) if loose else digests
            elif element.fragments is not None:
                for offset, length in element.fragments:
                    yield b"fragment" + length.to_bytes(4, "big")
                    yield from _octets(file, offset, length)
            else:
                yield (element.length or 0).to_bytes(4, "big")
                yield from _octets(file, element.value, element.length or 0)


def _octets(file: DicomFile, offset: int, length: int) -> Iterator[bytes]:
    for at in range(0, length, _CHUNK):
        yield file.read(offset + at, min(_CHUNK, length - at))


def _shown(octets: bytes) -> str:
    head = octets[:_SHOWN]
    text = repr(head.decode("ascii")) if head.isascii() and head.decode("ascii").isprintable() else head.hex(" ")
    return text + ("..." if len(octets) > _SHOWN else "")


__all__ = ["MOST_DIFFERENCES", "compare"]
