"""Ways of a message to a receiver: a TLS connection (RFC 5425) or datagrams (RFC 5426). They block, with deadlines."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import ssl
import struct
import time
from collections.abc import Sequence
from typing import Protocol

from reference_impl.audit.syslog.tls import ClientTls
from reference_impl.syslog_frames import frame

_CHUNK = 1 << 16
LARGEST_DATAGRAM = 65507
"""Octets that a datagram of UDP over IPv4 holds."""


class ChannelError(Exception):
    """Messages do not get through: why, in words."""


class OrderlyEndError(ChannelError):
    """The receiver has announced its end: what was sent before has been read, or is read yet."""


class Channel(Protocol):
    """What a sender sends by."""

    def send(self, messages: Sequence[bytes]) -> int:
        """Send `messages`; returns how many octets have been written since the beginning."""

    def acknowledged(self) -> int:
        """How many octets since the beginning the other side's kernel has acknowledged. Raises `ChannelError`."""

    def fileno(self) -> int:
        """The socket, which is readable when the receiver says something."""

    def listen(self) -> None:
        """Take what the receiver says. Raises `ChannelError` where that is the end."""

    def close(self, seconds: float) -> bool:
        """End it; whether the receiver has confirmed that it has read everything."""

    def abort(self) -> None:
        """End it at once; other threads may call this."""


class TlsChannel:
    """A connection to a receiver over TLS. Raises `ChannelError` where it does not come about within `seconds`."""

    def __init__(self, host: str, port: int, tls: ClientTls, *, seconds: float, stalled: float) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._written = 0
        self._ended = False  # the receiver has sent close_notify
        deadline = time.monotonic() + seconds
        try:
            context = tls.context()
        except (OSError, ValueError) as problem:
            raise ChannelError(f"TLS cannot begin: {in_words(problem)}") from problem
        try:
            self._socket = socket.create_connection((host, port), timeout=seconds)
        except (OSError, UnicodeError) as problem:
            raise ChannelError(f"{host}:{port} cannot be reached: {in_words(problem)}") from problem
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._tls = context.wrap_bio(self._in, self._out, server_hostname=tls.server_name or host)
            self._shake_hands(deadline)
            objection = tls.trust.objection(self._tls.getpeercert(binary_form=True) or b"")
            if objection:
                raise ChannelError(f"the receiver is not believed: {objection}")
            self._socket.settimeout(stalled)
        except (OSError, ValueError) as problem:
            self._socket.close()
            raise ChannelError(f"{host}:{port}: TLS does not come about: {in_words(problem)}") from problem
        except ChannelError:
            self.close(0)
            raise

    def send(self, messages: Sequence[bytes]) -> int:
        """Send `messages` in their frames; returns how many octets have been written since the beginning."""
        try:
            self._tls.write(b"".join(map(frame, messages)))
            self._flush()
        except OSError as problem:
            self.listen()  # the receiver may have said why
            raise ChannelError(f"the connection broke: {in_words(problem)}") from problem
        return self._written

    def acknowledged(self) -> int:
        """How many octets since the beginning the other side's kernel has acknowledged. Raises `ChannelError`."""
        waiting = _unacknowledged(self._socket)
        if problem := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise ChannelError(f"the connection broke: {os.strerror(problem)}")
        return self._written - waiting

    def fileno(self) -> int:
        """The socket, which is readable when the receiver says something."""
        return self._socket.fileno()

    def listen(self) -> None:
        """Take what the receiver says. Raises `ChannelError`; `OrderlyEndError` for close_notify."""
        while self._await(select.POLLIN, 0.0):
            try:
                octets = self._socket.recv(_CHUNK)
            except OSError as problem:
                raise ChannelError(f"the connection broke: {in_words(problem)}") from problem
            if not octets:
                raise ChannelError("the receiver closed the connection without announcing it")
            self._in.write(octets)
            if self._has_ended():
                self._ended = True
                raise OrderlyEndError("the receiver ended the connection")

    def close(self, seconds: float) -> bool:
        """Send close_notify (RFC 5425 4.4) and wait `seconds` for its answer, or for the receiver to close.

        Whether all messages have been taken, as far as can be told: the receiver has answered, or has closed without
        a reset after its kernel had everything.
        """
        deadline, sent = time.monotonic() + seconds, self._written
        with self._socket:
            try:
                with contextlib.suppress(ssl.SSLError):
                    self._tls.unwrap()
                self._socket.settimeout(max(seconds, 0.001))
                self._flush()
                while self._await(select.POLLIN, deadline):
                    octets = self._socket.recv(_CHUNK)
                    if not octets:
                        break
                    self._in.write(octets)
                    if self._has_ended() and not self._ended:
                        return True
                return self.acknowledged() >= sent
            except (ChannelError, OSError, ValueError):
                return False

    def abort(self) -> None:
        """End it at once; other threads may call this."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _has_ended(self) -> bool:
        try:
            while self._tls.read(_CHUNK):
                pass  # a receiver has nothing to say
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLZeroReturnError:
            return True
        except ssl.SSLError as problem:
            raise ChannelError(f"TLS failed: {in_words(problem)}") from problem
        return True

    def _shake_hands(self, deadline: float) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
            except OSError:
                with contextlib.suppress(OSError):
                    self._flush()  # the alert
                raise
            else:
                self._flush()
                return
            if not self._await(select.POLLIN, deadline):
                raise TimeoutError("the handshake took too long")
            octets = self._socket.recv(_CHUNK)
            if not octets:
                raise ConnectionResetError(errno.ECONNRESET, "the receiver closed the connection during the handshake")
            self._in.write(octets)

    def _flush(self) -> None:
        if octets := self._out.read():
            self._socket.sendall(octets)
            self._written += len(octets)

    def _await(self, what: int, deadline: float) -> bool:
        poll = select.poll()
        poll.register(self._socket, what)
        return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))


class UdpChannel:
    """Datagrams to a receiver, each a message. What nobody listens for is told where the network tells it."""

    def __init__(self, host: str, port: int) -> None:
        self._written = 0
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            self._socket = socket.socket(family, kind, protocol)
        except (OSError, UnicodeError) as problem:
            raise ChannelError(f"{host}:{port} cannot be reached: {in_words(problem)}") from problem
        try:
            self._socket.connect(address)
        except OSError as problem:
            self._socket.close()
            raise ChannelError(f"{host}:{port} cannot be reached: {in_words(problem)}") from problem

    def send(self, messages: Sequence[bytes]) -> int:
        """Send `messages`, of which each is a datagram; returns how many octets have been sent since the beginning."""
        for message in messages:
            try:
                self._socket.send(message)
                problem = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            except OSError as error:
                problem = error.errno or errno.EIO
            if problem:
                raise ChannelError(f"the datagram was not taken: {os.strerror(problem)}")
            self._written += len(message)
        return self._written

    def acknowledged(self) -> int:
        """All that was sent: UDP acknowledges nothing."""
        return self._written

    def fileno(self) -> int:
        """The socket."""
        return self._socket.fileno()

    def listen(self) -> None:
        """Take what the network says. Raises `ChannelError` where nobody listens."""
        try:
            self._socket.recv(_CHUNK, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError as problem:
            raise ChannelError(f"the datagram was not taken: {in_words(problem)}") from problem

    def close(self, seconds: float) -> bool:  # noqa: ARG002 - nothing is waited for
        """End it."""
        self._socket.close()
        return True

    def abort(self) -> None:
        """Nothing blocks."""


def in_words(problem: Exception) -> str:
    """What went wrong, without numbers."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"the certificate is not believed: {problem.verify_message}"
    if isinstance(problem, ssl.SSLError) and problem.reason:
        return problem.reason.replace("_", " ").lower()
    return getattr(problem, "strerror", None) or str(problem)


def _unacknowledged(connection: socket.socket) -> int:
    """Octets in the kernel that the other side has not acknowledged; 0 where the system does not tell."""
    try:
        import fcntl
        import termios

        return int(struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4)))[0])
    except (ImportError, OSError):
        return 0
