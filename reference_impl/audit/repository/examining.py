"""Examining messages in processes of their own: octets in, what is kept of them out. No content makes it raise."""

from __future__ import annotations

import marshal
import os
import re
import resource
import signal
import threading
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from lxml import etree

from reference_impl.audit.findings import Finding
from reference_impl.audit.model import ActiveParticipant, AuditMessage, EventIdentification, ParticipantObject
from reference_impl.audit.parsing import UnreadableMessageError, message_of, parse_xml
from reference_impl.audit.repository.facts import Facts, clean, microseconds
from reference_impl.audit.syslog.messages import Parsed, parse
from reference_impl.audit.validator import validate

SECONDS: Final = 30.0
"""How long one chunk of messages may be examined, before the process ends itself."""
_MEMORY: Final = 2 << 30
_MOST_TERMS: Final = 400
_SHOWN: Final = 5
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
    marks = ["not-examined", "no-time", "no-source", *(["own"] if transport == "own" else [])]
    return _Gathered(None, (), marks + _marks_of_octets(octets)).facts(peer, transport, Parsed(None))


def _examine(octets: bytes, arrived: int, transport: str, peer: str) -> Facts:
    parsed = parse(octets)
    marks = ["own"] if transport == "own" else []
    if parsed.message is None:
        marks.append("legacy-syslog" if parsed.legacy == "RFC 3164" else "not-syslog")
    marks += _marks_of_octets(octets)
    message: AuditMessage | None = None
    findings: tuple[Finding, ...] = parsed.findings
    if not parsed.body.strip():
        marks.append("not-audit")
    else:
        message, mark = _read(parsed.body)
        if mark:
            marks.append(mark)
        if mark != "not-audit":
            findings += validate(parsed.body).findings
    gathered = _Gathered(message, findings, marks)
    return gathered.facts(peer, transport, parsed, arrived)


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


class _Gathered:
    """What is gathered of a message on the way to its facts."""

    def __init__(self, message: AuditMessage | None, findings: Sequence[Finding], marks: list[str]) -> None:
        self._message = message
        self._findings = findings
        self._marks = marks

    def facts(self, peer: str, transport: str, parsed: Parsed, arrived: int = 0) -> Facts:
        """The facts; `arrived` tells which event times are plausible."""
        header, message, marks = parsed.message, self._message, self._marks
        host = clean(header.hostname) if header is not None else ""
        application = clean(header.app_name) if header is not None else ""
        node = clean(message.source.id.strip()) if message is not None else ""
        if not node and "no-source" not in marks:
            marks.append("no-source")
        node = node or host or peer or transport
        time = self._time(arrived)
        levels = dict.fromkeys(("shall", "should", "open", "note"), 0)
        for finding in self._findings:
            levels[finding.level] += 1
        terms = [("node", node), ("peer", peer), ("host", host), ("application", application)]
        terms += [("level", level) for level, number in levels.items() if number]
        terms += dict.fromkeys(("rule", finding.rule) for finding in self._findings if finding.level != "note")
        users: list[str] = []
        patients: list[str] = []
        if message is not None:
            terms += islice(_terms(message), 2 * _MOST_TERMS)
            users = _shown(_user(each) for each in message.participants[:_SHOWN])
            patients = _shown(_patient(each) for each in message.patients[:_SHOWN])
        cleaned = list(dict.fromkeys((kind, clean(value)) for kind, value in terms if value))
        if len(cleaned) > _MOST_TERMS:
            marks.append("many-values")
            del cleaned[_MOST_TERMS:]
        cleaned += [("mark", mark) for mark in marks]
        event = message.event if message is not None else None
        return Facts(
            event_time=time,
            event=clean(event.id.code) if event else "",
            event_system=clean(event.id.system) if event else "",
            event_name=clean(_event_name(event)) if event else "",
            action=clean(event.action, 8) if event else "",
            outcome=clean(event.outcome, 8) if event else "",
            node=node,
            site=clean(message.source.enterprise_site) if message else "",
            host=host,
            application=application,
            users=clean(", ".join(users)),
            patients=clean(", ".join(patients)),
            shall=levels["shall"],
            should=levels["should"],
            open=levels["open"],
            notes=levels["note"],
            marks=tuple(marks),
            terms=tuple(cleaned),
        )

    def _time(self, arrived: int) -> int | None:
        """Microseconds of EventDateTime; marks what is missing or cannot be."""
        moment = self._message.event.at if self._message is not None else None
        time = microseconds(moment) if moment is not None else None
        if time is None or time < _EARLIEST:
            if "no-time" not in self._marks:
                self._marks.append("no-time")
            return None
        if time > arrived + _AHEAD:
            self._marks.append("future")
        return time


def _terms(message: AuditMessage) -> Iterator[tuple[str, str]]:
    """Everything by which a message is found, empty values and repetitions too."""
    event, source = message.event, message.source
    yield "event", event.id.code
    for each in event.types:
        yield "event-type", each.code
    yield "action", event.action
    yield "outcome", event.outcome
    yield "site", source.enterprise_site
    for each in source.types:
        yield "source-type", each.code
    for participant in message.participants:
        yield from _terms_of_participant(participant)
    for thing in message.objects:
        yield from _terms_of_object(thing)


def _terms_of_participant(participant: ActiveParticipant) -> Iterator[tuple[str, str]]:
    yield "user", participant.user_id
    yield "user-name", participant.user_name
    yield "user-name", participant.alternative_user_id
    titles = _AE_TITLES.match(participant.alternative_user_id)
    for title in titles[1].split(";") if titles else ():
        yield "user-name", title.strip()
    yield "address", participant.access_point


def _terms_of_object(thing: ParticipantObject) -> Iterator[tuple[str, str]]:
    if thing.is_patient:
        yield "patient", thing.id
        yield "patient-name", thing.name
    else:
        yield "study" if thing.is_study else "object", thing.id
    for description in thing.descriptions:
        for study in description.studies:
            yield "study", study
        for accession in description.accessions:
            yield "object", accession


def _event_name(event: EventIdentification) -> str:
    """What happened, in the words of the message: "User Authentication: Login"."""
    kinds = ", ".join(each.text for each in event.types[:_SHOWN] if each.text)
    return f"{event.id.text}: {kinds}" if kinds else event.id.text


def _user(participant: ActiveParticipant) -> str:
    if participant.user_name and participant.user_name != participant.user_id:
        return f"{participant.user_name[:80]} ({participant.user_id[:80]})"
    return participant.user_id[:120]


def _patient(thing: ParticipantObject) -> str:
    return f"{thing.name[:80]} ({thing.id[:80]})" if thing.name else thing.id[:120]


def _shown(values: Iterator[str]) -> list[str]:
    return [value for value in dict.fromkeys(values) if value]
