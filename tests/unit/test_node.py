"""The reference node: verification and storage over TLS, several at once, and a handful of its faults."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid
from pynetdicom import AE
from pynetdicom.association import Association

from fixtures.pki import Pki
from reference_impl.faults import Fault, UnknownFaultError, load_faults
from reference_impl.node import Node
from reference_impl.transport.wire import ClientHello, ServerHello, extensions, parse_server_hello

VERIFICATION = "1.2.840.10008.1.1"
DEADLINE = 10.0
SCHEMES = (0x0403, 0x0804, 0x0401)


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


@pytest.fixture(scope="module")
def node(pki: Pki) -> Iterator[Node]:
    with Node(profile="B.13", pki=pki) as running:
        yield running


def client_context(node: Node, case: str | None = "client") -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(node.trust_anchors))
    if case is not None:
        context.load_cert_chain(node.pki.certificate_file(case), node.pki.key_file(case))
    return context


def associate(node: Node, *, called: str | None = None, case: str | None = "client") -> Association:
    entity = AE("PS315-TEST")
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = DEADLINE
    entity.add_requested_context(VERIFICATION)
    entity.add_requested_context(SecondaryCaptureImageStorage, ExplicitVRLittleEndian)
    host, port = node.address
    return entity.associate(
        host, port, ae_title=called or node.ae_title, tls_args=(client_context(node, case), node.server_name)
    )


def instance() -> Dataset:
    made = Dataset()
    made.SOPClassUID = SecondaryCaptureImageStorage
    made.SOPInstanceUID = generate_uid()
    made.PatientID = "PS315-TEST"
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def answer(node: Node, data: bytes) -> bytes:
    """What the node sends until it ends the connection, or to its first flight's worth."""
    with socket.create_connection(node.address, DEADLINE) as raw:
        raw.sendall(data)
        return raw.recv(1 << 16)


def server_hello(node: Node, hello: ClientHello) -> ServerHello | None:
    """The ServerHello that answers `hello`; None for anything else."""
    data = answer(node, hello.to_records())
    if data[:1] != b"\x16" or data[5] != 2:
        return None
    return parse_server_hello(data[9 : 9 + int.from_bytes(data[6:9], "big")])


def hello(*suites: int, version: int = 0x0303, groups: tuple[int, ...] = (0x001D, 0x0017)) -> ClientHello:
    return ClientHello(
        suites,
        version,
        (
            extensions.supported_groups(groups),
            extensions.signature_algorithms(SCHEMES),
            extensions.renegotiation_info(),
            extensions.extended_master_secret(),
        ),
    )


def test_verification_and_storage_work(node: Node) -> None:
    association = associate(node)
    assert association.is_established
    assert association.send_c_echo().Status == 0x0000
    sent = instance()
    assert association.send_c_store(sent).Status == 0x0000
    association.release()
    assert f"{sent.SOPInstanceUID}.dcm" in {path.name for path in node.stored_objects}


def test_another_ae_title_is_rejected(node: Node) -> None:
    association = associate(node, called="NOBODY")
    assert association.is_rejected
    rejection = association.acceptor.primitive
    assert rejection is not None
    assert (rejection.result, rejection.result_source, rejection.diagnostic) == (1, 1, 7)


@pytest.mark.parametrize("case", ["client_unknown_ca", "client_expired", None])
def test_clients_without_a_good_certificate_get_no_association(node: Node, case: str | None) -> None:
    assert not associate(node, case=case).is_established


def test_many_associations_work_side_by_side_with_idle_connections(node: Node) -> None:
    statuses: list[int] = []
    together = threading.Barrier(8)

    def echo() -> None:
        association = associate(node)
        together.wait(DEADLINE)
        statuses.append(association.send_c_echo().Status)
        association.release()

    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(socket.create_connection(node.address, DEADLINE))
        clients = [threading.Thread(target=echo) for _ in range(8)]
        for client in clients:
            client.start()
        for client in clients:
            client.join(2 * DEADLINE)
    assert statuses == [0x0000] * 8


def test_http_gets_no_answer_on_the_dicom_port(node: Node, pki: Pki) -> None:
    def ask(which: Node) -> bytes:
        with (
            socket.create_connection(which.address, DEADLINE) as raw,
            client_context(which).wrap_socket(raw, server_hostname="localhost") as secured,
        ):
            secured.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with contextlib.suppress(OSError):
                return secured.recv(100)
        return b""

    assert not ask(node).startswith(b"HTTP")
    with Node(faults=["http-on-dicom-port"], pki=pki) as faulty:
        assert ask(faulty).startswith(b"HTTP/1.1 200")
        assert associate(faulty).send_c_echo().Status == 0x0000


def exchange(node: Node, request: bytes, protocols: list[str] | None = None) -> tuple[str | None, bytes]:
    """What ALPN chose, and all that the node answers to `request` until it closes."""
    context = client_context(node)
    if protocols is not None:
        context.set_alpn_protocols(protocols)
    answer = b""
    with (
        socket.create_connection(node.address, DEADLINE) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as secured,
    ):
        secured.sendall(request)
        with contextlib.suppress(OSError):
            while data := secured.recv(4096):
                answer += data
        return secured.selected_alpn_protocol(), answer


def request_for(path: str, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("asked", "status", "body"),
    [
        (("/", "GET"), b"200 OK", b"<html><title>PS315-NODE</title></html>\n"),
        (("/", "HEAD"), b"200 OK", b""),
        (("/studies?PatientID=1", "GET"), b"204 No Content", b""),
        (("/", "DELETE"), b"501 ", None),
    ],
)
def test_the_https_node_answers_http(pki: Pki, asked: tuple[str, str], status: bytes, body: bytes | None) -> None:
    with Node(protocol="https", pki=pki) as web:
        chosen, answer = exchange(web, request_for(*asked), ["h2", "http/1.1"])
    assert chosen == "http/1.1"
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status)
    assert body is None or rest == body


def test_the_https_node_refuses_foreign_protocols_unless_it_ignores_alpn(pki: Pki) -> None:
    with Node(protocol="https", pki=pki) as web, pytest.raises(ssl.SSLError, match="no application protocol"):
        exchange(web, request_for("/"), ["ps315/unknown"])
    with Node(faults=["no-alpn"], protocol="https", pki=pki) as faulty:
        for protocols in (["ps315/unknown"], ["http/1.1"]):
            chosen, answer = exchange(faulty, request_for("/"), protocols)
            assert chosen is None
            assert answer.startswith(b"HTTP/1.1 200")


def test_the_https_node_takes_no_association_unless_it_shares_its_port(pki: Pki) -> None:
    with Node(protocol="https", pki=pki) as web:
        assert not associate(web).is_established
        assert exchange(web, request_for("/"))[1].startswith(b"HTTP/1.1 200")
    with Node(faults=["dicom-on-https-port"], protocol="https", pki=pki) as faulty:
        assert associate(faulty).send_c_echo().Status == 0x0000
        assert exchange(faulty, request_for("/"))[1].startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("protocol", ["dicom-tls", "https"])
def test_the_node_stops_cleanly(pki: Pki, protocol: str) -> None:
    before = set(threading.enumerate())
    node = Node(protocol=protocol, faults=["http-on-dicom-port"], pki=pki)  # both applications
    with node:
        address = node.address
        association = associate(node)
        assert association.is_established
    association.abort()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, DEADLINE)
    deadline = time.monotonic() + DEADLINE
    for thread in set(threading.enumerate()) - before:
        thread.join(max(0.0, deadline - time.monotonic()))
    assert [t for t in set(threading.enumerate()) - before if t.is_alive()] == []


def test_stored_objects_are_limited_to_uids_of_the_standard(node: Node) -> None:
    sent = instance()
    sent.SOPInstanceUID = "../../evil"
    association = associate(node)
    with contextlib.suppress(ValueError):
        assert association.send_c_store(sent).Status != 0x0000
    association.abort()
    assert not any("evil" in path.name for path in node.directory.rglob("*"))


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("echoscu") is None, reason="DCMTK is not installed")
@pytest.mark.parametrize("profile", ["B.12", "B.13"])
@pytest.mark.parametrize(("credential", "good"), [("client", True), ("client_unknown_ca", False), (None, False)])
def test_dcmtk_echoes_with_a_good_certificate_alone(pki: Pki, profile: str, credential: str | None, good: bool) -> None:
    with Node(profile=profile, pki=pki) as node:
        mine = (
            ["+tla"]
            if credential is None
            else ["+tls", str(pki.key_file(credential)), str(pki.certificate_file(credential))]
        )
        done = subprocess.run(
            ["echoscu", *mine, "+cf", str(node.trust_anchors), "-aec", node.ae_title, *map(str, node.address)],
            capture_output=True,
            timeout=2 * DEADLINE,
            check=False,
        )
        assert (done.returncode == 0) is good, done.stderr


def test_wrong_arguments_are_named(pki: Pki) -> None:
    with pytest.raises(ValueError, match=r"B\.99"):
        Node(profile="B.99", pki=pki)
    with pytest.raises(UnknownFaultError, match=r"tls-1\.0-also"):
        Node(faults=["tls-1.0"], pki=pki)
    with pytest.raises(ValueError, match="syslog-tls"):
        Node(protocol="syslog-tls", pki=pki)
    with pytest.raises(ValueError, match="dicom-tls"):
        Node("A.6", pki=pki)
    with pytest.raises(ValueError, match="client_auth"):
        Node(client_auth="perhaps", pki=pki)


def test_every_fault_can_be_switched_on_and_leaves_its_settings_usable(pki: Pki) -> None:
    for name, fault in load_faults().items():
        with Node(faults=[name], protocol=fault.protocol, pki=pki) as faulty:
            assert faulty.trust_anchors.read_bytes().count(b"BEGIN CERTIFICATE") >= 2, name


def test_the_table_of_faults_is_read() -> None:
    faults = load_faults()
    assert len(faults) >= 75
    assert isinstance(faults["rc4"], Fault)
    assert faults["rc4"].breaks["B.12"] == {"RFC9325-4.1-no-rc4": "fail"}
    assert faults["rc4"].breaks["B.13"]["B.13-tls-1.2-closed-set"] == "fail"
    assert faults["missing-aes-128-ccm-8-sha256"].breaks == {"B.13": {"B.13-tls-1.3-aes-128-ccm-8-sha256": "fail"}}
    assert faults["expired-certificate"].breaks == {}
    assert faults["expired-certificate"].advice
    assert {name for name, fault in faults.items() if fault.protocol == "https"} == {"no-alpn", "dicom-on-https-port"}


@pytest.mark.parametrize(
    ("fault", "offered", "selected"),
    [
        ("rc4", 0xC011, 0xC011),
        ("triple-des", 0xC012, 0xC012),
        ("null-cipher", 0xC010, 0xC010),
        ("null-with-null-null", 0x0000, 0x0000),
        ("anonymous", 0x00A6, 0x00A6),
        ("camellia-cbc", 0xC076, 0xC076),
        ("gost", 0xC100, 0xC100),
        ("static-rsa", 0x009C, 0x009C),
        ("dhe-1024", 0x009E, 0x009E),
    ],
)
def test_weak_suites_are_selected_where_nothing_better_is_offered(
    pki: Pki, fault: str, offered: int, selected: int
) -> None:
    with Node(faults=[fault], pki=pki) as faulty:
        seen = server_hello(faulty, hello(offered))
        assert seen is not None
        assert seen.cipher_suite == selected
        better = server_hello(faulty, hello(offered, 0xC02F))
        assert better is not None
        assert better.cipher_suite == 0xC02F
    with Node(pki=pki) as good:
        assert server_hello(good, hello(offered)) is None


@pytest.mark.parametrize(
    ("fault", "version"), [("ssl-3.0", 0x0300), ("tls-1.0-also", 0x0301), ("tls-1.1-also", 0x0302)]
)
def test_old_versions_are_served(pki: Pki, fault: str, version: int) -> None:
    with Node(faults=[fault], pki=pki) as faulty:
        seen = server_hello(faulty, hello(0xC013, 0xC014, 0x0033, 0x0039, version=version))
        assert seen is not None
        assert seen.legacy_version == version
        assert associate(faulty).is_established


def test_several_faults_at_once(pki: Pki) -> None:
    with Node(faults=["rc4", "dhe", "no-downgrade-sentinel"], pki=pki) as faulty:
        for code in (0xC011, 0x009E):
            seen = server_hello(faulty, hello(code))
            assert seen is not None
            assert seen.cipher_suite == code
        plain = server_hello(faulty, hello(0xC02F))
        assert plain is not None
        assert not plain.random.endswith(b"DOWNGRD\x01")


def test_the_expired_certificate_is_presented(pki: Pki) -> None:
    with Node(faults=["expired-certificate"], client_auth="off", pki=pki) as faulty:
        context = client_context(faulty)
        context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with (
            socket.create_connection(faulty.address, DEADLINE) as raw,
            pytest.raises(ssl.SSLCertVerificationError, match="expired"),
        ):
            context.wrap_socket(raw, server_hostname="localhost")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_bad_record_is_ignored_by_the_fault(pki: Pki, version: ssl.TLSVersion) -> None:
    with Node(faults=["bad-mac-ignored"], pki=pki) as faulty:
        context = client_context(faulty)
        context.minimum_version = context.maximum_version = version
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        secured = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with socket.create_connection(faulty.address, DEADLINE) as raw:
            _drive(secured.do_handshake, raw, incoming, outgoing)
            secured.write(b"lost")
            broken = bytearray(outgoing.read())
            broken[-1] ^= 1
            raw.sendall(broken)
            secured.write(b"\x01\x00\x00\x00\x00\x04\x00\x01\x00\x00")
            raw.sendall(outgoing.read())
            got: list[bytes] = []
            _drive(lambda: got.append(secured.read(100)), raw, incoming, outgoing)
            assert got[0][:1] in (b"\x03", b"\x07"), "the node's answer to an A-ASSOCIATE-RQ that is cut short"


def _drive(step: object, raw: socket.socket, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> None:
    assert callable(step)
    while True:
        try:
            step()
        except ssl.SSLWantReadError:
            raw.sendall(outgoing.read())
            data = raw.recv(1 << 16)
            assert data, "the node ended the connection"
            incoming.write(data)
        else:
            raw.sendall(outgoing.read())
            return


def test_certificates_of_the_node_lead_to_its_anchors(node: Node) -> None:
    anchors = x509.load_pem_x509_certificates(Path(node.trust_anchors).read_bytes())
    assert {anchor.subject for anchor in anchors} == {
        node.pki.issue("ca").certificate.subject,
        node.pki.issue("ca_ec").certificate.subject,
    }
