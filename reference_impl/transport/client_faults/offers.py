"""Deviations of what the client offers and takes: versions, suites, groups, schemes, extensions."""

from __future__ import annotations

from dataclasses import replace

from reference_impl.transport.client import ClientSettings
from reference_impl.transport.client.settings import P_256, X25519
from reference_impl.transport.client_faults.attempts import early_data_extensions
from reference_impl.transport.client_faults.behaviour import Adjust, ClientBehaviour, both, deviating, offering
from reference_impl.transport.protection.records import key_shape
from reference_impl.transport.registry import suite
from reference_impl.transport.wire import TLS12, TLS13

_STATIC = {"DH", "ECDH"}


def using(code: int, *, first: bool = False) -> Adjust:
    """Offer the suite `code` too, last or first, and take it; only its handshake where its records are not spoken."""

    def adjust(settings: ClientSettings) -> ClientSettings:
        suites = (code, *settings.suites) if first else (*settings.suites, code)
        spoken = key_shape(code) is not None and suite(code).key_exchange not in _STATIC
        pretended = settings.deviations.pretended | (frozenset() if spoken else {code})
        return replace(settings, suites=suites, deviations=replace(settings.deviations, pretended=pretended))

    return adjust


def taking(code: int) -> ClientBehaviour:
    """Offer and take the suite `code` beside the others."""
    return ClientBehaviour(using(code))


def only_offering(code: int) -> ClientBehaviour:
    """Offer the suite `code`, and refuse it when it is chosen."""
    return ClientBehaviour(both(using(code), deviating(untaken=frozenset({code}))))


def taking_unasked(*codes: int) -> ClientBehaviour:
    """Take suites that were not offered."""
    return ClientBehaviour(deviating(taken=frozenset(codes)))


def preferring(code: int) -> ClientBehaviour:
    """Name the suite `code` before all others."""
    return ClientBehaviour(using(code, first=True))


def proposing_first(code: int) -> ClientBehaviour:
    """Name `code`, which is offered anyway, first among the suites of TLS 1.2."""

    def adjust(settings: ClientSettings) -> ClientSettings:
        others = [one for one in settings.suites if one != code]
        place = next(at for at, one in enumerate(others) if one >> 8 != 0x13)
        return replace(settings, suites=(*others[:place], code, *others[place:]))

    return ClientBehaviour(adjust)


def with_tls_1_2_only_by(code: int) -> ClientBehaviour:
    """Offer TLS 1.3 as usual, and for TLS 1.2 one suite alone."""

    def adjust(settings: ClientSettings) -> ClientSettings:
        return replace(settings, suites=(*(one for one in settings.suites if one >> 8 == 0x13), code))

    return ClientBehaviour(adjust)


def without_suites(*codes: int) -> ClientBehaviour:
    """Leave suites out."""

    def adjust(settings: ClientSettings) -> ClientSettings:
        return replace(settings, suites=tuple(one for one in settings.suites if one not in codes))

    return ClientBehaviour(adjust)


def only_suites(*codes: int) -> ClientBehaviour:
    """Offer TLS 1.2 and these suites alone."""
    return ClientBehaviour(offering(suites=codes, versions=(TLS12,)))


def only_version(version: int) -> ClientBehaviour:
    """Offer TLS 1.2 or TLS 1.3 alone."""

    def adjust(settings: ClientSettings) -> ClientSettings:
        suites = tuple(one for one in settings.suites if (one >> 8 == 0x13) == (version >= TLS13))
        return replace(settings, versions=(version,), suites=suites)

    return ClientBehaviour(adjust)


def only_old_version(version: int, *suites: int) -> ClientBehaviour:
    """Offer TLS 1.0 or 1.1 alone, with these suites."""
    return ClientBehaviour(offering(versions=(version,), suites=suites, schemes=(), certificate_schemes=()))


def accepting_version(version: int) -> ClientBehaviour:
    """Offer an old version after the good ones, and take it with whatever suite the server chooses."""

    def adjust(settings: ClientSettings) -> ClientSettings:
        return replace(settings, versions=(*settings.versions, version))

    return ClientBehaviour(both(adjust, deviating(any_below=TLS12)))


def without_group(group: int) -> ClientBehaviour:
    """Leave a group out of supported_groups and of the key shares."""

    def adjust(settings: ClientSettings) -> ClientSettings:
        groups = tuple(one for one in settings.groups if one != group)
        shares = tuple(one for one in settings.shares if one != group)
        return replace(settings, groups=groups, shares=shares)

    return ClientBehaviour(adjust)


def accepting_group(*groups: int | None) -> ClientBehaviour:
    """Go on with groups that were not offered, sending public values that are none; None: an explicit curve."""
    return ClientBehaviour(deviating(pretended_groups=frozenset(groups)))


def without_supported_groups() -> ClientBehaviour:
    """Speak TLS 1.2 without supported_groups, and take what curve comes."""
    older = only_version(TLS12).adjust
    implied = deviating(implied_groups=frozenset({X25519, P_256, 0x0018, 0x0019}))
    return ClientBehaviour(both(older, offering(groups=(), shares=()), implied))


def accepting_schemes(*schemes: int) -> ClientBehaviour:
    """Offer further signature schemes, and take them."""

    def adjust(settings: ClientSettings) -> ClientSettings:
        return replace(settings, schemes=(*settings.schemes, *schemes))

    return ClientBehaviour(adjust)


def sending_early_data() -> ClientBehaviour:
    """Announce early data with a ticket."""
    return ClientBehaviour(offering(extra_extensions=early_data_extensions()))
