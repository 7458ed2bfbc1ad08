"""The runs of the kill matrices: each fault once a session, several side by side (they mostly wait).

Tests whose runs are started together stay together: processes that share the tests among themselves share the runs too.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from fixtures.pki.campaign import Names
from reference_impl.faults import load_faults
from tests.faults.bench import Bench
from tests.faults.observe import Run, run_node
from tests.faults.observe_client import NAME, run_client
from tests.faults.side_by_side import SideBySide

UNTOUCHED = {
    ("tls-server", "dicom-tls"): "",
    ("tls-server", "https"): "untouched-https",
    ("tls-client", "dicom-tls"): "untouched-client",
    ("tls-client", "https"): "untouched-client-https",
}
"""What stands for the fault where there is none, by role and protocol."""
MATRICES = ("runs", "nodes", "clients", "beside")
"""The fixtures that make runs, one for each matrix."""
_TOGETHER = 16  # tests: few enough to be shared out, many enough that the untouched runs they all need do not count
_GROUP, _BEGUN = pytest.StashKey[str](), pytest.StashKey[set[str]]()
_NEXT = pytest.StashKey[pytest.Item | None]()


class Matrix(Protocol):
    """What the fixtures of `MATRICES` are."""

    def begin(self, tests: Iterable[dict[str, Any]]) -> None:
        """Begin in the background with what `tests`, told by their parameters, will ask for."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put tests of one matrix that follow one another in groups."""
    counted: Counter[str] = Counter()
    for item in items:
        matrix = _matrix_of(item)
        if matrix:
            item.stash[_GROUP] = f"{matrix} {counted[matrix] // _TOGETHER}"
            counted[matrix] += 1
            item.add_marker(pytest.mark.xdist_group(item.stash[_GROUP]))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Remember what this process is to run next."""
    item.session.stash[_NEXT] = nextitem


@pytest.fixture(autouse=True)
def _begun(request: pytest.FixtureRequest) -> None:
    """Before the first test of a group, begin with everything that the group will ask for.

    Before the last one, begin with the next group of the matrix: nobody idles while the last runs of a group end.
    """
    if not (matrix := _matrix_of(request.node)):
        return
    made: Matrix = request.getfixturevalue(matrix)
    begun = request.session.stash.setdefault(_BEGUN, set())
    for item in (request.node, request.session.stash[_NEXT]):
        group = item.stash.get(_GROUP, "") if item is not None and _matrix_of(item) == matrix else ""
        if group and group not in begun:
            begun.add(group)
            together = [one for one in request.session.items if one.stash.get(_GROUP, "") == group]
            made.begin(one.callspec.params for one in together if isinstance(one, pytest.Function))


def _matrix_of(item: pytest.Item) -> str:
    """The fixture of `MATRICES` that a test with parameters asks for, else empty."""
    if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
        return ""
    return next((name for name in MATRICES if name in item.fixturenames), "")


class Runs:
    """Runs by fault (`UNTOUCHED` for none), started on demand, each once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._benches = {
            "tls-server": Bench(directory / "campaign"),
            "tls-client": Bench(directory / "campaign-of-clients", Names(dns_names=(NAME,))),
        }
        self._runs: SideBySide[str, Run] = SideBySide(self._run, _wanted)
        self.begin = self._runs.begin

    def __getitem__(self, fault: str) -> Run:
        return self._runs[fault]

    def _run(self, fault: str) -> Run:
        names = () if fault in UNTOUCHED.values() else (fault,)
        role, protocol = kind_of(fault)
        run = run_client if role == "tls-client" else run_node
        return run(self._directory / (fault or "untouched"), self._benches[role], *names, protocol=protocol)

    def close(self) -> None:
        """Give up what has not begun, and wait for the rest."""
        self._runs.close()
        for bench in self._benches.values():
            bench.close()

    def matrix(self) -> dict[str, dict[str, dict[str, str]]]:
        """What each finished run turned: fault, profile, requirement, verdict."""
        return {
            name or "untouched": {
                profile: {key: kind.value for key, kind in run.kinds(profile).items() if kind.value != "pass"}
                for profile in ("B.12", "B.13")
            }
            for name, run in self._runs.finished().items()
        }


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """All runs of the profiles of today."""
    made = Runs(tmp_path_factory.mktemp("faults"))
    try:
        yield made
    finally:
        made.close()
        target = Path(os.environ.get("KILL_MATRIX_JSON") or tmp_path_factory.getbasetemp() / "kill-matrix.json")
        target.write_text(json.dumps(made.matrix(), indent=1, sort_keys=True), encoding="utf-8")


def kind_of(fault: str) -> tuple[str, str]:
    """Role and protocol of `fault`, or of one of `UNTOUCHED`."""
    kind = next((kind for kind, name in UNTOUCHED.items() if name == fault), None)
    if kind is not None:
        return kind
    found = load_faults(None)[fault]
    return found.role, found.protocol


def _wanted(parameters: dict[str, Any]) -> list[str]:
    """The fault, after the untouched run that it is held against, or that untouched run alone."""
    fault = str(parameters.get("fault", ""))
    kind = kind_of(fault) if fault else (parameters["role"], parameters["protocol"])
    return [UNTOUCHED[kind], *([fault] if fault else [])]
