"""Crafted signed objects: the table, how they are made, and that they tell careless verifiers from careful ones."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fixtures.instances import INSTANCES, write_instance
from fixtures.pki.pki import Pki
from fixtures.signatures import NEEDS, RULES, SIGNED_CASES, SignedObjects
from fixtures.signatures.recipes import RECIPES
from fixtures.signatures.tree import Tree
from reference_impl.signatures.mac import VARIANTS
from reference_impl.signatures.reader import DEFLATED, UnreadableError, open_dicom
from reference_impl.signatures.verifier import Policy, Skip, verify_file
from tests.unit.signed_cases_bench import CaseBench, contradicts

_DEMANDED = (
    "mac/ripemd160", "mac/md5", "mac/sha1", "mac/sha256", "mac/sha384", "mac/sha512", "syntax/native",
    "syntax/deflated", "syntax/rle", "syntax/fragments", "value/pixels-first-octet", "value/pixels-last-octet",
    "value/nested",
    "value/private", "value/padding", "removed/element", "added/nested", "unsigned/added", "order/items-swapped",
    "vr/text", "field/uid", "other/instance", "mac-id/swapped", "coverage/emptied", "certificate/expired",
    "certificate/untrusted", "certificate/revoked", "certificate/short-key", "certificate/usage-other",
    "timestamp/of-other-signature", "implicit/private", "duplicate/same", "malformed/cut-in-pixels",
    "malformed/sequence-without-end", "incomplete/no-parameters", "incomplete/certificate-noise",
    "malformed/many-signatures", "malformed/deep-nesting", "malformed/length-beyond-file",
)  # fmt: skip


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> CaseBench:
    return CaseBench(tmp_path_factory.mktemp("cases"))


def test_the_table_is_whole() -> None:
    assert len(SIGNED_CASES) >= 80
    assert set(SIGNED_CASES) == set(RECIPES)
    assert {case.rule for case in SIGNED_CASES.values()} == set(RULES)
    assert set(_DEMANDED) <= set(SIGNED_CASES)


@pytest.mark.parametrize("name", list(SIGNED_CASES))
def test_a_row_says_what_it_should(name: str) -> None:
    case = SIGNED_CASES[name]
    assert case.treatment in {"valid", "not-valid", "either"}
    assert case.text.endswith(".") and case.text[0].isupper()
    assert case.treatment != "either" or case.because, "why either is right"
    assert (case.document, case.section[:2]) in {("PS3.3", "C."), ("PS3.15", "C.")}
    assert case.needs <= set(NEEDS)
    policy = case.rule.startswith("certificate-") or case.rule == "timestamp"
    assert case.level == ("should" if policy else "shall"), "certificates are the policy of a site"


def test_every_rule_that_can_has_good_and_bad_objects() -> None:
    seen = Counter((case.rule, case.treatment) for case in SIGNED_CASES.values())
    assert all(seen[rule, "valid"] or seen[rule, "not-valid"] for rule in RULES)
    assert seen["several-signatures", "valid"] and seen["several-signatures", "not-valid"]
    assert seen["timestamp", "valid"] and seen["timestamp", "not-valid"]


@pytest.mark.parametrize("name", list(SIGNED_CASES))
def test_our_verifier_does_what_the_clause_asks(name: str, bench: CaseBench) -> None:
    answer = bench.answer(name)
    assert not contradicts(name, answer == "valid"), answer


_OF_POLICY = ("certificate-expired", "certificate-not", "certificate-untrusted", "certificate-revoked", "timestamp")


@pytest.mark.parametrize("name", [name for name in SIGNED_CASES if not name.startswith(("certificate", "timestamp"))])
def test_nothing_but_what_a_case_is_about_speaks_against_it(name: str, bench: CaseBench) -> None:
    result = verify_file(bench.objects.file(name), Policy(trust=bench.trust))
    reasons = [reason for signature in result.signatures for reason in signature.reasons]
    assert not [reason for reason in reasons if reason.code.startswith(_OF_POLICY)]
    if name.startswith(("value", "removed", "added", "order", "vr", "other", "wrong-mac", "signature")):
        assert {reason.code for reason in reasons} <= _OF_MAC


_OF_MAC = {
    "mac-differs", "mac-variant", "element-added", "element-unlisted", "value-not-by-key", "digest-info",
    "outside-profile",
}  # fmt: skip


@pytest.mark.parametrize("skip", list(Skip))
def test_a_verifier_that_leaves_something_out_is_found_out(skip: Skip, bench: CaseBench) -> None:
    careless = Policy(trust=bench.trust, skip=frozenset({skip}))
    assert any(contradicts(name, bench.answer(name, careless) == "valid") for name in SIGNED_CASES)


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_a_verifier_that_forms_macs_in_a_wrong_way_is_found_out(variant: str, bench: CaseBench) -> None:
    wrong = Policy(trust=bench.trust, mac_variant=variant, variants=False)
    said = {
        name: bench.answer(name, wrong) == "valid" for name in SIGNED_CASES if name.startswith(("wrong", "el", "sy"))
    }
    assert said[f"wrong-mac/{variant}"], "it takes its own way for right"
    assert contradicts(f"wrong-mac/{variant}", valid=True)


def test_objects_are_small_and_each_its_own(bench: CaseBench) -> None:
    uids = []
    for name in SIGNED_CASES:
        path = bench.objects.file(name)
        assert path.stat().st_size < 1 << 19
        try:
            with open_dicom(path) as file:
                uids.append(file.sop_instance)
        except UnreadableError:
            assert SIGNED_CASES[name].treatment != "valid"
    assert len(uids) > 200
    assert [uid for uid, times in Counter(uids).items() if times > 1] == []


def test_an_object_is_made_when_it_is_first_asked_for_and_once(tmp_path: Path) -> None:
    objects = SignedObjects(tmp_path / "objects", Pki.create(tmp_path / "pki"))
    assert not (tmp_path / "objects").exists()
    start = threading.Barrier(4)

    def ask(_: int) -> tuple[Path, int]:
        start.wait(10)
        path = objects.file("mac/sha256")
        return path, path.stat().st_mtime_ns

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(ask, range(4)))) == 1
    assert len(list((tmp_path / "objects").iterdir())) == 1
    with pytest.raises(KeyError):
        objects.file("mac/none")


def test_the_same_seed_gives_the_same_uids(tmp_path: Path) -> None:
    pki = Pki.create(tmp_path / "pki")
    found = set()
    for number, seed in enumerate(("one", "one", "two", None)):
        with open_dicom(SignedObjects(tmp_path / str(number), pki, seed=seed).file("mac/sha256")) as file:
            found.add(file.sop_instance)
    assert len(found) == 3


@pytest.mark.parametrize("name", list(INSTANCES))
def test_a_tree_is_written_as_it_was_read(name: str, tmp_path: Path) -> None:
    octets = write_instance(name, tmp_path / "instance.dcm").read_bytes()
    tree = Tree.load(octets)
    if tree.transfer_syntax == DEFLATED:
        assert Tree.load(tree.encoded()) == tree
    elif tree.transfer_syntax != "1.2.840.10008.1.2.2":
        assert tree.encoded() == octets
