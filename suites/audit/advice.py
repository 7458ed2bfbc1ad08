"""Advice on audit trails, apart from verdicts: what newer rules than the profiles would say, and a site should know.

The words stand in ``advice.toml``; here stands when each is said. What was not observed is not advised on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from harness import AdviceRecord, ClaimRecord, EndpointRecord, Endpoints, Observations, SyslogConnection
from suites.audit.view import AuditSource, SeenMessage, evidence_of
from suites.occasions import Occasion, Rule, advice_on, listed
from suites.wording import counted

SOURCE = "audit-source"
_OLD = frozenset({"TLSv1", "TLSv1.1"})
_FORWARD = ("TLS_ECDHE", "ECDHE", "TLS_DHE", "DHE", "TLS_AES", "TLS_CHACHA20")
_WORDS = Path(__file__).with_suffix(".toml")


def advise(endpoint: EndpointRecord, claims: tuple[ClaimRecord, ...], lookup: Observations) -> list[AdviceRecord]:
    """The advice on one endpoint, which `claims` are about, from the messages that came there."""
    sources = [AuditSource(lookup, Endpoints(endpoint), each) for each in claims if each.role == SOURCE]
    return advice_on(endpoint, sources[:1], RULES, _WORDS)


def old_tls(source: AuditSource) -> Iterator[Occasion]:
    """Versions of TLS that A.6 allows and RFC 8996 does not."""
    yield from _about("audit-old-tls", [each for each in source.connections if each.version in _OLD], "version")


def no_tls_1_3(source: AuditSource) -> Iterator[Occasion]:
    """TLS 1.2 where TLS 1.3 was to be had."""
    yield from _about("audit-no-tls-1-3", [each for each in source.connections if each.version == "TLSv1.2"], "")


def static_rsa(source: AuditSource) -> Iterator[Occasion]:
    """Suites without forward secrecy, where others were to be had."""
    plain = [each for each in source.connections if each.suite and not each.suite.startswith(_FORWARD)]
    yield from _about("audit-static-rsa", plain, "suite")


def unauthenticated(source: AuditSource) -> Iterator[Occasion]:
    """Senders that show no certificate though they are asked for one."""
    bare = [each for each in source.connections if each.asked and each.version and not each.client_certificate]
    yield from _about("audit-no-certificate", bare, "")


def over_udp(source: AuditSource) -> Iterator[Occasion]:
    """Messages that anybody on their way can read, change and forge."""
    seen = [each for each in source.everything if each.over_udp]
    if seen:
        yield Occasion("audit-over-udp", counted(len(seen), "message"), evidence_of(seen[:1]))


def cut_datagrams(source: AuditSource) -> Iterator[Occasion]:
    """Datagrams that end within their XML: what they reported is lost in part."""
    cut = [each for each in source.everything if each.over_udp and each.is_of_audit and each.is_cut]
    if cut:
        sizes = listed(f"{each} after {each.facts.length} octets" for each in cut)
        yield Occasion("audit-cut-datagrams", sizes, evidence_of(cut))


def lost(source: AuditSource) -> Iterator[Occasion]:
    """What was reported while nobody listened and did not come with what was reported after it."""
    for step in source.steps:
        if step.away and 0 < len(step.messages) < step.provoked:
            yield Occasion("audit-lost", counted(step.provoked - len(step.messages), "event"))


def other_messages(source: AuditSource) -> Iterator[Occasion]:
    """Messages that are none of the audit trail: allowed, and not looked at."""
    others: Sequence[SeenMessage] = [each for each in source.everything if not each.is_of_audit]
    if others:
        yield Occasion("audit-other-messages", counted(len(others), "message"), evidence_of(others[:1]))


def _about(rule: str, seen: Sequence[SyslogConnection], what: str) -> Iterator[Occasion]:
    if seen:
        shown = listed(sorted({str(getattr(each, what)) for each in seen})) if what else ""
        yield Occasion(rule, shown, tuple(each.exchange for each in seen[:4] if each.exchange))


RULES: tuple[Rule[AuditSource], ...] = (
    old_tls,
    no_tls_1_3,
    static_rsa,
    unauthenticated,
    over_udp,
    cut_datagrams,
    lost,
    other_messages,
)
