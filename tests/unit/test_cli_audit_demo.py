"""``ps315 demo`` with the reference systems of the audit trail: what is found is what the faults' tables say."""

from __future__ import annotations

import json
from pathlib import Path

from reference_impl.faults.objects import load_object_faults
from tests.unit.cli_bench import ps315

TRIED = {
    "no-msgid": "audit-source",
    "loses-byte-order-marks": "audit-repository",
}


def failed(folder: Path) -> set[str]:
    report = json.loads((folder / "report" / "report.json").read_text(encoding="utf-8"))
    assert report["summary"]["error"] == report["summary"]["inconclusive"] == report["summary"]["warning"] == 0
    return {one["requirement"] for one in report["verdicts"] if one["verdict"] == "fail"}


def test_the_untouched_systems_of_the_audit_trail_pass(tmp_path: Path) -> None:
    ended = ps315("demo", "--profile", "A.7", "--out", "report", cwd=tmp_path)
    assert ended.status == 0, ended
    assert failed(tmp_path) == set()


def test_faults_of_the_audit_trail_show(tmp_path: Path) -> None:
    options = [option for fault in TRIED for option in ("--fault", fault)]
    ended = ps315("demo", "--profile", "A.7", *options, "--out", "report", cwd=tmp_path)
    assert ended.status == 1, ended
    for fault, role in TRIED.items():
        broken = load_object_faults(role)[fault].breaks["A.7"]
        assert broken.keys() <= failed(tmp_path)
