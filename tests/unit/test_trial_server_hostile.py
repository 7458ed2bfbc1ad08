"""The server of trials against clients that mean it no good: everything ends, and everything is recorded."""

from __future__ import annotations

import random
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from fixtures.pki import Pki
from harness.listeners.transport.trials import TRIALS
from harness.probes.base import Deadlines
from reference_impl.transport.wire import TLS12, TLS13, encode_record
from tests.unit.reckless_clients import drain, hello_of
from tests.unit.trial_bench import ASSOCIATE, DEADLINE, Bench, client_context, trial_bench

HASTY = Deadlines(exchange=0.4, silence=0.2, received_octets=20_000)


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


@pytest.fixture
def bench(pki: Pki) -> Iterator[Bench]:
    with trial_bench(pki, deadlines=HASTY) as running:
        yield running


def say(bench: Bench, *pieces: bytes) -> None:
    """Connect, say `pieces`, read to the end."""
    with socket.create_connection(bench.server.address, DEADLINE) as raw:
        try:
            for piece in pieces:
                raw.sendall(piece)
            raw.shutdown(socket.SHUT_WR)
            drain(raw)
        except ConnectionError:
            pass


def noise(seed: int) -> list[bytes]:
    """Hellos that are spoiled, records of every kind, and octets of no kind."""
    dice = random.Random(seed)  # noqa: S311 - reproducible
    hello = bytearray(hello_of(dice.choice((TLS12, TLS13))).to_records())
    for _ in range(dice.randrange(4)):
        hello[dice.randrange(len(hello))] = dice.randrange(256)
    records = [encode_record(dice.choice((20, 21, 22, 23, 24)), dice.randbytes(dice.randrange(200))) for _ in range(4)]
    return [bytes(hello), *records, dice.randbytes(dice.randrange(1, 2000))]


@pytest.mark.parametrize("trial", ["ordinary", "ordinary-1.2", "ssl-2.0", "retry", "plaintext-dicom", "only-tls-1.0"])
def test_noise_is_survived_and_recorded(bench: Bench, pki: Pki, trial: str) -> None:
    bench.play(trial)
    for seed in range(12):
        say(bench, *noise(seed))
        say(bench, noise(seed)[-1])
    bench.server.wait(DEADLINE, until=lambda: len(bench.server.result()[0]) == 24, settle=0.0)
    assert len(bench.exchanges) == 24
    bench.play("ordinary")
    assert bench.handshake(client_context(pki), ASSOCIATE) == "answered"


def test_a_client_that_dribbles_is_ended(bench: Bench) -> None:
    bench.play("ordinary")
    with socket.create_connection(bench.server.address, DEADLINE) as raw:
        raw.sendall(b"\x16\x03\x01\x40\x00")
        assert not raw.recv(10)
    assert bench.came("ordinary").ended == "silence"


def test_a_flood_is_cut_in_the_record(bench: Bench, pki: Pki) -> None:
    bench.play("ordinary")
    context = client_context(pki)
    with (
        socket.create_connection(bench.server.address, DEADLINE) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as secured,
    ):
        secured.sendall(ASSOCIATE + b"\x04\x00" + struct.pack(">I", 100_000) + bytes(100_000))
    seen = bench.came("ordinary")
    assert seen.application_octets > 20_000
    assert len(seen.application_first) == 128
    exchange = bench.exchanges[-1]
    assert exchange.truncated
    assert sum(len(text) // 2 for _direction, _at, text in exchange.segments) <= HASTY.received_octets


def test_stopping_ends_what_is_under_way(pki: Pki) -> None:
    with trial_bench(pki, deadlines=Deadlines(exchange=60.0)) as bench:
        bench.play("silence")
        raw = socket.create_connection(bench.server.address, DEADLINE)
        raw.sendall(hello_of(TLS13).to_records())
        bench.server.wait(0.2)
        began = time.monotonic()
        bench.server.stop()
        assert time.monotonic() - began < 5
        raw.close()
    assert len(bench.exchanges) == 1


def test_nothing_is_served_before_a_trial_is_played(pki: Pki) -> None:
    with trial_bench(pki) as bench:
        with socket.create_connection(bench.server.address, DEADLINE) as raw:
            assert not raw.recv(10)
        assert bench.server.result() == ((), ())


def test_a_port_that_is_taken_is_told(pki: Pki) -> None:
    with trial_bench(pki) as bench:
        again = trial_bench(pki, port=bench.server.address[1])
        with pytest.raises(OSError, match="in use"):
            again.__enter__()


@pytest.mark.parametrize("address", ["::1", "::"])
def test_ipv6(pki: Pki, address: str) -> None:
    try:
        socket.create_server((address, 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with trial_bench(pki, address=address, sut_addresses=frozenset({"::1"})) as bench:
        bench.play(TRIALS["ordinary"])
        with socket.create_connection(("::1", bench.server.address[1]), DEADLINE) as raw:
            raw.sendall(b"\x16")
        assert bench.came("ordinary").peer.startswith("[::1]:")
