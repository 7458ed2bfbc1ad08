"""The faults of the reference client: each does what its name says, and nothing is left of it without it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from cryptography.exceptions import InvalidTag

from fixtures.pki import Pki
from reference_impl.faults import UnknownFaultError, check_names, load_faults
from reference_impl.node import Node
from reference_impl.scu import Scu
from reference_impl.transport.client import Check, ClientChannel, ClientLimits, ClientSettings, settings_for
from reference_impl.transport.client_faults import CLIENT_BEHAVIOURS
from reference_impl.transport.client_faults.records import numbered_alike, numbered_at_random, unchecked
from reference_impl.transport.profiles import load_profile
from reference_impl.transport.protection.records import DirectionKeys, ProtectionError, key_shape, protection
from reference_impl.transport.wire import (
    TLS12,
    TLS13,
    ClientHello,
    RecordReader,
    parse_client_hello,
    parse_ssl2_client_hello,
)

LIMITS = ClientLimits(connect=5.0, handshake=5.0, answer=5.0, linger=0.2)
CURRENT = [name for name, fault in load_faults("tls-client").items() if not (fault.retired or fault.beside)]
KEYS = DirectionKeys(b"", bytes(range(16)), bytes(12))


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki.create(tmp_path_factory.mktemp("pki"))


def test_table_and_behaviours_agree() -> None:
    faults = load_faults("tls-client")
    assert set(faults) == set(CLIENT_BEHAVIOURS)
    assert {fault.role for fault in faults.values()} == {"tls-client"}
    assert len(load_faults(None)) == len(faults) + len(load_faults())
    assert [name for name, fault in faults.items() if not fault.text.endswith(".")] == []
    assert [name for name, fault in faults.items() if not fault.breaks and not fault.advice] == []


def test_a_fault_belongs_to_its_role() -> None:
    assert check_names(["accepts-rc4"], "tls-client") == ("accepts-rc4",)
    with pytest.raises(UnknownFaultError):
        check_names(["accepts-rc4"])


def hello_of(settings: ClientSettings) -> ClientHello:
    octets = ClientChannel(settings, lambda _shown, _stapled: None, "localhost").data_to_send()
    return parse_client_hello(octets[9:])


def plain(settings: ClientSettings) -> tuple[object, ...]:
    """What a hello says, without what is random in it."""
    hello = hello_of(settings)
    extensions = tuple((e.type, e.data) for e in hello.extensions or () if e.type not in {41, 51})
    return hello.cipher_suites, hello.client_version, hello.compression_methods, extensions


@pytest.mark.parametrize("fault", CURRENT)
def test_every_fault_changes_something_and_says_a_hello(fault: str) -> None:
    untouched = settings_for(load_profile("B.13"))
    behaviour = CLIENT_BEHAVIOURS[fault]
    changed = behaviour.adjust(untouched)
    beside = behaviour.before + behaviour.after_failure + behaviour.at_first + behaviour.after_tls_1_2
    assert changed != untouched or beside or behaviour.shows
    assert hello_of(changed).cipher_suites
    quiet = changed.deviations.ignores or changed.deviations.dreads or changed.deviations.verifies_late
    assert (
        not quiet
        or fault == "accepts-any-application-protocol"
        or fault.startswith("accepts-dhe")
        or (plain(changed) == plain(untouched))
    )


def test_the_conforming_client_leaves_nothing_out() -> None:
    for profile in ("B.12", "B.13"):
        settings = settings_for(load_profile(profile))
        assert all(settings.checks(check) for check in Check)
        assert settings.deviations == ClientSettings().deviations


# -- against nodes with the matching fault -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("node", "fault"),
    [
        ("expired-certificate", "accepts-expired-server"),
        ("sha-1-certificate", "accepts-sha-1-server"),
        ("rsa-1024-certificate", "accepts-rsa-1024-server"),
    ],
)
def test_bad_servers_are_refused_but_by_who_ignores_it(pki: Pki, node: str, fault: str) -> None:
    with Node("B.12", [node], pki=pki) as running:
        anchors = [pki.issue("ca").certificate]
        outcomes = [
            _only_rsa(Scu("B.12", faults, pki=pki, trust_anchors=anchors, limits=LIMITS)).echo(
                *running.address, running.ae_title, "localhost"
            )
            for faults in ((), (fault,))
        ]
    assert [(one.ok, one.refused) for one in outcomes] == [(False, True), (True, False)]


def _only_rsa(client: Scu) -> Scu:
    """The node shows its other certificate to who verifies ECDSA."""
    schemes = tuple(scheme for scheme in client.settings.schemes if scheme & 0xFF != 3)
    client.settings = replace(client.settings, schemes=tuple(s for s in schemes if s not in {0x0807, 0x0808}))
    return client


# -- further attempts ----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def slamming() -> Iterator[tuple[tuple[str, int], Callable[[], list[bytes]]]]:
    """A server that reads what is said first and hangs up."""
    said: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(5)
                    said.append(connection.recv(1 << 14))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    host, port = listener.getsockname()[:2]
    try:
        yield (str(host), int(port)), lambda: said
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def attempts(pki: Pki, *faults: str) -> list[bytes]:
    with slamming() as (address, said):
        assert not Scu("B.12", faults, pki=pki, limits=LIMITS).echo(*address).ok
    return said()


def versions(octets: bytes) -> tuple[int, ...]:
    return parse_client_hello(octets[9:]).offered_versions


def test_a_conforming_client_tries_once(pki: Pki) -> None:
    assert [versions(one) for one in attempts(pki)] == [(TLS13, TLS12)]


@pytest.mark.parametrize(("fault", "version"), [("falls-back-to-tls-1.0", 0x0301), ("falls-back-to-tls-1.1", 0x0302)])
def test_falling_back(pki: Pki, fault: str, version: int) -> None:
    assert [versions(one) for one in attempts(pki, fault)] == [(TLS13, TLS12), (version,)]


def test_falling_back_to_ssl2(pki: Pki) -> None:
    first, second = attempts(pki, "falls-back-to-ssl-2.0")
    assert versions(first) == (TLS13, TLS12)
    assert parse_ssl2_client_hello(second[2:]).version == 2


def test_falling_back_to_plaintext(pki: Pki) -> None:
    first, second = attempts(pki, "falls-back-to-plaintext")
    assert (first[0], second[:2]) == (22, b"\x01\x00")


def test_beginning_in_plaintext(pki: Pki) -> None:
    first, second = attempts(pki, "begins-in-plaintext")
    assert (first[:2], second[0]) == (b"\x01\x00", 22)


# -- records -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "code"), [(TLS12, 0xC02F), (TLS13, 0x1301)])
def test_integrity_is_checked_but_by_who_ignores_it(version: int, code: int) -> None:
    shape = key_shape(code)
    assert shape is not None
    keys = DirectionKeys(b"", KEYS.key, KEYS.iv[: shape.fixed_iv])
    (record,) = RecordReader().feed(protection(shape, version, keys).seal(23, b"C-ECHO", corrupt=True))
    assert unchecked(shape, version, keys).open(record) == (23, b"C-ECHO")
    with pytest.raises((ProtectionError, InvalidTag)):
        protection(shape, version, keys).open(record)


def test_nonces_at_random_and_alike() -> None:
    shape = key_shape(0xC02F)
    assert shape is not None
    keys = DirectionKeys(b"", KEYS.key, KEYS.iv[:4])
    for make, different in ((numbered_at_random, 3), (numbered_alike, 1)):
        sealed = [make(shape, TLS12, keys)] * 3
        records = RecordReader().feed(b"".join(one.seal(23, b"x") for one in sealed))
        assert len({record.payload[:8] for record in records}) == different
        reading = protection(shape, TLS12, keys)
        assert [reading.open(record) for record in records] == [(23, b"x")] * 3
