"""Sending what a delivery is made of: over TLS as the SUT's credentials have it, or in datagrams."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import struct
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from fixtures.audit_deliveries import Composed, Line, Transport
from harness.drivers.dimse import tls_context
from harness.objects.base import InterruptedStepError, Work

_LINGER_NOT = struct.pack("ii", 1, 0)
_BETWEEN_DATAGRAMS, _GENTLY = 0.002, 0.2
"""Seconds between two datagrams, so that an ordinary receive buffer holds them."""
_RATE = 2_000_000.0  # octets a second that a receiver is given for at least
_SAYS = 1.0  # seconds in which who refuses a client certificate says so
_NOTICED = 0.05  # seconds in which an ICMP message that a port is closed may come


@dataclass(frozen=True)
class Sent:
    """How sending over one connection, or by one sender, went.

    `refused` says how the SUT ended it before all was written, or did not take it; `answered_close` whether it answered
    close_notify by close_notify (None: that was not tried, or cannot be told).
    """

    refused: str = ""
    answered_close: bool | None = None
    reached: bool = True


class Sender:
    """Sends the deliveries of one endpoint within the conduct budget of its host."""

    def __init__(self, work: Work, transport: Transport) -> None:
        self._work, self._transport = work, transport
        self._target = work.sut.target(work.endpoint)
        self._context = _reaching_any(tls_context(self._target)) if transport == "tls" else None
        self._deadlines = work.conduct.deadlines

    def send(self, delivery: Composed) -> Sent:
        """Send all lines at once, as far as the budget allows; what is opened before them is closed after them.

        Raises `InterruptedStepError` if the run is being stopped.
        """
        with contextlib.ExitStack() as stack:
            if delivery.first is not None:
                stack.enter_context(self._work.budget.connection())
                self._begin(delivery.first, stack)
            return self._all(delivery.lines)

    def _all(self, lines: Sequence[Line]) -> Sent:
        if len(lines) == 1:
            return self._one(lines[0])
        with ThreadPoolExecutor(min(len(lines), self._work.budget.at_once), "delivery") as pool:
            sent = list(pool.map(self._one, lines))
        answers = [each.answered_close for each in sent]
        answered = None if None in answers else all(answers)
        return Sent(next((each.refused for each in sent if each.refused), ""), answered, all(s.reached for s in sent))

    def _one(self, line: Line) -> Sent:
        self._work.check_running()
        with self._work.budget.connection():
            return self._over_tls(line) if self._transport == "tls" else self._in_datagrams(line)

    def _begin(self, line: Line, stack: contextlib.ExitStack) -> None:
        """Open a connection that stays open until the others have ended."""
        with contextlib.suppress(OSError):
            stream = stack.enter_context(self._connected())
            for octets in line.writes:
                stream.sendall(octets)

    def why_refused(self) -> str:
        """What the SUT says to a connection over which nothing is sent; empty where it says nothing (or is UDP)."""
        if self._transport == "udp":
            return ""
        with self._work.budget.connection():
            try:
                with self._connected() as stream:
                    stream.settimeout(_SAYS)
                    stream.recv(1)
            except TimeoutError:
                return ""
            except OSError as problem:
                return _words(problem)
        return "the connection was closed"

    # -- TLS -----------------------------------------------------------------------------------------------------

    def _connected(self) -> ssl.SSLSocket:
        """A connection with its handshake done. Raises OSError."""
        assert self._context is not None  # noqa: S101 - it is TLS
        raw = socket.create_connection((self._target.host, self._target.port), self._deadlines.connect)
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw.settimeout(self._deadlines.exchange)
            return self._context.wrap_socket(raw, server_hostname=self._name())
        except BaseException:
            raw.close()
            raise

    def _name(self) -> str | None:
        name = self._target.server_name or self._target.host
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name
        return None

    def _over_tls(self, line: Line) -> Sent:
        try:
            stream = self._connected()
        except OSError as problem:
            return Sent(f"no connection: {_words(problem)}", reached=False)
        with stream:
            try:
                self._write(stream, line)
            except OSError as problem:
                return Sent(f"ended while messages were sent: {_words(problem)}")
            return _ended(stream, line)

    def _write(self, stream: ssl.SSLSocket, line: Line) -> None:
        for number, octets in enumerate(line.writes):
            if number and line.pause:
                self._pause(line.pause)
            stream.settimeout(self._deadlines.exchange + len(octets) / _RATE)
            stream.sendall(octets)
        written = sum(map(len, line.writes))
        while line.repeated and written < line.most:
            self._work.check_running()
            stream.sendall(line.repeated)
            written += len(line.repeated)

    def _pause(self, seconds: float) -> None:
        if self._work.stopping.wait(seconds):
            raise InterruptedStepError

    # -- UDP -----------------------------------------------------------------------------------------------------

    def _in_datagrams(self, line: Line) -> Sent:
        between = _GENTLY if self._work.conduct.gentle else _BETWEEN_DATAGRAMS
        try:
            family, kind, number, _, address = socket.getaddrinfo(
                self._target.host, self._target.port, type=socket.SOCK_DGRAM
            )[0]
        except (OSError, UnicodeError) as problem:
            return Sent(f"no address: {_words(problem)}", reached=False)
        with socket.socket(family, kind, number) as sender:
            try:
                sender.connect(address)
                sender.settimeout(_NOTICED)
                for octets in line.writes:
                    sender.send(octets)
                    self._pause(between)
            except OSError as problem:
                return Sent(f"not taken: {_words(problem)}", reached=not isinstance(problem, ConnectionRefusedError))
        return Sent()


def _reaching_any(context: ssl.SSLContext) -> ssl.SSLContext:
    """`context` for old repositories, too: A.6 only recommends TLS 1.2, RFC 5425 has TLS_RSA_WITH_AES_128_CBC_SHA.

    What they speak is judged by claims of its own; nothing but test messages is sent here.
    """
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    return context


def _ended(stream: ssl.SSLSocket, line: Line) -> Sent:
    """End the connection as `line` has it."""
    with contextlib.suppress(OSError):
        if line.ending == "close":
            stream.setblocking(False)
            with contextlib.suppress(OSError):
                stream.recv(1)  # what lies unread would turn the close into a reset
            return Sent()
        if line.ending == "reset":
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            return Sent()
        return _orderly(stream)
    return Sent()


def _orderly(stream: ssl.SSLSocket) -> Sent:
    """Send close_notify and wait for the answer."""
    try:
        stream.unwrap()
    except TimeoutError:
        return Sent(answered_close=False)
    except ConnectionError:
        return Sent(answered_close=None)
    except ssl.SSLError as problem:
        if isinstance(problem, ssl.SSLEOFError) or "EOF" in (problem.reason or ""):
            return Sent(answered_close=False)
        return Sent(f"ended by the receiver: {_words(problem)}")
    except OSError:
        return Sent(answered_close=False)  # closed without a word, as some versions of the module tell it
    return Sent(answered_close=True)


def _words(problem: OSError | UnicodeError) -> str:
    """What went wrong, in a few words."""
    if isinstance(problem, TimeoutError):
        return "nothing came back in time"
    if isinstance(problem, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "the connection was closed"
    if isinstance(problem, ssl.SSLError):
        return (problem.reason or str(problem)).replace("_", " ").lower()
    return getattr(problem, "strerror", None) or str(problem)
