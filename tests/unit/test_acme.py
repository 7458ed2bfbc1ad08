"""What is wrong with an order for an ACME server is one sentence; orders themselves are in tests/peers/test_acme.py."""

from __future__ import annotations

import socket
import ssl
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from fixtures.pki import SERVER, Pki
from harness.cli import run
from reference_impl.node import Node
from reference_impl.transport.acme import AcmeError, AcmeOrder, obtain_identity
from reference_impl.transport.front import Identity

NOWHERE = "https://127.0.0.1:1/dir"  # a port that nothing listens at


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--acme", NOWHERE], "add --acme-name"),
        (["--acme-name", "node.example"], "belong to --acme"),
        (["--acme", NOWHERE, "--acme-name", "node.example", "--acme-ca", "missing.pem"], "cannot be read"),
        (["--acme", NOWHERE, "--acme-name", "node.example"], "cannot be reached"),
        (["--acme", "no url", "--acme-name", "node.example"], "no url"),
        (["--acme", NOWHERE, "--acme-name", "node.example", "--acme-port", "0"], "--acme-port"),
    ],
)
def test_wrong_arguments_are_one_sentence(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    if says in ("cannot be reached", "no url"):
        pytest.importorskip("acme")
    assert run(["serve", "--port", "0", "--directory", str(tmp_path), *arguments]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert len(said.splitlines()) == 1


def test_a_node_serves_the_identity_that_it_is_given(tmp_path: Path) -> None:
    pki = Pki.create(tmp_path / "pki")
    spec = replace(SERVER, dns_names=("Node.PS315.test", "other.ps315.test"), key="ec-secp256r1")
    issued = pki.issue_spec(spec, "intermediate")
    identity = Identity((issued.certificate, *issued.intermediates), issued.key)
    context = ssl.create_default_context(cafile=str(pki.trust_anchors_file("ca")))
    with Node("B.12", identity=identity, client_auth="off", directory=tmp_path / "node", pki=pki) as node:
        assert node.server_name == "node.ps315.test"
        assert node.trust_anchors.read_bytes() == pki.issue("intermediate").certificate_pem
        for name in (
            identity.chain[0]
            .extensions.get_extension_for_class(x509.SubjectAlternativeName)
            .value.get_values_for_type(x509.DNSName)
        ):
            with (
                socket.create_connection(node.address, timeout=10) as plain,
                context.wrap_socket(plain, server_hostname=name.lower()) as protected,
            ):
                assert protected.getpeercert(binary_form=True) == issued.chain_der[0]


def test_missing_packages_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "acme", None)
    with pytest.raises(AcmeError, match=r"ps315\[acme\]"):
        obtain_identity(AcmeOrder(NOWHERE, ("node.example",)))


def test_an_order_has_a_name() -> None:
    pytest.importorskip("acme")
    with pytest.raises(AcmeError, match="needs a name"):
        obtain_identity(AcmeOrder(NOWHERE, ()))
