"""The reference node's certificate from a real ACME server: Pebble, which resolves names by its companion."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.request import urlopen

import pytest
from cryptography import x509

from fixtures.pki import Pki
from reference_impl.node import Node
from reference_impl.transport.acme import AcmeError, AcmeOrder, obtain_identity
from tests.missing import lacking
from tests.peers.starters import PeerMissing
from tests.peers.starters.process import free_port, program, running

pytestmark = pytest.mark.peer

NAME = "node.ps315.test"


@dataclass(frozen=True)
class Pebble:
    """A running ACME server. `order` fits it; `management` tells its root."""

    order: AcmeOrder
    management: str
    api_root: Path

    def root(self) -> bytes:
        """The root of what it issues (PEM)."""
        context = ssl.create_default_context(cafile=str(self.api_root))
        with urlopen(f"{self.management}/roots/0", context=context, timeout=10) as answer:  # noqa: S310 - loopback
            octets: bytes = answer.read()
        return octets


@pytest.fixture(scope="module")
def pebble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    pytest.importorskip("acme")
    directory = tmp_path_factory.mktemp("pebble")
    pki = Pki.create(directory / "pki")
    api, management, challenges, dns, dns_management = (free_port() for _ in range(5))
    configuration = {
        "listenAddress": f"127.0.0.1:{api}",
        "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": str(pki.certificate_file("server")),
        "privateKey": str(pki.key_file("server")),
        "httpPort": challenges,
        "tlsPort": free_port(),
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
    }
    (directory / "pebble.json").write_text(json.dumps({"pebble": configuration}))
    try:
        server, resolver = program("pebble"), program("pebble-challtestsrv")
    except PeerMissing as missing:
        lacking(str(missing))
    resolving = [
        resolver, "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-dns01", f"127.0.0.1:{dns}", "-http01", "",
        "-https01", "", "-tlsalpn01", "", "-management", f"127.0.0.1:{dns_management}",
    ]  # fmt: skip
    serving = [server, "-config", str(directory / "pebble.json"), "-dnsserver", f"127.0.0.1:{dns}", "-strict"]
    with ExitStack() as stack:
        stack.enter_context(running(resolving, dns_management, directory, name="resolver"))
        # Else it refuses every twentieth nonce, now and then the second one in a row.
        settings = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}
        stack.enter_context(running(serving, api, directory, name="pebble", environment=settings))
        yield Pebble(
            AcmeOrder(
                directory=f"https://localhost:{api}/dir",
                names=(NAME,),
                authorities=pki.trust_anchors_file("ca"),
                host="127.0.0.1",
                port=challenges,
                seconds=30,
            ),
            management=f"https://localhost:{management}",
            api_root=pki.trust_anchors_file("ca"),
        )


def test_the_certificate_is_for_the_name_and_leads_to_the_servers_root(pebble: Pebble) -> None:
    identity = obtain_identity(pebble.order)
    names = identity.chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAME]
    root = x509.load_pem_x509_certificate(pebble.root())
    for below, above in zip(identity.chain, (*identity.chain[1:], root), strict=True):
        below.verify_directly_issued_by(above)
    assert "acme proofs" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(ConnectionRefusedError):  # the proof is served no longer than needed
        socket.create_connection((pebble.order.host, pebble.order.port), timeout=5)


def test_a_client_verifies_a_node_with_that_certificate(pebble: Pebble) -> None:
    identity = obtain_identity(pebble.order)
    context = ssl.create_default_context(cadata=pebble.root().decode())
    with Node("B.12", identity=identity, client_auth="off") as node:
        assert node.server_name == NAME
        with (
            socket.create_connection(node.address, timeout=10) as plain,
            context.wrap_socket(plain, server_hostname=NAME) as protected,
        ):
            assert protected.version() == "TLSv1.3"
            served = protected.getpeercert(binary_form=True)
    assert served is not None
    assert x509.load_der_x509_certificate(served) == identity.chain[0]


def test_an_order_that_cannot_be_proven_is_one_sentence(pebble: Pebble) -> None:
    with pytest.raises(AcmeError, match=NAME):
        obtain_identity(replace(pebble.order, port=free_port()))


def test_a_port_that_is_taken_is_one_sentence(pebble: Pebble) -> None:
    with socket.create_server((pebble.order.host, pebble.order.port)), pytest.raises(AcmeError, match="no proof can"):
        obtain_identity(pebble.order)


def test_a_server_that_is_not_trusted_is_one_sentence(pebble: Pebble) -> None:
    with pytest.raises(AcmeError, match="not trusted"):
        obtain_identity(replace(pebble.order, authorities=None))


def test_a_server_that_is_not_there_is_one_sentence(pebble: Pebble) -> None:
    with pytest.raises(AcmeError, match="cannot be reached"):
        obtain_identity(replace(pebble.order, directory=f"https://localhost:{free_port()}/dir"))


def test_a_refused_order_is_one_sentence(pebble: Pebble) -> None:
    with pytest.raises(AcmeError, match="illegal character"):
        obtain_identity(replace(pebble.order, names=("no name",)))


def test_the_command_serves_with_it(pebble: Pebble, tmp_path: Path) -> None:
    order = pebble.order
    arguments = ["--acme", order.directory, "--acme-name", NAME, "--acme-ca", str(order.authorities)]
    arguments += ["--acme-port", str(order.port), "--port", "0", "--client-auth", "off", "--directory", str(tmp_path)]
    command = [sys.executable, "-m", "harness", "serve", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            port = int(said.partition(" at 127.0.0.1:")[2].split()[0])
            context = ssl.create_default_context(cadata=pebble.root().decode())
            with (
                socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
                context.wrap_socket(plain, server_hostname=NAME),
            ):
                assert f"--server-name {NAME}" in process.stdout.readline()
        finally:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0
