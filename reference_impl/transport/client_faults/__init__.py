"""What each fault of the reference client does. What it breaks stands in ``reference_impl/client_faults.toml``."""

from __future__ import annotations

from collections.abc import Mapping

from reference_impl.transport.client_faults.behaviour import ClientBehaviour

CLIENT_BEHAVIOURS: Mapping[str, ClientBehaviour] = {}
"""Every fault of the TLS client by name."""

__all__ = ["CLIENT_BEHAVIOURS", "ClientBehaviour"]
