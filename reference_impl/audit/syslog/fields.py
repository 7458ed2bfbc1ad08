"""The header of a syslog message (RFC 5424 6.2), field by field: what it says, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from reference_impl.audit.findings import Finding
from reference_impl.audit.syslog.model import NIL, SyslogMessage
from reference_impl.audit.syslog.telling import finding

GRAMMAR = "RFC5424-6-source-grammar"
LENGTHS = "RFC5424-6-source-field-lengths"
ASCII = "RFC5424-6.2-source-ascii-header"
PRI = "RFC5424-6.2.1-source-pri"
VERSION = "RFC5424-6.2.2-source-version"
TIMESTAMP = "RFC5424-6.2.3-source-timestamp"
NO_LEAP_SECOND = "RFC5424-6.2.3-source-no-leap-second"
HOSTNAME = "RFC5424-6.2.4-source-hostname"
APP_NAME = "RFC5424-6.2.5-source-app-name"

NAMES = ("TIMESTAMP", "HOSTNAME", "APP-NAME", "PROCID", "MSGID")
LONGEST = {"HOSTNAME": 255, "APP-NAME": 48, "PROCID": 128, "MSGID": 32}
"""Characters that a field has at most (RFC 5424 6, ABNF)."""

_PRI = re.compile(rb"<([^>]{0,16})>")
_GOOD_PRI = re.compile(rb"0|[1-9][0-9]{0,2}")
_VERSION = re.compile(rb"([0-9]{1,9}) ")
_ALMOST_TIME = re.compile(rb"(?:-|\d{4}-\d\d-\d\dT\S*) ")
_TIME = re.compile(
    rb"(\d{4})-(\d\d)-(\d\d)T(?:[01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(?:\.\d{1,6})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)"
)
_PRINTABLE = re.compile(rb"[!-~]+")


@dataclass(frozen=True, slots=True)
class Header:
    """PRI, VERSION and the five fields; `end` is where STRUCTURED-DATA begins, -1 where the fields cannot be told."""

    pri: int | None = None
    version: int = 0
    texts: tuple[str, ...] = ("",) * len(NAMES)
    end: int = -1
    findings: tuple[Finding, ...] = ()
    checked: frozenset[str] = frozenset()


@dataclass
class _Told:
    """What has been told so far."""

    findings: list[Finding] = field(default_factory=list)
    checked: set[str] = field(default_factory=set)

    def break_(self, rule: str, place: str, *, expected: str, found: bytes, text: str, remedy: str) -> None:
        self.findings.append(finding(rule, "shall", place, expected=expected, found=found, text=text, remedy=remedy))


def read(octets: bytes) -> Header:
    """Read the header at the beginning of `octets`."""
    told = _Told()
    pri = _read_pri(octets, told)
    if pri is None:
        return Header(checked=frozenset({GRAMMAR}))
    value, at = pri
    version, at = _read_version(octets, at, told)
    raw, end = _split(octets, at) if at >= 0 else ((), -1)
    if end < 0:
        return Header(value, findings=tuple(told.findings), checked=frozenset({GRAMMAR, *told.checked}))
    for name, each in zip(NAMES, raw, strict=True):
        _examine(name, each, told)
    texts = tuple(each.decode("utf-8", "backslashreplace") for each in raw)
    return Header(value, version, texts, end, tuple(told.findings), frozenset({GRAMMAR, *told.checked}))


def written(message: SyslogMessage) -> bytes:
    """The five fields of `message`, one space between them. Raises ValueError for what RFC 5424 does not allow."""
    texts = (message.timestamp, message.hostname, message.app_name, message.procid, message.msgid)
    return b" ".join(_written(name, text) for name, text in zip(NAMES, texts, strict=True))


def _written(name: str, text: str) -> bytes:
    if not text:
        return NIL.encode()
    if text == NIL:
        raise ValueError(f"{name}: an absent field is the empty text")
    if not (text.isascii() and _PRINTABLE.fullmatch(text.encode())):
        raise ValueError(f"{name}: printable ASCII characters without blanks, and not {text[:40]!r}")
    if len(text) > LONGEST.get(name, len(text)):
        raise ValueError(f"{name} has at most {LONGEST[name]} characters")
    if name == "TIMESTAMP" and (
        not (found := _TIME.fullmatch(text.encode())) or found[4] == b"60" or not _dated(found)
    ):
        raise ValueError(f"{text[:40]!r} is no timestamp of RFC 5424 6.2.3")
    return text.encode()


def _read_pri(octets: bytes, told: _Told) -> tuple[int, int] | None:
    """PRIVAL, and where it ends; None where there is none."""
    found = _PRI.match(octets)
    if found is None or not found[1].isdigit() or len(found[1]) > 6:
        return None
    told.checked.add(PRI)
    if not _GOOD_PRI.fullmatch(found[1]) or int(found[1]) > 191:
        told.break_(
            PRI,
            "PRI",
            expected="0 to 191 without leading zeros",
            found=found[0],
            text="PRI is no number of 1 to 3 digits from 0 to 191 without leading zeros.",
            remedy="Write facility * 8 + severity: <85> for audit messages.",
        )
    return int(found[1]), found.end()


def _read_version(octets: bytes, at: int, told: _Told) -> tuple[int, int]:
    """VERSION, and where the next field begins: -1 where nothing that follows could be one."""
    if found := _VERSION.match(octets, at):
        version, end = int(found[1]), found.end()
    elif _ALMOST_TIME.match(octets, at):
        version, end = 0, at
    else:
        return 0, -1
    told.checked.add(VERSION)
    if found is None or found[1] != b"1":
        told.break_(
            VERSION,
            "VERSION",
            expected="1 and a space",
            found=octets[at : at + 12],
            text="VERSION is not 1." if found else "VERSION is missing.",
            remedy="Write 1 directly after PRI, and a space.",
        )
    return version, end


def _split(octets: bytes, at: int) -> tuple[tuple[bytes, ...], int]:
    """The five fields from `at`, and where what follows them begins; -1 where there are fewer."""
    found = []
    for _ in NAMES:
        space = octets.find(b" ", at)
        if space < 0:
            return (), -1
        found.append(octets[at:space])
        at = space + 1
    return tuple(found), at


def _examine(name: str, raw: bytes, told: _Told) -> None:
    """Hold one field against what RFC 5424 says of it."""
    told.checked |= {LENGTHS, ASCII}
    if not raw:
        told.break_(
            GRAMMAR,
            name,
            expected='a value, or "-"',
            found=raw,
            text=f"{name} is empty: two spaces follow each other.",
            remedy='Write "-" for a field without a value, and one space between fields.',
        )
        return
    if not _PRINTABLE.fullmatch(raw):
        told.break_(
            ASCII,
            name,
            expected="printable ASCII characters",
            found=raw,
            text=f"{name} has characters other than the printable ones of ASCII.",
            remedy="Put names in other scripts into the audit message, not into the header.",
        )
    if len(raw) > LONGEST.get(name, len(raw)):
        told.break_(
            LENGTHS,
            name,
            expected=f"at most {LONGEST[name]} characters",
            found=raw,
            text=f"{name} has {len(raw)} characters.",
            remedy="Shorten the value.",
        )
    if name == "TIMESTAMP":
        _examine_time(raw, told)
    told.findings.extend(_absences(name, raw, told))


def _absences(name: str, raw: bytes, told: _Told) -> Iterator[Finding]:
    """What is to be said of names that are absent."""
    if name == "HOSTNAME":
        told.checked.add(HOSTNAME)
        if raw == NIL.encode():
            yield finding(
                HOSTNAME,
                "should",
                name,
                expected="the fully qualified domain name, or an address or name of the sender",
                found=raw,
                text="HOSTNAME is absent, as it should be only where the sender cannot learn its name.",
                remedy="Let the sender tell its host name.",
            )
    elif name == "APP-NAME":
        told.checked.add(APP_NAME)
        if raw == NIL.encode():
            yield finding(
                APP_NAME,
                "note",
                name,
                expected="the name of the device or application",
                found=raw,
                text="APP-NAME does not identify the application.",
                remedy="Let the sender tell the name of the application.",
            )


def _examine_time(raw: bytes, told: _Told) -> None:
    """TIMESTAMP: RFC 3339 with upper-case T and Z, a zone, at most 6 digits of a second, and no leap second."""
    told.checked.add(TIMESTAMP)
    if raw == NIL.encode():
        return
    told.checked.add(NO_LEAP_SECOND)
    found = _TIME.fullmatch(raw)
    if found is None or not _dated(found):
        told.break_(
            TIMESTAMP,
            "TIMESTAMP",
            expected="a time such as 2026-03-04T05:06:07.089+01:00",
            found=raw,
            text="TIMESTAMP is no time of RFC 3339 as RFC 5424 narrows it.",
            remedy="Write date, T, time with at most 6 digits of a second, and Z or the zone as +HH:MM.",
        )
    elif found[4] == b"60":
        told.break_(
            NO_LEAP_SECOND,
            "TIMESTAMP",
            expected="seconds from 00 to 59",
            found=raw,
            text="TIMESTAMP has a leap second, which RFC 5424 does not allow in the header.",
            remedy="Write 59 or the next second into the header; EventDateTime keeps the leap second.",
        )


def _dated(found: re.Match[bytes]) -> bool:
    """Whether the day exists."""
    try:
        date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return int(found[1]) == 0 and 1 <= int(found[2]) <= 12 and 1 <= int(found[3]) <= 28
    return True
