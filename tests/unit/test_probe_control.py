"""A connection that ends without an answer refuses what was offered only while others are answered."""

from __future__ import annotations

import itertools
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from fixtures.pki import Pki
from harness.observations import FACTS, Observation, ReactionKind, facts_of
from harness.observations.transport import (
    TLS12,
    TLS13,
    Certificates,
    CipherSuites,
    Plaintext,
    SignatureSchemes,
    Tolerance,
    Versions,
)
from harness.probes.transport import PROBES
from tests.unit.probe_servers import PATIENT, context_of, observe, s_server, scripted

Ending = Callable[[socket.socket], None]


def closes(connection: socket.socket) -> None:
    connection.recv(4096)


def resets(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def relay(connection: socket.socket, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as server:

        def back() -> None:
            with suppress(OSError):
                while data := server.recv(65536):
                    connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=back, daemon=True)
        thread.start()
        with suppress(OSError):
            while data := connection.recv(65536):
                server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)
        thread.join(10)


@contextmanager
def limited(port: int, admits: Callable[[int], bool], ending: Ending) -> Iterator[int]:
    """A relay to `port` for the connections whose number `admits`; the others meet `ending`."""
    numbers = itertools.count(1)

    def behave(connection: socket.socket) -> None:
        if admits(next(numbers)):
            relay(connection, port)
        else:
            ending(connection)

    with scripted(behave) as address:
        yield address


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    pki = Pki.create()
    with s_server("-cert", str(pki.certificate_file("server")), "-key", str(pki.key_file("server"))) as port:
        yield port


def probed(port: int, *kinds: str) -> dict[str, Observation]:
    context, _exchanges = context_of(port, PATIENT)
    return observe(context, [probe for probe in PROBES if probe.kind in kinds])


BASIC = ("tls.reachability", "tls.versions", "tls.cipher-suites")


@pytest.mark.parametrize("ending", [closes, resets])
def test_a_limit_on_connections_is_no_refusal_of_suites(server: int, ending: Ending) -> None:
    left = itertools.repeat(1)
    with limited(server, lambda _number: next(left, 0) == 1, ending) as port:
        context, _exchanges = context_of(port, PATIENT)
        observe(context, [probe for probe in PROBES if probe.kind in {"tls.reachability", "tls.versions"}])
        left = itertools.repeat(1, 5)
        probe = next(probe for probe in PROBES if probe.kind == "tls.cipher-suites")
        suites = facts_of(probe.run(context), CipherSuites)
    assert suites is not None
    assert not suites.versions[TLS12].complete
    assert not suites.versions[TLS13].complete


def test_a_limit_on_connections_is_no_refusal_of_versions(server: int) -> None:
    with limited(server, lambda number: number <= 1, closes) as port:
        observation = probed(port, "tls.reachability", "tls.versions")["tls.versions"]
    facts = facts_of(observation, Versions)
    assert facts is None
    assert "a limit on connections" in observation.missing


def test_nor_is_it_one_of_keys_schemes_plaintext_and_unusual_hellos(server: int) -> None:
    kinds = ("tls.certificates", "tls.signature-schemes", "tls.plaintext", "tls.tolerance")
    admitting = threading.Event()
    admitting.set()
    with limited(server, lambda _number: admitting.is_set(), closes) as port:
        context, _exchanges = context_of(port, PATIENT)
        observe(context, [probe for probe in PROBES if probe.kind in BASIC])
        admitting.clear()
        seen = {kind: next(probe for probe in PROBES if probe.kind == kind).run(context) for kind in kinds}
    for kind, observation in seen.items():
        facts = facts_of(observation, FACTS[kind])
        match facts:
            case Certificates():
                assert (facts.rsa_refused, facts.ecdsa_refused) == (None, None)
            case SignatureSchemes():
                assert not any(facts.complete.values())
            case Plaintext() | Tolerance():
                raise AssertionError(f"{kind} was established")


@pytest.mark.parametrize("ending", [closes, resets])
def test_every_fifth_connection_lost_changes_nothing(server: int, ending: Ending) -> None:
    steady = facts_of(probed(server, *BASIC)["tls.cipher-suites"], CipherSuites)
    with limited(server, lambda number: number % 5 != 0, ending) as port:
        unsteady = facts_of(probed(port, *BASIC)["tls.cipher-suites"], CipherSuites)
    assert steady is not None
    assert unsteady is not None
    for version, of_version in steady.versions.items():
        assert of_version.complete
        assert unsteady.versions[version].complete
        accepted = [each.code for each in unsteady.versions[version].accepted]
        assert accepted == [each.code for each in of_version.accepted]


def test_a_server_that_refuses_by_closing_is_believed() -> None:
    pki = Pki.create()
    files = ("-cert", str(pki.certificate_file("server")), "-key", str(pki.key_file("server")))
    with s_server(*files) as port:

        def behave(connection: socket.socket) -> None:
            """Every alert of the server becomes a closed connection."""
            with socket.create_connection(("127.0.0.1", port)) as behind:
                behind.sendall(connection.recv(65536))
                answer = behind.recv(65536)
                if answer[:1] != b"\x15":
                    connection.sendall(answer)
                    with suppress(OSError):
                        connection.recv(4096)

        with scripted(behave) as address:
            observed = probed(address, *BASIC)
    versions, suites = (
        facts_of(observed["tls.versions"], Versions),
        facts_of(observed["tls.cipher-suites"], CipherSuites),
    )
    assert versions is not None
    assert suites is not None
    assert versions.reactions[0x0300].kind is ReactionKind.CLOSE
    assert suites.versions[TLS12].complete
    assert suites.versions[TLS13].complete


def test_long_hellos_that_are_dropped_tell_nothing_of_versions(server: int) -> None:
    """What stands in between resets connections with long hellos, and passes on the short ones."""

    def behave(connection: socket.socket) -> None:
        if len(connection.recv(65536, socket.MSG_PEEK)) > 600:
            resets(connection)
        else:
            relay(connection, server)

    with scripted(behave) as port:
        observed = probed(port, *BASIC)
    versions = facts_of(observed["tls.versions"], Versions)
    suites = facts_of(observed["tls.cipher-suites"], CipherSuites)
    assert versions is not None
    assert suites is not None
    assert versions.reactions[TLS12].accepted
    assert versions.reactions[TLS13].accepted
    assert len(suites.versions[TLS12].accepted) > 10
    assert suites.versions[TLS12].complete


def test_a_group_of_which_we_have_no_share_is_no_refusal_of_tls_1_3() -> None:
    pki = Pki.create()
    files = ("-cert", str(pki.certificate_file("server")), "-key", str(pki.key_file("server")))
    with s_server(*files, "-serverpref", "-curves", "ffdhe3072:P-256") as port:
        observed = probed(port, *BASIC)
    versions = facts_of(observed["tls.versions"], Versions)
    suites = facts_of(observed["tls.cipher-suites"], CipherSuites)
    assert versions is not None
    assert suites is not None
    assert versions.reactions[TLS13].accepted
    assert suites.versions[TLS13].complete


def test_there_is_no_control_where_tls_was_never_spoken() -> None:
    with limited(0, lambda _number: False, closes) as port:
        context, exchanges = context_of(port, PATIENT)
        observe(context, [probe for probe in PROBES if probe.kind == "tls.reachability"])
    assert exchanges
    assert not any("control" in exchange.purpose for exchange in exchanges)
