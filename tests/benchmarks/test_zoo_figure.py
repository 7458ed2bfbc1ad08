"""How long the certificate zoo takes to be built, all cases of both roles; nothing about time is asserted."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.benchmarks.measuring import Command, in_turns, table

pytestmark = pytest.mark.benchmark

_GOAL = 5.0  # seconds
_BUILD = """
from fixtures.pki import Pki
from fixtures.pki.zoo import CASES, Zoo
zoo = Zoo(Pki.create(), revocation_url="http://127.0.0.1:1")
shown = [zoo.present(name, role) for role in ("server", "client") for name in CASES if CASES[name].treatment(role)]
assert len(shown) > 80, len(shown)
print(len(shown), "presentations")
"""


def test_building_the_whole_zoo(tmp_path: Path) -> None:
    """A process of its own, so that no key is there before; beside an interpreter that imports the builder alone."""
    measured = in_turns(
        {
            "building the zoo": Command([sys.executable, "-c", _BUILD], tmp_path),
            "importing the builder": Command([sys.executable, "-c", "import fixtures.pki.zoo"], tmp_path),
            "ps315 pki": Command([sys.executable, "-m", "harness", "pki", str(tmp_path / "set"), "--force"], tmp_path),
        }
    )
    print(table("the certificate zoo", measured, []))
    built = measured["building the zoo"].median
    print(f"  building the zoo: {built:.2f} s (goal: about {_GOAL:g} s) {'reached' if built <= _GOAL else 'MISSED'}")
