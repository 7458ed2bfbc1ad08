"""A syslog message of RFC 5424, as values; no octets and no network here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

NIL = "-"
"""NILVALUE (RFC 5424 6): how an absent field is written. In the model it is the empty text."""

SECURITY = 10
"""Facility "security/authorization messages", which PS3.15 A.6 and A.7 demand."""

NOTICE = 5
"""Severity "normal but significant", which most audit messages should have (PS3.15 A.6, A.7)."""

DICOM_MSGID, IHE_MSGID = "DICOM+RFC3881", "IHE+RFC-3881"
"""The MSGID that PS3.15 A.6 offers, and the one that IHE ITI-20 demands."""


@dataclass(frozen=True, slots=True)
class Element:
    """One SD-ELEMENT (RFC 5424 6.3.1): its SD-ID, and its parameters in their order, values without escapes."""

    name: str
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SyslogMessage:
    """One message. Empty fields stand for NILVALUE; `timestamp` is the text of TIMESTAMP as it is on the wire.

    `body` is MSG without its BOM; `bom` tells whether there is one. `pri` is PRIVAL: facility * 8 + severity.
    """

    pri: int = SECURITY * 8 + NOTICE
    version: int = 1
    timestamp: str = ""
    hostname: str = ""
    app_name: str = ""
    procid: str = ""
    msgid: str = ""
    structured_data: tuple[Element, ...] = ()
    body: bytes = b""
    bom: bool = False

    @property
    def facility(self) -> int:
        """Facility (RFC 5424 6.2.1): 10 for audit messages."""
        return self.pri // 8

    @property
    def severity(self) -> int:
        """Severity (RFC 5424 6.2.1): 0 (emergency) to 7 (debug)."""
        return self.pri % 8

    @property
    def time(self) -> datetime | None:
        """The moment of TIMESTAMP, with its zone; None where it is absent or wrong."""
        try:
            found = datetime.fromisoformat(self.timestamp)
        except ValueError:
            return None
        return found if found.tzinfo else None


def timestamp(moment: datetime) -> str:
    """TIMESTAMP of `moment` (RFC 5424 6.2.3), to the microsecond where it has any. Raises ValueError without a zone."""
    if moment.tzinfo is None:
        raise ValueError("a timestamp of syslog has a time zone")
    offset = moment.utcoffset()
    if offset is not None and offset.total_seconds() % 60:
        raise ValueError("the zone of a timestamp of syslog is told in minutes")
    text = moment.isoformat(timespec="microseconds" if moment.microsecond else "seconds")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def audit_message(
    body: bytes, moment: datetime, *, hostname: str, app_name: str, procid: str = "", msgid: str = DICOM_MSGID
) -> SyslogMessage:
    """The syslog message around an audit message in XML, as PS3.15 A.6 and A.7 want it: <85>, MSGID set, no BOM."""
    return SyslogMessage(
        timestamp=timestamp(moment),
        hostname=hostname,
        app_name=app_name,
        procid=procid,
        msgid=msgid,
        body=body,
    )
