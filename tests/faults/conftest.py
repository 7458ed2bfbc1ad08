"""The runs of the kill matrix: each fault once a session, several side by side (they mostly wait)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from fixtures.pki.campaign import Campaign, Names
from reference_impl.faults import load_faults
from tests.faults.observe import Run, run_node
from tests.faults.observe_client import NAME, run_client

_SIDE_BY_SIDE = 3
UNTOUCHED = {
    ("tls-server", "dicom-tls"): "",
    ("tls-server", "https"): "untouched-https",
    ("tls-client", "dicom-tls"): "untouched-client",
    ("tls-client", "https"): "untouched-client-https",
}
"""What stands for the fault where there is none, by role and protocol."""


class Runs:
    """Runs by fault (`UNTOUCHED` for none), started on demand, each once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._campaigns = {
            "tls-server": Campaign.create(directory / "campaign"),
            "tls-client": Campaign.create(directory / "campaign-of-clients", names=Names(dns_names=(NAME,))),
        }
        self._executor = ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="kill-matrix")
        self._futures: dict[str, Future[Run]] = {}

    def start(self, faults: Iterable[str]) -> None:
        """Begin with `faults` in the background, in this order."""
        for fault in faults:
            if fault not in self._futures:
                names = () if fault in UNTOUCHED.values() else (fault,)
                folder = self._directory / (fault or "untouched")
                role, protocol = kind_of(fault)
                run = run_client if role == "tls-client" else run_node
                self._futures[fault] = self._executor.submit(
                    run, folder, self._campaigns[role], *names, protocol=protocol
                )

    def __getitem__(self, fault: str) -> Run:
        self.start([fault])
        return self._futures[fault].result(timeout=240)

    def close(self) -> None:
        """Give up what has not begun, and wait for the rest."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def matrix(self) -> dict[str, dict[str, dict[str, str]]]:
        """What each finished run turned: fault, profile, requirement, verdict."""
        finished = {name: one.result() for name, one in self._futures.items() if one.done() and not one.exception()}
        return {
            name or "untouched": {
                profile: {key: kind.value for key, kind in run.kinds(profile).items() if kind.value != "pass"}
                for profile in ("B.12", "B.13")
            }
            for name, run in finished.items()
        }


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """All runs; what the selected tests will ask for is started at once."""
    made = Runs(tmp_path_factory.mktemp("faults"))
    faults = [fault for item in request.session.items if (fault := _fault_of(item))]
    made.start([*sorted({UNTOUCHED[kind_of(fault)] for fault in faults}), *faults])
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


def _fault_of(item: pytest.Item) -> str:
    """The fault, or the name of an untouched one, that a selected test will ask a run for."""
    callspec = getattr(item, "callspec", None)
    if callspec is None or "runs" not in getattr(item, "fixturenames", ()):
        return ""
    kind = callspec.params.get("role"), callspec.params.get("protocol")
    return str(callspec.params.get("fault", "")) or UNTOUCHED.get(kind, "")
