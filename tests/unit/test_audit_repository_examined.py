"""The audit repository keeps what A.6, A.7 and the ATX options of IHE ask for: its database and its search tell so."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fixtures.audit_deliveries import DELIVERIES
from fixtures.pki.campaign import Campaign
from harness.judging import judge
from harness.observations import Observation
from harness.observations.audit import Delivered
from harness.observe import Conduct
from harness.operator_board import Board
from harness.sut import Sut, parse_sut
from reference_impl.audit.repository.service import Repository
from reference_impl.audit.repository.settings import Settings
from reference_impl.audit.repository.web.access import Access
from reference_impl.audit.repository.web.users import write_user
from tests.unit.object_bench import ObjectBench

USER, PASSWORD = "auditor", "correct horse battery"
_SUT = """
schema = 1
[identity]
id = "repository"
[endpoints.tls]
protocol = "syslog-tls"
host = "127.0.0.1"
port = {tls}
[endpoints.tls.audit]
arrived = "trail"
select = {select}
[endpoints.udp]
protocol = "syslog-udp"
host = "127.0.0.1"
port = {udp}
[endpoints.udp.audit]
arrived = "trail"
select = {select}
[readings.trail]
seconds = 20
{reading}
[credentials]
campaign = {campaign}
"""
_CLAIM = """
[[claims]]
profile = "{profile}"
role = "audit-repository"
endpoint = "{endpoint}"
"""
CLAIMS = {"A.6": "tls", "A.7": "udp", "IHE-ATX-TLS-Syslog": "tls", "IHE-ATX-UDP-Syslog": "udp"}
SOME = ["control/plain", "kind/query", "text/latin", "time/leap-second", "hostile/entity-bomb"]


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return Campaign.create(tmp_path_factory.mktemp("campaign") / "pki")


@pytest.fixture
def repository(campaign: Campaign, tmp_path: Path) -> Iterator[Repository]:
    with opened_repository(campaign, tmp_path) as running:
        yield running


@contextmanager
def opened_repository(campaign: Campaign, folder: Path) -> Iterator[Repository]:
    """A running repository whose database is in `folder`."""
    write_user(folder / "users", USER, PASSWORD)
    pki = campaign.pki
    settings = Settings(
        database=folder / "trail.db",
        tls_port=0,
        udp_port=0,
        web_port=0,
        certificate=pki.certificate_file("server"),
        key=pki.key_file("server"),
        client_ca=pki.trust_anchors_file(),
        access=Access(users=folder / "users"),
    )
    with Repository(settings) as running:
        yield running


def read_by_sql(folder: Path) -> str:
    """A reading of the database in `folder`."""
    sql = "select octets from original where instr(octets, cast(:token as blob)) > 0"
    return f"sql = {json.dumps(sql)}\nurl = {json.dumps(f'sqlite:///{folder}/trail.db')}"


def sut_of(
    repository: Repository, campaign: Campaign, folder: Path, reading: str, select: Sequence[str] = ("*",)
) -> Sut:
    addresses = repository.addresses
    assert addresses.tls is not None
    assert addresses.udp is not None
    text = _SUT.format(
        tls=addresses.tls[1],
        udp=addresses.udp[1],
        reading=reading,
        select=json.dumps(list(select)),
        campaign=json.dumps(str(campaign.directory)),
    )
    claims = "".join(_CLAIM.format(profile=profile, endpoint=endpoint) for profile, endpoint in CLAIMS.items())
    return parse_sut(text + claims, source="sut.toml", folder=folder)


def examined(sut: Sut, folder: Path) -> tuple[Observation, ...]:
    (record,) = ObjectBench(folder, Board()).examine(sut, conduct=Conduct(per_second=100_000.0))
    return tuple(event.observation for event in record.observations)


def test_everything_that_is_asked_of_a_repository_is_kept(
    repository: Repository, campaign: Campaign, tmp_path: Path
) -> None:
    sut = sut_of(repository, campaign, tmp_path, read_by_sql(tmp_path))
    observations = examined(sut, tmp_path)
    found = judge(sut.record, observations, observed_at=datetime.now(UTC), command="run").verdicts
    automatic = [one for one in found if one.reason != "" and not one.reason.startswith("The SUT file does not answer")]
    assert {
        (one.profile, one.requirement): one.reason for one in automatic if one.verdict in {"fail", "warning", "error"}
    } == {}
    judged = {(one.profile, one.requirement) for one in found if one.verdict == "pass"}
    assert {profile for profile, _ in judged} == set(CLAIMS)
    assert len(judged) > 60
    facts = [Delivered.model_validate(one.facts) for one in observations]
    assert {one.case for one in facts} == set(DELIVERIES)
    assert all(one.as_received for one in facts if not one.skipped)
    assert not repository.store.verify().problem


def test_arrival_is_told_by_a_search_over_the_web(repository: Repository, campaign: Campaign, tmp_path: Path) -> None:
    assert repository.addresses.web is not None
    port = repository.addresses.web[1]
    reading = (
        f'web = "https://localhost:{port}/fhir/AuditEvent?date=ge1990-01-01&agent-name={{token}}&_count=200"\n'
        f'user = "{USER}"\npassword = "{PASSWORD}"'
    )
    sut = sut_of(repository, campaign, tmp_path, reading, SOME)
    facts = [Delivered.model_validate(one.facts) for one in examined(sut, tmp_path)]
    assert {one.case for one in facts} >= {"control/plain", "kind/query", "time/leap-second"}
    for one in facts:
        assert not one.skipped, one
        assert one.told_by == "web"
        assert not one.as_received
        if one.wanted == "whole":
            assert set(one.arrivals) == {"whole"}, one
        else:
            assert one.follower == "whole", one
