"""Which stack answers a connection: rules of faults first where they say so, then the policy, then OpenSSL."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from OpenSSL import SSL

from reference_impl.transport import registry
from reference_impl.transport.front.channel import Channel, ScriptedChannel, alert_record
from reference_impl.transport.front.hello import SIGNATURE_ALGORITHMS, Hello, Opening, OpeningKind
from reference_impl.transport.front.openssl import CCM_8, OpenSslChannel, build_context
from reference_impl.transport.front.settings import (
    GROUPS,
    TLS_1_2,
    TLS_1_3,
    FrontSettings,
)

HANDSHAKE_FAILURE, UNEXPECTED_MESSAGE, PROTOCOL_VERSION, NO_APPLICATION_PROTOCOL = 40, 10, 70, 120
_PSS_KEYS = frozenset({0x0809, 0x080A, 0x080B})  # for keys of the type RSASSA-PSS, which the server has none of
_EC_SIGNATURES = frozenset({"ecdsa", "eddsa", "ed25519", "ed448"})

Predicate: TypeAlias = Callable[[Hello, FrontSettings], bool]
Handler: TypeAlias = Callable[[Hello, "Router"], Channel]
Unprotected: TypeAlias = Callable[[Opening, "Router"], Channel | None]
"""Answers an opening that is no TLS record, or leaves it to others (None)."""


@dataclass(frozen=True)
class Rule:
    """A deviation: connections whose ClientHello fulfils `applies` get the channel that `answer` makes.

    With `before_policy` it also takes those that the conforming server refuses before it looks at suites
    (unknown names, unknown protocols, no usable signature scheme or group).
    """

    applies: Predicate
    answer: Handler
    before_policy: bool = False


class Router:
    """Chooses the channel for an opening. Contexts are made when first needed and kept."""

    def __init__(
        self,
        settings: FrontSettings,
        rules: Sequence[Rule] = (),
        unprotected: Sequence[Unprotected] = (),
    ) -> None:
        self.settings = settings
        self.rules = tuple(rules)
        self.unprotected = tuple(unprotected)
        self._contexts: dict[tuple[FrontSettings, int], SSL.Context] = {}

    def context(self, settings: FrontSettings | None = None, security_level: int | None = None) -> SSL.Context:
        """Return the OpenSSL context for `settings` (the router's own by default)."""
        chosen = settings or self.settings
        level = chosen.security_level if security_level is None else security_level
        key = (chosen, level)
        if key not in self._contexts:
            self._contexts[key] = build_context(chosen, level)
        return self._contexts[key]

    def channel(self, opening: Opening) -> Channel:
        """Return the channel that answers `opening`."""
        if opening.kind in (OpeningKind.PLAINTEXT, OpeningKind.SSL2):
            for answer in self.unprotected:
                channel = answer(opening, self)
                if channel is not None:
                    return channel
            return ScriptedChannel((alert_record(UNEXPECTED_MESSAGE, version=0x0301),))
        hello = opening.hello
        if hello is None:
            return OpenSslChannel(self.context())
        rule = self._rule(hello, before_policy=True)
        alert = None if rule else refusal(hello, self.settings)
        if alert is not None:
            return ScriptedChannel((alert_record(alert),))
        rule = rule or self._rule(hello, before_policy=False)
        return rule.answer(hello, self) if rule else self.conforming(hello)

    def conforming(self, hello: Hello, settings: FrontSettings | None = None) -> Channel:
        """Return the conforming stack's channel for `hello`."""
        chosen = settings or self.settings
        if hello.highest_version < TLS_1_2:
            # OpenSSL says handshake_failure to SSL 3.0, and no more than protocol_version to the others.
            version = min(max(hello.version, 0x0300), 0x0303)
            return ScriptedChannel((alert_record(PROTOCOL_VERSION, version=version),))
        if hello.highest_version == TLS_1_2 and hello.signature_schemes:
            # OpenSSL would sign with SHA-224 (at a low security level with SHA-1) where the client offers no better.
            kept = signing_suites(hello, chosen)
            if kept.isdisjoint(hello.suites) and not set(chosen.suites_tls_1_2).isdisjoint(hello.suites):
                return ScriptedChannel((alert_record(HANDSHAKE_FAILURE),))
            chosen = replace(chosen, suites_tls_1_2=tuple(c for c in chosen.suites_tls_1_2 if c in kept))
        level = 0 if _only_ccm_8(hello, chosen) else chosen.security_level
        return OpenSslChannel(self.context(chosen, level))

    def _rule(self, hello: Hello, *, before_policy: bool) -> Rule | None:
        for rule in self.rules:
            if rule.before_policy is before_policy and rule.applies(hello, self.settings):
                return rule
        return None


def signing_suites(hello: Hello, settings: FrontSettings) -> frozenset[int]:
    """The server's TLS 1.2 suites that need no signature, or one by a scheme that it has in common with `hello`."""
    schemes = set(hello.signature_schemes) & settings.signature_schemes
    kinds = {
        "ECDSA" if registry.signature_scheme(s).signature in _EC_SIGNATURES else "RSA" for s in schemes - _PSS_KEYS
    }
    suites = (registry.suite(code) for code in settings.suites_tls_1_2)
    return frozenset(suite.code for suite in suites if suite.key_exchange == "RSA" or suite.authentication in kinds)


def refusal(hello: Hello, settings: FrontSettings) -> int | None:
    """Return the fatal alert with which the policy refuses `hello` before any stack sees it, or None.

    RFC 9325 3.7 (names), RFC 7301 3.2 (protocols), RFC 9325 4.5 (curves, handshake hashes).
    """
    if hello.highest_version < TLS_1_2:
        return None
    if settings.unknown_name_alert is not None and not is_known_name(hello.server_name, settings):
        return settings.unknown_name_alert
    if settings.refuse_unknown_protocols and hello.protocols and not set(hello.protocols) & set(settings.protocols):
        return NO_APPLICATION_PROTOCOL
    schemes = set(hello.signature_schemes)
    unusable = bool(schemes) and not schemes & settings.signature_schemes
    # Without the extension a TLS 1.2 client asks for SHA-1 (RFC 5246 7.4.1.4.1).
    silent = SIGNATURE_ALGORITHMS not in hello.extensions and hello.highest_version == TLS_1_2
    weak = bool(hello.groups) and not set(hello.groups) & GROUPS
    if unusable or silent or weak:
        return HANDSHAKE_FAILURE
    return None


def is_known_name(name: str | None, settings: FrontSettings) -> bool:
    """Whether a client may ask for `name`: none at all, one of the settings', or an address."""
    if name is None or name.rstrip(".") in settings.server_names:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _only_ccm_8(hello: Hello, settings: FrontSettings) -> bool:
    """Whether a CCM_8 suite is all that this server and `hello` have in common."""
    if TLS_1_3 in hello.versions and settings.maximum_version >= TLS_1_3:
        common = set(hello.suites) & set(settings.suites_tls_1_3)
        if common:
            return common <= CCM_8
    common = set(hello.suites) & set(settings.suites_tls_1_2)
    return bool(common) and common <= CCM_8
