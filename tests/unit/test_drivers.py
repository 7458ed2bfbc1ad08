"""Drivers one by one: what is run, what is kept of it, how it ends; requests at another endpoint of the SUT."""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pynetdicom import AE, evt
from pynetdicom.transport import ThreadedAssociationServer

from fixtures.pki import Pki
from harness.drivers.base import Driving, Stimulus
from harness.drivers.choice import driver_for
from harness.drivers.command import OUTPUT_OCTETS, CommandDriver, command_line
from harness.drivers.dimse import DimseDriver
from harness.drivers.embedded import EmbeddedDriver
from harness.drivers.operator import OperatorDriver, instruction
from harness.errors import HarnessError
from harness.evidence import Redactor
from harness.observations.clients import DriverOutcome
from harness.operator_board import Board
from harness.probes.base import ClientCredentials, TlsTarget
from harness.sut import parse_sut
from harness.sut_clients import DriverTable
from reference_impl.node import Node
from tests.unit.listen_bench import a_client, eventually

MOVE, COMMITMENT = "1.2.840.10008.5.1.4.1.2.2.2", "1.2.840.10008.1.20.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
PATIENCE = 20.0


def a_stimulus(**changed: Any) -> Stimulus:
    told: dict[str, Any] = {
        "endpoint": "scu",
        "protocol": "dicom-tls",
        "host": "localhost",
        "port": 11113,
        "called_aet": "PS315-HARNESS",
        "calling_aet": "CT 1",
        "trial": "certificate/expired",
        "seconds": PATIENCE,
        "trust_anchors": Path("/tmp/it's here/ca.pem"),  # noqa: S108 - a path that nobody opens
    }
    return Stimulus(**(told | changed))


def outcome_of(driving: Driving) -> DriverOutcome:
    assert driving.over.wait(PATIENCE)
    return driving.stop()


class TestCommand:
    def test_every_placeholder_is_quoted_for_the_shell(self) -> None:
        line = command_line("scu {host} {port} {called_aet} {calling_aet} {trial} {trust_anchors}", a_stimulus())
        assert shlex.split(line) == [
            *["scu", "localhost", "11113", "PS315-HARNESS", "CT 1", "certificate/expired"],
            "/tmp/it's here/ca.pem",  # noqa: S108
        ]

    @settings(max_examples=25, deadline=None)
    @given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12))
    def test_no_value_is_ever_run(self, value: str) -> None:
        driving = CommandDriver("printf %s {called_aet}", Path()).start(a_stimulus(called_aet=value))
        assert outcome_of(driving).output == value

    def test_what_it_prints_and_how_it_ends_is_kept(self, tmp_path: Path) -> None:
        outcome = outcome_of(CommandDriver("echo out; echo err >&2; exit 5", tmp_path).start(a_stimulus()))
        assert (outcome.kind, outcome.exit_status, outcome.timed_out, outcome.problem) == ("command", 5, False, "")
        assert outcome.output == "out\nerr\n"
        assert outcome.action == "echo out; echo err >&2; exit 5"
        assert 0 < outcome.seconds < PATIENCE

    @pytest.mark.parametrize(
        ("command", "status", "told"),
        [
            ("no-such-program-of-ps315", 127, "The shell found no such program"),
            ("./not-executable", 126, "may not run this program"),
        ],
    )
    def test_a_program_that_there_is_not(self, tmp_path: Path, command: str, status: int, told: str) -> None:
        (tmp_path / "not-executable").write_text("x", encoding="ascii")
        driving = CommandDriver(command, tmp_path).start(a_stimulus())
        assert driving.over.wait(PATIENCE)
        assert driving.then == "nothing"
        outcome = driving.stop()
        assert outcome.exit_status == status
        assert told in outcome.problem

    def test_a_folder_that_there_is_not(self, tmp_path: Path) -> None:
        driving = CommandDriver("true", tmp_path / "missing").start(a_stimulus())
        assert driving.over.is_set()
        assert driving.then == "nothing"
        outcome = driving.stop()
        assert (outcome.exit_status, outcome.timed_out) == (None, False)
        assert outcome.problem == "The command cannot be started: No such file or directory."

    def test_one_that_is_killed_says_by_what(self, tmp_path: Path) -> None:
        assert outcome_of(CommandDriver("kill -9 $$", tmp_path).start(a_stimulus())).exit_status == -9

    def test_one_that_ignores_being_asked_to_end_is_ended(self, tmp_path: Path) -> None:
        driving = CommandDriver("trap '' TERM; echo ready; while :; do sleep 0.1; done", tmp_path).start(a_stimulus())
        began = time.monotonic()
        outcome = driving.stop()
        assert time.monotonic() - began < PATIENCE
        assert outcome.timed_out
        assert outcome.exit_status is not None
        assert outcome.exit_status < 0

    def test_a_flood_is_drained_and_cut(self, tmp_path: Path) -> None:
        outcome = outcome_of(CommandDriver("head -c 1000000 /dev/zero | tr '\\0' x", tmp_path).start(a_stimulus()))
        assert outcome.exit_status == 0  # it was not held up by a full pipe
        kept, _, dropped = outcome.output.partition("\n")
        assert kept == "x" * OUTPUT_OCTETS
        assert dropped == f"[{1_000_000 - OUTPUT_OCTETS} octets more]"

    def test_octets_that_are_no_text_are_kept_as_far_as_they_are(self, tmp_path: Path) -> None:
        assert outcome_of(CommandDriver("printf '\\377ok'", tmp_path).start(a_stimulus())).output == "\ufffdok"

    def test_a_child_that_stays_behind_is_ended_and_not_waited_for(self, tmp_path: Path) -> None:
        driving = CommandDriver("sleep 600 & echo $!", tmp_path).start(a_stimulus())
        began = time.monotonic()
        outcome = outcome_of(driving)
        assert time.monotonic() - began < PATIENCE
        assert not outcome.timed_out
        state = Path(f"/proc/{int(outcome.output)}/stat")
        assert eventually(lambda: not state.exists() or state.read_text(encoding="ascii").split()[2] == "Z")

    def test_secrets_do_not_reach_the_record(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PS315_TEST_PASSWORD", "open sesame")
        sut = a_client(command="echo $PS315_TEST_PASSWORD", more='secrets = ["PS315_TEST_PASSWORD"]')
        driving = driver_for(sut, "scu", Board()).start(a_stimulus())
        outcome = outcome_of(driving)
        assert "open sesame" in outcome.output
        line = Redactor(sut.credentials.secrets).line(outcome.model_dump_json())
        assert "open sesame" not in line
        assert "[redacted]" in line


class TestEmbedded:
    def test_what_it_returns_is_its_outcome(self) -> None:
        said = DriverOutcome(kind="embedded", output="hello")
        outcome = outcome_of(EmbeddedDriver(lambda _stimulus: said).start(a_stimulus()))
        assert outcome.output == "hello"
        assert outcome.seconds > 0

    def test_what_it_raises_is_its_problem(self) -> None:
        def fail(_stimulus: Stimulus) -> None:
            raise ValueError("no such profile")

        driving = EmbeddedDriver(fail).start(a_stimulus())
        assert driving.over.wait(PATIENCE)
        assert driving.then == "nothing"
        assert driving.stop().problem == "ValueError: no such profile"

    def test_one_that_does_not_end_is_left(self) -> None:
        release = threading.Event()

        def hang(_stimulus: Stimulus) -> None:
            release.wait(PATIENCE)

        driving = EmbeddedDriver(hang).start(a_stimulus())
        outcome = driving.stop()
        release.set()
        assert outcome.timed_out
        assert "had not ended" in outcome.problem

    def test_one_that_was_not_given_is_our_mistake(self) -> None:
        with pytest.raises(HarnessError, match="scu: nothing was given"):
            driver_for(a_client(), "scu", Board())


@contextmanager
def a_dicom_device(handlers: list[Any]) -> Iterator[tuple[str, int]]:
    """An archive that takes C-MOVE and storage commitment requests."""
    entity = AE("ARCHIVE")
    entity.add_supported_context(MOVE)
    entity.add_supported_context(COMMITMENT)
    entity.require_called_aet = True
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    assert isinstance(server, ThreadedAssociationServer)
    try:
        yield server.server_address[0], server.server_address[1]
    finally:
        server.shutdown()


def a_table(dimse: str, **more: Any) -> DriverTable:
    given = {"study": "1.2.3"} if dimse == "c-move" else {"sop_class": CT, "sop_instance": "1.2.3.4"}
    return DriverTable.model_validate({"dimse": dimse, "endpoint": "dimse", "plain": True, **given, **more})


def a_target(address: tuple[str, int], **more: Any) -> TlsTarget:
    return TlsTarget("dimse", "dicom-tls", *address, called_aet=more.pop("called_aet", "ARCHIVE"), **more)


class TestDimse:
    @pytest.mark.parametrize(
        ("destination", "output", "told"),
        [
            (("127.0.0.1", 1), "status 0x0000", ""),
            ((None, None), "status 0xA801", "does not know the move destination PS315-HARNESS"),
            ("nonsense", "status 0xC515", "ended the move with status 0xC515"),
        ],
    )
    def test_a_move_names_us_as_destination(self, destination: Any, output: str, told: str) -> None:
        asked: list[tuple[str, str]] = []

        def move(event: Any) -> Iterator[Any]:
            asked.append((event.request.MoveDestination, event.identifier.StudyInstanceUID))
            yield destination
            yield 0

        with a_dicom_device([(evt.EVT_C_MOVE, move)]) as address:
            driving = DimseDriver(a_target(address), a_table("c-move")).start(a_stimulus())
            assert driving.over.wait(PATIENCE)
            outcome = driving.stop()
        assert asked == [("PS315-HARNESS", "1.2.3")]
        assert outcome.action.startswith("C-MOVE of study 1.2.3 to PS315-HARNESS, asked of ARCHIVE at 127.0.0.1:")
        assert outcome.output == output
        assert told in outcome.problem
        assert bool(told) == bool(outcome.problem)
        assert driving.then == ("nothing" if told else "begun")

    @pytest.mark.parametrize(("status", "told"), [(0x0000, ""), (0x0110, "refused the storage commitment request")])
    def test_commitment_is_asked_under_the_title_that_is_reported_to(self, status: int, told: str) -> None:
        asked: list[tuple[str, str]] = []

        def action(event: Any) -> tuple[int, Dataset | None]:
            (instance,) = event.action_information.ReferencedSOPSequence
            asked.append((event.assoc.requestor.ae_title, instance.ReferencedSOPInstanceUID))
            return status, None

        with a_dicom_device([(evt.EVT_N_ACTION, action)]) as address:
            driving = DimseDriver(a_target(address), a_table("storage-commitment")).start(a_stimulus())
            outcome = outcome_of(driving)
        assert asked == [("PS315-HARNESS", "1.2.3.4")]
        assert told in outcome.problem
        assert driving.then == ("nothing" if told else "later")  # the SUT reports when it likes

    def test_a_device_that_rejects_us_or_is_not_there_is_told(self) -> None:
        with a_dicom_device([]) as address:
            rejected = DimseDriver(a_target(address, called_aet="OTHER"), a_table("c-move")).start(a_stimulus())
            assert "rejected the association of PS315-HARNESS" in outcome_of(rejected).problem
        absent = outcome_of(DimseDriver(a_target(address), a_table("c-move")).start(a_stimulus()))
        assert "took no association" in absent.problem

    def test_the_request_goes_over_tls_with_our_certificate(self) -> None:
        """The reference node takes no C-MOVE; that it answers at all shows that it knew our certificate."""
        with Node("B.12", client_auth="required") as node:
            target = a_target(
                node.address,
                called_aet=node.ae_title,
                server_name=node.server_name,
                trust_anchors=node.trust_anchors,
                credentials=ClientCredentials(node.client_certificate.read_bytes(), node.client_key.read_bytes()),
            )
            outcome = outcome_of(DimseDriver(target, a_table("c-move", plain=False)).start(a_stimulus()))
            assert "takes the association, but no such request" in outcome.problem
            stranger = Pki.create()
            wrong = a_target(node.address, called_aet=node.ae_title, trust_anchors=stranger.trust_anchors_file())
            refused = outcome_of(DimseDriver(wrong, a_table("c-move", plain=False)).start(a_stimulus()))
            assert "took no association" in refused.problem

    def test_credentials_that_cannot_be_used_are_told(self, tmp_path: Path) -> None:
        (tmp_path / "ca.pem").write_text("nothing", encoding="ascii")
        target = a_target(("127.0.0.1", 1), trust_anchors=tmp_path / "ca.pem")
        outcome = outcome_of(DimseDriver(target, a_table("c-move", plain=False)).start(a_stimulus()))
        assert "No TLS for the request" in outcome.problem


def test_what_an_operator_reads_names_the_destination() -> None:
    assert instruction("", a_stimulus()) == (
        "Make the device connect to PS315-HARNESS at localhost, port 11113: verify the connection, or send one object."
    )
    assert instruction("Send it.", a_stimulus()) == ("Send it. (destination: PS315-HARNESS at localhost, port 11113)")


def test_each_kind_of_table_has_its_driver(tmp_path: Path) -> None:
    text = """
schema = 1
[identity]
id = "ct"
[endpoints.dimse]
host = "127.0.0.1"
port = 104
[endpoints.scu]
host = "127.0.0.1"
[endpoints.scu.listen]
port = 11113
driver = "it"
[drivers.it]
{}
[[claims]]
profile = "B.12"
role = "tls-client"
endpoint = "scu"
"""
    for table, kind in (
        ('command = "true"', CommandDriver),
        ('dimse = "c-move"\nendpoint = "dimse"\nstudy = "1.2"', DimseDriver),
        ('operator = "Send it."', OperatorDriver),
    ):
        sut = parse_sut(text.replace("{}", table), source="ct.toml", folder=tmp_path)
        assert isinstance(driver_for(sut, "scu", Board()), kind)
