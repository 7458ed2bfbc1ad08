"""The kill matrix beside the profiles of Annex B: syslog by A.6, and IHE ATNA, for servers and clients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.pki.campaign import Names
from harness.record.models import VerdictKind
from reference_impl.faults.beside import faults_beside
from reference_impl.transport.beside import BESIDE, EDITIONS
from tests.faults.bench import Bench
from tests.faults.expectations import compared, expected, selected, told, turned
from tests.faults.observe import Run, run_node
from tests.faults.observe_client import NAME, run_client
from tests.faults.side_by_side import SideBySide

SERVER, CLIENT = "tls-server", "tls-client"
PROFILES = [(role, profile) for role in (SERVER, CLIENT) for profile in EDITIONS]
ROWS = [
    (role, profile, fault)
    for role in (SERVER, CLIENT)
    for profile, turns in faults_beside(role).items()
    for fault in turns
]
UNABLE_TO_FAIL = {
    # Abilities that a site may leave unused, or whose lack does not show: pass or inconclusive.
    "IHE-3.19.6.2.3-server-restricted-to-tls-1.2",
    "IHE-3.19.6.2.3-client-restricted-to-tls-1.2",
    "IHE-3.19.6.1-server-validates-by-authority",
    "IHE-3.19.6.1-client-validates-by-authority",
}
Key = tuple[str, str, str]
"""Role, profile and fault ("" for none)."""
_SILENT = 12  # syslog servers do not answer: runs at them do little but wait whether a connection is kept


class Runs:
    """Runs by role, profile and fault ("" for none), each once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._benches = {
            SERVER: Bench(directory / "campaign"),
            CLIENT: Bench(directory / "campaign-of-clients", Names(dns_names=(NAME,))),
        }
        self._runs: SideBySide[Key, Run] = SideBySide(self._run, _wanted)
        self._silent: SideBySide[Key, Run] = SideBySide(self._run, _wanted, at_once=_SILENT)

    def __call__(self, role: str, profile: str, fault: str) -> Run:
        return self._of(role, profile)[role, profile, fault]

    def begin(self, tests: Iterable[dict[str, Any]]) -> None:
        """Begin in the background with what `tests`, told by their parameters, will ask for."""
        for parameters in tests:
            self._of(str(parameters["role"]), str(parameters["profile"])).begin([parameters])

    def _of(self, role: str, profile: str) -> SideBySide[Key, Run]:
        return self._silent if role == SERVER and BESIDE[profile][0] == "syslog-tls" else self._runs

    def _run(self, key: Key) -> Run:
        role, profile, fault = key
        folder = self._directory / role / profile / (fault or "untouched")
        faults, protocol, claims = filter(None, [fault]), BESIDE[profile][0], ((profile, EDITIONS[profile]),)
        if role == SERVER:
            return run_node(folder, self._benches[role], *faults, protocol=protocol, served=profile, claims=claims)
        return run_client(folder, self._benches[role], *faults, protocol=protocol, kept=(profile, ""), claims=claims)

    def close(self) -> None:
        """Give up what has not begun, and wait for the rest."""
        self._runs.close()
        self._silent.close()
        for bench in self._benches.values():
            bench.close()


def _wanted(parameters: dict[str, Any]) -> list[Key]:
    role, profile = str(parameters["role"]), str(parameters["profile"])
    return list(dict.fromkeys([(role, profile, ""), (role, profile, str(parameters.get("fault", "")))]))


@pytest.fixture(scope="session")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """All runs."""
    made = Runs(tmp_path_factory.mktemp("beside"))
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize(("role", "profile"), PROFILES)
def test_untouched_one_passes_everything(beside: Runs, role: str, profile: str) -> None:
    verdicts = beside(role, profile, "").of(profile)
    bound = selected(profile, BESIDE[profile][0], role, EDITIONS[profile])
    assert verdicts.keys() == {one.id for one in bound if one.judged != "not-testable"}
    assert {name: one.reason for name, one in verdicts.items() if one.verdict is not VerdictKind.PASS} == {}


@pytest.mark.parametrize(("role", "profile", "fault"), ROWS)
def test_fault_turns_exactly_what_it_says(beside: Runs, role: str, profile: str, fault: str) -> None:
    untouched, run = beside(role, profile, ""), beside(role, profile, fault)
    stated = expected(profile, faults_beside(role)[profile][fault], {}, untouched)
    differences = compared(stated, turned(profile, run, untouched), untouched.kinds(profile))
    assert not differences, "\n" + told(differences, profile, run)


@pytest.mark.parametrize(("role", "profile"), PROFILES)
def test_every_automatic_requirement_is_turned_by_a_fault(role: str, profile: str) -> None:
    bound = selected(profile, BESIDE[profile][0], role, EDITIONS[profile])
    automatic = {one.id: one.level for one in bound if one.judged == "automatically"}
    turns = [each for of in faults_beside(role)[profile].values() for each in of.items()]
    assert {name for name, _ in turns} == set(automatic)
    for name, verdict in turns:
        assert verdict not in {"fail", "warning"} or verdict == ("fail" if automatic[name] == "shall" else "warning")
    broken = {name for name, verdict in turns if verdict in {"fail", "warning"}}
    assert set(automatic) - broken == UNABLE_TO_FAIL & set(automatic)
