"""The shape of a TLS stack behind the front (sans-I/O), and the loop that joins it to two sockets."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from cryptography import x509

_CHUNK = 1 << 16


class Channel(Protocol):
    """One connection of a TLS stack: octets of the wire in and out, plaintext in and out."""

    @property
    def established(self) -> bool:
        """Whether the handshake is complete, so that plaintext may flow."""

    @property
    def finished(self) -> bool:
        """Whether the connection is over once :meth:`data_to_send` is empty."""

    @property
    def peer_certificate(self) -> x509.Certificate | None:
        """The certificate that the client presented, if any."""

    def receive(self, data: bytes) -> None:
        """Take octets from the wire; empty means that the client closed."""

    def data_to_send(self) -> bytes:
        """Return, and forget, the octets that go to the wire."""

    def plaintext(self) -> bytes:
        """Return, and forget, what was decrypted."""

    def send_plaintext(self, data: bytes) -> None:
        """Encrypt `data` for the client."""

    def close(self) -> None:
        """Say that the server has nothing more to send."""


def alert_record(description: int, *, level: int = 2, version: int = 0x0303) -> bytes:
    """Return a record with an unprotected alert (RFC 8446 6)."""
    return struct.pack(">BHHBB", 0x15, version, 2, level, description)


Step: TypeAlias = bytes | Callable[[bytes], bytes]
"""What a byte player says: octets, or a function of what the client has just sent."""


@dataclass
class ScriptedChannel:
    """A byte player: each time that the client speaks, the next of `steps` is said; after the last it hangs up."""

    steps: tuple[Step, ...]
    established: bool = False
    finished: bool = False
    peer_certificate: x509.Certificate | None = None
    _output: bytearray = field(default_factory=bytearray)

    def receive(self, data: bytes) -> None:
        """Say the next step."""
        if not data or not self.steps:
            self.finished = True
            return
        step, self.steps = self.steps[0], self.steps[1:]
        self._output += step if isinstance(step, bytes) else step(data)
        self.finished = not self.steps

    def data_to_send(self) -> bytes:
        """Return what is to be said now."""
        data = bytes(self._output)
        self._output.clear()
        return data

    def plaintext(self) -> bytes:
        """Return nothing: a player never decrypts."""
        return b""

    def send_plaintext(self, data: bytes) -> None:
        """Drop `data`: a player never encrypts."""

    def close(self) -> None:
        """End the play."""
        self.finished = True


@dataclass
class PassThrough:
    """No protection at all: what the client sends is the plaintext."""

    established: bool = True
    finished: bool = False
    peer_certificate: x509.Certificate | None = None
    _input: bytearray = field(default_factory=bytearray)
    _output: bytearray = field(default_factory=bytearray)

    def receive(self, data: bytes) -> None:
        """Take octets as plaintext."""
        self._input += data
        self.finished = self.finished or not data

    def data_to_send(self) -> bytes:
        """Return the server's octets."""
        data = bytes(self._output)
        self._output.clear()
        return data

    def plaintext(self) -> bytes:
        """Return the client's octets."""
        data = bytes(self._input)
        self._input.clear()
        return data

    def send_plaintext(self, data: bytes) -> None:
        """Send `data` as it stands."""
        self._output += data

    def close(self) -> None:
        """End the connection."""
        self.finished = True


@dataclass(frozen=True)
class Limits:
    """Times in seconds: to say the first word, to end the handshake, to lie idle, to write, to linger."""

    opening: float = 20.0
    handshake: float = 20.0
    idle: float = 120.0
    write: float = 20.0
    linger: float = 1.0


def relay(
    client: socket.socket,
    channel: Channel,
    first: bytes,
    open_application: Callable[[Channel, bytes], socket.socket],
    limits: Limits,
) -> None:
    """Run `channel` between `client` and the application until either ends or a deadline passes.

    `first` are the octets already read from `client`; `open_application` is called with
    the first plaintext.
    Raises OSError when the client vanishes.
    """
    application: socket.socket | None = None
    deadline = time.monotonic() + limits.handshake
    try:
        channel.receive(first)
        while True:
            plaintext = channel.plaintext()
            # The client speaks first in every protocol served here: a bare handshake costs the application nothing.
            if plaintext and application is None:
                application = open_application(channel, plaintext)
            else:
                _deliver(plaintext, application)
            _send(client, channel.data_to_send(), limits.write)
            if channel.finished:
                return
            left = limits.idle if channel.established else deadline - time.monotonic()
            ready = _wait(client, application, left)
            if not ready:
                return
            if client.fileno() in ready:
                channel.receive(client.recv(_CHUNK))
            if application is not None and application.fileno() in ready:
                answer = application.recv(_CHUNK)
                if answer:
                    channel.send_plaintext(answer)
                else:
                    channel.close()
    finally:
        if application is not None:
            application.close()


def end_gently(client: socket.socket, seconds: float) -> None:
    """Close so that the last octets arrive: say the end, swallow what still comes for at most `seconds`, close."""
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if not _wait(client, None, left) or not client.recv(_CHUNK):
                break
    client.close()


def _deliver(data: bytes, application: socket.socket | None) -> None:
    if data and application is not None:
        # A server that has hung up ends the connection by its end of file, which the loop sees.
        with contextlib.suppress(OSError):
            application.sendall(data)


def _send(client: socket.socket, data: bytes, seconds: float) -> None:
    if data:
        client.settimeout(seconds)
        client.sendall(data)


def _wait(client: socket.socket, application: socket.socket | None, seconds: float) -> set[int]:
    if seconds <= 0:
        return set()
    waiter = select.poll()
    for side in (client, application):
        if side is not None:
            waiter.register(side, select.POLLIN)
    return {descriptor for descriptor, _ in waiter.poll(seconds * 1000)}
