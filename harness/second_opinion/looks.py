"""The second look: one suite or one group, offered alone, with the exchange engine of the probes."""

from __future__ import annotations

from harness.observations import Reaction, ReactionKind
from harness.observations.transport import SSL2, TLS12, TLS13
from harness.probes.base import ProbeContext
from harness.probes.transport.exchange import UP_TO_KEY_EXCHANGE, Answer, attend, converse
from harness.probes.transport.hellos import ORDINARY_SUITES, legacy_hello, tls13_hello
from harness.probes.transport.listening import Ssl2Listener
from harness.probes.transport.versions import following
from reference_impl.transport.registry import suite
from reference_impl.transport.wire import (
    ClientHello,
    HandshakeType,
    Ssl2ClientHello,
    WireError,
    parse_server_key_exchange,
)


def suite_reaction(context: ProbeContext, version: int, code: int) -> Reaction:
    """Offer the suite `code` alone in `version`; accepted only if the server selected it in that version."""
    purpose = f"second look: suite 0x{code:04X}"
    if version == SSL2:
        hello = Ssl2ClientHello(cipher_kinds=(code,)).encode()
        return attend(context, purpose, hello, Ssl2Listener())
    if version == TLS13:
        answer = _ask_tls13(context, purpose, tls13_hello(context.target, (code,)))
    else:
        answer = converse(context, purpose, legacy_hello(context.target, (code,), version).to_records())
    chosen = answer.hello is not None and (answer.hello.version, answer.hello.cipher_suite) == (version, code)
    return _only_if(chosen, answer.reaction)


def group_reaction(context: ProbeContext, version: int, code: int) -> Reaction:
    """Offer the group `code` alone, with ordinary ECDHE suites; accepted only if the server used it.

    A TLS 1.3 group needs a key share, which is made when a HelloRetryRequest names it.
    """
    purpose = f"second look: group 0x{code:04X}"
    if version == TLS13:
        answer = _ask_tls13(context, purpose, tls13_hello(context.target, groups=(code,), shares=()))
        return _only_if(answer.hello is not None and answer.hello.selected_group == code, answer.reaction)
    suites = [each for each in ORDINARY_SUITES if suite(each).key_exchange == "ECDHE"]
    hello = legacy_hello(context.target, suites, TLS12, groups=(code,))
    answer = converse(context, purpose, hello.to_records(), UP_TO_KEY_EXCHANGE)
    return _only_if(_group_of(answer) == code, answer.reaction)


def _ask_tls13(context: ProbeContext, purpose: str, hello: ClientHello) -> Answer:
    return converse(context, purpose, hello.to_records(), following(hello))


def _group_of(answer: Answer) -> int | None:
    message = answer.message(HandshakeType.SERVER_KEY_EXCHANGE)
    if message is None or answer.hello is None:
        return None
    try:
        chosen = suite(answer.hello.cipher_suite)
        parsed = parse_server_key_exchange(
            message.body, chosen.key_exchange, chosen.authentication, answer.hello.version
        )
    except WireError:
        return None
    return parsed.group


def _only_if(chosen: bool, reaction: Reaction) -> Reaction:
    """`reaction`, or the same as a malformed one where the server accepted something other than what was offered."""
    if chosen or not reaction.accepted:
        return reaction
    return reaction.model_copy(update={"kind": ReactionKind.MALFORMED, "detail": "something else was accepted"})
