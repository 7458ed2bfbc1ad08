"""Faults under retired profiles and older wordings only (``reference_impl/faults/retired_server.toml``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tlslite.handshakesettings import HandshakeSettings

from fixtures.pki import Pki
from reference_impl.transport.faults import suites, versions
from reference_impl.transport.faults.behaviour import Behaviour, in_common
from reference_impl.transport.faults.flights import Flight, choose_identity, dhe
from reference_impl.transport.front import Channel, FrontSettings, Hello, Router, Rule, ScriptedChannel, alert_record
from reference_impl.transport.front.settings import GROUPS, TLS_1_2
from reference_impl.transport.front.tlslite_stack import TlsliteChannel
from reference_impl.transport.profiles import load_profile
from reference_impl.transport.registry import suite
from reference_impl.transport.wire import ServerKeyExchange

_SSL_3_0, _TLS_1_0, _TLS_1_1 = 0x0300, 0x0301, 0x0302
_TRIPLE_DES, _AES, _NULL_MD5 = 0x000A, 0x002F, 0x0001
_HANDSHAKE_FAILURE = 40
_SECP160R1 = 0x0010
_SECP160R1_POINT = bytes.fromhex("044a96b5688ef573284664698968c38bb913cbfc8223a628553168947d59dcc912042351377ac5fb32")
"""The base point of the curve (SEC 2), for a public key: no handshake over it is taken to its end."""
_CBC = 0xC013  # TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, known to every version
_RARE = 0xC011  # TLS_ECDHE_RSA_WITH_RC4_128_SHA


def _without_legacy(*codes: int) -> Behaviour:
    """Do without suites that the node serves by another stack, or selects by a flight alone."""

    def adjust(settings: FrontSettings, _pki: Pki) -> FrontSettings:
        return replace(
            settings,
            legacy_suites=tuple(code for code in settings.legacy_suites if code not in codes),
            flight_suites=tuple(code for code in settings.flight_suites if code not in codes),
        )

    return Behaviour(adjust=adjust)


def _preferring_triple_des() -> Behaviour:
    """Turn the order of the legacy suites round."""
    return Behaviour(
        adjust=lambda settings, _pki: replace(settings, legacy_suites=tuple(reversed(settings.legacy_suites)))
    )


def _encrypting_nothing() -> Behaviour:
    """Serve TLS_RSA_WITH_NULL_MD5 and nothing else."""

    def applies(hello: Hello, _settings: FrontSettings) -> bool:
        return hello.highest_version >= _TLS_1_0

    def answer(hello: Hello, router: Router) -> Channel:
        if _NULL_MD5 not in hello.suites or hello.version < _TLS_1_0:
            return ScriptedChannel((alert_record(_HANDSHAKE_FAILURE),))
        wanted = HandshakeSettings()
        wanted.minVersion, wanted.maxVersion = (3, 1), (3, 3)
        wanted.cipherNames, wanted.macNames, wanted.keyExchangeNames = ["null"], ["md5"], ["rsa"]
        return TlsliteChannel(choose_identity("RSA", router.settings), wanted)

    return Behaviour(rules=(Rule(applies, answer),))


def _choosing_old(version: int) -> Behaviour:
    """Choose `version` where TLS 1.2 is offered as the highest one, with suites for either.

    A client that offers every suite there is, as one does to find out what a server supports, gets TLS 1.2.
    """

    def applies(hello: Hello, settings: FrontSettings) -> bool:
        usual = _CBC in hello.suites and _RARE not in hello.suites
        return hello.highest_version == TLS_1_2 and usual and in_common(hello, settings)

    def answer(_hello: Hello, router: Router) -> Channel:
        wanted = HandshakeSettings()
        wanted.minVersion = wanted.maxVersion = (version >> 8, version & 0xFF)
        wanted.cipherNames, wanted.macNames, wanted.keyExchangeNames = ["aes128"], ["sha"], ["ecdhe_rsa"]
        return TlsliteChannel(choose_identity("RSA", router.settings), wanted)

    return Behaviour(rules=(Rule(applies, answer),))


def _dhe_of_1024_bits() -> Behaviour:
    """Serve the suites of DHE_RSA over a group of 1024 bits."""
    codes = (0x009E, 0x009F)
    return replace(suites.accepting(*codes, exchange=dhe(1024)), adjust=suites.missing(*codes).adjust)


def _over_secp160r1() -> Behaviour:
    """Agree on secp160r1 in TLS 1.2 where the client offers no group that the conforming server takes."""

    def applies(hello: Hello, settings: FrontSettings) -> bool:
        offered = set(hello.groups)
        return (
            TLS_1_2 in hello.versions
            and _SECP160R1 in offered
            and not offered & GROUPS
            and bool(_ecdhe(hello, settings))
        )

    def answer(hello: Hello, router: Router) -> Channel:
        flight = Flight(
            _ecdhe(hello, router.settings)[0],
            exchange=lambda: ServerKeyExchange(_SECP160R1_POINT, group=_SECP160R1),
        )
        return flight.channel(hello, router.settings)

    return Behaviour(rules=(Rule(applies, answer, before_policy=True),))


def _ecdhe(hello: Hello, settings: FrontSettings) -> list[int]:
    """The server's ECDHE suites that the client offers."""
    return [code for code in settings.suites_tls_1_2 if code in hello.suites and suite(code).key_exchange == "ECDHE"]


def _missing() -> dict[str, Behaviour]:
    """One fault for each suite that only a retired profile, or an older wording, requires."""
    gcm = load_profile("B.10").required["TLS 1.2"]
    camellia = load_profile("B.13", "2023b").required["TLS 1.2"]
    found = {code: suites.missing(code) for code in gcm if "_DHE_" in suite(code).name}
    found |= {code: _without_legacy(code) for code in camellia if suite(code).cipher == "CAMELLIA"}
    return {
        f"missing-{suite(code).name.removeprefix('TLS_').lower().replace('_', '-')}": behaviour
        for code, behaviour in found.items()
    }


RETIRED_BEHAVIOURS: Mapping[str, Behaviour] = {
    "ssl-3.0-only": versions.serving_old(_SSL_3_0, only=True),
    "missing-rsa-with-3des-ede-cbc-sha": _without_legacy(_TRIPLE_DES),
    "missing-rsa-with-aes-128-cbc-sha": _without_legacy(_AES),
    "triple-des-preferred": _preferring_triple_des(),
    "null-md5-only": _encrypting_nothing(),
    "tls-1.0-preferred": _choosing_old(_TLS_1_0),
    "tls-1.1-preferred": _choosing_old(_TLS_1_1),
    "dhe-1024-served": _dhe_of_1024_bits(),
    "curve-secp160r1": _over_secp160r1(),
    **_missing(),
}
"""Every such fault by name."""
