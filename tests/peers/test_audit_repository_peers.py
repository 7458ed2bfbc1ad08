"""Real syslog receivers that nobody here wrote get the verdicts of A.6 and A.7 that their configuration lets expect."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fixtures.pki.campaign import Campaign
from harness.catalogue import load_catalogue
from tests.missing import lacking
from tests.peers.examination import ps315
from tests.peers.starters.collectors import Collector, rsyslog_collector
from tests.peers.starters.process import PeerMissing
from tests.peers.starters.syslog_ng import syslog_ng_collector

pytestmark = pytest.mark.peer

EDITION, ROLE = "2026c", "audit-repository"
PROTOCOLS = {"A.6": "syslog-tls", "A.7": "syslog-udp"}
SUT_FILE = """
schema = 1
[identity]
id = "repository"
[endpoints.tls]
protocol = "syslog-tls"
host = "127.0.0.1"
port = {tls}
server_name = "localhost"
[endpoints.tls.audit]
arrived = "log"
[endpoints.udp]
protocol = "syslog-udp"
host = "127.0.0.1"
port = {udp}
[endpoints.udp.audit]
arrived = "log"
[readings.log]
seconds = 5
{reading}
[[claims]]
profile = "A.6"
role = "audit-repository"
endpoint = "tls"
[[claims]]
profile = "A.7"
role = "audit-repository"
endpoint = "udp"
[credentials]
campaign = {campaign}
"""


@dataclass(frozen=True)
class Case:
    """One repository in one configuration; `named` holds by profile the verdicts that are no pass."""

    name: str
    documented: str
    why: str
    options: Mapping[str, str] = field(default_factory=dict)
    named: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def expected(self, profile: str) -> dict[str, str]:
        """The verdict to expect per automatic requirement."""
        bound = load_catalogue().select(profile, EDITION, ROLE, PROTOCOLS[profile])
        verdicts = {one.id: "pass" for one in bound if one.judged == "automatically"}
        for name, verdict in self.named.get(profile, {}).items():
            assert name in verdicts, name
            verdicts[name] = verdict
        return verdicts


@dataclass(frozen=True)
class Examined:
    """What came of one repository."""

    case: Case
    report: Mapping[str, Any]

    def verdicts(self, profile: str) -> dict[str, Mapping[str, Any]]:
        """The verdicts by requirement."""
        return {one["requirement"]: one for one in self.report["verdicts"] if one["profile"] == profile}


def cases() -> list[Case]:
    """All cases, in the order of the file."""
    content = tomllib.loads(Path(__file__).with_name("audit_repository_expectations.toml").read_text(encoding="utf-8"))
    found = []
    for row in content["case"]:
        named = {
            profile: {name: verdict for verdict, names in row.pop(key, {}).items() for name in names}
            for profile, key in (("A.6", "A-6"), ("A.7", "A-7"))
        }
        found.append(Case(**row, named=named))
    return found


_CASES = [pytest.param(case, id=case.name, marks=pytest.mark.xdist_group(f"peer {case.name}")) for case in cases()]


@pytest.fixture(scope="module", params=_CASES)
def examined(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examined]:
    """One repository, examined once for all tests."""
    case: Case = request.param
    directory = tmp_path_factory.mktemp("repository")
    campaign = Campaign.create(directory / "campaign")
    try:
        with collector_of(case, campaign, directory / "peer") as peer:
            report = report_on(peer, campaign, directory, reading=f"file = {json.dumps(str(peer.received))}")
    except PeerMissing as missing:
        if missing.optional:
            pytest.skip(str(missing))
        lacking(str(missing))
    yield Examined(case, report)


def collector_of(case: Case, campaign: Campaign, directory: Path) -> AbstractContextManager[Collector]:
    """The program that a case is about."""
    if case.name.startswith("syslog-ng"):
        return syslog_ng_collector(campaign.pki, directory)
    return rsyslog_collector(campaign.pki, directory, case.options)


def report_on(peer: Collector, campaign: Campaign, directory: Path, *, reading: str) -> Mapping[str, Any]:
    """The report on `peer`, read by `reading`."""
    described = SUT_FILE.format(
        tls=peer.tls, udp=peer.udp, reading=reading, campaign=json.dumps(str(campaign.directory))
    )
    (directory / "sut.toml").write_text(described, encoding="utf-8")
    finished = ps315("run", "sut.toml", "--out", "out", "--quiet", directory=directory)
    assert finished.returncode in {0, 1, 3}, f"status {finished.returncode}: {finished.stderr}{finished.stdout}"
    (report,) = (directory / "out").rglob("report.json")
    content: Mapping[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return content


@pytest.mark.parametrize("profile", PROTOCOLS)
def test_the_verdicts_are_the_expected_ones(examined: Examined, profile: str) -> None:
    verdicts = examined.verdicts(profile)
    differences = [
        f"{name}: expected {verdict}, got {verdicts[name]['verdict']}: {verdicts[name]['reason']}"
        for name, verdict in examined.case.expected(profile).items()
        if verdicts[name]["verdict"] != verdict
    ]
    assert not differences, "\n".join([examined.case.documented, examined.case.why, *differences])


def test_every_expectation_is_explained() -> None:
    for case in cases():
        assert len(case.documented) > 20, case.name
        assert len(case.why) > 20, case.name
