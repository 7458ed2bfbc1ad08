"""The kill matrix of clients that keep a retired profile or an older wording."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.pki.campaign import Names
from harness.record.models import VerdictKind
from reference_impl.faults.retired import NODES, retired_faults, served
from tests.faults.bench import Bench
from tests.faults.expectations import selected
from tests.faults.observe import Run
from tests.faults.observe_client import NAME, ROLE, run_client
from tests.faults.retired_expectations import CLAIMS, Kinds, assert_all_kept, assert_exact, assert_known, rows_of
from tests.faults.side_by_side import SideBySide

ROWS = rows_of(retired_faults(ROLE))


class Clients:
    """Runs of the clients, each once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._bench = Bench(directory / "campaign", Names(dns_names=(NAME,)))
        self.runs: SideBySide[tuple[str, str], Run] = SideBySide(self._run, _wanted)
        self.begin = self.runs.begin

    def run(self, node: str, fault: str = "") -> Run:
        """The client that keeps `node`, with `fault`."""
        return self.runs[node, fault]

    def _run(self, key: tuple[str, str]) -> Run:
        node, fault = key
        faults = [fault] if fault else []
        directory = self._directory / "-".join(key)
        return run_client(directory, self._bench, *faults, kept=served(node), claims=NODES[node])

    def kinds(self, node: str, fault: str = "") -> Kinds:
        """How each requirement ended that is no umbrella."""
        verdicts = self.run(node, fault).judgement.verdicts
        return {(one.profile, one.requirement): one.verdict for one in verdicts if not one.derived}

    def close(self) -> None:
        """Give up what has not begun, and wait for the rest."""
        self.runs.close()
        self._bench.close()


def _wanted(parameters: dict[str, Any]) -> list[tuple[str, str]]:
    if "name" not in parameters:
        return [(str(parameters["node"]), "")]
    row = ROWS[str(parameters["name"])]
    return [(row.node, ""), (row.node, row.id)]


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    """The clients."""
    made = Clients(tmp_path_factory.mktemp("retired-clients"))
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("node", NODES)
def test_an_untouched_client_conforms_to_what_it_keeps(clients: Clients, node: str) -> None:
    judgement = clients.run(node).judgement
    assert_all_kept(judgement, node, ROLE)
    assert [(one.profile, one.edition) for one in judgement.separations] == list(NODES[node])
    told = {one.requirement for separation in judgement.separations for one in separation.deviations}
    assert ("RFC9325-3.1.1-client-no-tls-1.0" if node == "B.3" else "RFC9325-4.1-client-no-dhe") in told


@pytest.mark.parametrize("name", ROWS)
def test_a_fault_turns_exactly_what_it_says(clients: Clients, name: str) -> None:
    row = ROWS[name]
    before, after = clients.kinds(row.node), clients.kinds(row.node, row.id)
    assert_exact(row, before, after, clients.run(row.node, row.id).judgement)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_names_known_requirements_with_their_level(name: str) -> None:
    assert_known(ROWS[name], ROLE)


@pytest.mark.parametrize(("node", "profile", "edition"), CLAIMS)
def test_every_automatic_requirement_of_a_retired_claim_has_a_fault(node: str, profile: str, edition: str) -> None:
    rows = [row for row in ROWS.values() if row.node == node]
    broken = {one for row in rows for of, one in row.breaks if of == profile}
    automatic = {one.id for one in selected(profile, "dicom-tls", ROLE, edition) if one.judged == "automatically"}
    # What the current wordings have too has its fault in the other matrix.
    automatic -= {one.id for current in ("B.12", "B.13") for one in selected(current, "dicom-tls", ROLE)}
    if node == "B.11":  # without TLS 1.3 there is no list of versions to name them in another order
        automatic -= {"RFC7525-3.1.1-client-prefers-tls-1.2"}
    if node == "B.13 2023b":  # RFC 7525 is the same there as at the client of B.10
        broken |= {one for row in ROWS.values() if row.node == "B.10" for _, one in row.breaks}
    assert automatic - broken == set()


def test_the_older_wording_counts_the_suites_of_either_list(clients: Clients) -> None:
    kinds = clients.kinds("B.13 2023b", "offers-no-listed-tls-1.2-suite")  # but one of the optional list
    assert kinds["B.13", "B.13-client-tls-1.2-suites"] is VerdictKind.PASS
