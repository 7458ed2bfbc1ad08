"""A repository that may be faulty: a collector of audit messages over TLS and UDP that hands on what it keeps.

It is small on purpose, so that it can be wrong in any way; the repository that is meant to be used is
`reference_impl.audit.repository`.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from fixtures.pki import Pki
from fixtures.pki.campaign import write_private
from reference_impl.audit.faults.collecting import Collecting, collecting
from reference_impl.audit.syslog.tls import ServerTls, Trust
from reference_impl.connections import Listener
from reference_impl.syslog_frames import FrameError, FrameReader

_CHUNK = 1 << 16
_LONGEST = 4 << 20
_IDLE = 30.0
_IMPATIENCE = 0.05
_HANDSHAKE = 10.0
_BACKLOG = 64
_A_WHILE = 0.02
_BEGINNING = re.compile(rb"(?:\d+ )?<\d+>")
Keep = Callable[[bytes], None]


class FileTrail:
    """A trail in the file `path`, a line for each message. Use it as a context manager. Raises OSError."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)

    def keep(self, message: bytes) -> None:
        """Append a message."""
        self._file.write(message + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def certified(pki: Pki, folder: Path) -> ServerTls:
    """The TLS of a repository with a certificate by `pki`, kept in `folder`; sources show one by the same authority."""
    issued = pki.issue("server")
    folder.mkdir(parents=True, exist_ok=True)
    chain, key, anchors = folder / "repository.pem", folder / "repository.key", folder / "anchors.pem"
    chain.write_bytes(issued.chain_pem)
    write_private(key, issued.key_pem)
    anchors.write_bytes(pki.issue("ca").certificate_pem)
    return ServerTls(chain, key, Trust(anchors))


class RepositoryNode:
    """Collects over TLS at `port` by `context` and over UDP, with `faults`.

    What it keeps of a message it hands to `keep`, which is called by one thread at a time. Use it as a context manager.
    Raises OSError where no port can be had, `UnknownFaultError` for a name that is no fault.
    """

    def __init__(
        self,
        keep: Keep,
        context: ssl.SSLContext,
        faults: tuple[str, ...] = (),
        *,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._collecting = collecting(faults)
        self._keep = keep
        self._lock = threading.Lock()
        self._jammed = False
        self._tls = _TlsPort(self, (host, port), context, self._collecting)
        try:
            self._udp = _UdpPort(self, host, self._collecting)
        except OSError:
            self._tls.stop()
            raise

    @property
    def tls_address(self) -> tuple[str, int]:
        """Host and port of syslog over TLS."""
        return self._tls.address

    @property
    def udp_address(self) -> tuple[str, int]:
        """Host and port of syslog over UDP."""
        return self._udp.address

    def take(self, message: bytes, *, udp: bool = False) -> None:
        """Keep a syslog message, which came as a datagram or not, or what the faults leave of it."""
        kept = self._collecting.kept(message)
        with self._lock:
            self._jammed |= self._collecting.stops_at(message, udp=udp)
            if kept is not None and not self._jammed:
                self._keep(kept)

    def jam(self) -> None:
        """Keep nothing any more."""
        with self._lock:
            self._jammed = True

    def __enter__(self) -> Self:
        self._tls.start()
        self._udp.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._udp.stop()
        self._tls.stop()


class _TlsPort(Listener):
    """Syslog over TLS (RFC 5425)."""

    def __init__(
        self, node: RepositoryNode, address: tuple[str, int], context: ssl.SSLContext, how: Collecting
    ) -> None:
        super().__init__(*address, name="repository-node", backlog=_BACKLOG)
        self._node, self._context, self._how = node, context, how
        self._turn = threading.Lock()

    def _admit(self, client: socket.socket, address: tuple[str, int]) -> None:
        del address
        self.connections.begin(client, lambda: self._serve(client))

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), client:
            client.settimeout(_HANDSHAKE)
            secure = self._context.wrap_socket(client, server_side=True, suppress_ragged_eofs=False)
            if not self._how.one_at_a_time:
                self._read(secure)
            elif self._turn.acquire(blocking=False):
                try:
                    self._read(secure)
                finally:
                    self._turn.release()

    def _read(self, secure: ssl.SSLSocket) -> None:
        try:
            for message in self._messages(_records(secure, _IDLE if self._how.patient else _IMPATIENCE)):
                self._node.take(message)
                if self._how.audit_alone and b"<AuditMessage" not in message:
                    break
        except FrameError:
            if not self._how.survives_garbage:
                self._node.jam()
        except (ssl.SSLError, ConnectionError):
            if not self._how.survives_abrupt_ends:
                self._node.jam()
        except TimeoutError:
            pass
        if self._how.answers_close:
            secure.settimeout(1.0)
            with contextlib.suppress(OSError):
                secure.unwrap()
        secure.close()

    def _messages(self, records: Iterator[bytes]) -> Iterator[bytes]:
        if self._how.reads == "lines":
            yield from _lines(records)
            return
        reader = FrameReader(_LONGEST)
        for record in records:
            if self._how.reads == "within-record" and reader.pending:
                reader = FrameReader(_LONGEST)
            messages = reader.feed(record)
            yield from messages[:1] if self._how.reads == "first-of-record" else messages
        if reader.broken:
            raise FrameError(reader.broken)


def _records(secure: ssl.SSLSocket, seconds: float) -> Iterator[bytes]:
    """What comes, one TLS record at a time; ends with close_notify.

    Raises TimeoutError where nothing comes for `seconds`, `ssl.SSLEOFError` where the connection ends without it.
    """
    secure.settimeout(seconds)
    while data := secure.recv(_CHUNK):
        yield data


def _lines(records: Iterator[bytes]) -> Iterator[bytes]:
    """Of what stands between line ends, that which begins as a syslog message does."""
    waiting = b""
    for record in records:
        *lines, waiting = (waiting + record).split(b"\n")
        yield from filter(_BEGINNING.match, lines)
    if _BEGINNING.match(waiting):
        yield waiting


class _UdpPort:
    """Syslog over UDP (RFC 5426)."""

    def __init__(self, node: RepositoryNode, host: str, how: Collecting) -> None:
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            self._socket.bind((host, 0))
        except OSError:
            self._socket.close()
            raise
        self._node, self._how = node, how
        self._last = (0, 0.0)  # port, and when
        self._other = False  # the last datagram held something else than an audit message
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="repository-node-udp", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._socket.getsockname()[:2]
        return str(host), int(port)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):  # an unconnected socket says so, and yet its reader wakes up
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                datagram, sender = self._socket.recvfrom(_CHUNK)
            except OSError:
                if self._stopping.is_set():
                    return
                time.sleep(0.01)
                continue
            if self._stopping.is_set():
                return
            port = sender[1]
            before, at = self._last
            self._last = port, time.monotonic()
            alone = self._how.one_port and before != port and self._last[1] - at <= _A_WHILE
            if not alone and not (self._how.audit_alone and self._other):
                self._node.take(datagram, udp=True)
            self._other = b"<AuditMessage" not in datagram
