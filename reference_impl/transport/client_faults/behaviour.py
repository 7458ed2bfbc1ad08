"""What a client fault does: another offer, leniency, attempts before or after the usual one, another certificate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from fixtures.pki import CertificateSpec
from reference_impl.transport.client import ClientChannel, ClientSettings
from reference_impl.transport.front import Channel

Adjust: TypeAlias = Callable[[ClientSettings], ClientSettings]
MakeChannel: TypeAlias = Callable[[ClientSettings, str], Channel]


def unchanged(settings: ClientSettings) -> ClientSettings:
    """Leave the settings as they are."""
    return settings


@dataclass(frozen=True)
class Attempt:
    """One connection: its settings, and instead of the usual channel one of `channel` (settings, server's name)."""

    adjust: Adjust = unchanged
    channel: MakeChannel | None = None


@dataclass(frozen=True)
class ClientBehaviour:
    """A deviation of the client. `adjust` holds for every attempt.

    `before` are attempts that are made first, each next one if the one before failed; `after_failure` follow where the
    server would not shake hands. Whatever becomes of them, `at_first` are made before the client's first attempt of
    all, `after_tls_1_2` where the connection before was one of TLS 1.2. `shows` is the certificate (and the authority
    of `fixtures.pki.Pki` that signs it) that the client shows, with `shows_nothing` there is none; `stack` is its TLS.
    """

    adjust: Adjust = unchanged
    before: tuple[Attempt, ...] = ()
    after_failure: tuple[Attempt, ...] = ()
    at_first: tuple[Attempt, ...] = ()
    after_tls_1_2: tuple[Attempt, ...] = ()
    shows: tuple[CertificateSpec, str] | None = None
    shows_nothing: bool = False
    stack: type[ClientChannel] = ClientChannel


def deviating(**changes: Any) -> Adjust:
    """Settings with these fields of `Deviations` added to or replaced."""

    def adjust(settings: ClientSettings) -> ClientSettings:
        present = settings.deviations
        merged = {
            name: getattr(present, name) | value if isinstance(value, frozenset) else value
            for name, value in changes.items()
        }
        return replace(settings, deviations=replace(present, **merged))

    return adjust


def offering(**changes: Any) -> Adjust:
    """Settings with these fields of `ClientSettings` replaced."""
    return lambda settings: replace(settings, **changes)


def both(*adjusts: Adjust) -> Adjust:
    """One adjustment after the other."""

    def adjust(settings: ClientSettings) -> ClientSettings:
        for each in adjusts:
            settings = each(settings)
        return settings

    return adjust
