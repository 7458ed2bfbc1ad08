"""Sources of audit messages that nobody here wrote: rsyslog over TLS and UDP, `logger` over UDP.

What keeps everything is not failed, and what deviates is named.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fixtures.pki.campaign import Campaign
from harness.drivers.base import Action, Stimulus
from harness.judging import judge
from harness.operator_board import Board
from harness.record.models import VerdictRecord
from harness.sut import Sut, parse_sut
from reference_impl.audit.source_node import AuditSource
from reference_impl.audit.syslog.messages import audit_message, write
from reference_impl.syslog_frames import frame
from tests.missing import lacking
from tests.peers.starters.forwarders import rsyslog_forwarder
from tests.peers.starters.process import PeerMissing
from tests.unit.object_bench import ObjectBench, with_actions

pytestmark = pytest.mark.peer

EVENTS = ("application-start", "login", "query", "instances-transferred")
_SECONDS = 10.0


def a_source(protocol: str, *, audit: str = "", listen: str = "", more: str = "") -> Sut:
    profile, beside = ("A.6", "TLS") if protocol == "syslog-tls" else ("A.7", "UDP")
    named = ", ".join(f'"{each}"' for each in EVENTS)
    text = f"""
schema = 1
[identity]
id = "peer"
[endpoints.trail]
protocol = "{protocol}"
host = "127.0.0.1"
[endpoints.trail.listen]
name = "localhost"
port = 0
{listen or 'driver = "embedded"'}
[endpoints.trail.audit]
events = [{named}]
settle = 0.5
{audit}
{more}
[[claims]]
profile = "{profile}"
role = "audit-source"
endpoint = "trail"
[[claims]]
profile = "A.5"
role = "audit-source"
endpoint = "trail"
[[claims]]
profile = "IHE-ATX-{beside}-Syslog"
role = "audit-source"
endpoint = "trail"
"""
    return parse_sut(text, source="peer.toml", folder=Path())


def frames_of(event: str) -> bytes:
    """The syslog messages that report `event`, in frames; of a transfer one is large."""
    made = (
        audit_message(octets, datetime.now(UTC), hostname="node.example.org", app_name="archive")
        for octets in AuditSource().audit_messages(event)
    )
    return b"".join(frame(write(each)) for each in made)


class Forwarded:
    """Gives messages to rsyslog, which it starts when it is first told where to."""

    def __init__(self, start: Callable[[int], AbstractContextManager[int]], stack: ExitStack) -> None:
        self._start, self._stack = start, stack
        self._given = 0

    def __call__(self, stimulus: Stimulus) -> None:
        if not self._given:
            self._given = self._stack.enter_context(self._start(stimulus.port))
        with socket.create_connection(("127.0.0.1", self._given), timeout=_SECONDS) as connection:
            connection.sendall(frames_of(stimulus.event))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as held:
        yield held


def judged(tmp_path: Path, sut: Sut, action: Action | None = None) -> dict[tuple[str, str], VerdictRecord]:
    """The verdicts of what is judged automatically, by profile and requirement."""
    bench = ObjectBench(tmp_path / "run", Board())
    bench.folder.mkdir()
    (record,) = bench.examine(with_actions(sut, {"trail": action}) if action is not None else sut)
    outcomes = [event.observation.facts["driver"] for event in record.observations if event.observation.facts]
    for outcome in outcomes:
        if "PeerMissing" in outcome["problem"]:
            lacking(outcome["problem"])
        assert not outcome["problem"], outcome
    seen = [event.observation for event in record.observations]
    found = judge(sut.record, seen, observed_at=datetime.now(UTC), command="run")
    return {(each.profile, each.requirement): each for each in found.verdicts if each.judged == "automatically"}


def deviations(found: dict[tuple[str, str], VerdictRecord]) -> dict[tuple[str, str], str]:
    return {key: str(each.verdict) for key, each in found.items() if str(each.verdict) in {"fail", "warning", "error"}}


@pytest.mark.parametrize("driver", ["gtls", "ossl"])
def test_rsyslog_over_tls_keeps_everything(driver: str, tmp_path: Path, stack: ExitStack) -> None:
    campaign = Campaign.create(tmp_path / "campaign")
    sut = a_source("syslog-tls", more=f'[credentials]\ncampaign = "{campaign.directory}"')
    action = Forwarded(lambda port: rsyslog_forwarder(campaign.pki, tmp_path / "peer", driver, port), stack)
    try:
        found = judged(tmp_path, sut, action)
    except PeerMissing as missing:
        lacking(str(missing))
    assert deviations(found) == {("IHE-ATX-TLS-Syslog", "IHE-3.20.4.1.2-source-msgid"): "fail"}
    for rule in ("A.6-source-over-tls", "A.6-source-32768-octets", "RFC5425-4.3-source-octet-counting"):
        assert str(found["A.6", rule].verdict) == "pass", rule
    assert str(found["A.6", "A.5-events-claimed"].verdict) == "pass"


def test_rsyslog_over_udp_keeps_everything(tmp_path: Path, stack: ExitStack) -> None:
    campaign = Campaign.create(tmp_path / "campaign")
    action = Forwarded(lambda port: rsyslog_forwarder(campaign.pki, tmp_path / "peer", "udp", port), stack)
    found = judged(tmp_path, a_source("syslog-udp"), action)
    assert deviations(found) == {("IHE-ATX-UDP-Syslog", "IHE-3.20.4.1.2-source-msgid"): "fail"}
    assert str(found["A.7", "RFC5426-3.1-source-one-message"].verdict) == "pass"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--msgid DICOM+RFC3881 -p authpriv.notice", {}),
        ("--msgid DICOM+RFC3881 -p auth.notice", {("A.7", "A.7-source-facility"): "fail"}),
        ("-p authpriv.notice", {("A.7", "A.7-source-msgid"): "fail"}),
        ("--msgid DICOM+RFC3881 -p authpriv.debug", {("A.7", "A.7-source-severity"): "warning"}),
    ],
)
def test_logger_is_judged_by_its_options(options: str, expected: dict[tuple[str, str], str], tmp_path: Path) -> None:
    if shutil.which("logger") is None:
        lacking("logger is not installed: apt-get install bsdutils")
    for event in EVENTS:
        octets = AuditSource().audit_messages(event)[0]
        (tmp_path / f"{event}.xml").write_bytes(octets)
    command = (
        f"logger --rfc5424 {options} --udp --server {{host}} --port {{port}} --size 60000 -t archive "
        f'-- "$(cat {tmp_path}/{{event}}.xml)"'
    )
    sut = a_source("syslog-udp", listen='driver = "log"', more=f"[drivers.log]\ncommand = '''{command}'''")
    found = deviations(judged(tmp_path, sut))
    assert {key: verdict for key, verdict in found.items() if not key[0].startswith("IHE")} == expected
