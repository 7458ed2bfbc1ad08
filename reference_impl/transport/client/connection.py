"""A secured TCP connection with deadlines: the channel between an application and the network."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from reference_impl.tcp import EndedError, broken, read_before
from reference_impl.transport.front.channel import Channel

_CHUNK = 1 << 16


@dataclass(frozen=True)
class ClientLimits:
    """Times in seconds: to connect, to end the handshake, to get an answer, to wait for the server's close."""

    connect: float = 10.0
    handshake: float = 20.0
    answer: float = 30.0
    linger: float = 0.5


def _problem_of(channel: Channel) -> str:
    return str(getattr(channel, "problem", ""))


class SecureConnection:
    """One connection to a server under a channel that `make_channel` gives. Leaving the context closes it.

    Every method raises `EndedError` where it cannot do what it is for; no other exception is a server's doing.
    """

    def __init__(self, make_channel: Callable[[], Channel], limits: ClientLimits | None = None) -> None:
        self._make_channel = make_channel
        self._limits = limits or ClientLimits()
        self._socket: socket.socket | None = None
        self._channel: Channel | None = None
        self._waiting = bytearray()

    @property
    def channel(self) -> Channel:
        """The channel. Raises `EndedError` before :meth:`connect`."""
        if self._channel is None:
            raise EndedError("there is no connection")
        return self._channel

    @property
    def refused(self) -> bool:
        """Whether it was the client that broke off."""
        return getattr(self._channel, "alert_sent", None) is not None

    def connect(self, host: str, port: int) -> None:
        """Open the TCP connection."""
        try:
            self._socket = socket.create_connection((host, port), timeout=self._limits.connect)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as problem:
            raise EndedError(f"{host}:{port} cannot be reached: {problem.strerror or problem}") from None

    def shake_hands(self) -> None:
        """Run the handshake to its end."""
        self._channel = self._make_channel()
        deadline = time.monotonic() + self._limits.handshake
        self._flush(deadline)
        while not self._channel.established:
            self._step(deadline)

    def send(self, data: bytes) -> None:
        """Send `data`, encrypted."""
        channel = self.channel
        if channel.finished:
            raise EndedError(_problem_of(channel) or "the server closed the connection")
        channel.send_plaintext(data)
        self._flush(time.monotonic() + self._limits.answer)
        if channel.finished:
            raise EndedError(_problem_of(channel) or "the connection is over")

    def receive(self, octets: int) -> bytes:
        """Return exactly that many octets."""
        deadline = time.monotonic() + self._limits.answer
        while len(self._waiting) < octets:
            self._more(deadline)
        data = bytes(self._waiting[:octets])
        del self._waiting[:octets]
        return data

    def receive_some(self) -> bytes:
        """Return what comes next, at least one octet; nothing where the server has closed."""
        deadline = time.monotonic() + self._limits.answer
        try:
            while not self._waiting:
                self._more(deadline)
        except EndedError:
            if not _problem_of(self.channel):
                return b""
            raise
        data = bytes(self._waiting)
        self._waiting.clear()
        return data

    def close(self) -> None:
        """Say close_notify, let the last octets arrive, and close."""
        if self._socket is None:
            return
        tcp, self._socket = self._socket, None
        try:
            if self._channel is not None:
                self._channel.close()
                tcp.sendall(self._channel.data_to_send())
            tcp.shutdown(socket.SHUT_WR)
            tcp.settimeout(self._limits.linger)
            deadline = time.monotonic() + self._limits.linger
            while time.monotonic() < deadline and tcp.recv(_CHUNK):
                continue
        except OSError:
            pass  # the server has gone already
        finally:
            tcp.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _more(self, deadline: float) -> None:
        """Take in plaintext, waiting for it if need be."""
        channel = self.channel
        self._waiting += channel.plaintext()
        if self._waiting:
            return
        if channel.finished:
            raise EndedError(_problem_of(channel) or "the server closed the connection")
        self._step(deadline)
        self._waiting += channel.plaintext()

    def _step(self, deadline: float) -> None:
        """Read once from the network and answer."""
        channel = self.channel
        if channel.finished:
            raise EndedError(_problem_of(channel) or "the connection is over")
        data = self._read(deadline)
        channel.receive(data)
        self._flush(deadline)
        if channel.finished and not channel.established:
            raise EndedError(_problem_of(channel) or "the connection is over")

    def _read(self, deadline: float) -> bytes:
        if self._socket is None:
            raise EndedError("there is no connection")
        return read_before(deadline, self._socket, "the server did not answer in time")

    def _flush(self, deadline: float) -> None:
        if self._socket is None or self._channel is None:
            return
        data = self._channel.data_to_send()
        if not data:
            return
        self._socket.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            self._socket.sendall(data)
        except OSError as problem:
            raise broken(problem) from None
