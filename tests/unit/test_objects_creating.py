"""Objects that a SUT signs: by a driver, in place, from a folder; and a SUT that does something else instead."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import UID

from fixtures.instances import INSTANCES, write_instance
from fixtures.pki import Pki
from harness.drivers.base import Stimulus
from harness.objects.folders import contents_of, head, is_dicom
from harness.observations.clients import DriverOutcome
from harness.observations.signatures import CreatedObjects
from harness.operator_board import DONE, Board
from harness.record import RunRecord
from harness.sut import parse_sut
from reference_impl.signatures.creator import SigningOrder, sign_file
from reference_impl.signatures.keys import Signer
from reference_impl.signatures.purposes import purposes
from reference_impl.signatures.reader import open_dicom
from reference_impl.signatures.references import References
from reference_impl.signatures.results import Standing
from tests.unit.object_bench import ObjectBench, a_creator, facts_by_subject, python, subjects_of, with_actions

ONE = 'select = ["ct"]'
FEW = 'select = ["ct", "ct-deflated", "kos"]'


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    issued = Pki.create(tmp_path_factory.mktemp("pki")).issue("signer")
    return Signer(issued.key, issued.chain_der[0])  # type: ignore[arg-type]


@pytest.fixture
def bench(tmp_path: Path) -> ObjectBench:
    return ObjectBench(tmp_path, Board())


def created(record: RunRecord, subject: str = "ct") -> CreatedObjects:
    facts = facts_by_subject(record)[subject]
    assert isinstance(facts, CreatedObjects)
    return facts


class TestEmbedded:
    def test_each_instance_is_signed_and_inspected_with_evidence(self, bench: ObjectBench, signer: Signer) -> None:
        def sign(stimulus: Stimulus) -> None:
            assert stimulus.input is not None and stimulus.output is not None
            sign_file(stimulus.input, stimulus.output, [SigningOrder()], signer)

        sut = with_actions(a_creator(objects=FEW), {"files": sign})
        (record,) = bench.examine(sut)
        assert subjects_of([record]) == [["ct", "ct-deflated", "kos"]]
        for event in record.observations:
            assert event.step == f"files/signatures.created/{event.observation.subject}"
            facts = created(record, event.observation.subject)
            (seen,) = facts.objects
            assert (seen.name, seen.result.path) == (event.observation.subject,) * 2
            assert seen.result.signatures[0].mac is Standing.VALID
            assert seen.unchanged is True
            assert (seen.exchange,) == event.observation.exchanges
            exchange = record.exchanges[seen.exchange]
            assert [direction for direction, _, _ in exchange.segments] == ["sent", "received"]
            assert bytes.fromhex(exchange.segments[1][2])[128:132] == b"DICM"
            assert "SOP class" in exchange.decoded[0]

    def test_every_instance_is_handed_over(self) -> None:
        from harness.plan import plan_for

        unfit = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.2")
        fit = [name for name, spec in INSTANCES.items() if spec.transfer_syntax not in unfit]
        assert 40 < len(fit) < len(INSTANCES)
        assert [step.subject for step in plan_for(a_creator(), ()).files()] == fit
        all_of_them = a_creator(objects='select = ["*"]')
        assert [step.subject for step in plan_for(all_of_them, ()).files()] == list(INSTANCES)

    def test_what_is_left_out_of_an_instance_is_noticed(self, bench: ObjectBench, signer: Signer) -> None:
        other = write_instance("ct-deflated", bench.folder / "other.dcm")

        def swap(stimulus: Stimulus) -> None:
            assert stimulus.output is not None
            sign_file(other, stimulus.output, [SigningOrder()], signer)

        (record,) = bench.examine(with_actions(a_creator(objects=ONE), {"files": swap}))
        assert created(record).objects[0].unchanged is False

    def test_a_sut_that_breaks_down_is_told(self, bench: ObjectBench) -> None:
        def broken(stimulus: Stimulus) -> DriverOutcome:
            raise RuntimeError("no key")

        (record,) = bench.examine(with_actions(a_creator(objects=ONE), {"files": broken}))
        facts = created(record)
        assert facts.objects == ()
        assert facts.driver is not None
        assert facts.driver.problem == "RuntimeError: no key"

    def test_an_interrupted_run_goes_on_with_what_is_missing(self, bench: ObjectBench, signer: Signer) -> None:
        asked: list[str] = []

        def stop_after_one(stimulus: Stimulus) -> None:
            asked.append(stimulus.object)
            assert stimulus.input is not None and stimulus.output is not None
            sign_file(stimulus.input, stimulus.output, [SigningOrder()], signer)

        sut = with_actions(a_creator(objects=FEW), {"files": stop_after_one})
        bench.examine(sut)
        lines = bench.path(sut).read_text(encoding="utf-8").splitlines(keepends=True)
        first = next(at for at, line in enumerate(lines) if '"event":"observation"' in line)
        bench.path(sut).write_text("".join(lines[: first + 1]), encoding="utf-8")
        asked.clear()
        (record,) = bench.examine(sut)
        assert asked == ["ct-deflated", "kos"]
        assert subjects_of([record]) == [["ct", "ct-deflated", "kos"]]
        assert len(record.exchanges) == 3

    def test_suts_are_examined_side_by_side(self, bench: ObjectBench) -> None:
        meeting = threading.Barrier(2)

        def meet(stimulus: Stimulus) -> None:
            meeting.wait(20)

        suts = [with_actions(a_creator(name, objects=ONE), {"files": meet}) for name in ("one", "two")]
        for record in bench.examine(*suts):
            assert created(record).driver is not None
            assert created(record).driver.problem == ""  # type: ignore[union-attr]


class TestCommands:
    def test_a_command_writes_the_output(self, bench: ObjectBench) -> None:
        copy = "import shutil, sys; shutil.copyfile(sys.argv[1], sys.argv[2]); print(sys.argv[3])"
        (record,) = bench.examine(a_creator(command=python(copy, "{input}", "{output}", "{object}"), objects=ONE))
        facts = created(record)
        assert facts.objects[0].result.standing is Standing.UNSIGNED
        assert facts.objects[0].unchanged is True
        assert facts.driver is not None
        assert (facts.driver.exit_status, facts.driver.output) == (0, "ct\n")

    def test_without_an_output_it_signs_in_place(self, bench: ObjectBench) -> None:
        (record,) = bench.examine(a_creator(command="test -w {input}", objects=ONE))
        assert created(record).objects[0].unchanged is True

    def test_what_is_ours_is_not_written_to(self, bench: ObjectBench) -> None:
        command = python("import sys; open(sys.argv[1], 'wb').write(b'gone')", "{input}")
        (record,) = bench.examine(a_creator(command=command, objects=ONE))
        (seen,) = created(record).objects
        assert seen.result.problems
        assert bytes.fromhex(record.exchanges[seen.exchange].segments[0][2])[128:132] == b"DICM"

    @pytest.mark.parametrize(
        ("command", "told"),
        [
            ("no-such-program-of-ps315 {input} {output}", "The shell found no such program"),
            ("echo 'no key' {input} {output}; exit 3", ""),  # it was done, and it is the SUT that did not sign
        ],
    )
    def test_one_that_signs_nothing_is_told(self, bench: ObjectBench, command: str, told: str) -> None:
        (record,) = bench.examine(a_creator(command=command, objects=ONE))
        facts = created(record)
        assert facts.objects == ()
        assert facts.driver is not None
        assert facts.driver.exit_status in {3, 127}
        assert facts.driver.problem.startswith(told)
        assert bool(facts.driver.problem) == bool(told)

    @pytest.mark.parametrize(
        ("command", "told"),
        [
            ("echo hello > {output} # {input}", "it is no DICOM file"),
            ("mkfifo {output} # {input}", "it is no regular file"),
            ("ln -s /dev/zero {output} # {input}", "it is no regular file"),
            ("mkdir {output} # {input}", "it is no regular file"),
            (": > {output} # {input}", "it is no DICOM file"),
            ("head -c 1001 {input} > {output}", ""),
        ],
    )
    def test_one_that_writes_something_else(self, bench: ObjectBench, command: str, told: str) -> None:
        (record,) = bench.examine(a_creator(command=command, objects=ONE))
        (seen,) = created(record).objects
        assert seen.result.standing is Standing.UNKNOWN
        assert told in seen.result.problems[0].text
        assert seen.unchanged is None
        assert record.notes == ()

    def test_one_that_hangs_is_ended_and_soon_asked_no_more(self, bench: ObjectBench) -> None:
        began = time.monotonic()
        objects = 'select = ["ct*", "kos", "sr-*"]\nseconds = 0.3'
        (record,) = bench.examine(a_creator(command="sleep 1000 # {input} {output}", objects=objects))
        assert time.monotonic() - began < 20
        facts = [one for one in facts_by_subject(record).values() if isinstance(one, CreatedObjects)]
        assert len(facts) > 4
        problems = [one.driver.problem for one in facts if one.driver is not None]
        assert all("had not ended after 0 s and was stopped" in problem for problem in problems[:3])
        assert all(problem.startswith("It was asked 3 times in vain, and is asked no more") for problem in problems[3:])

    def test_a_fault_of_ours_is_an_error_of_ours(self, bench: ObjectBench, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_: object) -> None:
            raise RuntimeError("oops")

        monkeypatch.setattr("harness.objects.inspecting.verified", broken)
        (record,) = bench.examine(a_creator(command="cp {input} {output}", objects=ONE))
        (event,) = record.observations
        assert event.observation.facts is None
        assert event.observation.missing == "harness error: RuntimeError: oops"
        assert "the step files/signatures.created/ct failed" in record.notes[0].text

    def test_what_cannot_be_recorded_is_an_error_of_ours_too(
        self, bench: ObjectBench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("harness.objects.inspecting.lines_of", lambda _result: ())
        monkeypatch.setattr("harness.objects.inspecting.holds", lambda *_: "\udcff")
        (record,) = bench.examine(a_creator(command="cp {input} {output}", objects='select = ["ct", "kos"]'))
        assert all(event.observation.missing.startswith("harness error: ") for event in record.observations)
        assert len(record.observations) == 2


class TestFolders:
    def sut_with(self, bench: ObjectBench, objects: str = "", command: str = "") -> RunRecord:
        sut = a_creator(objects=f'folder = "out"\n{objects}', command=command, folder=bench.folder)
        return bench.examine(sut)[0]

    def test_objects_are_found_at_any_depth_by_name(self, bench: ObjectBench) -> None:
        deep = bench.folder / "out" / "study" / "series"
        deep.mkdir(parents=True)
        write_instance("ct", deep / "b")
        write_instance("kos", bench.folder / "out" / "a.dcm")
        write_instance("kos", bench.folder / "out" / os.fsdecode(b"odd\xff\n<b>.dcm"))
        (bench.folder / "out" / "readme.txt").write_text("nothing", encoding="utf-8")
        (bench.folder / "out" / "self").symlink_to(bench.folder / "out")
        os.mkfifo(bench.folder / "out" / "pipe")
        record = self.sut_with(bench)
        facts = created(record, "")
        assert [one.name for one in facts.objects] == ["a.dcm", "odd\\xff\n<b>.dcm", "study/series/b"]
        assert (facts.left_out, facts.driver) == (0, None)
        assert all(one.unchanged is None for one in facts.objects)

    def test_those_beyond_the_limit_are_counted(self, bench: ObjectBench) -> None:
        (bench.folder / "out").mkdir()
        first = write_instance("ct", bench.folder / "out" / "000.dcm").read_bytes()
        for number in range(1, 40):
            (bench.folder / "out" / f"{number:03d}.dcm").write_bytes(first)
        record = self.sut_with(bench, "most = 3")
        facts = created(record, "")
        assert [one.name for one in facts.objects] == ["000.dcm", "001.dcm", "002.dcm"]
        assert facts.left_out == 37
        assert record.notes[0].text.startswith("signer/files: There are 37 objects more, which were not looked at")

    def test_a_driver_may_fill_it(self, bench: ObjectBench) -> None:
        write_instance("ct", bench.folder / "ct.dcm")
        facts = created(self.sut_with(bench, command="mkdir out; cp ct.dcm out"), "")
        assert len(facts.objects) == 1
        assert facts.driver is not None
        assert facts.driver.exit_status == 0

    def test_a_person_may_fill_it(self, bench: ObjectBench) -> None:
        def sign() -> None:
            for task in bench.board.tasks():
                (bench.folder / "out").mkdir(exist_ok=True)
                write_instance("ct", bench.folder / "out" / "ct.dcm")
                threading.Thread(target=bench.board.reply, args=(task.id, DONE, "J. Doe")).start()

        bench.board.join()
        bench.board.on_change(sign)
        text = """
schema = 1
[identity]
id = "viewer"
[endpoints.files]
protocol = "files"
objects = { driver = "people", folder = "out" }
[drivers.people]
operator = "Sign an image."
[[claims]]
profile = "C.3"
role = "signature-creator"
endpoint = "files"
"""
        (record,) = bench.examine(parse_sut(text, source="x.toml", folder=bench.folder))
        facts = created(record, "")
        assert len(facts.objects) == 1
        assert facts.driver is not None
        assert (facts.driver.kind, facts.driver.confirmed_by) == ("operator", "J. Doe")
        assert facts.driver.action == "Sign an image."

    @pytest.mark.parametrize(("content", "told"), [(None, "No such file"), ("", "no files"), ("x", "none of them is")])
    def test_a_folder_without_objects(self, bench: ObjectBench, content: str | None, told: str) -> None:
        if content is not None:
            (bench.folder / "out").mkdir()
            if content:
                (bench.folder / "out" / "readme").write_text(content, encoding="utf-8")
        (event,) = self.sut_with(bench).observations
        assert event.observation.facts is None
        assert told in event.observation.missing
        assert "endpoints.files.objects" in event.observation.remedy


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    assert head(tmp_path / "pipe", 10) is None
    assert head(tmp_path / "link", 10) is None
    assert head(tmp_path, 10) is None
    assert not is_dicom(tmp_path / "missing")
    assert contents_of(tmp_path, 10, 10.0).files == ()


def test_documents_may_refer_to_what_came_with_them(bench: ObjectBench, signer: Signer) -> None:
    folder = bench.folder / "out"
    folder.mkdir()
    plain = {uid_of(path): path for path in (write_instance(name, bench.folder / name) for name in INSTANCES)}
    other = "1.2.3.4.5"

    def renamed(uid: str) -> Path | None:
        """The image, once it has a UID that is none of ours."""
        return folder / "image.dcm" if uid == other else plain.get(uid)

    document = dcmread(bench.folder / "kos")
    first = document.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    image = dcmread(plain[str(first.ReferencedSOPInstanceUID)])
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = first.ReferencedSOPInstanceUID = UID(other)
    image.save_as(folder / "image.dcm")
    document.save_as(bench.folder / "document.dcm")
    order = SigningOrder("C.4", purpose=purposes()["1"], references=References(renamed))
    sign_file(bench.folder / "document.dcm", folder / "a-document.dcm", [order], signer)
    (record,) = bench.examine(a_creator(objects='folder = "out"', folder=bench.folder))
    seen = created(record, "").objects[0].result.document
    assert seen is not None
    assert len(seen.evidence) > 1
    assert {one.standing for one in seen.evidence} == {Standing.VALID}
    assert other in {one.sop_instance for one in seen.evidence}


def uid_of(path: Path) -> str:
    with open_dicom(path) as file:
        return file.sop_instance
