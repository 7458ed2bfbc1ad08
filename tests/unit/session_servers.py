"""Servers to try sessions and probes on: scripted ones, Python's own TLS stack, and the context of a probe."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

from harness.conduct import Budget
from harness.observations import Exchange, Reaction, ReactionKind
from harness.observations.transport import TLS12, TLS13, Versions
from harness.probes.base import ClientCredentials, Deadlines, ProbeContext, TlsTarget

HASTY = Deadlines(connect=1.0, exchange=1.0, silence=0.4, received_octets=65_536)
Script = Callable[[socket.socket], None]


@contextlib.contextmanager
def serving(script: Script) -> Iterator[int]:
    """A server on a free loopback port that plays `script` with every connection, each in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []
    over = threading.Event()

    def play(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, ssl.SSLError):
            connection.settimeout(5.0)
            script(connection)

    def accept() -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=play, args=(connection,), daemon=True)
            threads.append(thread)
            thread.start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        over.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(5)
        for thread in threads:
            thread.join(5)


def over_tls(settings: ssl.SSLContext, talk: Callable[[ssl.SSLSocket], None]) -> Script:
    """A script that shakes hands with Python's own TLS stack and then talks."""

    def script(connection: socket.socket) -> None:
        with settings.wrap_socket(connection, server_side=True) as secured:
            talk(secured)
            secured.unwrap()

    return script


def context_of(
    port: int,
    *,
    protocol: str = "dicom-tls",
    credentials: ClientCredentials | None = None,
    deadlines: Deadlines = HASTY,
    versions: tuple[int, ...] = (TLS12, TLS13),
    exchanges: list[Exchange] | None = None,
    keep_secrets: bool = False,
) -> ProbeContext:
    """A context for the server on `port`, which is taken to support `versions`."""
    target = TlsTarget("unit", protocol, "127.0.0.1", port, server_name="localhost", credentials=credentials)
    kept = exchanges if exchanges is not None else []
    context = ProbeContext(target, Budget(), deadlines=deadlines, on_exchange=kept.append, keep_secrets=keep_secrets)
    reactions = {code: Reaction(kind=ReactionKind.SERVER_HELLO, version=code) for code in versions}
    context.learn(context.observed("tls.versions", Versions(reactions=reactions)))
    return context
