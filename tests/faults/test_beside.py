"""The kill matrix beside the profiles of Annex B: syslog receivers by A.6, and servers by IHE ATNA."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from fixtures.pki.campaign import Campaign
from harness.record.models import VerdictKind
from reference_impl.faults_beside import faults_beside
from reference_impl.node import BESIDE
from tests.faults.expectations import compared, expected, selected, told, turned
from tests.faults.observe import ROLE, Run, run_node

EDITIONS = {"A.6": "2026c", "IHE-STX-TLS-1.2-Floor": "ITI-20.0", "IHE-FQDN": "ITI-20.0"}
ROWS = [(profile, fault) for profile, turns in faults_beside().items() for fault in turns]
_SIDE_BY_SIDE = 3


class Runs:
    """Runs by profile and fault ("" for none), each once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._campaign = Campaign.create(directory / "campaign")
        self._executor = ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="kill-matrix")
        self._futures: dict[tuple[str, str], Future[Run]] = {}

    def __call__(self, profile: str, fault: str) -> Run:
        self.start(profile, fault)
        return self._futures[profile, fault].result(timeout=240)

    def start(self, profile: str, fault: str) -> None:
        """Begin in the background."""
        if (profile, fault) not in self._futures:
            self._futures[profile, fault] = self._executor.submit(
                run_node,
                self._directory / profile / (fault or "untouched"),
                self._campaign,
                *filter(None, [fault]),
                protocol=BESIDE[profile][0],
                served=profile,
                claims=((profile, EDITIONS[profile]),),
            )

    def close(self) -> None:
        """Give up what has not begun, and wait for the rest."""
        self._executor.shutdown(wait=True, cancel_futures=True)


@pytest.fixture(scope="module")
def beside(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """All runs; what the selected tests will ask for is started at once."""
    made = Runs(tmp_path_factory.mktemp("beside"))
    wanted = [
        (str(item.callspec.params["profile"]), str(item.callspec.params.get("fault", "")))
        for item in request.session.items
        if isinstance(item, pytest.Function) and "beside" in item.fixturenames and hasattr(item, "callspec")
    ]
    for profile, fault in dict.fromkeys([*((profile, "") for profile, _ in wanted), *wanted]):
        made.start(profile, fault)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("profile", EDITIONS)
def test_untouched_node_passes_everything(beside: Runs, profile: str) -> None:
    verdicts = beside(profile, "").of(profile)
    bound = selected(profile, BESIDE[profile][0], ROLE, EDITIONS[profile])
    assert verdicts.keys() == {one.id for one in bound if one.judged != "not-testable"}
    assert {name: one.reason for name, one in verdicts.items() if one.verdict is not VerdictKind.PASS} == {}


@pytest.mark.parametrize(("profile", "fault"), ROWS)
def test_fault_turns_exactly_what_it_says(beside: Runs, profile: str, fault: str) -> None:
    untouched, run = beside(profile, ""), beside(profile, fault)
    stated = expected(profile, faults_beside()[profile][fault], {}, untouched)
    differences = compared(stated, turned(profile, run, untouched), untouched.kinds(profile))
    assert not differences, "\n" + told(differences, profile, run)


@pytest.mark.parametrize("profile", EDITIONS)
def test_every_automatic_requirement_is_turned_by_a_fault(profile: str) -> None:
    bound = selected(profile, BESIDE[profile][0], ROLE, EDITIONS[profile])
    automatic = {one.id: one.level for one in bound if one.judged == "automatically"}
    turns = [each for of in faults_beside()[profile].values() for each in of.items()]
    assert {name for name, _ in turns} == set(automatic)
    for name, verdict in turns:
        assert verdict not in {"fail", "warning"} or verdict == ("fail" if automatic[name] == "shall" else "warning")
    never_broken = set(automatic) - {name for name, verdict in turns if verdict in {"fail", "warning"}}
    assert never_broken == UNABLE_TO_FAIL.get(profile, set())


UNABLE_TO_FAIL = {
    # An ability that a site may leave unused, or whose lack does not show: pass or inconclusive.
    "IHE-STX-TLS-1.2-Floor": {
        "IHE-3.19.6.2.3-server-restricted-to-tls-1.2",
        "IHE-3.19.6.1-server-validates-by-authority",
    }
}
