"""The trials: a strict client passes the acceptable ones and breaks the others off; one that takes all of it shows."""

from __future__ import annotations

import hmac
import socket
import ssl
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from fixtures.pki import Pki
from fixtures.pki.zoo import CASES
from harness.listeners.transport.trials import TRIALS, Trial, skipped
from harness.observations.clients import ClientConnection, ClientHelloFacts
from harness.probes.transport.session import Session
from reference_impl.transport.protection.records import Aead12, Aead13, ProtectionError, RecordProtection
from reference_impl.transport.trials import SERVER_SCRIPTS
from reference_impl.transport.trials.exchanges import ephemeral
from reference_impl.transport.wire import (
    TLS10,
    TLS11,
    TLS12,
    TLS13,
    CertificateMessage,
    ContentType,
    HandshakeMessage,
    HandshakeType,
    Record,
    encode_record,
)
from tests.unit import reckless_clients
from tests.unit.trial_bench import ASSOCIATE, Bench, client_context, trial_bench

BEHAVIOURS = [trial for trial in TRIALS.values() if not trial.case]
BREAKS_OFF = {"cut-after-server-hello", "reset", "silence"}
FALLBACKS = {"fallback-after-close", "fallback-after-handshake-failure", "fallback-after-protocol-version"}
PLAIN = {"plaintext-dicom", "plaintext-http", "garbage"}
NEEDS_OLD_HELLO = {"ssl-2.0"}
NEEDS_KEYS = {"suite-not-offered-1.3", "extension-duplicate"}
CLASSES = {each.id for each in BEHAVIOURS if each.id.startswith("suite-") and "not-offered" not in each.id}
FORCED = {"only-tls-1.1": TLS11, "only-tls-1.0": TLS10, "only-ssl-3.0": 0x0300, "downgrade-to-tls-1.1": TLS11}


def ids(trials: list[Trial]) -> list[str]:
    return [trial.id for trial in trials]


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


@pytest.fixture(scope="module")
def bench(pki: Pki) -> Iterator[Bench]:
    with trial_bench(pki) as running:
        yield running


def took(trial: Trial, connections: tuple[ClientConnection, ...]) -> bool:
    """Whether a client took what the trial did, as the trial says how that shows."""
    return any(
        each.application_octets > 0 or (trial.decided == "went-on" and each.progress in {"went-on", "completed"})
        for each in connections
    )


def seen(bench: Bench) -> tuple[ClientConnection, ...]:
    bench.server.wait(10.0, settle=0.0)
    return bench.server.result()[0]


def test_every_trial_has_a_script_or_a_certificate() -> None:
    assert {trial.id for trial in BEHAVIOURS} == set(SERVER_SCRIPTS)
    assert {t.case for t in TRIALS.values() if t.case} == {n for n, c in CASES.items() if c.server and n != "good"}


def test_trials_cite_a_clause_and_come_after_what_they_need() -> None:
    before: set[str] = set()
    for trial in TRIALS.values():
        assert trial.sources, trial.id
        assert set(trial.needs) <= before, trial.id
        before.add(trial.id)
    assert list(TRIALS)[:2] == ["ordinary", "ordinary-1.2"]
    assert "certificate/unknown-authority" in list(TRIALS)[:5]
    assert len(BEHAVIOURS) > 60


@pytest.mark.parametrize("trial", [t for t in BEHAVIOURS if t.treatment == "accept"], ids=lambda t: t.id)
def test_a_strict_client_copes_with_what_is_acceptable(bench: Bench, pki: Pki, trial: Trial) -> None:
    bench.play(trial)
    assert bench.handshake(client_context(pki), ASSOCIATE) == "answered"
    connections = seen(bench)
    assert took(trial, connections)
    assert connections[0].association_accepted


@pytest.mark.parametrize(
    "trial",
    [t for t in BEHAVIOURS if t.treatment == "refuse" and t.id not in CLASSES | NEEDS_OLD_HELLO],
    ids=lambda t: t.id,
)
def test_a_strict_client_takes_nothing_that_is_to_be_refused(bench: Bench, pki: Pki, trial: Trial) -> None:
    bench.play(trial)
    assert bench.handshake(client_context(pki), ASSOCIATE) != "answered"
    connections = seen(bench)
    assert not took(trial, connections)
    if trial.id not in BREAKS_OFF | FALLBACKS:
        assert {each.ended for each in connections} <= {"alert", "close_notify", "close", "reset"}


def lenient(protection: type[RecordProtection], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have records whose last bit is wrong opened all the same."""
    strict = protection.open

    def open_anyway(self: RecordProtection, record: Record) -> tuple[int, bytes]:
        number = self.sequence
        try:
            return strict(self, record)
        except ProtectionError:
            self.sequence = number
            return strict(self, record._replace(payload=record.payload[:-1] + bytes((record.payload[-1] ^ 1,))))

    monkeypatch.setattr(protection, "open", open_anyway)


def mending(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have sessions of TLS 1.2 read a Finished whose last bit is wrong as if it were right."""
    strict = Session.next_message

    def mended(self: Session, until: float | None = None) -> HandshakeMessage:
        message = strict(self, until)
        wrong = message.type == HandshakeType.FINISHED
        return message._replace(body=message.body[:-1] + bytes((message.body[-1] ^ 1,))) if wrong else message

    monkeypatch.setattr(Session, "next_message", mended)


@pytest.fixture
def careless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions that check neither Finished nor integrity, and compute with weak curves."""
    careless_hmac = SimpleNamespace(compare_digest=lambda _a, _b: True, digest=hmac.digest, new=hmac.new)
    for module in ("session_handshake", "session_handshake13"):
        monkeypatch.setattr(f"harness.probes.transport.{module}.hmac", careless_hmac, raising=False)
    monkeypatch.setattr("harness.probes.transport.session_handshake.key_pair", ephemeral)
    lenient(Aead13, monkeypatch)
    lenient(Aead12, monkeypatch)


@pytest.mark.usefixtures("careless")
@pytest.mark.parametrize(
    "trial",
    [t for t in BEHAVIOURS if t.treatment == "refuse" and t.id not in BREAKS_OFF | FALLBACKS | NEEDS_OLD_HELLO],
    ids=lambda t: t.id,
)
def test_that_a_client_takes_what_it_should_refuse_is_seen(
    bench: Bench, trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.play(trial)
    if trial.id == "finished-wrong-1.2":
        mending(monkeypatch)
    if trial.id in PLAIN:
        reckless_clients.in_plaintext(bench)
    elif trial.decided == "went-on" and trial.id not in NEEDS_KEYS:
        reckless_clients.raw(bench, FORCED.get(trial.id, trial.version or TLS13))
    elif trial.id in NEEDS_KEYS:
        reckless_clients.session(bench, TLS13, suites=(0x1302,))
    else:
        reckless_clients.session(bench, trial.version or TLS13)
    connections = seen(bench)
    assert took(trial, connections), connections


def test_a_client_that_falls_back_is_seen(bench: Bench) -> None:
    bench.play("fallback-after-close")
    reckless_clients.raw(bench, TLS13)
    reckless_clients.raw(bench, TLS10)
    bench.server.wait(10.0, until=lambda: len(bench.server.result()[0]) == 2, settle=0.0)
    hellos = [each.hello for each in bench.server.result()[0]]
    assert [hello.highest_version for hello in hellos if hello] == [TLS13, TLS10]


def test_every_certificate_is_shown_as_it_is(bench: Bench) -> None:
    """A client that authenticates nobody gets to application data whatever the certificate is."""
    not_taken = []
    for trial in TRIALS.values():
        if not trial.case:
            continue
        bench.play(trial)
        reckless_clients.session(bench, trial.version or TLS13)
        if not took(trial, seen(bench)):
            not_taken.append(trial.id)
    assert not_taken == []


@pytest.mark.parametrize("case", ["expired", "unknown-authority", "wrong-host-name", "possession"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_openssl_breaks_off_bad_certificates(bench: Bench, pki: Pki, case: str, version: ssl.TLSVersion) -> None:
    bench.play(f"certificate/{case}")
    assert bench.handshake(client_context(pki, maximum=version), ASSOCIATE) != "answered"
    connection = seen(bench)[0]
    assert (connection.ended, connection.application_octets, connection.progress) == ("alert", 0, "hello")


def hello(**fields: object) -> ClientConnection:
    values = {"record_version": 0x0301, "version": TLS12, "suites": (0x1301, 0xC02F), **fields}
    facts = ClientHelloFacts(**values)
    return ClientConnection(
        exchange="e", peer="p", opening="tls", hello=facts, progress="completed", ended="close_notify"
    )


MODERN = hello(supported_versions=(TLS13, TLS12), groups=(0x1D, 0x17), key_shares=(0x1D,), schemes=(0x0804, 0x0403))


@pytest.mark.parametrize(
    ("trial", "ordinary", "why"),
    [
        ("ordinary", MODERN, ""),
        ("ordinary-1.2", MODERN, ""),
        ("ordinary-1.2", hello(supported_versions=(TLS13,)), "TLS 1.2"),
        ("retry", hello(), "TLS 1.3"),
        ("retry", MODERN, ""),
        ("retry", hello(supported_versions=(TLS13,), groups=(0x1D,), key_shares=(0x1D,)), "share"),
        ("suite-rc4", MODERN, "cipher suite"),
        ("suite-rc4", hello(suites=(0x0005,)), ""),
        ("suite-dhe", hello(suites=(0x009E,)), ""),
        ("dhe-1024", MODERN, "cipher suite"),
        ("ssl-2.0", MODERN, "SSL 2.0"),
        ("downgrade-to-tls-1.2", MODERN, ""),
        ("downgrade-to-tls-1.2", hello(), "downgrade"),
        ("downgrade-to-tls-1.1", MODERN, ""),
        ("downgrade-to-tls-1.1", hello(version=TLS11), "TLS 1.1"),
        ("downgrade-to-tls-1.1", hello(), ""),
        ("truncated-hmac", MODERN, "truncated_hmac"),
        ("extension-unsolicited-1.2", hello(extensions=(1,)), "max_fragment_length"),
        ("extension-unsolicited-1.2", MODERN, ""),
        ("signature-sha1", hello(suites=(0x009C,)), "ECDHE"),
        ("certificate/ed25519", MODERN, "signature scheme"),
        ("certificate/expired", MODERN, ""),
        ("certificate/expired", hello(schemes=(0x0403, 0x0503)), "signature scheme"),
        ("certificate/p-192", hello(schemes=(0x0403,)), ""),
        ("certificate/p-256", MODERN, ""),
        ("certificate/expired", MODERN, ""),
    ],
)
def test_what_cannot_be_played_says_why(trial: str, ordinary: ClientConnection, why: str) -> None:
    reason = skipped(TRIALS[trial], ordinary)
    assert (why in reason) if why else not reason
    assert not skipped(TRIALS[trial], None)


def test_a_certificate_before_the_alert_is_no_going_on(bench: Bench) -> None:
    """Java's TLS 1.2 client sends its Certificate before it misses the ServerKeyExchange."""
    bench.play("key-exchange-missing")
    with socket.create_connection(bench.server.address, 10) as connection:
        connection.sendall(reckless_clients.hello_of(TLS12).to_records())
        reckless_clients.hear(connection)
        certificate = CertificateMessage(()).encode()
        connection.sendall(encode_record(ContentType.HANDSHAKE, certificate) + encode_record(21, b"\x02\x50"))
        reckless_clients.drain(connection)
    connection_seen = seen(bench)[0]
    assert (connection_seen.progress, connection_seen.ended, connection_seen.alert) == ("hello", "alert", 80)
