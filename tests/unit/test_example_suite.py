"""The suite that the documentation shows works as shown, and can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.record import VerdictKind
from tests.unit import tls_observations
from tests.unit.judging_bench import judged, own

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "example-suite"


@pytest.mark.parametrize(
    ("subject", "verdict"),
    [("CN=pacs,O=PS315 Test", VerdictKind.PASS), ("CN=pacs,O=somebody", VerdictKind.FAIL)],
)
def test_example_suite_judges(subject: str, verdict: VerdictKind) -> None:
    facts = tls_observations.conforming()
    facts["tls.certificates"] = tls_observations.changed(
        facts["tls.certificates"], {"chains": (tls_observations.chain("rsa", subject=subject),)}
    )
    found = own(judged(EXAMPLE, tls_observations.observations(facts)))
    assert {name: one.verdict for name, one in found.items()} == {"ACME-certificate-organisation": verdict}


def test_example_suite_is_inconclusive_without_facts() -> None:
    found = own(judged(EXAMPLE, tls_observations.observations({"tls.certificates": None})))
    assert found["ACME-certificate-organisation"].verdict is VerdictKind.INCONCLUSIVE
