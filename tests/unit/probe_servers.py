"""Servers for the tests of probes: scripted ones that behave as badly as a test wants, and real ones."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from harness.conduct import Budget
from harness.observations import Exchange, Observation
from harness.probes.base import Deadlines, Probe, ProbeContext, TlsTarget

IMPATIENT = Deadlines(connect=1.0, exchange=0.5, silence=0.15, received_octets=65_536)
PATIENT = Deadlines()

Behaviour = Callable[[socket.socket], None]


@contextmanager
def scripted(behave: Behaviour, *, most: int | None = None) -> Iterator[int]:
    """A server on a free port of the loopback that treats every connection with `behave`; yields the port.

    After `most` connections it stops listening.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    stopped = threading.Event()

    def treat(connection: socket.socket) -> None:
        with connection, suppress(OSError, ValueError):
            connection.settimeout(10)
            behave(connection)

    def serve() -> None:
        served = 0
        while not stopped.is_set() and (most is None or served < most):
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            served += 1
            threading.Thread(target=treat, args=(connection,), daemon=True).start()
        listener.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1] if most is None or most > 0 else 0
    finally:
        stopped.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@contextmanager
def s_server(*arguments: str) -> Iterator[int]:
    """`openssl s_server` on a free port of the loopback; yields the port."""
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        said: list[str] = []
        try:
            for line in process.stdout:
                said.append(line)
                if line.startswith("ACCEPT"):
                    break
            else:
                raise AssertionError("".join(said))
            port = int(said[-1].rpartition(":")[2])
            drain = threading.Thread(target=lambda: [None for _line in process.stdout or ()], daemon=True)
            drain.start()
            yield port
        finally:
            process.kill()


def context_of(
    port: int, deadlines: Deadlines = IMPATIENT, budget: Budget | None = None
) -> tuple[ProbeContext, list[Exchange]]:
    """A probe context for a port of the loopback, and the list that its exchanges are recorded in."""
    recorded: list[Exchange] = []
    context = ProbeContext(
        target=TlsTarget("dimse", "dicom-tls", "127.0.0.1", port),
        budget=budget or Budget(at_once=8, per_second=5000),
        deadlines=deadlines,
        on_exchange=recorded.append,
    )
    return context, recorded


def observe(context: ProbeContext, probes: Sequence[Probe]) -> dict[str, Observation]:
    """Run `probes` in their order, each learning from those before."""
    observed: dict[str, Observation] = {}
    for probe in probes:
        observation = probe.run(context)
        context.learn(observation)
        observed[probe.kind] = observation
    return observed
