"""Protocol versions: the answer to a hello of at most each version, to all of them, and to a fallback."""

from __future__ import annotations

from functools import partial

from harness.observations import Observation, Reaction, ReactionKind
from harness.observations.transport import SSL2, SSL3, TLS10, TLS11, TLS12, TLS13, Versions
from harness.probes.base import ProbeContext
from harness.probes.transport import hellos
from harness.probes.transport.control import MUTE, settled
from harness.probes.transport.elimination import side_by_side, silent
from harness.probes.transport.exchange import Manner, attend, converse
from harness.probes.transport.listening import Ssl2Listener, TlsListener
from reference_impl.transport import registry
from reference_impl.transport.wire import ClientHello, Ssl2ClientHello

KIND = "tls.versions"
_PROTOCOL_VERSION = 70


def probe(context: ProbeContext) -> Observation:
    """Observe ``tls.versions``."""
    versions = (TLS13, TLS12, TLS11, TLS10, SSL3)
    tasks = [partial(_of, context, version) for version in versions]
    tasks += [partial(_ssl2, context), partial(_all_offered, context), partial(_fallback, context)]
    *reactions, ssl2, all_offered, fallback = side_by_side(tasks)
    nobody = not any(reaction.accepted for reaction in reactions)
    each_first = zip(versions, reactions, strict=True)
    reactions = side_by_side([partial(_with_few, context, *first, nobody=nobody) for first in each_first])
    facts = Versions(
        reactions={**dict(zip(versions, reactions, strict=True)), SSL2: ssl2},
        all_offered=all_offered,
        fallback_scsv=fallback,
    )
    exchanges = tuple(reaction.exchange for reaction in (*reactions, ssl2, all_offered, fallback) if reaction.exchange)
    if silent([*reactions, all_offered]):
        why = f"The server answered no ClientHello of any version ({all_offered.detail})."
        return context.observed(KIND, None, missing=why, exchanges=exchanges)
    return context.observed(KIND, facts, exchanges=exchanges)


def _of(context: ProbeContext, version: int) -> Reaction:
    """The answer to a hello of that version with every suite."""
    return _ask(context, f"versions: a hello of at most {registry.version_name(version)}", version, every=True)


def _with_few(context: ProbeContext, version: int, first: Reaction, *, nobody: bool) -> Reaction:
    """The answer to a shorter hello with ordinary groups, for a server that did not understand the long one.

    It is not asked where `first` tells enough. `nobody`: no version was accepted with a long hello.
    """
    if first.accepted or first.alert == _PROTOCOL_VERSION or first.kind is ReactionKind.UNREACHABLE:
        return first
    misread = first.kind in {*MUTE, ReactionKind.HELLO_RETRY_REQUEST}
    if not (nobody or misread or (version >= TLS12 and first.kind is ReactionKind.ALERT)):
        return first
    purpose = f"versions: a hello of at most {registry.version_name(version)}, few suites"
    second = _ask(context, purpose, version, every=False)
    better = second.accepted or (first.kind in MUTE and second.kind is ReactionKind.ALERT)
    return second if better or not (first.refused or misread) else first


def _ask(context: ProbeContext, purpose: str, version: int, *, every: bool) -> Reaction:
    target = context.target
    if version == TLS13:
        suites = hellos.all_tls13_suites() if every else hellos.TLS13_SUITES
        groups = hellos.groups_tls13() if every else hellos.ORDINARY_GROUPS
        return converse_tls13(context, purpose, hellos.tls13_hello(target, suites, groups=groups))
    suites = hellos.all_suites() if every else hellos.ORDINARY_SUITES
    groups = hellos.curves_tls12() if every else hellos.ORDINARY_GROUPS
    hello = hellos.legacy_hello(target, suites, version, groups=groups)
    return converse(context, purpose, hello.to_records(), Manner(see_end=version < TLS12)).reaction


def converse_tls13(context: ProbeContext, purpose: str, hello: ClientHello) -> Reaction:
    """The answer to a hello that offers TLS 1.3; a HelloRetryRequest is answered with the share it asks for."""
    return converse(context, purpose, hello.to_records(), following(hello)).reaction


def following(hello: ClientHello) -> Manner:
    """Answers a HelloRetryRequest to `hello` with the share it asks for."""

    def second(listener: TlsListener) -> bytes | None:
        if listener.retry is None or listener.hello is not None or listener.alert is not None or listener.problem:
            return None
        again = hellos.second_hello(hello, listener.retry)
        return None if again is None else again.to_records(0x0303)

    return Manner(reply=second)


def _ssl2(context: ProbeContext) -> Reaction:
    hello = Ssl2ClientHello(tuple(registry.SSL2_CIPHER_KINDS))
    purpose = "versions: an SSL 2.0 CLIENT-HELLO"

    def ask() -> Reaction:
        return attend(context, purpose, hello.encode(), Ssl2Listener(), Manner(silence_likely=True))

    return settled(context, ask(), ask, lambda reaction: reaction, lambda _reaction, outcome: outcome)


def _all_offered(context: ProbeContext) -> Reaction:
    suites = hellos.TLS13_SUITES + hellos.ORDINARY_SUITES
    hello = hellos.tls13_hello(context.target, suites, versions=(TLS13, TLS12))
    return converse_tls13(context, "versions: TLS 1.3 and 1.2 offered", hello)


def _fallback(context: ProbeContext) -> Reaction:
    suites = (*hellos.ORDINARY_SUITES, registry.FALLBACK_SCSV)
    hello = hellos.legacy_hello(context.target, suites, TLS12)
    return converse(context, "versions: TLS 1.2 with TLS_FALLBACK_SCSV", hello.to_records()).reaction


def supported(facts: Versions | None, version: int) -> bool:
    """Whether `version` was negotiated by a hello of at most that version."""
    reaction = facts.reactions.get(version) if facts else None
    return reaction is not None and reaction.accepted and reaction.version == version


def none_negotiated(facts: Versions | None) -> str:
    """Why there is nothing to ask further, as a sentence."""
    if facts is None:
        return "The protocol versions that the server supports were not established."
    reasons = {reaction.alert for reaction in facts.reactions.values() if reaction.alert is not None}
    alerts = ", ".join(registry.alert_name(alert) for alert in sorted(reasons))
    return "The server negotiated no protocol version" + (f" (alerts: {alerts})." if alerts else ".")
