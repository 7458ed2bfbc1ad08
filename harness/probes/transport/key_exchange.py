"""Hellos of TLS 1.2 and below that are read up to the ServerKeyExchange: groups, parameters, signature schemes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.observations.transport import SSL3, TLS10, TLS11, TLS12, CipherSuites
from harness.probes.base import ProbeContext
from harness.probes.transport import hellos
from harness.probes.transport.exchange import UP_TO_KEY_EXCHANGE, Answer, converse
from reference_impl.transport import registry
from reference_impl.transport.registry import CipherSuite
from reference_impl.transport.wire import (
    Extension,
    HandshakeType,
    ServerKeyExchange,
    WireError,
    parse_server_key_exchange,
)

LEGACY = (TLS12, TLS11, TLS10, SSL3)
NO_SUITES = "The cipher suites that the server accepts were not established."
"""Why nothing is asked that depends on accepted suites."""
_EPHEMERAL = frozenset({"DHE", "ECDHE", "DH_anon", "ECDH_anon"})


@dataclass(frozen=True, slots=True)
class KeyExchange:
    """The answer to a hello and the ServerKeyExchange in it, None where none came (`problem`: why it is unreadable)."""

    answer: Answer
    exchange: ServerKeyExchange | None = None
    problem: str = ""


def ask(
    context: ProbeContext,
    purpose: str,
    suites: Sequence[int],
    version: int = TLS12,
    *,
    groups: Sequence[int] | None = None,
    schemes: Sequence[int] | None = None,
    more: Sequence[Extension] = (),
) -> KeyExchange:
    """Offer `suites` in `version` and read up to the ServerKeyExchange."""
    every = hellos.curves_tls12() if groups is None else groups
    hello = hellos.legacy_hello(context.target, suites, version, groups=every, schemes=schemes, more=more)
    answer = converse(context, purpose, hello.to_records(), UP_TO_KEY_EXCHANGE)
    message = answer.message(HandshakeType.SERVER_KEY_EXCHANGE)
    if message is None or answer.hello is None:
        return KeyExchange(answer)
    selected = registry.suite(answer.hello.cipher_suite)
    try:
        exchange = parse_server_key_exchange(
            message.body, selected.key_exchange, selected.authentication, answer.hello.version
        )
    except WireError as error:
        return KeyExchange(answer, None, str(error))
    return KeyExchange(answer, exchange)


def ephemeral(suites: CipherSuites | None, version: int, *kinds: str) -> list[CipherSuite]:
    """The accepted suites of `version` whose key exchange is among `kinds` (all ephemeral ones without)."""
    of_version = suites.versions.get(version) if suites else None
    wanted = frozenset(kinds) or _EPHEMERAL
    entries = [registry.suite(entry.code) for entry in of_version.accepted] if of_version else []
    return [entry for entry in entries if entry.key_exchange in wanted]


def light(suites: CipherSuites | None, version: int) -> tuple[int, ...]:
    """Accepted suites of `version` that cost the server little: ECDHE with a certificate; all if there are none.

    What is asked does not depend on the suite, and a DHE exchange keeps a small device busy several times longer.
    """
    of_version = suites.versions.get(version) if suites else None
    entries = [registry.suite(entry.code) for entry in of_version.accepted] if of_version else []
    curves = [entry.code for entry in entries if entry.key_exchange == "ECDHE" and entry.authentication != "PSK"]
    return tuple(curves or [entry.code for entry in entries])


def highest(suites: CipherSuites | None, *kinds: str) -> tuple[int, list[CipherSuite]]:
    """The highest version up to TLS 1.2 with accepted suites of these key exchanges, and the suites."""
    for version in LEGACY:
        found = ephemeral(suites, version, *kinds)
        if found:
            return version, found
    return TLS12, []
