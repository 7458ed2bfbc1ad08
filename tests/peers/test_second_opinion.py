"""The table of what sslyze cannot know, against what a scan really asks for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fixtures.pki import Pki
from harness.conduct import Budget
from harness.observations import facts_of
from harness.observations.transport import (
    TLS12,
    TLS13,
    AcceptedSuite,
    CipherSuites,
    GroupResult,
    Groups,
    GroupsOfVersion,
    SecondOpinion,
    SuitesOfVersion,
)
from harness.probes.base import ProbeContext, TlsTarget
from harness.second_opinion import Opinion, cannot_know, look_again, look_again_group, start
from reference_impl.transport.registry import GROUPS, SSL2_CIPHER_KINDS, SUITES
from tests.missing import lacking
from tests.peers.starters import STARTERS, Peer, PeerMissing

pytestmark = [pytest.mark.peer, pytest.mark.xdist_group("second opinion")]

STATIC_RSA, RC4 = 0x002F, 0x0005
SECP256R1, SECT163K1, X25519 = 23, 1, 29


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    folder = tmp_path_factory.mktemp("s_server")
    options = {"second_certificate": "server_ec", "arguments": "-cipher ALL:eNULL@SECLEVEL=0"}
    try:
        with STARTERS["s_server"](Pki.create(folder / "pki"), folder, options) as running:
            yield running
    except PeerMissing as missing:
        lacking(str(missing))


@pytest.fixture
def context(peer: Peer) -> ProbeContext:
    return ProbeContext(target=TlsTarget("dimse", "dicom-tls", peer.host, peer.port), budget=Budget())


@pytest.fixture(scope="module")
def opinion(peer: Peer) -> Opinion:
    with start(TlsTarget("dimse", "dicom-tls", peer.host, peer.port)) as process:
        return process.opinion()


def test_every_suite_is_asked_for_or_in_the_table(opinion: Opinion) -> None:
    assert opinion.notes == (), "a name without a code point"
    asked = {code for suites in (*opinion.accepted.values(), *opinion.refused.values()) for code in suites}
    beyond = {suite.code for suite in SUITES.values() if any(row.covers_suite(suite) for row in cannot_know())}
    known = {code for code, suite in SUITES.items() if not suite.signalling}
    assert {SUITES[code].name for code in known - asked - beyond} == set()
    assert {SUITES[code].name for code in asked & beyond} == set(), "asked for, so it can know"
    assert set(opinion.refused[0x0002]) <= set(SSL2_CIPHER_KINDS)


def test_every_group_is_asked_for_or_in_the_table(opinion: Opinion) -> None:
    asked = set(opinion.groups) | set(opinion.refused_groups)
    beyond = {code for row in cannot_know() for code in row.groups}
    assert {group.name for code, group in GROUPS.items() if code not in asked | beyond} == set()
    assert asked & beyond == set()


def test_a_second_look_sees_what_is_there(context: ProbeContext) -> None:
    assert look_again(context, TLS12, STATIC_RSA).accepted
    assert look_again(context, TLS13, 0x1301).accepted
    assert look_again_group(context, TLS13, SECP256R1).accepted
    assert look_again_group(context, TLS12, X25519).accepted


def test_a_second_look_does_not_see_what_is_not_there(context: ProbeContext) -> None:
    assert not look_again(context, TLS12, RC4).accepted
    assert not look_again(context, TLS13, 0x1304).accepted
    assert not look_again(context, 0x0002, 0x010080).accepted
    assert not look_again_group(context, TLS12, SECT163K1).accepted
    assert not look_again_group(context, TLS13, SECT163K1).accepted


def test_what_our_probe_missed_is_found_on_a_second_look(context: ProbeContext, opinion: Opinion) -> None:
    missed = {(TLS12, STATIC_RSA), (TLS13, 0x1301)}
    versions = {
        version: SuitesOfVersion(
            accepted=tuple(AcceptedSuite(code=each, exchange="") for each in suites if (version, each) not in missed),
            offered=300,
            complete=True,
        )
        for version, suites in opinion.accepted.items()
    }
    groups = GroupsOfVersion(groups=(GroupResult(code=X25519, named=True, accepted=True, exchange=""),), complete=True)
    context.learn(context.observed("tls.cipher-suites", CipherSuites(versions=versions)))
    context.learn(context.observed("tls.groups", Groups(versions={TLS13: groups})))
    process = start(context.target)
    facts = facts_of(process.collect(context), SecondOpinion)
    assert facts is not None
    assert facts.conflicts == ()
    assert {observation.kind for observation in process.amended} == {"tls.cipher-suites", "tls.groups"}
    amended = context.facts(CipherSuites)
    assert amended is not None
    for version, code in missed:
        assert code in {entry.code for entry in amended.versions[version].accepted}
