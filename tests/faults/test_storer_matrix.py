"""The kill matrix of storers: each fault of the reference archive turns exactly what its table says."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.record.models import VerdictKind
from reference_impl.faults.objects import faults_of_objects
from reference_impl.storage.faults import VARIATIONS
from tests.faults.bench import Bench
from tests.faults.expectations import compared, expected, selected, told, turned
from tests.faults.observe import Run
from tests.faults.observe_storer import ROLE, run_storer

pytestmark = pytest.mark.xdist_group("storers")  # they share their runs

PROFILES = ("A.2", "A.3")
FAULTS = faults_of_objects(ROLE)
ROWS = [(profile, fault) for profile, rows in FAULTS.items() for fault in rows]
UNTOUCHED_OTHERWISE = {"A.3": {"A.3-additions-alter-no-signature": VerdictKind.NOT_APPLICABLE}, "A.2": {}}
"""Where the untouched archive does nothing that a requirement is about."""


class Runs:
    """Runs by profile and fault ("" for none), each once."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.bench = Bench(directory / "campaign")
        self._runs: dict[tuple[str, str], Run] = {}

    def __call__(self, profile: str, fault: str) -> Run:
        key = (profile, fault)
        if key not in self._runs:
            folder = self.directory / profile / (fault or "untouched")
            self._runs[key] = run_storer(folder, self.bench, profile, *([fault] if fault else []))
        return self._runs[key]


@pytest.fixture(scope="module")
def storers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """All runs."""
    made = Runs(tmp_path_factory.mktemp("storers"))
    try:
        yield made
    finally:
        made.bench.close()


@pytest.mark.parametrize("profile", PROFILES)
def test_untouched_archive_passes_everything(storers: Runs, profile: str) -> None:
    run = storers(profile, "")
    verdicts = run.of(profile)
    bound = selected(profile, "dicom", ROLE)
    assert verdicts.keys() == {one.id for one in bound if one.judged != "not-testable"}
    others = {name: one.verdict for name, one in verdicts.items() if one.verdict is not VerdictKind.PASS}
    assert others == UNTOUCHED_OTHERWISE[profile], {name: verdicts[name].reason for name in others}


@pytest.mark.parametrize(("profile", "fault"), ROWS)
def test_fault_turns_exactly_what_it_says(storers: Runs, profile: str, fault: str) -> None:
    untouched, run = storers(profile, ""), storers(profile, fault)
    stated = expected(profile, FAULTS[profile][fault], {}, untouched)
    differences = compared(stated, turned(profile, run, untouched), untouched.kinds(profile))
    assert not differences, "\n" + told(differences, profile, run)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_automatic_requirement_is_turned_by_a_fault(profile: str) -> None:
    automatic = {one.id for one in selected(profile, "dicom", ROLE) if one.judged == "automatically"}
    broken = {name for rows in FAULTS[profile].values() for name, verdict in rows.items() if verdict == "fail"}
    assert broken == automatic


@pytest.mark.parametrize("name", VARIATIONS)
def test_what_is_allowed_breaks_nothing(storers: Runs, name: str) -> None:
    kinds = storers("A.3", name).kinds("A.3")
    assert {one for one in kinds.values() if one is not VerdictKind.PASS} <= {VerdictKind.NOT_APPLICABLE}


@pytest.mark.parametrize("way", ["c-move", "folder", "wado-rs"])
def test_the_same_is_found_whichever_way_instances_come_back(storers: Runs, way: str) -> None:
    objects: dict[str, object] = {"retrieve": way}
    folder = storers.directory / way
    if way == "c-move":
        objects |= {"destination": "PS315-HARNESS", "port": _free_port()}
    if way == "folder":
        objects |= {"folder": "stored"}
    protocol = "http" if way == "wado-rs" else "dicom"
    run = run_storer(folder, storers.bench, "A.3", "rewrites-numbers", protocol=protocol, objects=objects)
    kinds = run.kinds("A.3")
    assert kinds["A.3-values-bit-for-bit"] is VerdictKind.FAIL
    others = {name for name, kind in kinds.items() if kind in {VerdictKind.FAIL, VerdictKind.INCONCLUSIVE}}
    assert others == {"A.3-values-bit-for-bit", "A.3-rules"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
