"""The reference client against the reference node, against OpenSSL's own server, and against what is no server."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import CTImageStorage, JPEG2000Lossless, generate_uid

from fixtures.pki import Pki
from reference_impl.node import Node
from reference_impl.scu import Outcome, Scu
from reference_impl.transport.client import ClientChannel, ClientLimits, settings_for
from reference_impl.transport.profiles import load_profile
from reference_impl.transport.wire import ExtensionType, parse_client_hello

PROFILES = ("B.12", "B.13")
LIMITS = ClientLimits(connect=5.0, handshake=5.0, answer=5.0, linger=0.2)
TITLE = "PS315-NODE"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki.create(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def node(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with Node("B.13", pki=pki, directory=tmp_path_factory.mktemp("node")) as running:
        yield running


@pytest.fixture(scope="module")
def web(pki: Pki) -> Iterator[Node]:
    with Node("B.13", protocol="https", pki=pki) as running:
        yield running


def where(listener: socket.socket) -> tuple[str, int]:
    host, port = listener.getsockname()[:2]
    return str(host), int(port)


def client(pki: Pki, profile: str = "B.12", **how: object) -> Scu:
    return Scu(profile, pki=pki, limits=LIMITS, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("profile", PROFILES)
def test_echo(node: Node, pki: Pki, profile: str) -> None:
    assert client(pki, profile).echo(*node.address, TITLE, "localhost") == Outcome(True, "C-ECHO succeeded", "dimse")


def test_the_server_may_be_called_by_its_address(node: Node, pki: Pki) -> None:
    assert client(pki).echo(*node.address, TITLE).ok


def test_instances_arrive(node: Node, pki: Pki) -> None:
    instance = Dataset()
    instance.SOPClassUID, instance.SOPInstanceUID = CTImageStorage, generate_uid()
    instance.PatientID, instance.PixelData = "PS315-TEST", bytes(200_000)
    instance["PixelData"].VR = "OW"
    outcome = client(pki).store(*node.address, TITLE, [instance], "localhost")
    assert outcome == Outcome(True, "1 stored", "dimse")
    assert f"{instance.SOPInstanceUID}.dcm" in {path.name for path in node.stored_objects}


def test_compressed_instances_arrive_as_they_are(node: Node, pki: Pki) -> None:
    frame = b"\xff\x4f\xff\x51" + bytes(998)
    compressed, plain = Dataset(), Dataset()
    for one in (compressed, plain):
        one.SOPClassUID, one.SOPInstanceUID = CTImageStorage, generate_uid()
        one.PatientID = "PS315-TEST"
    compressed.file_meta = FileMetaDataset()
    compressed.file_meta.TransferSyntaxUID = JPEG2000Lossless
    compressed.PixelData = encapsulate([frame])
    compressed["PixelData"].VR = "OB"
    compressed["PixelData"].is_undefined_length = True
    assert client(pki).store(*node.address, TITLE, [compressed, plain], "localhost").ok
    kept = next(path for path in node.stored_objects if path.stem == compressed.SOPInstanceUID)
    assert dcmread(kept).file_meta.TransferSyntaxUID == JPEG2000Lossless
    assert frame in kept.read_bytes()


def test_what_is_no_instance_is_not_sent(node: Node, pki: Pki) -> None:
    with pytest.raises(ValueError, match="SOP Class"):
        client(pki).store(*node.address, TITLE, [Dataset()])


def test_a_page_is_got(web: Node, pki: Pki) -> None:
    assert client(pki, protocol="https").get(*web.address, "/", "localhost").ok


def test_no_thread_is_left(pki: Pki) -> None:
    before = set(threading.enumerate())
    listener, thread = openssl_server(pki, ssl.TLSVersion.TLSv1_3, None, ask=False)
    with listener:
        assert client(pki, protocol="https").get(*where(listener), "/", "localhost").ok
        thread.join(10)
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize(
    ("called", "name", "stage"),
    [("SOMEBODY-ELSE", "localhost", "association"), (TITLE, "other.example", "tls")],
)
def test_what_the_server_declines_is_told(node: Node, pki: Pki, called: str, name: str, stage: str) -> None:
    outcome = client(pki).echo(*node.address, called, name)
    assert (outcome.ok, outcome.stage) == (False, stage)
    assert outcome.detail


def test_without_a_certificate_the_server_declines(node: Node, pki: Pki) -> None:
    anchors = [pki.issue(name).certificate for name in ("ca", "ca_ec")]
    outcome = Scu("B.12", trust_anchors=anchors, limits=LIMITS).echo(*node.address, TITLE, "localhost")
    assert not outcome.ok


def test_a_port_that_nobody_serves(pki: Pki) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = where(free)
    assert client(pki).echo(*address, TITLE).stage == "tcp"


def test_what_is_unknown_is_said(pki: Pki) -> None:
    with pytest.raises(ValueError, match="smtp"):
        client(pki, protocol="smtp")
    with pytest.raises(ValueError, match="did you mean accepts-rc4"):
        client(pki, faults=["accept-rc4"])
    with pytest.raises(LookupError):
        client(pki, "B.99")


# -- other stacks ------------------------------------------------------------------------------------------------


def openssl_server(
    pki: Pki, version: ssl.TLSVersion, curve: str | None, *, ask: bool
) -> tuple[socket.socket, threading.Thread]:
    """Python's ssl, which answers what it is told."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(pki.certificate_file("server"), pki.key_file("server"))
    if curve:
        context.set_ecdh_curve(curve)
    if ask:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(pki.trust_anchors_file())
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            secured = context.wrap_socket(connection, server_side=True)
            with secured:
                secured.recv(1 << 14)
                secured.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return listener, thread


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("curve", [None, "prime256v1", "secp384r1", "secp521r1"])
@pytest.mark.parametrize("ask", [False, True])
def test_openssl_is_understood(pki: Pki, version: ssl.TLSVersion, curve: str | None, ask: bool) -> None:
    """secp384r1 and secp521r1 take a HelloRetryRequest in TLS 1.3."""
    listener, thread = openssl_server(pki, version, curve, ask=ask)
    with listener:
        outcome = client(pki, protocol="https").get(*where(listener), "/", "localhost")
        thread.join(10)
    assert outcome == Outcome(True, "the page was got", "dimse")


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("gnutls-serv") is None, reason="gnutls-serv is not installed")
@pytest.mark.parametrize("version", ["VERS-TLS1.2", "VERS-TLS1.3"])
def test_gnutls_is_understood(pki: Pki, version: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        "gnutls-serv", "--http", "--port", str(port), "--priority", f"NORMAL:-VERS-ALL:+{version}",
        "--x509certfile", str(pki.certificate_file("server")), "--x509keyfile", str(pki.key_file("server")),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if "listening" in line.lower() and "done" in line.lower():
                    break
            assert client(pki, protocol="https").get("127.0.0.1", port, "/", "localhost").ok
        finally:
            process.terminate()


# -- what no server should do --------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
def test_the_hello_is_what_the_profile_wants(profile: str) -> None:
    octets = a_channel(profile).data_to_send()
    hello = parse_client_hello(octets[9:])
    assert octets[:3] == b"\x16\x03\x01"
    assert hello.offered_versions == (0x0304, 0x0303)
    older = [suite for suite in hello.cipher_suites if suite >> 8 != 0x13]
    assert older[0] == 0xC02F
    assert hello.compression_methods == (0,)
    assert hello.extension(ExtensionType.EC_POINT_FORMATS) == b"\x01\x00"
    assert hello.extension(ExtensionType.RENEGOTIATION_INFO) == b"\x00"
    assert hello.extension(ExtensionType.EXTENDED_MASTER_SECRET) == b""
    listed = load_profile(profile).required
    if profile == "B.13":
        assert set(hello.cipher_suites) == {code for codes in listed.values() for code in codes}


def a_channel(profile: str = "B.13") -> ClientChannel:
    return ClientChannel(settings_for(load_profile(profile)), lambda _shown, _stapled: None, "localhost")


@settings(deadline=None, max_examples=200)
@given(st.lists(st.binary(max_size=80), max_size=6))
def test_octets_of_any_kind_do_not_raise(pieces: list[bytes]) -> None:
    channel = a_channel()
    for piece in pieces:
        channel.receive(piece)
    assert not channel.established
    assert channel.plaintext() == b""


@settings(deadline=None, max_examples=200)
@given(st.sampled_from([20, 21, 22, 23]), st.binary(max_size=200), st.booleans())
def test_records_of_any_kind_do_not_raise(kind: int, payload: bytes, split: bool) -> None:
    record = bytes((kind, 3, 3)) + len(payload).to_bytes(2, "big") + payload
    channel = a_channel()
    for at in range(len(record)) if split else (0,):
        channel.receive(record[at : at + 1] if split else record)
    assert not channel.established


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes.fromhex("15030300020228"), b"\x16\x03\x03\xff\xff" + bytes(100)],
)
def test_servers_that_are_none_are_told(pki: Pki, answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 14)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        outcome = client(pki).echo(*where(listener), TITLE)
        thread.join(10)
    assert (outcome.ok, outcome.stage) == (False, "tls")


# -- revocation ----------------------------------------------------------------------------------------------------


def revocation_list(pki: Pki, number: int) -> bytes:
    authority, now = pki.issue("ca"), datetime.now(UTC)
    entry = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(now - timedelta(days=1)).build()
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now - timedelta(days=1))
        .next_update(now + timedelta(days=1))
        .add_revoked_certificate(entry)
        .sign(authority.key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize("revoked", [True, False])
def test_a_list_that_was_given_is_heeded(pki: Pki, revoked: bool) -> None:
    number = pki.issue("server").certificate.serial_number
    crl = revocation_list(pki, number if revoked else number + 1)
    listener, thread = openssl_server(pki, ssl.TLSVersion.TLSv1_3, None, ask=False)
    with listener:
        outcome = client(pki, protocol="https", crls=[crl]).get(*where(listener), "/", "localhost")
        thread.join(10)
    assert outcome.ok is not revoked
    assert outcome.refused is revoked


def test_certificates_come_from_files(node: Node, pki: Pki, tmp_path: Path) -> None:
    from harness.cli import run

    host, port = node.address
    del tmp_path
    arguments = ["connect", f"{host}:{port}", "--called-aet", TITLE, "--ca", str(node.trust_anchors)]
    assert run([*arguments, "--cert", str(node.client_certificate), "--key", str(node.client_key)]) == 0
    assert run(arguments) == 1
    assert run([*arguments, "--cert", str(node.client_certificate)]) == 2
    assert run([*arguments, "--fault", "accept-rc4"]) == 2
