"""SUTs that send us what they signed: at a plain port and behind TLS, strangers, and senders that misbehave."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from fixtures.instances import write_instance
from fixtures.pki import Pki
from harness.drivers.base import Action, Stimulus
from harness.errors import UsageProblem
from harness.observations.signatures import CreatedObjects
from harness.operator_board import Board
from harness.record import RunRecord
from harness.sut import Sut, parse_sut
from reference_impl.dicom_client import operate, store_command
from reference_impl.dimse import Association, Context, Message
from reference_impl.signatures.creator import SigningOrder, sign_file
from reference_impl.signatures.keys import Signer
from reference_impl.storage.part10 import take_apart
from reference_impl.tcp import PlainConnection
from tests.unit.object_bench import ObjectBench, facts_by_subject, with_actions


def a_modality(
    action: Action,
    *,
    protocol: str = "dicom",
    host: str = "127.0.0.1",
    more: str = "",
    seconds: float = 10,
) -> Sut:
    text = f"""
schema = 1
[identity]
id = "modality"
[endpoints.modality]
protocol = "{protocol}"
host = "{host}"
[endpoints.modality.listen]
driver = "embedded"
address = "127.0.0.1"
seconds = {seconds}
{more}
[[claims]]
profile = "C.1"
role = "signature-creator"
endpoint = "modality"
"""
    sut = parse_sut(text, source="modality.toml", folder=Path())
    return with_actions(sut, {"modality": action})


@pytest.fixture
def bench(tmp_path: Path) -> ObjectBench:
    return ObjectBench(tmp_path, Board())


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    folder = tmp_path_factory.mktemp("signed")
    issued = Pki.create(folder / "pki").issue("signer")
    signer = Signer(issued.key, issued.chain_der[0])  # type: ignore[arg-type]
    made = []
    for name in ("ct", "mr-rle", "kos"):
        made.append(folder / f"{name}.dcm")
        sign_file(write_instance(name, folder / f"{name}-unsigned.dcm"), made[-1], [SigningOrder()], signer)
    return tuple(made)


def send(stimulus: Stimulus, paths: tuple[Path, ...], anchors: Path | None = None) -> list[int]:
    """Store `paths` at the harness; the statuses."""
    instances = [take_apart(path.read_bytes()) for path in paths]
    statuses = []
    with PlainConnection.to(stimulus.host, stimulus.port, seconds=10) as connection:
        if anchors is not None:
            connection.secure(ssl.create_default_context(cafile=str(anchors)), stimulus.host)
        association = Association(connection)
        contexts = [Context(1, one.sop_class, (one.syntax,)) for one in instances]
        association.request("SUT", stimulus.called_aet, contexts)
        for one in instances:
            context = association.context_for(one.sop_class, one.syntax)
            assert context is not None
            command = store_command(one.sop_class, one.sop_instance)
            statuses.append(operate(association, Message(context.id, command, one.data)))
        association.release()
    return statuses


def created(record: RunRecord) -> CreatedObjects:
    facts = facts_by_subject(record)[""]
    assert isinstance(facts, CreatedObjects)
    return facts


@pytest.mark.parametrize("protocol", ["dicom", "dicom-tls"])
def test_what_is_sent_is_looked_at_octet_for_octet(protocol: str, bench: ObjectBench, signed: tuple[Path, ...]) -> None:
    statuses: list[int] = []

    def act(stimulus: Stimulus) -> None:
        anchors = stimulus.trust_anchors if protocol == "dicom-tls" else None
        statuses.extend(send(stimulus, signed, anchors))

    (record,) = bench.examine(a_modality(act, protocol=protocol))
    facts = created(record)
    assert statuses == [0, 0, 0]
    assert sorted(one.result.sop_class for one in facts.objects) == sorted(
        take_apart(path.read_bytes()).sop_class for path in signed
    )
    assert all(one.result.signatures[0].mac == "valid" for one in facts.objects)
    data = {take_apart(path.read_bytes()).data for path in signed}
    held = [bytes.fromhex(record.exchanges[one.exchange].segments[0][2]) for one in facts.objects]
    assert {take_apart(octets).data for octets in held} == data
    assert all(one.unchanged is None for one in facts.objects)
    (event,) = record.observations
    assert event.step == "modality/signatures.created"
    assert bench.connections == [1]


def test_strangers_are_turned_away(bench: ObjectBench, signed: tuple[Path, ...]) -> None:
    def act(stimulus: Stimulus) -> None:
        with socket.create_connection((stimulus.host, stimulus.port), timeout=10) as connection:
            assert connection.recv(1) == b""

    (record,) = bench.examine(a_modality(act, host="127.0.0.9", seconds=0.5))
    (event,) = record.observations
    assert created(record).objects == ()
    assert "Turned away, because it is not the SUT's address: 127.0.0.1." in event.observation.missing


@pytest.mark.parametrize("octets", [b"", b"GET / HTTP/1.1\r\n\r\n", bytes(200), b"\x01\0\xff\xff\xff\xff"])
def test_one_that_stores_nothing(octets: bytes, bench: ObjectBench) -> None:
    def act(stimulus: Stimulus) -> None:
        with socket.create_connection((stimulus.host, stimulus.port), timeout=10) as connection:
            connection.sendall(octets)

    (record,) = bench.examine(a_modality(act))
    (event,) = record.observations
    assert event.observation.missing == "The SUT connected and stored no object."


def test_one_that_never_comes(bench: ObjectBench) -> None:
    def act(stimulus: Stimulus) -> None:
        raise RuntimeError("no network")

    (record,) = bench.examine(a_modality(act))
    (event,) = record.observations
    assert event.observation.missing == "The SUT never connected."
    driver = created(record).driver
    assert driver is not None
    assert driver.problem == "RuntimeError: no network"


def test_a_port_in_use_is_told_before_any_contact(bench: ObjectBench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageProblem, match=rf"endpoints\.modality\.listen\.port: {port} is in use"):
            bench.examine(a_modality(lambda _stimulus: None, more=f"port = {port}"))
