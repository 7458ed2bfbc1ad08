"""Ports of ours that a SUT sends instances to: plain or behind TLS, open to the SUT alone."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from reference_impl.connections import Listener
from reference_impl.storage.archive import Archive

if TYPE_CHECKING:
    from fixtures.pki.bench import Presentation
    from harness.objects.base import Work
    from reference_impl.transport.front import FrontSettings

_AT_ONCE = 16
_BACKLOG = 64
_STRANGERS = 16


class Gate:
    """Who may come in: the SUT, from one of `addresses`, so many at a time."""

    def __init__(self, addresses: frozenset[str]) -> None:
        self._addresses = addresses
        self.strangers: list[str] = []
        self.admitted = 0

    def lets_in(self, address: str, at_work: int) -> bool:
        """Whether a connection from `address` is served while `at_work` others are."""
        address = address.removeprefix("::ffff:")
        if address not in self._addresses:
            if address not in self.strangers:
                self.strangers[_STRANGERS - 1 :] = [address]
            return False
        if at_work >= _AT_ONCE:
            return False
        self.admitted += 1
        return True


def open_port(work: Work, archive: Archive, gate: Gate, address: tuple[str, int], name: str) -> Listener:
    """A port of `archive` at `address`, with TLS where the endpoint has it; the SUT calls us `name`.

    Raises OSError where the port cannot be had.
    """
    host, port = address
    if work.where.protocol == "dicom-tls":
        return _secure_port(host, port, gate, archive, _settings(work, name))
    return _PlainPort(host, port, gate, archive)


class _PlainPort(Listener):
    """A port of `archive` without TLS."""

    def __init__(self, host: str, port: int, gate: Gate, archive: Archive) -> None:
        super().__init__(host, port, name="storage", backlog=_BACKLOG)
        self._gate, self._archive = gate, archive

    def _admit(self, client: socket.socket, address: tuple[str, int]) -> None:
        if self._gate.lets_in(address[0], len(self._archive.connections)):
            self._archive.take(client, address)
        else:
            client.close()


def _secure_port(host: str, port: int, gate: Gate, archive: Archive, settings: FrontSettings) -> Listener:
    """A port of `archive` behind TLS."""
    from cryptography import x509

    from reference_impl.transport.front import Front, Router

    class SecurePort(Front):
        def _admit(self, client: socket.socket, address: tuple[str, int]) -> None:
            if gate.lets_in(address[0], len(self.connections)):
                super()._admit(client, address)
            else:
                client.close()

    def serve(connection: socket.socket, address: tuple[str, int], certificate: x509.Certificate | None) -> None:
        del certificate
        archive.take(connection, address)

    return SecurePort(Router(settings, [], []), serve, host, port)


def _settings(work: Work, name: str) -> FrontSettings:
    """How we serve TLS: it is not what is judged here, so any client may come that trusts our authority."""
    from cryptography.x509 import load_der_x509_certificate

    from reference_impl.transport.front import FrontSettings, Identity
    from reference_impl.transport.front.settings import IdentityKey

    shown = server_certificate(work, name)
    chain = tuple(load_der_x509_certificate(octets) for octets in shown.chain)
    assert isinstance(shown.key, IdentityKey)  # noqa: S101 - nothing is wrong with it
    return FrontSettings(identities=(Identity(chain, shown.key),), unknown_name_alert=None)


def server_certificate(work: Work, name: str) -> Presentation:
    """A good certificate for `name`, a host name or an address, with its key."""
    from fixtures.pki.zoo import Zoo

    by_address = name.replace(".", "").isdecimal() or ":" in name
    zoo = Zoo(
        work.material.pki,
        dns_names=() if by_address else (name,),
        ip_addresses=(name,) if by_address else (),
    )
    return zoo.good("server")
