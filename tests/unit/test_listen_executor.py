"""Listen steps: trials one after another, ended by an event or the deadline, recorded at once, gone on with later."""

from __future__ import annotations

import os
import shlex
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from harness.conduct import Budget
from harness.drivers.base import Stimulus
from harness.drivers.embedded import EmbeddedDriver
from harness.drivers.operator import NOBODY, OperatorDriver
from harness.errors import UsageProblem
from harness.listeners.executor import ListenExecutor
from harness.observations.clients import DriverOutcome
from harness.observe import Conduct
from harness.operator_board import DONE, SKIP, Board
from harness.progress import Silent
from tests.unit.listen_bench import TRIALS, ListenBench, Played, a_client, connect, eventually, trials_of

ALL = [trial.id for trial in TRIALS]
SHORT = "seconds = 0.6"
PYTHON = shlex.quote(sys.executable)
PROGRAM = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2]))).close()"
CONNECT = f"{PYTHON} -c {chr(34)}{PROGRAM}{chr(34)} {{host}} {{port}}"


@pytest.fixture
def bench(tmp_path: Path) -> ListenBench:
    return ListenBench(tmp_path)


class TestTrials:
    def test_each_is_played_in_turn_and_recorded_with_its_evidence(self, bench: ListenBench) -> None:
        (record,) = bench.examine(a_client())
        found = trials_of(record)
        assert list(found) == ALL
        assert all(trial.ended == "settled" for trial in found.values())
        for event in record.observations:
            assert event.step == f"scu/tls.client-trial/{event.observation.subject}"
            (exchange,) = event.observation.exchanges
            said = bytes.fromhex(record.exchanges[exchange].segments[0][2]).decode()
            assert said == event.observation.subject == record.exchanges[exchange].purpose
        assert all(trial.driver.kind == "embedded" for trial in found.values())
        assert bench.connections == [len(ALL)]
        assert len(bench.domain.players) == 1

    def test_each_may_have_a_port_of_its_own(self, bench: ListenBench) -> None:
        ports: dict[str, int] = {}

        def note(stimulus: Stimulus) -> DriverOutcome | None:
            ports[stimulus.trial] = stimulus.port
            return connect(stimulus)

        bench.driver = EmbeddedDriver(note)
        (record,) = bench.examine(a_client(listen='ports = "each"'))
        assert [len(trial.connections) for trial in trials_of(record).values()] == [1] * len(ALL)
        assert len(set(ports.values())) == len(ALL)

    def test_what_others_need_comes_first(self, bench: ListenBench) -> None:
        bench.domain.rows = (Played("late", needs=("later",)), Played("later", needs=()), Played("ordinary", ()))
        (record,) = bench.examine(a_client())
        assert list(trials_of(record)) == ["later", "late", "ordinary"]

    def test_what_cannot_be_played_is_recorded_with_the_reason(self, bench: ListenBench) -> None:
        bench.domain.unplayable = {"ordinary-1.2": "The client offers no TLS 1.2."}
        (record,) = bench.examine(a_client())
        found = trials_of(record)
        assert list(found) == ALL
        assert found["ordinary-1.2"].skipped == "The client offers no TLS 1.2."
        assert found["ordinary-1.2"].connections == ()

    def test_a_fault_of_ours_is_an_error_of_ours(self, bench: ListenBench) -> None:
        class Broken:
            busy = True

            def start(self, stimulus: Stimulus) -> None:
                raise RuntimeError(f"oops {stimulus.trial}")

        bench.driver = Broken()  # type: ignore[assignment]
        (record,) = bench.examine(a_client())
        assert len(record.observations) == len(ALL)
        first = record.observations[0].observation
        assert first.facts is None
        assert first.missing == "harness error: RuntimeError: oops ordinary"
        assert "RuntimeError" in record.notes[0].text

    def test_suts_are_examined_side_by_side(self, bench: ListenBench) -> None:
        meeting = threading.Barrier(2)

        def meet(stimulus: Stimulus) -> DriverOutcome | None:
            meeting.wait(20)
            return connect(stimulus)

        bench.driver = EmbeddedDriver(meet)
        for record in bench.examine(a_client("one"), a_client("two")):
            assert [len(trial.connections) for trial in trials_of(record).values()] == [1] * len(ALL)

    def test_gently_one_at_a_time(self, bench: ListenBench) -> None:
        at_work: list[int] = []
        most: list[int] = []

        def count(stimulus: Stimulus) -> DriverOutcome | None:
            at_work.append(1)
            most.append(len(at_work))
            try:
                return connect(stimulus)
            finally:
                at_work.pop()

        bench.driver = EmbeddedDriver(count)
        bench.examine(a_client("one"), a_client("two"), conduct=Conduct(gentle=True))
        assert max(most) == 1


class TestCommands:
    def test_a_command_makes_the_sut_connect(self, bench: ListenBench) -> None:
        began = time.monotonic()
        (record,) = bench.examine(a_client(command=CONNECT))
        took = time.monotonic() - began
        found = trials_of(record)
        assert [len(trial.connections) for trial in found.values()] == [1] * len(ALL)
        assert {trial.driver.exit_status for trial in found.values()} == {0}
        # No time is spent on waiting for what will not come any more.
        assert took < 1.5 * sum(trial.driver.seconds for trial in found.values()) + 1.0

    def test_one_that_is_missing_is_told_and_not_waited_for(self, bench: ListenBench) -> None:
        began = time.monotonic()
        (record,) = bench.examine(a_client(command="no-such-program-of-ps315 {host}"))
        assert time.monotonic() - began < 30
        for trial in trials_of(record).values():
            assert trial.connections == ()
            assert trial.driver.exit_status == 127
            assert "no such program" in trial.driver.problem
            assert trial.ended == "settled"

    def test_one_that_fails_before_it_connects(self, bench: ListenBench) -> None:
        (record,) = bench.examine(a_client(command="echo 'no route'; exit 3", listen=SHORT))
        for trial in trials_of(record).values():
            assert trial.driver.exit_status == 3
            assert trial.driver.output == "no route\n"
            assert trial.driver.problem == "The command ended with status 3, and nothing had connected."

    def test_one_that_hangs_is_ended_with_all_that_it_started(self, bench: ListenBench, tmp_path: Path) -> None:
        pids = tmp_path / "pids"
        bench.domain.rows = TRIALS[:1]
        sut = a_client(command=f"sleep 600 & echo $! $$ > {shlex.quote(str(pids))}; wait", listen=SHORT)
        (record,) = bench.examine(sut)
        (trial,) = trials_of(record).values()
        assert trial.ended == "deadline"
        assert trial.driver.timed_out
        assert "was stopped" in trial.driver.problem
        for pid in map(int, pids.read_text(encoding="ascii").split()):
            assert eventually(lambda pid=pid: gone(pid))  # type: ignore[misc]

    def test_one_that_floods_its_output_ends_in_time_and_little_is_kept(self, bench: ListenBench) -> None:
        bench.domain.rows = TRIALS[:1]
        (record,) = bench.examine(a_client(command="yes ps315", listen=SHORT))
        (trial,) = trials_of(record).values()
        assert trial.driver.timed_out
        assert len(trial.driver.output) < 70_000
        assert trial.driver.output.startswith("ps315\nps315\n")
        assert "octets more]" in trial.driver.output

    def test_a_device_may_come_after_the_command_that_told_it_to(self, bench: ListenBench) -> None:
        """A command may only order the transfer; the device takes a moment."""
        bench.domain.rows = TRIALS[:1]
        later = f"(sleep 1; {CONNECT}) >/dev/null 2>&1 &"
        (record,) = bench.examine(a_client(command=later, listen="seconds = 30"))
        (trial,) = trials_of(record).values()
        assert len(trial.connections) == 1
        assert trial.ended == "settled"

    def test_one_that_never_connects_costs_the_whole_time_twice_at_most(self, bench: ListenBench) -> None:
        bench.domain.rows = tuple(Played(f"trial-{number}", ()) for number in range(6))
        began = time.monotonic()
        (record,) = bench.examine(a_client(command="true", listen="seconds = 2"))
        assert time.monotonic() - began < 2 * 2 + 4 * 1.0
        assert [trial.ended for trial in trials_of(record).values()] == ["deadline"] * 2 + ["settled"] * 4

    def test_it_runs_in_the_folder_of_its_file(self, bench: ListenBench, tmp_path: Path) -> None:
        bench.domain.rows = TRIALS[:1]
        folder = tmp_path / "device"
        folder.mkdir()
        (record,) = bench.examine(a_client(command="pwd; " + CONNECT, folder=folder))
        (trial,) = trials_of(record).values()
        assert trial.driver.output.strip() == str(folder.resolve())


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    try:  # a process that nobody reaps in this container is no longer at work either
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


class TestPorts:
    def test_one_that_is_in_use_is_named_before_anything_is_observed(self, bench: ListenBench) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(UsageProblem) as raised:
                bench.examine(a_client(listen=f"port = {port}"))
        assert str(raised.value) == (
            f"ct.toml: endpoints.scu.listen.port: {port} is in use by another program; end that program, or write "
            "another port"
        )

    def test_an_address_that_is_not_ours_is_named(self, bench: ListenBench) -> None:
        with pytest.raises(UsageProblem, match=r"listen\.address: 192\.0\.2\.1 is no address of this computer"):
            bench.examine(a_client(listen='address = "192.0.2.1"'))


class TestInterrupted:
    def test_what_is_recorded_stays_and_the_rest_is_played_on_resuming(self, bench: ListenBench) -> None:
        second = threading.Event()
        released = threading.Event()

        def hold(stimulus: Stimulus) -> DriverOutcome | None:
            connect(stimulus)
            if stimulus.trial == ALL[1]:
                second.set()
                released.wait(30)
            return None

        bench.driver = EmbeddedDriver(hold)
        sut = a_client()
        run = bench.begin(sut)
        executor = ListenExecutor(bench.domain, Conduct(), Silent(), bench.driver_for, lambda _host: Budget())
        executor.add(run)
        executor.start()
        assert second.wait(30)
        executor.stop()
        run.journal.close()
        released.set()
        bench.driver = EmbeddedDriver(connect)
        (record,) = bench.examine(sut)
        assert list(trials_of(record)) == ALL
        numbers = [event.observation.exchanges for event in record.observations]
        assert len({name for names in numbers for name in names}) == len(ALL)

    def test_a_command_is_ended(self, bench: ListenBench, tmp_path: Path) -> None:
        pids = tmp_path / "pids"
        sut = a_client(command=f"echo $$ > {shlex.quote(str(pids))}; exec sleep 600", listen="seconds = 600")
        run = bench.begin(sut)
        executor = ListenExecutor(bench.domain, Conduct(), Silent(), bench.driver_for, lambda _host: Budget())
        executor.add(run)
        executor.start()
        assert eventually(lambda: pids.exists() and bool(pids.read_text(encoding="ascii").strip()))
        executor.stop()
        run.journal.close()
        assert eventually(lambda: gone(int(pids.read_text(encoding="ascii"))))


class TestOperators:
    def a_board(self, bench: ListenBench, text: str = "Send one image.") -> Board:
        board = Board()
        board.fronts = 1
        bench.driver = OperatorDriver(board, "ct", text)
        return board

    def test_nobody_there_is_not_waited_for(self, bench: ListenBench) -> None:
        self.a_board(bench).fronts = 0
        began = time.monotonic()
        (record,) = bench.examine(a_client(listen="seconds = 60"))
        assert time.monotonic() - began < 20
        assert {trial.driver.problem for trial in trials_of(record).values()} == {NOBODY}

    def test_a_device_that_comes_needs_no_confirmation(self, bench: ListenBench) -> None:
        board = self.a_board(bench)
        seen: list[str] = []

        def do() -> None:
            for task in board.tasks():
                if task.title not in seen:
                    seen.append(task.title)
                    seen.append(task.text)
                    with socket.create_connection(bench.domain.players[0].address):
                        pass

        board.on_change(lambda: threading.Thread(target=do, daemon=True).start())
        bench.domain.rows = (Played("ordinary", (), text="An ordinary server."),)
        (record,) = bench.examine(a_client(listen="seconds = 30"))
        (trial,) = trials_of(record).values()
        assert len(trial.connections) == 1
        assert trial.ended == "settled"
        port = bench.domain.players[0].address[1]
        assert seen == [
            "An ordinary server.",
            f"Send one image. (destination: PS315-HARNESS at 127.0.0.1, port {port})",
        ]
        assert board.tasks() == ()

    def test_who_confirmed_and_who_skipped_is_recorded(self, bench: ListenBench) -> None:
        board = self.a_board(bench)
        said = iter([(DONE, "J. Doe"), (SKIP, "J. Doe")])

        def answer() -> None:
            for task in board.tasks():
                board.reply(task.id, *next(said))

        board.on_change(lambda: threading.Thread(target=answer, daemon=True).start())
        bench.domain.rows = TRIALS[:2]
        (record,) = bench.examine(a_client(listen="seconds = 30"))
        done, skipped = trials_of(record).values()
        assert (done.driver.confirmed_by, done.driver.output, done.driver.problem) == ("J. Doe", "done", "")
        assert (skipped.driver.confirmed_by, skipped.driver.problem) == ("J. Doe", "The operator skipped this trial.")
        assert done.connections == skipped.connections == ()

    def test_one_who_has_gone_is_not_waited_for_for_ever(self, bench: ListenBench) -> None:
        self.a_board(bench)
        bench.domain.rows = tuple(Played(f"trial-{number}", ()) for number in range(5))
        (record,) = bench.examine(a_client(listen="seconds = 0.3"))
        found = list(trials_of(record).values())
        assert [trial.ended for trial in found] == ["deadline"] * 3 + [""] * 2
        assert all(trial.driver.timed_out for trial in found[:3])
        assert all("Nobody followed" in trial.skipped for trial in found[3:])
