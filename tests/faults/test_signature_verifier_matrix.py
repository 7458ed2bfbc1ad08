"""The kill matrix of verifiers of signatures: each fault turns exactly what its table says."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from fixtures.signatures import SIGNED_CASES, SignedObjects
from harness.drivers.base import Action, Stimulus
from harness.observations.clients import DriverOutcome
from harness.record.models import VerdictKind
from reference_impl.faults.objects import faults_of_objects, texts_of_objects
from reference_impl.signatures.policy import Policy
from reference_impl.signatures.results import FileResult
from reference_impl.signatures.verifier import verify_file
from reference_impl.signatures.verifying_node import VerifyingNode
from tests.faults.bench import Bench
from tests.faults.signature_bench import UNTOUCHED, Examination, Tried, automatic, stated_of

pytestmark = pytest.mark.xdist_group("verifiers of signatures")  # one process makes all runs at once

ROLE = "signature-verifier"
PROFILES = ("C.1", "C.2", "C.3", "A.2")
WITH_FAULT = ("C.2",)
"""What a faulty verifier claims: all that the other profiles ask is asked there, too."""
FAULTS = tuple(texts_of_objects(ROLE))
SLOW = frozenset({"malformed/many-signatures"})
"""Shown to the untouched verifier alone: each of 10,000 signatures is looked at."""


class Verifiers:
    """Verifiers with each fault, shown every object of which they may say something else than the untouched one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bench = Bench(folder / "campaign")
        self._pki = self._bench.campaign.pki
        (folder / "cases").mkdir()
        self._objects = SignedObjects(folder / "cases", self._pki)
        self._results: dict[Policy, dict[str, FileResult]] = {}

    def node(self, *faults: str) -> VerifyingNode:
        anchor = self._pki.issue("ca").certificate.public_bytes(Encoding.DER)
        crl = self._pki.revocation_list()
        return VerifyingNode((anchor,), (crl,), faults, lambda name: SIGNED_CASES[name].rule)

    @cached_property
    def examination(self) -> Examination:
        tried = {UNTOUCHED: Tried(acting(self.node()), PROFILES, tuple(SIGNED_CASES))}
        before = self._answers(self.node())
        for fault in FAULTS:
            node = self.node(fault)
            select = tuple(name for name, said in self._answers(node).items() if said != before[name])
            tried[fault] = Tried(acting(node), WITH_FAULT, select or tuple(before)[:1])
        return Examination(self._folder, ROLE, tried, bench=self._bench)

    def _answers(self, node: VerifyingNode) -> dict[str, str]:
        if node.policy not in self._results:
            self._results[node.policy] = {
                name: verify_file(self._objects.file(name), node.policy) for name in SIGNED_CASES if name not in SLOW
            }
        return {name: node.conclude(result, name) for name, result in self._results[node.policy].items()}

    def close(self) -> None:
        self._bench.close()


def acting(node: VerifyingNode) -> Action:
    """What shows an object to the verifier within this process."""

    def act(stimulus: Stimulus) -> DriverOutcome:
        assert stimulus.input is not None
        return DriverOutcome(kind="embedded", output=node.answer(stimulus.input, stimulus.object))

    return act


@pytest.fixture(scope="module")
def verifiers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Verifiers]:
    """All of them."""
    made = Verifiers(tmp_path_factory.mktemp("verifiers"))
    try:
        yield made
    finally:
        made.close()


def test_the_untouched_verifier_passes_everything(verifiers: Verifiers) -> None:
    verdicts = verifiers.examination.verdicts(UNTOUCHED)
    assert {key[0] for key in verdicts} == set(PROFILES)
    for profile in PROFILES:
        assert automatic(profile, ROLE).keys() <= {name for of, name in verdicts if of == profile}
    assert {key: one.reason for key, one in verdicts.items() if one.verdict is not VerdictKind.PASS} == {}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_turns_exactly_what_its_table_says(verifiers: Verifiers, fault: str) -> None:
    assert not (different := verifiers.examination.differences(fault, stated_of(fault, ROLE))), "\n".join(different)


def test_every_automatic_requirement_is_turned_by_a_fault_as_its_level_says() -> None:
    known = {name: one for profile in PROFILES for name, one in automatic(profile, ROLE).items()}
    turned = [each for rows in faults_of_objects(ROLE).values() for row in rows.values() for each in row.items()]
    for name, verdict in turned:
        assert verdict not in {"fail", "warning"} or verdict == ("fail" if known[name].level == "shall" else "warning")
    assert known.keys() == {name for name, verdict in turned if verdict in {"fail", "warning"}}
