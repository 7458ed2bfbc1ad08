"""Storing at a SUT and retrieving again: every way in, every way back, and SUTs that do not play along."""

from __future__ import annotations

import random
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from pydicom import Dataset

from fixtures.pki import Pki
from harness.errors import UsageProblem
from harness.observations.signatures import StoredObject
from harness.observe import Conduct
from harness.operator_board import Board
from harness.plan import plan_for
from harness.probes.base import Deadlines
from harness.record import RunRecord
from harness.sut import Sut, make_sut
from reference_impl.connections import Listener
from reference_impl.dimse import Association
from reference_impl.http_server import HttpServer
from reference_impl.storage.archive import GET, PATIENT_ROOT, Archive
from reference_impl.storage.instances import InstanceStore, Kept
from reference_impl.storage.node import StorageNode
from reference_impl.storage.part10 import Instance
from reference_impl.storage.web import handler_of
from reference_impl.tcp import PlainConnection
from reference_impl.transport.faults.certificates import identity_of
from reference_impl.transport.front import Front, FrontSettings, Router
from tests.unit.object_bench import ObjectBench, facts_by_subject

SELECTED = ["store/plain", "store/several-signatures", "store/rle"]
QUICK = Conduct(deadlines=Deadlines(connect=2.0, exchange=2.0))
TITLE = "PS315-ARCHIVE"


def a_storer(
    address: tuple[str, int],
    objects: Mapping[str, object] | None = None,
    *,
    protocol: str = "dicom",
    called_aet: str = TITLE,
    folder: Path = Path(),
    trust_anchors: Path | None = None,
) -> Sut:
    """A SUT whose endpoint is at `address` and has this table `objects`."""
    host, port = address
    table = {"select": SELECTED, "seconds": 10.0, **(objects or {})}
    endpoint = {"protocol": protocol, "host": host, "port": port, "called_aet": called_aet, "objects": table}
    content: dict[str, object] = {
        "schema": 1,
        "identity": {"id": "storer"},
        "endpoints": {"archive": endpoint},
        "claims": [{"profile": "A.3", "role": "instance-storer", "endpoint": "archive"}],
    }
    if trust_anchors is not None:
        content["credentials"] = {"trust_anchors": str(trust_anchors)}
    return make_sut(content, source="storer.toml", folder=folder)


@pytest.fixture
def bench(tmp_path: Path) -> ObjectBench:
    return ObjectBench(tmp_path, Board())


@pytest.fixture
def node(tmp_path: Path) -> Iterator[StorageNode]:
    with StorageNode(directory=tmp_path / "archive") as running:
        yield running


def stored(record: RunRecord) -> dict[str, StoredObject]:
    facts = facts_by_subject(record)
    return {name: one for name, one in facts.items() if isinstance(one, StoredObject)}


def everything_came_back(record: RunRecord, told_by: str) -> None:
    facts = stored(record)
    assert list(facts) == SELECTED
    for one in facts.values():
        assert one.taken
        assert one.retrieved, one.detail
        assert one.differences == ()
        assert one.returned_syntax == one.stored_syntax
        assert one.told_by == told_by
        assert one.before is not None
        assert one.after is not None
        assert one.before.signatures == one.after.signatures
        assert one.exchanges
    assert [len(one.before.signatures) for one in facts.values() if one.before] == [1, 3, 1]


def test_what_is_stored_is_listed(bench: ObjectBench, node: StorageNode) -> None:
    (record,) = bench.examine(a_storer(node.address))
    everything_came_back(record, "C-GET")
    assert [one.endpoint for one in record.stored_objects] == ["archive"] * 3
    assert {one.sop_instance_uid for one in record.stored_objects} == {
        one.sop_instance for one in node.archive.store.all()
    }
    assert all("PS315-TEST" in one.description for one in record.stored_objects)


def test_what_was_there_before_stays(bench: ObjectBench, node: StorageNode) -> None:
    bench.examine(a_storer(node.address))
    before = {one.path: one.path.read_bytes() for one in node.archive.store.all()}
    bench.path(a_storer(node.address)).unlink()
    bench.examine(a_storer(node.address))
    assert len(node.archive.store.all()) == 6
    assert {path: path.read_bytes() for path in before} == before


def test_files_may_be_looked_at_where_the_sut_keeps_them(bench: ObjectBench, node: StorageNode, tmp_path: Path) -> None:
    objects = {"retrieve": "folder", "folder": "archive/stored"}
    (record,) = bench.examine(a_storer(node.address, objects, folder=tmp_path))
    everything_came_back(record, "folder")


def test_a_file_that_never_appears_is_told(bench: ObjectBench, node: StorageNode, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    objects = {"retrieve": "folder", "folder": "empty", "seconds": 0.5}
    (record,) = bench.examine(a_storer(node.address, objects, folder=tmp_path))
    for one in stored(record).values():
        assert one.taken
        assert not one.retrieved
        assert "no file of this instance" in one.detail


def test_objects_may_be_moved_to_us(bench: ObjectBench, node: StorageNode) -> None:
    port = free_port()
    node.archive.destinations["HERE"] = ("127.0.0.1", port)
    objects = {"retrieve": "c-move", "destination": "HERE", "port": port}
    (record,) = bench.examine(a_storer(node.address, objects))
    everything_came_back(record, "C-MOVE")


def test_a_destination_that_is_not_known_is_told(bench: ObjectBench, node: StorageNode) -> None:
    objects = {"retrieve": "c-move", "destination": "NOBODY", "port": free_port()}
    (record,) = bench.examine(a_storer(node.address, objects))
    assert all("does not know the destination NOBODY" in one.detail for one in stored(record).values())


def test_a_port_in_use_is_a_usage_problem(bench: ObjectBench, node: StorageNode) -> None:
    objects = {"retrieve": "c-move", "destination": "HERE", "port": node.address[1]}
    with pytest.raises(UsageProblem, match=r"archive\.objects\.port: .* cannot be listened at"):
        bench.examine(a_storer(node.address, objects))


@pytest.mark.parametrize("protocol", ["http", "https"])
def test_objects_may_go_over_the_web(bench: ObjectBench, tmp_path: Path, protocol: str) -> None:
    with an_archive(tmp_path, protocol) as (address, anchors):
        (record,) = bench.examine(a_storer(address, protocol=protocol, trust_anchors=anchors))
    everything_came_back(record, "WADO-RS")


def test_what_is_stored_by_dimse_may_be_retrieved_over_the_web(bench: ObjectBench, node: StorageNode) -> None:
    web = HttpServer(handler_of(node.archive))

    class Port(Listener):
        def _admit(self, client: socket.socket, address: tuple[str, int]) -> None:
            web.take(client, address)

    with Port("127.0.0.1", 0, name="web", backlog=8) as port:
        objects = {"retrieve": "wado-rs", "web": f"http://127.0.0.1:{port.address[1]}/"}
        (record,) = bench.examine(a_storer(node.address, objects))
    everything_came_back(record, "WADO-RS")
    web.stop()


def test_objects_may_go_over_tls(bench: ObjectBench, tmp_path: Path) -> None:
    with an_archive(tmp_path, "dicom-tls") as (address, anchors):
        (record,) = bench.examine(a_storer(address, protocol="dicom-tls", trust_anchors=anchors))
    everything_came_back(record, "C-GET")


def test_objects_may_be_moved_to_us_over_tls(bench: ObjectBench, tmp_path: Path) -> None:
    port = free_port()
    objects = {"retrieve": "c-move", "destination": "HERE", "port": port}
    with an_archive(tmp_path, "dicom-tls", {"HERE": ("127.0.0.1", port)}) as (address, anchors):
        (record,) = bench.examine(a_storer(address, objects, protocol="dicom-tls", trust_anchors=anchors))
    everything_came_back(record, "C-MOVE")


def test_a_server_that_is_not_trusted_is_given_nothing(bench: ObjectBench, tmp_path: Path) -> None:
    other = Pki.create(tmp_path / "other").trust_anchors_file("ca_unknown")
    with an_archive(tmp_path, "dicom-tls") as (address, _):
        (record,) = bench.examine(a_storer(address, protocol="dicom-tls", trust_anchors=other))
    assert stored(record) == {}
    assert all("TLS did not come about" in event.observation.missing for event in record.observations)
    assert record.stored_objects == ()


@contextmanager
def an_archive(
    folder: Path, protocol: str, destinations: Mapping[str, tuple[str, int]] | None = None
) -> Iterator[tuple[tuple[str, int], Path]]:
    """The address of an archive that speaks `protocol`, and whom to trust; it moves to `destinations` over TLS."""
    pki = Pki.create(folder / "pki")
    over_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    over_tls.check_hostname, over_tls.verify_mode = False, ssl.CERT_NONE
    archive = Archive(TITLE, InstanceStore(folder / "kept"), destinations=destinations, tls=over_tls)
    web = HttpServer(handler_of(archive))
    taker = web if protocol.startswith("http") else archive

    def serve(connection: socket.socket, address: tuple[str, int], certificate: x509.Certificate | None) -> None:
        del certificate
        taker.take(connection, address)

    class Plain(Listener):
        def _admit(self, client: socket.socket, address: tuple[str, int]) -> None:
            taker.take(client, address)

    settings = FrontSettings(identities=(identity_of(pki, "server"),), unknown_name_alert=None)
    secure = protocol.endswith(("tls", "https"))
    port = Front(Router(settings, [], []), serve) if secure else Plain("127.0.0.1", 0, name="plain", backlog=8)
    with port:
        yield port.address, pki.trust_anchors_file()
    archive.stop()
    web.stop()


@pytest.mark.parametrize("protocol", ["dicom", "http"])
def test_nobody_there_is_told_of_each_object(bench: ObjectBench, protocol: str) -> None:
    (record,) = bench.examine(a_storer(("127.0.0.1", free_port()), protocol=protocol), conduct=QUICK)
    assert stored(record) == {}
    assert record.stored_objects == ()
    for event in record.observations:
        assert "cannot be reached" in event.observation.missing or "refused" in event.observation.missing
        assert event.observation.remedy


def test_a_rejected_association_is_told(bench: ObjectBench, node: StorageNode) -> None:
    (record,) = bench.examine(a_storer(node.address, called_aet="SOMEBODY-ELSE"))
    assert all("rejected" in event.observation.missing for event in record.observations)


@pytest.mark.parametrize("octets", [b"", b"\x02\0\0\0\0\x04abcd", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_whatever_a_sut_answers_is_an_observation(bench: ObjectBench, octets: bytes) -> None:
    class Babbling(Listener):
        def _admit(self, client: socket.socket, address: tuple[str, int]) -> None:
            del address
            self.connections.begin(client, lambda: answer(client))

    def answer(client: socket.socket) -> None:
        with client:
            client.recv(4096)
            client.sendall(octets)

    with Babbling("127.0.0.1", 0, name="babbling", backlog=8) as port:
        (record,) = bench.examine(a_storer(port.address))
    assert [event.observation.facts for event in record.observations] == [None] * 3
    assert all(not event.observation.missing.startswith("harness error") for event in record.observations)


def test_what_may_have_been_stored_is_listed(bench: ObjectBench, tmp_path: Path) -> None:
    class Dropping(Listener):
        def _admit(self, client: socket.socket, address: tuple[str, int]) -> None:
            del address
            self.connections.begin(client, lambda: serve(client))

    def serve(client: socket.socket) -> None:
        with PlainConnection(client, 5.0) as connection:
            association = Association(connection)
            association.accept(association.asked(), lambda context: context.syntaxes[0])
            association.receive()

    with Dropping("127.0.0.1", 0, name="dropping", backlog=8) as port:
        (record,) = bench.examine(a_storer(port.address))
    assert len(record.stored_objects) == 3
    assert all("the SUT did not say" in one.description for one in record.stored_objects)
    assert not any(one.taken for one in stored(record).values())


HOSTILE = ["", "\0", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99", "x" * 70, "\u00e9", "<b>"]


@pytest.mark.parametrize("seed", range(24))
@pytest.mark.parametrize("protocol", ["dicom", "http"])
def test_whatever_comes_back_is_an_observation(
    bench: ObjectBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - not for secrets

    def spoilt(kept: Kept) -> Instance:
        one = kept.instance()
        octets = bytearray(one.data)
        for _ in range(chance.randrange(1, 20)):
            octets[chance.randrange(len(octets))] = chance.choice([0, 0xFF, 0xFE, chance.randrange(256)])
        del octets[chance.choice([len(octets), chance.randrange(len(octets))]) :]
        if protocol == "dicom":
            return replace(one, data=bytes(octets))
        instance = chance.choice([one.sop_instance, *HOSTILE])
        return Instance(chance.choice(HOSTILE), instance, chance.choice(HOSTILE), bytes(octets))

    with StorageNode(protocol=protocol, directory=tmp_path / "archive") as node:
        monkeypatch.setattr(node.archive, "given", spoilt)
        (record,) = bench.examine(a_storer(node.address, protocol=protocol))
    assert len(record.observations) == 3
    for event in record.observations:
        assert not event.observation.missing.startswith("harness error"), event.observation.missing
    for one in stored(record).values():
        assert one.retrieved or one.detail


def test_what_is_refused_is_told_with_its_status(bench: ObjectBench, tmp_path: Path) -> None:
    archive = Archive(TITLE, InstanceStore(tmp_path / "kept", limit=10))

    class Full(Listener):
        def _admit(self, client: socket.socket, address: tuple[str, int]) -> None:
            archive.take(client, address)

    with Full("127.0.0.1", 0, name="full", backlog=8) as port:
        (record,) = bench.examine(a_storer(port.address))
    assert {one.store_status for one in stored(record).values()} == {0xA700}
    assert not any(one.taken or one.retrieved for one in stored(record).values())
    assert record.stored_objects == ()
    archive.stop()


@pytest.mark.parametrize("services", [(), (PATIENT_ROOT + GET,)])
def test_whichever_model_is_known_is_used(
    bench: ObjectBench, node: StorageNode, monkeypatch: pytest.MonkeyPatch, services: tuple[str, ...]
) -> None:
    monkeypatch.setattr("reference_impl.storage.archive.QUERIES", frozenset(services))
    (record,) = bench.examine(a_storer(node.address))
    if services:
        everything_came_back(record, "C-GET")
    else:
        assert {one.detail for one in stored(record).values()} == {"the SUT takes no C-GET requests"}


def test_a_slow_archive_is_asked_again(bench: ObjectBench, node: StorageNode, monkeypatch: pytest.MonkeyPatch) -> None:
    known, asked = node.archive.store.matching, [0]

    def slow(identifier: Dataset) -> list[Kept]:
        asked[0] += 1
        return known(identifier) if asked[0] > 2 else []

    monkeypatch.setattr(node.archive.store, "matching", slow)
    (record,) = bench.examine(a_storer(node.address))
    everything_came_back(record, "C-GET")
    assert asked == [5]


def test_one_that_never_gives_back_is_not_waited_for_each_time(
    bench: ObjectBench, node: StorageNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node.archive.store, "matching", lambda _identifier: [])
    (record,) = bench.examine(a_storer(node.address, {"seconds": 2.0}))
    for one in stored(record).values():
        assert one.taken
        assert not one.retrieved
        assert one.detail == "C-GET ended with status 0x0000 and brought nothing"


def test_a_run_that_was_broken_off_goes_on(bench: ObjectBench, node: StorageNode) -> None:
    sut = a_storer(node.address, {"select": SELECTED[:1]})
    bench.examine(sut)
    first = node.archive.store.all()
    (record,) = bench.examine(a_storer(node.address))
    everything_came_back(record, "C-GET")
    assert len(node.archive.store.all()) == len(first) + 2


def test_every_case_is_planned_unless_narrowed(node: StorageNode) -> None:
    steps = plan_for(a_storer(node.address, {"select": ["store/*"]}), ()).files()
    assert len(steps) == 21
    assert len({step.id for step in steps}) == 21
    with pytest.raises(UsageProblem, match="no object is called 'store/plane'; did you mean 'store/plain'"):
        plan_for(a_storer(node.address, {"select": ["store/plane"]}), ())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
