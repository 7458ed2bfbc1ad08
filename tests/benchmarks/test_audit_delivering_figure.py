"""How long a whole examination of an audit repository takes, over TLS and UDP; no time is asserted."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from fixtures.audit_deliveries import DELIVERIES
from fixtures.pki.campaign import Campaign
from tests.benchmarks.measuring import REPEATS
from tests.unit.test_audit_repository_examined import examined, opened_repository, read_by_sql, sut_of

pytestmark = pytest.mark.benchmark

_GOAL = 60.0  # seconds


def test_a_whole_examination(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    campaign = Campaign.create(tmp_path / "campaign")
    made = sum(len(each.transports) for each in DELIVERIES.values() if not each.intrusive)
    took = []
    for number in range(REPEATS):
        folder = tmp_path / str(number)
        folder.mkdir()
        with opened_repository(campaign, folder) as repository:
            sut = sut_of(repository, campaign, folder, read_by_sql(folder))
            began = time.perf_counter()
            examined(sut, folder)
            took.append(time.perf_counter() - began)
    best = min(took)
    told = f"{best:.1f} s, {best / _GOAL:.2f} of the goal ({_GOAL:.0f} s)"
    with capsys.disabled():
        print(f"\n{made} deliveries to the reference repository: {told}")
