"""The TLS layer of one connection of a receiver: octets of the wire in, plain octets out. No network here."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Protocol, cast

from reference_impl.audit.syslog.tls import ServerTls


class Layer(Protocol):
    """What a connection needs of TLS. Errors are those of ssl; `ssl.SSLWantReadError` means that more has to come."""

    def write(self, octets: memoryview) -> int:
        """Take octets of the wire."""

    def do_handshake(self) -> None:
        """Go on with the handshake."""

    def read(self, length: int, buffer: memoryview) -> int:
        """Put plain octets into `buffer`; 0 where the sender has sent close_notify, or `ssl.SSLZeroReturnError`."""

    def unwrap(self) -> None:
        """Send close_notify."""

    def outgoing(self) -> bytes:
        """Octets for the wire."""

    def version(self) -> str:
        """The protocol: "TLSv1.3"."""

    def suite(self) -> str:
        """The suite, by OpenSSL's name."""

    def certificate(self) -> bytes:
        """The sender's certificate (DER), empty where it showed none."""


class StandardLayer:
    """TLS by Python's ssl."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self.write = self._in.write
        self.outgoing = self._out.read
        self.do_handshake = self._tls.do_handshake

    def read(self, length: int, buffer: memoryview) -> int:
        """Put plain octets into `buffer`; 0 where the sender has sent close_notify."""
        return cast("int", self._tls.read(length, buffer))

    def unwrap(self) -> None:
        """Send close_notify."""
        self._tls.unwrap()

    def version(self) -> str:
        """The protocol: "TLSv1.3"."""
        return self._tls.version() or ""

    def suite(self) -> str:
        """The suite, by OpenSSL's name."""
        suite = self._tls.cipher()
        return suite[0] if suite else ""

    def certificate(self) -> bytes:
        """The sender's certificate (DER), empty where it showed none."""
        return self._tls.getpeercert(binary_form=True) or b""


def layers(tls: ServerTls) -> Callable[[], Layer]:
    """What makes the layer of each connection. Raises what :meth:`ServerTls.context` raises."""
    if tls.trust.fingerprints and not tls.trust.by_path:
        from reference_impl.audit.syslog.pinned import PinnedLayer, pinned_context

        pinned = pinned_context(tls.certificate, tls.key, tls.trust.fingerprints)
        return lambda: PinnedLayer(pinned)
    context = tls.context()
    return lambda: StandardLayer(context)
