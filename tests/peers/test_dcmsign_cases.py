"""dcmsign's verdict on every crafted object: ours, or the table says which clause decides."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fixtures.signatures import SIGNED_CASES
from tests.peers.dcmsign import require_dcmsign
from tests.unit.signed_cases_bench import CaseBench, contradicts

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> CaseBench:
    return CaseBench(tmp_path_factory.mktemp("cases"))


@pytest.mark.parametrize("name", list(SIGNED_CASES))
def test_dcmsign_agrees_or_the_table_says_why_not(name: str, bench: CaseBench) -> None:
    require_dcmsign()
    case = SIGNED_CASES[name]
    command: list[str | Path] = ["dcmsign", "+cf", bench.anchors_file, "+cr", bench.crl_file, "+rg"]
    done = subprocess.run([*command, bench.objects.file(name)], capture_output=True, timeout=60, check=False)
    valid = done.returncode == 0
    assert contradicts(name, valid) == bool(case.dcmsign), done.stderr.decode(errors="replace")
    if case.dcmsign:
        expected = {"Valid": 0, "Invalid": 101, "Cannot be judged": 101}[case.dcmsign.partition(":")[0]]
        assert done.returncode == expected
