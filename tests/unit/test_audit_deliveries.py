"""What is delivered to audit repositories is what its table says: valid where it has to arrive, marked, and framed."""

from __future__ import annotations

from collections import Counter

import pytest
from lxml import etree

from fixtures.audit_deliveries import CONTROL, DELIVERIES, Composed, Transport, compose, follower, new_tokens
from fixtures.audit_deliveries.carrying import in_pieces
from fixtures.audit_deliveries.messages import BOM, sized
from reference_impl.audit.syslog.messages import parse
from reference_impl.audit.validator import validate
from reference_impl.syslog_frames import FrameError, FrameReader

EVERY = [(name, transport) for name, each in DELIVERIES.items() for transport in each.transports]
LARGEST_DATAGRAM = 65507
RULES_OF_OTHER_SYNTAX = frozenset({"broken-messages", "broken-headers", "broken-frames", "any-pri", "other-forms"})
LEAP, LONE, OTHER_ENCODING = "time/leap-second", "structured-data/lone-backslash", "hostile/utf-16"
SKIPPED = frozenset({"size/16-mebioctets", "framing/endless-count", "framing/endless-message", "ending/flood"})


def messages_of(composed: Composed, transport: Transport) -> list[bytes]:
    """The syslog messages that a receiver makes of what is sent."""
    found: list[bytes] = []
    for line in composed.lines:
        if transport == "udp":
            found += [each for each in line.writes if each]
            continue
        reader = FrameReader(limit=1 << 25)
        for octets in line.writes:
            found += reader.feed(octets)
        assert not reader.pending
    return found


@pytest.mark.parametrize(("name", "transport"), EVERY)
def test_every_delivery_can_be_composed_and_carries_its_marks(name: str, transport: Transport) -> None:
    tokens = new_tokens()
    composed = compose(name, tokens, transport)
    sent = b"".join(octets for line in composed.lines for octets in line.writes)
    assert composed.lines
    assert composed.messages > 0
    for number, one in enumerate(composed.asked):
        assert one.begin.startswith(tokens.common)
        if "utf-16" not in name:
            assert one.begin.encode() in sent, f"message {number} is not marked at its beginning"
            assert not one.end or one.end.encode() in sent, f"message {number} is not marked at its end"
        if one.end and one.message:
            assert one.message.find(one.begin.encode()) < one.message.rfind(one.end.encode())
    begins = [one.begin for one in composed.asked]
    assert len(set(begins)) == len(begins)


@pytest.mark.parametrize("name", [name for name, each in DELIVERIES.items() if each.wanted == "whole"])
def test_what_has_to_arrive_is_valid_in_every_way(name: str) -> None:
    for transport in DELIVERIES[name].transports:
        tokens = new_tokens()
        composed = compose(name, tokens, transport)
        messages = [each for each in messages_of(composed, transport) if tokens.common.encode() in each]
        assert len(messages) == len(composed.asked)
        for octets in messages:
            parsed = parse(octets)
            assert parsed.message is not None
            broken = [found for found in parsed.findings if found.level == "shall"]
            assert broken == [] or name == LONE, f"{name}: {broken}"
            (asked,) = [one for one in composed.asked if one.begin.encode() in octets]
            assert octets.endswith(asked.message)
            result = validate(asked.message)
            assert result.conforms, f"{name}: {[found for found in result.findings if found.level == 'shall']}"


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        *[("size/480", 480), ("size/1180", 1180), ("size/2048", 2048), ("size/2048-beyond-ascii", 2048)],
        *[("size/8192", 8192), ("size/8193", 8193), ("size/32768", 32768), ("size/32768-beyond-ascii", 32768)],
        *[("size/65536", 65536), ("size/131072", 131072), ("size/1-mebioctet", 1 << 20)],
        *[("size/16-mebioctets", 1 << 24), ("size/datagram-of-2049", 2049), ("size/datagram-of-8192", 8192)],
        *[("size/largest-datagram", LARGEST_DATAGRAM), ("size/32768-in-small-records", 32768)],
    ],
)
def test_a_size_is_that_of_the_syslog_message(name: str, octets: int) -> None:
    (transport,) = DELIVERIES[name].transports[:1]
    composed = compose(name, new_tokens(), transport)
    assert [len(each) for each in messages_of(composed, transport)] == [octets] == [composed.octets]


def test_no_datagram_is_longer_than_ipv4_allows_and_few_are_long() -> None:
    for name, transport in EVERY:
        if transport == "udp":
            longest = max(len(each) for line in compose(name, new_tokens(), "udp").lines for each in line.writes)
            assert longest <= LARGEST_DATAGRAM
            if DELIVERIES[name].wanted == "whole":
                assert longest <= 2048, name  # more SHOULD not be expected (RFC 5426 3.2)


def test_every_kind_of_message_is_delivered_minimal_and_full() -> None:
    events = {}
    for number in range(1, 16):
        (name,) = [name for name, each in DELIVERIES.items() if each.options == {"section": f"A.5.3.{number}"}]
        composed = compose(name, new_tokens(), "tls")
        sections = {validate(one.message).section for one in composed.asked}
        assert sections == {f"A.5.3.{number}"}
        assert len(composed.asked) >= 2
        assert compose(name, new_tokens(), "udp").asked
        events[name] = {validate(one.message).event for one in composed.asked}
    assert sum(map(len, events.values())) == 15


@pytest.mark.parametrize("name", [name for name, each in DELIVERIES.items() if each.rule == "broken-frames"])
def test_frames_that_are_none_break_the_framing(name: str) -> None:
    if name in {"framing/count-of-a-gigabyte", "framing/endless-message"}:
        reader = FrameReader(limit=1 << 31)
        line = compose(name, new_tokens(), "tls").lines[0]
        for octets in line.writes:
            reader.feed(octets)
        assert reader.pending
        return
    line = compose(name, new_tokens(), "tls").lines[0]
    reader = FrameReader()
    taken: list[bytes] = []
    with pytest.raises(FrameError):
        for octets in (*line.writes, line.repeated):
            taken += reader.feed(octets)
            taken += reader.feed(b"")  # what is broken raises once it has nothing more to give
    assert len(taken) <= 3  # what a count that is wrong cuts out is no message, but is taken for one


@pytest.mark.parametrize("name", [name for name, each in DELIVERIES.items() if each.rule == "broken-headers"])
def test_broken_headers_break_a_rule_of_rfc_5424_or_of_dicom(name: str) -> None:
    (octets,) = messages_of(compose(name, new_tokens(), "udp"), "udp")
    assert [found for found in parse(octets).findings if found.level == "shall"] or name in {
        "msgid/nil",
        "broken/no-message",
    }


@pytest.mark.parametrize("name", [name for name, each in DELIVERIES.items() if each.rule == "broken-messages"])
def test_broken_messages_stand_behind_a_good_header_and_conform_not(name: str) -> None:
    composed = compose(name, new_tokens(), "tls")
    (octets,) = messages_of(composed, "tls")
    assert octets.startswith(b"<85>1 ")
    assert not validate(composed.asked[0].message).conforms or name == OTHER_ENCODING


@pytest.mark.parametrize("name", [name for name, each in DELIVERIES.items() if each.rule == "other-forms"])
def test_other_forms_are_xml_that_does_not_conform(name: str) -> None:
    message = compose(name, new_tokens(), "tls").asked[0].message
    etree.fromstring(message, etree.XMLParser(resolve_entities=False, no_network=True))
    assert not validate(message).conforms


def test_all_192_priorities_are_delivered_and_others() -> None:
    messages = messages_of(compose("pri/all", new_tokens(), "udp"), "udp")
    assert Counter(each.partition(b">")[0] for each in messages) == {b"<%d" % value: 1 for value in range(192)}
    assert {each[:4] for each in messages_of(compose("pri/security-severities", new_tokens(), "udp"), "udp")} == {
        b"<%d>" % value for value in range(80, 88)
    }


def test_text_of_all_planes_is_delivered() -> None:
    texts = "".join(
        compose(name, new_tokens(), "tls").asked[0].message.decode()
        for name, each in DELIVERIES.items()
        if each.rule == "unicode"
    )
    assert {0, 1, 2, 3, 14, 15, 16} <= {ord(character) >> 16 for character in texts}


def test_a_bom_is_there_where_it_is_told() -> None:
    messages = messages_of(compose("bom/with-and-without", new_tokens(), "udp"), "udp")
    assert [BOM in each for each in messages] == [False, True, False]


def test_leap_seconds_are_in_the_message_and_never_in_the_header() -> None:
    for one in compose(LEAP, new_tokens(), "tls").asked:
        assert b":60" in one.message
    for octets in messages_of(compose(LEAP, new_tokens(), "udp"), "udp"):
        assert b":60" not in octets.partition(b"<AuditMessage")[0]


def test_what_is_cut_is_cut_where_the_table_says() -> None:
    lines = compose("frame/cut-in-characters", new_tokens(), "tls").lines
    with pytest.raises(UnicodeDecodeError):
        lines[1].writes[0].decode()
    lines = compose("frame/cut-in-the-length", new_tokens(), "tls").lines
    assert lines[0].writes[0].isdigit()
    assert lines[1].writes[0].isdigit()
    assert lines[2].writes[0].endswith(b" ")
    for name, each in DELIVERIES.items():
        if each.recipe == "cut_at":
            for line in compose(name, new_tokens(), "tls").lines:
                assert len(line.writes) > 1, name


def test_pieces_make_the_whole() -> None:
    octets = bytes(range(100))
    for cuts in ((), (0,), (1, 2, 50), (-1, 99, 200, -200), range(0, 100, 7)):
        pieces = in_pieces(octets, cuts)
        assert b"".join(pieces) == octets
        assert all(pieces)


def test_a_size_that_no_message_has_is_refused() -> None:
    with pytest.raises(ValueError, match="no audit message has 100 octets"):
        sized(new_tokens(), 100)


def test_marks_are_new_each_time_and_plain() -> None:
    marks = {new_tokens().common for _ in range(1000)}
    assert len(marks) == 1000
    assert all(mark.isalnum() and mark.isupper() and len(mark) == 18 for mark in marks)
    assert not any(one.of(1).begin in one.of(11).begin for one in [new_tokens()])


def test_the_table_is_whole() -> None:
    assert next(iter(DELIVERIES)) == CONTROL
    assert len(DELIVERIES) >= 90
    for name, each in DELIVERIES.items():
        assert each.text.endswith("."), name
        assert each.section, name
        assert each.wanted == "whole" or each.because or each.rule in RULES_OF_OTHER_SYNTAX, name
    assert {name for name, each in DELIVERIES.items() if each.intrusive} == SKIPPED
    assert 5 <= sum(each.brief for each in DELIVERIES.values()) <= 12


def test_a_follower_is_one_plain_message() -> None:
    composed = follower(new_tokens(), "tls")
    (octets,) = messages_of(composed, "tls")
    assert not parse(octets).findings
    assert validate(composed.asked[0].message).conforms
