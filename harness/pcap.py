"""Evidence as a packet capture, so that a field engineer can look with Wireshark.

The octets of the recorded exchanges are wrapped into synthetic Ethernet, IP (RFC 791, RFC 8200) and TCP (RFC 9293)
frames with valid checksums, and written as a classic pcap file (microseconds, link type Ethernet).
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.observations import Exchange

_MAGIC, _LINK_ETHERNET = 0xA1B2C3D4, 1
_SEGMENT = 1400
_FIN_ACK, _SYN, _SYN_ACK, _ACK, _PSH_ACK = 0x11, 0x02, 0x12, 0x10, 0x18
_CLIENT_MAC, _SERVER_MAC = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
_HARNESS = {4: ipaddress.ip_address("192.0.2.1"), 6: ipaddress.ip_address("2001:db8::1")}  # documentation addresses
_SUT = {4: ipaddress.ip_address("192.0.2.2"), 6: ipaddress.ip_address("2001:db8::2")}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass
class _Side:
    mac: bytes
    address: Address
    port: int
    sequence: int


def _checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _frame(source: _Side, destination: _Side, flags: int, payload: bytes = b"") -> bytes:
    acknowledged = destination.sequence if flags & _ACK else 0
    tcp = struct.pack(
        "!HHIIBBHHH", source.port, destination.port, source.sequence, acknowledged, 0x50, flags, 65535, 0, 0
    )
    addresses = source.address.packed + destination.address.packed
    length = len(tcp) + len(payload)
    if source.address.version == 4:
        pseudo = addresses + struct.pack("!BBH", 0, 6, length)
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0x4000, 64, 6, 0) + addresses
        ip = head[:10] + struct.pack("!H", _checksum(head)) + head[12:]
        ethertype = b"\x08\x00"
    else:
        pseudo = addresses + struct.pack("!II", length, 6)
        ip = struct.pack("!IHBB", 6 << 28, length, 6, 64) + addresses
        ethertype = b"\x86\xdd"
    check = _checksum(pseudo + tcp + payload)
    tcp = tcp[:16] + struct.pack("!H", check) + tcp[18:]
    source.sequence = (source.sequence + len(payload) + (1 if flags & (_SYN | 0x01) else 0)) & 0xFFFFFFFF
    return destination.mac + source.mac + ethertype + ip + tcp + payload


def _peer(peer: str) -> tuple[Address, int]:
    host, _, port = peer.rpartition(":")
    try:
        address: Address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        address = _SUT[4]
    return address, int(port) if port.isdecimal() and int(port) < 65536 else 0


def _frames(exchange: Exchange, client_port: int) -> Iterator[tuple[float, bytes]]:
    """Frames of one connection with their times in seconds."""
    address, port = _peer(exchange.peer)
    begun = exchange.started.timestamp()
    client = _Side(_CLIENT_MAC, _HARNESS[address.version], client_port, 1000)
    server = _Side(_SERVER_MAC, address, port, 5000)
    for source, destination, flags in ((client, server, _SYN), (server, client, _SYN_ACK), (client, server, _ACK)):
        yield begun, _frame(source, destination, flags)
    for direction, milliseconds, octets in exchange.segments:
        source, destination = (client, server) if direction == "sent" else (server, client)
        data = bytes.fromhex(octets)
        for start in range(0, len(data), _SEGMENT):
            yield begun + milliseconds / 1000, _frame(source, destination, _PSH_ACK, data[start : start + _SEGMENT])
    ended = begun + exchange.duration_ms / 1000
    for source, destination, flags in ((client, server, _FIN_ACK), (server, client, _FIN_ACK), (client, server, _ACK)):
        yield ended, _frame(source, destination, flags)


def write_pcap(path: Path, exchanges: Iterable[Exchange]) -> int:
    """Write `exchanges` to `path` as a capture, each from a client port of its own; return the number of frames."""
    frames: list[tuple[float, bytes]] = []
    for number, exchange in enumerate(exchanges):
        frames.extend(_frames(exchange, 10_000 + number % 55_000))
    frames.sort(key=lambda frame: frame[0])
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", _MAGIC, 2, 4, 0, 0, 262_144, _LINK_ETHERNET))
        for time, frame in frames:
            microseconds = round(time * 1_000_000)
            file.write(struct.pack("<IIII", *divmod(microseconds, 1_000_000), len(frame), len(frame)) + frame)
    return len(frames)
