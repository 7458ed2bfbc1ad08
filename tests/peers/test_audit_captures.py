"""tshark about captures of syslog: it finds the same messages as we do, in fragments, in segments, in both formats."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from fixtures.audit.generated import generated_octets
from reference_impl.audit.captured import Captured, captured
from reference_impl.syslog_frames import frame
from tests.missing import lacking
from tests.unit import audit_packets as packets

HEADER = b"<85>1 2026-03-14T09:26:53Z host app 1 DICOM+RFC3881 - "
MESSAGES = [HEADER + each for each in generated_octets(315, 24, size="usual")]
Maker = Callable[[Iterable[bytes]], bytes]

pytestmark = pytest.mark.peer


def tshark(path: Path, *arguments: str) -> list[str]:
    program = shutil.which("tshark")
    if program is None:
        lacking("tshark is not installed (Debian: tshark)")
    ended = subprocess.run(
        [program, "-r", str(path), *arguments], capture_output=True, check=True, text=True, timeout=60
    )
    return ended.stdout.splitlines()


def ours(path: Path) -> list[bytes]:
    return [each.octets for each in captured([path]) if isinstance(each, Captured)]


@pytest.mark.parametrize("make", [packets.pcap, packets.pcapng], ids=["pcap", "pcapng"])
@pytest.mark.parametrize(
    "places", [(packets.SENDER, packets.RECEIVER), (packets.SENDER6, packets.RECEIVER6)], ids=["IPv4", "IPv6"]
)
def test_datagrams_and_their_fragments(
    make: Maker, places: tuple[packets.Place, packets.Place], tmp_path: Path
) -> None:
    path = tmp_path / "capture"
    path.write_bytes(make(each for message in MESSAGES for each in packets.udp(message, *places, mtu=512)))
    theirs = [bytes.fromhex(line) for line in tshark(path, "-Y", "udp", "-T", "fields", "-e", "udp.payload")]
    assert theirs == MESSAGES
    assert ours(path) == MESSAGES


def test_segments_in_disorder(tmp_path: Path) -> None:
    stream = b"".join(map(frame, MESSAGES))
    first, *rest = packets.tcp([stream[at : at + 700] for at in range(0, len(stream), 700)], first=1000)
    chance = random.Random(4)  # noqa: S311 - the order of a test
    for at in range(0, len(rest) - 4, 4):
        part = rest[at : at + 4]
        chance.shuffle(part)
        rest[at : at + 4] = [*part[:3], part[3]]
    path = tmp_path / "capture"
    path.write_bytes(packets.pcap([first, *rest]))
    told = tshark(path, "-q", "-z", "follow,tcp,raw,0")
    hexadecimal = "".join(
        line.strip() for line in told if line and not line.startswith(("=", "Follow", "Filter", "Node"))
    )
    assert bytes.fromhex(hexadecimal) == stream
    assert ours(path) == MESSAGES
