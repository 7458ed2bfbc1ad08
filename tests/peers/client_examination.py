"""Runs ``ps315 run`` as its users do, with a real client as the driver of a SUT file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fixtures.pki.campaign import Campaign
from harness.catalogue import load_catalogue
from harness.record import RunRecord
from harness.record.journal import read_record
from tests.peers.clients import Client
from tests.peers.examination import ps315
from tests.peers.expectations import EDITION, Case

_SUT_FILE = """
schema = 1
[identity]
id = "client"
[endpoints.scu]
protocol = {protocol}
host = "127.0.0.1"
called_aet = {called}
calling_aet = {calling}
[endpoints.scu.listen]
address = "127.0.0.1"
port = 0
name = "localhost"
driver = "client"
seconds = 20
{trials}
[drivers.client]
command = {command}
[credentials]
campaign = {campaign}
"""
_CLAIM = """
[[claims]]
profile = {profile}
role = "tls-client"
endpoint = "scu"
"""


@dataclass(frozen=True)
class ClientExamination:
    """What came of one client: the report on both profiles, and the record with its observations."""

    case: Case
    report: Mapping[str, Any]
    record: RunRecord

    def verdicts(self, profile: str) -> dict[str, str]:
        """The verdict of every requirement under `profile`."""
        return {each["requirement"]: each["verdict"] for each in self.report["verdicts"] if each["profile"] == profile}

    def differences(self, profile: str) -> list[str]:
        """Every requirement that did not get the expected verdict, in a sentence each."""
        expected, actual = self.case.expected(profile), self.verdicts(profile)
        return [
            f"{name} ({profile}): expected {verdict}, got {actual.get(name)}: {self.told(profile, name)}"
            for name, verdict in sorted(expected.items())
            if actual.get(name) != verdict
        ]

    def told(self, profile: str, requirement: str) -> str:
        """Reason of one verdict, for a message."""
        found = (v for v in self.report["verdicts"] if (v["profile"], v["requirement"]) == (profile, requirement))
        verdict = next(found, None)
        return "not in the report" if verdict is None else str(verdict["reason"])


def _declared(case: Case) -> list[str]:
    """What the SUT file has to answer, so that umbrella requirements show what was observed."""
    catalogue = load_catalogue()
    bound = (each for profile in case.profiles for each in catalogue.select(profile, EDITION, case.role, case.protocol))
    return sorted({each.id for each in bound if each.judged == "by-declaration"})


def examine_client(case: Case, client: Client, campaign: Campaign, directory: Path) -> ClientExamination:
    """Bring `client` into every trial that `case` is about, and judge it under every profile that it claims.

    Option `trials` of the case names patterns of trials, separated by blanks; without it all are played.

    Raises `AssertionError` with what the program said where it does not end with a judgement.
    """
    played = case.options.get("trials", "").split()
    text = _SUT_FILE.format(
        protocol=json.dumps(client.protocol),
        called=json.dumps(client.called_aet),
        calling=json.dumps(client.calling_aet),
        command=json.dumps(client.command),
        campaign=json.dumps(str(campaign.directory)),
        trials=f"trials = {json.dumps(played)}" if played else "",
    )
    text += "[declarations]\n" + "".join(f"{json.dumps(name)} = true\n" for name in _declared(case))
    text += "".join(_CLAIM.format(profile=json.dumps(profile)) for profile in case.profiles)
    (directory / "sut.toml").write_text(text, encoding="utf-8")
    finished = ps315("run", "sut.toml", "--out", "out", "--quiet", directory=directory)
    assert finished.returncode in {0, 1, 3}, f"status {finished.returncode}: {finished.stderr}{finished.stdout}"
    report = json.loads((directory / "out" / "report.json").read_text(encoding="utf-8"))
    return ClientExamination(case, report, read_record(directory / "out" / "run.jsonl"))
