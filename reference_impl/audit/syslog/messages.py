"""Syslog messages of RFC 5424: octets to values with what is wrong about them, and values to octets. No network here.

Each finding names the requirement of an audit source that it is about ("RFC5424-6.2.1-source-pri").
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from reference_impl.audit.findings import Finding
from reference_impl.audit.syslog import fields, structured_data
from reference_impl.audit.syslog.fields import (
    APP_NAME,
    ASCII,
    GRAMMAR,
    HOSTNAME,
    LENGTHS,
    NO_LEAP_SECOND,
    PRI,
    TIMESTAMP,
    VERSION,
)
from reference_impl.audit.syslog.model import (
    DICOM_MSGID,
    IHE_MSGID,
    NIL,
    NOTICE,
    SECURITY,
    Element,
    SyslogMessage,
    audit_message,
    timestamp,
)
from reference_impl.audit.syslog.telling import finding

__all__ = [
    "DICOM_MSGID",
    "IHE_MSGID",
    "NIL",
    "NOTICE",
    "SECURITY",
    "Element",
    "Parsed",
    "SyslogMessage",
    "audit_message",
    "examine",
    "parse",
    "timestamp",
    "write",
]

BOM = b"\xef\xbb\xbf"
MSG_UTF8 = "RFC5424-6.4-source-utf-8"
BOM_UTF8 = "RFC5424-6.4-source-bom-means-utf-8"
CONTROL = "RFC5424-6.4-source-no-control-characters"

_PLAIN = re.compile(
    rb"<(\d|[1-9]\d|1[0-8]\d|19[01])>1 "
    rb"(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?"
    rb"(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)) "
    rb"([!-~]{2,255}) ([!-~]{2,48}) ([!-~]{1,128}) ([!-~]{1,32}) -(?: |$)",
)
"""A header with nothing to say about it: each field one of which every value is right."""
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_CONTROLS = bytes([*range(0x20), 0x7F])
_AUDIT_MESSAGE = re.compile(rb"(?:\xef\xbb\xbf)?<(?:\?xml[ \t\r\n]|!--|[A-Za-z_][\w.:-]*[ \t\r\n/>])")
_SEARCHED = 8192  # octets in which an audit message is looked for where the header is none
_LEGACY_TIME = re.compile(
    rb"(?:<[^>]{1,5}>)?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-3]?\d \d\d:\d\d:\d\d\b"
)
_COUNTED = re.compile(rb"[1-9][0-9]{0,9} <[0-9]{1,3}>")

_HEADER_RULES = frozenset({GRAMMAR, PRI, VERSION, ASCII, LENGTHS, TIMESTAMP, NO_LEAP_SECOND, HOSTNAME, APP_NAME})
_BODY_RULES = frozenset({MSG_UTF8, CONTROL})
_PLAIN_RULES = _HEADER_RULES | _BODY_RULES | {structured_data.GRAMMAR}
_PLAIN_RULES_WITH_BOM = _PLAIN_RULES | {BOM_UTF8}


@dataclass(frozen=True, slots=True)
class Parsed:
    """What octets say as a syslog message.

    `message` is None where the fields cannot be told apart. `body` is then what looks like an audit message all the
    same, from its beginning; else MSG without a BOM. `body_at` is where it begins. `checked` holds every rule that
    could be told, broken or not. `legacy` names what the octets are instead of a message of RFC 5424 ("RFC 3164").
    `pri` is PRIVAL wherever the octets begin with one.
    """

    message: SyslogMessage | None
    pri: int | None = None
    body: bytes = b""
    body_at: int = 0
    findings: tuple[Finding, ...] = ()
    checked: frozenset[str] = frozenset()
    legacy: str = ""


def examine(octets: bytes) -> tuple[SyslogMessage | None, tuple[Finding, ...]]:
    """The message and the findings of :func:`parse`."""
    parsed = parse(octets)
    return parsed.message, parsed.findings


def parse(octets: bytes) -> Parsed:
    """Read a syslog message (RFC 5424 6). It never raises: whatever is wrong becomes findings."""
    return _parse_plain(octets) or _parse_odd(octets)


def write(message: SyslogMessage) -> bytes:
    """The octets of `message`. Raises ValueError for what RFC 5424 does not allow, a leap second among it."""
    if not 0 <= message.pri <= 191:
        raise ValueError("PRI is 0 to 191: facility * 8 + severity")
    if message.version != 1:
        raise ValueError("the version of RFC 5424 is 1")
    header = b"<%d>1 %b" % (message.pri, fields.written(message))
    data = structured_data.write(message.structured_data)
    if not message.bom and message.body.startswith(BOM):
        raise ValueError("a BOM at the beginning of the body is told by `bom`")
    if message.bom:
        message.body.decode()  # UnicodeDecodeError is a ValueError
    body = (BOM if message.bom else b"") + message.body
    return b"%b %b %b" % (header, data, body) if body else b"%b %b" % (header, data)


def _parse_plain(octets: bytes) -> Parsed | None:
    """A message without structured data whose header has nothing about it; None for all others."""
    found = _PLAIN.match(octets)
    if found is None:
        return None
    pri, at, host, app, process, msgid = found.groups()
    bom = octets.startswith(BOM, found.end())
    start = found.end() + (3 if bom else 0)
    body = octets[start:]
    texts = map(_absent, (at.decode(), host.decode(), app.decode(), process.decode(), msgid.decode()))
    message = _made(int(pri), 1, texts, (), body=body, bom=bom)
    findings, _ = _of_body(body, bom)
    return Parsed(message, message.pri, body, start, findings, _PLAIN_RULES_WITH_BOM if bom else _PLAIN_RULES)


def _parse_odd(octets: bytes) -> Parsed:
    header = fields.read(octets)
    if header.end < 0:
        at = _where_an_audit_message_begins(octets)
        body = octets[at:].removeprefix(BOM) if at >= 0 else b""
        return Parsed(
            None,
            header.pri,
            body,
            len(octets) - len(body),
            (*header.findings, _no_grammar(octets)),
            header.checked,
            _legacy(octets),
        )
    data = structured_data.read(octets, header.end)
    findings = [*header.findings, *data.findings]
    start = data.end
    if data.end < 0:
        start = max(header.end, _where_an_audit_message_begins(octets, header.end))
    elif octets.startswith(b" ", data.end):
        start += 1
    elif data.end < len(octets):
        findings.append(_no_space(octets, data.end))
    bom = octets.startswith(BOM, start)
    start += 3 if bom else 0
    body = octets[start:]
    more, checked = _of_body(body, bom)
    message = _made(header.pri or 0, header.version, map(_absent, header.texts), data.elements, body=body, bom=bom)
    checked |= header.checked | data.checked | {GRAMMAR}
    legacy = _legacy(octets) if findings else ""
    return Parsed(message, message.pri, body, start, (*findings, *more), checked, legacy)


def _made(
    pri: int, version: int, texts: Iterable[str], elements: tuple[Element, ...], *, body: bytes, bom: bool
) -> SyslogMessage:
    at, host, app, process, msgid = texts
    return SyslogMessage(pri, version, at, host, app, process, msgid, elements, body, bom)


def _absent(text: str) -> str:
    return "" if text == NIL else text


def _of_body(body: bytes, bom: bool) -> tuple[tuple[Finding, ...], frozenset[str]]:
    """What is wrong with MSG (RFC 5424 6.4)."""
    checked = _BODY_RULES | {BOM_UTF8} if bom else _BODY_RULES
    findings: list[Finding] = []
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as problem:
            findings.append(
                finding(
                    BOM_UTF8 if bom else MSG_UTF8,
                    "shall" if bom else "should",
                    f"MSG, octet {problem.start + 1}",
                    expected="UTF-8",
                    found=body[problem.start : problem.start + 8],
                    text="The message has octets that are no UTF-8"
                    + (", though it begins with its BOM." if bom else "."),
                    remedy="Encode messages in UTF-8.",
                )
            )
    # taking them out takes a tenth of the time of searching where there are none
    if len(body.translate(None, _CONTROLS)) != len(body) and (control := _CONTROL.search(body)):
        findings.append(
            finding(
                CONTROL,
                "should",
                f"MSG, octet {control.start() + 1}",
                expected="no control characters (line ends and tabulators are some)",
                found=control[0],
                text="The message has control characters.",
                remedy="Write the audit message without line ends and indentation.",
            )
        )
    return tuple(findings), checked


def _where_an_audit_message_begins(octets: bytes, start: int = 0) -> int:
    """Where XML begins, -1 where none does: at `start`, or after a blank, a colon or nothing that reads like it."""
    found = _AUDIT_MESSAGE.search(octets, start, start + _SEARCHED)
    return found.start() if found else -1


def _legacy(octets: bytes) -> str:
    """What the octets are instead of a message of RFC 5424, where that is known."""
    if _LEGACY_TIME.match(octets):
        return "RFC 3164"
    if _COUNTED.match(octets):
        return "frame of RFC 5425"
    if _AUDIT_MESSAGE.match(octets.lstrip()[:_SEARCHED]):
        return "XML without a header"
    return ""


def _no_grammar(octets: bytes) -> Finding:
    form = _legacy(octets)
    return finding(
        GRAMMAR,
        "shall",
        "HEADER",
        expected="<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG",
        found=octets[:81],
        text=f"This is no message of RFC 5424{f', but {_ARTICLED[form]}' if form else ''}.",
        remedy="Configure the sender for the syslog format of RFC 5424.",
    )


_ARTICLED = {
    "RFC 3164": "one of the older RFC 3164",
    "frame of RFC 5425": "one with its length before it, as it is sent over TLS only",
    "XML without a header": "XML without any syslog header",
}


def _no_space(octets: bytes, at: int) -> Finding:
    return finding(
        GRAMMAR,
        "shall",
        "MSG",
        expected="a space between STRUCTURED-DATA and the message",
        found=octets[at : at + 40],
        text="What follows STRUCTURED-DATA is not separated from it by a space.",
        remedy="Write one space before the message, and nothing after STRUCTURED-DATA where there is no message.",
    )
