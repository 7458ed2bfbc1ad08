"""The syslog messages in a capture of packets (pcap, pcapng): UDP with fragments, and TCP without TLS."""

from __future__ import annotations

import ipaddress
import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import IO, Any, Final, Literal

import dpkt

from reference_impl.audit.captured.lines import Lines, Piece, holds_message
from reference_impl.audit.captured.model import NOTHING, Captured, CaptureLimits, Unread
from reference_impl.audit.captured.segments import Fragments, Stream
from reference_impl.syslog_frames import FrameError, FrameReader

_LARGEST_BLOCK: Final = 16 * 1024 * 1024
_SECTION_HEADER: Final = b"\x0a\x0d\x0d\x0a"
_ETHERTYPES: Final = {0x0800: 4, 0x86DD: 6}
_VLAN: Final = frozenset({0x8100, 0x88A8, 0x9100})
_TCP, _UDP, _FRAGMENT = 6, 17, 44
_EXTENSIONS: Final = frozenset({0, 43, 60})  # IPv6: hop-by-hop, routing, destination options
_FRAME = re.compile(rb"[1-9][0-9]{0,9} <")
_TLS = re.compile(rb"\x16\x03[\x00-\x04]")
_PRI = re.compile(rb"<[0-9]{1,3}>")
_SYN = 2
_NAMED: Final = b"<AuditMessage"
_FIRST = 12  # octets that tell what a stream is


class _BoundedFile:
    """A file that hands out no more at once than a packet can have: lengths in a capture may be invented."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.name = "capture"

    def read(self, number: int) -> bytes:
        if not 0 <= number <= _LARGEST_BLOCK:
            raise ValueError(f"a packet of {number} octets")
        return self._stream.read(number)


def from_packets(stream: IO[bytes], name: str, limits: CaptureLimits) -> Iterator[Captured | Unread]:
    """The messages of a capture in the order in which they were complete; what could not be followed comes last."""
    head = stream.peek(4)[:4] if hasattr(stream, "peek") else b""
    try:
        reader = (dpkt.pcapng if head == _SECTION_HEADER else dpkt.pcap).Reader(_BoundedFile(stream))
        link = reader.datalink()
    except (ValueError, dpkt.Error) as problem:
        yield Unread(name, f"is no capture of packets that can be read: {problem}")
        return
    capture = _Capture(name, limits)
    packets = iter(reader)
    while True:
        try:
            packet = next(packets, None)
        except (ValueError, dpkt.Error, OverflowError, ArithmeticError) as problem:
            yield Unread(name, f"ends with something that is no packet: {problem}")
            break
        if packet is None:
            break
        yield from capture.packet(link, packet[1])
    yield from capture.close()


@dataclass(frozen=True)
class _Ip:
    source: bytes
    destination: bytes
    protocol: int
    payload: bytes


Sort = Literal["", "frames", "lines", "tls", "other"]


@dataclass
class _Flow:
    """One direction of a connection and what it carries."""

    stream: Stream
    sort: Sort = ""
    head: bytes = b""
    frames: FrameReader = field(default_factory=FrameReader)
    lines: Lines | None = None
    line: bytearray = field(default_factory=bytearray)
    line_length: int = 0
    told: str = ""

    def add_to_line(self, octets: bytes, limit: int) -> None:
        """More of the line that has not ended; beyond `limit` its octets are counted only."""
        self.line += octets[: max(0, limit - len(self.line))]
        self.line_length += len(octets)


@dataclass
class _Capture:
    name: str
    limits: CaptureLimits
    _numbers: Iterator[int] = field(default_factory=lambda: count(1), init=False)
    _flows: OrderedDict[tuple[str, str], _Flow] = field(default_factory=OrderedDict, init=False)
    _others: int = field(default=0, init=False)
    _messages: int = field(default=0, init=False)
    _forgotten: int = field(default=0, init=False)
    _unknown_links: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._fragments = Fragments(self.limits.held)

    def packet(self, link: int, octets: bytes) -> Iterator[Captured | Unread]:
        version, start = _network_layer(link, octets)
        try:
            found = self._ip4(octets[start:]) if version == 4 else self._ip6(octets[start:]) if version == 6 else None
        except (dpkt.Error, IndexError, ValueError):
            return
        if version < 0:
            self._unknown_links += 1
        if found is None:
            return
        if found.protocol == _UDP:
            yield from self._datagram(found)
        elif found.protocol == _TCP:
            yield from self._segment(found)

    def close(self) -> Iterator[Captured | Unread]:
        """What is left, and what could not be followed."""
        for (peer, to), flow in self._flows.items():
            yield from self._end(flow, peer, to)
        missing = self._fragments.close()
        if missing:
            yield Unread(self.name, f"fragments are missing of {missing} datagrams")
        if self._forgotten:
            yield Unread(self.name, f"{self._forgotten} connections more at once than are followed")
        if self._unknown_links:
            yield Unread(self.name, f"{self._unknown_links} packets are of a link layer that is not known here")
        if self._others and self._messages:
            why = f"{self._others} syslog messages hold no audit message"
            yield Unread(self.name, why, others=self._others, expected=True)
        elif not self._messages:
            yield Unread(self.name, NOTHING, others=self._others)

    # -- network layer -------------------------------------------------------------------------------------------------

    def _ip4(self, octets: bytes) -> _Ip | None:
        packet = dpkt.ip.IP(octets[:60].ljust(60, b"\0"))
        header = packet.hl * 4
        end = packet.len if packet.len >= header else len(octets)  # 0 where the network card cuts the segments
        payload = octets[header:end]
        if packet.mf or packet.offset:
            key = (packet.src, packet.dst, packet.p, packet.id)
            whole = self._fragments.add(key, packet.offset * 8, payload, more=bool(packet.mf))
            if whole is None:
                return None
            payload = whole
        return _Ip(packet.src, packet.dst, packet.p, payload)

    def _ip6(self, octets: bytes) -> _Ip | None:
        source, destination, protocol, at = octets[8:24], octets[24:40], octets[6], 40
        length = int.from_bytes(octets[4:6], "big")
        octets = octets[: 40 + length] if length else octets
        while protocol in _EXTENSIONS:
            protocol, at = octets[at], at + 8 * (octets[at + 1] + 1)
        if protocol == _FRAGMENT:
            placed, payload = int.from_bytes(octets[at + 2 : at + 4], "big"), octets[at + 8 :]
            key = (source, destination, octets[at], octets[at + 4 : at + 8])
            whole = self._fragments.add(key, placed & ~7, payload, more=bool(placed & 1))
            return None if whole is None else _Ip(source, destination, octets[at], whole)
        return _Ip(source, destination, protocol, octets[at:])

    # -- UDP -----------------------------------------------------------------------------------------------------------

    def _datagram(self, ip: _Ip) -> Iterator[Captured]:
        if len(ip.payload) < 8:
            return
        udp = dpkt.udp.UDP(ip.payload)
        body = bytes(udp.data)
        length = max(udp.ulen - 8, len(body)) if udp.ulen else len(body)  # more than was captured of it
        if not _PRI.match(body) and not holds_message(body[:_LARGEST_BLOCK]):
            return
        peer, to = _place(ip.source, udp.sport), _place(ip.destination, udp.dport)
        yield from self._message(body, length, peer, to, transport="udp", header=True)

    # -- TCP -----------------------------------------------------------------------------------------------------------

    def _segment(self, ip: _Ip) -> Iterator[Captured | Unread]:
        try:
            tcp = dpkt.tcp.TCP(ip.payload)
        except dpkt.Error:
            return
        key = (_place(ip.source, tcp.sport), _place(ip.destination, tcp.dport))
        if tcp.flags & _SYN and key in self._flows:  # the ports are used again
            yield from self._end(self._flows.pop(key), *key)
        flow = self._flows.get(key)
        if flow is None:
            if len(self._flows) >= self.limits.flows:
                old, gone = self._flows.popitem(last=False)
                yield from self._end(gone, *old)
                self._forgotten += 1
            flow = self._flows[key] = _Flow(Stream(self.limits.held), frames=FrameReader(self.limits.message))
        self._flows.move_to_end(key)
        if tcp.flags & _SYN:
            flow.stream.begin(tcp.seq)
        else:
            yield from self._octets(flow, flow.stream.add(tcp.seq, bytes(tcp.data)), *key)

    def _octets(self, flow: _Flow, octets: bytes, peer: str, to: str) -> Iterator[Captured | Unread]:
        if not flow.sort:
            flow.head += octets
            if len(flow.head) < _FIRST:
                return
            octets = flow.head
            self._sort(flow)
        if flow.sort == "frames":
            yield from self._frames(flow, octets, peer, to)
        elif flow.sort == "lines":
            yield from self._lines(flow, octets, peer, to)
        elif flow.sort == "other" and not flow.told and _NAMED in octets:
            flow.told = "there are audit messages, and what is captured begins in the middle of one"
            yield Unread(self.name, f"from {peer} to {to} {flow.told}; capture from the beginning of the connection on")

    def _sort(self, flow: _Flow) -> None:
        """See from its first octets what a stream carries."""
        if _TLS.match(flow.head):
            flow.sort = "tls"
        elif _FRAME.match(flow.head):
            flow.sort = "frames"
        elif _PRI.match(flow.head):
            flow.sort, flow.lines = "lines", Lines(self.limits.message)
        else:
            flow.sort = "other"
        flow.head = b""

    def _frames(self, flow: _Flow, octets: bytes, peer: str, to: str) -> Iterator[Captured | Unread]:
        if flow.told:
            return
        try:
            messages = flow.frames.feed(octets)
        except FrameError:
            messages = ()
        for each in messages:
            yield from self._message(each, len(each), peer, to, transport="tcp", header=True, framed=True)
        if flow.frames.broken:
            flow.told = flow.frames.broken
            yield Unread(self.name, f"from {peer} to {to} there is no frame of RFC 5425 any more: {flow.told}")

    def _lines(self, flow: _Flow, octets: bytes, peer: str, to: str) -> Iterator[Captured]:
        assert flow.lines is not None  # noqa: S101 - for the type checker
        *ends, rest = octets.split(b"\n")
        for end in ends:
            flow.add_to_line(end + b"\n", self.limits.message)
            yield from self._pieces(flow.lines.feed(bytes(flow.line), flow.line_length), peer, to)
            flow.line.clear()
            flow.line_length = 0
        flow.add_to_line(rest, self.limits.message)

    def _end(self, flow: _Flow, peer: str, to: str) -> Iterator[Captured | Unread]:
        if not flow.sort and flow.head:
            octets, flow.head = flow.head.ljust(_FIRST), b""
            yield from self._octets(flow, octets, peer, to)
        if flow.lines is not None:
            yield from self._pieces(flow.lines.feed(bytes(flow.line), flow.line_length), peer, to)
            yield from self._pieces(flow.lines.close(), peer, to)
            self._others += flow.lines.others
        between = f"from {peer} to {to}"
        if flow.sort == "tls":
            yield Unread(self.name, f"{between}: TLS, which cannot be read; capture behind it, or at the receiver")
        elif flow.sort in {"frames", "lines"} and (flow.stream.gap or flow.stream.waits):
            yield Unread(self.name, f"{between}: octets are missing in the capture")
        elif flow.sort == "frames" and flow.frames.pending and not flow.told:
            yield Unread(self.name, f"{between}: ends in the middle of a frame")

    def _pieces(self, pieces: Iterator[Piece], peer: str, to: str) -> Iterator[Captured]:
        for each in pieces:
            yield from self._message(each.octets, each.length, peer, to, transport="tcp", header=each.header)

    def _message(
        self, octets: bytes, length: int, peer: str, to: str, *, transport: Literal["udp", "tcp"], **more: Any
    ) -> Iterator[Captured]:
        if not holds_message(octets):
            self._others += 1
            return
        self._messages += 1
        kept = octets[: self.limits.message]
        yield Captured(kept, length, self.name, next(self._numbers), 0, transport=transport, peer=peer, to=to, **more)


def _network_layer(link: int, octets: bytes) -> tuple[int, int]:
    """Version of IP (0: something else, -1: unknown link layer) and where it begins, by link type of libpcap."""
    if link == 1:  # Ethernet
        at = 12
        while int.from_bytes(octets[at : at + 2], "big") in _VLAN:
            at += 4
        return _ETHERTYPES.get(int.from_bytes(octets[at : at + 2], "big"), 0), at + 2
    if link == 113:  # Linux cooked capture
        return _ETHERTYPES.get(int.from_bytes(octets[14:16], "big"), 0), 16
    if link == 276:  # Linux cooked capture, version 2
        return _ETHERTYPES.get(int.from_bytes(octets[:2], "big"), 0), 20
    if link in {0, 108}:  # loopback: four octets of address family
        return (octets[4] >> 4 if len(octets) > 4 else 0), 4
    if link in {12, 14, 101, 228, 229}:  # IP itself
        return (octets[0] >> 4 if octets else 0), 0
    return -1, 0


def _place(address: bytes, port: int) -> str:
    ip = ipaddress.ip_address(address)
    return f"[{ip}]:{port}" if ip.version == 6 else f"{ip}:{port}"
