"""Client faults that show beside the profiles of Annex B only: as a syslog sender, or by IHE. What they break:
``reference_impl/faults/beside_client.toml``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reference_impl.transport.client import ClientChannel
from reference_impl.transport.client_faults import offers
from reference_impl.transport.client_faults.behaviour import ClientBehaviour


@dataclass
class _WithoutCloseNotify(ClientChannel):
    """Ends connections without a word."""

    def close(self) -> None:
        """End the connection."""
        self.finished = True


@dataclass
class _WithoutAlert(ClientChannel):
    """Breaks handshakes off without a word."""

    def data_to_send(self) -> bytes:
        """Return the octets that go to the wire, but for what follows a refusal."""
        data = super().data_to_send()
        return b"" if self.alert_sent is not None and not self.established else data


BESIDE_CLIENT_BEHAVIOURS: Mapping[str, ClientBehaviour] = {
    "closes-without-close-notify": ClientBehaviour(stack=_WithoutCloseNotify),
    "breaks-off-without-alert": ClientBehaviour(stack=_WithoutAlert),
    "shows-no-certificate": ClientBehaviour(shows_nothing=True),
    "offers-no-aes-128-gcm-sha256": offers.without_suites(0x1301),
}
"""Every such fault by name."""
