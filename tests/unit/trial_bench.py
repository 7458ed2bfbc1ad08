"""A listener that plays trials, and real clients that come to it."""

from __future__ import annotations

import itertools
import shutil
import socket
import ssl
import subprocess
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from fixtures.pki import Pki
from fixtures.pki.zoo import Zoo
from harness.dicom_ul import associate_rq
from harness.listeners.transport.server import TrialServer
from harness.listeners.transport.trials import TRIALS, Trial
from harness.observations import Exchange
from harness.observations.clients import ClientConnection
from harness.probes.base import Deadlines

DEADLINE = 20.0
SHORT = Deadlines(exchange=3.0, silence=0.5)


@dataclass
class Bench:
    """A running server, its infrastructure, and the exchanges that it recorded."""

    server: TrialServer
    pki: Pki
    exchanges: list[Exchange] = field(default_factory=list)

    def came(self, trial: str, settle: float = 0.0) -> ClientConnection:
        """The one connection of the trial being played."""
        self.server.wait(DEADLINE, settle=settle)
        connections, _strangers = self.server.result()
        assert len(connections) == 1, f"{trial}: {connections}"
        return connections[0]

    def play(self, trial: str | Trial) -> None:
        self.server.play(TRIALS[trial] if isinstance(trial, str) else trial)

    def handshake(self, context: ssl.SSLContext, say: bytes = b"", host: str = "localhost") -> str:
        """Connect, say something, read an answer; what became of it in a word."""
        with socket.create_connection(self.server.address, DEADLINE) as raw:
            try:
                with context.wrap_socket(raw, server_hostname=host) as secured:
                    if say:
                        secured.sendall(say)
                        return "answered" if secured.recv(1 << 14) else "closed"
                    return "completed"
            except (ssl.SSLError, OSError) as problem:
                return type(problem).__name__


@contextmanager
def trial_bench(
    pki: Pki,
    protocol: str = "dicom-tls",
    *,
    deadlines: Deadlines = SHORT,
    sut_addresses: frozenset[str] = frozenset(),
    keep_secrets: bool = False,
    address: str = "127.0.0.1",
    port: int = 0,
) -> Iterator[Bench]:
    """A trial server on the loopback, anything of whose threads is gone afterwards."""
    counter, exchanges = itertools.count(1), list[Exchange]()
    before = threading.active_count()
    server = TrialServer(
        endpoint="scu",
        protocol=protocol,
        address=address,
        port=port,
        zoo=Zoo(pki),
        sut_addresses=sut_addresses,
        called_aet="PS315-HARNESS",
        deadlines=deadlines,
        on_exchange=exchanges.append,
        next_exchange_id=lambda: f"scu-{next(counter):04d}",
        keep_secrets=keep_secrets,
    )
    with server:
        yield Bench(server, pki, exchanges)
    assert threading.active_count() <= before


def client_context(
    pki: Pki,
    *,
    verify: bool = True,
    certificate: bool = True,
    ciphers: str = "DEFAULT",
    maximum: ssl.TLSVersion | None = None,
    minimum: ssl.TLSVersion | None = None,
    alpn: tuple[str, ...] = (),
) -> ssl.SSLContext:
    """A client of Python's ssl that trusts the zoo's authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(pki.trust_anchors_file())
    context.set_ciphers(ciphers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if minimum is not None:
            context.minimum_version = minimum
        if maximum is not None:
            context.maximum_version = maximum
    if certificate:
        context.load_cert_chain(pki.certificate_file("client"), pki.key_file("client"))
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


ASSOCIATE = associate_rq("SCU", "PS315-HARNESS")


def echoscu(bench: Bench, *options: str, name: str = "127.0.0.1") -> subprocess.CompletedProcess[str]:
    """Run DCMTK's echoscu against the bench. Skips the test where it is not installed."""
    if shutil.which("echoscu") is None:
        pytest.skip("dcmtk is not installed")
    command = [
        "echoscu", "-d", "+tls", str(bench.pki.key_file("client")), str(bench.pki.certificate_file("client")),
        "+cf", str(bench.pki.trust_anchors_file()), "-aec", "PS315-HARNESS", "-to", "5", "-ta", "5", *options,
        name, str(bench.server.address[1]),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
