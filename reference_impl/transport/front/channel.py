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
_BACKLOG = 1 << 18
_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR


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
    open_application: Callable[[Channel], socket.socket],
    limits: Limits,
) -> None:
    """Run `channel` between `client` and the application until either ends or a deadline passes.

    `first` are the octets already read from `client`; `open_application` is called when the first plaintext is there.
    Raises OSError when the client vanishes.
    """
    joint = _Joint(client, channel, open_application)
    deadline = time.monotonic() + limits.handshake
    client.setblocking(False)
    try:
        channel.receive(first)
        while True:
            joint.collect()
            if channel.finished and not joint.to_client:
                return
            writing = limits.write if joint.to_client else limits.idle
            left = writing if channel.established else min(writing, deadline - time.monotonic())
            if not joint.turn(left):
                return
    finally:
        joint.close(limits.linger)


@dataclass
class _Joint:
    """Two sockets with the channel between them, and what waits to be written to each."""

    client: socket.socket
    channel: Channel
    open_application: Callable[[Channel], socket.socket]
    application: socket.socket | None = None
    to_client: bytearray = field(default_factory=bytearray)
    to_application: bytearray = field(default_factory=bytearray)

    def collect(self) -> None:
        """Take from the channel what it has for either side, and write what can be written at once."""
        # The client speaks first in every protocol served here: a bare handshake costs the application nothing.
        self.to_application += self.channel.plaintext()
        if self.to_application and self.application is None:
            self.application = self.open_application(self.channel)
            self.application.setblocking(False)
        if self.application is not None:
            # A server that has hung up ends the connection by its end of file, which a later turn sees.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                _write(self.application, self.to_application)
        self.to_client += self.channel.data_to_send()
        _write(self.client, self.to_client)

    def turn(self, seconds: float) -> bool:
        """Wait for either side, at most `seconds`, and feed the channel; whether anything happened."""
        waiter = select.poll()
        reading = select.POLLIN if len(self.to_application) < _BACKLOG and not self.channel.finished else 0
        waiter.register(self.client, reading | (select.POLLOUT if self.to_client else 0))
        if self.application is not None:
            reading = select.POLLIN if len(self.to_client) < _BACKLOG else 0
            waiter.register(self.application, reading | (select.POLLOUT if self.to_application else 0))
        ready = dict(waiter.poll(max(0.0, seconds) * 1000))
        if ready.get(self.client.fileno(), 0) & _READABLE:
            self.channel.receive(self.client.recv(_CHUNK))
        if self.application is not None and ready.get(self.application.fileno(), 0) & _READABLE:
            answer = self._answer()
            if answer:
                self.channel.send_plaintext(answer)
            else:
                self.channel.close()
        return bool(ready)

    def _answer(self) -> bytes:
        assert self.application is not None  # noqa: S101 - the caller has looked
        try:
            return self.application.recv(_CHUNK)
        except ConnectionResetError:
            return b""

    def close(self, seconds: float) -> None:
        """Close the application's side, once it has taken, in at most `seconds`, what came before the end."""
        if self.application is not None:
            with contextlib.suppress(OSError):
                self.application.settimeout(seconds)
                self.application.sendall(self.to_application)
            self.application.close()


def _write(side: socket.socket, waiting: bytearray) -> None:
    """Write what `side` takes without blocking, and forget it."""
    while waiting:
        try:
            sent = side.send(waiting[:_CHUNK])
        except BlockingIOError:
            return
        del waiting[:sent]


def end_gently(client: socket.socket, seconds: float) -> None:
    """Close so that the last octets arrive: say the end, swallow what still comes for at most `seconds`, close."""
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if not _readable(client, left) or not client.recv(_CHUNK):
                break
    client.close()


def _readable(side: socket.socket, seconds: float) -> bool:
    waiter = select.poll()
    waiter.register(side, select.POLLIN)
    return bool(waiter.poll(seconds * 1000))
