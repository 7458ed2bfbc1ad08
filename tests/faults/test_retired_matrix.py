"""The kill matrix of retired profiles and older wordings: each at a node that serves it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness.judging import Judgement, exit_status, judge
from harness.observe import Observer, SutRun
from harness.plan import plan_for
from harness.probes.transport import PROBES
from harness.progress import Silent
from harness.record.models import VerdictKind
from harness.sut import make_sut
from reference_impl.faults.retired import NODES, retired_faults, served
from reference_impl.node import Node
from tests.faults.bench import Bench
from tests.faults.expectations import selected
from tests.faults.observe import CONDUCT, Collecting, declarations
from tests.faults.retired_expectations import CLAIMS, Kinds, assert_all_kept, assert_exact, assert_known, rows_of
from tests.faults.side_by_side import SideBySide

ROLE = "tls-server"
PROTOCOLS = ("dicom-tls", "https")
ROWS = rows_of(retired_faults(ROLE))
_CERTIFICATES = "client-certificate"  # those of clients have a matrix of their own, and take a campaign

Key = tuple[str, str, str, bool]
"""Node, fault, protocol, and whether bad client certificates are shown to it as well."""


class Nodes:
    """Runs of the nodes, each once."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._bench = Bench(directory / "campaign")
        self.runs: SideBySide[Key, Judgement] = SideBySide(self._run, _wanted)
        self.begin = self.runs.begin

    def judged(self, node: str, fault: str = "", protocol: str = "dicom-tls", *, campaign: bool = False) -> Judgement:
        """What is judged of the node with `fault`; with `campaign` bad client certificates are shown to it as well."""
        return self.runs[node, fault, protocol, campaign]

    def kinds(self, node: str, fault: str = "", protocol: str = "dicom-tls") -> Kinds:
        """How each requirement ended that is no umbrella and not about certificates of clients."""
        return {
            (one.profile, one.requirement): one.verdict
            for one in self.judged(node, fault, protocol).verdicts
            if not one.derived and _CERTIFICATES not in one.requirement
        }

    def _run(self, key: Key) -> Judgement:
        node, fault, protocol, campaign = key
        directory = self.directory / "-".join(str(part) for part in key)
        directory.mkdir(parents=True)
        profile, edition = served(node)
        begun = datetime.now(UTC)
        journal = Collecting(directory / "run.jsonl")
        serving = Node(
            profile,
            (fault,) if fault else (),
            edition=edition,
            protocol=protocol,
            pki=self._bench.campaign.pki,
            client_anchors=[self._bench.campaign.pinned["client"].certificate],
            client_crls=[self._bench.campaign.zoo().crl()],
            directory=directory,
        )
        with journal, serving as one:
            host, port = one.address
            own = {"client_certificate": str(one.client_certificate), "client_key": str(one.client_key)}
            sut = make_sut(
                {
                    "schema": 1,
                    "identity": {"id": "reference-node"},
                    "endpoints": {
                        "one": {
                            "protocol": protocol,
                            "host": host,
                            "port": port,
                            "called_aet": one.ae_title,
                            "server_name": one.server_name,
                        }
                    },
                    "claims": [
                        {"profile": name, "edition": of, "role": ROLE, "endpoint": "one"} for name, of in NODES[node]
                    ],
                    "credentials": {} if campaign else {**own, "trust_anchors": str(one.trust_anchors)},
                    "declarations": declarations(),
                },
                source="retired matrix",
                folder=directory,
            )
            sut = self._bench.given(sut, one.trust_anchors) if campaign else sut
            observer = Observer(PROBES, CONDUCT, Silent())
            observer.add(SutRun(sut, plan_for(sut, PROBES, leave_out=frozenset({"tls.second-opinion"})), journal))
            observer.run()
        return judge(sut.record, tuple(journal.observations.values()), observed_at=begun, command="run")

    def close(self) -> None:
        """Give up what has not begun, and wait for the rest."""
        self.runs.close()
        self._bench.close()


def _wanted(parameters: dict[str, Any]) -> list[Key]:
    if "name" not in parameters:
        node, protocol = str(parameters["node"]), str(parameters.get("protocol", "dicom-tls"))
        return [(node, "", protocol, "protocol" in parameters and is_shown_certificates(node, protocol))]
    row = ROWS[str(parameters["name"])]
    return [(row.node, "", row.protocol, False), (row.node, row.id, row.protocol, False)]


@pytest.fixture(scope="session")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """The nodes."""
    made = Nodes(tmp_path_factory.mktemp("retired"))
    try:
        yield made
    finally:
        made.close()


def is_shown_certificates(node: str, protocol: str) -> bool:
    """Whether what the node serves says anything of the certificates of its clients."""
    return any(
        _CERTIFICATES in one.id
        for profile, edition in NODES[node]
        for one in selected(profile, protocol, ROLE, edition)
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("node", NODES)
def test_an_untouched_node_conforms_to_what_it_serves(nodes: Nodes, node: str, protocol: str) -> None:
    judgement = nodes.judged(node, protocol=protocol, campaign=is_shown_certificates(node, protocol))
    assert_all_kept(judgement, node, ROLE, protocol)
    assert exit_status(judgement) == 0


@pytest.mark.parametrize("name", ROWS)
def test_a_fault_turns_exactly_what_it_says(nodes: Nodes, name: str) -> None:
    row = ROWS[name]
    before, after = nodes.kinds(row.node, "", row.protocol), nodes.kinds(row.node, row.id, row.protocol)
    assert_exact(row, before, after, nodes.judged(row.node, row.id, row.protocol))


@pytest.mark.parametrize("name", ROWS)
def test_a_row_names_known_requirements_with_their_level(name: str) -> None:
    assert_known(ROWS[name], ROLE)


@pytest.mark.parametrize(("node", "profile", "edition"), CLAIMS)
def test_every_automatic_requirement_of_a_retired_claim_has_a_fault(node: str, profile: str, edition: str) -> None:
    broken = {one for row in ROWS.values() if row.node == node for of, one in row.breaks if of == profile}
    automatic = {one.id for one in selected(profile, "dicom-tls", ROLE, edition) if one.judged == "automatically"}
    if profile == "B.11":  # it leaves no room for TLS 1.3: its duties apply to a server that has it all the same
        automatic -= {one for one in automatic if one.startswith("RFC8446-")}
    if profile in {"B.12", "B.13"}:  # what the current wording has too has its fault in the other matrix
        automatic -= {one.id for one in selected(profile, "dicom-tls", ROLE)}
    assert automatic - broken == set()


@pytest.mark.parametrize("node", NODES)
def test_what_separates_a_node_from_the_current_profile_changes_no_verdict(nodes: Nodes, node: str) -> None:
    judgement = nodes.judged(node)
    assert [(one.profile, one.edition) for one in judgement.separations] == list(NODES[node])
    for separation in judgement.separations:
        assert (separation.against_profile, separation.against_edition) == ("B.12", "2026c")
        assert separation.role == ROLE
        told = {one.requirement: one.verdict for one in separation.deviations}
        assert set(told.values()) <= {VerdictKind.FAIL, VerdictKind.WARNING}
        assert all(one.profile == "B.12" and not one.derived for one in separation.deviations)
        if node == "B.3":
            assert told["RFC9325-3.1.1-no-tls-1.0"] is VerdictKind.FAIL
            assert told["RFC9325-4.1-no-static-rsa"] is VerdictKind.WARNING
        else:
            assert told["RFC9325-4.1-no-dhe"] is VerdictKind.WARNING
        assert separation.counts["fail"] == sum(kind is VerdictKind.FAIL for kind in told.values())
    assert {(one.profile, one.edition) for one in judgement.verdicts} == set(NODES[node])
