"""Audit messages found in files: XML, captures of syslog in every manner, captures of packets; nothing breaks it."""

from __future__ import annotations

import io
import itertools
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures.audit.generated import generated_octets
from fixtures.audit.samples import SAMPLES
from reference_impl.audit.captured import Captured, CaptureLimits, Unread, captured, from_stream
from reference_impl.syslog_frames import frame
from tests.unit import audit_packets as packets

ONE, TWO = SAMPLES["query-minimal"].octets, SAMPLES["user-authentication-full"].octets
HEADER = b"<85>1 2026-03-14T09:26:53Z host app 1 DICOM+RFC3881 - "
SYSLOG = [HEADER + each for each in (ONE, TWO)]
OTHER = b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed"


def found(octets: bytes, limits: CaptureLimits | None = None) -> tuple[list[Captured], list[Unread]]:
    results = list(from_stream(io.BytesIO(octets), "capture", limits or CaptureLimits()))
    return [each for each in results if isinstance(each, Captured)], [
        each for each in results if isinstance(each, Unread)
    ]


def messages(octets: bytes) -> list[bytes]:
    taken, problems = found(octets)
    assert not [each for each in problems if not each.expected]
    return [each.octets for each in taken]


def test_what_looks_like_xml_in_a_file_of_octets_is_no_message() -> None:
    taken, (why,) = found(random.Random(1).randbytes(300_000))  # noqa: S311 - a fixed seed
    assert taken == []
    assert why.why == "holds no audit message"
    latin = b"r\xe9sum\xe9 <b>of the day</b>\n"
    assert messages(latin + ONE + b"\n" + latin) == [ONE]
    assert messages(ONE.replace(b"PS315", b"\xe9\x01")) == [ONE.replace(b"PS315", b"\xe9\x01")]


def test_a_capture_that_begins_in_the_middle_of_a_message_says_so() -> None:
    octets = b"".join(map(frame, SYSLOG))
    chunks = [octets[at : at + 400] for at in range(300, len(octets), 400)]
    taken, problems = found(packets.pcap(packets.tcp(chunks)[1:]))
    assert taken == []
    assert "begins in the middle of one; capture from the beginning" in problems[0].why
    assert found(packets.pcap(packets.tcp([b"GET / HTTP/1.1\r\n\r\n"])))[1][0].why == "holds no audit message"


@pytest.mark.parametrize("escape", [b'"', b"<"])
def test_messages_within_json_are_told_and_not_judged(escape: bytes) -> None:
    record = b'{"time": 1, "message": "' + ONE.replace(b'"', b'\\"') + b'"}\n'
    if escape == b"<":
        record = record.replace(b"<", b"\\u003c")
    taken, problems = found(record * 2)
    assert taken == []
    assert [each.why.partition(";")[0] for each in problems] == ["2 lines hold audit messages within JSON"]
    assert messages(b'{"a": 1} ' + ONE + b"\n") == [ONE]


@pytest.mark.parametrize(
    ("octets", "lines"),
    [
        (ONE, [1]),
        (ONE + b"\n", [1]),
        (b"\xef\xbb\xbf" + ONE, [1]),
        (ONE + TWO, [1, 1]),
        (ONE + b"\n" + TWO, [1, 2]),
        (ONE + b"\r\n\r\n\r\n" + TWO + b"\r\n", [1, 4]),
        (b"\n\n" + ONE + b"\n" + TWO, [3, 4]),
    ],
    ids=["one", "line-end", "bom", "joined", "line-each", "blank-lines", "blank-first"],
)
def test_xml_documents_one_after_another(octets: bytes, lines: list[int]) -> None:
    taken, problems = found(octets)
    assert [each.octets for each in taken] == [ONE, TWO][: len(lines)]
    assert [each.first_line for each in taken] == lines
    assert not any(each.header or each.truncated for each in taken)
    assert not problems


def test_documents_over_several_lines_keep_their_declaration_and_their_lines() -> None:
    document = b"<?xml version='1.0'?>\n<!-- made -->\n" + ONE.replace(b"><", b">\n<")
    taken, _ = found(document + b"\n" + document)
    assert [each.octets for each in taken] == [document, document]
    assert [each.first_line for each in taken] == [1, document.count(b"\n") + 2]


def test_an_end_tag_within_a_text_does_not_cut_a_message() -> None:
    odd = b"<AuditMessage><a><![CDATA[</AuditMessage>]]></a></AuditMessage>"
    assert messages(odd + ONE) == [odd, ONE]


def test_syslog_lines_are_whole_messages_and_those_of_others_are_counted() -> None:
    taken, problems = found(b"\n".join([SYSLOG[0], OTHER, SYSLOG[1], OTHER, b"plain text"]))
    assert [each.octets for each in taken] == SYSLOG
    assert all(each.header for each in taken)
    assert [each.first_line for each in taken] == [1, 3]
    assert [(each.others, each.expected) for each in problems] == [(3, True)]


def test_a_header_that_promises_an_audit_message_is_a_message() -> None:
    assert messages(SYSLOG[0] + b"\n" + HEADER + b"nothing\n" + SYSLOG[1]) == [
        SYSLOG[0],
        HEADER + b"nothing",
        SYSLOG[1],
    ]


def test_messages_with_line_ends_in_them_stay_whole() -> None:
    spread = [each.replace(b"><", b">\n  <") for each in SYSLOG]
    taken, _ = found(b"\n".join(spread) + b"\n")
    assert [each.octets for each in taken] == spread
    assert [each.first_line for each in taken] == [1, spread[0].count(b"\n") + 2]


def test_log_files_whose_lines_lack_pri_give_the_xml_alone() -> None:
    """What rsyslog writes to files by default lacks the header that was sent: nothing is held against it."""
    lines = b"Nov 22 20:41:05 host app: " + ONE + b"\n2026-11-22T20:41:05+00:00 host app: " + TWO + b"\n"
    taken, _ = found(lines)
    assert [each.octets for each in taken] == [ONE, TWO]
    assert not any(each.header for each in taken)


def test_streams_of_rfc_5425_are_cut_by_their_lengths() -> None:
    taken, problems = found(b"".join(frame(each.replace(b"><", b">\n<")) for each in SYSLOG))
    assert [each.octets for each in taken] == [each.replace(b"><", b">\n<") for each in SYSLOG]
    assert all(each.framed and each.header for each in taken)
    assert not problems


def test_messages_of_others_in_a_stream_are_counted() -> None:
    taken, problems = found(frame(SYSLOG[0]) + frame(OTHER) * 3)
    assert [each.octets for each in taken] == SYSLOG[:1]
    assert [(each.others, each.expected) for each in problems] == [(3, True)]
    assert [each.why for each in found(frame(OTHER))[1]] == ["holds no audit message"]


@pytest.mark.parametrize(
    ("octets", "count", "why"),
    [
        (frame(SYSLOG[0]) + b"\n" + frame(SYSLOG[1]), 1, "no frame"),
        (frame(SYSLOG[0]) + b"0012 <1>", 1, "does not begin with 0"),
        (frame(SYSLOG[0]) + frame(SYSLOG[1])[:-1], 1, "middle of the frame"),
        (frame(SYSLOG[0]) + b"99999999 <1>", 1, "more than"),
        (b"", 0, "holds no audit message"),
        (bytes(5000), 0, "holds no audit message"),
        (b"text\nmore text", 0, "holds no audit message"),
        (b"\x1f\x8b\x08" + bytes(20), 0, "compressed (gzip)"),
        (b"PK\x03\x04" + bytes(20), 0, "compressed (zip)"),
        (b"\x89PNG\r\n\x1a\n\x00\n<a\x00\n", 0, "holds no audit message"),  # octets that look like XML occur by chance
        (b"%PDF-1.7\n<</Type /Page>>\n<xmp>\n", 0, "holds no audit message"),
    ],
)
def test_what_cannot_be_read_is_told_and_the_rest_is_read(octets: bytes, count: int, why: str) -> None:
    taken, problems = found(octets)
    assert [each.octets for each in taken] == SYSLOG[:count]
    assert len(problems) == 1
    assert why in problems[0].why


def test_utf_16_is_one_message() -> None:
    octets = f"<?xml version='1.0' encoding='utf-16'?>\n{ONE.decode()}".encode("utf-16")
    assert messages(octets) == [octets]


def test_of_a_message_beyond_the_limit_the_beginning_is_kept_and_the_next_one_is_whole() -> None:
    limits = CaptureLimits(message=len(TWO) + 10)
    huge = ONE[:-16] + b"x" * 300_000 + b"</AuditMessage>"
    taken, _ = found(huge + b"\n" + ONE, limits)
    assert [(each.truncated, each.length) for each in taken] == [(True, len(huge) + 1), (False, len(ONE))]
    assert taken[0].octets == huge[: limits.message]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_line_of_a_gigabyte_takes_no_memory() -> None:
    """A quarter of one here; what is kept of it does not depend on it."""
    program = """
import sys
from pathlib import Path
from reference_impl.audit.captured import CaptureLimits, from_stream
found = list(from_stream(sys.stdin.buffer, "-", CaptureLimits(message=1 << 20)))
print(len(found), found[0].length, Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""
    total = 256 * 1024 * 1024
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b"<AuditMessage>")
        for _ in range(total // (1 << 20)):
            process.stdin.write(b"x" * (1 << 20))
        out, _ = process.communicate(timeout=60)
    count, length, kilobytes = map(int, out.split())
    assert (count, length) == (1, total + 14)
    assert kilobytes < 60_000


def test_folders_are_read_in_order_and_files_of_others_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "2.xml").write_bytes(TWO)
    (tmp_path / "a.log").write_bytes(SYSLOG[0])
    (tmp_path / "README").write_text("about this folder", encoding="ascii")
    os.mkfifo(tmp_path / "pipe")
    results = list(captured([tmp_path]))
    assert [each.octets for each in results if isinstance(each, Captured)] == [SYSLOG[0], TWO]
    told = {Path(each.name).name: each for each in results if isinstance(each, Unread)}
    assert told["README"].expected
    assert told["pipe"].why == "is no file"


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    results = list(captured([tmp_path / "none", "a\0b"]))
    assert [type(each) for each in results] == [Unread, Unread]


# -- packets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [packets.pcap, packets.pcapng], ids=["pcap", "pcapng"])
def test_datagrams(make: object) -> None:
    frames = [*packets.udp(SYSLOG[0]), *packets.udp(b"\x12\x34 a query of DNS"), *packets.udp(OTHER)]
    frames += packets.udp(SYSLOG[1], packets.SENDER6, packets.RECEIVER6)
    assert callable(make)
    taken, problems = found(make(frames))
    assert [each.octets for each in taken] == SYSLOG
    assert [(each.transport, each.peer, each.to) for each in taken] == [
        ("udp", "192.0.2.7:40000", "192.0.2.9:514"),
        ("udp", "[2001:db8::7]:40000", "[2001:db8::9]:514"),
    ]
    assert [(each.others, each.expected) for each in problems] == [(1, True)]


@pytest.mark.parametrize(
    ("link", "head"),
    [
        (101, b""),
        (12, b""),
        (0, b"\x02\x00\x00\x00"),
        (113, bytes(14) + b"\x08\x00"),
        (276, b"\x08\x00" + bytes(18)),
    ],
)
def test_other_link_layers(link: int, head: bytes) -> None:
    frames = [head + each[14:] for each in packets.udp(SYSLOG[0])]
    assert messages(packets.pcap(frames, link)) == SYSLOG[:1]


def test_a_tag_of_vlan_and_nanoseconds_are_no_hindrance() -> None:
    frames = [packets.ethernet(each[14:], vlan=True) for each in packets.udp(SYSLOG[0])]
    assert messages(packets.pcap(frames, nano=True)) == SYSLOG[:1]


@pytest.mark.parametrize("places", [(packets.SENDER, packets.RECEIVER), (packets.SENDER6, packets.RECEIVER6)])
def test_fragments_in_any_order_make_one_datagram(places: tuple[packets.Place, packets.Place]) -> None:
    frames = packets.udp(SYSLOG[1], *places, mtu=256)
    assert len(frames) > 3
    assert messages(packets.pcap(frames)) == SYSLOG[1:]
    assert messages(packets.pcap(reversed(frames))) == SYSLOG[1:]
    assert messages(packets.pcap([frames[0], *frames])) == SYSLOG[1:]


def test_a_missing_fragment_is_told() -> None:
    frames = packets.udp(SYSLOG[1], mtu=256)
    taken, problems = found(packets.pcap([*packets.udp(SYSLOG[0]), *frames[:2], *frames[3:]]))
    assert [each.octets for each in taken] == SYSLOG[:1]
    assert [each.why for each in problems] == ["fragments are missing of 1 datagrams"]


def test_a_datagram_that_was_captured_in_part_is_known_to_be_longer() -> None:
    frames = [each[:200] for each in packets.udp(SYSLOG[1])]
    taken, _ = found(packets.pcap(frames))
    assert taken[0].truncated
    assert taken[0].length == len(SYSLOG[1])


def cut(octets: bytes, size: int) -> list[bytes]:
    return [octets[at : at + size] for at in range(0, len(octets), size)]


def test_connections_are_put_together_and_cut_by_lengths() -> None:
    stream = b"".join(map(frame, SYSLOG))
    for size in (1, 7, 500, 65000):
        taken, problems = found(packets.pcap(packets.tcp(cut(stream, size))))
        assert [each.octets for each in taken] == SYSLOG
        assert taken[0].framed
        assert taken[0].peer == "192.0.2.7:40000"
        assert not problems


def test_segments_out_of_order_twice_and_overlapping() -> None:
    stream = b"".join(map(frame, SYSLOG))
    chunks = cut(stream, 100)
    syn, *rest = packets.tcp(chunks)
    shuffled = [*rest, *rest[: len(rest) // 2]]
    random.Random(5).shuffle(shuffled)  # noqa: S311 - the order of a test
    first = (0xFFFFFF00 + 1) % 2**32
    longer = packets.segment(stream[:150], packets.SENDER, (packets.RECEIVER[0], 6514), first)
    assert messages(packets.pcap([syn, *shuffled])) == SYSLOG
    assert messages(packets.pcap([syn, rest[0], longer, *rest[1:]])) == SYSLOG


def test_a_missing_segment_is_told_and_what_was_whole_before_it_is_read() -> None:
    stream = b"".join(map(frame, SYSLOG))
    frames = packets.tcp([frame(SYSLOG[0]), stream[len(frame(SYSLOG[0])) :][:300], b"x" * 10])
    taken, problems = found(packets.pcap([frames[0], frames[1], frames[3]]))
    assert [each.octets for each in taken] == SYSLOG[:1]
    assert "octets are missing" in problems[0].why


def test_connections_with_lines_in_place_of_lengths() -> None:
    stream = b"\n".join(SYSLOG) + b"\n"
    taken, _ = found(packets.pcap(packets.tcp(cut(stream, 33))))
    assert [each.octets for each in taken] == SYSLOG
    assert not taken[0].framed


def test_tls_is_told_and_other_connections_are_passed_over() -> None:
    tls = packets.tcp([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)])
    dicom = packets.tcp([b"\x01\x00\x00\x00\x00\xcd\x00\x01" + bytes(200)], ("192.0.2.8", 41000))
    taken, problems = found(packets.pcap([*tls, *dicom, *packets.udp(SYSLOG[0])]))
    assert [each.octets for each in taken] == SYSLOG[:1]
    assert [each.why.partition(": ")[2].partition(",")[0] for each in problems] == ["TLS"]


def test_ports_that_are_used_again_begin_a_new_stream() -> None:
    frames = packets.tcp([frame(SYSLOG[0])]) + packets.tcp([frame(SYSLOG[1])], first=77)
    assert messages(packets.pcap(frames)) == SYSLOG


@pytest.mark.parametrize(
    "octets",
    [
        b"\xd4\xc3\xb2\xa1",
        b"\x0a\x0d\x0d\x0a" + bytes(40),
        b"\x0a\x0d\x0d\x0a\xff\xff\xff\xff\x4d\x3c\x2b\x1a" + bytes(40),
        packets.pcap([])[:20],
        packets.pcap([]) + bytes(8) + b"\xff\xff\xff\xff" * 2,
        packets.pcap(packets.udp(ONE), link=9999),
        packets.pcapng([]) + b"\x06\x00\x00\x00\x00\x00\x00\x00",
    ],
    ids=["magic", "zeros", "long-header", "cut-header", "long-packet", "unknown-link", "no-length"],
)
def test_broken_captures_are_told(octets: bytes) -> None:
    taken, problems = found(octets)
    assert not taken
    assert problems


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.binary(max_size=60) | st.sampled_from([*SYSLOG, ONE, b"\n", b"<85>", b"<a", frame(ONE)]), max_size=8)
)
def test_no_octets_break_it(parts: Sequence[bytes]) -> None:
    octets = b"".join(parts)
    taken, _ = found(octets, CaptureLimits(message=4096, flows=3, held=4096))
    assert all(len(each.octets) <= 4096 and each.length >= len(each.octets) for each in taken)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=80), max_size=6), st.sampled_from([0, 1, 12, 113, 276]), st.data())
def test_no_packets_break_it(payloads: list[bytes], link: int, data: st.DataObject) -> None:
    frames = list(itertools.chain(*[packets.udp(each) for each in payloads], packets.tcp(payloads)))
    changed = [bytearray(each) for each in frames if each]
    for each in changed:
        each[data.draw(st.integers(0, len(each) - 1))] ^= data.draw(st.integers(0, 255))
    found(packets.pcap(map(bytes, changed), link), CaptureLimits(message=4096, flows=2, held=512))


def test_many_generated_messages_come_back_whole() -> None:
    made = list(generated_octets(11, 60))
    assert messages(b"".join(HEADER + each.replace(b"\n", b"") + b"\n" for each in made)) == [
        HEADER + each.replace(b"\n", b"") for each in made
    ]
    assert messages(b"\n".join(made)) == made
    assert messages(b"".join(frame(HEADER + each) for each in made)) == [HEADER + each for each in made]
    assert messages(packets.pcap(packets.tcp([frame(HEADER + each)[:65000] for each in made[:5]]))) == [
        HEADER + each for each in made[:5]
    ]
