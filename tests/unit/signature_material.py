"""Data sets as trees, encoded in every form that PS3.5 allows, and the MAC stream of a tree as the clause has it."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from hypothesis import strategies as st

META = b"\2\0\x10\0UI\x14\0" + b"1.2.840.10008.1.2.1\0"
SHORT_VRS = "AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split()  # noqa: SIM905
LONG_VRS = "OB OD OF OL OV OW SV UC UN UR UT UV".split()  # noqa: SIM905


@dataclass(frozen=True)
class El:
    """An element: octets, or items (SQ), or fragments (encapsulated)."""

    tag: int
    vr: str
    value: bytes = b""
    items: tuple[tuple[El, ...], ...] | None = None
    fragments: tuple[bytes, ...] | None = None


def tag_octets(tag: int) -> bytes:
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF)


ITEM, ITEM_END, SEQUENCE_END = tag_octets(0xFFFEE000), tag_octets(0xFFFEE00D), tag_octets(0xFFFEE0DD)
UNDEFINED, ZERO = b"\xff\xff\xff\xff", b"\0\0\0\0"


@dataclass
class Encoder:
    """Encodes trees; `choices` say by turns whether a length is undefined (for ever the last one)."""

    choices: Iterable[bool] = (False,)
    _left: Iterator[bool] = field(init=False)
    _last: bool = False

    def __post_init__(self) -> None:
        self._left = iter(self.choices)

    def undefined(self) -> bool:
        self._last = next(self._left, self._last)
        return self._last

    def data_set(self, elements: Iterable[El]) -> bytes:
        return b"".join(self.element(e) for e in elements)

    def element(self, e: El) -> bytes:
        head = tag_octets(e.tag) + e.vr.encode()
        if e.fragments is not None:
            body = b"".join(ITEM + struct.pack("<I", len(f)) + f for f in e.fragments)
            return head + b"\0\0" + UNDEFINED + body + SEQUENCE_END + ZERO
        if e.items is not None:
            undefined = self.undefined()
            body = b"".join(self.item(i) for i in e.items)
            if undefined:
                return head + b"\0\0" + UNDEFINED + body + SEQUENCE_END + ZERO
            return head + b"\0\0" + struct.pack("<I", len(body)) + body
        if e.vr in SHORT_VRS:
            return head + struct.pack("<H", len(e.value)) + e.value
        return head + b"\0\0" + struct.pack("<I", len(e.value)) + e.value

    def item(self, elements: tuple[El, ...]) -> bytes:
        undefined = self.undefined()
        body = self.data_set(elements)
        if undefined:
            return ITEM + UNDEFINED + body + ITEM_END + ZERO
        return ITEM + struct.pack("<I", len(body)) + body


def as_file(data_set: bytes, meta: bytes = META) -> bytes:
    return bytes(128) + b"DICM" + meta + data_set


def plain(*elements: El) -> bytes:
    """A file of these elements, lengths defined."""
    return as_file(Encoder().data_set(elements))


def holds_unknown(e: El) -> bool:
    return e.vr == "UN" or any(holds_unknown(child) for item in e.items or () for child in item)


def kept_out(e: El) -> bool:
    """The list of C.12.1.1.3.1.1, in its order."""
    group, number = e.tag >> 16, e.tag & 0xFFFF
    return (
        (e.tag == 0x00080001 or number == 0)
        or group < 0x0008
        or e.vr == "UN"
        or (e.vr == "SQ" and holds_unknown(e))
        or group == 0xFFFA
        or e.tag in {0x4FFE0001, 0xFFFCFFFC}
    )


def stream(elements: Iterable[El], listed: Iterable[int] | None = None) -> bytes:
    """C.12.1.1.3.1.2, sentence by sentence."""
    wanted = None if listed is None else set(listed)
    out = b""
    for e in elements:
        if kept_out(e) or (wanted is not None and e.tag not in wanted):
            continue
        out += tag_octets(e.tag) + e.vr.encode()
        if e.items is not None:
            out += b"\0\0" + b"".join(ITEM + stream(item) for item in e.items) + SEQUENCE_END
        elif e.fragments is not None:
            out += b"\0\0" + b"".join(ITEM + fragment for fragment in e.fragments) + SEQUENCE_END
        elif e.vr in SHORT_VRS:
            out += struct.pack("<H", len(e.value)) + e.value
        else:
            out += b"\0\0" + struct.pack("<I", len(e.value)) + e.value
    return out


_tags = st.one_of(
    st.builds(lambda g, e: g << 16 | e, st.integers(8, 0xFFF0).filter(lambda g: g != 0xFFFA), st.integers(0, 0xFFFF)),
    st.sampled_from(
        [0x00080000, 0x00080001, 0x00100000, 0x00060010, 0x4FFE0001, 0xFFFAFFFA, 0xFFFA0010, 0xFFFCFFFC, 0x00091010]
    ),
)
_values = st.one_of(
    st.binary(max_size=40), st.sampled_from([ITEM + ZERO, ITEM_END + ZERO, SEQUENCE_END + ZERO, b"", b"\0" * 20])
).map(lambda value: value + b"\0" * (len(value) % 2))


def _plain_element(tag: int) -> st.SearchStrategy[El]:
    return st.builds(El, st.just(tag), st.sampled_from(SHORT_VRS + LONG_VRS), _values)


def _encapsulated(tag: int) -> st.SearchStrategy[El]:
    values = st.lists(_values, max_size=4).map(tuple)
    return st.builds(lambda vr, f: El(tag, vr, fragments=f), st.sampled_from(["OB", "OW"]), values)


def _sequence(tag: int, inner: st.SearchStrategy[tuple[El, ...]]) -> st.SearchStrategy[El]:
    return st.lists(inner, max_size=3).map(lambda items: El(tag, "SQ", items=tuple(items)))


def _level(inner: st.SearchStrategy[tuple[El, ...]] | None) -> st.SearchStrategy[tuple[El, ...]]:
    def elements(tags: list[int]) -> st.SearchStrategy[tuple[El, ...]]:
        kinds = []
        for tag in sorted(tags):
            options = [_plain_element(tag), _plain_element(tag), _encapsulated(tag)]
            kinds.append(st.one_of(*options, *([_sequence(tag, inner)] * 2 if inner is not None else [])))
        return st.tuples(*kinds)

    return st.lists(_tags, unique=True, max_size=5).flatmap(elements)


trees: st.SearchStrategy[tuple[El, ...]] = _level(_level(_level(None)))
"""Data sets of up to three levels, in order, with everything that C.12.1.1.3.1.1 excludes."""
forms = st.lists(st.booleans(), min_size=1, max_size=12)
"""Choices of undefined lengths."""
