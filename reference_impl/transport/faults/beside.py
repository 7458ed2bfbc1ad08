"""Faults that show beside the profiles of Annex B only: at syslog receivers, or by IHE. What they break:
``reference_impl/faults/beside_server.toml``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from OpenSSL import SSL

from reference_impl.transport.faults import certificates, suites
from reference_impl.transport.faults.behaviour import Behaviour, in_common
from reference_impl.transport.front import Channel, Hello, Opening, PassThrough, Router, Rule
from reference_impl.transport.front.openssl import OpenSslChannel


@dataclass
class _WithoutCloseNotify(OpenSslChannel):
    """Ends connections without a word."""

    def close(self) -> None:
        """End the connection."""
        self.finished = True


@dataclass
class _WithoutAlert(OpenSslChannel):
    """Breaks handshakes off without a word."""

    def data_to_send(self) -> bytes:
        """Take what OpenSSL wants sent, but for the alert that ends a handshake."""
        data = super().data_to_send()
        return b"" if self.finished and not self.established else data


def _by(stack: Callable[[SSL.Context], OpenSslChannel]) -> Behaviour:
    """Serve by `stack` whatever the conforming stack would serve."""

    def answer(hello: Hello, router: Router) -> Channel:
        inner = router.conforming(hello)
        return stack(inner.context) if isinstance(inner, OpenSslChannel) else inner

    return Behaviour(rules=(Rule(in_common, answer),))


def _taking_messages_in_the_clear() -> Behaviour:
    """Take an octet-counted message that comes without TLS."""

    def answer(opening: Opening, _router: Router) -> Channel | None:
        return PassThrough() if opening.data[:1].isdigit() else None

    return Behaviour(unprotected=answer)


BESIDE_BEHAVIOURS: Mapping[str, Behaviour] = {
    "message-in-the-clear": _taking_messages_in_the_clear(),
    "no-close-notify": _by(_WithoutCloseNotify),
    "refuses-without-alert": _by(_WithoutAlert),
    "asks-for-no-certificate": Behaviour(adjust=lambda settings, _pki: replace(settings, client_auth="off")),
    "no-static-rsa": suites.missing(0x002F),
    "no-dns-name-certificate": certificates.presenting("server_without_dns_name"),
    "other-name-certificate": certificates.presenting("server_other_name"),
}
"""Every such fault by name."""
