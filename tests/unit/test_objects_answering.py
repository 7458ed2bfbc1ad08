"""What a SUT says of crafted objects: exit statuses, output, C-STORE statuses, persons; and SUTs that say nothing."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.signatures import SIGNED_CASES
from harness.drivers.base import Stimulus
from harness.errors import UsageProblem
from harness.objects import showing
from harness.objects.answering import answer_of, word_of
from harness.observations.clients import DriverOutcome
from harness.observations.signatures import VerifierAnswer
from harness.operator_board import SKIP, Board, Task
from harness.plan import plan_for
from harness.record import RunRecord
from harness.sut import Sut, parse_sut
from harness.sut_clients import DriverTable
from reference_impl.storage.node import StorageNode
from tests.unit.object_bench import ObjectBench, facts_by_subject, with_actions

TWO = 'select = ["mac/sha256", "value/patient-name"]'


def a_verifier(objects: str = TWO, *, command: str = "", more: str = "", folder: Path = Path()) -> Sut:
    """A SUT that verifies files, by a command, a person (`more` is a table for it) or within this process."""
    driver = 'driver = "run"' if command or more else ""
    table = f"[drivers.run]\ncommand = '''{command}'''\n" if command else "[drivers.run]\n" if more else ""
    text = f"""
schema = 1
[identity]
id = "checker"
[endpoints.files]
protocol = "files"
[endpoints.files.objects]
{driver}
{objects}
{table}{more}
[[claims]]
profile = "C.1"
role = "signature-verifier"
endpoint = "files"
"""
    return parse_sut(text, source="checker.toml", folder=folder)


def an_archive(port: int, objects: str = TWO) -> Sut:
    text = f"""
schema = 1
[identity]
id = "archive"
[endpoints.archive]
protocol = "dicom"
host = "127.0.0.1"
port = {port}
called_aet = "PS315-ARCHIVE"
[endpoints.archive.objects]
{objects}
[[claims]]
profile = "C.1"
role = "signature-verifier"
endpoint = "archive"
"""
    return parse_sut(text, source="archive.toml", folder=Path())


@pytest.fixture
def bench(tmp_path: Path) -> ObjectBench:
    return ObjectBench(tmp_path, Board())


def answers(record: RunRecord) -> dict[str, VerifierAnswer]:
    found = facts_by_subject(record)
    assert all(isinstance(facts, VerifierAnswer) for facts in found.values()), record.notes
    return {name: facts for name, facts in found.items() if isinstance(facts, VerifierAnswer)}


def table(**keys: object) -> DriverTable:
    return DriverTable.model_validate({"command": "check {input}", **keys})


class TestReading:
    @pytest.mark.parametrize(
        ("keys", "status", "output", "answer"),
        [
            ({}, 0, "", "valid"),
            ({}, 1, "", "invalid"),
            ({}, 101, "", "invalid"),
            ({}, -11, "", ""),
            ({}, 139, "Segmentation fault", ""),
            ({"invalid": {"exit": [139]}}, 139, "", "invalid"),
            ({"invalid": {"exit": [2]}}, 1, "", ""),
            ({"valid": {"exit": [7]}}, 7, "", "valid"),
            ({"valid": {"exit": [7]}}, 0, "", ""),
            ({"valid": {"exit": [7]}}, 1, "", "invalid"),
            ({"invalid": {"output": "BAD"}}, 0, "BAD", "invalid"),
            ({"invalid": {"output": "BAD"}}, 0, "good", "valid"),
            ({"unverifiable": {"output": "^no key"}, "invalid": {"exit": [1]}}, 1, "x\nno key", "unverifiable"),
            ({"valid": {"exit": [0], "output": "OK"}}, 0, "what?", ""),
            ({"valid": {"exit": [0], "output": "OK"}}, 0, "all OK", "valid"),
        ],
    )
    def test_a_command(self, keys: dict[str, object], status: int, output: str, answer: str) -> None:
        outcome = DriverOutcome(kind="command", exit_status=status, output=output)
        assert answer_of(outcome, table(**keys))[0] == answer

    def test_a_command_that_did_not_end_says_nothing(self) -> None:
        outcome = DriverOutcome(kind="command", exit_status=-9, timed_out=True, problem="It hung.")
        assert answer_of(outcome, table()) == ("", "It hung.")

    @given(st.integers(-64, 255), st.text())
    def test_whatever_is_printed_there_is_one_reading(self, status: int, output: str) -> None:
        answer, told_by = answer_of(DriverOutcome(kind="command", exit_status=status, output=output), table())
        assert answer in {"valid", "invalid", ""}
        assert told_by

    @pytest.mark.parametrize(
        ("status", "answer"),
        [(0, "valid"), (0xB000, "unverifiable"), (0xA700, ""), (0x0122, ""), (0xC000, "invalid"), (0xA900, "invalid")],
    )
    def test_a_store_status(self, status: int, answer: str) -> None:
        assert showing.answer_of(status) == answer

    @pytest.mark.parametrize(
        ("said", "word"),
        [("valid", "valid"), ("V", "valid"), ("Invalid.", "invalid"), ("unv", "unverifiable"), ("", ""), ("yes", "")],
    )
    def test_a_person(self, said: str, word: str) -> None:
        assert word_of(said) == word


class TestCommands:
    def test_every_case_is_shown(self) -> None:
        assert [step.subject for step in plan_for(a_verifier(""), ()).files()] == list(SIGNED_CASES)
        assert len(SIGNED_CASES) >= 80

    def test_each_object_is_a_copy_with_the_authority_beside_it(self, bench: ObjectBench) -> None:
        command = "grep -q CERTIFICATE {trust_anchors} && grep -q X509 {crl} && echo {object} && rm {input}"
        (record,) = bench.examine(a_verifier(command=command))
        found = answers(record)
        assert list(found) == ["mac/sha256", "value/patient-name"]
        for name, answer in found.items():
            assert (answer.case, answer.answer, answer.told_by) == (name, "valid", "exit status 0")
            assert answer.treatment == SIGNED_CASES[name].treatment
            assert answer.driver is not None
            assert answer.driver.output == f"{name}\n"
            (direction, _, octets) = record.exchanges[answer.exchange].segments[0]
            assert direction == "sent"
            assert bytes.fromhex(octets)[128:132] == b"DICM"

    @pytest.mark.parametrize(
        ("command", "trusting"),
        [("exit 1 # {input}", False), ("exit 1 # {input} {trust_anchors}", True), ("exit 0 # {input}", True)],
    )
    def test_one_that_cannot_know_whom_to_trust_is_not_failed_for_it(
        self, bench: ObjectBench, command: str, trusting: bool
    ) -> None:
        sut = a_verifier(command=command)
        (record,) = bench.examine(sut)
        found = answers(record)
        assert list(found) == ["mac/sha256", "value/patient-name"]
        assert all(bool(one.answer) is trusting for one in found.values())
        assert all(("was not told to trust" in one.skipped) is not trusting for one in found.values())
        lines = bench.path(sut).read_text(encoding="utf-8").splitlines(keepends=True)
        bench.path(sut).write_text("".join(lines[:-1]), encoding="utf-8")
        (record,) = bench.examine(sut)
        assert answers(record) == found or trusting

    def test_a_folder_is_where_objects_are_put(self, bench: ObjectBench) -> None:
        command = "cp inbox/*.dcm seen"
        sut = a_verifier(f'folder = "inbox"\n{TWO}', command=command, folder=bench.folder)
        (bench.folder / "seen").mkdir()
        (record,) = bench.examine(sut)
        assert {answer.answer for answer in answers(record).values()} == {"valid"}
        seen = [path.name for path in (bench.folder / "seen").iterdir()]
        assert sorted(seen) == ["mac-sha256.dcm", "value-patient-name.dcm"]
        assert not list((bench.folder / "inbox").iterdir())

    def test_a_folder_that_cannot_be_written_to_is_told_before_anything_is_shown(self, bench: ObjectBench) -> None:
        (bench.folder / "inbox").touch()
        sut = a_verifier(f'folder = "inbox"\n{TWO}', command="true {input}", folder=bench.folder)
        with pytest.raises(UsageProblem, match=r"endpoints\.files\.objects\.folder: .* cannot be written to"):
            bench.examine(sut)

    def test_revocation_is_asked_about_only_of_those_that_were_told(self, bench: ObjectBench) -> None:
        (record,) = bench.examine(a_verifier('select = ["certificate/revoked"]', command="true {input}"))
        assert "was not given the revocation list" in answers(record)["certificate/revoked"].skipped

    def test_one_that_hangs_is_soon_asked_no_more(self, bench: ObjectBench) -> None:
        began = time.monotonic()
        (record,) = bench.examine(a_verifier('select = ["mac/*"]\nseconds = 0.2', command="sleep 1000 # {input}"))
        assert time.monotonic() - began < 20
        found = list(answers(record).values())
        assert [bool(one.skipped) for one in found] == [False] * 3 + [True] * 3
        assert all(not one.answer for one in found)
        assert "was stopped" in found[0].told_by

    def test_one_that_prints_without_end(self, bench: ObjectBench) -> None:
        (record,) = bench.examine(a_verifier('select = ["mac/md5"]', command="head -c 9000000 /dev/urandom; : {input}"))
        answer = answers(record)["mac/md5"]
        assert answer.answer == "valid"
        assert answer.driver is not None
        assert len(answer.driver.output) < 100_000

    def test_within_this_process(self, bench: ObjectBench) -> None:
        def verify(stimulus: Stimulus) -> DriverOutcome:
            assert stimulus.input is not None and stimulus.trust_anchors is not None
            word = "valid" if stimulus.object.startswith("mac") else "perhaps"
            return DriverOutcome(kind="embedded", output=word)

        sut = with_actions(a_verifier(f'driver = "embedded"\n{TWO}'), {"files": verify})
        (record,) = bench.examine(sut)
        assert [answer.answer for answer in answers(record).values()] == ["valid", ""]


class TestPersons:
    def answering(self, board: Board, replies: list[str]) -> list[Task]:
        """Let a person on `board` answer with `replies` in turn; what was asked."""
        asked: list[Task] = []
        lock = threading.Lock()

        def reply() -> None:
            with lock:
                for task in board.tasks():
                    if task not in asked and replies:
                        asked.append(task)
                        said = replies.pop(0)
                        threading.Thread(target=board.reply, args=(task.id, said, "J. Doe")).start()

        board.join()
        board.on_change(reply)
        return asked

    def test_a_person_says_what_the_device_says(self, bench: ObjectBench) -> None:
        asked = self.answering(bench.board, ["dunno", "valid", SKIP])
        (record,) = bench.examine(a_verifier(more='operator = "Open it in the viewer."'))
        first, second = answers(record).values()
        assert (first.answer, first.told_by) == ("valid", "the operator, J. Doe")
        assert first.driver is not None
        assert first.driver.confirmed_by == "J. Doe"
        assert (second.answer, second.skipped) == ("", "The operator skipped this object.")
        assert asked[0].text.startswith("Open it in the viewer. Let the device verify /")
        assert asked[1].text.startswith("'dunno' is none of valid, invalid and unverifiable.")

    def test_with_nobody_there_nothing_is_waited_for(self, bench: ObjectBench) -> None:
        (record,) = bench.examine(a_verifier(""))
        found = answers(record)
        assert sorted(found) == sorted(SIGNED_CASES)
        told = [one.skipped for one in found.values() if "crl" not in SIGNED_CASES[one.case].needs]
        assert all("Nobody could be asked" in why for why in told)
        assert record.exchanges == {}

    def test_somebody_who_has_gone_is_not_waited_for_again(self, bench: ObjectBench) -> None:
        bench.board.join()
        (record,) = bench.examine(a_verifier('select = ["mac/*"]\nseconds = 0.2'))
        told = [answer.skipped for answer in answers(record).values()]
        assert len(told) == 6
        assert told[:3] == ["Nobody answered within 0 s."] * 3
        assert all(one.startswith("Nobody answered the last questions") for one in told[3:])


class TestStoring:
    def test_the_status_of_the_store_is_the_answer(self, bench: ObjectBench, tmp_path: Path) -> None:
        with StorageNode("A.3", directory=tmp_path / "node") as node:
            (record,) = bench.examine(an_archive(node.address[1]))
        for answer in answers(record).values():
            assert (answer.answer, answer.told_by, answer.status) == ("valid", "C-STORE status 0000", 0)
        assert [event.endpoint for event in record.stored_objects] == ["archive", "archive"]

    def test_nobody_there(self, bench: ObjectBench) -> None:
        (record,) = bench.examine(an_archive(1))
        assert all(answer.told_by.startswith("no answer: ") for answer in answers(record).values())
