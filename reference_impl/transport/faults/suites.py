"""Faults that accept, refuse or prefer cipher suites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tlslite.handshakesettings import HandshakeSettings

from fixtures.pki import Pki
from reference_impl.transport import registry
from reference_impl.transport.faults.behaviour import Behaviour, in_common
from reference_impl.transport.faults.flights import Exchange, Flight, choose_identity, tls_1_3_hello
from reference_impl.transport.front import Channel, FrontSettings, Hello, Router, Rule
from reference_impl.transport.front.settings import TLS_1_2, TLS_1_3
from reference_impl.transport.front.tlslite_stack import TlsliteChannel


def accepting(
    *codes: int,
    exchange: Exchange | None = None,
    minimum_groups: Sequence[int] = (),
    stack: HandshakeSettings | None = None,
    anonymous: bool = False,
) -> Behaviour:
    """Accept TLS 1.2 suites that the conforming server refuses, where `hello` leaves it none of its own.

    The answer is a signed flight with `exchange`, or with `stack` a whole handshake by tlslite-ng. With
    `minimum_groups` the hello has to offer one of these groups.
    """

    def applies(hello: Hello, settings: FrontSettings) -> bool:
        return (
            TLS_1_2 in hello.versions
            and bool(set(codes) & set(hello.suites))
            and not in_common(hello, settings)
            and (not minimum_groups or bool(set(minimum_groups) & set(hello.groups)))
        )

    def answer(hello: Hello, router: Router) -> Channel:
        code = next(code for code in hello.suites if code in codes)
        if stack is not None:
            identity = choose_identity(registry.suite(code).authentication, router.settings)
            return TlsliteChannel(identity, stack, anonymous)
        return Flight(code, exchange=exchange).channel(hello, router.settings)

    return Behaviour(rules=(Rule(applies, answer),))


def accepting_in_tls_1_3(*codes: int) -> Behaviour:
    """Select one of `codes` in TLS 1.3 where the conforming server has no suite in common with the client."""

    def applies(hello: Hello, settings: FrontSettings) -> bool:
        return TLS_1_3 in hello.versions and bool(set(codes) & set(hello.suites)) and not in_common(hello, settings)

    def answer(hello: Hello, _router: Router) -> Channel:
        return tls_1_3_hello(next(code for code in hello.suites if code in codes), hello)

    return Behaviour(rules=(Rule(applies, answer),))


def preferring(code: int) -> Behaviour:
    """Serve `code` with OpenSSL, before the TLS 1.2 suites of the profile."""

    def adjust(settings: FrontSettings, _pki: Pki) -> FrontSettings:
        return replace(settings, suites_tls_1_2=(code, *settings.suites_tls_1_2))

    return Behaviour(adjust=adjust)


def serving_also(*codes: int) -> Behaviour:
    """Serve further TLS 1.2 suites with OpenSSL, after those of the profile."""

    def adjust(settings: FrontSettings, _pki: Pki) -> FrontSettings:
        return replace(settings, suites_tls_1_2=(*settings.suites_tls_1_2, *codes))

    return Behaviour(adjust=adjust)


def missing(*codes: int) -> Behaviour:
    """Do without suites that the profile's server has."""

    def adjust(settings: FrontSettings, _pki: Pki) -> FrontSettings:
        return replace(
            settings,
            suites_tls_1_2=tuple(c for c in settings.suites_tls_1_2 if c not in codes),
            suites_tls_1_3=tuple(c for c in settings.suites_tls_1_3 if c not in codes),
        )

    return Behaviour(adjust=adjust)


def serving_only(*codes: int) -> Behaviour:
    """Serve nothing but these suites in TLS 1.2."""

    def adjust(settings: FrontSettings, _pki: Pki) -> FrontSettings:
        return replace(settings, suites_tls_1_2=codes, legacy_suites=(), flight_suites=())

    return Behaviour(adjust=adjust)


def without_recommended(*codes: int, instead: Sequence[int]) -> Behaviour:
    """Do without the recommended suites `codes`, serving `instead`."""

    def adjust(settings: FrontSettings, _pki: Pki) -> FrontSettings:
        kept = tuple(c for c in settings.suites_tls_1_2 if c not in codes)
        return replace(settings, suites_tls_1_2=(*kept, *(c for c in instead if c not in kept)))

    return Behaviour(adjust=adjust)


def tlslite(ciphers: Sequence[str], macs: Sequence[str], exchanges: Sequence[str]) -> HandshakeSettings:
    """Return settings for a TLS 1.2 server of tlslite-ng with these ciphers, MACs and key exchanges."""
    settings = HandshakeSettings()
    settings.minVersion, settings.maxVersion = (3, 3), (3, 3)
    settings.cipherNames, settings.macNames = list(ciphers), list(macs)
    settings.keyExchangeNames = list(exchanges)
    return settings
