"""Attempts that a conforming client never makes: in plain text, in older versions, in the format of SSL 2.0."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from cryptography import x509

from reference_impl.transport.client import ClientChannel, ClientSettings
from reference_impl.transport.client_faults.behaviour import Adjust, Attempt, both, deviating, offering
from reference_impl.transport.front import Channel, PassThrough
from reference_impl.transport.registry import SSL2_CIPHER_KINDS
from reference_impl.transport.wire import SSL3, TLS10, TLS11, TLS12, TLS13, Extension, Ssl2ClientHello, vector

_CBC_SUITES = (0xC013, 0xC014)
_TICKET_OCTETS, _BINDER_OCTETS = 64, 32
_EARLY_DATA, _PRE_SHARED_KEY = 42, 41


def _unprotected(_settings: ClientSettings, _name: str) -> Channel:
    return PassThrough()


def in_plain_text() -> Attempt:
    """An attempt without TLS."""
    return Attempt(channel=_unprotected)


def in_old_version(version: int) -> Attempt:
    """An attempt whose highest version is `version`, SSL 3.0 to TLS 1.1."""
    assert version in (SSL3, TLS10, TLS11)  # noqa: S101 - the table of faults names no other
    older = offering(versions=(version,), suites=_CBC_SUITES, schemes=(), certificate_schemes=())
    return Attempt(both(older, deviating(any_below=TLS12)))


class _DroppedHello(ClientChannel):
    """Says hello, and hangs up whatever the answer is."""

    def receive(self, data: bytes) -> None:
        """Give up."""
        del data
        self.problem = "the client has changed its mind"
        self.finished = True


def _dropping(adjust: Adjust) -> Attempt:
    def channel(settings: ClientSettings, name: str) -> Channel:
        return _DroppedHello(adjust(settings), lambda _shown, _stapled: None, name)

    return Attempt(channel=channel)


def _of_tls_1_3(code: int) -> bool:
    return code >> 8 == 0x13


def dropped_tls_1_2() -> Attempt:
    """An attempt whose highest version is TLS 1.2, given up after the hello."""

    def adjust(settings: ClientSettings) -> ClientSettings:
        versions = tuple(one for one in settings.versions if one < TLS13)
        return replace(settings, versions=versions, suites=tuple(c for c in settings.suites if not _of_tls_1_3(c)))

    return _dropping(adjust)


def dropped_tls_1_3_by(code: int) -> Attempt:
    """An attempt that offers for TLS 1.3 one suite alone, given up after the hello."""

    def adjust(settings: ClientSettings) -> ClientSettings:
        return replace(settings, suites=(code, *(c for c in settings.suites if not _of_tls_1_3(c))))

    return _dropping(adjust)


@dataclass
class _Ssl2Hello:
    """Says an SSL 2.0 hello, and hangs up whatever the answer is."""

    established: bool = False
    finished: bool = False
    peer_certificate: x509.Certificate | None = None
    problem: str = "SSL 2.0 leads nowhere"
    said: bool = False

    def receive(self, data: bytes) -> None:
        """Give up."""
        del data
        self.finished = True

    def data_to_send(self) -> bytes:
        """The hello, once."""
        if self.said:
            return b""
        self.said = True
        return Ssl2ClientHello(tuple(SSL2_CIPHER_KINDS)).encode()

    def plaintext(self) -> bytes:
        """Nothing."""
        return b""

    def send_plaintext(self, data: bytes) -> None:
        """Drop `data`."""

    def close(self) -> None:
        """Give up."""
        self.finished = True


def in_ssl2_format() -> Attempt:
    """An attempt with an SSL 2.0 hello."""
    return Attempt(channel=lambda _settings, _name: _Ssl2Hello())


def early_data_extensions() -> tuple[Extension, ...]:
    """early_data, and the pre_shared_key that it needs: a ticket that no server knows, which each passes over."""
    identity = vector(os.urandom(_TICKET_OCTETS), 2) + os.urandom(4)
    offered = vector(identity, 2) + vector(vector(os.urandom(_BINDER_OCTETS), 1), 2)
    return Extension(_EARLY_DATA, b""), Extension(_PRE_SHARED_KEY, offered)
