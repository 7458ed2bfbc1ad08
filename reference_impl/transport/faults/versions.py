"""Faults of protocol versions: old ones served, required ones not, intolerance, wrong alerts, no sentinel."""

from __future__ import annotations

import os
from dataclasses import replace

from tlslite.handshakesettings import HandshakeSettings
from tlslite.mathtls import RFC7919_GROUPS

from reference_impl.transport import registry
from reference_impl.transport.faults.behaviour import Behaviour, only_tls_1_2
from reference_impl.transport.faults.flights import chain_der, choose_identity
from reference_impl.transport.front import (
    Channel,
    FrontSettings,
    Hello,
    Opening,
    OpeningKind,
    Router,
    Rule,
    ScriptedChannel,
    alert_record,
)
from reference_impl.transport.front.hello import SUPPORTED_VERSIONS
from reference_impl.transport.front.router import Predicate
from reference_impl.transport.front.settings import TLS_1_2, TLS_1_3
from reference_impl.transport.front.tlslite_stack import TlsliteChannel
from reference_impl.transport.wire import Ssl2ServerHello

HANDSHAKE_FAILURE, PROTOCOL_VERSION, ILLEGAL_PARAMETER = 40, 70, 47
_KNOWN_EXTENSIONS = frozenset({*range(28), 35, *range(41, 52), 0xFF01, 0x3374})


def serving_old(version: int, *, only: bool = False) -> Behaviour:
    """Serve `version` (SSL 3.0 to TLS 1.1) with CBC suites by tlslite-ng; with `only`, to newer clients as well."""

    def applies(hello: Hello, _settings: FrontSettings) -> bool:
        return hello.highest_version == version or (only and hello.version >= version)

    def answer(hello: Hello, router: Router) -> Channel:
        if SUPPORTED_VERSIONS in hello.extensions and version not in hello.versions:
            return ScriptedChannel((alert_record(PROTOCOL_VERSION, version=version),))  # RFC 8446 4.2.1
        settings = HandshakeSettings()
        settings.minVersion = settings.maxVersion = (version >> 8, version & 0xFF)
        settings.cipherNames, settings.macNames = ["aes128", "aes256"], ["sha"]
        settings.keyExchangeNames = ["dhe_rsa"] if version == 0x0300 else ["ecdhe_rsa"]
        settings.dhParams = RFC7919_GROUPS[0]
        return TlsliteChannel(choose_identity("RSA", router.settings), settings)

    return Behaviour(rules=(Rule(applies, answer),))


def serving_ssl2() -> Behaviour:
    """Answer an SSL 2.0 hello by a SERVER-HELLO with the first cipher kind that the client names."""

    def answer(opening: Opening, router: Router) -> Channel | None:
        if opening.kind is not OpeningKind.SSL2:
            return None
        known = tuple(kind for kind in registry.SSL2_CIPHER_KINDS if kind.to_bytes(3, "big") in opening.data)
        leaf = chain_der(choose_identity("RSA", router.settings))[0]
        said = Ssl2ServerHello(known or (0x010080,), leaf, connection_id=os.urandom(16)).encode()
        return ScriptedChannel((said, b""))

    return Behaviour(unprotected=answer)


def without_tls_1_2() -> Behaviour:
    """Serve TLS 1.3 alone."""
    return Behaviour(adjust=lambda settings, _pki: replace(settings, minimum_version=TLS_1_3))


def without_tls_1_3() -> Behaviour:
    """Serve TLS 1.2 alone."""
    return Behaviour(adjust=lambda settings, _pki: replace(settings, maximum_version=TLS_1_2))


def preferring_tls_1_2() -> Behaviour:
    """Choose TLS 1.2 where the client offers it beside TLS 1.3."""

    def applies(hello: Hello, settings: FrontSettings) -> bool:
        return {TLS_1_2, TLS_1_3} <= set(hello.versions) and bool(set(hello.suites) & set(settings.suites_tls_1_2))

    return Behaviour(rules=(Rule(applies, _limited_to_tls_1_2),))


def without_sentinel() -> Behaviour:
    """Leave the downgrade sentinel out where a client of at most TLS 1.2 is answered."""

    def applies(hello: Hello, _settings: FrontSettings) -> bool:
        return only_tls_1_2(hello)

    return Behaviour(rules=(Rule(applies, _limited_to_tls_1_2),))


def _limited_to_tls_1_2(hello: Hello, router: Router) -> Channel:
    return router.conforming(hello, replace(router.settings, maximum_version=TLS_1_2))


def refusing_by(alert: int, version: int) -> Behaviour:
    """Refuse a hello whose highest version is `version` by another alert than protocol_version."""

    def applies(hello: Hello, _settings: FrontSettings) -> bool:
        return hello.highest_version == version

    def answer(_hello: Hello, _router: Router) -> Channel:
        return ScriptedChannel((alert_record(alert, version=version),))

    return Behaviour(rules=(Rule(applies, answer),))


def intolerant_of_versions() -> Behaviour:
    """Refuse a client_version above TLS 1.2 instead of answering with TLS 1.2."""

    def applies(hello: Hello, _settings: FrontSettings) -> bool:
        return hello.version > TLS_1_2 and SUPPORTED_VERSIONS not in hello.extensions

    return _refusing(applies, PROTOCOL_VERSION)


def intolerant_of_extensions() -> Behaviour:
    """Refuse a TLS 1.2 hello with an extension that is not registered."""

    def applies(hello: Hello, _settings: FrontSettings) -> bool:
        return only_tls_1_2(hello) and bool(set(hello.extensions) - _KNOWN_EXTENSIONS)

    return _refusing(applies, HANDSHAKE_FAILURE)


def intolerant_of_grease() -> Behaviour:
    """Refuse a TLS 1.3 hello whose supported_versions names an unknown version (RFC 8701)."""

    def applies(hello: Hello, _settings: FrontSettings) -> bool:
        return TLS_1_3 in hello.versions and any(version > TLS_1_3 for version in hello.versions)

    return _refusing(applies, ILLEGAL_PARAMETER)


def intolerant_of_record_versions() -> Behaviour:
    """Refuse a ClientHello whose record says another version than {03,01} or {03,03}."""

    def applies(hello: Hello, _settings: FrontSettings) -> bool:
        return hello.highest_version >= TLS_1_2 and hello.record_version not in (0x0301, 0x0303)

    return _refusing(applies, PROTOCOL_VERSION)


def _refusing(applies: Predicate, alert: int) -> Behaviour:
    def answer(_hello: Hello, _router: Router) -> Channel:
        return ScriptedChannel((alert_record(alert),))

    return Behaviour(rules=(Rule(applies, answer, before_policy=True),))
