"""The kill matrix of creators of signatures: each fault turns exactly what its table says, by the profile kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from fixtures.instances import INSTANCES, write_instance
from harness.drivers.base import Action, Stimulus
from harness.record.models import VerdictKind
from reference_impl.faults.objects import faults_of_objects, texts_of_objects
from reference_impl.signatures.policy import Policy
from reference_impl.signatures.results import FileResult
from reference_impl.signatures.signing_node import SigningNode
from reference_impl.signatures.verifier import verify_file
from tests.faults.bench import Bench
from tests.faults.signature_bench import UNTOUCHED, Examination, Tried, automatic, stated_of

pytestmark = pytest.mark.xdist_group("creators of signatures")  # one process makes all runs of one profile at once

ROLE = "signature-creator"
FAULTS = faults_of_objects(ROLE)
CLAIMS = {"C.1": ("C.1",), "C.2": ("C.2",), "C.3": ("C.3",), "C.4": ("C.4", "A.4")}
"""What is claimed of a node by the profile that it keeps."""
ROWS = [(profile, fault) for profile in CLAIMS for fault in FAULTS[profile]]
_DOCUMENTS = ("sr-unverified", "sr-verified", "sr-partial", "kos")
SIGNED = {
    "C.1": (
        *("ct", "us-multiframe-jpeg", "odd-nested", "odd-group-lengths", "odd-unknown-vr", "odd-trailing-padding"),
        *("odd-padding", "sr-verified"),
    ),
    "C.2": tuple(INSTANCES),
    "C.3": tuple(INSTANCES),
    "C.4": _DOCUMENTS,
}
"""The instances that a node is handed: with all that the profile has rules for."""
FAULTY_ONLY = {"C.4": ("sr-two-observers",)}
"""Instances that a node without faults refuses."""
ALIKE = (
    *("signs-without-value-lengths", "omits-signature-fields", "lists-in-wrong-order", "lists-signatures"),
    *("encodes-date-as-text", "states-implicit-vr", "dates-without-offset", "pads-by-pss", "certificate-names-nobody"),
    *("states-another-certificate-type", "signs-with-expired-certificate", "signs-with-tls-certificate"),
)
"""Faults against C.1 and PS3.3 that are tried under the other profiles, too: what they break is broken there alike."""
TRIED_ON = {"C.2": ("ct",), "C.3": ("ct",), "C.4": ("kos",)}
NOT_SIGNED_SO = {
    # Conditions that a node meets only where it keeps C.1: it has no reason to do so under the others.
    "C.1-timestamp-type",
    "C.1-timestamp-rfc3161",
    "PS3.3-C.12.1.1.3-timestamp-type-present",
    "PS3.3-C.12.1.1.3.1.3-timestamp-of-this-signature",
    "PS3.3-C.12.1.1.3-one-purpose",
    "PS3.3-C.12.1.1.3.1.1-group-lengths-left-out",
    "PS3.3-C.12.1.1.3.1.1-nested-signatures-left-out",
    "PS3.3-C.12.1.1.3.1.1-fragments-like-items",
}


class Creators:
    """By profile, creators with each fault, handed every instance that they sign otherwise than the untouched one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bench = Bench(folder / "campaign")
        instances = folder / "instances"
        instances.mkdir()
        paths = {name: write_instance(name, instances / f"{name}.dcm") for name in INSTANCES}
        self._seen = {name: verify_file(path, Policy(variants=False)) for name, path in paths.items()}
        self._by_uid = {self._seen[name].sop_instance: path for name, path in paths.items()}
        self._examinations: dict[str, Examination] = {}

    def node(self, profile: str, *faults: str) -> SigningNode:
        return SigningNode(profile, faults, self._bench.campaign.pki, self._by_uid.get)

    def examination(self, profile: str) -> Examination:
        if profile not in self._examinations:
            folder = self._folder / profile
            folder.mkdir()
            self._examinations[profile] = Examination(folder, ROLE, self._tried(profile), bench=self._bench)
        return self._examinations[profile]

    def _tried(self, profile: str) -> Mapping[str, Tried]:
        untouched = self.node(profile)
        tried = {UNTOUCHED: Tried(acting(untouched), CLAIMS[profile], SIGNED[profile])}
        for fault in FAULTS[profile]:
            node = self.node(profile, fault)
            names = (*SIGNED[profile], *FAULTY_ONLY.get(profile, ()))
            select = tuple(name for name in names if self._differs(node, untouched, self._seen[name]))
            assert select, f"{fault} does nothing under {profile}"
            tried[fault] = Tried(acting(node), CLAIMS[profile], select)
        for fault in ALIKE if profile in TRIED_ON else ():
            tried[fault] = Tried(acting(self.node(profile, fault)), CLAIMS[profile], TRIED_ON[profile])
        return tried

    @staticmethod
    def _differs(node: SigningNode, untouched: SigningNode, instance: FileResult) -> bool:
        return node.plan(instance) != untouched.plan(instance)

    def close(self) -> None:
        self._bench.close()


def acting(node: SigningNode) -> Action:
    """What makes the creator within this process sign."""

    def act(stimulus: Stimulus) -> None:
        assert stimulus.input is not None and stimulus.output is not None
        node.sign(stimulus.input, stimulus.output)

    return act


@pytest.fixture(scope="module")
def creators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Creators]:
    """All of them."""
    made = Creators(tmp_path_factory.mktemp("creators"))
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("kept", CLAIMS)
def test_the_untouched_creator_passes_everything(creators: Creators, kept: str) -> None:
    verdicts = creators.examination(kept).verdicts(UNTOUCHED)
    for profile in CLAIMS[kept]:
        judged = {name: one for (of, name), one in verdicts.items() if of == profile}
        assert automatic(profile, ROLE).keys() <= judged.keys()
        others = {name: one.reason for name, one in judged.items() if one.verdict is not VerdictKind.PASS}
        assert others.keys() <= (NOT_SIGNED_SO if kept != "C.1" else set()), others
        kinds = {one.verdict for one in judged.values()}
        assert kinds <= {VerdictKind.PASS, VerdictKind.NOT_APPLICABLE}, others


@pytest.mark.parametrize(("kept", "fault"), ROWS)
def test_each_fault_turns_exactly_what_its_table_says(creators: Creators, kept: str, fault: str) -> None:
    different = creators.examination(kept).differences(fault, stated_of(fault, ROLE, kept))
    assert not different, "\n".join(different)


@pytest.mark.parametrize(("kept", "fault"), [(kept, fault) for kept in TRIED_ON for fault in ALIKE])
def test_faults_against_the_base_profile_turn_the_same_under_the_others(
    creators: Creators, kept: str, fault: str
) -> None:
    different = creators.examination(kept).differences(fault, stated_of(fault, ROLE, "C.1"))
    assert not different, "\n".join(different)


@pytest.mark.parametrize("kept", CLAIMS)
def test_every_automatic_requirement_is_turned_by_a_fault_as_its_level_says(kept: str) -> None:
    known = {name: one for profile in CLAIMS[kept] for name, one in automatic(profile, ROLE).items()}
    turned = [each for of in {"C.1", kept} for row in FAULTS[of].values() for each in row.items()]
    for name, verdict in turned:
        assert verdict not in {"fail", "warning"} or verdict == ("fail" if known[name].level == "shall" else "warning")
    assert known.keys() <= {name for name, verdict in turned if verdict in {"fail", "warning"}}


def test_every_fault_has_a_row_and_a_text() -> None:
    texts = texts_of_objects(ROLE)
    assert texts.keys() == {fault for rows in FAULTS.values() for fault in rows}
    assert all(text.endswith(".") for text in texts.values())
