"""Frames of syslog over TLS: whatever way they are cut, and whatever else comes."""

from __future__ import annotations

import contextlib
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.syslog_frames import FrameError, FrameReader, frame
from reference_impl.syslog_server import SyslogServer

MESSAGES = st.lists(st.binary(min_size=1, max_size=300), max_size=8)


@given(MESSAGES, st.lists(st.integers(1, 50), min_size=1))
def test_frames_are_read_back_however_they_are_cut(messages: list[bytes], sizes: list[int]) -> None:
    stream = b"".join(map(frame, messages))
    reader, at, turn = FrameReader(), 0, 0
    found: list[bytes] = []
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        found += reader.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    assert found == messages
    assert not reader.pending


@given(st.binary(max_size=200))
def test_any_octets_are_messages_or_no_frames(data: bytes) -> None:
    reader = FrameReader(limit=100)
    with contextlib.suppress(FrameError):
        assert all(1 <= len(message) <= 100 for message in reader.feed(data))


def read_in(pieces: list[bytes]) -> tuple[list[bytes], str, bytes]:
    """The messages, why no more are taken, and the first octets of what belongs to none."""
    reader, messages = FrameReader(limit=100), list[bytes]()
    for piece in pieces:
        with contextlib.suppress(FrameError):
            messages += reader.feed(piece)
        if reader.broken:
            break
    return messages, reader.broken, reader.unread(3)


NEARLY = st.one_of(
    st.binary(max_size=12),
    st.binary(min_size=1, max_size=99).map(frame),
    st.sampled_from([b"5", b"05 ", b"101 ", b"1000", b" ", b"7 part"]),
)


@given(st.lists(NEARLY, max_size=5).map(b"".join), st.lists(st.integers(1, 20), min_size=1))
def test_what_is_read_does_not_depend_on_how_it_is_cut(stream: bytes, sizes: list[int]) -> None:
    pieces, at = list[bytes](), 0
    while at < len(stream):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(stream[at : at + size])
        at += size
    cut, whole = read_in(pieces), read_in([stream])
    assert cut[0] == whole[0]
    assert bool(cut[1]) == bool(whole[1])
    assert whole[2].startswith(cut[2])


@pytest.mark.parametrize(
    "stream", [b"<85>1 - - - - - -\n", b"05 hello", b"0 ", b" 5 hello", b"101 ", b"99999999", b"5x"]
)
def test_what_is_no_frame_is_said_to_be_none(stream: bytes) -> None:
    reader = FrameReader(limit=100)
    with pytest.raises(FrameError):
        reader.feed(stream)
    with pytest.raises(FrameError):
        reader.feed(b"5 hello")


def test_what_came_whole_before_the_nonsense_is_not_lost() -> None:
    reader = FrameReader()
    assert reader.feed(b"5 hello<85>1") == (b"hello",)
    with pytest.raises(FrameError):
        reader.feed(b"")


def test_there_is_no_empty_message() -> None:
    with pytest.raises(ValueError, match="at least one octet"):
        frame(b"")


def test_the_receiver_keeps_what_comes_and_hangs_up_on_nonsense() -> None:
    server = SyslogServer()
    ours, theirs = socket.socketpair()
    with ours:
        server.take(theirs)
        ours.sendall(frame(b"<85>1 - - - - - one") + b"5 he")
        ours.sendall(b"llo<")
        ours.settimeout(5)
        assert ours.recv(1) == b""
    assert server.messages == (b"<85>1 - - - - - one", b"hello")
    server.stop()


def test_the_receiver_is_stopped_while_somebody_is_connected() -> None:
    server = SyslogServer()
    ours, theirs = socket.socketpair()
    with ours:
        server.take(theirs)
        server.stop()
        ours.settimeout(5)
        assert ours.recv(1) == b""
