"""What a client fault does: other settings, further attempts, another channel, or no certificate to show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from reference_impl.transport.client import ClientSettings
from reference_impl.transport.front import Channel

Adjust: TypeAlias = Callable[[ClientSettings], ClientSettings]
MakeChannel: TypeAlias = Callable[[ClientSettings, str], Channel]


def unchanged(settings: ClientSettings) -> ClientSettings:
    """Leave the settings as they are."""
    return settings


@dataclass(frozen=True)
class ClientBehaviour:
    """A deviation of the client. `adjust` is applied once; `retries` make further attempts after a failed handshake.

    `channel` makes another stack from the settings and the server's name; `shows_certificate` False withholds ours.
    """

    adjust: Adjust = unchanged
    retries: tuple[Adjust, ...] = ()
    channel: MakeChannel | None = None
    shows_certificate: bool = True
