"""Facts about audit trails: messages that a SUT sent or that were captured, and messages that were delivered to it.

What was received is kept octet for octet, so that it can be validated again. Every model states what was seen, never
whether it is right.
"""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Literal

from harness.observations.base import Frozen
from harness.observations.clients import DriverOutcome

Transport = Literal["tls", "udp", "files"]
Arrival = Literal["whole", "cut", "altered", "absent", ""]
Wanted = Literal["whole", "whole-or-cut", "either"]


class SyslogConnection(Frozen):
    """One connection over which messages came, or for UDP one sender's address and port.

    `framing` says in a sentence what was no frame of RFC 5425; empty: every octet belonged to one.
    """

    number: int
    transport: Transport
    peer: str = ""
    opened: datetime | None = None
    version: str = ""  # "TLSv1.3"
    suite: str = ""  # IANA name, or OpenSSL's
    client_certificate: str = ""  # SHA-256 of the DER, hex; empty: none was presented
    asked: bool = False  # for a certificate
    messages: int = 0
    framing: str = ""
    octets: str = ""  # base64: what was no frame, its first octets
    pending: int = 0  # octets of an unfinished frame when it ended
    ending: Literal["close-notify", "close", "reset", "open", ""] = ""
    refused: str = ""  # why the handshake failed
    exchange: str = ""


class ReceivedMessage(Frozen):
    """One syslog message (or an audit message without a header, from a file) as it came.

    `octets` is base64; `length` counts what came, of which the record holds the first part where `truncated`.
    `connection` is the number of a `SyslogConnection`, `name` the file it was read from, `first_line` where it begins.
    """

    octets: str
    length: int
    truncated: bool = False
    connection: int = 0
    at: datetime | None = None
    name: str = ""
    first_line: int = 0
    header: bool = True  # a syslog header is expected before the audit message

    @property
    def raw(self) -> bytes:
        """What is recorded of it."""
        return base64.b64decode(self.octets)


class AuditMessages(Frozen):
    """kind ``audit.messages``: what came from the SUT in one step.

    Subject: the event that was provoked ("login-failed"); "" for what comes of itself or was captured in files;
    "away-and-back" for what came when the repository had been away. `sent` counts the events provoked where that is
    known.
    """

    text: str = ""
    event: str = ""
    transport: Transport = "tls"
    messages: tuple[ReceivedMessage, ...] = ()
    connections: tuple[SyslogConnection, ...] = ()
    left_out: int = 0
    provoked: int = 0
    away: bool = False  # nobody listened while the events were provoked
    driver: DriverOutcome | None = None
    unreadable: tuple[str, ...] = ()  # files that could not be read, with why


class Delivered(Frozen):
    """kind ``audit.delivered``: what became of one delivery to the SUT (subject: its name).

    `wanted` is what a conforming repository does with the message that is asked about: keeps it whole, keeps it or a
    part from its beginning, or anything. `follower` is what became of a plain message sent afterwards over a connection
    of its own ("" where none was). `told_by` says what arrival was read from, `as_received` whether plain messages were
    found there octet for octet, so that changes show.
    """

    case: str
    text: str
    rule: str
    wanted: Wanted
    level: Literal["shall", "should"] = "shall"
    transport: Transport = "tls"
    octets: int = 0  # of the syslog message
    sent: int = 0  # messages
    arrivals: tuple[Arrival, ...] = ()  # of each message asked about
    follower: Arrival = ""
    told_by: str = ""
    as_received: bool = False
    refused: str = ""  # how the SUT refused or ended the connection
    answered_close: bool | None = None  # close_notify answered by close_notify; None: not tried
    detail: str = ""
    skipped: str = ""
    driver: DriverOutcome | None = None
    exchange: str = ""
