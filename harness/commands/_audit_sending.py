"""What ``ps315 audit send`` does: it finds messages, puts a syslog header before those without one, and sends them."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from harness.errors import UsageProblem
from reference_impl.audit.captured import Captured, Unread, captured, from_stream
from reference_impl.audit.syslog.messages import audit_message, write
from reference_impl.audit.syslog.sender import Destination, Sender, SpoolError, SpoolFullError
from reference_impl.audit.syslog.tls import ClientTls, Trust

_PORTS: dict[str, tuple[Literal["tls", "udp"], int]] = {"syslog-tls": ("tls", 6514), "syslog-udp": ("udp", 514)}
_GROUP = 1 << 18  # octets that are put into the spool at once


@dataclass(frozen=True)
class Receiver:
    """To whom, as the command line says it."""

    url: str
    certificate: Path | None = None
    key: Path | None = None
    anchors: Path | None = None
    fingerprints: tuple[str, ...] = ()
    server_name: str = ""

    def destination(self) -> Destination:
        """Where messages go. Raises `UsageProblem`."""
        transport, host, port = _address(self.url)
        tls = self._tls() if transport == "tls" else None
        if tls is None and (self.certificate or self.key or self.anchors or self.fingerprints or self.server_name):
            raise UsageProblem(
                "--cert, --key, --ca, --fingerprint and --server-name are for syslog-tls; leave them out"
            )
        return Destination(host, port, transport, tls)

    def _tls(self) -> ClientTls:
        if self.anchors is None and not self.fingerprints:
            raise UsageProblem("whom to believe is not known: name the receiver's authority by --ca or --fingerprint")
        if (self.certificate is None) != (self.key is None):
            raise UsageProblem("--cert and --key belong together; name both")
        tls = ClientTls(Trust(self.anchors, (), self.fingerprints), self.certificate, self.key, self.server_name)
        try:
            tls.context()
        except (OSError, ValueError) as problem:
            files = ", ".join(str(each) for each in (self.certificate, self.key, self.anchors) if each)
            why = getattr(problem, "strerror", None) or problem
            raise UsageProblem(f"TLS cannot be set up with {files}: {why}; name files in PEM") from None
        return tls


@dataclass(frozen=True)
class Header:
    """What stands in the syslog header of a message that comes without one."""

    facility: int = 10
    severity: int = 5
    hostname: str = ""
    app_name: str = "ps315"
    msgid: str = "DICOM+RFC3881"

    def around(self, body: bytes) -> bytes:
        """The syslog message with `body`. Raises `UsageProblem` for a value that no field can hold."""
        message = audit_message(
            body,
            datetime.now(UTC),
            hostname=self.hostname or socket.gethostname(),
            app_name=self.app_name,
            procid=str(os.getpid()),
            msgid=self.msgid,
        )
        try:
            return write(replace(message, pri=self.facility * 8 + self.severity))
        except ValueError as problem:
            raise UsageProblem(f"the syslog header cannot be written: {problem}; give another value") from None


def send(
    paths: list[str], to: Receiver, header: Header, *, spool: Path | None, seconds: float, quiet: bool = False
) -> int:
    """Send what `paths` hold, and what waits in `spool` before it. Returns 0 if all has gone within `seconds`, else 1.

    Raises `UsageProblem` for paths that hold no message, a spool that cannot be used, options that are wrong, and where
    it is interrupted; it tells what has gone by then.
    """
    if not paths and spool is None:
        raise UsageProblem("nothing to send: name files, or the --spool in which messages wait")
    destination = to.destination()
    deadline = time.monotonic() + seconds
    try:
        sender = Sender(destination, spool)
    except SpoolError as problem:
        raise UsageProblem(f"{problem}; name another --spool") from None
    why = stopped = ""
    with closing(sender):
        number = waited = sender.waiting
        try:
            for group in _groups(paths, header):
                number += len(group)
                sender.send(*group, patience=max(0.0, deadline - time.monotonic()))
            if paths and number == waited:
                raise UsageProblem(f"{', '.join(paths)}: holds no audit message; name files that do")
            sender.flush(max(0.0, deadline - time.monotonic()))
        except (SpoolFullError, ValueError) as problem:
            why = str(problem)
        except SpoolError as problem:
            raise UsageProblem(f"{problem}; name another --spool") from None
        except UsageProblem as problem:
            stopped = str(problem)
        except KeyboardInterrupt:
            stopped = "interrupted"
    if stopped:
        raise UsageProblem(f"{stopped}; {_told(number, sender, spool, '')}" if number else stopped)
    gone = not sender.waiting and not why
    if not gone:
        sys.stderr.write(f"ps315: {_told(number, sender, spool, why)}\n")
    elif not quiet:
        print(_told(number, sender, spool, why))
    return 0 if gone else 1


def _told(number: int, sender: Sender, spool: Path | None, why: str) -> str:
    noun, have = ("message", "has") if number == 1 else ("messages", "have")
    if not sender.waiting and not why:
        return f"{number} {noun} sent to {sender.destination}"
    fate = f"wait in {spool}" if spool else "are not kept (--spool keeps them)"
    reason = why or sender.problem or "the receiver takes them too slowly"
    return f"{sender.waiting} of {number} {noun} {have} not gone to {sender.destination} and {fate}: {reason}"


def _groups(paths: list[str], header: Header) -> Iterator[list[bytes]]:
    """The syslog messages, some at a time: each time is one trip to the disk."""
    group: list[bytes] = []
    for message in _messages(paths):
        group.append(message.octets if message.header else header.around(message.octets))
        if sum(map(len, group)) >= _GROUP:
            yield group
            group = []
    if group:
        yield group


def _messages(paths: list[str]) -> Iterator[Captured]:
    for path in paths:
        if path != "-" and not Path(path).exists():
            raise UsageProblem(f"{path}: there is no such file or folder")
        for found in from_stream(sys.stdin.buffer, "-") if path == "-" else captured([path]):
            if isinstance(found, Captured):
                if found.truncated:
                    raise UsageProblem(f"{found.name}: message {found.number} is too long to be sent; leave it out")
                yield found
            elif isinstance(found, Unread) and not found.expected:
                joined = " or" if ";" in found.why else ";"  # it may tell what to do already
                raise UsageProblem(f"{found.name}: {found.why}{joined} leave it out")


def _address(url: str) -> tuple[Literal["tls", "udp"], str, int]:
    example = "write syslog-tls://HOST:6514 or syslog-udp://HOST:514"
    try:
        parts = urlsplit(url)
        transport, usual = _PORTS[parts.scheme]
        host, port = parts.hostname, parts.port if parts.port is not None else usual
    except (ValueError, KeyError):
        raise UsageProblem(f"--to {url!r}: {example}") from None
    if not host or not port or parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise UsageProblem(f"--to {url!r}: {example}")
    return transport, host, port
