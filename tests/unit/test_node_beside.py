"""The node beside the profiles of Annex B: a syslog receiver by A.6, and the baseline of IHE."""

from __future__ import annotations

import socket
import ssl

import pytest

from fixtures.pki import Pki
from harness.commands.serve import make_node
from harness.errors import UsageProblem
from harness.target import parse_target
from reference_impl.node import Node
from reference_impl.scu import Scu
from reference_impl.syslog_frames import frame

DEADLINE = 10.0


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


def connected(node: Node, ciphers: str = "", *, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> ssl.SSLSocket:
    settings = ssl.create_default_context(cafile=str(node.trust_anchors))
    settings.load_cert_chain(node.client_certificate, node.client_key)
    settings.maximum_version = version
    if ciphers:
        settings.set_ciphers(ciphers)
    return settings.wrap_socket(socket.create_connection(node.address, DEADLINE), server_hostname=node.server_name)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_messages_arrive_and_close_notify_is_answered(pki: Pki, version: ssl.TLSVersion) -> None:
    messages = [b"<85>1 - - PS315 - TEST - " + bytes([letter]) * 40000 for letter in b"ab"]
    with Node("A.6", protocol="syslog-tls", pki=pki) as node:
        with connected(node, version=version) as secured:
            for message in messages:
                secured.sendall(frame(message))
            secured.unwrap()  # ends with the node's own close_notify
        assert node.await_messages(2, DEADLINE) == tuple(messages)


def test_what_is_no_frame_ends_the_connection(pki: Pki) -> None:
    with Node("A.6", protocol="syslog-tls", pki=pki) as node, connected(node) as secured:
        secured.sendall(b"<85>1 - - - - - - newline framing\n")
        assert secured.recv(1) == b""
        assert node.messages == ()


def test_the_mandatory_suite_of_rfc_5425_is_served_last(pki: Pki) -> None:
    with Node("A.6", protocol="syslog-tls", pki=pki) as node:
        with connected(node, "AES128-SHA") as secured:
            assert secured.cipher() == ("AES128-SHA", "SSLv3", 128)
        with connected(node, "AES128-SHA:ECDHE+AESGCM") as secured:
            assert secured.cipher()[0].startswith("ECDHE")  # type: ignore[index]


@pytest.mark.parametrize(
    "suite",
    [
        *("DHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
        *("DHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"),
    ],
)
def test_the_four_suites_of_ihe_are_served(pki: Pki, suite: str) -> None:
    with Node("IHE-STX-TLS-1.2-Floor", pki=pki) as node, connected(node, suite) as secured:
        assert secured.cipher()[0] == suite  # type: ignore[index]


@pytest.mark.parametrize("profile", ["B.12", "B.13", "A.6"])
def test_a_profile_is_for_its_kinds_of_endpoint(pki: Pki, profile: str) -> None:
    with pytest.raises(ValueError, match="is not for an endpoint of"):
        Node(profile, protocol="dicom-tls" if profile == "A.6" else "syslog-tls", pki=pki)


def test_the_client_sends_messages_to_the_node(pki: Pki) -> None:
    with Node("A.6", protocol="syslog-tls", pki=pki) as node:
        client = Scu("A.6", protocol="syslog-tls", pki=pki)
        outcome = client.send(*node.address, [b"<85>1 - - - - - - one", b"<85>1 - - - - - - two"], "localhost")
        assert (outcome.ok, outcome.detail) == (True, "2 sent")
        assert node.await_messages(2, DEADLINE)[-1].endswith(b"two")
        assert not client.send(*node.address, server_name="other.example.org").ok


def test_the_command_serves_what_a_profile_is_for() -> None:
    with make_node("A.6", []) as node:
        assert node.protocol == "syslog-tls"
    with make_node("IHE-FQDN", []) as node:
        assert node.protocol == "dicom-tls"
    with pytest.raises(UsageProblem, match="is not for an endpoint of https"):
        make_node("A.6", [], protocol="https")


@pytest.mark.parametrize(
    ("target", "profile"),
    [("syslog-tls://h", "A.6"), ("dicom-tls://h", "B.12"), ("https://h", "B.12"), ("h:1", "B.12")],
)
def test_the_kind_of_endpoint_chooses_the_profile(target: str, profile: str) -> None:
    assert parse_target(target).profile == profile
