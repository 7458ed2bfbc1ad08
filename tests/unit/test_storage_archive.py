"""The reference archive: what it is sent it gives back octet for octet, to our own client and to those of others."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import UID
from pynetdicom import AE, build_role, evt

from fixtures.pki import Pki
from fixtures.storage import STORED_CASES, write_case
from fixtures.storage.data_sets import CT_IMAGE
from reference_impl.dicom_client import operate, store_command
from reference_impl.dimse import Association, Context, DicomError, Message
from reference_impl.faults import UnknownFaultError
from reference_impl.http_exchange import ask
from reference_impl.storage.archive import FIND, GET, MOVE, STUDY_ROOT
from reference_impl.storage.instances import InstanceStore, NoRoomError
from reference_impl.storage.multipart import joined, parted
from reference_impl.storage.node import StorageNode
from reference_impl.storage.part10 import Instance, UnfitError, take_apart
from reference_impl.tcp import PlainConnection

CASES = ("private-elements", "deflated", "rle", "undefined-lengths", "unknown-vr")
EXPLICIT = "1.2.840.10008.1.2.1"


@pytest.fixture(scope="module")
def instances(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Instance]:
    folder = tmp_path_factory.mktemp("cases")
    pki = Pki.create(folder / "pki")
    return {name: take_apart(write_case(name, folder / f"{name}.dcm", pki).read_bytes()) for name in CASES}


@pytest.fixture
def node(tmp_path: Path) -> Iterator[StorageNode]:
    with StorageNode(directory=tmp_path / "archive") as running:
        yield running


@pytest.fixture
def association(node: StorageNode) -> Iterator[Association]:
    with PlainConnection.to(*node.address, seconds=5.0) as connection:
        yield Association(connection)


def kept(node: StorageNode, *instances: Instance) -> None:
    for one in instances:
        node.archive.keep(one)


def test_what_is_stored_is_kept_octet_for_octet(
    node: StorageNode, association: Association, instances: dict[str, Instance]
) -> None:
    wanted = [Context(1, one.sop_class, (one.syntax,)) for one in instances.values()]
    association.request("SCU", node.ae_title, wanted)
    for one in instances.values():
        context = association.context_for(one.sop_class, one.syntax)
        assert context is not None
        command = store_command(one.sop_class, one.sop_instance)
        assert operate(association, Message(context.id, command, one.data)) == 0
    association.release()
    for one in instances.values():
        assert take_apart((node.directory / "stored" / f"{one.sop_instance}.dcm").read_bytes()) == one


@pytest.mark.parametrize("name", CASES)
def test_another_client_gets_the_same(node: StorageNode, instances: dict[str, Instance], name: str) -> None:
    instance = instances[name]
    kept(node, instance)
    brought: list[bytes] = []

    def take(event: evt.Event) -> int:
        brought.append(event.encoded_dataset(include_meta=False))
        return 0

    entity = AE(ae_title="OTHER")
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 10
    entity.add_requested_context(STUDY_ROOT + GET)
    entity.add_requested_context(STUDY_ROOT + FIND)
    entity.add_requested_context(instance.sop_class, instance.syntax)
    roles: list[Any] = [build_role(instance.sop_class, scp_role=True)]
    asked = entity.associate(
        *node.address, ae_title=node.ae_title, ext_neg=roles, evt_handlers=[(evt.EVT_C_STORE, take)]
    )
    assert asked.is_established
    query = Dataset()
    query.QueryRetrieveLevel = "IMAGE"
    query.SOPInstanceUID = instance.sop_instance
    query.PatientID = ""
    found = [answer for status, answer in asked.send_c_find(query, STUDY_ROOT + FIND) if answer is not None]
    assert [one.PatientID for one in found] == ["PS315-TEST"]
    statuses = [status.Status for status, _ in asked.send_c_get(query, STUDY_ROOT + GET)]
    asked.release()
    assert statuses[-1] == 0
    assert brought == [instance.data]


@pytest.mark.parametrize(("level", "answers"), [("STUDY", 2), ("SERIES", 2), ("IMAGE", 2)])
def test_queries_are_answered_at_each_level(
    node: StorageNode, instances: dict[str, Instance], level: str, answers: int
) -> None:
    kept(node, instances["rle"], instances["deflated"])
    query = Dataset()
    query.PatientID = "PS315*"
    assert len(node.archive.store.found(level, query)) == answers
    query.StudyInstanceUID = node.archive.store.all()[0].unique("STUDY")
    assert len(node.archive.store.found(level, query)) == 1
    query.PatientID = "NOBODY"
    assert node.archive.store.found(level, query) == []


def test_another_title_is_rejected(association: Association) -> None:
    with pytest.raises(DicomError, match="reason 7"):
        association.request("SCU", "SOMEBODY-ELSE", [Context(1, CT_IMAGE, (EXPLICIT,))])


@pytest.mark.parametrize(("abstract", "taken"), [("1.3.6.1.4.1.9.9", True), ("1.2.840.10008.1.20.1", False)])
def test_private_classes_are_taken_and_other_services_are_not(
    node: StorageNode, association: Association, abstract: str, taken: bool
) -> None:
    association.request("SCU", node.ae_title, [Context(1, abstract, (EXPLICIT,))])
    assert bool(association.contexts) is taken
    association.release()


def _request(kind: int, model: str, **keys: str) -> Message:
    command = Dataset()
    command.AffectedSOPClassUID = model
    command.CommandField = kind
    command.Priority = 0
    command.MessageID = 1
    identifier = b""
    if keys:
        if "MoveDestination" in keys:
            command.MoveDestination = keys.pop("MoveDestination")
        data = Dataset()
        for name, value in keys.items():
            setattr(data, name, value)
        stream = BytesIO()
        data.save_as(stream, implicit_vr=True, little_endian=True, enforce_file_format=False)
        identifier = stream.getvalue()
    return Message(1, command, identifier)


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (_request(0x0021, STUDY_ROOT + MOVE, QueryRetrieveLevel="IMAGE", MoveDestination="NOBODY"), 0xA801),
        (_request(0x0020, STUDY_ROOT + FIND, QueryRetrieveLevel="NOWHERE"), 0xC000),
        (_request(0x0140, STUDY_ROOT + FIND), 0x0122),
        (_request(0x0010, STUDY_ROOT + GET, SOPInstanceUID="1.2.3.4"), 0x0000),
    ],
)
def test_what_cannot_be_done_has_a_status(
    node: StorageNode, association: Association, message: Message, status: int
) -> None:
    association.request("SCU", node.ae_title, [Context(1, str(message.command.AffectedSOPClassUID), (EXPLICIT[:-2],))])
    association.send(message)
    answer = association.receive()
    assert answer is not None
    assert answer.command.Status == status
    association.release()


def test_moves_to_nobody_who_listens_fail(
    node: StorageNode, association: Association, instances: dict[str, Instance]
) -> None:
    kept(node, instances["rle"])
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        node.archive.destinations["GONE"] = ("127.0.0.1", closed.getsockname()[1])
        association.request("SCU", node.ae_title, [Context(1, STUDY_ROOT + MOVE, (EXPLICIT[:-2],))])
        wanted = {"SOPInstanceUID": instances["rle"].sop_instance, "MoveDestination": "GONE"}
        association.send(_request(0x0021, STUDY_ROOT + MOVE, **wanted))
        answer = association.receive()
    assert answer is not None
    assert answer.command.Status == 0xA702
    assert answer.command.NumberOfFailedSuboperations == 1


@pytest.mark.parametrize("octets", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x01\0\xff\xff\xff\xff", b"\x01\0\0\0\0\x04abcd"])
def test_nonsense_ends_one_connection_alone(node: StorageNode, association: Association, octets: bytes) -> None:
    with socket.create_connection(node.address, timeout=5) as stranger:
        stranger.sendall(octets)
        stranger.shutdown(socket.SHUT_WR)
        while stranger.recv(4096):
            continue
    association.request("SCU", node.ae_title, [Context(1, CT_IMAGE, (EXPLICIT,))])
    association.release()


def test_there_is_a_limit_to_what_is_kept(tmp_path: Path, instances: dict[str, Instance]) -> None:
    store = InstanceStore(tmp_path / "kept", limit=4000)
    store.put(instances["rle"])
    with pytest.raises(NoRoomError):
        store.put(instances["deflated"])


@pytest.mark.parametrize("uid", ["../../evil", "1.2." + "3" * 64, "1/2"])
def test_names_of_files_are_uids(tmp_path: Path, instances: dict[str, Instance], uid: str) -> None:
    one = instances["rle"]
    with pytest.raises(UnfitError):
        InstanceStore(tmp_path / "kept").put(Instance(one.sop_class, uid, one.syntax, one.data))


@pytest.mark.parametrize(
    "octets", [b"", b"DICM", bytes(200), bytes(128) + b"DICM" + b"\x02\0\0\0UL\x04\0\xff\xff\xff\xff"]
)
def test_what_is_no_file_is_told(octets: bytes) -> None:
    with pytest.raises(UnfitError):
        take_apart(octets)


def test_faults_and_profiles_are_known_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownFaultError, match="did you mean trims-padding"):
        StorageNode(faults=["trim-padding"], directory=tmp_path)
    with pytest.raises(ValueError, match="unknown profile"):
        StorageNode("B.12", directory=tmp_path)
    with pytest.raises(ValueError, match="unknown protocol"):
        StorageNode(protocol="files", directory=tmp_path)


@pytest.mark.parametrize("case", STORED_CASES)
def test_every_case_is_a_file_that_others_read(tmp_path: Path, case: str) -> None:
    path = write_case(case, tmp_path / "case.dcm", Pki.create(tmp_path / "pki"))
    read = dcmread(path)
    assert read.PatientID == "PS315-TEST"
    assert ((0xFFFA, 0xFFFA) in read) is STORED_CASES[case].signed
    assert read.file_meta.TransferSyntaxUID == UID(STORED_CASES[case].syntax)


class Web:
    """The archive as a web server."""

    def __init__(self, node: StorageNode) -> None:
        host, port = node.address
        self.root = f"http://{host}:{port}"


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    with StorageNode(protocol="http", directory=tmp_path / "archive") as running:
        yield Web(running)


def test_what_is_posted_is_given_back(web: Web, instances: dict[str, Instance]) -> None:
    for one in instances.values():
        content_type, body = joined([one.octets()])
        assert ask(f"{web.root}/studies", body, content_type).status == 200
    one = instances["rle"]
    data = dcmread(BytesIO(one.octets()))
    url = f"{web.root}/studies/{data.StudyInstanceUID}/series/{data.SeriesInstanceUID}/instances/{one.sop_instance}"
    answer = ask(url, accept='multipart/related; type="application/dicom"; transfer-syntax=*')
    assert [take_apart(part) for _, part in parted(answer.content_type, answer.body)] == [one]
    assert ask(url, accept="application/dicom+json").status == 406
    assert ask(f"{web.root}/studies/1.2.3").status == 404
    assert ask(f"{web.root}/studies").status == 204


def test_what_cannot_be_stored_is_told(web: Web, instances: dict[str, Instance]) -> None:
    assert ask(f"{web.root}/studies", b"x", "application/dicom").status == 400
    content_type, body = joined([b"no file"])
    assert ask(f"{web.root}/studies", body, content_type).status == 409
    content_type, body = joined([b"no file", instances["rle"].octets()])
    answer = ask(f"{web.root}/studies", body, content_type)
    assert answer.status == 202
    assert b'"00081198"' in answer.body
    assert b'"00081199"' in answer.body
    assert ask(f"{web.root}/elsewhere", body, content_type).status == 404
