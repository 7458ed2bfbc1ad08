"""Audit messages that were captured in files: XML, syslog one a line or in frames, packets."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from harness.objects.audit_inbox import MESSAGE_OCTETS, MOST_OCTETS
from harness.objects.base import Found, Work
from harness.objects.folders import printable
from harness.observations.audit import AuditMessages, ReceivedMessage, SyslogConnection
from harness.plan import FileStep
from reference_impl.audit.captured import Captured, CaptureLimits, Unread, captured

_UNREAD = 50  # files that are named
_LINES = 8
_EVIDENCE = 16  # messages of a folder that are shown as evidence


@dataclass
class _Read:
    """What has been read so far."""

    messages: list[ReceivedMessage] = field(default_factory=list)
    connections: dict[tuple[str, str], SyslogConnection] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    octets: int = 0
    left_out: int = 0


class CapturedFiles:
    """Reads the messages of a folder or a file. A `harness.objects.base.Handler`."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._folder = work.sut.folder / Path(work.audit.folder).expanduser()

    def start(self) -> None:
        """Nothing has to be got ready."""

    def stop(self) -> None:
        """Nothing is kept."""

    def do(self, step: FileStep) -> Found:
        """Read what there is, for at most `step.seconds`."""
        began = datetime.now(UTC)
        if not self._folder.exists():
            remedy = f"Put the captured messages there, or mend endpoints.{self._work.endpoint}.audit.folder."
            return Found(None, f"There is no {printable(self._folder)}.", remedy)
        read = self._read(time.monotonic() + self._work.audit.seconds)
        facts = AuditMessages(
            text=step.text,
            transport="files",
            messages=tuple(read.messages),
            connections=tuple(read.connections.values()),
            left_out=read.left_out,
            unreadable=tuple(read.unread[:_UNREAD]),
        )
        if not read.messages:
            why = f"{printable(self._folder)} holds no audit message."
            if read.unread:
                why += f" {read.unread[0]}"
            return Found(facts, why, "Put XML files, captures of syslog or of packets there.")
        exchange = self._work.record(
            step.text,
            [("received", each.raw) for each in read.messages[:_EVIDENCE]],
            f"Messages that were read: {len(read.messages)}.",
            peer=f"folder {printable(self._folder)}",
            started=began,
            decoded=[_line(each) for each in read.messages[:_LINES]],
        )
        note = (
            f"Messages that were not looked at: {read.left_out} or more; write a higher number as most, or as seconds."
        )
        return Found(facts, exchanges=(exchange,), note=note if read.left_out else "")

    def _read(self, ends: float) -> _Read:
        read, most = _Read(), self._work.audit.most
        for found in self._found():
            self._work.check_running()
            if isinstance(found, Unread):
                read.unread.append(f"{_named(found.name, self._folder)}: {found.why}.")
            elif len(read.messages) >= most or read.octets > MOST_OCTETS * 4 or time.monotonic() > ends:
                read.left_out += 1
                if time.monotonic() > ends:
                    break
            else:
                read.octets += len(found.octets)
                read.messages.append(_message(found, self._folder, _connection(found, read)))
        return read

    def _found(self) -> Iterator[Captured | Unread]:
        return captured([self._folder], CaptureLimits(message=MESSAGE_OCTETS))


def _message(found: Captured, folder: Path, connection: int) -> ReceivedMessage:
    return ReceivedMessage(
        octets=base64.b64encode(found.octets).decode(),
        length=found.length,
        truncated=found.truncated,
        connection=connection,
        name=_named(found.name, folder),
        first_line=found.first_line,
        header=found.header,
    )


def _connection(found: Captured, read: _Read) -> int:
    """The number of what a message came over, where packets tell it; 0 where nothing is known."""
    if not found.transport:
        return 0
    key = found.transport, found.peer
    known = read.connections.get(key)
    number = known.number if known else len(read.connections) + 1
    read.connections[key] = SyslogConnection(
        number=number,
        transport="udp" if found.transport == "udp" else "files",
        peer=found.peer,
        messages=(known.messages if known else 0) + 1,
    )
    return number


def _named(name: str, folder: Path) -> str:
    path = Path(name)
    return printable(path.relative_to(folder) if path != folder and path.is_relative_to(folder) else Path(path.name))


def _line(message: ReceivedMessage) -> str:
    at = f"{message.name} line {message.first_line}: " if message.name else ""
    return at + message.raw[:200].decode("utf-8", "replace")


__all__ = ["CapturedFiles"]
