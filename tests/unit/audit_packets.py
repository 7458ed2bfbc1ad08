"""Packets that carry syslog, and captures of them: datagrams whole and in fragments, connections segment by segment."""

from __future__ import annotations

import io
import ipaddress
import itertools
from collections.abc import Iterable, Sequence

import dpkt

SENDER, RECEIVER = ("192.0.2.7", 40000), ("192.0.2.9", 514)
SENDER6, RECEIVER6 = ("2001:db8::7", 40000), ("2001:db8::9", 514)
Place = tuple[str, int]
_IDS = itertools.count(1)


def udp(payload: bytes, source: Place = SENDER, to: Place = RECEIVER, *, mtu: int = 65535) -> list[bytes]:
    """Ethernet frames with one datagram; several fragments where it is longer than `mtu` (a multiple of 8)."""
    whole = bytes(dpkt.udp.UDP(sport=source[1], dport=to[1], ulen=8 + len(payload), data=payload))
    pieces = [whole[at : at + mtu] for at in range(0, len(whole), mtu)]
    number = next(_IDS)
    return [
        ethernet(ip(piece, 17, source, to, number, offset=at * mtu, more=at < len(pieces) - 1, only=len(pieces) == 1))
        for at, piece in enumerate(pieces)
    ]


def tcp(
    chunks: Sequence[bytes], source: Place = SENDER, to: Place = (RECEIVER[0], 6514), *, first: int = 0xFFFFFF00
) -> list[bytes]:
    """A SYN and a segment for each chunk; the sequence numbers pass their end."""
    frames = [segment(b"", source, to, first, dpkt.tcp.TH_SYN)]
    at = first + 1
    for chunk in chunks:
        frames.append(segment(chunk, source, to, at % 2**32))
        at += len(chunk)
    return frames


def segment(data: bytes, source: Place, to: Place, sequence: int, flags: int = dpkt.tcp.TH_ACK) -> bytes:
    made = dpkt.tcp.TCP(sport=source[1], dport=to[1], seq=sequence, flags=flags, data=data)
    return ethernet(ip(bytes(made), 6, source, to, next(_IDS)))


def ip(
    payload: bytes,
    protocol: int,
    source: Place,
    to: Place,
    number: int,
    *,
    offset: int = 0,
    more: bool = False,
    only: bool = True,
) -> bytes:
    """An IP packet, or one with a fragment."""
    addresses = [ipaddress.ip_address(each[0]).packed for each in (source, to)]
    if len(addresses[0]) == 4:
        made = dpkt.ip.IP(src=addresses[0], dst=addresses[1], p=protocol, id=number & 0xFFFF, data=b"")
        made.mf, made.offset = int(more), offset // 8
        head = bytes(made)
        head = head[:2] + (20 + len(payload)).to_bytes(2, "big") + head[4:10] + b"\0\0" + head[12:20]
        return head[:10] + int(dpkt.dpkt.in_cksum(head)).to_bytes(2, "big") + head[12:] + payload
    if not only:
        header = bytes([protocol, 0]) + (offset | int(more)).to_bytes(2, "big") + number.to_bytes(4, "big")
        payload, protocol = header + payload, 44
    head6 = b"\x60\x00\x00\x00" + len(payload).to_bytes(2, "big") + bytes([protocol, 64])
    return head6 + addresses[0] + addresses[1] + payload


def ethernet(packet: bytes, *, vlan: bool = False) -> bytes:
    kind = b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"
    return bytes(12) + (b"\x81\x00\x00\x05" if vlan else b"") + kind + packet


def pcap(frames: Iterable[bytes], link: int = 1, *, nano: bool = False) -> bytes:
    file = io.BytesIO()
    writer = dpkt.pcap.Writer(file, linktype=link, nano=nano)
    for number, frame in enumerate(frames):
        writer.writepkt(frame, ts=1_700_000_000 + number)
    return file.getvalue()


def pcapng(frames: Iterable[bytes]) -> bytes:
    file = io.BytesIO()
    writer = dpkt.pcapng.Writer(file)
    for number, frame in enumerate(frames):
        writer.writepkt(frame, ts=1_700_000_000 + number)
    return file.getvalue()
