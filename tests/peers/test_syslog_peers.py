"""Real syslog receivers that nobody here wrote get the verdicts of A.6 that their documentation lets one expect."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fixtures.pki.campaign import Campaign
from tests.missing import lacking
from tests.peers.examination import ps315
from tests.peers.expectations import Case, cases
from tests.peers.starters import STARTERS, Peer, PeerMissing

pytestmark = pytest.mark.peer

_CASES = [
    pytest.param(case, id=case.name, marks=pytest.mark.xdist_group(f"peer {case.name}"))
    for case in cases()
    if case.protocol == "syslog-tls"
]
_SUT_FILE = """
schema = 1
[identity]
id = "receiver"
[endpoints.syslog]
protocol = "syslog-tls"
host = {host}
port = {port}
server_name = "localhost"
[[claims]]
profile = "A.6"
endpoint = "syslog"
[credentials]
campaign = {campaign}
"""


def report_on(case: Case, directory: Path) -> Mapping[str, Any]:
    """The report on the peer of `case`, which trusts the authority of a campaign."""
    campaign = Campaign.create(directory / "campaign")
    with STARTERS[case.family](campaign.pki, directory / "peer", case.options) as peer:
        (directory / "sut.toml").write_text(described(peer, campaign), encoding="utf-8")
        finished = ps315("run", "sut.toml", "--out", "out", "--quiet", "--no-second-opinion", directory=directory)
    assert finished.returncode in {0, 1, 3}, f"status {finished.returncode}: {finished.stderr}{finished.stdout}"
    report: Mapping[str, Any] = json.loads((directory / "out" / "report.json").read_text(encoding="utf-8"))
    return report


def described(peer: Peer, campaign: Campaign) -> str:
    """A SUT file for `peer`."""
    folder = json.dumps(str(campaign.directory))
    return _SUT_FILE.format(host=json.dumps(peer.host), port=peer.port, campaign=folder)


@pytest.mark.parametrize("case", _CASES)
def test_the_verdicts_are_the_expected_ones(case: Case, tmp_path: Path) -> None:
    try:
        report = report_on(case, tmp_path)
    except PeerMissing as missing:
        lacking(str(missing))
    expected = case.expected("A.6")
    found = {each["requirement"]: each for each in report["verdicts"] if each["judged"] in {"automatically", "derived"}}
    differences = [
        f"{name}: expected {expected.get(name)}, got {found[name]['verdict'] if name in found else None}: "
        + (found[name]["reason"] if name in found else "not in the report")
        for name in sorted(expected.keys() | found.keys())
        if name not in found or expected.get(name) != found[name]["verdict"]
    ]
    umbrella = "A.6-server-syslog-over-tls"  # declarations, of which none is given here, decide it as well
    assert not [each for each in differences if not each.startswith(umbrella)], "\n".join(differences)
