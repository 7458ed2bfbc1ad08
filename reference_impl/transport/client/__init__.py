"""The TLS client of the reference implementation: it verifies whom it talks to before it says anything."""

from __future__ import annotations

from reference_impl.tcp import EndedError
from reference_impl.transport.client.channel import ClientChannel
from reference_impl.transport.client.connection import ClientLimits, SecureConnection
from reference_impl.transport.client.refusal import AlertDescription, RefusalError
from reference_impl.transport.client.revocation_online import OnlineRevocation
from reference_impl.transport.client.settings import Check, ClientSettings, settings_for
from reference_impl.transport.client.verification import Trust, Verifier

__all__ = [
    "AlertDescription",
    "Check",
    "ClientChannel",
    "ClientLimits",
    "ClientSettings",
    "EndedError",
    "OnlineRevocation",
    "RefusalError",
    "SecureConnection",
    "Trust",
    "Verifier",
    "settings_for",
]
