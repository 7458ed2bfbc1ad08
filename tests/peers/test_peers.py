"""Real servers that nobody here wrote get the verdicts that their documented configuration lets one expect."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fixtures.pki.campaign import Campaign
from harness.observations.transport import TLS12, TLS13, CipherSuites, Groups, SecondOpinion, Versions
from harness.second_opinion import cannot_know
from reference_impl.transport.registry import group, suite, version_name
from tests.missing import lacking
from tests.peers.examination import Examination, examine
from tests.peers.expectations import PROFILES, cases
from tests.peers.starters import PeerMissing

pytestmark = pytest.mark.peer

_CASES = [
    pytest.param(case, id=case.name, marks=pytest.mark.xdist_group(f"peer {case.name}"))
    for case in cases()
    if case.protocol != "syslog-tls"
]
_MOST_CONNECTIONS, _MOST_WITH_ZOO = 250, 400


@pytest.fixture(scope="session")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Certificates for all peers, and to show to them."""
    made = Campaign.create(tmp_path_factory.mktemp("campaign"))
    made.pki.directory = made.directory / "pki"
    return made


@pytest.fixture(scope="module", params=_CASES)
def examined(
    request: pytest.FixtureRequest, campaign: Campaign, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Examination]:
    """One peer, examined once for all tests."""
    try:
        yield examine(request.param, campaign, tmp_path_factory.mktemp("peer"))
    except PeerMissing as missing:
        if missing.optional:
            pytest.skip(str(missing))
        lacking(str(missing))


@pytest.mark.parametrize("profile", PROFILES)
def test_the_verdicts_are_the_expected_ones(examined: Examination, profile: str) -> None:
    expected, actual = examined.case.expected(profile), examined.verdicts(profile)
    actual = {name: verdict for name, verdict in actual.items() if not name.endswith("-statement")}
    differences = [
        f"{name}: expected {expected.get(name)}, got {actual.get(name)}: {examined.told(profile, name)}"
        for name in sorted(expected.keys() | actual.keys())
        if expected.get(name) != actual.get(name)
    ]
    assert not differences, "\n".join([examined.case.documented, *differences])


def test_the_claim_is_judged(examined: Examination) -> None:
    for profile in PROFILES:
        (claim,) = examined.reports[profile]["claims"]
        failed = "fail" in examined.case.expected(profile).values()
        assert claim["profile"] == profile
        assert (claim["verdict"] == "fail") == failed


def test_sslyze_agrees(examined: Examination) -> None:
    theirs = examined.facts("tls.second-opinion", SecondOpinion)
    ours = examined.facts("tls.cipher-suites", CipherSuites)
    assert theirs is not None
    assert ours is not None
    assert theirs.conflicts == ()
    assert all(event.observation.attempts == 1 for event in examined.record.observations), "a probe missed something"
    for version, accepted in theirs.versions.items():
        result = ours.versions.get(version)
        found = {entry.code for entry in result.accepted} if result else set()
        assert _suite_names(accepted) <= _suite_names(found), version_name(version)
        beyond = {code for code in found - set(accepted) if not _beyond_sslyze(code)}
        assert not _suite_names(beyond), version_name(version)


def test_sslyze_agrees_on_versions(examined: Examination) -> None:
    theirs = examined.facts("tls.second-opinion", SecondOpinion)
    ours = examined.facts("tls.versions", Versions)
    assert theirs is not None
    assert ours is not None
    accepted = {version for version, reaction in ours.reactions.items() if reaction.accepted}
    assert {version_name(v) for v in accepted} == {version_name(v) for v, suites in theirs.versions.items() if suites}


def test_sslyze_agrees_on_groups(examined: Examination) -> None:
    theirs = examined.facts("tls.second-opinion", SecondOpinion)
    ours = examined.facts("tls.groups", Groups)
    assert theirs is not None
    if not theirs.groups:
        return  # no ECDHE, or a certificate is required under TLS 1.2, where sslyze cannot ask
    assert ours is not None
    result = ours.versions.get(TLS13 if theirs.versions.get(TLS13) else TLS12)
    found = {entry.code for entry in result.groups if entry.accepted} if result else set()
    unknowable = {code for row in cannot_know() for code in row.groups}
    assert {group(code).name for code in found - unknowable} == {group(code).name for code in theirs.groups}


def test_few_connections_are_made(examined: Examination) -> None:
    theirs = examined.facts("tls.second-opinion", SecondOpinion)
    by_others = (theirs.connections or 0) if theirs else 0
    most = _MOST_WITH_ZOO if examined.case.credentials else _MOST_CONNECTIONS
    assert examined.reports["B.12"]["connections"] - by_others <= most


def test_the_report_names_no_key(examined: Examination, campaign: Campaign) -> None:
    case = examined.case.credentials
    if not case:
        return
    key = campaign.pki.key_file(case).read_text().splitlines()[1]
    for path in examined.directory.rglob("*"):
        if path.is_file():
            assert key not in path.read_text(encoding="utf-8", errors="replace"), path


def test_every_expectation_is_explained() -> None:
    for case in cases():
        assert len(case.documented) > 20, case.name
        assert len(case.why) > 20, case.name
        for profile in PROFILES:
            assert set(case.expected(profile).values()) <= {
                "pass", "fail", "warning", "inconclusive", "not_applicable",
            }  # fmt: skip


def _beyond_sslyze(code: int) -> bool:
    return any(row.covers_suite(suite(code)) for row in cannot_know())


def _suite_names(codes: object) -> set[str]:
    assert isinstance(codes, (set, tuple))
    return {suite(code).name for code in codes}
