"""How an archive treats instances: what it takes, what becomes of them, what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from reference_impl.storage.part10 import Instance

SYNTAXES: tuple[str, ...] = tuple(
    str(one)
    for one in (
        ExplicitVRLittleEndian,
        DeflatedExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        JPEGBaseline8Bit,
        JPEGExtended12Bit,
        JPEGLossless,
        JPEGLosslessSV1,
        JPEGLSLossless,
        JPEGLSNearLossless,
        JPEG2000Lossless,
        JPEG2000,
        RLELossless,
        ImplicitVRLittleEndian,
    )
)
"""The transfer syntaxes that are taken, those of explicit VR first."""
IMPLICIT = str(ImplicitVRLittleEndian)
EXPLICIT = str(ExplicitVRLittleEndian)

Treatment: TypeAlias = Callable[[Instance], Instance]
"""What becomes of an instance. Raises `RefusedError` where it is not taken."""


class RefusedError(Exception):
    """The instance is not taken; `status` is that of the C-STORE response."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class StorerBehaviour:
    """One way of treating instances. `on_receipt` and `on_sending` are applied in the order of the behaviours."""

    syntaxes: tuple[str, ...] = SYNTAXES
    on_receipt: Treatment | None = None
    on_sending: Treatment | None = None
