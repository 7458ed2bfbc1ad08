"""Delivering to an audit repository: what is recorded of one that keeps messages, loses or refuses them, or is gone."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures.audit_deliveries import DELIVERIES
from fixtures.pki.campaign import Campaign
from harness.observations.audit import Delivered
from harness.observe import GENTLE, Conduct
from harness.operator_board import Board
from harness.plan import plan_for
from harness.probes.base import Deadlines
from harness.sut import Sut, parse_sut
from reference_impl.audit.repository_node import RepositoryNode
from tests.unit.object_bench import ObjectBench, facts_by_subject

_SUT = """
schema = 1
[identity]
id = "{name}"
[endpoints.arr]
protocol = "{protocol}"
host = "127.0.0.1"
port = {port}
[endpoints.arr.audit]
{audit}
[readings.log]
{reading}
[[claims]]
profile = "{profile}"
role = "audit-repository"
endpoint = "arr"
[credentials]
{credentials}
"""
QUICK = Conduct(per_second=100_000.0, deadlines=Deadlines(connect=2.0, exchange=2.0))


@dataclass
class Repository:
    """A repository to deliver to: its ports, and the file that it keeps messages in."""

    campaign: Campaign
    folder: Path
    node: RepositoryNode

    @property
    def log(self) -> Path:
        return self.folder / "kept.log"

    def sut(
        self,
        *select: str,
        transport: str = "tls",
        reading: str = "",
        seconds: float = 1.0,
        audit: str = "",
        trusted: bool = True,
    ) -> Sut:
        """A SUT file for it; without `trusted` no client certificate is shown."""
        address = self.node.tls_address if transport == "tls" else self.node.udp_address
        anchors = json.dumps(str(self.campaign.pki.trust_anchors_file()))
        text = _SUT.format(
            name=self.folder.name,
            protocol=f"syslog-{transport}",
            port=address[1],
            audit=audit or f'arrived = "log"\nselect = {json.dumps(list(select))}',
            reading=reading or f"file = {json.dumps(str(self.log))}\nseconds = {seconds}",
            profile="A.6" if transport == "tls" else "A.7",
            credentials=f"campaign = {json.dumps(str(self.campaign.directory))}"
            if trusted
            else f"trust_anchors = {anchors}",
        )
        return parse_sut(text, source="sut.toml", folder=self.folder)


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return Campaign.create(tmp_path_factory.mktemp("campaign") / "pki")


Opened = Callable[..., "Repository"]


@pytest.fixture
def opened(campaign: Campaign, tmp_path: Path) -> Iterator[Opened]:
    """A function that opens a repository with faults, or one that does with each message as `keep` says."""
    entered = []

    def begin(*faults: str, keep: Callable[[bytes], bytes | None] = bytes) -> Repository:
        log = tmp_path / "kept.log"
        log.touch()

        def take(message: bytes) -> None:
            if (kept := keep(message)) is not None:
                with log.open("ab") as file:
                    file.write(kept + b"\n")

        node = RepositoryNode(take, server_context(campaign), faults)
        node.__enter__()
        entered.append(node)
        return Repository(campaign, tmp_path, node)

    yield begin
    for node in entered:
        node.__exit__(None, None, None)


def server_context(campaign: Campaign) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(campaign.pki.certificate_file("server"), campaign.pki.key_file("server"))
    context.load_verify_locations(campaign.pki.trust_anchors_file())
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def delivered(
    repository: Repository, sut: Sut, conduct: Conduct = QUICK, board: Board | None = None
) -> dict[str, Delivered]:
    """What is recorded of each delivery."""
    (record,) = ObjectBench(repository.folder, board or Board()).examine(sut, conduct=conduct)
    found = facts_by_subject(record)
    assert all(isinstance(each, Delivered) for each in found.values()), [
        o.observation.missing for o in record.observations
    ]
    return {name: each for name, each in found.items() if isinstance(each, Delivered)}


@pytest.mark.parametrize("transport", ["tls", "udp"])
def test_everything_arrives_at_a_repository_that_keeps_everything(opened: Opened, transport: str) -> None:
    repository = opened()
    found = delivered(repository, repository.sut("*", transport=transport, seconds=5.0))
    assert set(found) == {name for name, each in DELIVERIES.items() if transport in each.transports}
    for name, facts in found.items():
        if DELIVERIES[name].intrusive:
            assert "--intrusive" in facts.skipped
            continue
        assert not facts.skipped, name
        assert facts.as_received, name
        assert facts.told_by == "file"
        assert facts.exchange, name
        if facts.wanted == "whole":
            assert set(facts.arrivals) == {"whole"}, (name, facts)
            assert facts.follower == ""
            assert facts.answered_close is (None if transport == "udp" or facts.rule == "many-senders" else True) or (
                facts.rule == "many-senders"
            )
        else:
            assert facts.follower == "whole", name
    assert found["size/32768" if transport == "tls" else "size/2048"].octets in {32768, 2048}


def test_what_is_lost_is_absent_and_what_is_cut_is_cut(opened: Opened) -> None:
    repository = opened("cuts-at-1024-octets", "loses-structured-data")
    found = delivered(
        repository, repository.sut("control/plain", "size/2048", "size/480", "structured-data/one-element")
    )
    assert found["control/plain"].arrivals == ("whole",)
    assert found["size/480"].arrivals == ("whole",)
    assert found["size/2048"].arrivals == ("cut",)
    lost = found["structured-data/one-element"]
    assert (lost.arrivals, lost.follower, lost.detail) == (("absent",), "whole", "sent 2 times")


def test_what_is_altered_is_told_from_what_is_whole(opened: Opened) -> None:
    repository = opened("keeps-latin-1-alone")
    found = delivered(repository, repository.sut("control/plain", "text/*"))
    assert found["text/latin"].arrivals in {("whole",), ("altered",)}
    assert found["text/supplementary-planes"].arrivals == ("altered",)
    assert found["text/all-printable-ascii"].arrivals == ("whole",)


def test_a_datagram_that_is_lost_is_sent_again(opened: Opened) -> None:
    seen: list[bytes] = []

    def keep(message: bytes) -> bytes | None:
        seen.append(message)
        return None if len(seen) in {3, 4} else message

    repository = opened(keep=keep)
    found = delivered(repository, repository.sut("control/plain", "size/480", transport="udp", seconds=0.5))
    assert found["size/480"].arrivals == ("whole",)


def test_a_repository_that_goes_away_is_blamed_for_what_ended_it_alone(opened: Opened) -> None:
    repository = opened("jams-on-garbage")
    found = delivered(
        repository, repository.sut("control/plain", "framing/garbage", "senders/*", "ending/close-notify", seconds=0.5)
    )
    assert found["control/plain"].arrivals == ("whole",)
    assert found["framing/garbage"].follower in {"absent", ""}
    assert "no plain message any more" in found["ending/close-notify"].skipped


def test_a_repository_that_cannot_be_reached_any_more_may_shut_the_harness_out(opened: Opened) -> None:
    repository = opened()
    sut = repository.sut("control/plain", "framing/garbage", "ending/close-notify", seconds=0.5)
    work_ends = threading.Event()

    def leave() -> None:
        while not work_ends.wait(0.005):
            if repository.log.read_bytes().count(b"\n") >= 2:  # the plain messages of the beginning
                repository.node.__exit__(None, None, None)
                return

    thread = threading.Thread(target=leave)
    thread.start()
    found = delivered(repository, sut)
    work_ends.set()
    thread.join()
    last = found["ending/close-notify"]
    assert "could no longer be reached" in last.skipped or "refused" in last.refused
    assert all(each.follower != "absent" for each in found.values())


def test_where_no_plain_message_arrives_nothing_else_is_sent(opened: Opened) -> None:
    kept: list[bytes] = []
    repository = opened(keep=kept.append)
    found = delivered(repository, repository.sut("control/plain", "size/*", seconds=0.2))
    assert {each.skipped for each in found.values() if not DELIVERIES[each.case].intrusive} == {
        "No plain message arrived, so that others tell nothing: what is read (file) has not its mark."
    }
    assert len(kept) == 2


def test_a_reading_that_fails_is_told(opened: Opened) -> None:
    repository = opened()
    found = delivered(repository, repository.sut("control/plain", reading='file = "missing.log"\nseconds = 0.2'))
    assert "no file is called" in found["control/plain"].skipped


def test_a_repository_that_refuses_the_harness_is_told(opened: Opened) -> None:
    repository = opened()
    found = delivered(repository, repository.sut("control/plain", seconds=0.2, trusted=False))
    assert "No plain message arrived" in found["control/plain"].skipped
    assert "certificate" in found["control/plain"].skipped


def test_a_closed_port_is_told(opened: Opened) -> None:
    repository = opened()
    sut = repository.sut("control/plain", seconds=0.2)
    repository.node.__exit__(None, None, None)
    assert "refused" in delivered(repository, sut)["control/plain"].skipped.lower()


def test_conduct_is_kept(opened: Opened) -> None:
    repository = opened()
    sut = repository.sut("control/plain", "senders/half-a-frame-beside", "framing/endless-count")
    bench = ObjectBench(repository.folder, Board())
    assert [step.subject for step in plan_for(sut, ()).files()] == [
        *("control/plain", "framing/endless-count", "senders/half-a-frame-beside"),
    ]
    (record,) = bench.examine(sut, conduct=GENTLE)
    found = facts_by_subject(record)
    facts = found["framing/endless-count"]
    assert isinstance(facts, Delivered)
    assert "--intrusive" in facts.skipped


def test_disturbing_deliveries_are_bounded(opened: Opened) -> None:
    repository = opened()
    conduct = Conduct(per_second=100_000.0, intrusive=True)
    found = delivered(repository, repository.sut("control/plain", "framing/endless-*", seconds=5.0), conduct)
    for name in ("framing/endless-count", "framing/endless-message"):
        assert found[name].follower == "whole"
    assert "ended while messages were sent" in found["framing/endless-count"].refused


@contextmanager
def answering(board: Board, said: str) -> Iterator[list[str]]:
    """A person who answers every question alike."""
    texts: list[str] = []
    ends = threading.Event()

    def watch() -> None:
        while not ends.wait(0.01):
            for task in board.tasks():
                texts.append(task.text)
                board.reply(task.id, said, "tester")

    board.join()
    thread = threading.Thread(target=watch)
    thread.start()
    yield texts
    ends.set()
    thread.join()


@pytest.mark.parametrize(("said", "arrival"), [("whole", "whole"), ("cut", "cut")])
def test_a_person_is_asked_about_a_few(opened: Opened, said: str, arrival: str) -> None:
    repository = opened()
    sut = repository.sut(audit='arrived = "log"', reading='operator = "Search for {token}."\nseconds = 20')
    planned = [step.subject for step in plan_for(sut, ()).files()]
    assert planned == [name for name, each in DELIVERIES.items() if each.brief and "tls" in each.transports]
    chosen = repository.sut("control/plain", reading='operator = "Search for {token}."\nseconds = 20')
    board = Board()
    with answering(board, said) as texts:
        found = delivered(repository, chosen, board=board)
    facts = found["control/plain"]
    assert facts.told_by == "operator"
    if arrival == "whole":
        assert facts.arrivals == ("whole",)
    else:
        assert facts.skipped
    assert all(text.startswith("Search for PS315D") for text in texts)


def test_with_nobody_there_nothing_is_told(opened: Opened) -> None:
    repository = opened()
    found = delivered(repository, repository.sut(audit='select = ["control/plain"]', reading='operator = "x"'))
    assert "Nobody could be asked" in found["control/plain"].skipped


def test_an_interrupted_examination_goes_on(opened: Opened) -> None:
    repository = opened()
    first = delivered(repository, repository.sut("control/plain"))
    again = delivered(repository, repository.sut("control/plain", "size/480"))
    assert list(again) == ["control/plain", "size/480"]
    assert again["control/plain"] == first["control/plain"]
    assert again["size/480"].as_received
