"""Sources that send to us: event by event, over TLS and UDP, an absent repository, strangers, floods, interruption."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256

from fixtures.pki import Pki
from harness.drivers.base import Action, Stimulus
from harness.errors import UsageProblem
from harness.observations.audit import AuditMessages
from harness.operator_board import DONE, SKIP, Board
from harness.record import RunRecord
from harness.sut import Sut, parse_sut
from reference_impl.syslog_frames import frame
from tests.unit.object_bench import PYTHON, ObjectBench, facts_by_subject, python, with_actions

MESSAGE = b"<85>1 2026-05-04T12:00:00Z node archive - DICOM+RFC3881 - <AuditMessage/>"


def a_source(
    action: Action | None = None,
    *,
    protocol: str = "syslog-tls",
    host: str = "127.0.0.1",
    audit: str = 'events = ["login"]',
    listen: str = "",
    more: str = "",
    seconds: float = 10,
) -> Sut:
    profile = "A.6" if protocol == "syslog-tls" else "A.7"
    driver = 'driver = "embedded"' if action is not None else ""
    text = f"""
schema = 1
[identity]
id = "source"
[endpoints.trail]
protocol = "{protocol}"
host = "{host}"
[endpoints.trail.listen]
{driver}
address = "127.0.0.1"
seconds = {seconds}
{listen or "port = 0"}
[endpoints.trail.audit]
settle = 0.15
{audit}
[[claims]]
profile = "{profile}"
role = "audit-source"
endpoint = "trail"
{more}
"""
    sut = parse_sut(text, source="source.toml", folder=Path())
    return with_actions(sut, {"trail": action}) if action is not None else sut


@pytest.fixture
def bench(tmp_path: Path) -> ObjectBench:
    return ObjectBench(tmp_path, Board())


def sends(*messages: bytes, close: Callable[[ssl.SSLSocket], object] | None = None) -> Action:
    """Sends frames over TLS at every event; `close` ends the connection in another way."""

    def act(stimulus: Stimulus) -> None:
        with secure(stimulus) as channel:
            channel.sendall(b"".join(messages))
            (close or announced)(channel)

    return act


def secure(stimulus: Stimulus, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
    if context is None:
        context = ssl.create_default_context(cafile=str(stimulus.trust_anchors))
    channel = socket.create_connection((stimulus.host, stimulus.port), timeout=30)
    return context.wrap_socket(channel, server_hostname=stimulus.host)


def announced(channel: ssl.SSLSocket) -> None:
    channel.unwrap().close()


def facts(record: RunRecord, subject: str = "login") -> AuditMessages:
    found = facts_by_subject(record)[subject]
    assert isinstance(found, AuditMessages)
    return found


def test_a_message_is_recorded_with_its_connection(bench: ObjectBench) -> None:
    (record,) = bench.examine(a_source(sends(frame(MESSAGE), frame(MESSAGE))))
    seen = facts(record)
    assert [each.raw for each in seen.messages] == [MESSAGE, MESSAGE]
    (connection,) = seen.connections
    assert (connection.transport, connection.messages, connection.ending) == ("tls", 2, "close-notify")
    assert connection.version == "TLSv1.3"
    assert connection.suite
    assert connection.client_certificate == ""
    assert not connection.asked
    assert (seen.event, seen.provoked, seen.left_out, seen.away) == ("login", 1, 0, False)
    assert seen.driver is not None
    evidence = record.exchanges[connection.exchange]
    assert evidence.is_of_objects
    assert bytes.fromhex(evidence.segments[0][2]) == MESSAGE
    assert bench.connections == [1]


@pytest.mark.parametrize(
    ("action", "ending", "framing"),
    [
        (sends(frame(MESSAGE), close=lambda channel: channel.close()), "close", ""),
        (sends(MESSAGE + b"\n"), "open", "no"),
        (sends(frame(MESSAGE), frame(MESSAGE)[:20]), "close-notify", ""),
    ],
)
def test_how_a_connection_ended_and_what_was_no_frame_is_recorded(
    bench: ObjectBench, action: Action, ending: str, framing: str
) -> None:
    (record,) = bench.examine(a_source(action))
    (connection,) = facts(record).connections
    assert connection.ending == ending
    assert bool(connection.framing) == bool(framing)
    if framing:
        assert connection.octets


def test_a_message_in_the_clear_is_recorded_as_a_refused_connection(bench: ObjectBench) -> None:
    def act(stimulus: Stimulus) -> None:
        with socket.create_connection((stimulus.host, stimulus.port), timeout=30) as plain:
            plain.sendall(frame(MESSAGE))
            plain.recv(64)

    (record,) = bench.examine(a_source(act))
    seen = facts(record)
    (connection,) = seen.connections
    assert seen.messages == ()
    assert connection.refused
    assert connection.octets


def test_datagrams_are_messages(bench: ObjectBench) -> None:
    def act(stimulus: Stimulus) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(MESSAGE, (stimulus.host, stimulus.port))

    (record,) = bench.examine(a_source(act, protocol="syslog-udp", audit='events = ["login", "logout"]'))
    for subject in ("login", "logout"):
        seen = facts(record, subject)
        assert [each.raw for each in seen.messages] == [MESSAGE]
        assert seen.transport == "udp"
    numbers = [facts(record, subject).connections[0].number for subject in ("login", "logout")]
    assert numbers == [1, 2]


def test_the_driver_is_told_the_event_and_each_event_has_its_own(bench: ObjectBench, tmp_path: Path) -> None:
    told = tmp_path / "told"
    program = "import sys; open(sys.argv[1], 'a').write(' '.join(sys.argv[2:]) + chr(10))"
    drivers = f"""
[drivers.report]
command = '''{python(program, str(told), "report {event} {port}")}'''
[drivers.other]
command = '''{python(program, str(told), "other {event} {port}")}'''
"""
    audit = 'events = ["login", "logout"]\ndrivers = { logout = "other" }'
    sut = a_source(audit=audit, listen='port = 0\ndriver = "report"', more=drivers)
    (record,) = bench.examine(sut)
    lines = [line.split() for line in told.read_text(encoding="utf-8").splitlines()]
    assert [line[:2] for line in lines] == [["report", "login"], ["other", "logout"]]
    assert lines[0][2].isdecimal()
    assert facts(record, "logout").messages == ()
    outcome = facts(record, "logout").driver
    assert outcome is not None
    assert outcome.exit_status == 0


def test_a_driver_that_cannot_run_is_not_waited_for(bench: ObjectBench) -> None:
    drivers = f"[drivers.report]\ncommand = '''{PYTHON} -c 'raise SystemExit(127)' '''"
    (record,) = bench.examine(a_source(listen='port = 0\ndriver = "report"', more=drivers, seconds=3000))
    outcome = facts(record).driver
    assert outcome is not None
    assert "no such program" in outcome.problem
    assert facts(record).provoked == 0


def test_nobody_to_ask_is_not_waited_for(bench: ObjectBench) -> None:
    (record,) = bench.examine(a_source(listen=f"port = {free_port()}", seconds=3000))
    outcome = facts(record).driver
    assert outcome is not None
    assert outcome.kind == "operator"
    assert outcome.problem


def test_a_person_is_told_what_to_do_and_confirms_it(bench: ObjectBench) -> None:
    port = free_port()
    told: list[str] = []

    def answer() -> None:
        for task in bench.board.tasks():
            told.append(f"{task.number} of {task.of}: {task.text}")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(MESSAGE, ("127.0.0.1", port))
            bench.board.reply(task.id, SKIP if "Log out" in task.text else DONE, "me")

    bench.board.join()
    bench.board.on_change(answer)
    audit = 'events = ["login-failed", "logout"]'
    (record,) = bench.examine(a_source(protocol="syslog-udp", audit=audit, listen=f"port = {port}"))
    assert [line.partition(" (destination")[0] for line in told] == [
        "1 of 2: Try to log in with a wrong password.",
        "2 of 2: Log out.",
    ]
    assert f"port {port}" in told[0]
    done, skipped = facts(record, "login-failed"), facts(record, "logout")
    assert done.driver is not None
    assert done.driver.confirmed_by == "me"
    assert (done.provoked, len(done.messages)) == (1, 1)
    assert skipped.driver is not None
    assert (skipped.provoked, skipped.driver.problem) == (0, "The operator skipped this step.")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_while_a_repository_is_away_nobody_listens_and_afterwards_what_comes_is_recorded(bench: ObjectBench) -> None:
    refused = threading.Event()

    def act(stimulus: Stimulus) -> None:
        try:
            sends(frame(MESSAGE))(stimulus)
        except ConnectionError:
            refused.set()
            threading.Thread(target=later, args=(stimulus,), daemon=True).start()

    def later(stimulus: Stimulus) -> None:
        stop = threading.Event()
        for _ in range(100):
            try:
                sends(frame(MESSAGE), frame(MESSAGE))(stimulus)
            except ConnectionError:
                stop.wait(0.05)
            else:
                return

    sut = a_source(act, audit='events = ["login"]\naway = "embedded"\ndrivers = { login = "embedded" }')
    (record,) = bench.examine(sut)
    assert refused.is_set()
    seen = facts(record, "away-and-back")
    assert seen.away
    assert seen.event == "login"
    assert [each.raw for each in seen.messages] == [MESSAGE, MESSAGE]
    assert seen.connections[0].number == 2
    assert not facts(record).away


def test_a_source_that_loses_what_it_could_not_send_is_asked_once_more(bench: ObjectBench) -> None:
    asked: list[str] = []

    def act(stimulus: Stimulus) -> None:
        asked.append(stimulus.event)
        with suppress(ConnectionError):
            sends(frame(MESSAGE))(stimulus)

    audit = 'events = ["login"]\naway = "embedded"\ndrivers = { login = "embedded" }'
    (record,) = bench.examine(a_source(act, audit=audit, seconds=1.5))
    seen = facts(record, "away-and-back")
    assert asked == ["login"] * 3
    assert seen.provoked == 2
    assert len(seen.messages) == 1


def test_what_was_kept_is_waited_for_when_something_newer_comes_first(bench: ObjectBench) -> None:
    asked: list[threading.Thread] = []

    def act(stimulus: Stimulus) -> None:
        with suppress(ConnectionError):
            sends(frame(MESSAGE))(stimulus)
        asked.append(threading.Thread(target=kept, args=(stimulus,), daemon=True))
        if len(asked) == 3:
            asked[-1].start()

    def kept(stimulus: Stimulus) -> None:
        threading.Event().wait(0.6)  # longer than audit.settle of the bench
        sends(frame(MESSAGE + b"2"))(stimulus)

    audit = 'events = ["login"]\naway = "embedded"\ndrivers = { login = "embedded" }'
    (record,) = bench.examine(a_source(act, audit=audit, seconds=3))
    seen = facts(record, "away-and-back")
    assert seen.provoked == 2
    assert [each.raw for each in seen.messages] == [MESSAGE, MESSAGE + b"2"]


def test_a_port_that_somebody_takes_while_nobody_listens_is_told(bench: ObjectBench) -> None:
    with socket.socket() as taken:

        def act(stimulus: Stimulus) -> None:
            with suppress(OSError):
                taken.bind(("127.0.0.1", stimulus.port))
                taken.listen()

        audit = 'away = "embedded"\nselect = ["away-and-back"]'
        (record,) = bench.examine(a_source(act, audit=audit))
    (event,) = [one for one in record.observations if one.observation.subject]
    assert "could not be opened again" in event.observation.missing
    assert event.observation.facts is None


def test_strangers_are_told_and_their_messages_are_not_taken(bench: ObjectBench) -> None:
    def act(stimulus: Stimulus) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(MESSAGE, ("127.0.0.1", stimulus.port))

    listen = 'port = 0\nname = "127.0.0.1"'
    (record,) = bench.examine(a_source(act, protocol="syslog-udp", host="192.0.2.7", listen=listen))
    assert facts(record).messages == ()
    assert facts(record).connections == ()
    assert any("it is not the SUT's address: 127.0.0.1" in note.text for note in record.notes)


def test_a_sut_without_an_address_and_a_taken_port_are_told(bench: ObjectBench) -> None:
    with pytest.raises(UsageProblem, match="cannot be resolved"):
        bench.examine(a_source(sends(), host="no-such-host.invalid", listen='port = 0\nname = "x"'))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageProblem, match=f"{port} is in use by another program"):
            bench.examine(a_source(sends(), listen=f"port = {port}"))


def test_an_interrupted_run_goes_on_where_it_was(bench: ObjectBench) -> None:
    audit = 'events = ["login", "logout"]'
    called: list[str] = []

    def act(stimulus: Stimulus) -> None:
        called.append(stimulus.event)
        sends(frame(MESSAGE))(stimulus)

    sut = a_source(act, audit=audit)
    run = bench.begin(sut)
    run.journal.close()
    (record,) = bench.examine(sut)
    assert called == ["login", "logout"]
    path = bench.path(sut)
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if b'"subject":"logout"' not in line.replace(b" ", b"")]
    path.write_bytes(b"".join(kept))
    (record,) = bench.examine(sut)
    assert called == ["login", "logout", "logout"]
    numbers = [each.number for subject in ("login", "logout") for each in facts(record, subject).connections]
    assert numbers == [1, 2]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_versions_of_tls_are_served_and_recorded(bench: ObjectBench) -> None:
    def act(stimulus: Stimulus) -> None:
        context = ssl.create_default_context(cafile=str(stimulus.trust_anchors))
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        with secure(stimulus, context) as channel:
            channel.sendall(frame(MESSAGE))
            announced(channel)

    (record,) = bench.examine(a_source(act))
    seen = facts(record)
    assert [each.version for each in seen.connections] == ["TLSv1.1"]
    assert len(seen.messages) == 1


@pytest.mark.parametrize("shown", [True, False])
def test_a_certificate_is_asked_for_and_need_not_be_shown(bench: ObjectBench, tmp_path: Path, shown: bool) -> None:
    pki = Pki.create(tmp_path / "pki")
    mine = pki.issue("client")

    def act(stimulus: Stimulus) -> None:
        context = ssl.create_default_context(cafile=str(stimulus.trust_anchors))
        if shown:
            context.load_cert_chain(pki.certificate_file("client"), pki.key_file("client"))
        with secure(stimulus, context) as channel:
            channel.sendall(frame(MESSAGE))
            announced(channel)

    trusted = f'[credentials]\ntrust_anchors = "{pki.trust_anchors_file()}"'
    (record,) = bench.examine(a_source(act, more=trusted))
    (connection,) = facts(record).connections
    assert connection.messages == 1
    assert connection.asked
    assert connection.client_certificate == (mine.certificate.fingerprint(SHA256()).hex() if shown else "")
