"""The reference audit source: a node that reports events over syslog (PS3.15 A.5, A.6, A.7), and may be faulty."""

from __future__ import annotations

import ssl
import threading
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol

from fixtures.pki import Pki
from fixtures.pki.campaign import write_private
from reference_impl.audit.faults.sources import (
    SourceFault,
    message_with,
    source_changes,
    syslog_with,
    wire_of,
)
from reference_impl.audit.faults.wires import PROPER, FaultySender, Wire
from reference_impl.audit.source_reports import REPORTS, Scene
from reference_impl.audit.syslog.messages import write
from reference_impl.audit.syslog.model import DICOM_MSGID, audit_message
from reference_impl.audit.syslog.sender import Destination, Sender, SenderLimits
from reference_impl.audit.syslog.tls import ClientTls, Trust
from reference_impl.audit.writing import to_xml

_SECONDS = 1.0  # for messages to go
_LIMITS = SenderLimits(connect=5.0, grace=0.05, first_pause=0.1, longest_pause=0.5, closing=2.0)
_VERSIONS = {"TLSv1.1": ssl.TLSVersion.TLSv1_1}


class _Sends(Protocol):
    def send(self, message: bytes) -> None: ...
    def flush(self, deadline: float) -> bool: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Collector:
    """Where messages go: host and port, and over TLS the name that its certificate has to hold."""

    host: str
    port: int
    transport: Literal["tls", "udp"] = "tls"
    server_name: str = ""


@dataclass
class AuditSource:
    """Reports events of `scene`, with `faults` (names of the role audit-source).

    `tls` is what it shows and believes over TLS. What cannot be sent waits in the folder `spool`. Close it at the end.
    Raises `UnknownFaultError` for a name that is no fault.
    """

    faults: tuple[str, ...] = ()
    scene: Scene = field(default_factory=Scene)
    msgid: str = DICOM_MSGID
    tls: ClientTls | None = None
    spool: Path | None = None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def __post_init__(self) -> None:
        self._sender: tuple[tuple[Collector, Wire], _Sends] | None = None
        self._lock = threading.Lock()
        _ = self.changes

    @cached_property
    def changes(self) -> tuple[SourceFault, ...]:
        """What its faults change."""
        return source_changes(self.faults)

    def audit_messages(self, event: str) -> tuple[bytes, ...]:
        """The audit messages that report `event` now. Raises KeyError for an event that is none."""
        if any(each.silent and each.event == event for each in self.changes):
            return ()
        made = (to_xml(report(self.scene, self.clock())) for report in REPORTS[event])
        return tuple(message_with(self.changes, event, octets) for octets in made)

    def syslog_messages(self, event: str) -> tuple[bytes, ...]:
        """The same within syslog messages."""
        return tuple(
            syslog_with(
                self.changes,
                event,
                write(
                    audit_message(
                        octets,
                        self.clock(),
                        hostname=self.scene.host,
                        app_name="archived",
                        procid=self.scene.process,
                        msgid=self.msgid,
                    )
                ),
            )
            for octets in self.audit_messages(event)
        )

    def report(self, events: Iterable[str], to: Collector) -> bool:
        """Report `events` to a collector, each over a connection of its own; whether all of it has gone.

        What has not waits, and goes when the collector is there again, until this is closed.
        """
        with self._lock:
            gone = [self._report(event, to) for event in events]
        return all(gone)

    def _report(self, event: str, to: Collector) -> bool:
        sender = self._sender_to(to, wire_of(self.changes, event))
        for message in self.syslog_messages(event):
            sender.send(message)
        gone = sender.flush(_SECONDS)
        if gone:
            self._hang_up()
        return gone

    def capture(self, events: Iterable[str], folder: Path) -> None:
        """Write the audit messages that report `events` into `folder`, a file for each."""
        folder.mkdir(parents=True, exist_ok=True)
        for event in events:
            for number, octets in enumerate(self.audit_messages(event)):
                (folder / f"{event}-{number}.xml").write_bytes(octets)

    def close(self) -> None:
        """End the connection, if there is one."""
        with self._lock:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._sender is not None:
            self._sender[1].close()
            self._sender = None

    def _sender_to(self, to: Collector, wire: Wire) -> _Sends:
        if self._sender is not None and self._sender[0] != (to, wire):
            self._hang_up()
        if self._sender is None:
            self._sender = (to, wire), self._made(to, wire)
        return self._sender[1]

    def _made(self, to: Collector, wire: Wire) -> _Sends:
        """The sender of the library, or one that is faulty."""
        name = to.server_name or to.host
        tls = replace(self.tls, server_name=name) if self.tls is not None and to.transport == "tls" else None
        if wire == PROPER:
            spool = self.spool / "spool.sqlite" if self.spool else None
            return Sender(Destination(to.host, to.port, to.transport, tls), spool, _LIMITS)
        context = _context(tls, wire) if tls is not None else None
        return FaultySender((to.host, to.port), wire, context, server_name=name, udp=to.transport == "udp")


def certified(pki: Pki, folder: Path, anchors: Path) -> ClientTls:
    """A node of its own certificate by `pki`, kept in `folder`, that believes collectors by `anchors` (PEM)."""
    issued = pki.issue("client")
    folder.mkdir(parents=True, exist_ok=True)
    chain, key = folder / "audit-source.pem", folder / "audit-source.key"
    chain.write_bytes(issued.chain_pem)
    write_private(key, issued.key_pem)
    return ClientTls(Trust(anchors=anchors), chain, key)


def _context(tls: ClientTls, wire: Wire) -> ssl.SSLContext:
    """The TLS context of a sender, or of one that is faulty."""
    context = tls.context()
    if wire.version:
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():  # that it is outdated is what it is for
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = _VERSIONS[wire.version]
    return context
