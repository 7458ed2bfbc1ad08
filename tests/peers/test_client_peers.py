"""Real clients that nobody here wrote get the verdicts that their documented configuration lets one expect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.pki import CLIENT, certify
from fixtures.pki.campaign import AUTHORITY_NAME, Campaign
from harness.observations import facts_of
from harness.observations.clients import ClientTrial
from tests.missing import lacking
from tests.peers.client_examination import ClientExamination, examine_client
from tests.peers.clients import CLIENTS, Identity
from tests.peers.expectations import cases
from tests.peers.starters import PeerMissing

pytestmark = pytest.mark.peer

_CASES = [
    pytest.param(case, id=case.name, marks=pytest.mark.xdist_group(f"client {case.name}"))
    for case in cases("tls-client")
]


@pytest.fixture(scope="session")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """The test campaign whose authority every client trusts."""
    return Campaign.create(tmp_path_factory.mktemp("campaign"))


@pytest.fixture(scope="session")
def identity(campaign: Campaign, tmp_path_factory: pytest.TempPathFactory) -> Identity:
    """What every client shows: a certificate of the campaign's authority."""
    issued = certify(replace(CLIENT, common_name="PS315-SUT"), campaign.authority, owner="client peers")
    directory: Path = tmp_path_factory.mktemp("identity")
    certificate, key = directory / "sut.pem", directory / "sut.key"
    certificate.write_bytes(issued.chain_pem)
    key.write_bytes(issued.key_pem)
    return Identity(certificate, key, campaign.directory / f"{AUTHORITY_NAME}.pem")


@pytest.fixture(scope="module", params=_CASES)
def examined(
    request: pytest.FixtureRequest, campaign: Campaign, identity: Identity, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClientExamination]:
    """One client, brought into every trial once for all tests."""
    case = request.param
    directory = tmp_path_factory.mktemp("client")
    try:
        client = CLIENTS[case.family](identity, directory, case.options)
        yield examine_client(case, client, campaign, directory)
    except PeerMissing as missing:
        if missing.optional:
            pytest.skip(str(missing))
        lacking(str(missing))


def test_the_verdicts_are_the_expected_ones(examined: ClientExamination) -> None:
    differences = [each for profile in examined.case.profiles for each in examined.differences(profile)]
    assert not differences, "\n".join([examined.case.documented, *differences])


def test_every_trial_ended_by_itself(examined: ClientExamination) -> None:
    trials = [facts_of(event.observation, ClientTrial) for event in examined.record.observations]
    played = [trial for trial in trials if trial is not None and not trial.skipped]
    assert len(played) > (5 if "trials" in examined.case.options else 110)
    assert [trial.trial for trial in played if trial.ended != "settled"] == []
    assert [trial.trial for trial in played if trial.driver.problem] == []
    assert [trial.trial for trial in played if not trial.connections] == []


def test_every_expectation_is_explained() -> None:
    for case in cases("tls-client"):
        assert len(case.documented) > 20, case.name
        assert len(case.why) > 20, case.name
