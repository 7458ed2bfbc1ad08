"""What a fault does to the front: other settings, rules for certain hellos, or another answer to what is not TLS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from fixtures.pki import Pki
from reference_impl.transport.front import FrontSettings, Hello, Rule, Unprotected
from reference_impl.transport.front.settings import TLS_1_2, TLS_1_3

Adjust: TypeAlias = Callable[[FrontSettings, Pki], FrontSettings]


def unchanged(settings: FrontSettings, _pki: Pki) -> FrontSettings:
    """Leave the settings as they are."""
    return settings


@dataclass(frozen=True)
class Behaviour:
    """A deviation. `adjust` is applied before anything is served, `rules` are asked for each ClientHello.

    `unprotected` answers openings that are not TLS records; `anchors` names further authorities that clients have to
    trust; `shares_port` lets DICOM and HTTP both be answered, whichever of them the port is for; `echo_status` is what
    C-ECHO is answered with.
    """

    rules: tuple[Rule, ...] = ()
    adjust: Adjust = unchanged
    unprotected: Unprotected | None = None
    anchors: tuple[str, ...] = ()
    shares_port: bool = False
    echo_status: int = 0x0000


def in_common(hello: Hello, settings: FrontSettings) -> bool:
    """Whether the conforming server finds a suite in `hello`, so that a fault need not step in."""
    offered = set(hello.suites)
    in_1_3 = TLS_1_3 in hello.versions and settings.maximum_version >= TLS_1_3
    in_1_2 = TLS_1_2 in hello.versions and settings.minimum_version <= TLS_1_2
    return bool(
        (in_1_3 and offered & set(settings.suites_tls_1_3)) or (in_1_2 and offered & set(settings.suites_tls_1_2))
    )


def only_tls_1_2(hello: Hello) -> bool:
    """Whether TLS 1.2 is the highest version of `hello`."""
    return hello.highest_version == TLS_1_2
