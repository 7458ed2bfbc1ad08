"""The run record: written line by line, read back strictly, nothing lost by an interruption."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.errors import UsageProblem
from harness.evidence import EvidenceCap, Redactor
from harness.observations import Exchange, Observation
from harness.record import SutRecord, VerdictKind
from harness.record.journal import Journal, drop_torn_line, read_record
from harness.record.models import (
    ExchangeEvent,
    Footer,
    Header,
    JudgingEvent,
    Limits,
    NoteEvent,
    ObservationEvent,
    ResumedEvent,
    ToolRecord,
)

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def header() -> Header:
    return Header(
        tool=ToolRecord(version="1", python="3", platform="x"),
        started=NOW,
        command="run",
        sut=SutRecord(id="pacs", claims=(), endpoints=()),
        limits=Limits(
            connections_at_once=4,
            connections_per_second=200,
            connect_seconds=5,
            exchange_seconds=5,
            received_octets=1,
            evidence_octets=1,
        ),
    )


def observed(kind: str, missing: str = "not obtained") -> ObservationEvent:
    return ObservationEvent(
        step=f"dimse/{kind}",
        observation=Observation(kind=kind, endpoint="dimse", observed_at=NOW, facts=None, missing=missing),
    )


def exchange(number: int = 1, *segments: tuple[str, float, str]) -> Exchange:
    return Exchange(
        id=f"dimse-{number:04d}",
        purpose="a test",
        endpoint="dimse",
        started=NOW,
        duration_ms=3.0,
        peer="127.0.0.1:2762",
        segments=segments or (("sent", 0.0, "0102"), ("received", 1.0, "03")),
        outcome="answered",
    )


def footer(status: int = 0) -> Footer:
    return Footer(finished=NOW, connections=1, summary={VerdictKind.PASS: 1}, exit_status=status)


def judging(profile: str = "") -> JudgingEvent:
    return JudgingEvent(at=NOW, tool_version="1", observed_at=NOW, profile=profile)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


@pytest.fixture
def finished(path: Path) -> Path:
    with Journal(path) as journal:
        journal.append(header())
        journal.append(ExchangeEvent(exchange=exchange()))
        journal.append(observed("tls.reachability"))
        journal.append_block([judging(), footer()])
    return path


def test_what_is_written_is_read_back(finished: Path) -> None:
    record = read_record(finished)
    assert record.header == header()
    assert [event.step for event in record.observations] == ["dimse/tls.reachability"]
    assert record.exchanges == {"dimse-0001": exchange()}
    assert record.footer == footer()


def test_an_event_is_on_disk_before_the_journal_is_closed(path: Path) -> None:
    journal = Journal(path)
    journal.append(header())
    journal.append(ExchangeEvent(exchange=exchange()))
    journal.append(observed("tls.versions"))
    try:
        assert len(read_record(path, unfinished=True).observations) == 1
        assert len(read_record(path, unfinished=True).exchanges) == 1
    finally:
        journal.close()
    journal.append(observed("tls.groups"))  # a late thread: ignored, no exception
    assert len(read_record(path, unfinished=True).observations) == 1


def test_many_threads_write_whole_lines(path: Path) -> None:
    with Journal(path) as journal:
        journal.append(header())

        def work(start: int) -> None:
            for number in range(start, start + 50):
                journal.append(ExchangeEvent(exchange=exchange(number, ("sent", 0.0, "ab" * 500))))

        threads = [threading.Thread(target=work, args=(100 * index,)) for index in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(read_record(path, unfinished=True).exchanges) == 400


def test_the_last_judging_counts(finished: Path) -> None:
    with Journal(finished) as journal:
        journal.append_block([judging("B.13"), footer(1)])
    record = read_record(finished)
    assert record.judging is not None
    assert record.judging.profile == "B.13"
    assert record.footer == footer(1)


def test_a_later_observation_of_a_step_replaces_the_first(path: Path) -> None:
    with Journal(path) as journal:
        for event in (header(), observed("tls.groups", "first"), observed("tls.groups", "second")):
            journal.append(event)
    (event,) = read_record(path, unfinished=True).observations
    assert event.observation.missing == "second"


def test_a_resumed_run_is_unfinished_until_its_own_end(finished: Path) -> None:
    with Journal(finished) as journal:
        journal.append(ResumedEvent(at=NOW))
    with pytest.raises(UsageProblem, match="--resume"):
        read_record(finished)


def cut(content: bytes) -> bytes:
    return content[:-5]


def without_end(content: bytes) -> bytes:
    return b"\n".join(content.split(b"\n")[:3]) + b"\n"


def newer(content: bytes) -> bytes:
    return content.replace(b'"schema_version":1', b'"schema_version":2', 1)


def garbled(content: bytes) -> bytes:
    lines = content.split(b"\n")
    return b"\n".join([lines[0], lines[1][:-20], *lines[2:]])


def unknown_event(content: bytes) -> bytes:
    return content.replace(b'"event":"exchange"', b'"event":"dance"')


def extra_field(content: bytes) -> bytes:
    return content.replace(b'"event":"observation"', b'"event":"observation","more":1')


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (cut, "truncated in line 5: the run was interrupted; go on with --resume"),
        (without_end, "has no end: the run was interrupted; go on with --resume"),
        (newer, "newer ps315"),
        (garbled, "line 2 is broken"),
        (unknown_event, "line 2 is no event"),
        (extra_field, "line 3 is no event"),
        (lambda content: content[:0], "before its first line ends"),
        (lambda content: content[:20], "before its first line ends"),
        (lambda content: b"hello\n" + content, "is no run record"),
        (lambda content: content + content, "out of place"),
    ],
)
def test_damage_is_told_in_one_sentence(finished: Path, damage: Callable[[bytes], bytes], told: str) -> None:
    finished.write_bytes(damage(finished.read_bytes()))
    with pytest.raises(UsageProblem) as raised:
        read_record(finished)
    assert told in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_a_missing_record_is_told(path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"holds no run\.jsonl"):
        read_record(path)


def test_a_torn_line_is_dropped_on_resuming_and_nothing_else(finished: Path) -> None:
    whole = without_end(finished.read_bytes())
    finished.write_bytes(whole + b'{"event":"obs')
    before = read_record(finished, unfinished=True)
    assert len(before.observations) == 1
    drop_torn_line(finished)
    assert finished.read_bytes() == whole
    drop_torn_line(finished)
    assert finished.read_bytes() == whole


class TestRedaction:
    def test_secrets_are_taken_out_of_text_and_octets(self, path: Path) -> None:
        secret = 'open "sesame"\\'
        redactor = Redactor([secret.encode()])
        octets = ("00" + secret.encode().hex() + "ff").lower()
        with Journal(path, redactor.line) as journal:
            journal.append(header())
            journal.append(NoteEvent(at=NOW, text=f"the key's password is {secret}!"))
            journal.append(ExchangeEvent(exchange=exchange(1, ("sent", 0.0, octets))))
        record = read_record(path, unfinished=True)
        assert record.notes[0].text == "the key's password is [redacted]!"
        ((_, _, kept),) = record.exchanges["dimse-0001"].segments
        assert len(kept) == len(octets)
        assert bytes.fromhex(kept) == b"\0" * (len(kept) // 2 - 1) + b"\xff"
        assert json.dumps(secret)[1:-1] not in path.read_text(encoding="utf-8")

    def test_a_password_that_is_an_ordinary_word_does_not_damage_the_record(self, path: Path) -> None:
        with Journal(path, Redactor([b"observation", b"pass", b"1", b"2026", b"dimse"]).line) as journal:
            journal.append(header())
            journal.append(observed("tls.groups", "the password was pass"))
            journal.append_block([footer()])
        record = read_record(path)
        assert record.observations[0].observation.missing == "the [redacted]word was [redacted]"
        assert record.footer == footer()


class TestEvidenceCap:
    def test_small_exchanges_stay_as_they_are(self) -> None:
        assert EvidenceCap().cut(exchange()) == exchange()

    def test_a_large_one_is_cut_and_marked(self) -> None:
        cap = EvidenceCap(each=10, total=1000, least=4)
        kept = cap.cut(exchange(1, ("sent", 0.0, "aa" * 6), ("received", 1.0, "bb" * 6), ("received", 2.0, "cc")))
        assert kept.truncated
        assert kept.segments == (("sent", 0.0, "aa" * 6), ("received", 1.0, "bb" * 4))

    def test_the_total_is_kept_but_for_a_beginning(self) -> None:
        cap = EvidenceCap(each=100, total=150, least=4)
        sizes = [
            sum(len(octets) // 2 for _, _, octets in cap.cut(exchange(n, ("received", 0.0, "aa" * 100))).segments)
            for n in range(4)
        ]
        assert sizes == [100, 50, 4, 4]
