"""Clients of other times at the ordinary server: old versions and suites, resumption with early data, hybrid groups."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest

from fixtures.pki import Pki
from harness.listeners.transport.trials import TRIALS, Trial
from harness.probes.base import ProbeContext
from harness.probes.transport.session import Session
from harness.probes.transport.session_offers import offer_of
from reference_impl.transport.registry import suite
from reference_impl.transport.wire import TLS10, TLS12, TLS13, ClientHello, ContentType
from tests.unit.session_servers import context_of
from tests.unit.trial_bench import ASSOCIATE, Bench, client_context, trial_bench

PRE_SHARED_KEY, EARLY_DATA, NO_RENEGOTIATION = 41, 42, 100


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


@pytest.fixture(scope="module")
def bench(pki: Pki) -> Iterator[Bench]:
    with trial_bench(pki) as running:
        yield running


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2])
def test_an_old_version_is_served_to_whoever_has_no_better(bench: Bench, pki: Pki, version: ssl.TLSVersion) -> None:
    bench.play("ordinary")
    context = client_context(pki, ciphers="ALL:@SECLEVEL=0", minimum=ssl.TLSVersion.TLSv1, maximum=version)
    assert bench.handshake(context, ASSOCIATE) == "answered"
    seen = bench.came("ordinary")
    assert seen.version == int(version)
    assert seen.certificates


@pytest.mark.parametrize(
    "name",
    ["DHE-RSA-AES128-GCM-SHA256", "AES128-SHA", "AES256-SHA256", "ECDHE-RSA-AES256-SHA384", "DHE-RSA-AES256-SHA"],
)
def test_an_old_suite_is_served_to_whoever_has_no_better(bench: Bench, pki: Pki, name: str) -> None:
    bench.play("ordinary-1.2")
    context = client_context(pki, ciphers=f"{name}:@SECLEVEL=0", maximum=ssl.TLSVersion.TLSv1_2)
    assert bench.handshake(context, ASSOCIATE) == "answered"
    assert bench.came("ordinary-1.2").operations == ()


@pytest.mark.parametrize("code", [0x000A, 0x0002, 0xC012])
def test_what_no_library_has_any_more_is_served_too(bench: Bench, code: int) -> None:
    bench.play("ordinary")
    for version in (TLS10, TLS12):
        context = _context(bench)
        with Session(context, offer_of(context, version, suites=(code,)), "old") as old:
            old.handshake()
            assert old.established, suite(code).name
            old.send(ASSOCIATE)
            assert old.read(5.0).data
        bench.server.wait(10.0, settle=0.0)
        assert bench.server.result()[0][-1].suite == code


def _context(bench: Bench) -> ProbeContext:
    return context_of(bench.server.address[1])


def test_a_client_that_resumes_with_early_data_is_served_anew(bench: Bench) -> None:
    bench.play("ordinary")
    context = _context(bench)
    with Session(context, offer_of(context, TLS13), "first") as first:
        first.handshake()
        first.send(ASSOCIATE)
        first.read(5.0)
        ticket = first.resumable[0]
    assert ticket.max_early_data
    with Session(context, offer_of(context, TLS13, resume=ticket, early_data=b"early" * 100), "second") as second:
        second.handshake()
        assert second.established
        assert not second.flight.resumed
        second.send(ASSOCIATE)
        assert second.read(5.0).data
    bench.server.wait(10.0, until=lambda: len(bench.server.result()[0]) == 2, settle=0.0)
    seen = bench.server.result()[0][1]
    assert seen.hello is not None
    assert {PRE_SHARED_KEY, EARLY_DATA} <= set(seen.hello.extensions)
    assert seen.application_octets == len(ASSOCIATE)


def test_a_share_that_the_server_lacks_brings_a_retry(bench: Bench) -> None:
    bench.play("ordinary")
    context = _context(bench)
    with Session(context, offer_of(context, TLS13, shares=()), "no share") as client:
        client.handshake()
        assert client.established
        assert client.flight.retried
    assert bench.came("ordinary").second_hello is not None


def test_records_with_a_wrong_integrity_check_end_the_connection(bench: Bench) -> None:
    bench.play("ordinary")
    context = _context(bench)
    with Session(context, offer_of(context, TLS13), "corrupt") as client:
        client.handshake()
        client.send(ASSOCIATE, corrupt=True)
        client.read(1.0)
    seen = bench.came("ordinary")
    assert (seen.application_octets, seen.ended) == (0, "harness")


@pytest.mark.parametrize("trial", ["silence", "only-tls-1.1", "ordinary-1.2", "plaintext-http"])
def test_early_data_is_no_application_data(bench: Bench, trial: str) -> None:
    """What a client sends to a server that it has verified before says nothing about this one."""
    bench.play("ordinary")
    context = _context(bench)
    with Session(context, offer_of(context, TLS13), "first") as first:
        first.handshake()
        first.send(ASSOCIATE)
        first.read(5.0)
        ticket = first.resumable[0]
    bench.play(trial)
    with Session(context, offer_of(context, TLS13, resume=ticket, early_data=b"early" * 100), "second") as second:
        second.handshake()
    bench.server.wait(10.0, settle=0.0)
    for seen in bench.server.result()[0]:
        assert (seen.application_octets, seen.progress) == (0, "hello")


def test_a_client_that_renegotiates_is_told_not_to(bench: Bench) -> None:
    bench.play("hello-request")
    context = _context(bench)
    with Session(context, offer_of(context, TLS12), "renegotiating") as client:
        client.handshake()
        client.send(offer_hello(), content_type=ContentType.HANDSHAKE)
        client.send(ASSOCIATE)
        alerts = [client.read(5.0).alert for _ in range(3)]
    assert NO_RENEGOTIATION in alerts
    assert "renegotiation" in bench.came("hello-request").detail


def offer_hello() -> bytes:
    return ClientHello((0xC02F,), TLS12, ()).encode()


@pytest.mark.parametrize("trial", ["ordinary", "ordinary-1.2", "finished-wrong-1.2"])
def test_a_client_that_knows_no_rsa_is_shown_another_certificate(bench: Bench, trial: str) -> None:
    context = _context(bench)
    for version, suites in ((TLS13, (0x1302,)), (TLS12, (0xC02B,))):
        if trial != "ordinary" and version == TLS13:
            continue
        bench.play(trial)
        with Session(context, offer_of(context, version, suites=suites, schemes=(0x0403,)), "elliptic") as client:
            client.handshake()
            assert client.flight.scheme == 0x0403
        bench.server.wait(10.0, settle=0.0)
        assert bench.server.result()[0][-1].progress in {"completed", "went-on"}


@pytest.mark.parametrize("trial", [t for t in TRIALS.values() if t.version == TLS12 and not t.case], ids=lambda t: t.id)
def test_every_trial_of_tls_1_2_is_played_at_a_client_that_knows_no_rsa(bench: Bench, trial: Trial) -> None:
    context = _context(bench)
    bench.play(trial)
    with Session(context, offer_of(context, TLS12, suites=(0xC02B,), schemes=(0x0403,)), "elliptic") as client:
        client.handshake()
    bench.server.wait(10.0, settle=0.0)
    for seen in bench.server.result()[0]:
        assert seen.hello is not None
        assert "failed" not in seen.detail
