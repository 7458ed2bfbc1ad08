"""Audit sources: how messages are sent, PS3.15 A.6 over TLS (RFC 5425) and A.7 over UDP (RFC 5426)."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Sequence

from harness import EndpointRecord, Missing, NotApplicable, SyslogConnection, expect, verifies
from suites.audit.view import SEND, AuditSource, SeenMessage, done, evidence_of
from suites.wording import bounded, counted

pytest_plugins = ("suites.audit.fixtures",)

LARGE = 32_768
"""Octets of a syslog message that systems support (A.6)."""
CURRENT = frozenset({"TLSv1.2", "TLSv1.3"})
_TOO_OLD = ("unsupported protocol", "version too low", "tlsv1 alert protocol version")
_PLAIN = re.compile(rb"(?:[1-9]\d{0,8} )?<\d{1,3}>")
_FRAMED = re.compile(rb"\s*[1-9]\d{0,8} <\d{1,3}>")
_SECOND = re.compile(rb"</AuditMessage\s*>\s*(?:[1-9]\d{0,8} )?<\d{1,3}>1? ?")
_TOO_LONG = "a message of more than"
"""How it is said that a message is longer than we take: that is no fault of its frame."""
_OWN_ENDS = frozenset({"close-notify", "close"})
_MOST = 10


def over_tls(source: AuditSource) -> tuple[SyslogConnection, ...]:
    """The connections over TCP that the source made. Raises `Missing` where none was seen."""
    found = tuple(each for each in source.connections if each.transport == "tls")
    if not found:
        how = (
            f"the messages at {source.name} were captured, which does not show how they were sent"
            if source.by_files
            else f"the source made no connection at {source.name}"
        )
        raise Missing(how, "Let the source send to the harness, at an endpoint with protocol syslog-tls.")
    return found


def delivering(source: AuditSource) -> tuple[SyslogConnection, ...]:
    """Those over which something came. Raises `Missing` where nothing did."""
    found = tuple(each for each in over_tls(source) if each.messages or each.framing)
    if not found:
        refused = next((each for each in over_tls(source) if each.refused), None)
        why = f": {bounded(refused.refused)}" if refused else ""
        raise Missing(f"no message came over a connection at {source.name}{why}", SEND, _evidence(over_tls(source)))
    return found


@verifies("A.6-source-over-tls", "RFC5425-4.3-source-application-data", "IHE-3.20.4.1.2-source-over-tls")
def test_messages_come_over_tls(source: AuditSource) -> None:
    """A.6: MUST be TLS. RFC 5425 4.3: every message is application data of TLS."""
    plain = [each for each in over_tls(source) if each.refused and _PLAIN.match(base64.b64decode(each.octets))]
    if not plain:
        delivering(source)
    expect(
        [f"{each.peer}: {bounded(_text(base64.b64decode(each.octets)), 60)}" for each in plain[:_MOST]],
        evidence=_evidence(plain or delivering(source)),
        what="connections that began with a message in the clear",
    ).to_be_empty(expected="every message over TLS")


@verifies("A.6-source-tls-1.2")
def test_tls_1_2_or_later_is_used(source: AuditSource) -> None:
    """A.6: version 1.2 or later is RECOMMENDED."""
    tried = [each for each in over_tls(source) if each.version or _is_too_old(each)]
    if not tried:
        raise Missing(f"no TLS handshake was completed at {source.name}", SEND, _evidence(over_tls(source)))
    old = [each for each in tried if each.version not in CURRENT]
    expect(
        sorted({each.version or "an older version" for each in tried}),
        evidence=_evidence(old or tried),
        what="versions of TLS",
    ).to_hold(not old, expected="TLS 1.2 or TLS 1.3")


@verifies("RFC5425-4.3-source-octet-counting")
def test_messages_are_counted_in_octets(source: AuditSource) -> None:
    """RFC 5425 4.3: MSG-LEN SP SYSLOG-MSG, however many in a record and over however many records."""
    seen = delivering(source)
    of = [each for each in seen if each.framing and not each.framing.startswith(_TOO_LONG)]
    wrong = [f"{each.peer}: {bounded(each.framing)}{_shown(each)}" for each in of]
    cut = [each for each in seen if not each.framing and each.pending and each.ending == "close-notify"]
    wrong += [f"{each.peer}: {each.pending} octets of a message that was never completed" for each in cut]
    of += cut
    if not of and not any(each.messages for each in seen):
        raise Missing(f"{bounded(seen[0].framing)} was announced, which is more than is taken", SEND, _evidence(seen))
    expect(wrong[:_MOST], evidence=_evidence(of or seen), what="what was no frame").to_be_empty(
        expected="the length in octets and a space before every message, and nothing else"
    )


@verifies("RFC5425-4.4-source-close-notify")
def test_the_end_of_a_connection_is_announced(source: AuditSource) -> None:
    """RFC 5425 4.4: close_notify before closing. Connections that were reset, or are open yet, tell nothing."""
    seen = delivering(source)
    ended = [each for each in seen if each.ending in _OWN_ENDS]
    if not ended:
        reset = [each for each in seen if each.ending == "reset"]
        if reset:
            raise Missing(
                f"{counted(len(reset), 'connection')} at {source.name} ended by a reset, which may have lost what came "
                "before it",
                "See who resets the connection: the source, or something between.",
                _evidence(reset),
            )
        raise NotApplicable(f"the source ended no connection over which messages came at {source.name}")
    bare = [each for each in ended if each.ending == "close"]
    expect(
        [f"{each.peer}: closed without close_notify" for each in bare[:_MOST]],
        evidence=_evidence(bare or ended),
        what="connections that ended unannounced",
    ).to_be_empty(expected="close_notify before the end")


@verifies("A.6-source-32768-octets")
def test_large_messages_are_sent_whole(source: AuditSource) -> None:
    """A.6: messages of at least 32768 octets are supported. Only one that came whole shows it."""
    if source.by_files and not any(each.facts.header for each in source.messages):
        raise Missing(
            f"the messages at {source.name} are XML files, which do not show what is sent",
            "Let the source send to the harness, at an endpoint with protocol syslog-tls.",
        )
    cut = [each for each in source.whole if each.is_cut and each.facts.length < LARGE]
    if cut:
        expect(
            [f"{each}: ends within its XML after {each.facts.length} octets" for each in cut[:_MOST]],
            evidence=evidence_of(cut),
            what="messages that were cut",
        ).to_be_empty(expected=f"messages of up to {LARGE} octets as they are")
    largest = max((each for each in source.whole if not each.is_cut), key=_length, default=None)
    if largest is None or _length(largest) < LARGE:
        size = f"the largest message that came whole at {source.name} has {_length(largest) if largest else 0} octets"
        raise Missing(
            f"{size}; one of {LARGE} or more would show it",
            "Let the source report something large, for example the transfer of a study with all its instances listed.",
            evidence_of([largest] if largest else source.messages),
        )
    expect(
        _length(largest), evidence=evidence_of([largest]), what="octets of a message that came whole"
    ).to_be_at_least(LARGE)


@verifies("RFC5426-3.1-source-one-message")
def test_a_datagram_holds_one_message(source: AuditSource) -> None:
    """RFC 5426 3.1: one message, whole or cut, and nothing before or after it."""
    datagrams = [each for each in source.everything if each.over_udp]
    if not datagrams:
        how = "were captured without the packets" if source.by_files else "did not come"
        raise Missing(
            f"datagrams {how} at {source.name}",
            "Let the source send to the harness, or hand over a capture of packets.",
        )
    wrong = [(each, words) for each in datagrams if (words := _more_than_one(each))]
    expect(
        [f"{each}: {words}" for each, words in wrong[:_MOST]],
        evidence=evidence_of([each for each, _ in wrong] or datagrams),
        what="datagrams that are not one message",
    ).to_be_empty(expected="one message in each datagram, without a length before it")


@verifies("A.6-source-nothing-lost")
def test_nothing_is_lost_while_nobody_listens(source: AuditSource, endpoint: EndpointRecord) -> None:
    """A.6 names reliable transport and buffering, and obliges nobody: the source's own claim is judged."""
    if endpoint.audit is None or not endpoint.audit.nothing_lost:
        raise NotApplicable(f"the SUT file does not claim at {source.name} that nothing is lost")
    _expect_kept(source, once=True)


@verifies("IHE-3.20.4.1.2-source-stored")
def test_what_cannot_be_sent_is_sent_later(source: AuditSource) -> None:
    """ITI-20: kept while the repository cannot be reached, and sent as soon as it can."""
    _expect_kept(source, once=False)


def _expect_kept(source: AuditSource, *, once: bool) -> None:
    """What was reported while nobody listened came afterwards; with `once` no message twice."""
    tried = [step for step in source.steps if step.away]
    if not tried:
        raise Missing(
            f"nothing was reported at {source.name} while nobody listened",
            "Name a driver as audit.away, which lets the source report something, and run again.",
        )
    step = tried[0]
    if not step.provoked:
        raise Missing(f"the source could not be made to report anything: {done(step)}", SEND)
    came = [each for each in source.everything if each.step is step and each.is_of_audit]
    if not came:
        raise Missing(
            f"nothing came at {source.name} when somebody listened again; the source may be waiting yet: {done(step)}",
            "Give it more time (listen.seconds), or see after which pause it tries again.",
        )
    observed = f"{counted(len(came), 'message')} after {counted(step.provoked, 'event')}"
    twice = [each for each, count in Counter(each.facts.octets for each in came).items() if count > 1]
    expect(observed, evidence=evidence_of(came), what="what came when somebody listened again").to_hold(
        len(came) >= step.provoked, expected="every message, once" if once else "every message"
    )
    if once:
        expect(
            f"{counted(len(twice), 'message')} more than once" if twice else observed,
            evidence=evidence_of(came),
            what="what came when somebody listened again",
        ).to_hold(not twice, expected="every message, once")


def _more_than_one(message: SeenMessage) -> str:
    """What is wrong with a datagram that is not one message; empty where it is one."""
    octets = message.facts.raw
    if _FRAMED.match(octets):
        return f"a length before the message: {bounded(_text(octets), 40)}"
    return "a second message after the first" if _SECOND.search(octets) else ""


def _is_too_old(connection: SyslogConnection) -> bool:
    return any(words in connection.refused.lower() for words in _TOO_OLD)


def _shown(connection: SyslogConnection) -> str:
    octets = base64.b64decode(connection.octets)
    return f" ({bounded(_text(octets), 60)})" if octets else ""


def _length(message: SeenMessage) -> int:
    return message.facts.length


def _text(octets: bytes) -> str:
    return octets[:200].decode("utf-8", "backslashreplace")


def _evidence(connections: Sequence[SyslogConnection]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.exchange for each in connections if each.exchange))[:20]


__all__ = ["LARGE", "delivering", "over_tls"]
