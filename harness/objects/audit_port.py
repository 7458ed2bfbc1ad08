"""Ports of ours to which a SUT sends audit messages: syslog over TLS, or over UDP."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageProblem
from reference_impl.audit.syslog.tls import ServerTls, Trust

if TYPE_CHECKING:
    from harness.objects.audit_inbox import Inbox
    from harness.objects.base import Work
    from reference_impl.audit.syslog.receiver_thread import ReceiverThread


class LenientTls(ServerTls):
    """TLS from version 1.0 on, with any suite: A.6 asks for TLS alone, and what is used is recorded.

    A sender is asked for its certificate where there are authorities to believe it by; one that shows none is let in.
    """

    def context(self) -> ssl.SSLContext:
        """A context. Raises what `ServerTls.context` raises."""
        context = super().context()
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.set_ciphers("ALL:!aNULL:!eNULL:@SECLEVEL=0")
        if self.trust.by_path:
            context.verify_mode = ssl.CERT_OPTIONAL
        return context


def sender_addresses(work: Work) -> frozenset[str]:
    """The addresses from which the SUT sends. Raises `UsageProblem` for a host that has none."""
    from harness.listeners.tls import addresses_of

    try:
        return addresses_of(work.where.host)
    except (OSError, UnicodeError):
        raise UsageProblem(
            f"{work.sut.source}: endpoints.{work.endpoint}.host: {work.where.host!r} cannot be resolved to an "
            "address; check the name"
        ) from None


def open_port(work: Work, inbox: Inbox, address: tuple[str, int]) -> ReceiverThread:
    """A receiver that listens at `address` and fills `inbox`. Raises OSError where the port cannot be had."""
    from harness.objects.audit_inbox import MESSAGE_OCTETS
    from reference_impl.audit.syslog.arrivals import ReceiverLimits
    from reference_impl.audit.syslog.receiver_thread import ReceiverThread

    secure = work.where.protocol != "syslog-udp"
    thread = ReceiverThread(
        inbox.on_messages,
        tls=server_tls(work) if secure else None,
        tcp=address if secure else None,
        udp=None if secure else address,
        limits=ReceiverLimits(message=4 * MESSAGE_OCTETS, connections=64, in_hand=16 << 20, unfinished=16 << 20),
        on_connection=inbox.on_connection,
    )
    thread.start()
    return thread


def server_tls(work: Work) -> LenientTls:
    """How we serve TLS: with a good certificate of the campaign's authority, or of the run's."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from cryptography.x509 import load_der_x509_certificate

    from harness.objects.ports import server_certificate

    assert work.where.listen is not None  # noqa: S101 - the caller listens
    shown = server_certificate(work, work.where.listen.called(work.where.host))
    chain, key = work.folder / "syslog-server.pem", work.folder / "syslog-server.key"
    certificates = (load_der_x509_certificate(octets) for octets in shown.chain)
    chain.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in certificates))
    _write_private(key, shown.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return LenientTls(chain, key, Trust(anchors=work.sut.credentials.trust_anchors))


def _write_private(path: Path, octets: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(octets)


__all__ = ["LenientTls", "open_port", "sender_addresses", "server_tls"]
