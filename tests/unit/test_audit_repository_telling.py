"""What a message tells is the same whether it is parsed or taken from the places that messages alike have it in."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from fixtures.audit.generated import generated_octets
from fixtures.audit.samples import SAMPLES
from reference_impl.audit.parsing import UnreadableMessageError, message_of, parse_xml
from reference_impl.audit.repository.telling import Templates, Told, _joined, told_of
from reference_impl.audit.skeletons import split

_VALUE = re.compile(rb'="([^"]*)"|>([^<>]+)<')
ODD = (
    b"", b" ", b"x", b" x", b"x ", b"a>b", b"a<b", b"a&amp;b", b"&#10;", b"a'b", b"\t", b"a\nb", b"]]>", b"\xff",
    b"\xc3\xbc", b"\xef\xbf\xbe", b"\xee\x80\x803\xee\x80\x80", b"\x01", b"AETITLES= a;b", b">x", b"/>",
    b'" b="', b"110180", b"1", b"\xc2\xa0x", b"\xe2\x80\xa8", b"x" * 300,
)  # fmt: skip


def parsed(octets: bytes) -> Told | None:
    """What it tells, by parsing."""
    try:
        return told_of(message_of(parse_xml(octets)))
    except UnreadableMessageError:
        return None


def same(templates: Templates, octets: bytes) -> bool:
    """Whether the short way tells nothing, or the same; says whether it told something."""
    told = templates.read(octets, split(octets))
    if told is not None:
        assert told == parsed(octets), octets
    return told is not None


def test_messages_alike_are_read_without_parsing_and_tell_the_same() -> None:
    templates = Templates()
    octets = [sample.octets for sample in SAMPLES.values()]
    taken = {each for each in octets * 2 if same(templates, each)}
    assert taken == {each for each in octets if b"&" not in each}
    for each in list(generated_octets(4, 300, size="small")) * 2:
        same(templates, each)


@pytest.mark.parametrize("name", list(SAMPLES))
def test_no_value_in_any_place_is_read_otherwise_than_by_parsing(name: str) -> None:
    templates = Templates()
    octets = SAMPLES[name].octets
    same(templates, octets)
    for found in _VALUE.finditer(octets):
        for odd in ODD:
            group = 1 if found[1] is not None else 2
            changed = octets[: found.start(group)] + odd + octets[found.end(group) :]
            same(templates, changed)
            same(templates, octets)


@given(
    value=st.text(max_size=12).map(lambda text: text.encode("utf-8", "replace")),
    place=st.integers(0, 200),
    name=st.sampled_from(sorted(SAMPLES)),
)
@examples(max_examples=150, derandomize=True, deadline=None)
def test_any_text_in_any_place_tells_the_same(value: bytes, place: int, name: str) -> None:
    templates = Templates()
    octets = SAMPLES[name].octets
    places = list(_VALUE.finditer(octets))
    found = places[place % len(places)]
    group = 1 if found[1] is not None else 2
    same(templates, octets)
    same(templates, octets[: found.start(group)] + value + octets[found.end(group) :])


@given(
    st.lists(st.sampled_from([b"<", b">", b'"', b"a", b" b=", b"/", b"<AuditMessage>", b"</AuditMessage>", b"\x01"]))
)
@examples(max_examples=200, derandomize=True, deadline=None)
def test_pieces_of_xml_break_nothing(pieces: list[bytes]) -> None:
    same(Templates(), b"".join(pieces))


@given(
    st.lists(
        st.sampled_from(
            [b"<", b">", b'"', b"a", b" b=", b' c="d"', b"/>", b"<AuditMessage>", b">text<", b"&amp;", b"\n"]
        ),
        max_size=30,
    )
)
@examples(max_examples=400, derandomize=True, deadline=None)
def test_what_is_taken_apart_is_the_whole_message(pieces: list[bytes]) -> None:
    octets = b"<AuditMessage>" + b"".join(pieces)
    parts = split(octets)
    if parts is None:
        return
    skeleton, values, texts = parts
    assert not any(b"<" in each for each in values + texts)
    if skeleton.count(b'"') == len(values):
        assert _joined(skeleton, values + texts) == octets


@pytest.mark.parametrize("place", [0, 3, 999, 10**9])
def test_marks_that_a_sender_writes_are_no_marks(place: int) -> None:
    templates = Templates()
    plain = re.sub(rb"&[a-z]+;", b"+", SAMPLES["user-authentication-full"].octets)
    octets = re.sub(rb'csd-code="[^"]*"', f'csd-code="\ue000{place}\ue000"'.encode(), plain)
    for each in (octets, octets, plain, octets):
        same(templates, each)
    both = re.sub(rb'UserID="[^"]*"', f'UserID="\ue000{place}\ue000"'.encode(), octets)
    for each in (both, octets, plain):
        same(templates, each)


def test_texts_in_other_elements_are_told_apart() -> None:
    one = b'<AuditMessage><ParticipantObjectIdentification ParticipantObjectTypeCodeRole="1" ParticipantObjectID="%s">'
    one += b"<ParticipantObjectName>%s</ParticipantObjectName><ParticipantObjectQuery>%s</ParticipantObjectQuery>"
    one += b"</ParticipantObjectIdentification></AuditMessage>"
    templates = Templates()
    for values in ((b"1", b"a", b""), (b"2", b"", b"a"), (b"3", b"b", b"c"), (b"4", b"", b"")):
        same(templates, one % values)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from reference_impl.audit.repository import telling

    monkeypatch.setattr(telling, "_MOST_SKELETONS", 5)
    monkeypatch.setattr(telling, "_MOST_TEMPLATES", 2)
    templates = Templates()
    for number in range(200):
        octets = b'<AuditMessage a%d="x" csd-code="%d"/>' % (number % 40, number)
        templates.read(octets, split(octets))
    assert len(templates._named) <= 5
    assert len(templates._templates) <= 10
