"""Examining messages in processes of their own: octets in, what is kept of them out. No content makes it raise."""

from __future__ import annotations

import gc
import marshal
import os
import re
import resource
import signal
import threading
from collections.abc import Sequence
from typing import Final, NamedTuple

from lxml import etree

from reference_impl.audit.findings import Finding
from reference_impl.audit.model import AuditMessage, utc
from reference_impl.audit.parsing import UnreadableMessageError, message_of, parse_xml
from reference_impl.audit.repository.facts import LONGEST_VALUE, Facts, clean, microseconds, packed
from reference_impl.audit.repository.telling import Templates, Told, told_of
from reference_impl.audit.skeletons import split
from reference_impl.audit.syslog.messages import Parsed, parse
from reference_impl.audit.validator import validate

SECONDS: Final = 30.0
"""How long one chunk of messages may be examined, before the process ends itself."""
_MEMORY: Final = 2 << 30
_MOST_TERMS: Final = 400
_LEVELS: Final = ("shall", "should", "open", "note")
_SHORT: Final = 8  # characters of an action or an outcome that are kept
_AHEAD: Final = 24 * 3600 * 1_000_000  # an event that lies further ahead of its arrival is not believed
_EARLIEST: Final = -(1 << 50)  # microseconds; some 35 years before 1970
_AE_TITLES: Final = re.compile(r"\s*AETITLES\s*=\s*(.*)", re.DOTALL)


class Arrival(NamedTuple):
    """A message as it came: octets, when (microseconds since 1970 UTC), how, from whom, over which connection."""

    octets: bytes
    arrived: int
    transport: str
    peer: str
    connection: int | None = None


def prepare_process() -> None:
    """Make a process fit for hostile messages: it ends with its parent, ignores Ctrl-C, and takes no endless memory."""
    import multiprocessing
    from multiprocessing.connection import wait

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    gc.set_threshold(50_000, 20, 50)  # what is made here lives for one chunk and holds no cycles
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY if most < 0 else min(_MEMORY, most), most))
    parent = multiprocessing.parent_process()
    if parent is not None:
        sentinel = parent.sentinel

        def follow() -> None:
            wait([sentinel])
            os._exit(0)

        threading.Thread(target=follow, daemon=True).start()


def examine_chunk(messages: Sequence[tuple[bytes, int, str, str]]) -> bytes:
    """Examine messages, given as octets, arrival, transport and peer. The process ends itself after `SECONDS`.

    What it returns is for `facts_from`: plain values go between processes three times as fast this way.
    """
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        return marshal.dumps([tuple(examine(*message)) for message in messages])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def facts_from(examined: bytes) -> list[Facts]:
    """What `examine_chunk` of a process of our own returned."""
    return [Facts._make(each) for each in marshal.loads(examined)]  # noqa: S302 - a process of our own wrote it


def examine(octets: bytes, arrived: int, transport: str, peer: str) -> Facts:
    """What is kept of one message."""
    try:
        return _examine(octets, arrived, transport, peer)
    except (RecursionError, MemoryError):
        return unexamined(octets, transport, peer)


def unexamined(octets: bytes, transport: str, peer: str) -> Facts:
    """What is kept of a message whose examination failed."""
    marks = ["not-examined", *(["own"] if transport == "own" else []), *_marks_of_octets(octets)]
    return _facts(None, (), marks, Parsed(None), arrived=0, transport=transport, peer=peer)


def _examine(octets: bytes, arrived: int, transport: str, peer: str) -> Facts:
    parsed = parse(octets)
    marks = ["own"] if transport == "own" else []
    if parsed.message is None:
        marks.append("legacy-syslog" if parsed.legacy == "RFC 3164" else "not-syslog")
    marks += _marks_of_octets(octets)
    told: Told | None = None
    findings: tuple[Finding, ...] = parsed.findings
    if not parsed.body.strip():
        marks.append("not-audit")
    else:
        parts = split(parsed.body)
        told = _TEMPLATES.read(parsed.body, parts)
        if told is None:
            message, mark = _read(parsed.body)
            marks += [mark] if mark else []
            told = None if message is None else told_of(message)
        if "not-audit" not in marks:
            findings += validate(parsed.body, parts=parts).findings
    return _facts(told, findings, marks, parsed, arrived=arrived, transport=transport, peer=peer)


_TEMPLATES: Final = Templates()


def _marks_of_octets(octets: bytes) -> list[str]:
    marks = []
    if not octets.isascii():
        try:
            octets.decode()
        except UnicodeDecodeError:
            marks.append("invalid-utf-8")
    if b"\0" in octets:
        marks.append("nul")
    return marks


def _read(body: bytes) -> tuple[AuditMessage | None, str]:
    """The message as far as it can be read, and the mark that it earns."""
    try:
        return message_of(parse_xml(body)), ""
    except UnreadableMessageError:
        pass
    if not body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return None, "not-audit"
    if b"<!DOCTYPE" in body:
        return None, "refused-xml"
    return _recovered(body)


def _recovered(body: bytes) -> tuple[AuditMessage | None, str]:
    """What stands in XML that is cut off or broken, as far as it reads."""
    parser = etree.XMLParser(
        recover=True, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_pis=True
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError):
        return None, "broken-xml"
    if root is None or root.getroottree().docinfo.internalDTD is not None:
        return None, "broken-xml" if root is None else "refused-xml"
    broken = len(parser.error_log.filter_from_errors()) > 0
    try:
        return message_of(root), "broken-xml" if broken else "refused-xml"
    except UnreadableMessageError:
        return None, "broken-xml" if broken else "not-audit"


def _facts(
    told: Told | None,
    findings: Sequence[Finding],
    marks: list[str],
    parsed: Parsed,
    *,
    arrived: int,
    transport: str,
    peer: str,
) -> Facts:
    """The facts; `arrived` tells which event times are plausible, `marks` are added to."""
    header, known = parsed.message, told if told is not None else Told()
    host, application = (header.hostname, header.app_name) if header is not None else ("", "")
    if not _is_clean((host, application)):
        host, application = clean(host), clean(application)
    node = clean(known.node.strip())
    if not node:
        marks.append("no-source")
        node = host or peer or transport
    time = _time(known.time, arrived, marks)
    terms = [("node", node), ("peer", peer), ("host", host), ("application", application)]
    levels = dict.fromkeys(_LEVELS, 0)
    if findings:
        for finding in findings:
            levels[finding.level] += 1
        terms += [("level", level) for level, number in levels.items() if number]
        terms += [("rule", finding.rule) for finding in findings if finding.level != "note"]
    terms += _expanded(known.terms)
    shown: tuple[str, ...] = (
        known.event,
        known.event_system,
        known.event_name,
        known.action,
        known.outcome,
        known.site,
    )
    if _is_clean([*shown, *[value for _, value in terms]]):
        cleaned = [*dict.fromkeys([term for term in terms if term[1]])]
    else:
        shown = tuple(map(clean, shown))
        cleaned = [*dict.fromkeys([(kind, clean(value)) for kind, value in terms if value])]
    if len(cleaned) > _MOST_TERMS:
        marks.append("many-values")
        del cleaned[_MOST_TERMS:]
    event, event_system, event_name, action, outcome, site = shown
    return Facts(
        event_time=time,
        event=event,
        event_system=event_system,
        event_name=event_name,
        action=action[:_SHORT],
        outcome=outcome[:_SHORT],
        node=node,
        site=site,
        host=host,
        application=application,
        users=_shown(known.people),
        patients=_shown(known.patients),
        shall=levels["shall"],
        should=levels["should"],
        open=levels["open"],
        notes=levels["note"],
        marks=tuple(marks),
        values=packed([*cleaned, *[("mark", mark) for mark in marks]]),
    )


def _is_clean(values: Sequence[str]) -> bool:
    """Whether `clean` leaves each of these as it is, as it does nearly always: asked of all at once."""
    whole = "".join(values)
    if "\0" in whole or not (whole.isascii() or whole.isprintable()):  # half surrogates are not printable
        return False
    return len(whole) <= LONGEST_VALUE or max(map(len, values)) <= LONGEST_VALUE


def _time(text: str, arrived: int, marks: list[str]) -> int | None:
    """Microseconds of EventDateTime; marks what is missing or cannot be."""
    moment = utc(text) if text else None
    time = microseconds(moment) if moment is not None else None
    if time is None or time < _EARLIEST:
        marks.append("no-time")
        return None
    if time > arrived + _AHEAD:
        marks.append("future")
    return time


def _expanded(terms: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Kinds and values as they are indexed: of a list of AE titles each one, too."""
    found: list[tuple[str, str]] = []
    for term in terms:
        kind, text = term
        if kind != "alias":
            found.append(term)
            continue
        found.append(("user-name", text))
        titles = _AE_TITLES.match(text)
        if titles:
            found += [("user-name", title.strip()) for title in titles[1].split(";")]
    return found


def _shown(pairs: Sequence[tuple[str, str]]) -> str:
    """Names and ids of the first few."""
    listed = dict.fromkeys([_called(identity, name) for identity, name in pairs])
    return clean(", ".join(each for each in listed if each))


def _called(identity: str, name: str) -> str:
    return f"{name[:80]} ({identity[:80]})" if name and name != identity else identity[:120]
