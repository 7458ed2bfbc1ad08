"""What the reference node serves under each TLS profile and edition, where it conforms.

OpenSSL serves what it can. tlslite-ng serves TLS 1.0 to 1.2 with the CBC suites of B.1 and B.3, and asks nobody for a
certificate: these profiles know no duty of mutual authentication. No library completes
a handshake with Camellia-GCM: the node selects these suites by a signed flight, and goes no further.
"""

from __future__ import annotations

from dataclasses import replace

from tlslite.handshakesettings import HandshakeSettings

from reference_impl.transport.faults.behaviour import in_common
from reference_impl.transport.faults.flights import Flight, choose_identity
from reference_impl.transport.front import Channel, FrontSettings, Hello, Router, Rule
from reference_impl.transport.front.settings import SUITES_TLS_1_2, SUITES_TLS_1_3, TLS_1_2
from reference_impl.transport.front.tlslite_stack import TlsliteChannel
from reference_impl.transport.profiles import load_profile
from reference_impl.transport.registry import suite

TLS_1_0 = 0x0301
_ECDHE_GCM = (0xC02C, 0xC030, 0xC02B, 0xC02F)
_WITH_DHE = (0xC02C, 0xC030, 0x009F, 0xC02B, 0xC02F, 0x009E)
_MODERN = SUITES_TLS_1_3["B.12"]
_TLSLITE_NAMES = {"AES": "aes128", "3DES": "3des"}


def serving(settings: FrontSettings, profile: str, edition: str = "") -> FrontSettings:
    """`settings` with the versions and suites that a conforming server of `profile` in `edition` has.

    Raises `UnknownProfileError` for what is no TLS profile, or not in that edition.
    """
    table = load_profile(profile, edition)
    old_wording = table.superseded and not table.retired
    match table.id:
        case "B.1" | "B.3":
            legacy = table.required.get("any") or tuple(c for c in table.derived["any"] if suite(c).cipher != "NULL")
            return replace(
                settings, suites_tls_1_2=_ECDHE_GCM, suites_tls_1_3=(), legacy_suites=legacy, maximum_version=TLS_1_2
            )
        case "B.9" | "B.10":
            return replace(settings, suites_tls_1_2=_WITH_DHE, suites_tls_1_3=_MODERN)
        case "B.11":
            return replace(settings, suites_tls_1_2=_WITH_DHE, suites_tls_1_3=(), maximum_version=TLS_1_2)
        case "B.12" if old_wording:
            return replace(settings, suites_tls_1_2=_WITH_DHE, suites_tls_1_3=_MODERN)
        case "B.13" if old_wording:
            camellia = tuple(code for code in table.required["TLS 1.2"] if suite(code).cipher == "CAMELLIA")
            both = (*SUITES_TLS_1_2["B.13"], 0x009F, 0x009E)
            return replace(settings, suites_tls_1_2=both, suites_tls_1_3=SUITES_TLS_1_3["B.13"], flight_suites=camellia)
        case name:
            return replace(settings, suites_tls_1_2=SUITES_TLS_1_2[name], suites_tls_1_3=SUITES_TLS_1_3[name])


def _takes_legacy(hello: Hello, settings: FrontSettings) -> bool:
    return (
        hello.highest_version >= TLS_1_0
        and bool(set(settings.legacy_suites) & set(hello.suites))
        and not in_common(hello, settings)
    )


def _serve_legacy(hello: Hello, router: Router) -> Channel:
    chosen = next(code for code in router.settings.legacy_suites if code in hello.suites)  # the server's preference
    wanted = HandshakeSettings()
    wanted.minVersion, wanted.maxVersion = (3, 1), (3, 3)
    wanted.cipherNames = [_TLSLITE_NAMES[suite(chosen).cipher]]
    wanted.macNames, wanted.keyExchangeNames = ["sha"], ["rsa"]
    return TlsliteChannel(choose_identity("RSA", router.settings), wanted)


def _takes_flight(hello: Hello, settings: FrontSettings) -> bool:
    return (
        TLS_1_2 in hello.versions
        and settings.minimum_version <= TLS_1_2
        and bool(set(settings.flight_suites) & set(hello.suites))
        and not in_common(hello, settings)
    )


def _begin_flight(hello: Hello, router: Router) -> Channel:
    code = next(code for code in router.settings.flight_suites if code in hello.suites)
    return Flight(code).channel(hello, router.settings)


RULES = (Rule(_takes_legacy, _serve_legacy), Rule(_takes_flight, _begin_flight))
"""What is asked for each ClientHello after the rules of faults; without such suites in the settings they do nothing."""
