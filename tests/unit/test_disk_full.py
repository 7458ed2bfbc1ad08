"""A disk that is full while a run is recorded or reported: told in one sentence, with what to do; nothing hangs."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

import reports
from fixtures.pki import Pki
from harness.commands._judging import write_report
from harness.errors import UsageProblem
from harness.record.journal import Journal
from harness.record.models import NoteEvent
from harness.workers import Workers
from tests.unit.reports_material import realistic

NOTE = NoteEvent(at=datetime(2026, 5, 4, 12, 0, tzinfo=UTC), text="noted")


@pytest.fixture
def full() -> Path:
    device = Path("/dev/full")
    if not device.exists():
        pytest.skip("there is no /dev/full")
    return device


def test_a_journal_that_cannot_be_written_says_so(full: Path) -> None:
    with pytest.raises(UsageProblem, match=r"No space left on device; make room, and go on .* --resume"):
        Journal(full).append(NOTE)
    with pytest.raises(UsageProblem, match="cannot be written"):
        Journal(full).append_block([NOTE])


def test_a_thread_that_cannot_record_ends_all_and_is_told(full: Path) -> None:
    workers = Workers(2)
    journal = Journal(full)

    def patient() -> None:
        workers.stopping.wait(30)

    workers.begin("patient", patient)
    workers.begin("recording", lambda: journal.append(NOTE))
    with pytest.raises(UsageProblem, match="cannot be written"):
        workers.wait()
    assert workers.stopping.is_set()


def test_a_report_that_cannot_be_written_can_be_made_later(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def render(record: object, directory: Path) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(reports, "render", render)
    with pytest.raises(UsageProblem, match=r"the report cannot be written: .*; make room, then: ps315 judge"):
        write_report(realistic(Pki.create()), tmp_path)
