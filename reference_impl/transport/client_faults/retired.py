"""Client faults under retired profiles and older wordings (``reference_impl/faults/retired_client.toml``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from reference_impl.transport.client import ClientSettings
from reference_impl.transport.client.settings import Check
from reference_impl.transport.client_faults import attempts, offers
from reference_impl.transport.client_faults.behaviour import ClientBehaviour, both, deviating, offering
from reference_impl.transport.profiles import load_profile
from reference_impl.transport.registry import suite
from reference_impl.transport.wire import SSL3, TLS11, TLS12, TLS13

_AES, _TRIPLE_DES, _NULL_MD5, _CBC = 0x002F, 0x000A, 0x0001, 0xC027
_SECP160R1 = 0x0010
_TLS_1_3_SUITES = (0x1302, 0x1303, 0x1301)


def _naming_triple_des_first() -> ClientBehaviour:
    """Name the two suites of B.3 the other way round."""

    def adjust(settings: ClientSettings) -> ClientSettings:
        others = tuple(code for code in settings.suites if code not in {_AES, _TRIPLE_DES})
        return replace(settings, suites=(*others, _TRIPLE_DES, _AES))

    return ClientBehaviour(adjust)


def _naming_tls_1_1_first() -> ClientBehaviour:
    """Name TLS 1.1 before TLS 1.2, and take it with whatever suite the server chooses."""

    def adjust(settings: ClientSettings) -> ClientSettings:
        newer = tuple(version for version in settings.versions if version > TLS12)
        return replace(settings, versions=(*newer, TLS11, TLS12))

    return ClientBehaviour(both(adjust, deviating(any_below=TLS12)))


def _offering_group(code: int) -> ClientBehaviour:
    """Offer a group after the others."""
    return ClientBehaviour(lambda settings: replace(settings, groups=(*settings.groups, code)))


def _missing() -> dict[str, ClientBehaviour]:
    """One fault for each suite that a retired profile requires."""
    codes = (*load_profile("B.3").required["any"], *load_profile("B.10").required["TLS 1.2"])
    return {
        f"offers-no-{suite(code).name.removeprefix('TLS_').lower().replace('_', '-')}": offers.without_suites(code)
        for code in codes
    }


RETIRED_CLIENT_BEHAVIOURS: Mapping[str, ClientBehaviour] = {
    "offers-only-tls-1.3": ClientBehaviour(offering(versions=(TLS13,), suites=_TLS_1_3_SUITES)),
    "offers-only-null-md5": offers.only_suites(_NULL_MD5),
    "names-3des-before-aes": _naming_triple_des_first(),
    "names-tls-1.1-before-1.2": _naming_tls_1_1_first(),
    "falls-back-to-ssl-3.0": ClientBehaviour(after_failure=(attempts.in_old_version(SSL3),)),
    "proposes-weaker-suite-first": offers.preferring(_CBC),
    "sends-no-point-formats": ClientBehaviour(offering(point_formats=())),
    "offers-secp160r1": _offering_group(_SECP160R1),
    "takes-dhe-1024": ClientBehaviour(deviating(ignores=frozenset({Check.DHE_BITS}))),
    "offers-no-further-suites": offers.without_suites(*load_profile("B.11").optional["TLS 1.2"]),
    **_missing(),
}
"""Every such fault by name."""
