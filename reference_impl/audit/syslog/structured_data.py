"""STRUCTURED-DATA of RFC 5424 6.3: reading, with what is wrong, and writing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from reference_impl.audit.findings import Finding
from reference_impl.audit.syslog.model import NIL, Element
from reference_impl.audit.syslog.telling import finding

_NAME = rb"[!#-<>-\\^-~]{1,32}"  # PRINTUSASCII but for "=", SP, "]" and '"'
_PARAMETER = re.compile(rb" (" + _NAME + rb')="((?:[^"\\\]]++|\\.)*+)"', re.DOTALL)
_SD_ID = re.compile(rb"\[(" + _NAME + rb")")
_NAME_TEXT = re.compile(_NAME.decode())
_ENTERPRISE = re.compile(r"[^@]+@[0-9]+(\.[0-9]+)*")
_ESCAPED_RIGHT = re.compile(rb'(?:[^\\]++|\\["\\\]])*+')
_PLACE = "STRUCTURED-DATA"
_MOST_ELEMENTS, _MOST_PARAMETERS = 1000, 10_000

GRAMMAR = "RFC5424-6.3-source-structured-data"
UNIQUE = "RFC5424-6.3.2-source-unique-sd-ids"
REGISTERED = "RFC5424-6.3.2-source-sd-id-names"
ESCAPES = "RFC5424-6.3.3-source-escapes"
UTF8 = "RFC5424-6.3.3-source-utf-8"

_REGISTERED = frozenset({"timeQuality", "origin", "meta", "snmp", "alarm", "ssign", "ssign-cert", "PCNNode", "PCNTerm"})
"""SD-IDs without an enterprise number that IANA has registered (syslog parameters, as of 2024)."""


@dataclass(frozen=True, slots=True)
class Read:
    """What STRUCTURED-DATA says, where it ends, and what is wrong with it; `end` is -1 where it is none."""

    elements: tuple[Element, ...] = ()
    end: int = -1
    findings: tuple[Finding, ...] = ()
    checked: frozenset[str] = frozenset()


def read(octets: bytes, start: int) -> Read:
    """Read STRUCTURED-DATA that begins at `start`."""
    if octets.startswith(b"-", start):
        return Read(end=start + 1, checked=frozenset({GRAMMAR}))
    elements: list[Element] = []
    findings: list[Finding] = []
    at = start
    while octets.startswith(b"[", at) and len(elements) < _MOST_ELEMENTS:
        read_one = _element(octets, at, findings)
        if read_one is None:
            break
        element, at = read_one
        elements.append(element)
    if at == start or octets.startswith(b"[", at):
        return Read(tuple(elements), -1, (*findings, _no_grammar(octets, at)), frozenset({GRAMMAR}))
    findings += _names(elements)
    return Read(tuple(elements), at, tuple(findings), frozenset({GRAMMAR, UNIQUE, REGISTERED, ESCAPES, UTF8}))


def write(elements: Sequence[Element]) -> bytes:
    """STRUCTURED-DATA of `elements`. Raises ValueError for what RFC 5424 6.3 does not allow."""
    if not elements:
        return NIL.encode()
    names = [element.name for element in elements]
    if len(set(names)) < len(names):
        raise ValueError("an SD-ID stands once in a message")
    return b"".join(map(_written, elements))


def _written(element: Element) -> bytes:
    parts = [b"[" + _name(element.name)]
    for name, value in element.parameters:
        escaped = re.sub(r'(["\\\]])', r"\\\1", value).encode()
        parts.append(b' %b="%b"' % (_name(name), escaped))
    return b"".join(parts) + b"]"


def _name(text: str) -> bytes:
    if not _NAME_TEXT.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no SD-NAME: 1 to 32 printable characters but for '=', ']' and '\"'")
    return text.encode()


def _element(octets: bytes, start: int, findings: list[Finding]) -> tuple[Element, int] | None:
    """The element at `start`, and where it ends; None where it is none."""
    head = _SD_ID.match(octets, start)
    if head is None:
        return None
    parameters: list[tuple[str, str]] = []
    at = head.end()
    while (found := _PARAMETER.match(octets, at)) and len(parameters) < _MOST_PARAMETERS:
        parameters.append((found[1].decode(), _value(found[2], found[1].decode(), findings)))
        at = found.end()
    if not octets.startswith(b"]", at):
        return None
    return Element(head[1].decode(), tuple(parameters)), at + 1


def _value(raw: bytes, name: str, findings: list[Finding]) -> str:
    if b"\\" in raw:
        if not _ESCAPED_RIGHT.fullmatch(raw):
            findings.append(
                finding(
                    ESCAPES,
                    "shall",
                    f"{_PLACE}/{name}",
                    expected='a backslash before \'"\', "\\" or "]" only, and itself written twice',
                    found=raw,
                    text="A backslash in the value of a parameter stands alone.",
                    remedy="Write a backslash within a value as two.",
                )
            )
        pieces = (each.replace(b'\\"', b'"').replace(b"\\]", b"]") for each in raw.split(b"\\\\"))
        raw = b"\\".join(pieces)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        findings.append(
            finding(
                UTF8,
                "shall",
                f"{_PLACE}/{name}",
                expected="UTF-8",
                found=raw,
                text="The value of a parameter is not encoded in UTF-8.",
                remedy="Encode values in UTF-8.",
            )
        )
        return raw.decode(errors="replace")


def _names(elements: Sequence[Element]) -> list[Finding]:
    findings = []
    seen: set[str] = set()
    for name in (element.name for element in elements):
        if name in seen:
            findings.append(
                finding(
                    UNIQUE,
                    "shall",
                    _PLACE,
                    expected="every SD-ID once",
                    found=name,
                    text="The same SD-ID stands twice.",
                    remedy="Put all parameters of an SD-ID into one element.",
                )
            )
        seen.add(name)
        if not (_ENTERPRISE.fullmatch(name) or name in _REGISTERED):
            findings.append(
                finding(
                    REGISTERED,
                    "shall" if "@" in name else "open",
                    _PLACE,
                    expected="NAME@ENTERPRISE-NUMBER, or a name that IANA has registered",
                    found=name,
                    text="The SD-ID is neither registered, as far as is known here, nor one of an enterprise.",
                    remedy="Use NAME@ with the private enterprise number of the maker.",
                )
            )
    return findings


def _no_grammar(octets: bytes, at: int) -> Finding:
    return finding(
        GRAMMAR,
        "shall",
        _PLACE,
        expected='"-", or elements such as [name@32473 parameter="value"]',
        found=octets[at : at + 40],
        text="What stands where STRUCTURED-DATA belongs is none.",
        remedy='Write "-" before the message where there is no structured data.',
    )
