"""Runs ``ps315`` as its users do, in a process of its own, against a running peer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fixtures.pki.campaign import Campaign
from harness.observations import FactsT, facts_of
from harness.record import RunRecord
from harness.record.journal import read_record
from tests.peers.expectations import Case
from tests.peers.starters import STARTERS, Peer

TIME_LIMIT = 240.0
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Examination:
    """What came of one peer: reports per profile, and the record with its observations."""

    case: Case
    directory: Path
    reports: Mapping[str, Mapping[str, Any]]
    record: RunRecord

    def verdicts(self, profile: str) -> dict[str, str]:
        """The verdict of every requirement under `profile`."""
        return {each["requirement"]: each["verdict"] for each in self.reports[profile]["verdicts"]}

    def told(self, profile: str, requirement: str) -> str:
        """Reason and observation of one verdict, for a message."""
        found = next((v for v in self.reports[profile]["verdicts"] if v["requirement"] == requirement), None)
        return "not in the report" if found is None else f"{found['reason']} (observed: {found['observed']})"

    def facts(self, kind: str, model: type[FactsT]) -> FactsT | None:
        """The facts of the last observation of that kind."""
        found = [event.observation for event in self.record.observations if event.observation.kind == kind]
        return facts_of(found[-1], model) if found else None


def ps315(*arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run one command line of ``ps315`` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", "from harness.cli import main; main()", *arguments],
        cwd=directory,
        env={"PYTHONPATH": str(_ROOT), "PATH": "/usr/bin:/bin", "HOME": str(directory)},
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )


def examine(case: Case, campaign: Campaign, directory: Path) -> Examination:
    """Start the peer of `case`, probe it under B.12, end it, and judge the record under B.13 as well.

    A peer that is given the credentials of a client is shown the zoo of `campaign` with them.

    Raises `AssertionError` with what the program said where it does not end with a judgement.
    """
    with STARTERS[case.family](campaign.pki, directory / "peer", case.options) as peer:
        probed = ps315("probe", *_probe_arguments(case, peer, campaign), directory=directory)
    reports = {"B.12": _report(probed, directory / "out")}
    again = ps315("judge", str(directory / "out"), "--profile", "B.13", "--quiet", directory=directory)
    reports["B.13"] = _report(again, directory / "out")
    return Examination(case, directory / "out", reports, read_record(directory / "out" / "run.jsonl"))


def _probe_arguments(case: Case, peer: Peer, campaign: Campaign) -> list[str]:
    pki = campaign.pki
    target = f"{case.protocol}://{peer.host}:{peer.port}"
    arguments = [target, "--profile", "B.12", "--out", "out", "--quiet", "--ca", str(pki.trust_anchors_file())]
    if case.protocol == "dicom-tls":
        arguments += ["--called-aet", peer.called_aet]
    if case.credentials:
        arguments += ["--cert", str(pki.certificate_file(case.credentials))]
        arguments += ["--key", str(pki.key_file(case.credentials)), "--campaign", str(campaign.directory)]
    return arguments


def _report(finished: subprocess.CompletedProcess[str], out: Path) -> Mapping[str, Any]:
    assert finished.returncode in {0, 1, 3}, f"status {finished.returncode}: {finished.stderr}{finished.stdout}"
    report: Mapping[str, Any] = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return report
