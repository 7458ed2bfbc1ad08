"""The kill matrix of audit repositories: each fault turns exactly what its table says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from fixtures.audit_deliveries import DELIVERIES, Transport, compose
from fixtures.audit_deliveries.model import new_tokens
from harness.objects import audit_looking
from harness.record.models import VerdictKind
from reference_impl.audit.faults.collecting import BEHAVIOURS
from reference_impl.audit.repository_node import FileTrail, RepositoryNode, certified
from reference_impl.faults.objects import faults_of_objects, texts_of_objects
from reference_impl.syslog_frames import FrameError, FrameReader
from tests.faults.audit_bench import SideBySide
from tests.faults.bench import Bench
from tests.faults.signature_bench import UNTOUCHED, Examination, Tried, automatic, stated_of

pytestmark = pytest.mark.xdist_group("audit repositories")  # one process makes all runs at once

ROLE = "audit-repository"
FAULTS = faults_of_objects(ROLE)
TRANSPORTS: Mapping[str, Transport] = {"A.6": "tls", "A.7": "udp"}
CLAIMS = {"A.6": ("A.5", "A.6", "IHE-ATX-TLS-Syslog"), "A.7": ("A.7", "IHE-ATX-UDP-Syslog")}
"""What is claimed by the profile under which a fault is tried."""
SENT: Mapping[str, tuple[str, ...]] = {
    "jams-on-other-facilities": ("pri/other-facilities",),
    "jams-on-broken-headers": ("broken/no-header",),
    "jams-on-broken-messages": ("hostile/unclosed",),
    "jams-on-what-no-schema-has": ("extension/foreign-element",),
    "jams-on-large-datagrams": ("size/datagram-of-2049",),
    "jams-on-truncated-datagrams": ("datagram/truncated",),
    "jams-on-garbage": ("framing/garbage",),
    "jams-on-abrupt-ends": ("ending/close",),
    "reads-lines": ("frame/line-ends-within", "xml/indented"),
    "reads-the-first-message-of-a-record": ("frame/many-in-a-record",),
    "reads-within-records": ("frame/one-over-many-records",),
    "does-not-wait": ("frame/slow-sender",),
    "serves-one-at-a-time": ("senders/silent-beside", "senders/eight-at-once"),
    "takes-audit-messages-alone": ("other-messages/between",),
    "takes-one-port-alone": ("datagram/several-senders", "senders/eight-at-once"),
    "does-not-answer-close": tuple(DELIVERIES),
}
"""What is sent to repositories that stop, or read otherwise; the others are sent what they keep otherwise."""
PATIENCE = 0.4
"""Seconds for something to arrive in this process."""
SETTLES = 0.1
"""Seconds for the rest of what has arrived in part: here there is none."""


@cache
def messages_of(delivery: str, transport: Transport) -> tuple[bytes, ...]:
    """The syslog messages of a delivery, as far as they are well framed."""
    found: list[bytes] = []
    for line in compose(delivery, new_tokens(), transport).lines:
        if transport == "udp":
            found += line.writes
            continue
        try:
            found += FrameReader(1 << 25).feed(b"".join(line.writes))
        except FrameError:
            continue
    return tuple(found)


def sent_to(fault: str, transport: Transport) -> tuple[str, ...]:
    """The deliveries of which a repository with `fault` keeps something else: two of each rule, or all."""
    if fault in SENT:
        there = (name for name in SENT[fault] if transport in DELIVERIES[name].transports)
        return tuple(name for name in there if not DELIVERIES[name].intrusive)
    # What is longer than anything that arrives whole tells of a limit alone: all of it has to be sent, then.
    cuts = fault.startswith("cuts-")
    keeps: dict[str, list[str]] = {}
    for name, delivery in DELIVERIES.items():
        if transport in delivery.transports and not delivery.intrusive and (cuts or delivery.wanted != "either"):
            messages = messages_of(name, transport)
            if any(BEHAVIOURS[fault].kept(message) != message for message in messages):
                keeps.setdefault(delivery.rule, []).append(name)
    return tuple(name for names in keeps.values() for name in names[: len(names) if cuts else 2])


class Repositories:
    """Repositories with each fault, by the profile under which it is tried."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bench = Bench(folder / "campaign")
        self._stack = ExitStack()
        self._context = certified(self._bench.campaign.pki, folder / "served").context()
        self._examinations: dict[str, SideBySide] = {}

    def examinations(self, profile: str) -> SideBySide:
        """All faults that are tried under `profile`."""

        def examination(faults: Sequence[str]) -> Examination:
            folder = self._folder / f"{profile}-{faults[0]}"
            folder.mkdir()
            readings: dict[str, dict[str, object]] = {}
            tried = {UNTOUCHED: self._tried(folder, profile, readings)}
            tried |= {fault: self._tried(folder, profile, readings, fault) for fault in faults}
            return Examination(folder, ROLE, tried, bench=self._bench, tables={"readings": readings})

        if profile not in self._examinations:
            self._examinations[profile] = SideBySide(tuple(FAULTS[profile]), examination)
        return self._examinations[profile]

    def _tried(self, folder: Path, profile: str, readings: dict[str, dict[str, object]], *faults: str) -> Tried:
        transport, name = TRANSPORTS[profile], f"trail-{len(readings)}"
        readings[name] = {"file": str(folder / name), "seconds": PATIENCE}
        trail = self._stack.enter_context(FileTrail(folder / name))
        node = self._stack.enter_context(RepositoryNode(trail.keep, self._context, faults))
        host, port = node.tls_address if transport == "tls" else node.udp_address
        audit: dict[str, object] = {"arrived": name}
        if faults:
            audit["select"] = [each for fault in faults for each in sent_to(fault, transport)]
            assert audit["select"], f"{faults} keeps everything under {profile}"
        endpoint = {
            "protocol": f"syslog-{transport}",
            "host": host,
            "port": port,
            "server_name": "localhost" if transport == "tls" else "",
            "audit": audit,
        }
        return Tried(_nothing, CLAIMS[profile], endpoint=endpoint)

    def close(self) -> None:
        self._stack.close()
        self._bench.close()


def _nothing(_stimulus: object) -> None:
    """A repository is not driven."""


@pytest.fixture(scope="module")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repositories]:
    """All of them."""
    made = Repositories(tmp_path_factory.mktemp("audit-repositories"))
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(audit_looking, "_SETTLES", SETTLES)
            yield made
    finally:
        made.close()


@pytest.mark.parametrize("profile", CLAIMS)
def test_the_untouched_repository_passes_everything(repositories: Repositories, profile: str) -> None:
    verdicts = repositories.examinations(profile).of(UNTOUCHED).verdicts(UNTOUCHED)
    others = {key: one.reason for key, one in verdicts.items() if one.verdict is not VerdictKind.PASS}
    assert others == {}


@pytest.mark.parametrize(("profile", "fault"), [(profile, fault) for profile in CLAIMS for fault in FAULTS[profile]])
def test_each_fault_turns_exactly_what_its_table_says(repositories: Repositories, profile: str, fault: str) -> None:
    different = repositories.examinations(profile).of(fault).differences(fault, stated_of(fault, ROLE, profile))
    assert not different, "\n".join(different)


def test_every_automatic_requirement_is_turned_by_a_fault_as_its_level_says() -> None:
    known = {
        name: one
        for profile, claimed in CLAIMS.items()
        for each in claimed
        for name, one in automatic(each, ROLE, f"syslog-{TRANSPORTS[profile]}").items()
    }
    turned = [each for rows in FAULTS.values() for row in rows.values() for each in row.items()]
    for name, verdict in turned:
        assert verdict not in {"fail", "warning"} or verdict == ("fail" if known[name].level == "shall" else "warning")
    assert known.keys() - {name for name, verdict in turned if verdict in {"fail", "warning"}} == set()


def test_every_fault_has_a_row_and_a_text() -> None:
    texts = texts_of_objects(ROLE)
    assert texts.keys() == {fault for rows in FAULTS.values() for fault in rows}
    assert all(text.endswith(".") for text in texts.values())
